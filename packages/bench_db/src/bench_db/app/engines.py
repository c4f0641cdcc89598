"""The steps of use cases that an engine can take over, and those of this process without one."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl
    import pyarrow as pa

    from bench_db.analysis.histories import Histories
    from bench_db.analysis.jit import Floats, Ints
    from bench_db.analysis.scan import Detected, Points
    from bench_db.distributed import Engine
    from bench_db.model import Noise


@contextmanager
def detecting(engine: str | Engine | None, histories: Histories) -> Iterator[Callable[[Points], Detected] | None]:
    """Open an engine, and return the detection of a scan of these histories on it; None without an engine."""
    if engine is None:
        yield None
        return
    from bench_db.distributed import Detector, opened  # noqa: PLC0415 only for an engine

    with opened(engine) as running:
        yield Detector(engine=running, keys=_keys(histories))


@contextmanager
def measuring(
    engine: str | Engine | None, histories: Histories
) -> Iterator[Callable[[Floats, Ints], Sequence[Noise]] | None]:
    """Open an engine, and return what measures the noise of these histories on it; None without an engine."""
    if engine is None:
        yield None
        return
    from bench_db.distributed import noises, opened  # noqa: PLC0415 only for an engine

    with opened(engine) as running:
        yield partial(noises, running, _keys(histories))


@contextmanager
def summarising(engine: str | Engine | None) -> Iterator[Callable[[pl.Series, pa.ListArray], pl.DataFrame] | None]:
    """Open an engine, and return what computes statistics on it; None without an engine."""
    if engine is None:
        yield None
        return
    from bench_db.distributed import opened, summaries  # noqa: PLC0415 only for an engine

    with opened(engine) as running:
        yield partial(summaries, running)


@contextmanager
def workers_of(engine: str | Engine | None) -> Iterator[Engine | None]:
    """Open an engine whose workers read the store; None without one."""
    if engine is None:
        yield None
        return
    from bench_db.distributed import opened  # noqa: PLC0415 only for an engine

    with opened(engine) as running:
        yield running


def _keys(histories: Histories) -> Ints:
    keys: Ints = histories.names["series_key"].to_numpy()
    return keys
