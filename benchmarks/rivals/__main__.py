"""The change points of all methods on the suites of `just accuracy`, in one table: `python -m benchmarks.rivals [SEED ...]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.labelled import SETS
from benchmarks.rivals import same_code
from benchmarks.rivals.contest import outcomes, questions
from benchmarks.rivals.methods import METHODS, ROOT
from benchmarks.rivals.table import figures_table, legend

if TYPE_CHECKING:
    from collections.abc import Sequence

QUICK = 0.1
LABELLED = (*(f"labels {name}" for name in SETS), "TCPD")


def main(arguments: Sequence[str]) -> None:
    """Print the table of change points, then that of comparisons of the same code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, help="default 1; figures are means over them")
    parser.add_argument("--quick", action="store_true", help=f"synthetic suites of {QUICK:.0%} of their size")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--labelled", type=Path, default=ROOT.parent / "shared/detection", metavar="FOLDER")
    given = parser.parse_args(arguments)
    seeds, share = given.seeds or [1], QUICK if given.quick else 1.0
    asked = [questions(seed, share, given.labelled) for seed in seeds]
    known = asked[0].suites
    print(figures_table(outcomes(METHODS, asked), known, markdown=given.markdown), end="\n\n")
    notes = [f"{name}: left out, its files are not in {given.labelled}" for name in LABELLED if name not in known]
    print(f"Seeds: {' '.join(map(str, seeds))}.", *legend(known), *notes, sep="\n", end="\n\n")
    sets = same_code.sets(seeds[0], given.labelled, share)
    print(same_code.alarms_table(sets, markdown=given.markdown), end="\n\n")
    print(*same_code.legend(sets), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
