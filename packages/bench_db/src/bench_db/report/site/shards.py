"""Which series share a data file: those of one publish, so that a publish changes few files."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from bench_db.identity import hash63

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl

Group = tuple[str, str, str]
GROUP = ("dut_name", "test_bed_name", "suite")
# A page of a benchmark loads one shard: 8 series of 300 points with the samples of 60 are 80 kB.
_SERIES_A_SHARD = 8
# Points that are in memory together: 3 million of series with 300.
_SERIES_A_READ = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Series of one device, test bed and suite that are written and loaded together."""

    name: str
    group: Group
    keys: tuple[int, ...]

    @property
    def stem(self) -> str:
        """The name of the group, with which the names of all its shards begin."""
        return stem_of(self.group)


def shards(series: pl.DataFrame) -> list[Shard]:
    """Assign every series to one shard, ordered by group and name.

    A series' place depends on its key and on how many series its group has to the next power of two, so a new series moves
    no other until its group doubles.
    """
    groups: dict[Group, list[int]] = defaultdict(list)
    for dut, bed, suite, key in series.select(*GROUP, "series_key").iter_rows():
        groups[dut, bed, suite].append(key)
    return [shard for group in sorted(groups) for shard in _of_group(group, groups[group])]


def stem_of(group: Group) -> str:
    """Return the name of a group in the names of its files."""
    return f"{hash63(group):016x}"


def _of_group(group: Group, keys: list[int]) -> list[Shard]:
    count = 1 << max(0, (len(keys) - 1) // _SERIES_A_SHARD).bit_length()
    buckets: dict[int, list[int]] = defaultdict(list)
    for key in keys:
        buckets[key % count].append(key)
    stem = stem_of(group)
    return [
        Shard(name=f"{stem}-{count:x}-{bucket:x}", group=group, keys=tuple(sorted(buckets[bucket])))
        for bucket in sorted(buckets)
    ]


def reads(found: Iterable[Shard]) -> Iterator[list[Shard]]:
    """Yield the shards of whole groups that are read together: a store answers one large question sooner than many small ones."""
    together: list[Shard] = []
    for _, of_group in groupby(found, key=lambda shard: shard.group):
        shards = list(of_group)
        if together and sum(len(shard.keys) for shard in (*together, *shards)) > _SERIES_A_READ:
            yield together
            together = []
        together += shards
    if together:
        yield together
