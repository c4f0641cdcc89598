"""Answers as Polars frames: one column a field, the series flat, the same names as in JSON and SQL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

Record = TypeVar("Record")


class Answer(ABC):
    """An answer of a use case, which a notebook shows as a table."""

    __slots__ = ()

    @abstractmethod
    def frame(self) -> pl.DataFrame:
        """Return the rows of the answer as a frame."""

    def _repr_html_(self) -> str:
        """Return the frame as HTML, as Polars shows one: `polars.Config` says how many rows and columns."""
        return self.frame()._repr_html_()


def frame_of(records: Iterable[Record], record: type[Record]) -> pl.DataFrame:
    """Return records as a frame, a row each, with every column of `record` even when there are none. Unix times become datetimes."""
    import polars as pl  # noqa: PLC0415 an answer of names alone needs no frame, and polars takes 0.5 s of CPU

    from bench_db.arrow import schema_of, to_table  # noqa: PLC0415

    frame = pl.DataFrame(to_table(list(records), schema_of(record)))
    nested = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Struct)]
    times = [name for name in ("at", "set_at") if name in frame.columns]
    return frame.unnest(nested).with_columns(pl.from_epoch(name, "s").dt.replace_time_zone("UTC") for name in times)
