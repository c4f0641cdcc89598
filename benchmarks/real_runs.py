"""The comparison and the gate on real runs: the stretches between the labels of a set, and forks of the same code.

Nothing of these series is part of this repository: a folder is given.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from bench_db.analysis.compare import compare, robust_scale
from bench_db.analysis.judge import judge
from bench_db.model import Verdict
from bench_db.query.series import HISTORY, IDENTITY, Points
from bench_db.rules import RULES
from benchmarks import many_series
from benchmarks.labelled import labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.synthetic import Array

FORKS = "jmh_forks.npz"
EFFECTS = (0.0, 0.1, 0.2, 0.5)
QUIET = 0.01  # noise of the baseline, for the last column
STEP = 0.15  # least labelled step in the table of delays
AFTER = 4  # runs from the step on
COMMITS = 40
_DAY = 86_400
_DECIDED = {Verdict.REGRESSED, Verdict.IMPROVED}


class Sides(NamedTuple):
    """Runs of a baseline, oldest first, and the runs of the candidate that follow them."""

    old: Array
    new: Array


def stretches(folder: Path, name: str) -> list[list[Array]]:
    """Return the stretches between the labels of each window of a set."""
    windows = json.loads(labels(folder, name).read_text("utf-8"))
    return [np.split(np.array(one["values"], float), one["change_points"]) for one in windows]


def of_stretches(of_windows: Sequence[Sequence[Array]], runs: int) -> Iterator[Sides]:
    """Yield each run of a stretch, and the next ones, with 7 to 20 runs of the stretch before it."""
    for part in (part for window in of_windows for part in window):
        for at in range(RULES.level_runs, len(part) - runs + 1):
            yield Sides(part[max(0, at - RULES.level_most_runs) : at], part[at : at + runs])


def of_forks(samples: Array, runs: int) -> Iterator[Sides]:
    """Yield the medians of each fork and the next ones, with those of the other forks of the same benchmark."""
    medians = np.median(samples, axis=2)
    for shift in range(medians.shape[1]):
        for row in np.roll(medians, shift, axis=1):
            yield Sides(row[:-runs], row[-runs:])


def sides(folder: Path, name: str, runs: int) -> list[Sides]:
    """Return the comparisons of a labelled set, or of the forks as JMH; none where the file is not in the folder."""
    if name == "JMH":
        return list(of_forks(forks(folder), runs)) if (folder / FORKS).is_file() else []
    return list(of_stretches(stretches(folder, name), runs)) if labels(folder, name).is_file() else []


def forks(folder: Path) -> Array:
    """Return the samples of each benchmark in each fork."""
    with np.load(folder / FORKS, allow_pickle=False) as file:
        return np.asarray(file["x"], float)


def found(of: Sequence[Sides], effect: float) -> float:
    """Return the share of comparisons that improve or regress, with each candidate changed by `effect`; each series is a commit of its own."""
    if len(of[0].new) > 1:
        verdicts = [compare((one.new * (1 + effect)).tolist(), one.old.tolist()).verdict for one in of]
        return float(np.mean([verdict in _DECIDED for verdict in verdicts]))
    count = 0
    for length in {len(one.old) for one in of}:
        same = [one for one in of if len(one.old) == length]
        old = np.log([[one.old] for one in same])
        new = np.log([one.new * (1 + effect) for one in same])
        count += sum(int(many_series.judged(sign * old, sign * new).regressed.sum()) for sign in (1.0, -1.0))
    return count / len(of)


def comparisons(of: Sequence[Sides]) -> list[float]:
    """Return the share found of each effect, and of +10 % where the noise of the baseline is at most 1 %."""
    kept = [one for one in of if one.old.min() > 0 and one.new.min() > 0]
    quiet = [one for one in kept if robust_scale(np.log(one.old).tolist()) <= QUIET]
    return [*(found(kept, effect) for effect in EFFECTS), found(quiet, 0.1) if quiet else np.nan]


def points(values: Array, commits: Sequence[int]) -> Points:
    """Return series of one suite with a run a column, a day apart; `commits` numbers the commit of each run."""
    count, runs = values.shape
    series = [(key, "project", "runner", "suite", f"s{key}", "time", "", "s", "lower") for key in range(count)]
    at = np.tile(np.array(commits), count)
    number = np.tile(np.arange(runs), count)
    columns = {
        "series_key": np.repeat(np.arange(count), runs),
        "commit_order": at,
        "run_time": _DAY * number,
        "run_key": number,
        "dut_timestamp": at,
        "commit": [f"{commit:040x}" for commit in at],
        **{name: values.ravel() for name in ("min", "q1", "median", "q3", "max")},
        "n": np.ones(len(at), np.int64),
        "error": [None] * len(at),
    }
    rows = pl.DataFrame(columns, schema_overrides={"error": pl.String}).select(HISTORY)
    return Points(series=pl.DataFrame(series, schema=list(IDENTITY), orient="row"), rows=rows)


def verdicts(values: Array, candidate: Sequence[int], commits: Sequence[int]) -> dict[int, Verdict]:
    """Return the verdict of each series; the candidate is these runs of one commit, and later runs are unknown yet."""
    known = max(candidate) + 1
    of = judge(points(values[:, :known], commits[:known]), candidate)
    return {int(c.series.benchmark_name[1:]): c.verdict for c in of}


def quiet_windows(of_windows: Sequence[Sequence[Array]], length: int, rng: np.random.Generator) -> list[Array]:
    """Return a window of so many runs without a label of each series that has one, at a random place."""
    out = []
    for window in of_windows:
        places = [(part, at) for part in window for at in range(len(part) - length + 1)]
        if places:
            part, at = places[int(rng.integers(len(places)))]
            out.append(part[at : at + length])
    return out


def failing(windows: Sequence[Array]) -> tuple[bool, bool]:
    """Return whether the last run of the windows, as one unchanged commit, regresses, and whether it has something suspected."""
    values = np.array(windows)
    of = verdicts(values, [values.shape[1] - 1], range(values.shape[1])).values()
    return Verdict.REGRESSED in of, Verdict.SUSPECTED in of


def gate(folder: Path, name: str, seed: int = 1) -> tuple[float, float, int]:
    """Return the share of unchanged commits that fail, that with something suspected, and the most series of a commit."""
    rng, of_windows = np.random.default_rng(seed), stretches(folder, name)
    commits = [quiet_windows(of_windows, RULES.level_most_runs + 1, rng) for _ in range(COMMITS)]
    failed, suspected = zip(*map(failing, commits), strict=True)
    return float(np.mean(failed)), float(np.mean(suspected)), max(map(len, commits))


def gate_of_forks(samples: Array) -> tuple[float, float, int]:
    """Return the same of each fork of all benchmarks as a commit, after the other forks."""
    medians = np.median(samples, axis=2)
    of = [failing(list(np.roll(medians, shift, axis=1))) for shift in range(medians.shape[1])]
    failed, suspected = zip(*of, strict=True)
    return float(np.mean(failed)), float(np.mean(suspected)), len(medians)


class Followed(NamedTuple):
    """The verdicts of a series after its step: of each run from the step on, and of the first two as runs of one commit."""

    runs: Sequence[Verdict]
    again: Verdict


def followed(folder: Path, name: str, seed: int = 1) -> list[Followed]:
    """Return the verdicts after each labelled step of 15 % or more, among quiet windows of the other series as one suite.

    The step is that of the medians of up to 20 runs on both sides, after 20 runs without a label and before at least 4.
    """
    rng, of_windows, out = np.random.default_rng(seed), stretches(folder, name), []
    length = RULES.level_most_runs
    for number, window in enumerate(of_windows):
        rest = [*of_windows[:number], *of_windows[number + 1 :]]
        for before, after in pairwise(window):
            if len(before) < length or len(after) < AFTER:
                continue
            step = float(np.median(after[:length]) / np.median(before[-length:]))
            if abs(np.log(step)) >= np.log1p(STEP):
                own = np.concatenate([before[-length:], after[:AFTER]])
                values = np.array([own, *quiet_windows(rest, length + AFTER, rng)])
                runs = [verdicts(values, [length + run], range(length + AFTER))[0] for run in range(AFTER)]
                twice = verdicts(values, [length, length + 1], [*range(length + 1), length, *range(length + 1, 99)])[0]
                out.append(Followed(runs, twice))
    return out


def decided(of: Sequence[Verdict]) -> float:
    """Return the share that improves or regresses."""
    return float(np.mean([verdict in _DECIDED for verdict in of])) if of else np.nan


def suspected(of: Sequence[Verdict]) -> float:
    """Return the share that is suspected."""
    return float(np.mean([verdict is Verdict.SUSPECTED for verdict in of])) if of else np.nan


def tables(folder: Path, seed: int = 1) -> Iterator[str]:
    """Yield the tables of docs/statistics.md on real runs as lines of Markdown."""
    heads = ("data", "runs", "no change", *(f"+{effect:.0%}" for effect in EFFECTS[1:]), "+10 %, noise up to 1 %")
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for name in ("B", "C", "JMH"):
        for runs in (1, 2, 3, 5):
            shares = comparisons(sides(folder, name, runs))
            yield f"| {name} | {runs} | {' | '.join(f'{share:.3f}' for share in shares)} |"
    yield ""
    for name in ("B", "C"):
        yield f"{name}: unchanged commits that fail, with something suspected, most series: {gate(folder, name, seed)}"
    yield f"JMH: the same: {gate_of_forks(forks(folder))}"
    for name in ("B", "C"):
        of = followed(folder, name, seed)
        at = (f"{decided(one):.2f}, {suspected(one):.2f}" for one in zip(*(f.runs for f in of), strict=True))
        again = [f.again for f in of]
        yield f"{name}: {len(of)} steps: improved or regressed, suspected, at run 1 to {AFTER}: {'; '.join(at)};"
        yield f"the first two as runs of one commit: {decided(again):.2f}, {suspected(again):.2f}"
