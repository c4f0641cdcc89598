"""The detection of a scan on an engine: local steps a part, movements by ranges of runs, everything else at the driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from bench_db.analysis.common_kernel import PASSES
from bench_db.analysis.detect import changes_of_columns
from bench_db.analysis.detect_kernel import COLUMNS
from bench_db.analysis.jit import Ints
from bench_db.analysis.scan import Detected
from bench_db.analysis.shape_kernel import COLUMNS as SHAPE_COLUMNS
from bench_db.analysis.shapes import shapes_of_columns
from bench_db.distributed import parts
from bench_db.distributed.cut import part_of, rows_of
from bench_db.distributed.engine import Engine, parts_for

if TYPE_CHECKING:
    from bench_db.analysis.jit import Bools, Floats
    from bench_db.analysis.scan import Points


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """The detection of `analysis.scan` on an engine, bit for bit; `keys` has the key of each series.

    `parts` is the number of parts that the series are cut into; None for four a worker.
    """

    engine: Engine
    keys: Ints
    parts: int | None = None

    def __call__(self, points: Points) -> Detected:
        """Return the movements of runs and the changes of all series."""
        rows = rows_of(self.keys, self.parts or parts_for(self.engine, len(self.keys)))
        cut = [
            self.engine.put(part_of(of, self.keys, points.signs, points.values, points.offsets, points.runs))
            for of in rows
        ]
        moved, of_all, measured, departed = self._movements(points, cut)
        movement = self.engine.put(pa.array(moved))
        found = [
            self.engine.submit(parts.changes, part, of, movement, points.constants, points.with_values)[0]
            for part, of in zip(cut, departed, strict=True)
        ]
        answers = cast("list[pa.RecordBatch]", self.engine.get(found))
        return Detected(
            moved=moved,
            of_all=of_all,
            measured=measured,
            values=_values(points, rows, answers) if points.with_values else None,
            changes=changes_of_columns(*_columns(rows, answers, len(self.keys))),
            shapes=shapes_of_columns(*_of_shapes(rows, answers, len(self.keys))),
        )

    def _movements(self, points: Points, cut: list[object]) -> tuple[Floats, Floats, Ints, list[object]]:
        """Return the movement of each run, the one over all series, the number of series, and handles of the last departures.

        Each pass computes departures by part and exchanges them by ranges of runs; the medians of a range need all its series.
        """
        n_runs = len(points.levels)
        bounds = np.unique(np.linspace(0, n_runs, self.engine.workers + 1).astype(np.int64)).tolist()
        of_runs = self.engine.put(pa.record_batch({"level": points.levels, "fewest": points.fewest}))
        moved = of_all = np.zeros(n_runs)
        measured: Ints | None = None
        before: list[object] = [None] * len(cut)
        for turn in range(PASSES):
            movement = self.engine.put(pa.array(moved))
            answers = [
                self.engine.submit(parts.departures, part, of_runs, movement, one, bounds, returns=len(bounds))
                for part, one in zip(cut, before, strict=True)
            ]
            before = [whole for whole, *_ in answers]
            ranges = [of_part for _, *of_part in answers]
            del answers  # so that an engine drops the departures of ranges once their medians are known
            found = self._medians(bounds, measured, ranges)
            del ranges
            moved = np.concatenate([np.zeros(0), *(one["movement"].to_numpy() for one in found)])
            if turn == 0:
                of_all = moved
                measured = np.concatenate([np.zeros(0, np.int64), *(one["measured"].to_numpy() for one in found)])
            if not moved.any():
                break
        return moved, of_all, cast("Ints", measured), before

    def _medians(self, bounds: list[int], measured: Ints | None, ranges: list[list[object]]) -> list[pa.RecordBatch]:
        asked = [
            self.engine.submit(
                parts.movements, low, high, None if measured is None else pa.array(measured[low:high]), *of_parts
            )[0]
            for low, high, *of_parts in zip(bounds[:-1], bounds[1:], *ranges, strict=True)
        ]
        return cast("list[pa.RecordBatch]", self.engine.get(asked))


def _columns(rows: list[Ints], answers: list[pa.RecordBatch], series: int) -> tuple[Ints, Ints, Ints, Floats, Bools]:
    """Return the changes of all parts in the order of the series, as `changes_of_columns` takes them."""
    counts, points = np.zeros(series, np.int64), np.zeros(series, np.int64)
    for of, answer in zip(rows, answers, strict=True):
        counts[of], points[of] = np.diff(answer["index"].offsets.to_numpy()), answer["points"].to_numpy()
    of_change = np.concatenate([np.zeros(0, np.int64), *(np.repeat(of, counts[of]) for of in rows)])
    order = np.argsort(of_change, kind="stable")
    index = np.concatenate([np.zeros(0, np.int64), *(one["index"].values.to_numpy() for one in answers)])
    figures = np.concatenate([np.zeros(0), *(one["figures"].values.to_numpy() for one in answers)])
    flags = [one["provisional"].values.to_numpy(zero_copy_only=False) for one in answers]
    provisional = np.concatenate([np.zeros(0, np.bool_), *flags])
    return counts, points, index[order], figures.reshape(-1, COLUMNS)[order], provisional[order]


def _of_shapes(rows: list[Ints], answers: list[pa.RecordBatch], series: int) -> tuple[Ints, Ints, Floats]:
    """Return the changes of shape of all parts in the order of the series, as `shapes_of_columns` takes them."""
    counts = np.zeros(series, np.int64)
    for of, answer in zip(rows, answers, strict=True):
        counts[of] = np.diff(answer["shape_index"].offsets.to_numpy())
    order = np.argsort(
        np.concatenate([np.zeros(0, np.int64), *(np.repeat(of, counts[of]) for of in rows)]), kind="stable"
    )
    index = np.concatenate([np.zeros(0, np.int64), *(one["shape_index"].values.to_numpy() for one in answers)])
    figures = np.concatenate([np.zeros(0), *(one["shape_figures"].values.to_numpy() for one in answers)])
    return counts, index[order], figures.reshape(-1, SHAPE_COLUMNS)[order]


def _values(points: Points, rows: list[Ints], answers: list[pa.RecordBatch]) -> Floats:
    """Return the corrected values of all series end to end."""
    values: Floats = np.empty(len(points.values))
    for of, answer in zip(rows, answers, strict=True):
        flat, offsets = answer["values"].values.to_numpy(), answer["values"].offsets.to_numpy()
        for number, start, end in zip(of.tolist(), offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            values[points.offsets[number] : points.offsets[number + 1]] = flat[start:end]
    return values
