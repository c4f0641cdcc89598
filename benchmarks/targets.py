"""Every target of the analyses that data can show, with its figure: `python -m benchmarks.targets [FOLDER] [--seeds 1 3 11]`.

FOLDER has the labelled sets, which are not part of this repository; without it, and where a file of it is missing, the targets that need
it are printed as not measured. The F1 of a labelled set by constants that were chosen without it takes a search: `python -m benchmarks.left_out`.
"""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench_db.analysis.scan import scan
from benchmarks import own_histories, real_runs, shape_suite, suites
from benchmarks.accuracy import all_found, cpu_ms, scanned
from benchmarks.labelled import SETS, labelled, planted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SEEDS = (1, 3, 11)
SUITES, SERIES, RUNS, STEP_AT = 30, 40, 150, 75


class Target(NamedTuple):
    """A figure by name with its bound, and the data on which constants were chosen, or a rule was."""

    figure: str
    least: float | None = None
    most: float | None = None
    tuned_on: str = ""

    @property
    def bound(self) -> str:
        """The bound as text."""
        return f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}" if self.most is not None else ""

    def outcome(self, value: float | None) -> str:
        """Return met, missed, or why neither."""
        if value is None:
            return "not measured: its file is not there"
        if self.least is None and self.most is None:
            return ""
        low, high = (-np.inf if self.least is None else self.least), (np.inf if self.most is None else self.most)
        return "met" if low <= value <= high else "missed"


_ALL = "A, B, C, synthetic"
_RUNS = "synthetic; B, C, JMH as a condition"
TARGETS = (
    Target("labels A: f1", 0.84, tuned_on=_ALL),
    Target("labels B: f1", 0.90, tuned_on=_ALL),
    Target("labels C: f1", 0.88, tuned_on=_ALL),
    Target("two modes, share 0.3", 19, tuned_on="itself"),
    Target("two modes, share 0.5", 19, tuned_on="itself"),
    Target("staircase of .8 % without noise", 5, tuned_on="itself"),
    Target("+.9 %, noise .03 %", 20, tuned_on="itself"),
    *(
        Target(f"step beside outliers of {name}{what}", least, most, tuned_on="itself")
        for name in ("+50%, noise 1%", "-20%, noise 1%", "-20%, noise 2%", "-20%, noise 3%")
        for what, least, most in (("", 19, None), (": others", None, 1))
    ),
    Target("F1", 0.74, tuned_on=_ALL),
    Target("false alarms per quiet series", most=0.10, tuned_on=_ALL),
    Target("  sticky", most=0.25, tuned_on=_ALL),
    Target("  drift", most=0.25, tuned_on=_ALL),
    Target("GHA with planted steps: F1", 0.50, tuned_on="none"),
    Target("10% step: median delay", most=3, tuned_on=_ALL),
    Target("10% step: found within 10", 0.98, tuned_on=_ALL),
    Target("online alarms per 100 quiet commits", most=0.35, tuned_on=_ALL),
    Target("suite step of +2 %: found of 30", 29, tuned_on="itself"),
    Target("invented movements in 45 suites", most=0, tuned_on="itself"),
    *(
        Target(f"own histories, compare: +{effect:.0%}, times that of medians", 2, tuned_on="itself")
        for effect in own_histories.EFFECTS
    ),
    *(
        Target(f"own histories, detect: +{effect:.0%}, times that of medians", 2, tuned_on="itself")
        for effect in own_histories.EFFECTS
    ),
    Target("own histories, compare: no change", most=0.01, tuned_on="itself"),
    Target("own histories, detect: changes a series without a step", most=0.1, tuned_on="itself"),
    *(
        Target(f"compare, {name}, {runs} runs: no change", most=0.012, tuned_on=_RUNS)
        for name in ("B", "C", "JMH")
        for runs in (1, 3, 5)
    ),
    Target("compare, JMH, 3 runs: +10 %", 0.75, tuned_on=_RUNS),
    Target("compare, C, 3 runs: +10 %", 0.75, tuned_on=_RUNS),
    Target("compare, B, 3 runs: +10 %", 0.43, tuned_on=_RUNS),
    Target("scan: FDR by series", most=0.05, tuned_on="synthetic"),
    Target("scan: changed series found", 0.85, tuned_on="synthetic"),
    Target("scan: FDR by series, 60 points", most=0.06, tuned_on="synthetic"),
    Target("scan: 10 % steps found, 60 points", 0.6, tuned_on="synthetic"),
    Target("scan: 20 % steps found, 60 points", 0.85, tuned_on="synthetic"),
    Target("scan: FDR by series, 40 points", most=0.06, tuned_on="synthetic"),
    Target("scan: 10 % steps found, 40 points", 0.6, tuned_on="synthetic"),
    Target("scan: 20 % steps found, 40 points", 0.85, tuned_on="synthetic"),
    Target("spread and modes: alarms, all quiet", most=0.01, tuned_on="synthetic"),
    Target("spread and modes: alarms, worst kind", most=0.02, tuned_on="synthetic"),
    *(
        Target(f"{kind}, {n} points: found", tuned_on="synthetic")
        for n in shape_suite.LENGTHS
        for kind in ("spread", "modes")
    ),
    Target("CPU ms, 200 points", most=0.15),
    Target("CPU ms, 2000 points", most=2.5),
)


def of_labels(folder: Path) -> dict[str, float]:
    """Return the figures of `detect` on the labelled sets."""
    found: dict[str, float] = {}
    for name, suite in labelled(folder).items():
        if name.removeprefix("labels ") in SETS:
            found |= suite.score(all_found(suite.series))
    return found


def of_synthetic(seed: int) -> dict[str, float]:
    """Return the figures of one seed of synthetic series."""
    detection = suites.detection(seed)
    searched = suites.joined(detection[name] for name in ("offline", "online", "10% step"))
    found = searched.score(all_found(searched.series))
    for points, changed, name in ((200, 0.3, ""), (60, 0.01, ", 60 points"), (40, 0.01, ", 40 points")):
        suite = suites.discoveries(seed, changed=changed, points=points)
        found |= {f"{figure}{name}": value for figure, value in suite.score(scanned(suite.series)).items()}
    return found | shape_suite.figures(seed)


def of_suites() -> dict[str, float]:
    """Return how many suites with a step of 2 % are found, and how many passing movements are invented in suites with a step."""

    def movements(seed: int, step: float) -> list[tuple[int, bool]]:
        values = 100 * np.exp(np.random.default_rng(seed).normal(0, 0.02, (SERIES, RUNS)))
        values[:, STEP_AT:] *= 1 + step
        offsets, runs = np.arange(0, values.size + 1, RUNS), np.tile(np.arange(RUNS), SERIES)
        return [(m.run, m.lasting) for m in scan(values.ravel(), offsets, runs).movements]

    found = [
        any(lasting and abs(run - STEP_AT) <= 2 for run, lasting in movements(seed, 0.02)) for seed in range(SUITES)
    ]
    invented = [
        not all(lasting for _, lasting in movements(seed, step))
        for seed in range(SUITES // 2)
        for step in (0.0, 0.02, 0.04)
    ]
    return {"suite step of +2 %: found of 30": sum(found), "invented movements in 45 suites": sum(invented)}


def of_histories(folder: Path) -> dict[str, float]:
    """Return the figures of the recorded histories, by the figure of each series; found changes relative to medians."""
    file = folder / own_histories.FILE
    if not file.is_file():
        return {}
    by_figure, by_median = (own_histories.measured(file, medians=medians) for medians in (False, True))
    found = {f"own histories, {name}": value for name, value in by_figure.items()}
    for name, value in by_figure.items():
        if name.endswith(" found"):
            found[f"own histories, {name.removesuffix(' found')}, times that of medians"] = value / by_median[name]
    return found


def of_runs(folder: Path) -> dict[str, float]:
    """Return the figures of `compare` on real runs."""
    found: dict[str, float] = {}
    for name in ("B", "C", "JMH"):
        for runs in (1, 3, 5):
            sides = real_runs.sides(folder, name, runs)
            for effect, what in ((0.0, "no change"), (0.1, "+10 %")):
                if sides:
                    found[f"compare, {name}, {runs} runs: {what}"] = real_runs.found(sides, effect)
    return found


def of_planted(folder: Path) -> dict[str, float]:
    """Return the F1 of planted steps in real series."""
    of = [planted(folder, seed) for seed in SEEDS]
    scored = [suite.score(all_found(suite.series)) for suite in of if suite]
    return {name: float(np.mean([one[name] for one in scored])) for name in (scored[0] if scored else {})}


def measured(folder: Path | None, seeds: Sequence[int]) -> Iterator[dict[str, float]]:
    """Yield figures by name, from the cheapest to the dearest part."""
    parts: list[Callable[[Path], dict[str, float]]] = [of_labels, of_planted, of_histories, of_runs]
    situations = suites.situations()
    yield situations.score(all_found(situations.series))
    yield of_suites()
    yield from (part(folder) for part in parts if folder is not None)
    columns = [of_synthetic(seed) for seed in seeds]
    yield {name: float(np.mean([column[name] for column in columns])) for name in columns[0]}
    yield {f"CPU ms, {n} points": cpu_ms(n) for n in (200, 2000)}


def lines(figures: dict[str, float]) -> Iterator[str]:
    """Yield the table of targets."""
    yield "| target | bound | figure | | constants chosen on |"
    yield "|---|---|--:|---|---|"
    for target in TARGETS:
        value = figures.get(target.figure)
        shown = "-" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
        yield f"| {target.figure.strip()} | {target.bound} | {shown} | {target.outcome(value)} | {target.tuned_on} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="folder of the labelled sets")
    parser.add_argument(
        "--seeds", nargs="*", type=int, default=SEEDS, help="of synthetic series; figures are means over them"
    )
    given = parser.parse_args()
    parts = measured(given.folder, given.seeds)
    print("\n".join(lines(dict(chain.from_iterable(part.items() for part in parts)))))


if __name__ == "__main__":
    main()
