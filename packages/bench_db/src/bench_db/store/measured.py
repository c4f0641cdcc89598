"""What rows measured, of results that are stored and of those that are not, for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bench_db import derive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.model import Result

COLUMNS = ("run_key", *derive.NATURAL, *derive.FACTS)


class Row(NamedTuple):
    """What one stored or new row measured: the hash of it, whether its samples are known, and its count and extremes."""

    fact: int
    sampled: bool
    n: int
    low: float | None
    high: float | None

    def agrees(self, other: Row) -> bool:
        """Return whether both are the same measurement: all the same, or one of them without samples and the extremes equal."""
        if self.fact == other.fact:
            return True
        extremes = (self.n, self.low, self.high)
        is_stated = not (self.sampled and other.sampled) and None not in extremes
        return is_stated and extremes == (other.n, other.low, other.high)


def rows_in(batch: Any) -> Iterator[tuple[int, int, Row]]:
    """Yield run key, name and measurement of each row of a batch with `COLUMNS`."""
    keys = batch.column("run_key").to_pylist()
    naturals = zip(*(batch.column(name).to_pylist() for name in derive.NATURAL), strict=True)
    facts = zip(*(batch.column(name).to_pylist() for name in derive.FACTS), strict=True)
    low, high = derive.FACTS.index("min"), derive.FACTS.index("max")
    names: dict[tuple[str, ...], int] = {}
    for key, natural, fact in zip(keys, naturals, facts, strict=True):
        if natural not in names:
            names[natural] = derive.name_of(natural)
        row = Row(derive.fact_of(*fact), fact[0] is not None, fact[1], fact[low], fact[high])
        yield key, names[natural], row


def row_of(result: Result) -> tuple[derive.Measured, Row]:
    """Return the hashes of a derived result, and its measurement."""
    measured, summary = derive.measured(result), result.summary
    extremes = (None, None) if summary is None else (summary.min, summary.max)
    return measured, Row(measured.fact, bool(len(result.values)), result.n, *extremes)
