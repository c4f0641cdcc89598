"""How noisy a series is, and so what it can show: spread between runs, smallest effect, and whether runs are alike."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bench_db.analysis.compare import ALPHA, FEWEST_RUNS, degrees, robust_scale
from bench_db.analysis.level import changes_of, established
from bench_db.analysis.student import t_quantile

if TYPE_CHECKING:
    from bench_db.analysis.histories import Floats, Histories

# Correlation of neighbouring runs from which their number says less than it seems: two standard errors at 20 runs.
_ALIKE = 0.45
_ASKED_EFFECT = 0.05
# Candidate runs beyond which nobody waits.
MOST_RUNS = 100
_SCHEMA = {
    "series_key": pl.Int64,
    "spread": pl.Float64,
    "smallest_effect": pl.Float64,
    "autocorrelated": pl.Boolean,
    "runs_needed": pl.Int64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """One series at its present level; null where its history cannot tell.

    `spread` between runs and `smallest_effect` one more run can show are relative; `autocorrelated` says that neighbouring runs
    are alike; `runs_needed` is how many candidate runs would show a change of 5 %, null too when 100 would not.
    """

    spread: float | None
    smallest_effect: float | None
    autocorrelated: bool | None
    runs_needed: int | None


def noise_of(level: Floats) -> Noise:
    """The noise of the runs at one level, all positive; nulls for fewer than 5 or for values that are not."""
    kept = level[np.isfinite(level)]
    if len(kept) < FEWEST_RUNS or kept.min() <= 0:
        return Noise(spread=None, smallest_effect=None, autocorrelated=None, runs_needed=None)
    y = np.log(kept)
    scale, n = robust_scale([], y.tolist()), len(kept)
    asked = math.log1p(_ASKED_EFFECT)
    needed = 1 + bisect_left(range(1, MOST_RUNS + 1), True, key=lambda m: _smallest_step(scale, m, n) <= asked)  # noqa: FBT003
    centred = y - y.mean()
    square = float((centred**2).sum())
    alike = float((centred[1:] * centred[:-1]).sum()) / square if square else 0.0
    return Noise(
        spread=math.expm1(scale),
        smallest_effect=math.expm1(min(700.0, _smallest_step(scale, 1, n))),
        autocorrelated=alike > _ALIKE,
        runs_needed=needed if needed <= MOST_RUNS else None,
    )


def _smallest_step(scale: float, new: int, old: int) -> float:
    """The smallest step of the log that a comparison of so many runs, this far apart, calls significant."""
    return t_quantile(ALPHA, degrees(new, old)) * scale * math.sqrt(1 / old + 1 / new)


def noise(histories: Histories) -> pl.DataFrame:
    """The noise of each series at its present level, at most its newest 20 runs: a row a series, `series_key` and `Noise`."""
    changes = changes_of(histories)
    rows = []
    for number, series in enumerate(histories.series):
        values = histories.values[histories.offsets[number] : histories.offsets[number + 1]]
        places = np.flatnonzero(np.isfinite(values))
        since = np.searchsorted(places, changes.get(number, [])).tolist()
        level = values[places[established(len(places), since)]]
        rows.append({"series_key": series["series_key"], **asdict(noise_of(level))})
    return pl.DataFrame(rows, schema=_SCHEMA)
