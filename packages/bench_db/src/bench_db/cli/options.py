"""What many verbs have in common: options, where the store is, and the two kinds of output."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import click

from bench_db.clock import unix_time
from bench_db.errors import UserError

if TYPE_CHECKING:
    from bench_db.app.parameters import Parameter
    from bench_db.query.selection import Selection
    from bench_db.store.database import Database

Command = Callable[..., Any]
Document = Mapping[str, Any] | list[Any]


def default_uri(environment: Mapping[str, str] = os.environ) -> str:
    """The store's address when none is given: BENCH_DB_URI, then LANCE_BENCH_URI, then `~/.lance-bench`."""
    return environment.get("BENCH_DB_URI") or environment.get("LANCE_BENCH_URI") or str(Path.home() / ".lance-bench")


_COMMON = (
    click.option("--store", "uri", metavar="URI", help="A directory or s3://bucket/prefix [env: BENCH_DB_URI]."),
    click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True),
    click.option("--debug", is_flag=True, expose_value=False, help="Show the whole traceback of an error."),
)
_AS_OF = click.option("--as-of", metavar="WHEN", help="Read the store as it was: a version, a tag, or a date.")
_SELECTION = (
    click.option("--benchmark", metavar="GLOB", help="Only benchmarks of this name; * and ? are wildcards."),
    click.option("--testbed-name", metavar="NAME", help="Only this test bed."),
    click.option("--dut-name", metavar="NAME", help="Only this device under test."),
    click.option("--branch", help="Only this branch."),
    click.option("--suite", help="Only this suite."),
    click.option("--metric", help="Only this metric, such as time."),
    click.option("--tag", "tags", metavar="K=V", multiple=True, help="Only results with this tag; may be repeated."),
    click.option("--since", metavar="DATE", help="Only commits of this date or later."),
    click.option("--until", metavar="DATE", help="Only commits of this date or earlier."),
)
TABLE = click.option(
    "--table", type=click.Choice(["latex", "html", "csv"]), help="Text as a table for a paper, a page or a spreadsheet."
)


def common(command: Command) -> Command:
    """The options every verb has."""
    return _with(command, _COMMON)


def reading(command: Command) -> Command:
    """The options of a verb that reads the store."""
    return _with(command, (*_COMMON, _AS_OF))


def selecting(*, without: str = "") -> Callable[[Command], Command]:
    """The options that narrow down results, passed on as keyword arguments for `selection`."""
    chosen = _SELECTION[1:] if without == "benchmark" else _SELECTION
    return lambda command: _with(command, chosen)


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    return reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


def selection(
    *, tags: tuple[str, ...] = (), since: str | None = None, until: str | None = None, **exact: Any
) -> Selection:
    """The selection that the options of `selecting` describe."""
    from bench_db.query.selection import Selection

    return Selection(
        tags=pairs(tags),
        since=None if since is None else unix_time(since, "--since"),
        until=None if until is None else unix_time(until, "--until", end=True),
        **exact,
    )


def pairs(texts: tuple[str, ...]) -> dict[str, str]:
    """`K=V` texts as a dictionary."""
    split = [text.partition("=") for text in texts]
    wrong = next((text for text, (name, sign, _) in zip(texts, split, strict=True) if not (name and sign)), None)
    if wrong is not None:
        message = f"--tag {wrong}: a tag is written K=V, as in --tag k=10"
        raise UserError(message)
    return {name: value for name, _, value in split}


def open_store(uri: str | None, *, create: bool = False, single_writer: bool = False) -> Database:
    """The store an option, or else the environment, names."""
    from bench_db.store.database import connect

    return connect(uri or default_uri(), create, single_writer=single_writer)


def emit(output: str, document: Document | Callable[[], Document], text: Callable[[], str]) -> None:
    """Write one JSON document, or text, to stdout; a function makes only the one that is written."""
    if output != "json":
        click.echo(text())
        return
    from bench_db.report.document import versioned

    made = document() if callable(document) else document
    full = made if isinstance(made, list) else versioned(made)
    click.echo(json.dumps(full, ensure_ascii=False, indent=2, allow_nan=False))


def declared(declaration: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds an option for each annotated key of a TypedDict."""
    hints = get_type_hints(declaration, include_extras=True).items()
    made = [_declared(name, *get_args(hint)) for name, hint in hints]
    return lambda command: reduce(lambda wrapped, option: option(wrapped), reversed(made), command)


def _declared(name: str, hint: object, parameter: Parameter) -> Callable[..., Any]:
    flag = parameter.flag or f"--{name.replace('_', '-')}"
    return click.option(flag, name, help=parameter.help, metavar=parameter.metavar, **_type_of(hint, parameter))


def _type_of(hint: object, parameter: Parameter) -> dict[str, Any]:
    """Return the keyword arguments by which click takes values of a type."""
    [kind, *_] = [each for each in get_args(hint) if each is not NoneType] or [hint]
    if hint is bool:
        return {"is_flag": True}
    if get_origin(hint) is tuple:
        return {"multiple": True}
    if kind is int:
        return {"type": int if parameter.least is None else click.IntRange(parameter.least)}
    if kind is float:
        return {"type": float}
    if kind is Path:
        return {"type": click.Path(file_okay=False, path_type=Path)}
    return {"type": click.Choice(get_args(kind))} if get_origin(kind) is Literal else {}
