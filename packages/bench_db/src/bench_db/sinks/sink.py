"""What a mirror is written to: tables of rows that belong to keys, compared and replaced key by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    import pyarrow as pa

# The types of columns. "json" is a text that is valid JSON; "time" is a datetime in UTC.
Kind = Literal["text", "json", "boolean", "int16", "int32", "int64", "float64", "time", "texts", "int64s", "float64s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a mirrored table; `about` explains it to people who browse the server."""

    name: str
    kind: Kind
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One mirrored table: its rows belong to the keys in the column `key`, and all rows of a key are replaced together.

    `time` names the column by which `since` selects keys; without one it selects all of them. `indexes` are lists of columns.
    """

    name: str
    key: str
    columns: tuple[Column, ...]
    about: str
    time: str = ""
    indexes: tuple[tuple[str, ...], ...] = ()


class Contents(NamedTuple):
    """The rows of one key: their number, and a checksum that is equal if the rows are; None if it is not known."""

    rows: int
    checksum: int | None


class Sink(Protocol):
    """A place for mirrored tables."""

    def have(self, table: Table, *, since: datetime | None = None, exact: bool = False) -> dict[int, Contents]:
        """Return the contents of each key; with `since` of those with a row of that time or later.

        The checksums are those that `put` recorded. With `exact`, a key whose rows were changed since then has none.
        """

    def put(self, table: Table, contents: Mapping[int, Contents], rows: Iterable[pa.RecordBatch]) -> None:
        """Add the rows of keys that the table does not have, and record their contents."""

    def drop(self, table: Table, keys: Collection[int]) -> None:
        """Remove the rows of keys."""
