"""Options that many verbs share, the store they name, and the two kinds of output.

`bench-db --help` imports this module, so imports that it does not need are inside functions.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial, reduce
from importlib import import_module
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args, get_origin, get_type_hints

import click

from bench_db.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from click.shell_completion import CompletionItem

    from bench_db.app.compare import Compared
    from bench_db.app.parameters import Parameter
    from bench_db.app.places import Place
    from bench_db.query.selection import Selection
    from bench_db.report.text import Screen
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf

Command = Callable[..., Any]
Document = Mapping[str, Any] | list[Any]
_NEVER_CUT = 10_000  # characters of a first sentence
_WHOLE = 100
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LAST = re.compile(r"last:([1-9]\d{0,5})")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def default_uri(environment: Mapping[str, str] = os.environ) -> str:
    """Return the address of the store when no option gives one: BENCH_DB_URI, LANCE_BENCH_URI, then `~/.lance-bench`."""
    from pathlib import Path

    return environment.get("BENCH_DB_URI") or environment.get("LANCE_BENCH_URI") or str(Path.home() / ".lance-bench")


class Global(click.Option):
    """An option of every command, accepted before and after a verb; the one given last counts.

    Only the help of `bench-db` itself lists it.
    """

    def consume_value(self, ctx: click.Context, opts: Mapping[str, click.Parameter]) -> tuple[Any, Any]:
        """Take the value given here, else the one given further left; it is kept in the context's object."""
        given = ctx.ensure_object(dict)
        value, source = super().consume_value(ctx, opts)
        if source is click.core.ParameterSource.COMMANDLINE:
            given[self.name] = value
        elif self.name in given:
            return given[self.name], click.core.ParameterSource.COMMANDLINE
        return value, source

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the entry of the help; None for a verb."""
        return super().get_help_record(ctx) if ctx.parent is None else None


class Outputs(click.Choice[str]):
    """The forms that a verb has, and those of installed packages."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of a form. Raises `click.BadParameter` for one that neither the verb nor a package has."""
        if value in self.choices:
            return super().convert(value, param, ctx)
        from bench_db.cli.renderers import installed

        others = installed()
        if value in others:
            return str(value)
        if not others:
            return super().convert(value, param, ctx)
        known = ", ".join(map(repr, (*self.choices, *others)))
        return self.fail(f"{value!r} is not one of {known}.", param, ctx)


class Formats(Global):
    """The option --output of a verb with formats of its own; the help of the verb lists them."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the entry of the help."""
        return click.Option.get_help_record(self, ctx)


def _logging(_: click.Context, __: click.Parameter, wanted: bool) -> None:
    if wanted:
        import_module("bench_db.cli.logs").start("debug", os.environ)


def _limiting(_: click.Context, __: click.Parameter, count: int | None) -> None:
    if count is not None:
        import_module("bench_db.threads").use(count)
        os.environ.setdefault("POLARS_MAX_THREADS", str(count))  # Polars reads it when it is imported
        # Never 1: with all thread variables of Lance and rayon at 1, a process waited for minutes.
        os.environ.setdefault("LANCE_CPU_THREADS", str(max(2, count)))


def _unused(ctx: click.Context, _: click.Parameter, given: str | None) -> None:
    if given is not None:
        message = f"{ctx.command_path} does not use --store; leave it out"
        raise click.UsageError(message, ctx)


_STORE = partial(
    Global, ["--store", "uri"], metavar="URI", help="The store: a directory or s3://bucket/prefix [env: BENCH_DB_URI]."
)
_OUTPUT = partial(
    Global,
    ["--output"],
    type=Outputs(["text", "json"]),
    default="text",
    show_default=True,
    help="Write text for people, one JSON document, or a form that an installed package adds.",
)
_FORMATS = partial(
    Formats,
    ["--output"],
    type=Outputs(["text", "json", "csv", "parquet"]),
    default="text",
    show_default=True,
    help="Write text for people, one JSON document, CSV, or a Parquet file, which needs a pipe or a file.",
)
_MESSAGES = (
    partial(
        Global,
        ["--verbose"],
        is_flag=True,
        expose_value=False,
        callback=_logging,
        help="Log requests, retries, conflicts and maintenance to stderr [env: BENCH_DB_LOG=info or debug].",
    ),
    partial(
        Global,
        ["--threads"],
        type=click.IntRange(1),
        metavar="N",
        envvar="BENCH_DB_THREADS",
        expose_value=False,
        callback=_limiting,
        help="Threads to compute with; all cores that the process or its container may use by default [env: BENCH_DB_THREADS].",
    ),
    partial(Global, ["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error, too."),
)
GLOBAL_NOTE = "Global options such as --store, --output and --verbose: see 'bench-db --help'."


def equip(command: click.Command) -> None:
    """Add the global options that a command, and each of its sub-commands, does not have yet; lists have whole first sentences."""
    command.short_help = command.get_short_help_str(_NEVER_CUT)
    known = {parameter.name for parameter in command.params}
    group = isinstance(command, click.Group)
    store = partial(_STORE, expose_value=False, **({} if group else {"callback": _unused}))
    missing = (store, partial(_OUTPUT, expose_value=False), *_MESSAGES)
    command.params += [option for option in (make() for make in missing) if option.name not in known]
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        equip(inner)
    if command.epilog is None:
        command.epilog = GLOBAL_NOTE


def _added(make: Callable[[], click.Option]) -> Callable[[Command], Command]:
    """Return a decorator that adds an option, as `click.option` does."""

    def add(command: Command) -> Command:
        command.__dict__.setdefault("__click_params__", []).append(make())
        return command

    return add


# A flag -> its name in earlier releases, which is an alias.
_EARLIER = {"--test-bed-class": "--testbed-class", "--test-bed-name": "--testbed-name"}


def option(flag: str, *name: str, **settings: Any) -> Callable[[Command], Command]:
    """Return `click.option` for a flag and, when it had another name in earlier releases, that alias."""
    aliases = (_EARLIER[flag],) if flag in _EARLIER else ()
    return click.option(flag, *aliases, *(name or (flag.removeprefix("--").replace("-", "_"),)), **settings)


_COMMON = tuple(map(_added, (_STORE, _OUTPUT)))
SINGLE_WRITER = click.option(
    "--single-writer", is_flag=True, help="Accept a bucket that cannot keep concurrent writers apart."
)
AS_OF = click.option("--as-of", metavar="WHEN", help="Read the store as it was: a version, a tag or a date.")


def benchmark_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the benchmarks of the store that contain the text typed so far; none when the store cannot be read."""
    from click.shell_completion import CompletionItem

    from bench_db.errors import BenchDbError
    from bench_db.query.selection import natural_key

    try:
        names = open_store(ctx.ensure_object(dict).get("uri")).latest()["benchmark_name"].unique()
    except BenchDbError:
        return []
    return [CompletionItem(name) for name in sorted(names, key=natural_key) if incomplete in name]


_SELECTION: dict[str, Callable[[Command], Command]] = {
    "benchmark": click.option(
        "--benchmark",
        metavar="GLOB",
        shell_complete=benchmark_names,
        help="Only benchmarks with this name; * and ? are wildcards.",
    ),
    "test_bed_name": option("--test-bed-name", metavar="NAME", help="Only results of this test bed."),
    "dut_name": click.option("--dut-name", metavar="NAME", help="Only results of this device under test."),
    "branch": click.option("--branch", metavar="NAME", help="Results of this branch, instead of the main history."),
    "pr_number": click.option(
        "--pr",
        "pr_number",
        type=click.IntRange(1),
        metavar="N",
        help="Results of this pull request, instead of the main history.",
    ),
    "everything": click.option(
        "--all",
        "everything",
        is_flag=True,
        help="Results of every branch and pull request, not the main history alone.",
    ),
    "suite": click.option("--suite", metavar="NAME", help="Only results of this suite."),
    "metric": click.option("--metric", metavar="NAME", help="Only results of this metric, such as time."),
    "tags": click.option(
        "--tag", "tags", metavar="K=V", multiple=True, help="Only results with this tag; may be repeated."
    ),
    "since": click.option(
        "--since", metavar="DATE", help='Only commits of this date or later, such as 2026-01-31 or "2 weeks ago" (UTC).'
    ),
    "until": click.option(
        "--until", metavar="DATE", help="Only commits of this date or earlier; a day counts to its end."
    ),
}
COLLECTION = click.option(
    "--collection",
    metavar="URI",
    help="Instead of --store: every store directly below this directory or prefix; each row names its store.",
)
ENGINE = click.option(
    "--engine",
    metavar="ENGINE",
    help="Compute on other processes or machines: local:N, dask, dask:ADDRESS, ray or ray:ADDRESS.",
)
TABLE = click.option(
    "--table",
    type=click.Choice(["latex", "html", "csv"]),
    help="Write the text as a table for a paper, a page or a spreadsheet.",
)


def common(command: Command) -> Command:
    """Add the options that every verb with a store has."""
    return _with(command, _COMMON)


def reading(command: Command) -> Command:
    """Add the options of a verb that reads the store."""
    return _with(command, (*_COMMON, AS_OF))


def reading_frames(command: Command) -> Command:
    """Add the options of a verb that reads the store and answers with a frame of any columns."""
    return _with(command, (_COMMON[0], _added(_FORMATS), AS_OF))


def measuring(command: Command) -> Command:
    """Add the options of a verb that measures commits on this machine: the configuration, the clone and the work trees."""
    from pathlib import Path

    clone = click.Path(file_okay=False, path_type=Path)
    options = (
        click.option("--config", "config_file", metavar="FILE", default="bench-db.toml", show_default=True),
        click.option("--clone", type=clone, default=".", show_default=True, help="The local clone."),
        click.option("--work-dir", metavar="DIR", default=".bench-db", show_default=True, help="Work trees and logs."),
    )
    return _with(command, options)


def storeless(command: Command) -> Command:
    """Add the options of a verb that opens no store; it refuses --store."""
    return _with(command, _COMMON[1:])


def selecting(*, without: str = "") -> Callable[[Command], Command]:
    """Return a decorator that adds the conditions on results, passed on as keyword arguments for `selection`.

    `without` leaves out one, by the name of its argument.
    """
    chosen = tuple(_SELECTION[name] for name in _SELECTION if name != without)
    return lambda command: _with(command, chosen)


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    return reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


class Percent(click.ParamType[float]):
    """A percentage as `5`, `5%` or `5 %`, read as the number 5.

    A number below 1 needs the sign: 0.05 alone may mean 0.05 % or, as a fraction, 5 %.
    """

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number before the percent sign; a usage error when it is not one, or may mean two things."""
        if not isinstance(value, str):
            return float(str(value))
        number, sign = _number(value)
        if number is None or number < 0:
            self.fail(f"{value!r} is not a percentage; examples: 5, 5%, 0.5%", param, ctx)
        if 0 < number < 1 and not sign:
            self.fail(
                f"{value} may mean {number:g} % or {_WHOLE * number:g} %; write {number:g}% or {_WHOLE * number:g}%",
                param,
                ctx,
            )
        return number


class Fraction(click.ParamType[float]):
    """A share between 0 and 1 as `0.05`, or as the percentage `5%`; 0 is included only when `zero`."""

    name = "fraction"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share; a usage error when it is not between 0 and 1."""
        if not isinstance(value, str):
            return float(str(value))
        number, sign = _number(value)
        share = None if number is None else number / _WHOLE if sign else number
        if share is None or not 0 <= share <= 1 or (share == 0 and not self._zero):
            unsigned = number is not None and not sign and 1 < number <= _WHOLE
            meant = f"; {value} percent is written {value}%" if unsigned else ""
            self.fail(f"{value!r} is not a share between 0 and 1, such as 0.05 or 5%{meant}", param, ctx)
        return share


def _number(text: str) -> tuple[float | None, bool]:
    """Return a finite number, None when there is none, and whether a percent sign follows it."""
    digits, sign, rest = text.strip().partition("%")
    try:
        number = float(digits)
    except ValueError:
        return None, False
    return (number if math.isfinite(number) and not rest else None), bool(sign)


PERCENT = Percent()


class Minutes(click.ParamType[float]):
    """A duration as `30m`, `90s` or `1.5h`, read as minutes."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the minutes; a usage error for anything but a positive number and a unit."""
        found = _DURATION.fullmatch(str(value))
        minutes = float(found[1]) * _SECONDS[found[2]] / 60 if found else 0.0
        if minutes <= 0:
            self.fail(f"{value!r} is not a duration; examples: 30m, 90s, 1.5h", param, ctx)
        return minutes


class StatedOfOne(TypedDict, total=False):
    """The values of the options of `selecting` beside a benchmark, as the user wrote them."""

    test_bed_name: str | None
    dut_name: str | None
    branch: str | None
    pr_number: int | None
    everything: bool
    suite: str | None
    metric: str | None
    tags: tuple[str, ...]
    since: str | None
    until: str | None


class Stated(StatedOfOne, total=False):
    """The values of all options of `selecting`, as the user wrote them."""

    benchmark: str | None


def selection(**stated: Unpack[Stated]) -> Selection:
    """Return the selection that the options of `selecting` describe."""
    from bench_db.query.selection import Conditions, selection_of

    conditions = Conditions(
        benchmark=stated.get("benchmark"),
        test_bed_name=stated.get("test_bed_name"),
        dut_name=stated.get("dut_name"),
        branch=stated.get("branch"),
        pr_number=stated.get("pr_number"),
        everything=stated.get("everything", False),
        suite=stated.get("suite"),
        metric=stated.get("metric"),
        tags=pairs(stated.get("tags", ())),
        since=stated.get("since"),
        until=stated.get("until"),
    )
    return selection_of(None, conditions)


def pairs(texts: tuple[str, ...]) -> dict[str, str]:
    """Return `K=V` texts as a dictionary; `UserError` for text of another form."""
    split = [text.partition("=") for text in texts]
    wrong = next((text for text, (name, sign, _) in zip(texts, split, strict=True) if not (name and sign)), None)
    if wrong is not None:
        message = f"--tag {wrong}: a tag is written K=V, as in --tag k=10"
        raise UserError(message)
    return given_once("--tag", [(name, value) for name, _, value in split])


def given_once(flag: str, given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what a repeated flag gives to names; `UserError` for a name with two values."""
    found: dict[str, str] = {}
    for name, value in given:
        if found.setdefault(name, value) != value:
            one, other = (f"{name}={text}" if name else text for text in (value, found[name]))
            message = f"{flag} {one}: contradicts {flag} {other}; give one of them"
            raise UserError(message)
    return found


def open_store(
    uri: str | None, *, create: bool = False, single_writer: bool = False, damaged: bool = False
) -> Database:
    """Open the store that an option, or else the environment, names; with `damaged` also one whose tables cannot be opened."""
    from bench_db.store.database import connect, unopened

    address = uri or default_uri()
    store = unopened(address) if damaged else connect(address, create, single_writer=single_writer)
    command = click.get_current_context(silent=True)  # none while a word is completed
    if command is not None:
        command.with_resource(store.one_look())
    return store


def open_collection(address: str, uri: str | None) -> Place:
    """Return the place of a collection; raise `UserError` when --store is given, too."""
    from bench_db.app.places import place

    if uri is not None:
        message = "--collection asks every store below an address and --store a single one; leave one of them out"
        raise UserError(message)
    return place(address)


def emit(
    output: str,
    document: Document | Callable[[], Document],
    text: Callable[[], str],
    *,
    history: Callable[[], str] | None = None,
) -> None:
    """Write one JSON document, what a renderer makes of it, or text, to stdout; a function makes only the one that is written.

    Whose `history` an answer is of is said on stderr; only a JSON object says it itself.
    """
    if output == "text":
        _say(history)
        click.echo(text(), color=screen().colour)
        return
    import json

    from bench_db.report.document import versioned

    made = document() if callable(document) else document
    if isinstance(made, list):
        _say(history)
    full = made if isinstance(made, list) else versioned(made)
    as_json = partial(json.dumps, full, ensure_ascii=False, indent=2, allow_nan=False)
    if output == "json":
        click.echo(as_json())
        return
    from bench_db.cli.renderers import rendered

    click.echo(rendered(output, json.loads(as_json())))


def _say(history: Callable[[], str] | None) -> None:
    if history is not None:
        click.echo(f"of {history()}", err=True)


def whose(
    compared: Compared, store: Database, branch: str | None, baseline: str | None, baseline_branch: str | None
) -> str:
    """Describe whose results were compared; when nothing could be judged, say which options compare with enough runs."""
    from bench_db.rules import RULES

    if any(one.effect is not None for one in compared.comparisons):
        return compared.history
    last = _LAST.fullmatch(baseline or "")
    asked = int(last[1]) if last else RULES.baseline_runs
    enough = f"--baseline last:{RULES.baseline_runs}" if asked < RULES.baseline_runs else ""
    has_few = all(one.n_baseline < min(asked, RULES.baseline_runs) for one in compared.comparisons)
    if branch is not None and baseline_branch is None and has_few:
        others = sorted(set(store.history().main.values()) - {branch})
        how = f": compare with those of {others[0]} by --baseline-branch {others[0]} {enough}" if others else ""
        return f"{compared.history}\nbranch {branch} has too few results of its own{how.rstrip()}"
    few = f"\n{baseline} is too few runs: a verdict needs {RULES.baseline_runs} runs of the baseline, as {enough} has"
    return compared.history + (few if enough else "")


def emit_found(
    output: str,
    document: Document | Callable[[], Document],
    text: Callable[[], str],
    *,
    found: bool,
    why: Callable[[], str | None],
    history: Callable[[], str] | None = None,
) -> None:
    """Write an answer as `emit` does; when nothing was `found` and `why` gives a reason, raise it as `UserError`.

    The JSON document is written even then. Without a reason an empty answer is no error: no condition was given. Of an empty
    answer no history is said.
    """
    reason = None if found else why()
    if reason is None or output != "text":
        emit(output, document, text, history=history if found else None)
    if reason is not None:
        raise UserError(reason)


def reason(store: Database, chosen: Selection, as_of: AsOf | None = None) -> str | None:
    """Return why no result matches a selection; None when it has no condition and nothing is published."""
    from bench_db.app.runs import no_results

    is_filled = not store.runs(as_of).limit(1).collect().is_empty()
    if chosen.is_empty and not (is_filled and store.latest(as_of=as_of).is_empty()):
        return None
    return no_results(store, chosen, as_of)


def screen(environment: Mapping[str, str] = os.environ) -> Screen:
    """Return how wide the terminal on stdout is and whether it wants colour; a file or a pipe has neither.

    NO_COLOR, FORCE_COLOR, TERM=dumb and COLUMNS are honoured.
    """
    import shutil

    from bench_db.report.text import Screen

    terminal = sys.stdout.isatty()
    wanted = bool(environment.get("FORCE_COLOR")) or (terminal and environment.get("TERM") != "dumb")
    width = shutil.get_terminal_size((0, 0)).columns if terminal else 0
    return Screen(width=width or None, colour=wanted and not environment.get("NO_COLOR"))


def declared(declaration: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds an option for each annotated key of a TypedDict."""
    hints = get_type_hints(declaration, include_extras=True).items()
    made = [_declared(name, *get_args(hint)) for name, hint in hints]
    return lambda command: reduce(lambda wrapped, option: option(wrapped), reversed(made), command)


def _declared(name: str, hint: object, parameter: Parameter) -> Callable[..., Any]:
    flag = parameter.flag or f"--{name.replace('_', '-')}"
    return option(flag, name, help=parameter.help, metavar=parameter.metavar, **_type_of(hint, parameter))


def _type_of(hint: object, parameter: Parameter) -> dict[str, Any]:
    """Return the keyword arguments by which click takes values of a type."""
    from pathlib import Path

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
