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

    A change regresses or improves when it passes the test of its series, something upholds it, and Benjamini-Hochberg accepts it over
    the commit.
    """
    tested = _tested(old, new)
    return _decided([tested])


class _Tested(NamedTuple):
    step: Numbers
    margin: Numbers
    p_value: Numbers
    nominal: Numbers
    latest: Numbers


def _tested(old: Numbers, new: Numbers) -> _Tested:
    """Return the numbers of `compare` for one run, and the p-value that `judge` uses over the commit."""
    n = old.shape[2]
    level, scale = _level_and_scale(old)
    error, df = scale * np.sqrt(1.0 / n + 1.0), degrees(1, n)
    step = new - level
    p_value = 2.0 * stats.t.sf(np.abs(step) / error, df)
    nominal = 2.0 * stats.t.sf(np.abs(step) / error, n - 1)
    margin = error * stats.t.isf(RULES.significance / 2, df)
    nominal = np.where(p_value > RULES.false_discovery_rate, p_value, nominal)
    return _Tested(step, margin, p_value, nominal, old[:, :, -1] - level)


def _decided(parts: Sequence[_Tested]) -> Verdicts:
    step, margin, p_value, nominal, latest = (np.concatenate(of, axis=1) for of in zip(*parts, strict=True))
    quiet = np.log1p(RULES.quiet_effect)
    significant = (p_value < RULES.significance) & (np.abs(step) >= np.log1p(RULES.minimum_effect))
    upheld = np.abs(step) >= 2 * margin
    upheld |= (margin <= quiet) & (quiet <= np.abs(step))
    upheld |= (margin <= 2 * quiet) & (_q_values(p_value) <= RULES.false_discovery_rate)
    upheld |= np.expm1(latest) * np.sign(np.expm1(step)) >= np.abs(np.expm1(step)) / 2
    accepted = _q_values(nominal) <= RULES.commit_significance
    certain = significant & upheld & accepted
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


def unlike_any_before(old: Numbers, new: Numbers) -> Chosen:
    """Return which candidates are further from their level than any run of any baseline of the commit is from the others of its level.

    The distance is in units of the robust scale of the runs that it is measured from. A variant of the rule, which `judge` does not use.
    """
    most = np.zeros(len(old))
    for run in range(old.shape[2]):
        rest = np.delete(old, run, axis=2)
        most = np.maximum(most, _distance(rest, old[:, :, run]).max(axis=1))
    return np.asarray(_distance(old, new) > most[:, None])


def _distance(old: Numbers, new: Numbers) -> Numbers:
    level, scale = _level_and_scale(old)
    return np.asarray(np.abs(new - level) / scale)


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


KINDS: dict[str, Callable[[np.random.Generator, tuple[int, int, int]], Numbers]] = {
    "normal": _normal,
    "lognormal, slow tail": _slow_tail,
    "Student's t of 3 degrees": _heavy,
    "two modes, 4.2 % apart, 30 % slow": _two_modes,
    "normal, 5 % of the runs 20 % slower": _rare_mode,
    "normal on a random walk": _drift,
    "half of the variance common to a run": _whole_runs,
    "normal, machine 3 % slower on the commit": _slow_machine,
}


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


def power(series: int, runs: int, noise: float, effect: float, rng: np.random.Generator) -> tuple[float, float]:
    """Return how often one changed series among unchanged ones regresses at once, and how often it is at least suspected."""
    commits = min(2_000, max(100, _CELL // series))
    values = noise * _normal(rng, (commits, series, runs + 1))
    values[:, 0, -1] += np.log1p(effect)
    found = judged(values[:, :, :-1], values[:, :, -1])
    regressed = found.regressed[:, 0]
    return float(regressed.mean()), float((regressed | found.suspected[:, 0]).mean())


def of_variant(kind: str, series: int, runs: int, effect: float, rng: np.random.Generator) -> tuple[float, float]:
    """Return the share of commits that fail by the rule, and by the variant: for any series, or for the one that an effect changes."""
    noise = NOISE * KINDS[kind](rng, (150 if series > SERIES[1] else 1_000, series, runs + 1))
    noise[:, 0, -1] += np.log1p(effect)
    old, new = noise[:, :, :-1], noise[:, :, -1]
    regressed, unlike = judged(old, new).regressed, unlike_any_before(old, new)
    of = slice(0, 1 if effect else None)
    return float(regressed[:, of].any(axis=1).mean()), float((regressed & unlike)[:, of].any(axis=1).mean())


def _pair(two: tuple[float, float]) -> str:
    return ", ".join(f"{share:.3f}".rstrip("0").rstrip(".") for share in two)


def report() -> Iterator[str]:
    """Yield both tables as lines of Markdown."""
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
    yield f"| noise of {100 * NOISE:g} % | runs | {few} series | {many} series | +20 % among {few} | among {many} |"
    yield "|---|---|---|---|---|---|"
    for kind in KINDS:
        for runs in RUNS:
            cells = " | ".join(
                _pair(of_variant(kind, m, runs, effect, rng)) for effect in (0.0, 0.2) for m in (few, many)
            )
            yield f"| {kind} | {runs} | {cells} |"


if __name__ == "__main__":
    for line in report():
        print(line, flush=True)
