"""Which series share a data file: those of one publish, so that a publish changes few files."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench_db.identity import hash63

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

Group = tuple[str, str, str]
GROUP = ("dut_name", "test_bed_name", "suite")
_SERIES_A_SHARD = 32
_SHARDS_A_READ = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Series of one device, test bed and suite that are written and loaded together."""

    name: str
    group: Group
    keys: tuple[int, ...]


def shards(series: pl.DataFrame) -> list[Shard]:
    """Assign every series to one shard, ordered by group and name.

    A series' place depends on its key and on how many series its group has to the next power of two, so a new series moves
    no other until its group doubles.
    """
    groups: dict[Group, list[int]] = defaultdict(list)
    for dut, bed, suite, key in series.select(*GROUP, "series_key").iter_rows():
        groups[dut, bed, suite].append(key)
    return [shard for group in sorted(groups) for shard in _of_group(group, groups[group])]


def _of_group(group: Group, keys: list[int]) -> list[Shard]:
    count = 1 << max(0, (len(keys) - 1) // _SERIES_A_SHARD).bit_length()
    buckets: dict[int, list[int]] = defaultdict(list)
    for key in keys:
        buckets[key % count].append(key)
    stem = f"{hash63(group):016x}"
    return [
        Shard(name=f"{stem}-{count:x}-{bucket:x}", group=group, keys=tuple(sorted(buckets[bucket])))
        for bucket in sorted(buckets)
    ]


def reads(found: list[Shard]) -> Iterator[list[Shard]]:
    """Shards whose points are read together: a store answers one large question sooner than many small ones."""
    yield from (found[start : start + _SHARDS_A_READ] for start in range(0, len(found), _SHARDS_A_READ))
