"""Suites of synthetic series, and scores for the change points found in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.synthetic import NOISE, SCALE, Array, History, history, places

STEPS = (0.01, 0.02, 0.05, 0.10, 0.20)
DELAYED_STEPS = (0.05, 0.10, 0.20)
HORIZON = 40  # commits within which a step must be found
MARGIN = 5
INDEPENDENT = ("independent", "heavy_tail", "outlier", "bimodal")
NEVER = 999

Found = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Series to search, and a function that scores the change points found in them."""

    size: str
    series: Sequence[Array]
    score: Callable[[Found], dict[str, float]]


def joined(suites: Iterable[Suite]) -> Suite:
    """Join suites into one, so that a detector runs once."""
    every = list(suites)

    def score(found: Found) -> dict[str, float]:
        rest = iter(found)
        return {
            name: figure
            for suite in every
            for name, figure in suite.score(list(itertools.islice(rest, len(suite.series)))).items()
        }

    return Suite(
        size="; ".join(dict.fromkeys(suite.size for suite in every)),
        series=[series for suite in every for series in suite.series],
        score=score,
    )


def hits(truth: Iterable[int], found: Sequence[int]) -> int:
    """Count true changes with a found one within 5 points, matched one to one."""
    free = list(found)
    count = 0
    for at in truth:
        near = [f for f in free if abs(f - at) <= MARGIN]
        if near:
            free.remove(min(near, key=lambda f: abs(f - at)))
            count += 1
    return count


def detection(seed: int, share: float = 1.0) -> dict[str, Suite]:
    """Return the suites for a detector of change points by name, at a `share` of their full size."""
    return {
        "offline": offline(seed, per_step=_part(20, share), unchanged=_part(60, share)),
        "online": online(seed, count=_part(20, share)),
        **{f"{step:.0%} step": delays(seed, step, count=_part(30, share)) for step in DELAYED_STEPS},
        "outliers": outliers(seed, count=_part(300, share)),
    }


def _part(count: int, share: float) -> int:
    return max(1, round(count * share))


def offline(seed: int, *, per_step: int = 20, unchanged: int = 60) -> Suite:
    """Return the suite for F1 over all series, false alarms per series without change, and recall by step."""
    rng = np.random.default_rng(seed)
    suite = [
        history(kind, 200, step, places(200, rng), rng) for kind in NOISE for step in STEPS for _ in range(per_step)
    ]
    suite += [history(kind, 200, 0.0, (), rng) for kind in NOISE for _ in range(unchanged)]

    def score(found: Found) -> dict[str, float]:
        judged = list(zip(suite, found, strict=True))
        right = [hits(h.changes, f) for h, f in judged]
        planted, reported = sum(len(h.changes) for h in suite), sum(map(len, found))
        quiet = {kind: np.mean([len(f) for h, f in judged if h.kind == kind and not h.step]) for kind in NOISE}
        by_step = {
            f"recall of {step:.0%} steps": sum(r for h, r in zip(suite, right, strict=True) if h.step == step)
            / sum(len(h.changes) for h in suite if h.step == step)
            for step in STEPS
        }
        return {
            "F1": 2 * sum(right) / (planted + reported),
            "false alarms per quiet series": float(np.mean(list(quiet.values()))),
            "the same, independent noise": float(np.mean([quiet[kind] for kind in INDEPENDENT])),
            **{f"  {kind}": float(rate) for kind, rate in quiet.items()},
            **by_step,
        }

    unplanted = len(NOISE) * unchanged
    size = f"{len(suite) - unplanted} series of 200 points with 1-3 steps of 1-20 %, {unplanted} without change"
    return Suite(size=size, series=[h.values for h in suite], score=score)


def online(seed: int, *, count: int = 20, n: int = 200, first: int = 40) -> Suite:
    """Return the suite for distinct alarms per 100 commits without change; the detector runs after every commit."""
    rng = np.random.default_rng(seed)
    quiet = [history(kind, n, 0.0, (), rng).values for kind in NOISE for _ in range(count)]
    ends = range(first, n + 1)

    def score(found: Found) -> dict[str, float]:
        alarms = sum(_alarms(of_one) for of_one in _chunks(found, len(ends)))
        return {"online alarms per 100 quiet commits": 100 * alarms / len(found)}

    size = f"{len(quiet)} series without change, searched after each commit from {first} to {n}"
    return Suite(size=size, series=[values[:end] for values in quiet for end in ends], score=score)


def _alarms(found: Found) -> int:
    """Count the distinct changes reported after the commits of one history."""
    alarms, seen = 0, set[int]()
    for now in found:
        alarms += sum(all(abs(f - s) > MARGIN for s in seen) for f in now)
        seen.update(now)
    return alarms


def _chunks(found: Found, length: int) -> Iterator[Found]:
    return (found[start : start + length] for start in range(0, len(found), length))


def delays(seed: int, step: float, *, count: int = 30, horizon: int = HORIZON) -> Suite:
    """Return the suite for the commits at the new level, first included, until a report within 5 points."""
    rng = np.random.default_rng(seed)
    histories: list[History] = []
    for kind in NOISE:
        for _ in range(count):
            at = int(rng.integers(60, 110))
            histories.append(history(kind, at + horizon, step, (at,), rng))

    def score(found: Found) -> dict[str, float]:
        waited = [_waited(h, of_one) for h, of_one in zip(histories, _chunks(found, horizon), strict=True)]
        return {
            f"{step:.0%} step: median delay": float(np.median(waited)),
            f"{step:.0%} step: found within 10": float(np.mean(np.array(waited) <= 10)),
        }

    series = [h.values[: len(h.values) - horizon + k] for h in histories for k in range(1, horizon + 1)]
    size = f"{len(histories)} series, searched after each of the {horizon} commits from the step on"
    return Suite(size=size, series=series, score=score)


def _waited(changed: History, found: Found) -> int:
    return next((k for k, f in enumerate(found, 1) if hits(changed.changes, f)), NEVER)


def outliers(seed: int, *, count: int = 300, sigma: float = 0.03) -> Suite:
    """Return the suite for precision and recall: steps of 3-6 sigma, 3 % noise, 2 % of runs slower by 20-200 %."""
    rng = np.random.default_rng(seed)
    truth, series = [], []
    for _ in range(count):
        at = places(200, rng)
        step = float(np.expm1(sigma * rng.uniform(3, 6)))
        h = history("independent", 200, step, at, rng)
        slow = np.where(rng.random(200) < 0.02, 1 + rng.uniform(0.2, 2, 200), 1)
        truth.append(at)
        series.append(h.values * np.exp(rng.normal(0, np.sqrt(sigma**2 - SCALE**2), 200)) * slow)

    def score(found: Found) -> dict[str, float]:
        right = sum(hits(at, f) for at, f in zip(truth, found, strict=True))
        reported, planted = sum(map(len, found)), sum(map(len, truth))
        return {"outliers: precision": right / max(1, reported), "outliers: recall": right / planted}

    size = f"{count} series of 200 points, noise {sigma:.0%}, 2 % of runs 20-200 % slow, steps of 3-6 sigma"
    return Suite(size=size, series=series, score=score)


def discoveries(seed: int, *, share: float = 1.0, changed: float = 0.3, points: int = 200) -> Suite:
    """Return the suite for one scan: false discovery rate by series and by finding, and the share of changed series found."""
    rng = np.random.default_rng(seed)
    kinds, histories = list(NOISE), list[History]()
    count = _part(4000, share)
    for i in range(count):
        step = float(rng.choice([0.05, 0.1, 0.2])) if rng.random() < changed else 0.0
        at = (int(rng.integers(points // 10, points - points // 10)),) if step else ()
        histories.append(history(kinds[i % len(kinds)], points, step, at, rng))

    def score(found: Found) -> dict[str, float]:
        judged = [(h, f) for h, f in zip(histories, found, strict=True) if f]
        false_series = sum(not h.changes for h, _ in judged)
        findings = sum(len(f) for _, f in judged)
        false = sum(not hits(h.changes, [index]) for h, f in judged for index in f)
        of_steps = {
            f"scan: {100 * step:g} % steps found": float(
                np.mean([bool(f) for h, f in zip(histories, found, strict=True) if h.step == step] or [False])
            )
            for step in DELAYED_STEPS
        }
        return of_steps | {
            "scan: FDR by series": false_series / max(1, len(judged)),
            "scan: FDR by finding": false / max(1, findings),
            "scan: changed series found": (len(judged) - false_series) / sum(bool(h.changes) for h in histories),
        }

    size = f"one scan of {count} series of {points} points, {changed:.0%} of them with one step of 5-20 %"
    return Suite(size=size, series=[h.values for h in histories], score=score)


def situations(*, count: int = 20, first: int = 0) -> Suite:
    """Return the suite of the situations that older detectors missed, `count` seeds each from `first` on.

    Each figure is a number of series in which the changes are found, or of other changes in them.
    """
    made: dict[str, list[tuple[Array, tuple[int, ...]]]] = {}
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        for share in (0.3, 0.5):
            mode = np.where(rng.random(200) < share, 1520.0, 965.0) * np.exp(rng.normal(0, 0.01, 200))
            mode[100:] *= 1.2
            made.setdefault(f"two modes, share {share:g}", []).append((mode, (100,)))
        small = 20e6 * np.exp(rng.normal(0, 0.0003, 200))
        small[100:] *= 1.009
        made.setdefault("+.9 %, noise .03 %", []).append((small, (100,)))
        for burst, noise in ((0.5, 0.01), (-0.2, 0.01), (-0.2, 0.02), (-0.2, 0.03)):
            step = 100 * np.exp(rng.normal(0, noise, 200))
            step[100:] *= 1.1
            step[103:106] *= 1 + burst
            made.setdefault(f"step beside outliers of {burst:+.0%}, noise {noise:.0%}", []).append((step, (100,)))
    stairs = np.repeat([100, 100.8, 101.6, 102.4, 103.2, 104], 20)
    made["staircase of .8 % without noise"] = [(stairs, (20, 40, 60, 80, 100))]
    flat = [(name, changes) for name, several in made.items() for _, changes in several]

    def score(found: Found) -> dict[str, float]:
        figures: dict[str, float] = {}
        for (name, changes), at in zip(flat, found, strict=True):
            right = hits(changes, at)
            for figure, number in ((name, right), (f"{name}: others", len(at) - right)):
                figures[figure] = figures.get(figure, 0.0) + number
        return figures

    return Suite(
        size=f"{count} series of each situation, one staircase",
        series=[values for several in made.values() for values, _ in several],
        score=score,
    )


def for_timing(n: int, count: int = 70) -> list[Array]:
    """Return series of n points with one step of 10 %."""
    rng = np.random.default_rng(99)
    kinds = list(NOISE)
    return [history(kinds[i % len(kinds)], n, 0.1, (n // 2,), rng).values for i in range(count)]
