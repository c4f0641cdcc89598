"""Parts of the catalogue, so that a page loads what it shows: a group, or a benchmark with its relatives."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from bench_db.identity import hash63
from bench_db.report.site.shards import Group

Row = dict[str, Any]
Name = TypeVar("Name")
_SERIES_A_PART = 64
_KINDS = 1 << 24  # more parts than a site has, in 8 digits instead of 19
_NAMED = re.compile(r"(\w+)[=:][\w.+-]+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_BRACKET = re.compile(r"\[([^\[\]]*)\]\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a catalogue, each of the same form as the catalogue.

    `of_groups` has the series of each device, test bed and suite. `kin` has benchmarks with all their parameters, metrics, test beds
    and devices, and the series that these may go on as. `finds` has, by the first `digits` of the key of a series, the place of its
    part among `kin`, and the keys of the series before and after it in the catalogue, "" for none.
    """

    of_groups: Mapping[Group, Row]
    kin: Sequence[Row]
    finds: Mapping[str, Mapping[str, tuple[int, str, str]]]
    digits: int


def parts_of(listed: Row, rows: Sequence[Row]) -> Parts:
    """Divide a catalogue of series, which have a row each in the same order."""
    of_groups: dict[Group, list[int]] = defaultdict(list)
    count = 1 << max(0, (len(rows) - 1) // _SERIES_A_PART).bit_length()
    kin: list[set[int]] = [set() for _ in range(count)]
    bucket = [one["kin"] % count for one in rows]
    for place, one in enumerate(rows):
        of_groups[one["dut_name"], one["test_bed_name"], one["suite"]].append(place)
        kin[bucket[place]].add(place)
    for old, new, _ in listed["heirs"]:
        kin[bucket[old]].add(new)
        kin[bucket[new]].add(old)
    keys: list[str] = listed["key"]
    digits = 0
    while len(keys) > _SERIES_A_PART * 16**digits:
        digits += 1
    finds: dict[str, dict[str, tuple[int, str, str]]] = defaultdict(dict)
    for place, (before, key, after) in enumerate(zip(["", *keys], keys, [*keys[1:], ""], strict=False)):
        finds[key[:digits]][key] = (bucket[place], before, after)
    return Parts(
        of_groups={group: part(listed, places) for group, places in of_groups.items()},
        kin=[part(listed, sorted(places)) for places in kin],
        finds={prefix: finds[prefix] for prefix in sorted(finds)},
        digits=digits,
    )


def part(listed: Row, places: Sequence[int]) -> Row:
    """Return the part of a catalogue with the series at some places, in that order."""
    facets = {name: _used(listed["facets"][name], listed[name], places) for name in listed["facets"]}
    files, file = _used(listed["files"], listed["file"], places)
    here = {place: number for number, place in enumerate(places)}
    special = {"facets", "files", "file", "heirs", *facets}
    return {
        "facets": {name: texts for name, (texts, _) in facets.items()},
        "files": files,
        **{name: column for name, (_, column) in facets.items()},
        **{name: [column[place] for place in places] for name, column in listed.items() if name not in special},
        "heirs": [(here[old], here[new], hint) for old, new, hint in listed["heirs"] if old in here and new in here],
        "file": file,
    }


def _used(texts: Sequence[Name], column: Sequence[int], places: Sequence[int]) -> tuple[list[Name], list[int]]:
    """Return the texts that some places name, and the numbers of these."""
    used = sorted({column[place] for place in places})
    number = {old: new for new, old in enumerate(used)}
    return [texts[old] for old in used], [number[column[place]] for place in places]


@lru_cache(maxsize=10_000)
def kin_of(suite: str, name: str) -> int:
    """Return a number that benchmarks have in common whose names differ in the values of their parameters alone."""
    return hash63((suite, stem(name))) % _KINDS


def stem(name: str) -> str:
    """Return the name of a benchmark without the values of its parameters, such as `/10`, `rows=10` and `[10-x]`.

    Series with one stem in the sense of family.js have one here, too; a tag of the name of a parameter makes no difference.
    """
    inner = _BRACKET.search(name)
    first, *parts = (name[: inner.start()] if inner else name).split("/")
    outer = "/".join([first, *(",".join(map(_without_value, one.split(","))) for one in parts)])
    return outer + (f"[{'-'.join(map(_without_value, re.split('[-,]', inner[1])))}]" if inner else "")


def _without_value(text: str) -> str:
    named = _NAMED.fullmatch(text)
    if named:
        return f"{named[1]}=*"
    return "*" if _NUMBER.fullmatch(text) else text
