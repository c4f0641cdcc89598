"""What a mirror is written to: tables of rows that belong to keys, compared and replaced key by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
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


# The table of each mirror that describes the mirror itself.
STATE = Table(
    name="mirror",
    key="name",
    columns=(Column(name="name", kind="text"), Column(name="value", kind="text")),
    about="What is mirrored: the address of the store, the release that wrote it, and when.",
)
# How the description of each table and view begins that a mirror has made.
MARK = "bench_db mirror: "


class Contents(NamedTuple):
    """The rows of one key: their number, and a checksum that is equal if the rows are; None if it is not known."""

    rows: int
    checksum: int | None


class Sink(Protocol):
    """A place for mirrored tables."""

    def prepare(self, tables: Sequence[Table], source: str, *, rebuild: bool) -> None:
        """Create what is missing. Altered tables and the mirror of another store raise `UserError`, unless it is a `rebuild`."""

    def faults(self, tables: Sequence[Table]) -> list[str]:
        """Return what is missing or altered, in words."""

    def is_broken(self, table: Table) -> bool:
        """Return whether the table is missing or altered, so that its rows cannot be compared."""

    def have(self, table: Table, *, since: datetime | None = None, exact: bool = False) -> dict[int, Contents]:
        """Return the contents of each key; with `since` of those with a row of that time or later.

        The checksums are those that `replace` recorded. With `exact`, a key whose rows were changed since then has none.
        """

    def replace(
        self, table: Table, gone: Collection[int], contents: Mapping[int, Contents], rows: Iterable[pa.RecordBatch]
    ) -> bool:
        """Remove the rows of the keys in `gone`, add the rows of those in `contents`, and record these.

        A key that the table has is in `gone`, too. It is called after `have`; False if another mirror wrote to the table since then,
        and then nothing is changed.
        """

    def finish(self, tables: Sequence[Table], values: Mapping[str, str]) -> None:
        """Create the indexes of tables that were changed, and record what the mirror says of itself."""
