"""A table of measurements with budgets, and their publication into a bench_db store.

python -m benchmarks.report [--store URI] [FILE]   FILE is the output of `pytest benchmarks --benchmark-json FILE`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.report.text import table
from benchmarks.lines import LINES, Line

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = Path(".benchmarks/bench_db.json")
_HEADINGS = ("line", "rows", "budget", "ours", "rivals", "ratio", "")


def readings(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every reading of a pytest-benchmark file, sorted by line and then by size."""
    found = [reading for record in document["benchmarks"] for reading in record["extra_info"].get("readings", ())]
    order = list(LINES)
    return sorted(found, key=lambda reading: (order.index(reading["line"]), reading["rows"] or 0))


def as_table(found: Iterable[dict[str, Any]]) -> str:
    """Return one row per reading: the medians of bench_db and the rivals, and the ratio to the best rival; below 1 is better."""
    return table(_HEADINGS, [_cells(reading, LINES[reading["line"]]) for reading in found], right=_HEADINGS[1:4])


def _cells(reading: dict[str, Any], line: Line) -> tuple[str, ...]:
    met = line.is_met(reading["ours"], reading["rows"])
    verdict = "" if met is None else "met" if met else "MISSED"
    sign = ">=" if line.at_least else "<="
    return (
        line.what,
        f"{reading['rows']:,}" if reading["rows"] else "",
        "" if line.limit is None else f"{sign} {line.limit:g} {line.unit}",
        _amount(reading["ours"]),
        ", ".join(_rival(name, value, reading["once"]) for name, value in reading["rivals"].items()),
        _ratio(reading, line),
        verdict,
    )


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rival(name: str, value: float, once: list[str]) -> str:
    return f"{name} {_amount(value)}{' (n=1)' if name in once else ''}"


def _ratio(reading: dict[str, Any], line: Line) -> str:
    best = (max if line.at_least else min)(reading["rivals"].values(), default=0)
    return f"{reading['ours'] / best:.2f}" if best else ""


def main() -> None:
    """Print the table of a file, and publish the file if `--store` is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    parser.add_argument("--store", help="also publish the measurements into this store")
    given = parser.parse_args()
    print(as_table(readings(json.loads(given.file.read_text()))))
    if given.store:
        command = [str(Path(sys.executable).parent / "bench-db"), "publish", str(given.file), "--store", given.store]
        sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603 the command is fixed


if __name__ == "__main__":
    main()
