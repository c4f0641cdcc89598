"""Hints of renamed series: a series that ended and one that began may be one, under another name, unit or tag."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# Share of common letters from which two words are alike, ratio from which two numbers are, and how far apart the levels of one
# series may be under two names, or under two tags.
_ALIKE, _CLOSE, _NEAR, _SAME = 0.6, 0.8, 0.5, 0.1
# Comparing names letter by letter is slow: above this many pairs, only those that differ in one part are compared.
_MOST_PAIRS = 10_000
# The parameters of a name: those in brackets, or the last parts of a path that are numbers, perhaps with a name or a unit.
_PARAMETERS = re.compile(r"\[[^\[]*\]$|(?:/(?:[A-Za-z_]+[:=])?[0-9][0-9.,_]*[A-Za-z]{0,3})+$")
# How names of benchmarks usually begin, which makes none of them alike.
_USUAL = re.compile(r"^(?:test|bench|benchmark|bm)_", re.IGNORECASE)
_WORDS = re.compile(r"[0-9]+|[^\W0-9_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A series and the parts of its identity that may change. `group` (device, test bed, suite) never does.

    `level` is a typical value, null if unknown. `at` orders: a series that began is later than the one that ended.
    """

    key: int
    group: tuple[str, ...]
    benchmark: str
    metric: str
    tags: str
    units: str
    level: float | None = None
    at: int = 0


def successors(ended: Iterable[Named], began: Iterable[Named]) -> dict[int, int]:
    """Match each ended series with the one it may have become, by key; no two become the same.

    A pair differs in one thing: the unit; or the tags, at about the same level; or the name. Of the name the path may differ, or the
    rest without the parameters, or the parameters; the names must be alike where they differ, and be at a similar level. The only
    ones of the suite that ended and began may differ in more and be at any level when the names are alike, and have any name at about
    the same level.
    """
    groups: dict[tuple[str, ...], tuple[list[Named], list[Named]]] = defaultdict(lambda: ([], []))
    for old in ended:
        groups[old.group][0].append(old)
    for new in began:
        groups[new.group][1].append(new)
    found: dict[int, int] = {}
    taken: set[int] = set()
    for gone, come in groups.values():
        scored = ((_score(old, new, alone=len(gone) == len(come) == 1), old, new) for old, new in _pairs(gone, come))
        for _, old, new in sorted(
            (p for p in scored if p[0] > 0), key=lambda p: (-p[0], p[1].benchmark, p[2].benchmark)
        ):
            if old.key not in found and new.key not in taken:
                found[old.key] = new.key
                taken.add(new.key)
    return found


def change_between(old: Named, new: Named) -> str:
    """Describe the difference between the two."""
    if old.units != new.units:
        return f"unit changed from {old.units} to {new.units}"
    if old.tags != new.tags:
        return f"tags changed from {old.tags or 'none'} to {new.tags or 'none'}?"
    if old.benchmark == new.benchmark:
        return on_another_machine(old.group[1])
    return f"renamed from {old.benchmark} to {new.benchmark}?"


def on_another_machine(test_bed_name: str) -> str:
    """Describe the difference between two series of one benchmark and one test bed."""
    return f"measured on another machine of the test bed {test_bed_name}: its CPU, memory or system differs"


def is_renamed(old: Named, new: Named) -> bool:
    """Return whether the name of the benchmark is all that differs."""
    return old.benchmark != new.benchmark and (old.units, old.tags) == (new.units, new.tags)


def _pairs(gone: Sequence[Named], come: Sequence[Named]) -> Iterator[tuple[Named, Named]]:
    """Yield the pairs that differ in one thing, each once."""
    kinds: tuple[Callable[[Named], tuple[str, ...]], ...] = (
        lambda s: (s.benchmark, s.metric, s.tags),
        lambda s: (s.benchmark, s.metric, s.units),
        lambda s: (*_parts(s.benchmark)[1:], s.metric, s.tags, s.units),
        lambda s: (*_parts(s.benchmark)[:2], s.metric, s.tags, s.units),
        lambda s: (s.metric, s.tags, s.units),
    )
    seen = set()
    for kind in kinds:
        together: dict[tuple[str, ...], tuple[list[Named], list[Named]]] = defaultdict(lambda: ([], []))
        for old in gone:
            together[kind(old)][0].append(old)
        for new in come:
            together[kind(new)][1].append(new)
        for olds, news in together.values():
            if len(olds) * len(news) > _MOST_PAIRS:
                continue
            for old, new in product(olds, news):
                if new.at > old.at and (old.key, new.key) not in seen:
                    seen.add((old.key, new.key))
                    yield old, new


def _score(old: Named, new: Named, *, alone: bool) -> float:
    """Score how likely two are one series; 0 for not."""
    if old.units != new.units:
        return 3.0
    if old.tags != new.tags:
        return 1.0 if _apart(old, new) <= _SAME else 0.0
    if _apart(old, new) > _NEAR and not alone:
        return 0.0
    alike = _names_alike(_parts(old.benchmark), _parts(new.benchmark)) or (
        _alike(old.benchmark, new.benchmark) if alone else 0.0
    )
    if alike:
        return 1.0 + alike
    known = old.level is not None and new.level is not None
    return 0.5 if alone and known and _apart(old, new) <= _SAME else 0.0


@cache
def _parts(benchmark: str) -> tuple[str, str, str]:
    """Return the path of a name, the rest without its parameters, and these: `a.py::test_x`, `[10-int]` or `group/x`, `/64/size=8`."""
    parameters = _PARAMETERS.search(benchmark)
    name = benchmark[: parameters.start()] if parameters else benchmark
    path, mark, base = name.rpartition("::" if "::" in name else "/")
    return path + mark, base, parameters[0] if parameters else ""


def _names_alike(old: tuple[str, str, str], new: tuple[str, str, str]) -> float:
    """Return from 0, for not, to 2 how alike two names are that differ in one part; a path that is all that differs counts most."""
    (old_path, old_base, old_parameters), (new_path, new_base, new_parameters) = old, new
    if old_base == new_base:
        if old_path != new_path:
            return 1.0 + _alike(old_path, new_path) if old_parameters == new_parameters else 0.0
        return _parameters_alike(old_parameters, new_parameters)
    if old_parameters != new_parameters:
        return 0.0
    alike = _alike(_USUAL.sub("", old_base), _USUAL.sub("", new_base))
    if old_path != new_path:
        alike = min(alike, _alike(old_path, new_path))
    return alike


def _parameters_alike(old: str, new: str) -> float:
    """Return how alike two lists of parameters are, from 0 to 1; 0 where one of them is another or more of them are."""
    olds, news = (_WORDS.findall(text) for text in (old, new))
    if not olds or len(olds) != len(news):
        return 0.0
    found = [_word_alike(*both) for both in zip(olds, news, strict=True)]
    return sum(found) / len(found) if all(found) else 0.0


def _word_alike(old: str, new: str) -> float:
    if old.isdecimal() and new.isdecimal():
        low, high = sorted((int(old), int(new)))
        ratio = low / high if high else 1.0
        return ratio if ratio >= _CLOSE else 0.0
    return _alike(old, new)


def _alike(old: str, new: str) -> float:
    """Return the share of common letters; 0 when it is too small for likeness."""
    matcher = SequenceMatcher(None, old, new)
    quick = min(matcher.real_quick_ratio(), matcher.quick_ratio())
    ratio = matcher.ratio() if quick >= _ALIKE else 0.0
    return ratio if ratio >= _ALIKE else 0.0


def _apart(old: Named, new: Named) -> float:
    """Return the difference of two levels, as a share of the larger; 0 when one is unknown."""
    if old.level is None or new.level is None:
        return 0.0
    return abs(new.level - old.level) / (max(abs(old.level), abs(new.level)) or 1.0)
