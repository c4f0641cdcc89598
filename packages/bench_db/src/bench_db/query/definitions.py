"""Definitions, applied to the names of series when they are read: what is stored is never rewritten."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.derive import key_of_series
from bench_db.errors import UserError
from bench_db.model import Definition, TestBed
from bench_db.query import formula, thresholds
from bench_db.query.selection import glob_pattern, is_glob
from bench_db.query.series import IDENTITY, MACHINE
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.model import FrameRow

ANNOTATION = "annotation"
METRIC = "metric"
KINDS = ("alias", "join", "pool", "better", "main", "ignore", "threshold", METRIC, ANNOTATION)
FIELDS = {
    "test_bed": "test_bed_name",
    "dut": "dut_name",
    "suite": "suite",
    "benchmark": "benchmark_name",
    "metric": "metric",
}
# Kinds that name series; a later release may have written others.
_NAMING = {"alias", "join", "pool", "better", "ignore"}
_WILDCARD = re.compile(r"[*?]")
# The value of an alias of a suite that stands for no name: the only suite in which a series of the same names exists.
ANY = "*"


def test_bed_class(row: Mapping[str, object], *, by_name_alone: bool) -> tuple[str, ...]:
    """Return the test bed class of a series with the columns of `MACHINE`."""
    bed = TestBed(
        name=str(row["test_bed_name"] or ""),
        cpu=str(row["test_bed_cpu"] or ""),
        memory_gb=int(str(row["test_bed_memory_gb"] or 0)),
        os=str(row["test_bed_os"] or ""),
    )
    return bed.class_parts(by_name_alone=by_name_alone)


@dataclass(slots=True, kw_only=True)
class _Named:
    """A series with the names that the definitions give it, and whether its machine and its suite identify it."""

    row: dict[str, Any]
    by_name_alone: bool
    any_suite: bool = False

    @property
    def test_bed_class(self) -> tuple[str, ...]:
        return test_bed_class(self.row, by_name_alone=self.by_name_alone)

    @property
    def key(self) -> int:
        natural = tuple(self.row[name] or "" for name in ("suite", *_BESIDE_SUITE))
        return key_of_series(self.row["dut_name"] or "", self.test_bed_class, natural)

    @property
    def beside_suite(self) -> tuple[object, ...]:
        return (self.row["dut_name"], self.test_bed_class, *(self.row[name] or "" for name in _BESIDE_SUITE))


_BESIDE_SUITE = ("benchmark_name", "metric", "tags_key", "units")


@dataclass(frozen=True, kw_only=True)
class Definitions:
    """The definitions in force, in the order in which they were made. What is found for them is kept with them."""

    records: Sequence[Definition] = ()

    def __bool__(self) -> bool:
        """Whether there are definitions that name series; derived metrics, main branches and thresholds do not."""
        return bool(self._matching.records)

    @cached_property
    def _matching(self) -> _Matching:
        """Return the definitions that name series."""
        return _Matching([record for record in self.records if record.kind in _NAMING])

    def main_branches(self, duts: Iterable[str]) -> dict[str, str]:
        """Return the main branch of the devices for which one is defined."""
        return {
            dut: record.value
            for record in self.records
            if record.kind == "main"
            for dut in duts
            if self._fits(record, dut, dut)
        }

    @cached_property
    def derives(self) -> bool:
        """Whether there are derived metrics."""
        return any(record.kind == METRIC for record in self.records)

    @cached_property
    def derived(self) -> Sequence[tuple[Definition, formula.DerivedMetric]]:
        """The derived metrics, each with its definition; those that cannot be read are left out."""
        return [(record, one) for record in self.records if record.kind == METRIC and (one := _read(record))]

    def unread_metrics(self) -> list[str]:
        """Describe the derived metrics that cannot be read: a later release wrote them."""
        unread = [record for record in self.records if record.kind == METRIC and _read(record) is None]
        return [f"metric {record.pattern}: {record.value!r} is no formula of this release" for record in unread]

    def better(self, metric: str, dut_name: str) -> Direction | None:
        """Return the direction that is defined for a metric of a device; null without one."""
        stated = [r.value for r in self.records if r.kind == "better" and self._fits(r, metric, dut_name)]
        return Direction(stated[-1]) if stated else None

    def unmapped(self, names: Iterable[tuple[str, str]], field: str) -> list[tuple[str, str]]:
        """Return the pairs of a name of a field and its device that no definition of the field matches or gives."""
        column = FIELDS[field]
        of_field = [record for record in self.records if _column_of(record) == column]
        given = {record.value for record in of_field if record.kind in {"alias", "join"}}
        return [
            (name, dut)
            for name, dut in names
            if name not in given and not any(self._fits(record, name, dut) for record in of_field)
        ]

    def device(self, name: str) -> str:
        """Return the name that the aliases of devices give a device."""
        for record in self.records:
            if record.kind == "alias" and _column_of(record) == "dut_name" and self._fits(record, name, name):
                name = record.value
        return name

    @property
    def named_fields(self) -> list[str]:
        """The fields whose names are listed: those with an alias, and the test bed with a pool."""
        naming = {_column_of(r) for r in self.records if r.kind == "pool" or (r.kind == "alias" and r.value != ANY)}
        return [field for field, column in FIELDS.items() if column in naming]

    def renamed(self, series: pl.DataFrame, of_main: Callable[[], Collection[int]] = tuple) -> pl.DataFrame | None:
        """Return series with the names and keys that the definitions give them, and their stored key as `stored_key`.

        `series` has the columns of `query.series.IDENTITY` and `MACHINE`, a row a series. Ignored series are left out. `of_main` returns the
        keys of the series with results in the main history, whose suites precede those of pull requests and branches. None when no
        definition matches a name of these series.
        """
        known = series.select(*IDENTITY, *MACHINE)
        matching = self._matching
        matched = matching.rows(known)
        if not matched.any():
            return None
        if matching.of_any_suite:  # the names of all others decide
            matched = pl.repeat(value=True, n=len(known), dtype=pl.Boolean, eager=True)
        rows = known.with_row_index("_place").filter(matched).iter_rows(named=True)
        named = [found for row in rows if (found := _named(row, matching)) is not None]
        if any(one.any_suite for one in named):
            _continue_in_suites(named, of_main())
        others = known.with_row_index("_place").filter(~matched).with_columns(stored_key="series_key")
        changed = pl.DataFrame([{**found.row, "series_key": found.key} for found in named], others.schema)
        return pl.concat([others, changed]).sort("_place").drop("_place")

    def _fits(self, record: Definition, value: str, dut_name: str) -> bool:
        if record.dut_name not in (None, dut_name):
            return False
        return bool(_compiled(record.pattern).match(value))


class _Globs:
    """Globs by the text before their first wildcard, so that a name meets only those that begin as it does.

    A glob that begins with a wildcard is compared with a name only if the name has the longest text between its wildcards.
    """

    def __init__(self) -> None:
        self._by_head: dict[str, list[tuple[int, str]]] = {}
        self._headless: list[tuple[int, str, str]] = []

    def add(self, place: int, glob: str) -> None:
        head, *others = _WILDCARD.split(glob)
        if head:
            self._by_head.setdefault(head, []).append((place, glob))
        else:
            self._headless.append((place, max(others, key=len), glob))

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(head) for head in self._by_head})

    def places(self, name: str) -> Iterator[int]:
        """Yield the places of the globs that match a name, in no order."""
        for length in takewhile(lambda length: length <= len(name), self._lengths):
            for place, glob in self._by_head.get(name[:length], ()):
                if _compiled(glob).match(name):
                    yield place
        for place, text, glob in self._headless:
            if text in name and _compiled(glob).match(name):
                yield place


class _Matching:
    """The definitions that name series, found by the names that they match."""

    def __init__(self, records: Sequence[Definition]) -> None:
        self.records = records
        self.of_any_suite = any(_is_of_any_suite(record) for record in records)
        self._literal: dict[str, dict[str, list[int]]] = {}
        self._globs: defaultdict[str, _Globs] = defaultdict(_Globs)
        for place, record in enumerate(records):
            column = _column_of(record)
            names = self._literal.setdefault(column, {})
            if is_glob(record.pattern):
                self._globs[column].add(place, record.pattern)
            else:
                names.setdefault(record.pattern, []).append(place)
        self._found: dict[tuple[str, str], list[int]] = {}

    def places(self, column: str, value: str) -> list[int]:
        """Return the places of the definitions whose pattern matches a value of a column, in their order."""
        found = self._found.get((column, value))
        if found is None:
            globs = self._globs[column].places(value)
            found = self._found[column, value] = sorted((*self._literal[column].get(value, ()), *globs))
        return found

    def rows(self, series: pl.DataFrame) -> pl.Series:
        """Return for each series whether a definition matches one of its names."""
        matched = pl.repeat(value=False, n=len(series), dtype=pl.Boolean, eager=True)
        for column in self._literal:
            names = series[column].fill_null("")
            values = [value for value in names.unique().to_list() if self.places(column, value)]
            matched = matched | names.is_in(values) if values else matched
        return matched

    def after(self, place: int, row: Mapping[str, object]) -> int | None:
        """Return the place of the next definition that matches a name of a series; None after the last."""
        found = [
            places[at]
            for column in self._literal
            if (places := self.places(column, str(row[column] or "")))
            and (at := bisect_right(places, place)) < len(places)
        ]
        return min(found, default=None)


def _named(row: FrameRow, matching: _Matching) -> _Named | None:
    """Return a series with its names; None for an ignored one."""
    named = _Named(row=dict(row, stored_key=row["series_key"]), by_name_alone=True)
    named.by_name_alone = named.key == row["series_key"]
    place = -1
    while (following := matching.after(place, named.row)) is not None:
        place, record = following, matching.records[following]
        if record.dut_name not in (None, named.row["dut_name"]):
            continue
        match record.kind:
            case "ignore":
                return None
            case "alias" if _is_of_any_suite(record):
                named.any_suite = True
            case "alias" | "join":
                named.row[_column_of(record)] = record.value
            case "pool":
                named.by_name_alone = True
            case "better":
                named.row["direction"] = record.value
    return named


def with_names(rows: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the names and keys of `Definitions.renamed`, in the same columns; rows of ignored series are left out."""
    replaced = [name for name in (*IDENTITY, *MACHINE) if name in rows.columns]
    stored = rows.rename({"series_key": "stored_key"}).drop(set(replaced) - {"series_key"})
    joined = stored.join(names.select("stored_key", *replaced), on="stored_key", maintain_order="left")
    return joined.select(rows.columns)


def _column_of(record: Definition) -> str:
    fields: Mapping[str, str] = {
        "join": "benchmark",
        "ignore": "benchmark",
        "pool": "test_bed",
        "better": "metric",
        "main": "dut",
    }
    return FIELDS.get(fields.get(record.kind, record.field), "")


def _is_of_any_suite(record: Definition) -> bool:
    return record.field == "suite" and record.value == ANY


def _continue_in_suites(series: Sequence[_Named], main: Collection[int]) -> None:
    """Give a series of any suite the suite of the others with its names, when these have only one in the main history or at all."""
    suites: defaultdict[tuple[object, ...], set[str]] = defaultdict(set)
    of_main: defaultdict[tuple[object, ...], set[str]] = defaultdict(set)
    for named in series:
        if not named.any_suite:
            suites[named.beside_suite].add(named.row["suite"] or "")
            if named.row["stored_key"] in main:
                of_main[named.beside_suite].add(named.row["suite"] or "")
    for named in series:
        others = of_main[named.beside_suite] or suites[named.beside_suite]
        if named.any_suite and len(others) == 1:
            (named.row["suite"],) = others


@lru_cache(maxsize=4096)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(glob_pattern(glob))


@lru_cache(maxsize=4096)
def _formula_of(name: str, value: str) -> formula.DerivedMetric | None:
    try:
        return formula.derived_metric(name, value)
    except UserError:
        return None


def _read(record: Definition) -> formula.DerivedMetric | None:
    return _formula_of(record.pattern, record.value)


def in_force(records: Iterable[Definition]) -> Definitions:
    """Return the definitions in force after some records, in the order in which they were written."""
    newest: dict[tuple[str, str, str, str | None], Definition] = {}
    for record in records:
        place = place_of(record)
        newest.pop(place, None)
        newest[place] = record
    return Definitions(records=[record for record in newest.values() if not record.lifted])


def place_of(record: Definition) -> tuple[str, str, str, str | None]:
    """Return what two records of one definition have in common."""
    return record.kind, record.field, record.pattern, record.dut_name


def checked(record: Definition) -> Definition:
    """Return a definition that can be applied; raise `UserError` for one that cannot, or that would do nothing."""
    if record.kind not in KINDS:
        message = f"`kind`: {record.kind!r} is no kind of definition; the kinds are {', '.join(KINDS)}"
        raise UserError(message)
    if record.kind == "alias" and record.field not in FIELDS:
        message = f"`field`: {record.field!r} cannot have an alias; these can: {', '.join(FIELDS)}"
        raise UserError(message)
    if record.kind == thresholds.KIND:
        pattern, value = thresholds.checked(record.pattern, record.value)
        return replace(record, pattern=pattern, value=value)
    if record.kind == METRIC:
        return replace(record, value=formula.derived_metric(record.pattern, record.value).value)
    if record.kind == "better" and record.value not in set(Direction):
        message = f"`value`: {record.value!r} is no direction; they are {', '.join(Direction)}"
        raise UserError(message)
    if record.kind == "alias" and record.value == ANY and record.field != "suite":
        message = (
            f"`value`: {ANY} means any suite, and no {record.field}; give the name that {record.pattern!r} reads as"
        )
        raise UserError(message)
    if record.kind == ANNOTATION and not record.value.strip():
        message = f"`value`: an annotation of {record.pattern!r} needs a text"
        raise UserError(message)
    if record.kind in {"join", "alias", "main"} and (not record.value.strip() or record.value == record.pattern):
        message = f"`value`: {record.value!r} is no new name for {record.pattern!r}"
        raise UserError(message)
    return record
