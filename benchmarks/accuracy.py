"""The accuracy of the analyses on synthetic histories, as a table with targets: `python -m benchmarks.accuracy [SEED ...]`.

The data is generated from the seeds (default 1 3 11).
"""

from __future__ import annotations

import itertools
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.compare import compare
from bench_db.analysis.constants import PROFILES, Constants, Profile
from bench_db.analysis.detect import change_points, detect_all
from bench_db.analysis.scan import scan
from bench_db.model import Verdict
from benchmarks import movement, suites
from benchmarks.synthetic import NOISE, Array, history

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGETS = {
    "labels A: f1": ">= .84",
    "labels B: f1": ">= .90",
    "labels C: f1": ">= .88",
    "F1": ">= .74",
    "false alarms per quiet series": "<= .10",
    "  sticky": "<= .25",
    "  drift": "<= .25",
    "the same, independent noise": "<= .03",
    "online alarms per 100 quiet commits": "<= .35",
    "10% step: median delay": "<= 3",
    "10% step: found within 10": ">= .98",
    "outliers: precision": ">= .9",
    "outliers: recall": ">= .9",
    "scan: FDR by series": "<= .05",
    "scan: FDR by finding": "<= .05",
    "scan: changed series found": ">= .85",
    "scan: FDR by series, 10 % changed": "<= .05",
    "scan: FDR by finding, 10 % changed": "<= .05",
    "scan: FDR by series, 60 points": "<= .05",
    "scan: FDR by finding, 60 points": "<= .05",
    "compare: false alarms": "<= .015",
    "CPU ms, 200 points": "<= .15",
    "CPU ms, 500 points": "<= .6",
    "CPU ms, 2000 points": "<= 3",
}


def all_found(series: Sequence[Array], profile: Profile = Profile.DEFAULT) -> list[list[int]]:
    """Return the change points of each series, from one call."""
    return found_by(series, PROFILES[profile])


def found_by(series: Sequence[Array], constants: Constants) -> list[list[int]]:
    """Return the change points of each series by these constants, from one call."""
    changes = detect_all(np.concatenate(series), _offsets(series), constants=constants)
    cuts = np.searchsorted(changes.series, np.arange(len(series) + 1))
    return [changes.index[a:b].tolist() for a, b in itertools.pairwise(cuts)]


def scanned(series: Sequence[Array], profile: Profile = Profile.DEFAULT) -> list[list[int]]:
    """Return the change points of each series that one scan of all series reports."""
    offsets = _offsets(series)
    runs = np.arange(offsets[-1])  # one run per point, so that there is no common movement
    found: list[list[int]] = [[] for _ in series]
    for finding in scan(np.concatenate(series), offsets, runs, profile=profile).findings:
        found[finding.series].append(finding.change.index)
    return found


def cpu_ms(n: int, profile: Profile = Profile.DEFAULT) -> float:
    """Return CPU milliseconds per series of n points, with one call per series."""
    series = suites.for_timing(n)
    change_points(series[0], profile)
    start = time.process_time()
    for values in series:
        change_points(values, profile)
    return (time.process_time() - start) * 1000 / len(series)


def comparisons(seed: int, *, count: int = 3000, n: int = 12) -> dict[str, float]:
    """Return the false alarms of `compare` with one candidate run on unchanged histories, and its power at +10 %."""
    rng = np.random.default_rng(seed)
    alarms = power = 0
    kinds = list(NOISE)
    for i in range(count):
        values = history(kinds[i % len(kinds)], n + 1, 0.0, (), rng).values.tolist()
        alarms += compare(values[-1:], values[:-1]).verdict is not Verdict.UNCHANGED
        power += compare([values[-1] * 1.1], values[:-1]).verdict is Verdict.REGRESSED
    return {"compare: false alarms": alarms / count, "compare: power at +10 %": power / count}


def _offsets(series: Sequence[Array]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.cumsum([0, *map(len, series)], dtype=np.int64)


def figures(seed: int) -> dict[str, float]:
    """Return every figure of one seed."""
    searched, of_scan = suites.joined(suites.detection(seed).values()), suites.discoveries(seed)
    rare, young = suites.discoveries(seed, changed=0.1), suites.discoveries(seed, changed=0.1, points=60)
    of_rare = {f"{name}, 10 % changed": value for name, value in rare.score(scanned(rare.series)).items()}
    of_young = {f"{name}, 60 points": value for name, value in young.score(scanned(young.series)).items()}
    return {
        **searched.score(all_found(searched.series)),
        **of_scan.score(scanned(of_scan.series)),
        **of_rare,
        **of_young,
        **movement.figures(seed, list(NOISE.values())),
        **comparisons(seed),
        **{f"CPU ms, {n} points": cpu_ms(n) for n in (200, 500, 2000)},
    }


def main(arguments: Sequence[str]) -> None:
    """Print the table with one column per seed."""
    seeds = [int(a) for a in arguments] or [1, 3, 11]
    columns = [figures(seed) for seed in seeds]
    print(f"{'synthetic data':38}{'target':>10}" + "".join(f"{'seed ' + str(seed):>10}" for seed in seeds))
    for name in columns[0]:
        print(f"{name:38}{TARGETS.get(name, ''):>10}" + "".join(f"{column[name]:10.3f}" for column in columns))


if __name__ == "__main__":
    main(sys.argv[1:])
