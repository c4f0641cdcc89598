"""`bench-db baseline`: named pointers to what candidates are compared with."""

from __future__ import annotations

import getpass
import time
from dataclasses import asdict, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import click

from bench_db.cli.options import common, emit, open_store
from bench_db.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench_db.model import Baseline


@click.group("baseline")
def command() -> None:
    """Set, show, list and clear baselines. Every setting is kept; the newest of a name holds.

    Example: bench-db baseline set release 1a2b3c4
    """


_SCOPE = (
    click.option("--dut-name", metavar="NAME", help="For this device under test alone."),
    click.option("--testbed-name", metavar="NAME", help="For this test bed alone."),
    click.option("--branch", metavar="NAME", help="For candidates of this branch alone."),
)


def scoped(wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where a baseline holds; None for everywhere."""
    return reduce(lambda inner, option: option(inner), reversed(_SCOPE), wrapped)


@command.command("set")
@click.argument("name")
@click.argument("commit")
@scoped
@click.option("--by", help="Who sets it. [default: the user]")
@common
def set_(name: str, commit: str, by: str | None, uri: str | None, output: str, **scope: Any) -> None:
    """Point NAME at COMMIT (or latest), which must have results. Where several scopes hold, the narrowest does.

    Example: bench-db baseline set main 1a2b3c4 --branch release-1.x
    """
    from bench_db.app.baselines import candidate_of, checked_name, scope_text
    from bench_db.model import Baseline
    from bench_db.query.selection import Selection

    store = open_store(uri)
    chosen = Selection(dut_name=scope["dut_name"], testbed_name=scope["testbed_name"])
    if chosen != Selection() and store.latest(chosen).is_empty():
        message = "there are no results of this device and test bed; 'bench-db latest' lists what there is"
        raise UserError(message)
    full = candidate_of(store, commit, replace(chosen, branch=scope["branch"]))
    now = int(time.time())
    given = Baseline(name=checked_name(name), commit=full, set_at=now, set_by=by or user())
    pointer = store.set_baseline(replace(given, **scope))
    emit(output, _document(pointer), lambda: f"{name} is {pointer.commit}, for {scope_text(pointer)}")


@command.command("show")
@click.argument("name")
@scoped
@click.option("--history", is_flag=True, help="Every setting of NAME there ever was, oldest first.")
@common
def show(name: str, uri: str | None, output: str, *, history: bool, **scope: Any) -> None:
    """Show where NAME points, since when and by whom; with a scope what holds there.

    Example: bench-db baseline show release
    """
    store = open_store(uri)
    if history:
        settings = [pointer for pointer in store.baselines(history=True) if pointer.name == name]
        _refuse_unknown(name, settings)
        emit(output, {"baselines": [_document(b) for b in settings]}, lambda: "\n".join(map(_line, settings)))
        return
    named = [pointer for pointer in store.baselines() if pointer.name == name]
    holds = store.baseline(name, **scope)
    shown = named if not any(scope.values()) and len(named) == 1 else [b for b in (holds,) if b is not None]
    if named and not shown:
        from bench_db.app.baselines import scope_text

        message = f"baseline {name!r} holds for {'; '.join(map(scope_text, named))}: say which"
        raise UserError(message)
    _refuse_unknown(name, shown)
    emit(output, _document(shown[0]), lambda: _line(shown[0]))


@command.command("list")
@common
def list_(uri: str | None, output: str) -> None:
    """List the baselines that hold.

    Example: bench-db baseline list
    """
    found = open_store(uri).baselines()
    emit(output, {"baselines": [_document(b) for b in found]}, lambda: "\n".join(map(_line, found)) or "no baselines")


@command.command("clear")
@click.argument("name")
@scoped
@common
def clear(name: str, uri: str | None, output: str, **scope: Any) -> None:
    """Clear NAME, as it is set for exactly this scope; its history stays.

    Example: bench-db baseline clear release
    """
    from bench_db.model import Baseline

    store, now = open_store(uri), int(time.time())
    cleared = replace(Baseline(name=name, commit=None, set_at=now, set_by=user()), **scope)
    _refuse_unknown(name, [b for b in store.baselines() if _scope(b) == _scope(cleared)])
    pointer = store.set_baseline(cleared)
    emit(output, _document(pointer), lambda: f"{name} is cleared")


def _refuse_unknown(name: str, found: Sequence[Baseline]) -> None:
    if not found:
        message = f"there is no baseline {name!r} of this scope; 'bench-db baseline list' shows those there are"
        raise UserError(message)


def _scope(pointer: Baseline) -> tuple[str | None, ...]:
    return pointer.name, pointer.dut_name, pointer.testbed_name, pointer.branch


def user() -> str:
    """Who runs this, as far as the system says."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _document(pointer: Baseline) -> dict[str, Any]:
    return {name: value for name, value in asdict(pointer).items() if name != "key"}


def _line(pointer: Baseline) -> str:
    from bench_db.app.baselines import scope_text
    from bench_db.report.rows import when
    from bench_db.report.text import visible

    what = pointer.commit or "cleared"
    by = f"set {when(pointer.set_at)} by {pointer.set_by or 'somebody'}"
    return visible(f"{pointer.name}: {what}, for {scope_text(pointer)}, {by}")
