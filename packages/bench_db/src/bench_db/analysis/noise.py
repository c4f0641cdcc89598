"""The noise of a series: spread between runs, the smallest effect they can show, and whether neighbouring runs are alike."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bench_db.analysis.compare import degrees, relative, robust_scale
from bench_db.analysis.level import changes_of_values, established
from bench_db.analysis.student import t_quantile
from bench_db.model import Noise
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench_db.analysis.histories import Histories
    from bench_db.analysis.jit import Floats, Ints

# Correlation of neighbouring runs from which their number says less than it seems: two standard errors at 20 runs.
_ALIKE = 0.45
_FIGURES = {"spread": pl.Float64, "smallest_effect": pl.Float64, "autocorrelated": pl.Boolean, "runs_needed": pl.Int64}


def noise_of(level: Floats) -> Noise:
    """Return the noise of the runs at one level; nulls for fewer runs than a baseline needs, or a value that is not positive."""
    kept = level[np.isfinite(level)]
    if len(kept) < RULES.baseline_runs or kept.min() <= 0:
        return Noise(spread=None, smallest_effect=None, autocorrelated=None, runs_needed=None)
    y = np.log(kept)
    scale, deviation, n = robust_scale(y.tolist()), float(y.std(ddof=1)), len(kept)
    asked = math.log1p(RULES.noise_effect)
    needed = 1 + bisect_left(
        range(1, RULES.noise_runs + 1),
        True,  # noqa: FBT003
        key=lambda m: _smallest_step(scale if m == 1 else deviation, m, n) <= asked,
    )
    centred = y - y.mean()
    square = float((centred**2).sum())
    alike = float((centred[1:] * centred[:-1]).sum()) / square if square else 0.0
    return Noise(
        spread=relative(scale, 0.0, 0.0, logarithmic=True),
        smallest_effect=relative(_smallest_step(scale, 1, n), 0.0, 0.0, logarithmic=True),
        autocorrelated=alike > _ALIKE,
        runs_needed=needed if needed <= RULES.noise_runs else None,
    )


def _smallest_step(scale: float, new: int, old: int) -> float:
    """Return the smallest step of the log that a comparison of so many runs, this far apart, calls significant."""
    return t_quantile(RULES.significance, degrees(new, old)) * scale * math.sqrt(1 / old + 1 / new)


def noises(histories: Histories, measure: Callable[[Floats, Ints], Sequence[Noise]] | None = None) -> list[Noise]:
    """Return the noise of each series at its present level, of its newest 20 runs at most. `measure` replaces `noises_of`."""
    measured = (measure or noises_of)(histories.values, histories.offsets)
    of_series = zip(measured, histories.series, histories.figures, strict=True)
    return [replace(one, series=series, figure=figure) for one, series, figure in of_series]


def noises_of(values: Floats, offsets: Ints, *, threads: int | None = None) -> list[Noise]:
    """Return the noise of each of some series that lie end to end, as in `Histories`, at its present level."""
    changes = changes_of_values(values, offsets, threads)
    return [
        _noise(values[start:end], changes.get(number, ()))
        for number, (start, end) in enumerate(pairwise(offsets.tolist()))
    ]


def _noise(values: Floats, changes: Sequence[int]) -> Noise:
    measured = np.flatnonzero(np.isfinite(values))
    since = np.searchsorted(measured, changes).tolist()
    return noise_of(values[measured[established(len(measured), since)]])


def noise(histories: Histories) -> pl.DataFrame:
    """Return the noise of each series as a frame, a row a series: `series_key` and the figures of `Noise`."""
    rows = [(n.series.series_key, *(getattr(n, name) for name in _FIGURES)) for n in noises(histories)]
    return pl.DataFrame(rows, schema={"series_key": pl.Int64, **_FIGURES}, orient="row")
