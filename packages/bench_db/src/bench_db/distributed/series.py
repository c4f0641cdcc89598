"""Noise and statistics of many series on an engine; each series is computed by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl
import pyarrow as pa

from bench_db.distributed import parts
from bench_db.distributed.cut import part_of, rows_of
from bench_db.distributed.engine import parts_for
from bench_db.model import Noise
from bench_db.summary import summarise_column

if TYPE_CHECKING:
    from bench_db.analysis.jit import Floats, Ints
    from bench_db.distributed.engine import Engine


def noises(engine: Engine, keys: Ints, values: Floats, offsets: Ints, count: int | None = None) -> list[Noise]:
    """Return the noise of each series, as `analysis.noise.noises_of` does; `count` is into how many parts they are cut."""
    rows = rows_of(keys, count or parts_for(engine, len(keys)))
    signs, runs = np.ones(len(keys)), np.zeros(len(values), np.int64)
    asked = [engine.submit(parts.noise, part_of(of, keys, signs, values, offsets, runs))[0] for of in rows]
    answers = cast("list[pa.RecordBatch]", engine.get(asked))
    known = (
        (number, Noise(**one))
        for of, answer in zip(rows, answers, strict=True)
        for number, one in zip(of.tolist(), answer.to_pylist(), strict=True)
    )
    return [one for _, one in sorted(known, key=lambda pair: pair[0])]


def summaries(engine: Engine, keys: pl.Series, medians: pa.ListArray, count: int | None = None) -> pl.DataFrame:
    """Return the statistics of each list, as `summary.summarise_column` does; `keys` has the series of each."""
    rows = rows_of(keys.to_numpy(), count or parts_for(engine, len(keys)))
    asked = [engine.submit(parts.summary, medians.take(pa.array(of)))[0] for of in rows]
    answers = cast("list[pa.Table]", engine.get(asked))
    found = pl.concat([pl.DataFrame(answer) for answer in answers] or [summarise_column([])])
    return found[np.argsort(np.concatenate([np.zeros(0, np.int64), *rows]), kind="stable")]
