"""Declared formats: the tables `[format.NAME]` and `[alias.NAME]`, which map the records of a file to results without code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field, structs

from bench_db.errors import UserError
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Fault = tuple[tuple[str, ...], str]
Aliases = dict[str, dict[str, str]]

KEY = "$key"  # the key or the index of a row in the object or list it comes from
METRIC = "metric"  # in `name`, `suite` and `tags`: the name of the metric
ALL = "*"
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
_STEP = re.compile(r"""\.([^.\[\]]+) | \[(\d+)\] | (\[\*\]) | \["([^"]+)"\]""", re.VERBOSE)
_TOKEN = re.compile(r"\{\{ | \}\} | \{([^{}]*)\} | [{}]", re.VERBOSE)
_LONGEST_INDEX = 9  # digits


@dataclass(frozen=True, slots=True)
class FieldPath:
    """Where a value is: `steps` into the row, or into the document with `of_document`; None is `[*]`.

    `text` is the path as written, which may also be the whole name of a field in the row.
    """

    text: str
    steps: tuple[str | int | None, ...]
    of_document: bool = False


Template = tuple[str | FieldPath, ...]


class Field(Struct, frozen=True, forbid_unknown_fields=True):
    """A field that templates can name: the first of `field` that the row has, by default the field of its own name.

    `lower` writes it in lower case, then `alias` names the table that gives its name: that of the first of `field` that the table has.
    `default` is its text where the row has none.
    """

    field: str | list[str] = []
    lower: bool = False
    alias: str = ""
    default: str | None = None


class Measure(Struct, frozen=True, forbid_unknown_fields=True):
    """How a field of numbers is read: its unit, by default that of its suffix, and its direction, by default that of the unit.

    `metric` names the metric, by default as the field without that suffix. `unit` and `metric` are templates. A row without an
    `optional` field has no such result.
    """

    unit: str = ""
    better: Literal["lower", "higher", "info"] | None = None
    metric: str = ""
    optional: bool = False


class RunFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """Templates of what the rows of one run have in common. Rows that differ in any but the times are of several runs."""

    id: str = ""
    commit: str = ""
    branch: str = ""
    version: str = ""
    time: str = ""
    commit_time: str = ""
    test_bed: str = ""


class Version(Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a format: the fields that its rows have, and what it changes and adds to the tables of the format."""

    has: list[str]
    name: str = ""
    suite: str = ""
    fields: dict[str, Field] = {}
    tags: list[str] | dict[str, str] = []
    metrics: list[str] | dict[str, Measure] = []


class Format(Struct, frozen=True, forbid_unknown_fields=True):
    """One declared format. `name`, `suite`, the values of `tags` and those of `run` are templates such as `{model}/{size}`.

    `has` are the fields by which a file is recognised; without them, and without versions, a format is chosen by its name alone.
    `rows` is the path of the rows in a JSON document. `metrics` are names or patterns of the fields of numbers, of which `ignore` are
    none; `*` takes those that nothing else in the declaration names. Of `repeated` rows
    with the same names, each is a result of its own (`apart`), or all are `samples` of one.
    """

    name: str = ""
    layout: Literal["json", "json-lines", "csv"] = "json"
    rows: str = "$"
    delimiter: str = ""
    has: list[str] = []
    suite: str = ""
    fields: dict[str, Field] = {}
    tags: list[str] | dict[str, str] = []
    metrics: list[str] | dict[str, Measure] = []
    ignore: list[str] = []
    repeated: Literal["apart", "samples"] = "apart"
    run: RunFacts = field(default_factory=RunFacts)
    version: dict[str, Version] = {}
    summary: str = ""

    def versions(self) -> dict[str, Format]:
        """Return the format with the changes of each version, in order, by its name; the format itself by "" without versions."""
        return {name: self._with(one) for name, one in self.version.items()} or {"": self}

    def _with(self, version: Version) -> Format:
        return structs.replace(
            self,
            has=version.has,
            name=version.name or self.name,
            suite=version.suite or self.suite,
            fields=self.fields | version.fields,
            tags=tag_templates(self.tags) | tag_templates(version.tags),
            metrics=measures(version.metrics) | measures(self.metrics),
            version={},
        )


class Formats(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of declared formats alone: `[format.NAME]`, and the tables `[alias.NAME]` that they refer to."""

    format: dict[str, Format] = {}
    alias: Aliases = {}


def tag_templates(tags: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Return the template of each tag; a list names the fields that are tags."""
    return dict(tags) if isinstance(tags, dict) else {name: f"{{{name}}}" for name in tags}


def measures(metrics: Sequence[str] | Mapping[str, Measure]) -> dict[str, Measure]:
    """Return how each field or pattern is read; a list names them."""
    return dict(metrics) if isinstance(metrics, dict) else {name: Measure() for name in metrics}


def path_of(text: str) -> FieldPath:
    """Parse the path of a field, such as `hw`, `stats.mean_ms`, `runs[0].ms` or `$.context.sha`. Raise `UserError` for another text."""
    of_document = text.startswith("$") and text != KEY
    rest = text[1:] if of_document else f".{text}"
    steps: list[str | int | None] = []
    end = 0
    while end < len(rest):
        step = _STEP.match(rest, end)
        if step is None or len(step[2] or "") > _LONGEST_INDEX:
            message = f"{text!r} is no path of a field; such as hw, stats.mean_ms, runs[0].ms or $.context.sha"
            raise UserError(message)
        steps.append(int(step[2]) if step[2] else None if step[3] else step[1] or step[4])
        end = step.end()
    return FieldPath(text, tuple(steps), of_document)


def rows_of(text: str) -> FieldPath:
    """Parse the path of the rows in a document, such as `results`, `results[*]` or `$.suites[*].cases[*]`."""
    return path_of(text if text.startswith("$") else f"$.{text}")


def template_of(text: str) -> Template:
    """Parse a template: text with fields in braces, `{{` and `}}` for braces. Raise `UserError` for another text."""
    parts: list[str | FieldPath] = []
    end = 0
    for token in _TOKEN.finditer(text):
        parts += [text[end : token.start()]] if token.start() > end else []
        end = token.end()
        if token[0] in {"{", "}"}:
            message = f"{text!r} has a brace without its other one; write {{{{ or }}}} for a brace in the text"
            raise UserError(message)
        parts.append(token[0][0] if token[1] is None else path_of(token[1]))
    return (*parts, text[end:]) if end < len(text) else tuple(parts)


def inner_steps(path: FieldPath, rows: FieldPath) -> tuple[int, tuple[str | int, ...]]:
    """Return the list of `rows` whose element around a row a path of the document is in, 0 for the document, and the steps from there.

    Raise `UserError` for a path through another list.
    """
    level = start = 0
    stars = [index + 1 for index, step in enumerate(rows.steps) if step is None]
    for number, end in enumerate(stars, 1):
        if path.steps[:end] == rows.steps[:end]:
            level, start = number, end
    rest = tuple(step for step in path.steps[start:] if step is not None)
    if len(rest) < len(path.steps) - start:
        message = f"{path.text!r} is a list of values; a list around the rows is one of `rows`, here {rows.text}"
        raise UserError(message)
    return level, rest


def faults(formats: Mapping[str, Format], aliases: Aliases) -> Iterator[Fault]:
    """Yield what is wrong with declared formats: the keys and the reason."""
    for name, declared in formats.items():
        for keys, reason in _faults(name, declared, aliases):
            yield ("format", name, *keys), reason


def _faults(name: str, declared: Format, aliases: Aliases) -> Iterator[Fault]:
    if not _NAME.fullmatch(name):
        yield (), "the name of a format is of letters, digits and . _ + -"
    is_table = declared.layout == "csv"
    if declared.delimiter and not (is_table and len(declared.delimiter) == 1):
        yield ("delimiter",), 'one character, and only with layout = "csv"'
    if declared.rows != "$" and declared.layout != "json":
        yield ("rows",), f'a path is for layout = "json"; of {declared.layout} each line is a row'
    try:
        rows = rows_of(declared.rows)
    except UserError as error:
        yield ("rows",), str(error)
        return
    yield from _unreachable(declared)
    for version, whole in declared.versions().items():
        keys = ("version", version) if version else ()
        if not whole.name:
            yield (*keys, "name"), "needs a template of the names of benchmarks, such as {model}/{size}"
        if not whole.metrics:
            yield (*keys, "metrics"), 'needs the fields of numbers, such as ["*_ms"]'
        for at, reason in _faults_of_templates(whole, rows, aliases):
            mine = declared.version[version] if version else declared
            inner = keys if version and _has(mine, at) else ()
            yield (*inner, *at), reason


def _has(version: Version | Format, keys: tuple[str, ...]) -> bool:
    stated = getattr(version, keys[0], None)
    return bool(stated) and (len(keys) == 1 or not isinstance(stated, dict) or keys[1] in stated)


def _unreachable(declared: Format) -> Iterator[Fault]:
    earlier: dict[str, set[str]] = {}
    for name, version in declared.version.items():
        has = set(version.has)
        if not has:
            yield ("version", name, "has"), "needs the fields by which its rows are known"
        other = next((other for other, fields in earlier.items() if fields <= has), None)
        if has and other is not None:
            yield ("version", name), f"is never chosen: every row that has its fields is of {other}, which precedes it"
        earlier[name] = has
    if declared.version and declared.has:
        yield ("has",), "each version has its own"


def _faults_of_templates(whole: Format, rows: FieldPath, aliases: Aliases) -> Iterator[Fault]:
    """Yield what is wrong with the templates and fields of a format, or of one version of it."""
    for number, name in enumerate(whole.has):
        yield from _tried(("has",), name, rows, path_only=True)
        if name in whole.has[:number]:
            yield ("has",), f"{name!r} is there twice"
    texts: list[tuple[tuple[str, ...], str]] = [(("name",), whole.name), (("suite",), whole.suite)]
    texts += [(("tags", tag), text) for tag, text in tag_templates(whole.tags).items()]
    texts += [(("run", fact), text) for fact, text in structs.asdict(whole.run).items()]
    for name, measure in measures(whole.metrics).items():
        texts += [(("metrics", name, "unit"), measure.unit), (("metrics", name, "metric"), measure.metric)]
        if ALL not in name and "?" not in name:
            yield from _tried(("metrics", name), name, rows, path_only=True)
        if name.startswith("$"):
            yield ("metrics", name), "numbers are in the rows; `rows` is the path of these"
    for keys, text in texts:
        yield from _tried(keys, text, rows)
    for name, one in whole.fields.items():
        for source in sources(name, one):
            yield from _tried(("fields", name, "field"), source, rows, path_only=True)
        if one.alias and one.alias not in aliases:
            near = get_close_matches(one.alias, aliases, RULES.nearest_names)
            known = f"nearest: {', '.join(near)}" if near else f"there is: {', '.join(aliases) or 'none'}"
            yield ("fields", name, "alias"), f"there is no table [alias.{one.alias}]; {known}"


def sources(name: str, one: Field) -> list[str]:
    """Return the paths of the fields that a declared field is made of."""
    return [one.field] if isinstance(one.field, str) else one.field or [name]


def _tried(keys: tuple[str, ...], text: str, rows: FieldPath, *, path_only: bool = False) -> Iterator[Fault]:
    try:
        for part in (path_of(text),) if path_only else template_of(text):
            if isinstance(part, FieldPath) and part.of_document:
                inner_steps(part, rows)
            elif isinstance(part, FieldPath) and None in part.steps:
                yield keys, f"{part.text!r} is a list of values; name one of them, such as [0], or make it the `rows`"
    except UserError as error:
        yield keys, str(error)
