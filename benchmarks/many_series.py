"""False alarms and power of the gate on commits of many series, with noise that its rule does not assume.

`python -m benchmarks.many_series` prints the tables of docs/statistics.md, "Many series of one commit". Each series has runs of a
baseline at one level and one run of the candidate. The rule is that of `analysis.judge`, on arrays: `judged` is tested against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from bench_db.analysis.compare import DEVIATION_SHARE, NORMAL_CONSISTENCY, degrees
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Chosen = NDArray[np.bool_]

SEED = 20
SERIES = (1, 10, 200, 1000)
RUNS = (8, 20)
NOISE = 0.02
_CELL = 60_000  # series a cell, in at least 100 commits and at most 10,000
_SMALL_SAMPLE = {5: 1.206, 7: 1.14, 8: 1.129}


class Verdicts(NamedTuple):
    """The outcome of commits of series: what regressed, and what is suspected only because of the number of series or one run."""

    regressed: Chosen
    suspected: Chosen


def judged(old: Numbers, new: Numbers) -> Verdicts:
    """Judge one run of the candidate of each series, as logarithms: `old` is (commits, series, runs), `new` (commits, series).

    A change regresses or improves when it passes the test of its series, something upholds it, Benjamini-Hochberg accepts it over
    the commit, and moves as large do not happen by themselves.
    """
    tested = _tested(old, new)
    return _decided([tested])


class _Tested(NamedTuple):
    step: Numbers
    margin: Numbers
    p_value: Numbers
    nominal: Numbers
    latest: Numbers
    distance: Numbers
    old: Numbers


def _tested(old: Numbers, new: Numbers) -> _Tested:
    """Return the numbers of `compare` for one run, and the p-value that `judge` uses over the commit."""
    n = old.shape[2]
    level, scale = _level_and_scale(old)
    error, df = scale * np.sqrt(1.0 / n + 1.0), degrees(1, n)
    step = new - level
    p_value = 2.0 * stats.t.sf(np.abs(_over(step, error)), df)
    nominal = 2.0 * stats.t.sf(np.abs(_over(step, error)), n - 1)
    margin = error * stats.t.isf(RULES.significance / 2, df)
    nominal = np.where(p_value > RULES.false_discovery_rate, p_value, nominal)
    return _Tested(step, margin, p_value, nominal, old[:, :, -1] - level, _over(step, scale), old)


def _decided(parts: Sequence[_Tested]) -> Verdicts:
    by_series = ([getattr(part, name) for part in parts] for name in _Tested._fields[:-1])
    step, margin, p_value, nominal, latest, distance = (np.concatenate(of, axis=1) for of in by_series)
    quiet = np.log1p(RULES.quiet_effect)
    significant = (p_value < RULES.significance) & (np.abs(step) >= np.log1p(RULES.minimum_effect))
    upheld = np.abs(step) >= 2 * margin
    upheld |= (margin <= quiet) & (quiet <= np.abs(step))
    upheld |= (margin <= 2 * quiet) & (_q_values(p_value) <= RULES.false_discovery_rate)
    shown = np.expm1(latest) * np.sign(np.expm1(step)) >= np.abs(np.expm1(step)) / 2
    accepted = _q_values(nominal) <= RULES.commit_significance
    certain = significant & (upheld | shown) & accepted
    alone = certain & ~shown
    for commit in np.flatnonzero(alone.any(axis=1)):
        baselines = [part.old[commit] for part in parts]
        shares = _padded([_shares(old, part.step[commit]) for old, part in zip(baselines, parts, strict=True)])
        moves = _padded([_moves(old[None])[0] for old in baselines])
        certain[commit] &= ~_happens(distance[commit], moves, shares, alone[commit])
    return Verdicts(certain & (step > 0.0), significant & ~certain & (step > 0.0))


def _q_values(p_values: Numbers) -> Numbers:
    """Return the q-values of Benjamini and Hochberg along the series of each commit."""
    m = p_values.shape[1]
    order = np.argsort(p_values, axis=1)
    ranked = np.take_along_axis(p_values, order, axis=1) * m / np.arange(1, m + 1)
    least = np.minimum.accumulate(ranked[:, ::-1], axis=1)[:, ::-1]
    found = np.empty_like(least)
    np.put_along_axis(found, order, np.minimum(least, 1.0), axis=1)
    return found


def _happens(distance: Numbers, moves: Numbers, shares: Numbers, alone: Chosen) -> Chosen:
    """Return of which series of a commit moves as large happen by themselves: in the series, or in two others at two runs.

    `shares` says which share of the change of its series each run shows.
    """
    found = np.zeros_like(alone)
    for sign in (-1.0, 1.0):
        far, before = sign * distance, sign * moves
        ours = np.flatnonzero(alone & (far > 0.0))
        series, run = np.unravel_index(before.argmax(), before.shape)
        elsewhere = np.delete(before, series, axis=0), np.delete(before, run, axis=1)
        usual = min(of.max(initial=0.0) for of in elsewhere)
        for together, size in enumerate(sorted(far[ours], reverse=True), 1):
            if together > (before >= size).sum():
                usual = min(usual, np.nextafter(size, 0.0))
        for at in ours:
            as_large = (before[at] >= far[at]) & (shares[at] >= 0.5)
            found[at] = far[at] <= usual or as_large.any()
    return found


def _padded(parts: Sequence[Numbers]) -> Numbers:
    """Return numbers of the runs of series, the newest run last; 0 where a series has none."""
    most = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (most - part.shape[1], 0))) for part in parts])


def _shares(old: Numbers, step: Numbers) -> Numbers:
    return np.asarray(np.expm1(old - np.median(old, axis=1, keepdims=True)) / np.expm1(step)[:, None])


def _moves(old: Numbers) -> Numbers:
    """Return the distance of each run from the others of its baseline; 0 of those too small to count."""
    counts = np.abs(np.expm1(old - np.median(old, axis=2, keepdims=True))) >= RULES.minimum_effect
    others = (np.delete(old, run, axis=2) for run in range(old.shape[2]))
    far = np.stack([_distance(rest, old[:, :, run]) for run, rest in enumerate(others)], axis=2)
    return np.where(counts, far, 0.0)


def _distance(old: Numbers, new: Numbers) -> Numbers:
    level, scale = _level_and_scale(old)
    return _over(new - level, scale)


def _over(step: Numbers, scale: Numbers) -> Numbers:
    """Divide by a scale; without a spread any step is infinitely many, and none is 0."""
    without = np.where(step == 0.0, 0.0, np.copysign(np.inf, step))
    return np.divide(step, scale, out=without, where=scale > 0.0)


def _level_and_scale(old: Numbers) -> tuple[Numbers, Numbers]:
    n = old.shape[2]
    level = np.median(old, axis=2)
    mad = NORMAL_CONSISTENCY * np.median(np.abs(old - level[:, :, None]), axis=2) * _SMALL_SAMPLE.get(n, n / (n - 0.8))
    return level, np.maximum(mad, DEVIATION_SHARE * old.std(axis=2, ddof=1))


# -- noise: (commits, series, runs) of standard deviation of about 1, the last run is the candidate


def _normal(rng: np.random.Generator, shape: tuple[int, int, int]) -> Numbers:
    return rng.standard_normal(shape)


def _slow_tail(rng: np.random.Generator, shape: tuple[int, int, int]) -> Numbers:
    return np.asarray((np.exp(0.8 * rng.standard_normal(shape)) - np.exp(0.32)) / 1.3)


def _heavy(rng: np.random.Generator, shape: tuple[int, int, int]) -> Numbers:
    return np.asarray(rng.standard_t(3, shape) / np.sqrt(3))


def _two_modes(rng: np.random.Generator, shape: tuple[int, int, int]) -> Numbers:
    return np.asarray(0.25 * rng.standard_normal(shape) + 2.1 * (rng.random(shape) < 0.3))


def _rare_mode(rng: np.random.Generator, shape: tuple[int, int, int]) -> Numbers:
    return np.asarray(rng.standard_normal(shape) + 10.0 * (rng.random(shape) < 0.05))


def _drift(rng: np.random.Generator, shape: tuple[int, int, int]) -> Numbers:
    return np.asarray(rng.standard_normal(shape) + 0.3 * rng.standard_normal(shape).cumsum(axis=2))


def _whole_runs(rng: np.random.Generator, shape: tuple[int, int, int]) -> Numbers:
    return np.asarray((rng.standard_normal(shape) + rng.standard_normal((shape[0], 1, shape[2]))) / np.sqrt(2))


def _slow_machine(rng: np.random.Generator, shape: tuple[int, int, int]) -> Numbers:
    noise = rng.standard_normal(shape)
    noise[:, :, -1] += np.log1p(0.03) / NOISE
    return noise


def _one_flaky(rng: np.random.Generator, shape: tuple[int, int, int]) -> Numbers:
    noise = rng.standard_normal(shape)
    noise[:, -1] += np.log(2.0) / NOISE * (rng.random(noise[:, -1].shape) < 0.05)
    return noise


KINDS: dict[str, Callable[[np.random.Generator, tuple[int, int, int]], Numbers]] = {
    "normal": _normal,
    "lognormal, slow tail": _slow_tail,
    "Student's t of 3 degrees": _heavy,
    "two modes, 4.2 % apart, 30 % slow": _two_modes,
    "normal, 5 % of the runs 20 % slower": _rare_mode,
    "normal on a random walk": _drift,
    "half of the variance common to a run": _whole_runs,
    "normal, machine 3 % slower on the commit": _slow_machine,
    "normal, 5 % of the runs of one series twice as slow": _one_flaky,
}
NOISY = (
    "lognormal, slow tail",
    "normal, 5 % of the runs 20 % slower",
    "normal, 5 % of the runs of one series twice as slow",
)


def false_alarms(kind: str, series: int, runs: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the shares of unchanged commits with a regression, and with something suspected."""
    commits = min(10_000, max(100, _CELL // series))
    noise = NOISE * KINDS[kind](rng, (commits, series, runs + 1))
    found = judged(noise[:, :, :-1], noise[:, :, -1])
    return float(found.regressed.any(axis=1).mean()), float(found.suspected.any(axis=1).mean())


def of_mixed_runs(series: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the same of commits whose series have 5, 8, 12 or 20 runs, as many each; normal noise."""
    commits, parts = min(10_000, max(100, _CELL // series)), []
    for runs in (5, 8, 12, 20):
        noise = NOISE * _normal(rng, (commits, max(1, series // 4), runs + 1))
        parts.append(_tested(noise[:, :, :-1], noise[:, :, -1]))
    found = _decided(parts)
    return float(found.regressed.any(axis=1).mean()), float(found.suspected.any(axis=1).mean())


def power(  # noqa: PLR0913, PLR0917 the axes of the tables
    series: int, runs: int, noise: float, effect: float, rng: np.random.Generator, kind: str = "normal"
) -> tuple[float, float]:
    """Return how often one changed series among unchanged ones regresses at once, and how often it is at least suspected."""
    commits = min(2_000, max(100, _CELL // series))
    values = noise * KINDS[kind](rng, (commits, series, runs + 1))
    values[:, 0, -1] += np.log1p(effect)
    found = judged(values[:, :, :-1], values[:, :, -1])
    regressed = found.regressed[:, 0]
    return float(regressed.mean()), float((regressed | found.suspected[:, 0]).mean())


def _pair(two: tuple[float, float]) -> str:
    return ", ".join(f"{share:.3f}".rstrip("0").rstrip(".") for share in two)


def report() -> Iterator[str]:
    """Yield the tables as lines of Markdown."""
    rng = np.random.default_rng(SEED)
    yield f"| noise of {100 * NOISE:g} % | runs | " + " | ".join(f"{m:,} series" for m in SERIES) + " |"
    yield "|---|---|" + "---|" * len(SERIES)
    for kind in KINDS:
        for runs in RUNS:
            yield f"| {kind} | {runs} | " + " | ".join(_pair(false_alarms(kind, m, runs, rng)) for m in SERIES) + " |"
    yield "| normal | 5 to 20 | - | " + " | ".join(_pair(of_mixed_runs(m, rng)) for m in SERIES[1:]) + " |"
    yield ""
    yield "| effect, noise | runs | " + " | ".join(f"{m:,} series" for m in SERIES) + " |"
    yield "|---|---|" + "---|" * len(SERIES)
    for effect in (0.1, 0.2):
        for noise in (0.01, 0.03, 0.05):
            for runs in RUNS:
                cells = " | ".join(_pair(power(m, runs, noise, effect, rng)) for m in SERIES)
                yield f"| +{100 * effect:g} %, {100 * noise:g} % | {runs} | {cells} |"
    yield ""
    few, many = SERIES[1:3]
    yield f"| noise of {100 * NOISE:g} %, 20 runs | +20 % among {few} | among {many} | +50 % among {few} | among {many} |"
    yield "|---|---|---|---|---|"
    for kind in NOISY:
        cells = " | ".join(
            _pair(power(m, RUNS[-1], NOISE, effect, rng, kind)) for effect in (0.2, 0.5) for m in (few, many)
        )
        yield f"| {kind} | {cells} |"


if __name__ == "__main__":
    for line in report():
        print(line, flush=True)
