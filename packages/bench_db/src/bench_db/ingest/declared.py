"""Adapters of declared formats: rows of JSON, JSON lines or CSV, whose fields become names, tags and metrics as `[format.NAME]` says."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from hashlib import sha256
from io import BytesIO, StringIO, TextIOWrapper
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign, rates
from bench_db.ingest.adapter import Adapter
from bench_db.ingest.numbers import first_not_a_number, note_on_texts, scaled, written
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import Samples, TestBed
from bench_db.rules import RULES
from bench_db.schedule.declaration import (
    ALL,
    KEY,
    METRIC,
    FieldPath,
    Format,
    Formats,
    inner_steps,
    measures,
    path_of,
    rows_of,
    sources,
    tag_templates,
    template_of,
)
from bench_db.units import NANOSECONDS, RATIO, Direction, Unit

if TYPE_CHECKING:
    from bench_db.ingest.content import Content
    from bench_db.schedule.declaration import Field, Measure

_MISSING = object()
_VALUE = "value"  # the one field of a row that is no object
_DIGITS = 8  # of the digest that names a declaration in `source`
_DELIMITERS = ",;\t"
_MOST_NAMED = 5
_SHOWN = 100  # characters of a name in a note
_LONGEST_HEAD = 1 << 16
_LARGEST = 1e290  # times the factor of any unit, it fits a float64
_LITERALS = {"nan": "NaN", "inf": "Infinity", "+inf": "Infinity", "-inf": "-Infinity"}
_FACTS = ("id", "commit", "branch", "version", "test_bed")
_TIMES = ("time", "commit_time")
UNMAPPED = "unmapped"  # the key of the run's context with the names that no alias table has


class _Unmapped(msgspec.Struct):
    unmapped: dict[str, dict[str, int]] = {}


def unmapped_in(context: str) -> dict[str, dict[str, int]]:
    """Return the names that no alias table had when the run of a context was read, with their rows, by table."""
    try:
        return msgspec.json.decode(context, type=_Unmapped).unmapped
    except msgspec.MsgspecError:  # another tool's word
        return {}


class _Row(NamedTuple):
    """One record: its place in the file, its key in the object or list it comes from, what is around it, and its fields.

    `around` is the document, then the element of each list of the path of the rows.
    """

    at: str
    key: str
    around: tuple[object, ...]
    fields: Mapping[str, object]


_Get = Callable[[_Row], object]
_Text = Callable[[_Row, str], str]
_Steps = tuple[str | int | None, ...]  # into the fields of a row, as those of a `FieldPath`


def adapters(formats: Formats) -> tuple[Adapter, ...]:
    """Return an adapter for each declared format. One without fields that a file must have needs `--format`."""
    return tuple(_adapter(name, declared, formats.alias) for name, declared in formats.format.items())


def _adapter(name: str, declared: Format, aliases: Mapping[str, Mapping[str, str]]) -> Adapter:
    digest = sha256(msgspec.json.encode((declared, aliases), order="sorted")).hexdigest()[:_DIGITS]
    versions = [_Version.of(version, whole) for version, whole in declared.versions().items()]
    return Adapter(
        name=name,
        source=f"{name}/{digest}",
        summary=declared.summary or f"declared: {declared.layout} with {_wanted(versions) or 'any fields'}",
        sniff=partial(_sniff, declared, versions),
        read=partial(_read, name, f"{name}/{digest}", declared, aliases),
        by_name=not any(version.has for version in versions),
    )


def _wanted(versions: Sequence[_Version]) -> str:
    shown = [f"{', '.join(v.declared.has)}{f' ({v.name})' if v.name else ''}" for v in versions]
    return " or ".join(filter(None, shown))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    """A version of a format, and the getters of the fields by which its rows are known."""

    name: str
    declared: Format
    has: tuple[_Get, ...]

    @classmethod
    def of(cls, name: str, declared: Format) -> _Version:
        rows = rows_of(declared.rows)
        return cls(name=name, declared=declared, has=tuple(_getter(path_of(text), rows) for text in declared.has))

    def shows(self, row: _Row) -> bool:
        return all(get(row) is not _MISSING for get in self.has)


def _sniff(declared: Format, versions: Sequence[_Version], edges: bytes) -> bool:
    """Return whether a row has the fields of a version; of a file that is not complete here, whether their names are there."""
    head = edges.lstrip()[:_LONGEST_HEAD].partition(b"\n")[0]
    if declared.layout == "csv":
        columns = _columns(head.decode("utf-8", "replace"), declared)[0]
        return any(all(name in columns for name in version.declared.has) for version in versions)
    if not edges.lstrip().startswith((b"{", b"[")):
        return False
    try:
        document: object = foreign.decode(head if declared.layout == "json-lines" else edges, object, file="")
    except UnreadableOutputError:
        names = [[str(path_of(text).steps[-1]).encode() for text in version.declared.has] for version in versions]
        return any(all(re.search(rb'"%s"\s*:' % re.escape(name), edges) for name in has) for has in names)
    try:
        rows = list(_lines([("", document)]) if declared.layout == "json-lines" else _rows(document, declared.rows, []))
    except UnreadableOutputError:
        return False
    return any(version.shows(row) for row in rows for version in versions)


def _read(
    name: str, source: str, declared: Format, aliases: Mapping[str, Mapping[str, str]], content: Content
) -> tuple[Reading, ...]:
    """Read all rows. Rows with other facts of the run are runs of their own."""
    file = str(content.path)
    skips: list[Skip] = []
    rows, context = _LAYOUTS[declared.layout](content, declared, skips)
    reader = _Reader(name, declared, aliases)
    groups: dict[tuple[str, ...], _Group] = {}
    for row in rows:
        try:
            version = reader.version_of(row)
            facts, times = version.facts_of(row)
            group = groups.get(facts)
            if group is None:
                group = groups[facts] = _Group(facts=facts)
            group.add(row, times, version.measurements(row, group.skips))
        except RefusedError as refused:
            skips.append(Skip(benchmark=row.at, reason=refused.reason, detail=refused.detail))
    reader.require_fields(file)
    found = [group for group in groups.values() if group.measurements or group.skips]
    if not any(group.measurements for group in found) and not skips and not any(group.skips for group in found):
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=file)
    found = found or [_Group(facts=("",) * len(_FACTS))]
    found[0].skips[:0] = skips
    about = dict(context) | ({UNMAPPED: reader.unmapped_names} if reader.unmapped else {})
    readings = [group.reading(source, foreign.compact(about), declared, alone=len(found) == 1) for group in found]
    return (replace(readings[0], notes=(*reader.notes(), *readings[0].notes)), *readings[1:])


@dataclass(slots=True, kw_only=True)
class _Group:
    """The rows of one run."""

    facts: tuple[str, ...]
    measurements: list[Measurement] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    times: dict[str, int] = field(default_factory=dict)
    rows: list[Mapping[str, object]] = field(default_factory=list)

    def add(self, row: _Row, times: Mapping[str, int], measurements: Iterable[Measurement]) -> None:
        """Add what a row is; the times of the run are the earliest."""
        self.measurements += measurements
        for name, time in times.items():
            self.times[name] = min(time, self.times.get(name, time))
        self.rows.append(row.fields)

    def reading(self, source: str, context: str, declared: Format, *, alone: bool) -> Reading:
        """Return the reading of these rows, which are the whole file when they are `alone`."""
        facts = dict(zip(_FACTS, self.facts, strict=True))
        measurements = self.measurements
        return Reading(
            source=source,
            context=context,
            measurements=tuple(_gathered(measurements) if declared.repeated == "samples" else measurements),
            skips=tuple(self.skips),
            run_time=self.times.get("time"),
            commit=facts["commit"] or None,
            branch=facts["branch"] or None,
            version=facts["version"] or None,
            commit_time=self.times.get("commit_time"),
            test_bed=TestBed(name=facts["test_bed"]) if facts["test_bed"] else None,
            part="" if alone else ",".join(filter(None, self.facts)),
            digest="" if alone else sha256(msgspec.json.encode((self.facts, self.rows), order="sorted")).hexdigest(),
        )


def _gathered(measurements: Iterable[Measurement]) -> Iterator[Measurement]:
    """Yield one measurement for those with the same names: its samples are all of theirs, in order."""
    groups: dict[tuple[object, ...], list[Measurement]] = {}
    for one in measurements:
        key = (one.suite, one.benchmark_name, one.metric, one.units, *sorted(one.tags.items()))
        groups.setdefault(key, []).append(one)
    for first, *others in groups.values():
        yield replace(first, values=sum((one.values for one in others), first.values)) if others else first


class _Reader:
    """The versions of a format in use: what they read is counted, with the names that no alias table has."""

    def __init__(self, name: str, declared: Format, aliases: Mapping[str, Mapping[str, str]]) -> None:
        self.name = name
        self.unmapped: Counter[tuple[str, str]] = Counter()
        self.texts: list[str] = []
        self._versions = [
            _VersionReader(version, whole, aliases, self) for version, whole in declared.versions().items()
        ]
        self._declared = declared

    def version_of(self, row: _Row) -> _VersionReader:
        """Return the first version whose fields a row has."""
        for version in self._versions:
            if not version.version.name or version.version.shows(row):
                version.rows += 1
                version.seen = row
                return version
        wanted = _wanted([version.version for version in self._versions])
        raise RefusedError(SkipReason.MISSING_FIELD, f"has the fields of no version, {wanted}, at {row.at}")

    def require_fields(self, file: str) -> None:
        """Raise `UnreadableOutputError` for a field that the declaration names and no row has."""
        used = [version for version in self._versions if version.rows]
        if len(used) != 1 or used[0].seen is None:
            return
        for name, count in used[0].missing.items():
            if count == used[0].rows:
                near = get_close_matches(name, used[0].seen.fields, RULES.nearest_names)
                others = list(used[0].seen.fields)
                shown = ", ".join(others[:_MOST_NAMED]) + (", ..." if len(others) > _MOST_NAMED else "")
                nearest = f"nearest: {', '.join(near)}" if near else f"its fields are: {shown or 'none'}"
                reason = (
                    f"no row has the field {name!r}, which [format.{self.name}] names; {nearest}."
                    " Correct the declaration, or give a default or optional = true"
                )
                raise UnreadableOutputError(reason, file=file, json_path=used[0].seen.at)

    @property
    def unmapped_names(self) -> dict[str, dict[str, int]]:
        """The names that are in no alias table, with their rows, by table."""
        found: dict[str, dict[str, int]] = {}
        for (table, name), count in self.unmapped.most_common():
            found.setdefault(table, {})[name] = count
        return found

    def notes(self) -> tuple[str, ...]:
        """Return the notes on versions, on names without an alias, and on numbers written as texts."""
        rows = [f"{v.version.name} ({_counted(v.rows, 'row')})" for v in self._versions if v.version.name and v.rows]
        unmapped = [
            f"{_counted(len(names), 'name')} not in [alias.{table}]: "
            + ", ".join(
                f"{name[:_SHOWN]} ({_counted(rows, 'row')})" for name, rows in list(names.items())[:_MOST_NAMED]
            )
            + (", ..." if len(names) > _MOST_NAMED else "")
            for table, names in self.unmapped_names.items()
        ]
        mixed = [note for version in self._versions for note in version.notes()]
        return (
            *([f"read as {self.name} {', '.join(rows)}"] if rows else []),
            *unmapped,
            *mixed,
            *note_on_texts(self.texts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """One field of numbers: where its value is, and its metric, unit and direction, None where they depend on the row."""

    name: str
    steps: _Steps
    get: _Get
    metric: str | _Text
    unit: tuple[Unit, float] | _Text
    better: Direction | None
    optional: bool
    of_all: bool = False


class _VersionReader:
    """One version of a format: what its rows become."""

    def __init__(self, name: str, declared: Format, aliases: Mapping[str, Mapping[str, str]], reader: _Reader) -> None:
        self.version, self.rows = _Version.of(name, declared), 0
        self.missing: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.others: dict[str, str] = {}
        self._numbers: set[str] = set()
        self.seen: _Row | None = None
        self._declared, self._rows = declared, rows_of(declared.rows)
        self._reader = reader
        self._fields = {one: self._field(one, of, aliases) for one, of in declared.fields.items()}
        self._used: set[str] = set()
        self._name = self._template(declared.name)
        self._suite = self._template(declared.suite)
        of_names = (declared.name, declared.suite, *tag_templates(declared.tags).values())
        self._by_metric = any(isinstance(p, FieldPath) and p.text == METRIC for t in of_names for p in template_of(t))
        self._tags = [(tag, self._template(text)) for tag, text in tag_templates(declared.tags).items()]
        self._facts = [self._template(getattr(declared.run, fact), metric=False) for fact in _FACTS]
        self._no_facts = ("",) * len(_FACTS) if not any(getattr(declared.run, fact) for fact in _FACTS) else None
        self._times = [(t, self._template(text, metric=False)) for t in _TIMES if (text := getattr(declared.run, t))]
        self._measures = sorted(measures(declared.metrics).items(), key=lambda one: _is_pattern(one[0]))
        self._metrics = {
            text: self._template(one.metric, metric=False) for text, one in self._measures if "{" in one.metric
        }
        self._units = {text: self._template(one.unit, metric=False) for text, one in self._measures if "{" in one.unit}
        self._containers = [
            _getter(path_of(text.rpartition(".")[0]), self._rows)
            for text, _ in self._measures
            if _is_pattern(text) and "." in text
        ]
        made = (text for one, of in declared.fields.items() if one in dict(self._measures) for text in sources(one, of))
        self._used |= {str(path_of(text).steps[0]) for text in (*declared.has, *made)}
        self._known: dict[tuple[object, ...], tuple[_Figure, ...]] = {}

    def facts_of(self, row: _Row) -> tuple[tuple[str, ...], dict[str, int]]:
        """Return what rows of one run have in common, and the times of the row in unix seconds."""
        facts = self._no_facts or tuple(text(row, "") for text in self._facts)
        times = {}
        for name, text in self._times:
            found = foreign.moment(written_time := text(row, ""))
            if found is None:
                raise RefusedError(SkipReason.WRONG_TYPE, f"unknown form of time {written_time[:40]!r} at {row.at}")
            times[name] = found
        return facts, times

    def measurements(self, row: _Row, skips: list[Skip]) -> list[Measurement]:
        """Return the measurements of a row. Only the first has its other fields, as metadata."""
        figures = self._figures(row)
        found: list[Measurement] = []
        refused: list[Skip] = []
        name, suite, tags = ("", "", {}) if self._by_metric else self._names(row, "")
        for figure in figures:
            metric = figure.metric if isinstance(figure.metric, str) else figure.metric(row, "")
            if self._by_metric:
                name, suite, tags = self._names(row, metric)
            try:
                values, unit = self._values(figure, row)
            except RefusedError as error:
                if error.detail:
                    skip = Skip(benchmark=f"{name} ({metric})", reason=error.reason, detail=error.detail)
                    refused.append(skip)
                continue
            found.append(
                Measurement(
                    benchmark_name=name,
                    suite=suite,
                    metric=metric,
                    units=unit.name,
                    direction=unit.direction if figure.better is None else figure.better,
                    values=values,
                    tags=tags,
                    metadata="{}" if found else _metadata(row, figures),
                )
            )
        if not found and not refused:
            raise RefusedError(SkipReason.NO_STATISTICS, f"no field of numbers at {row.at}")
        skips += refused
        return found

    def _names(self, row: _Row, metric: str) -> tuple[str, str, dict[str, str]]:
        """Return the name, the suite and the tags of a row, which may contain the name of the metric."""
        name = self._name(row, metric)
        if not name:
            raise RefusedError(SkipReason.NO_NAME, f"the name is empty at {row.at}")
        return name, self._suite(row, metric), {tag: text(row, metric) for tag, text in self._tags}

    def _values(self, figure: _Figure, row: _Row) -> tuple[Samples, Unit]:
        """Return samples in a base unit. Raise `RefusedError`, without a detail for a field that the row need not have."""
        value = figure.get(row)
        if value is _MISSING or (value is None and figure.optional):
            if figure.optional:
                raise RefusedError(SkipReason.MISSING_FIELD, "")
            self.missing[figure.name] += 1
            raise RefusedError(SkipReason.MISSING_FIELD, f"no field {figure.name!r} at {row.at}")
        at = f"{row.at}.{figure.name}" if row.at.startswith("$") else f"{row.at}, {figure.name}"
        if callable(figure.unit):
            unit, factor = _unit_of(figure.unit(row, ""))
        else:
            unit, factor = figure.unit
        if type(value) is float or type(value) is int:
            return _sample(value, factor, at=at, signed=unit != NANOSECONDS), unit
        if isinstance(value, list):
            wrong = None if set(map(type, value)) <= {float, int} else first_not_a_number(value, at=at)
            if wrong is not None or not value:
                raise wrong or RefusedError(SkipReason.NO_STATISTICS, f"an empty list at {at}")
            return scaled(value, factor, at=at, signed=unit != NANOSECONDS), unit
        number, is_text = written(_LITERALS.get(value.lower(), value) if isinstance(value, str) else value, at=at)
        if is_text and self._declared.layout != "csv":
            self._reader.texts.append(figure.name)
        return _sample(number, factor, at=at, signed=unit != NANOSECONDS), unit

    def _figures(self, row: _Row) -> tuple[_Figure, ...]:
        """Return the fields of numbers of a row; rows with the same fields have the same."""
        inner = [get(row) for get in self._containers]
        key = (*row.fields, *((None, *one) if isinstance(one, Mapping) else None for one in inner))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = tuple(self._resolved(row))
        if ALL not in self._declared.metrics:
            return known
        return tuple([figure for figure in known if not figure.of_all or self._is_number(figure, row)])

    def _is_number(self, figure: _Figure, row: _Row) -> bool:
        """Return whether a field that only the pattern `*` names has numbers in a row."""
        value = row.fields[figure.name]
        found = type(value) is float or type(value) is int or self._has_numbers(value)
        if found:
            self._numbers.add(figure.name)
        else:
            self.others.setdefault(figure.name, row.at)
            self.left_out[figure.name] += 1
        return found

    def notes(self) -> list[str]:
        """Return a note for each field that only `*` names and that has numbers in some rows and none in others."""
        return [
            f"{name}: {_counted(self.left_out[name], 'row')} without a number in this field, the first at {at}"
            for name, at in self.others.items()
            if name in self._numbers
        ]

    def _has_numbers(self, value: object) -> bool:
        if isinstance(value, str):
            try:
                return value in _LITERALS.values() or (self._declared.layout == "csv" and written(value, at="")[1])
            except RefusedError:
                return value.lower() in _LITERALS
        numbers = value if isinstance(value, list) else [value]
        return bool(numbers) and all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)

    def _resolved(self, row: _Row) -> Iterator[_Figure]:
        taken: set[_Steps] = set()
        for text, measure in self._measures:
            for name, steps in _matching(text, row):
                if steps in taken or (text == ALL and name in self._used) or (name != text and self._is_ignored(name)):
                    continue
                taken.add(steps)
                yield self._figure(text, name, steps, measure)

    def _is_ignored(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._declared.ignore)

    def _figure(self, text: str, name: str, steps: _Steps, measure: Measure) -> _Figure:
        stem, unit, factor = (None if measure.unit else rates.suffixed(name)) or (name, *_unit_of(measure.unit))
        return _Figure(
            name=name,
            steps=steps,
            get=self._number(name, self._declared.fields[text]) if text in self._declared.fields else _at(steps),
            metric=self._metrics.get(text) or measure.metric or stem,
            unit=self._units.get(text) or (unit, factor),
            better=Direction(measure.better) if measure.better else None,
            optional=measure.optional,
            of_all=text == ALL and rates.suffixed(name) is None,
        )

    def _number(self, name: str, declared: Field) -> _Get:
        """Return the function that finds the value of a field made of others, as it is in the row."""
        getters = [_getter(path_of(text), self._rows) for text in sources(name, declared)]

        def found(row: _Row) -> object:
            values = (v for get in getters if (v := get(row)) is not _MISSING and v is not None)
            return next(values, _MISSING if declared.default is None else declared.default)

        return found

    def _field(self, name: str, declared: Field, aliases: Mapping[str, Mapping[str, str]]) -> _Get:
        getters = [_getter(path_of(text), self._rows) for text in sources(name, declared)]
        named = _Alias(declared.alias, aliases[declared.alias], self._reader.unmapped) if declared.alias else None

        def found(row: _Row) -> object:
            values = (_spelled(v) for get in getters if (v := get(row)) is not _MISSING and v is not None)
            texts = (text.lower() if declared.lower else text for text in values)
            first = next(texts, None)
            if first is None:
                return _MISSING if declared.default is None else declared.default
            return named(first, texts, row.at) if named else first

        return found

    def _template(self, text: str, *, metric: bool = True) -> _Text:
        """Return the function that fills a template for a row and a metric; with `metric`, `{metric}` is the name of that."""
        parts: list[str | _Text] = []
        for part in template_of(text):
            if isinstance(part, str):
                parts.append(part)
            elif metric and part.text == METRIC:
                parts.append(lambda _row, name: name)
            else:
                parts.append(self._text_of(part))
        if len(parts) == 1 and callable(parts[0]):
            return parts[0]
        if all(isinstance(part, str) for part in parts):
            constant = "".join(part for part in parts if isinstance(part, str))
            return lambda _row, _metric: constant
        return lambda row, name: "".join([part if isinstance(part, str) else part(row, name) for part in parts])

    def _text_of(self, path: FieldPath) -> _Text:
        declared = self._fields.get(path.text)
        get = declared or _getter(path, self._rows)
        if not path.of_document:
            of = self._declared.fields.get(path.text)
            used = [path.text] if of is None else sources(path.text, of)
            self._used |= {*used, *(str(path_of(text).steps[0]) for text in used)}

        def text(row: _Row, _metric: str) -> str:
            value = get(row)
            if value is _MISSING or value is None:
                self.missing[path.text] += 1
                raise RefusedError(SkipReason.MISSING_FIELD, f"no field {path.text!r} at {row.at}")
            return value if isinstance(value, str) else _spelled(value)

        return text


class _Alias:
    """A table of names: the first text that it has is replaced; without one the first text is counted, unless the table gives it."""

    def __init__(self, table: str, names: Mapping[str, str], unmapped: Counter[tuple[str, str]]) -> None:
        self._table, self._unmapped = table, unmapped
        self._patterns = [(pattern, name) for pattern, name in names.items() if _is_pattern(pattern)]
        self._known = {name: name for name in names.values()} | dict(names)
        self._of_patterns: dict[str, str | None] = {}
        self._counted: dict[str, str] = {}

    def __call__(self, text: str, others: Iterable[str], at: str) -> str:
        """Return the name of a text, or of the first of others that the table has; a row, at its place in the file, counts once."""
        for one in chain((text,), others):
            known = self._name(one)
            if known is not None:
                return known
        self._unmapped[(self._table, text)] += self._counted.get(text) != at
        self._counted[text] = at
        return text

    def _name(self, text: str) -> str | None:
        known = self._known.get(text)
        if known is None:
            if text not in self._of_patterns:
                found = (name for pattern, name in self._patterns if fnmatchcase(text, pattern))
                self._of_patterns[text] = next(found, None)
            known = self._of_patterns[text]
        return known


def _sample(value: float, factor: float, *, at: str, signed: bool) -> Samples:
    """Return one sample as `scaled` does; NumPy would take five times as long for it."""
    if -_LARGEST < value < _LARGEST and (value >= 0 or signed):
        return Samples((value * factor,))
    return scaled([value], factor, at=at, signed=signed)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _unit_of(text: str) -> tuple[Unit, float]:
    return rates.as_spelled(text) if text else (RATIO, 1.0)


def _is_pattern(text: str) -> bool:
    return any(mark in text for mark in "*?")


def _matching(text: str, row: _Row) -> list[tuple[str, _Steps]]:
    """Return the fields of a row that a field of `metrics` names, and where they are.

    A pattern such as `stats.*_ms` is of the fields in another one. Their names are of the file, and never parsed as paths.
    """
    if not _is_pattern(text):
        return [(text, _steps(text, row))]
    home, dot, last = text.rpartition(".")
    if not dot:
        return [(name, (name,)) for name in row.fields if fnmatchcase(name, text)]
    steps = _steps(home, row)
    inner = _walk(row.fields, steps)
    names = [name for name in inner if fnmatchcase(name, last)] if isinstance(inner, Mapping) else []
    return [(f"{home}.{name}", (*steps, name)) for name in names]


def _steps(text: str, row: _Row) -> _Steps:
    """Return where a declared field is in a row: its text may be a whole name with a dot, such as of a column."""
    return (text,) if text in row.fields else path_of(text).steps


def _at(steps: _Steps) -> _Get:
    """Return the function that finds the value at `steps` in a row, `_MISSING` where there is none."""
    name = steps[0]
    if len(steps) == 1 and isinstance(name, str):
        return lambda row: row.fields.get(name, _MISSING)
    return lambda row: _walk(row.fields, steps)


def _getter(path: FieldPath, rows: FieldPath) -> _Get:
    """Return the function that finds a value for a row, `_MISSING` where there is none."""
    text, steps = path.text, path.steps
    if text == KEY:
        return lambda row: row.key
    if path.of_document:
        level, rest = inner_steps(path, rows)
        return lambda row: _walk(row.around[level], rest)
    if steps == (text,):
        return _at(steps)

    def inner(row: _Row) -> object:
        value = row.fields.get(text, _MISSING)  # a name with a dot, such as of a column
        return _walk(row.fields, steps) if value is _MISSING else value

    return inner


def _walk(value: object, steps: Iterable[str | int | None]) -> object:
    for step in steps:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else _MISSING
        else:
            value = value.get(step, _MISSING) if isinstance(value, Mapping) else _MISSING
    return value


def _spelled(value: object) -> str:
    """Return a value as text: 16 and 16.0 are one text."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value).decode()


def _metadata(row: _Row, figures: Iterable[_Figure]) -> str:
    """Return the fields of a row that are no measurements, as JSON."""
    rest: dict[str, object] = dict(row.fields)
    for figure in figures:
        _leave_out(rest, figure.steps)
    return foreign.compact(rest)


def _leave_out(fields: dict[str, object], steps: _Steps) -> None:
    """Leave out a field, but no element of a list; the objects around it are copied."""
    last = steps[-1]
    for step in steps[:-1]:
        inner = fields.get(step) if isinstance(step, str) else None
        if not isinstance(step, str) or not isinstance(inner, dict):
            return
        fields[step] = inner = dict(inner)
        fields = inner
    if isinstance(last, str):
        fields.pop(last, None)


# -- layouts: the rows of a file, and what of it is not in a row --------------------------------------------------------

_Layout = tuple[Iterable[_Row], Mapping[str, object]]


def _of_json(content: Content, declared: Format, skips: list[Skip]) -> _Layout:
    document: object = foreign.decode(content.body, object, file=str(content.path))
    first = rows_of(declared.rows).steps[:1]
    context = (
        {name: value for name, value in document.items() if (name,) != first} if isinstance(document, dict) else {}
    )
    is_row = declared.rows == "$" and isinstance(document, dict)
    return _rows_of_file(document, declared.rows, skips, file=str(content.path)), {} if is_row else context


def _rows_of_file(document: object, rows: str, skips: list[Skip], *, file: str) -> Iterator[_Row]:
    """Yield each row as `_rows` does; an error names the file."""
    try:
        yield from _rows(document, rows, skips)
    except UnreadableOutputError as error:
        raise UnreadableOutputError(error.reason, file=file, json_path=error.json_path) from error


def _rows(document: object, rows: str, skips: list[Skip]) -> Iterator[_Row]:
    """Yield each row of a document. Raise `UnreadableOutputError` when there is nothing at the path of the rows."""
    steps = rows_of(rows).steps
    is_listed = not steps or steps[-1] is not None  # what is there may be a list of rows, or one row
    yield from _Elements(skips, is_listed=is_listed).rows(_Row("$", "", (document,), {_VALUE: document}), steps)


class _Elements:
    """The rows of a document: an element of an inner list that has none is skipped."""

    def __init__(self, skips: list[Skip], *, is_listed: bool) -> None:
        self._skips, self._is_listed = skips, is_listed

    def rows(self, outer: _Row, steps: Sequence[str | int | None]) -> Iterator[_Row]:
        """Yield the rows at the path `steps` from the value of a row."""
        value, at = outer.fields[_VALUE], outer.at
        for number, step in enumerate(steps):
            if step is None:
                yield from self._each(value, outer._replace(at=at), steps[number + 1 :])
                return
            at = f"{at}[{step}]" if isinstance(step, int) else f"{at}.{step}"
            value = _walk(value, (step,))
        if value is _MISSING:
            reason = "is not there; `rows` of the declaration is its path"
            raise UnreadableOutputError(reason, file="", json_path=at)
        if self._is_listed and isinstance(value, list):
            for index, row in enumerate(value):
                yield _Row(f"{at}[{index}]", str(index), outer.around, row if isinstance(row, dict) else {_VALUE: row})
        else:
            yield _Row(at, outer.key, outer.around, value if isinstance(value, dict) else {_VALUE: value})

    def _each(self, value: object, outer: _Row, rest: Sequence[str | int | None]) -> Iterator[_Row]:
        if not isinstance(value, list | dict):
            reason = "is not there" if value is _MISSING else "is no list of rows"
            raise UnreadableOutputError(reason, file="", json_path=outer.at)
        for key, element in value.items() if isinstance(value, dict) else enumerate(value):
            at = f"{outer.at}[{key}]" if isinstance(key, int) else f"{outer.at}.{key}"
            try:
                yield from self.rows(_Row(at, str(key), (*outer.around, element), {_VALUE: element}), rest)
            except UnreadableOutputError as error:
                detail = f"{error.json_path} {error.reason}"
                self._skips.append(Skip(benchmark=at, reason=SkipReason.WRONG_TYPE, detail=detail))


def _of_lines(content: Content, _declared: Format, _skips: list[Skip]) -> _Layout:
    file = str(content.path)
    lines = enumerate(bytes(content.body).split(b"\n"), 1)
    return _lines(
        (f"line {n}", foreign.decode(line, object, file=file, line=n)) for n, line in lines if line.strip()
    ), {}


def _lines(values: Iterable[tuple[str, object]]) -> Iterator[_Row]:
    for index, (at, value) in enumerate(values):
        yield _Row(at, str(index), (value,), value if isinstance(value, dict) else {_VALUE: value})


def _of_csv(content: Content, declared: Format, skips: list[Skip]) -> _Layout:
    head = bytes(content.body[:_LONGEST_HEAD]).lstrip().partition(b"\n")[0].decode("utf-8", "replace")
    columns, delimiter = _columns(head, declared)
    twice = [column for column, times in Counter(columns).items() if times > 1]
    if twice:
        reason = f"has several columns named {twice[0]!r:.60}"
        raise UnreadableOutputError(reason, file=str(content.path), line=1)
    return _cells(content, columns, delimiter, skips), {}


def _columns(head: str, declared: Format) -> tuple[list[str], str]:
    """Return the columns of a head line and their delimiter: the declared one, else the one that makes most columns."""
    found: list[tuple[list[str], str]] = [([], declared.delimiter or ",")]
    for delimiter in declared.delimiter or _DELIMITERS:
        try:
            found.append(([c.strip() for c in next(csv.reader(StringIO(head), delimiter=delimiter), [])], delimiter))
        except csv.Error:
            continue
    return max(found, key=lambda one: len(one[0]))


def _cells(content: Content, columns: Sequence[str], delimiter: str, skips: list[Skip]) -> Iterator[_Row]:
    """Yield the row of each line below the head; an empty cell is null."""
    lines = csv.reader(TextIOWrapper(BytesIO(content.text), "utf-8-sig", newline=""), delimiter=delimiter)
    below = False
    try:
        for cells in lines:
            if not any(cells):
                continue
            at = f"line {lines.line_num}"
            if below and len(cells) == len(columns):
                row = dict(zip(columns, [cell.strip() or None for cell in cells], strict=True))
                yield _Row(at, str(lines.line_num), (row,), row)
            elif below:
                detail = f"{len(cells)} cells below {len(columns)} columns"
                skips.append(Skip(benchmark=at, reason=SkipReason.LENGTH_MISMATCH, detail=detail))
            below = True
    except csv.Error as error:
        reason = f"is not valid CSV: {error}"
        raise UnreadableOutputError(reason, file=str(content.path), line=lines.line_num) from error


_LAYOUTS: Mapping[str, Callable[[Content, Format, list[Skip]], _Layout]] = {
    "json": _of_json,
    "json-lines": _of_lines,
    "csv": _of_csv,
}
