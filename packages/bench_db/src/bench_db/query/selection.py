"""Which results a question is about, said once for every command and every call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import and_

import polars as pl

from bench_db import identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Conditions on results, all of which must hold; None and an empty mapping ask for nothing.

    `benchmark` is a name in which `*` and `?` are wildcards and everything else, brackets included, stands for itself.
    `tags` must all be present with these values. `since` and `until` bound the commit time in unix seconds, ends included.
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
        """Whether it selects whole series and never a part of one's history."""
        return self.branch is None and self.since is None and self.until is None

    @property
    def of_points(self) -> Selection:
        """Its conditions on points alone: all series, and of each the part of its history that is chosen."""
        return Selection(branch=self.branch, since=self.since, until=self.until)

    def predicate(self) -> pl.Expr:
        """The conditions over flat columns; rows for which a condition is null are left out."""
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


def _named(glob: str) -> list[pl.Expr]:
    name = pl.col("benchmark_name")
    if not is_glob(glob):
        return [name == glob]
    start = re.split(r"[*?]", glob, maxsplit=1)[0]
    return [name.str.starts_with(start)] * bool(start) + [name.str.contains(glob_pattern(glob))]


def glob_pattern(glob: str) -> str:
    """The regular expression of a glob: only `*` and `?` are wildcards, and brackets are those of `test_fib[5]`."""
    return f"(?s)^{''.join({'*': '.*', '?': '.'}.get(letter, re.escape(letter)) for letter in glob)}$"


def is_glob(text: str) -> bool:
    """Whether a benchmark name asks for more than itself."""
    return "*" in text or "?" in text


def _has_tag(name: str, value: str) -> pl.Expr:
    """`tags_key` is `k=v,k=v` with its own separators escaped, so a tag is one of its comma-separated parts."""
    return pl.col("tags_key").str.split(",").list.contains(identity.tags_key({name: value}))
