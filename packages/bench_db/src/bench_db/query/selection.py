"""Conditions on results, shared by every command and every call, and the rows of a commit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import and_
from typing import TypedDict

import polars as pl

from bench_db import identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Conditions on results that must all be true; None and an empty mapping are no condition.

    `benchmark` is a name in which `*` and `?` are wildcards; every other character, brackets included, is literal.
    All `tags` must be present with these values. `since` and `until` are inclusive bounds of the commit time in unix seconds.
    """

    benchmark: str | None = None
    testbed_name: str | None = None
    dut_name: str | None = None
    branch: str | None = None
    suite: str | None = None
    metric: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    since: int | None = None
    until: int | None = None
    series_key: int | None = None

    @property
    def is_of_series(self) -> bool:
        """Whether it selects complete series, never a part of a history."""
        return self.branch is None and self.since is None and self.until is None

    @property
    def of_points(self) -> Selection:
        """The conditions on points alone, without those on series."""
        return Selection(branch=self.branch, since=self.since, until=self.until)

    def predicate(self) -> pl.Expr:
        """Return the conditions over flat columns; a row with a null condition is not selected."""
        exact = {
            "test_bed_name": self.testbed_name,
            "dut_name": self.dut_name,
            "branch": self.branch,
            "suite": self.suite,
            "metric": self.metric,
            "series_key": self.series_key,
        }
        terms = [pl.col(name) == value for name, value in exact.items() if value is not None]
        terms += [_has_tag(name, value) for name, value in sorted(self.tags.items())]
        if self.benchmark is not None:
            terms += _named(self.benchmark)
        if self.since is not None:
            terms.append(pl.col("dut_timestamp") >= self.since)
        if self.until is not None:
            terms.append(pl.col("dut_timestamp") <= self.until)
        return reduce(and_, terms) if terms else pl.lit(value=True)


class SeriesConditions(TypedDict, total=False):
    """The conditions of a `Selection` besides the benchmark, as keyword arguments of a use case."""

    test_bed_name: str | None
    dut_name: str | None
    branch: str | None
    suite: str | None
    metric: str | None
    tags: Mapping[str, str]
    since: int | None
    until: int | None
    series_key: int | None


class Conditions(SeriesConditions, total=False):
    """The conditions of a `Selection` as keyword arguments of a use case."""

    benchmark: str | None


def selection_of(selection: Selection | None, conditions: SeriesConditions) -> Selection:
    """Return a selection (all results by default) with some of its conditions replaced."""
    given = {"testbed_name" if name == "test_bed_name" else name: value for name, value in conditions.items()}
    return replace(selection or Selection(), **given)  # type: ignore[arg-type]


def _named(glob: str) -> list[pl.Expr]:
    name = pl.col("benchmark_name")
    if not is_glob(glob):
        return [name == glob]
    start = re.split(r"[*?]", glob, maxsplit=1)[0]
    return [name.str.starts_with(start)] * bool(start) + [name.str.contains(glob_pattern(glob))]


def glob_pattern(glob: str) -> str:
    """Return the regular expression of a glob; only `*` and `?` are wildcards, so `test_fib[5]` keeps its brackets."""
    return f"(?s)^{''.join({'*': '.*', '?': '.'}.get(letter, re.escape(letter)) for letter in glob)}$"


def is_glob(text: str) -> bool:
    """Return whether a benchmark name contains a wildcard."""
    return "*" in text or "?" in text


def _has_tag(name: str, value: str) -> pl.Expr:
    """Select rows with a tag: one comma-separated part of `tags_key`, whose own separators are escaped."""
    return pl.col("tags_key").str.split(",").list.contains(identity.tags_key({name: value}))


SHORTEST_ABBREVIATION = 7
FULL_SHA = 40


def of_commit(commit: str) -> pl.Expr:
    """Select the rows of a commit: the same sha, a stored abbreviation of it, or a longer sha that starts with it.

    Hexadecimal text is compared by prefix, in lower case; any other text must be equal.
    """
    column = pl.col("commit")
    if not is_sha(commit):
        return column == commit
    commit = commit.lower()
    stored = [commit[:length] for length in range(SHORTEST_ABBREVIATION, len(commit) + 1)]
    if len(commit) >= FULL_SHA:
        return column.is_in(stored)
    return column.is_in(stored) | ((column >= commit) & (column < commit + "g"))


def is_sha(text: str) -> bool:
    """Return whether a text can be a sha or an abbreviation of at least 7 digits, not a branch or a tag."""
    return len(text) >= SHORTEST_ABBREVIATION and set(text.lower()) <= set("0123456789abcdef")
