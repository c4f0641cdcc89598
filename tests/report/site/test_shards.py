from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.site.shards import shards

KEYS = st.sets(st.integers(0, 2**63 - 1), max_size=200)


def series(keys: set[int], suite: str = "io") -> pl.DataFrame:
    columns = {"dut_name": "d", "test_bed_name": "b", "suite": suite}
    return pl.DataFrame({"series_key": sorted(keys)}, schema={"series_key": pl.Int64}).with_columns(
        **{k: pl.lit(v) for k, v in columns.items()}
    )


class TestShards:
    """Every series has exactly one shard, and a new series moves few others."""

    @given(KEYS)
    def test_every_series_once(self, keys: set[int]) -> None:
        placed = [key for shard in shards(series(keys)) for key in shard.keys]
        assert sorted(placed) == sorted(keys)

    @given(KEYS)
    def test_order_of_rows_does_not_matter(self, keys: set[int]) -> None:
        assert shards(series(keys)) == shards(series(keys).reverse())

    def test_names_differ(self) -> None:
        both = pl.concat([series(set(range(100)), "a"), series(set(range(100, 200)), "b")])
        names = [shard.name for shard in shards(both)]
        assert len(set(names)) == len(names)

    def test_groups_never_share(self) -> None:
        both = pl.concat([series({1, 2}, "a"), series({3}, "b")])
        assert [(shard.group[2], shard.keys) for shard in shards(both)] == [("a", (1, 2)), ("b", (3,))]

    def test_a_newcomer_changes_one_shard(self) -> None:
        before, after = shards(series(set(range(0, 400, 2)))), shards(series({*range(0, 400, 2), 777}))
        assert len(set(after) - set(before)) == 1
