"""Conditions on results, the order of names, the nearest names when nothing matches, and the rows of a commit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cache, reduce
from operator import and_
from typing import TypedDict

import polars as pl

from bench_db import identity
from bench_db.clock import Moment, bounds
from bench_db.errors import UserError
from bench_db.rules import RULES

# The value of a tag that a caller gives; it is compared as text.
Tag = str | float | bool
# The tag that finds the results of a suite, too.
SCENARIO = "scenario"
# Conditions whose values a series has, with the words for one of them and for several.
_OF_SERIES = {
    "test_bed_name": ("test_bed_name", "test bed", "test beds"),
    "dut_name": ("dut_name", "device", "devices"),
    "suite": ("suite", "suite", "suites"),
    "metric": ("metric", "metric", "metrics"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Conditions on results that must all be true; None and an empty mapping are no condition.

    `benchmark` is a name in which `*` and `?` are wildcards; every other character, brackets included, is literal.
    Without a `branch`, a `pr_number` or `everything` it selects from the main history, which `query.history` decides. All `tags` must
    be present with these values. `since` and `until` are inclusive bounds of the commit time in unix seconds.
    """

    benchmark: str | None = None
    test_bed_name: str | None = None
    dut_name: str | None = None
    branch: str | None = None
    pr_number: int | None = None
    everything: bool = False
    suite: str | None = None
    metric: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    since: int | None = None
    until: int | None = None
    series_key: int | None = None

    def __post_init__(self) -> None:
        for name in ("benchmark", "branch", *_OF_SERIES):
            value = getattr(self, name)
            if not isinstance(value, str | None):
                identity.require_text(name, value)

    @property
    def is_empty(self) -> bool:
        """Whether there is no condition, so that every result is selected."""
        return self == Selection()

    @property
    def is_of_main(self) -> bool:
        """Whether it selects from the main history."""
        return self.branch is None and self.pr_number is None and not self.everything

    @property
    def is_of_series(self) -> bool:
        """Whether it selects complete series of the main history, never a part of them."""
        return self.of_points == Selection()

    @property
    def of_points(self) -> Selection:
        """The conditions on points alone, without those on series."""
        return Selection(
            branch=self.branch,
            pr_number=self.pr_number,
            everything=self.everything,
            since=self.since,
            until=self.until,
        )

    @property
    def of_series(self) -> Selection:
        """The conditions on series alone, without those on points."""
        return replace(self, branch=None, pr_number=None, everything=False, since=None, until=None)

    def predicate(self) -> pl.Expr:
        """Return the conditions over flat columns; a row with a null condition is not selected."""
        exact = {
            "test_bed_name": self.test_bed_name,
            "dut_name": self.dut_name,
            "branch": self.branch,
            "pr_number": self.pr_number,
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
    pr_number: int | None
    everything: bool
    suite: str | None
    metric: str | None
    tags: Mapping[str, Tag]
    since: Moment | None
    until: Moment | None
    series_key: int | None


class Conditions(SeriesConditions, total=False):
    """The conditions of a `Selection` as keyword arguments of a use case."""

    benchmark: str | None


def selection_of(selection: Selection | None, conditions: SeriesConditions) -> Selection:
    """Return a selection (all results by default) with some of its conditions replaced; `since` and `until` become unix seconds."""
    since, until = conditions.get("since"), conditions.get("until")
    period = None if since is None and until is None else bounds(since, until)
    times = dict(zip(("since", "until"), period or (None, None), strict=True))
    stated = {**conditions, **{name: time for name, time in times.items() if name in conditions}}
    if (tags := conditions.get("tags")) not in (None, {}):
        stated["tags"] = identity.tag_texts(tags)
    chosen = replace(selection or Selection(), **stated)  # type: ignore[arg-type]
    histories = {"branch": chosen.branch, "pr_number": chosen.pr_number, "everything": chosen.everything or None}
    named = [name for name, value in histories.items() if value is not None]
    if len(named) > 1:
        message = f"{' and '.join(f'`{name}`' for name in named)} each name a history: give one of them"
        raise UserError(message)
    return chosen


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
    """Select rows with a tag: one comma-separated part of `tags_key`, whose own separators are escaped.

    A suite is a scenario too, as calibrax calls it.
    """
    tagged = pl.col("tags_key").str.split(",").list.contains(identity.tags_key({name: value}))
    return tagged | (pl.col("suite") == value) if name == SCENARIO else tagged


FULL_SHA = 40


def spellings(commit: str) -> tuple[list[str], tuple[str, str] | None]:
    """Return the texts that name a commit in rows: the sha and stored abbreviations of it; and between which texts, the last excluded, are longer shas that start with it.

    Hexadecimal text is compared by prefix, in lower case; any other text must be equal.
    """
    if not is_sha(commit):
        return [commit], None
    commit = commit.lower()
    stored = [commit[:length] for length in range(identity.ABBREVIATED_SHA, len(commit) + 1)]
    return stored, None if len(commit) >= FULL_SHA else (commit, commit + "g")


def of_commit(commit: str) -> pl.Expr:
    """Select the rows of a commit: the same sha, a stored abbreviation of it, or a longer sha that starts with it."""
    column = pl.col("commit")
    texts, longer = spellings(commit)
    named = column.is_in(texts) if len(texts) > 1 else column == texts[0]
    return named if longer is None else named | ((column >= longer[0]) & (column < longer[1]))


VERSION, RUN = "version:", "run:"
_KEY = re.compile("[0-9a-f]{16}")


def of_name(name: str) -> pl.Expr:
    """Select the rows that a comparison names: a commit, `version:` with a version, or `run:` with keys of runs, as `short` shows."""
    if name.startswith(VERSION):
        return pl.col("dut_version") == name.removeprefix(VERSION)
    if name.startswith(RUN):
        return pl.col("run_key").is_in(run_keys(name))
    return of_commit(name)


def of_runs(runs: pl.DataFrame) -> pl.Expr:
    """Select the rows of runs with the columns `run_key` and `commit`. An index finds their commits, unless a run has none."""
    own, commits = pl.col("run_key").is_in(runs["run_key"].to_list()), runs["commit"].unique().sort()
    return own if commits.null_count() else own & pl.col("commit").is_in(commits.to_list())


def run_keys(name: str) -> list[int]:
    """Return the keys in a name that begins with `run:`."""
    return [int(key, 16) for key in name.removeprefix(RUN).split(",") if _KEY.fullmatch(key)]


def short(name: str) -> str:
    """Return a commit abbreviated, and any other name that a comparison takes as it is."""
    return name if name.startswith((VERSION, RUN)) else name[: RULES.sha_length]


def is_sha(text: str) -> bool:
    """Return whether a text can be a sha or an abbreviation of at least 7 digits, not a branch or a tag."""
    return len(text) >= identity.ABBREVIATED_SHA and set(text.lower()) <= set("0123456789abcdef")


def natural_key(text: str) -> tuple[tuple[object, ...], str]:
    """Return a sort key that orders numbers in names by value: `test_2` before `test_10`, `[10]` before `[100]`."""
    parts = re.split("([0-9]+)", text)
    # a number is compared by its digits: Python refuses to convert more than 4,300 of them
    digits = [part.lstrip("0") if number % 2 else part for number, part in enumerate(parts)]
    return tuple((len(d), d) if number % 2 else d for number, d in enumerate(digits)), text


def by_name(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows in the natural order of their benchmark names; rows of one name keep their order."""
    names = sorted(rows["benchmark_name"].unique(), key=natural_key)
    if len(names) < 2:  # noqa: PLR2004 there is an order of two
        return rows
    place = pl.col("benchmark_name").replace_strict(names, range(len(names)), return_dtype=pl.UInt32)
    return rows.sort(place, maintain_order=True)


def no_match(selection: Selection, series: pl.DataFrame, elsewhere: Collection[str] = ()) -> str:
    """Return why nothing matches: the conditions that no series satisfies alone, each with the nearest values there are.

    `series` has the columns of `query.series.IDENTITY`, a row a series of the main history. `elsewhere` names the branches and pull
    requests that have results besides.
    """
    if elsewhere and (series.is_empty() or not selection.is_of_main):
        shown = ", ".join(sorted(elsewhere, key=natural_key)[: RULES.nearest_names])
        return f"no such results in the history that was asked for; there are results of: {shown} (--branch, --pr or --all)"
    if series.is_empty():
        return "the store has no results yet; publish some first"
    reasons = []
    names = series["benchmark_name"].unique().to_list()
    if selection.benchmark is not None and series.filter(*_named(selection.benchmark)).is_empty():
        reasons.append(f"no results of {selection.benchmark!r}; {named_there('names', selection.benchmark, names)}")
    for condition, (column, one, several) in _OF_SERIES.items():
        asked, values = getattr(selection, condition), series[column].unique().to_list()
        if asked is not None and asked not in values:
            reasons.append(f"no results of {one} {asked!r}; {named_there(several, asked, values)}")
    for name, value in sorted(selection.tags.items()):
        if series.filter(_has_tag(name, value)).is_empty():
            known = {f"{k}={v}" for key in series["tags_key"].unique() for k, v in identity.tags_of_key(key).items()}
            reasons.append(f"no results with tag {name}={value}; {named_there('tags', f'{name}={value}', known)}")
    about = f"no results of {selection.benchmark!r}" if selection.benchmark else "no results"
    return ". ".join(reasons) or f"{about} satisfy all these conditions together; leave one out"


def named_there(what: str, asked: str, there: Collection[str]) -> str:
    """Return a phrase that names the nearest of the values there are, and how many more there are."""
    shown = nearest(asked, there)
    more = len(there) - len(shown)
    if not there:
        return f"there are no {what}"
    listed = ", ".join(name or "(none)" for name in shown)
    return f"the nearest {what} are: {listed}, and {more:,} more" if more else f"the {what} there are: {listed}"


def nearest(asked: str, names: Collection[str], count: int = RULES.nearest_names) -> list[str]:
    """Return the `count` names most like the one asked for, nearest first; fewer only when there are fewer.

    A name that contains the text asked for comes first. Otherwise each word of that text is compared with the most similar
    word of the name, so that the length of a path in front does not matter. Equally near names are in natural order.
    """
    text = re.sub("[*?]+", " ", asked).strip().casefold()
    words = _words(text)

    def distance(name: str) -> float:
        folded = name.casefold()
        if text and text in folded:
            return -1.0
        there = _words(folded)
        return -sum(max((_likeness(word, other) for other in there), default=0.0) for word in words) / (len(words) + 1)

    return sorted(names, key=lambda name: (distance(name), natural_key(name)))[:count]


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^\w]+", text) if word]


@cache
def _likeness(one: str, other: str) -> float:
    """Return the similarity of two words, 0 to 1; numbers are alike only when equal."""
    if one.isdecimal() or other.isdecimal():
        return float(one == other)
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
