from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.arrow import to_table
from bench_db.derive import derive
from bench_db.errors import CorruptStoreError
from bench_db.store import source
from bench_db.store.source import contents, groups
from bench_db.store.tables import RESULTS_TABLE, Table
from tests.strategies import publication

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench_db.store.source import Piece

_RUNS = [derive(*publication(number, rows=number + 1))[1] for number in range(4)]
_ROWS = [result for results in _RUNS for result in results]


@dataclass
class _Held:
    """A source of one table in the given pieces, which counts the complete reads of a piece."""

    parts: list[pa.Table]
    batch: int = 2
    read: int = 0
    name: str = "here"

    def has(self, table: Table) -> bool:
        return table is RESULTS_TABLE

    def pieces(self, _: Table) -> Iterator[Piece]:
        for part in self.parts:
            yield partial(self._batches, part)

    def _batches(self, part: pa.Table, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        self.read += columns is None
        yield from (part.select(columns) if columns else part).to_batches(self.batch)

    def file(self, sha256: str) -> Iterator[bytes]:
        raise NotImplementedError(sha256)


def _held(order: Sequence[int], cuts: Sequence[int] = (), batch: int = 2) -> _Held:
    rows = to_table([_ROWS[i] for i in order], RESULTS_TABLE.schema)
    edges = sorted({0, len(order), *cuts})
    return _Held([rows.slice(a, b - a) for a, b in pairwise(edges)], batch)


_ORDERS = st.permutations(range(len(_ROWS)))
_CUTS = st.lists(st.integers(0, len(_ROWS)))


class TestGroups:
    """For any layout of rows, every row appears once, and all rows of a run appear together."""

    @given(order=_ORDERS, cuts=_CUTS, batch=st.integers(1, 5), group=st.integers(1, 12))
    def test_whole_runs(self, order: list[int], cuts: list[int], batch: int, group: int) -> None:
        held = _held(order, cuts, batch)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(source, "_GROUP_ROWS", group)
            found = list(groups(held, RESULTS_TABLE, contents(held, RESULTS_TABLE)))
        keys = [set(rows["run_key"].to_pylist()) for rows in found]
        assert sum(map(len, keys)) == len(_RUNS)
        assert all(rows.num_rows <= group or len(mine) == 1 for rows, mine in zip(found, keys, strict=True))
        assert sorted(i for rows in found for i in rows["id"].to_pylist()) == sorted(r.id for r in _ROWS)
        for results in _RUNS:
            mine = [_ROWS[i].id for i in order if _ROWS[i] in results]
            assert [i for rows in found for i in rows["id"].to_pylist() if i in mine] == mine

    def test_only_what_is_wanted_is_read(self) -> None:
        held = _held(range(len(_ROWS)), cuts=(1, 3, 6))
        wanted = contents(held, RESULTS_TABLE)[1:2]
        [rows] = groups(held, RESULTS_TABLE, wanted)
        assert (rows["id"].to_pylist(), held.read) == ([result.id for result in _RUNS[1]], 1)
        assert list(groups(held, RESULTS_TABLE, wanted.clear())) == []

    def test_rows_that_went_away(self) -> None:
        wanted = contents(_held(range(len(_ROWS))), RESULTS_TABLE)
        with pytest.raises(CorruptStoreError, match="ended before"):
            list(groups(_held(range(len(_ROWS) - 1)), RESULTS_TABLE, wanted))


class TestContents:
    """Two sources have the same contents if and only if they have the same measurements, in any order."""

    @given(order=_ORDERS, cuts=_CUTS)
    def test_order_does_not_matter(self, order: list[int], cuts: list[int]) -> None:
        one, other = contents(_held(order, cuts), RESULTS_TABLE), contents(_held(range(len(_ROWS))), RESULTS_TABLE)
        assert one.sort("key").equals(other.sort("key"))

    @pytest.mark.parametrize("change", [{"n": 5}, {"values_hash": 1}, {"error": "x"}, {"id": "x"}, {"lower": 0.5}])
    def test_a_change_matters(self, change: dict[str, object]) -> None:
        from dataclasses import replace

        rows = [replace(_ROWS[0], **change), *_ROWS[1:]]  # type: ignore[arg-type]
        changed = contents(_Held([to_table(rows, RESULTS_TABLE.schema)]), RESULTS_TABLE)
        before = contents(_held(range(len(_ROWS))), RESULTS_TABLE)
        assert changed.join(before, on=["key", "rows", "print"], how="anti")["key"].to_list() == [_ROWS[0].run_key]

    def test_when_it_was_published_does_not(self) -> None:
        from dataclasses import replace

        rows = [replace(row, timestamp=5, branch="other") for row in _ROWS]
        changed = contents(_Held([to_table(rows, RESULTS_TABLE.schema)]), RESULTS_TABLE)
        assert changed.equals(contents(_held(range(len(_ROWS))), RESULTS_TABLE))
