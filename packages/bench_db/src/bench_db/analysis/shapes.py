"""Changes of the spread of many series and of their modes, beside the changes of their levels."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.constants import SHAPE
from bench_db.analysis.detect import SERIES_A_PART
from bench_db.analysis.jit import Floats, Ints
from bench_db.analysis.shape_kernel import COLUMNS, P_VALUE, SPREAD, all_shapes
from bench_db.analysis.student import benjamini_hochberg
from bench_db.model import ChangeKind, ShapeChange
from bench_db.rules import RULES
from bench_db.threads import threads as default_threads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.analysis.detect import Changes

NEAR = max(SHAPE.least, RULES.same_change_runs)
"""A change of shape at most so many points from a change of level is left out: it may be the same change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Changes of shape of many series, a row each, series by series; `figures` has the columns of the kernel."""

    series: Ints
    index: Ints
    figures: Floats

    def __len__(self) -> int:
        return len(self.index)

    def of(self, row: int) -> ShapeChange:
        """Return the change of a row as a record."""
        kind, before, after, p_value = self.figures[row].tolist()
        return ShapeChange(
            index=int(self.index[row]),
            kind=ChangeKind.SPREAD if kind == SPREAD else ChangeKind.MODES,
            before=before,
            after=after,
            p_value=p_value,
        )


def shapes_of(values: Floats, offsets: Ints, changes: Changes, *, threads: int | None = None) -> Shapes:
    """Return the changes of shape of series that lie end to end, as `detect_all` takes them, of which `changes` are those of level.

    `threads` is as for `detect_all`.
    """
    flat, starts = np.ascontiguousarray(values, np.float64), np.asarray(offsets, np.int64)
    n_series = max(0, len(starts) - 1)
    counts = np.bincount(changes.series, minlength=n_series)
    ends = np.concatenate([[0], np.cumsum(counts)])
    index = np.ascontiguousarray(changes.index, np.int64)
    form = all_shapes.form(flat, starts, counts, index, SHAPE)

    def of_part(first: int) -> tuple[Ints, Ints, Floats]:
        last = min(first + SERIES_A_PART, n_series)
        found: tuple[Ints, Ints, Floats] = form(
            flat, starts[first : last + 1], counts[first:last], index[ends[first] : ends[last]], SHAPE
        )
        return found

    parts = range(0, max(n_series, 1), SERIES_A_PART)
    with ThreadPoolExecutor(min(threads or default_threads(), len(parts))) as pool:
        per_series, at, figures = zip(*pool.map(of_part, parts), strict=True)
    return shapes_of_columns(np.concatenate(per_series), np.concatenate(at), np.concatenate(figures))


def shapes_of_columns(counts: Ints, index: Ints, figures: Floats) -> Shapes:
    """Return changes of shape by their number per series, and index and figures of each."""
    series = np.repeat(np.arange(len(counts)), counts)
    return Shapes(series=series, index=index, figures=figures.reshape(-1, COLUMNS))


def reported(shapes: Shapes, tested: int, rate: float) -> Ints:
    """Return the rows that Benjamini-Hochberg over the `tested` series accepts, each by its smallest p-value."""
    if not len(shapes):
        return np.empty(0, np.int64)
    chances = shapes.figures[:, P_VALUE]
    least = np.full(int(shapes.series.max()) + 1, np.inf)
    np.minimum.at(least, shapes.series, chances)
    accepted = benjamini_hochberg(least[np.isfinite(least)], max(tested, 1)) <= rate
    limit = rate * np.count_nonzero(accepted) / max(tested, 1)
    return np.flatnonzero(chances <= limit)


def significant(shapes: Shapes, level: float) -> Ints:
    """Return the rows whose p-value is at most `level`."""
    return np.flatnonzero(shapes.figures[:, P_VALUE] <= level)


def apart(shapes: Shapes, rows: Ints, levels: Iterable[tuple[int, int]]) -> list[tuple[int, ShapeChange]]:
    """Return the changes of these rows with their series, without those near a change of level (series, index) that is reported."""
    of_series: dict[int, list[int]] = defaultdict(list)
    for series, index in levels:
        of_series[series].append(index)
    every = [(int(shapes.series[row]), shapes.of(row)) for row in rows.tolist()]
    return [
        (series, one) for series, one in every if all(abs(one.index - at) > NEAR for at in of_series.get(series, ()))
    ]
