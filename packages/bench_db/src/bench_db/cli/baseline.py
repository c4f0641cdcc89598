"""`bench-db baseline`: named pointers to the commits that candidates are compared with."""

from __future__ import annotations

import getpass
from functools import reduce
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import common, emit, open_store, option

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from bench_db.app.baselines import Scope
    from bench_db.cli.options import Command
    from bench_db.model import Baseline


@click.group("baseline")
def command() -> None:
    """Set, show, list and clear baselines. Every setting is kept in the history; the newest of a name is used.

    Example: bench-db baseline set release 1a2b3c4
    """


_SCOPE = (
    click.option("--dut-name", metavar="NAME", help="Only for this device under test."),
    option("--test-bed-name", metavar="NAME", help="Only for this test bed."),
    click.option("--branch", metavar="NAME", help="Only for candidates of this branch."),
)


def scoped(wrapped: Command) -> Command:
    """Add the options for the scope of a baseline; None for everywhere."""
    return reduce(lambda inner, option: option(inner), reversed(_SCOPE), wrapped)


@command.command("set")
@click.argument("name")
@click.argument("commit")
@scoped
@click.option("--by", help="Who sets it. [default: the user]")
@common
def set_(name: str, commit: str, by: str | None, uri: str | None, output: str, **scope: Unpack[Scope]) -> None:
    """Point NAME at COMMIT (or latest), which must have results. Where several scopes apply, the narrowest is used.

    Example: bench-db baseline set main 1a2b3c4 --branch release-1.x
    """
    from bench_db.app.baselines import scope_text, set_baseline
    from bench_db.report.document import baseline_json

    pointer = set_baseline(open_store(uri), name, commit, by=by or user(), **scope)
    emit(output, baseline_json(pointer), lambda: f"{name} is {pointer.commit}, for {scope_text(pointer)}")


@command.command("show")
@click.argument("name")
@scoped
@click.option("--history", is_flag=True, help="Show every setting of NAME there ever was, oldest first.")
@common
def show(name: str, uri: str | None, output: str, *, history: bool, **scope: Unpack[Scope]) -> None:
    """Show where NAME points, since when and by whom; with a scope, the setting that is used there.

    Example: bench-db baseline show release
    """
    from bench_db.app.baselines import baseline, baselines
    from bench_db.report.document import baseline_json

    if history:
        found = baselines(open_store(uri), name, history=True)
        emit(output, lambda: found.document, lambda: _lines(found.baselines))
    else:
        pointer = baseline(open_store(uri), name, **scope)
        emit(output, baseline_json(pointer), lambda: _lines([pointer]))


@command.command("list")
@common
def list_(uri: str | None, output: str) -> None:
    """List the baselines that are set.

    Example: bench-db baseline list
    """
    from bench_db.app.baselines import baselines

    found = baselines(open_store(uri))
    emit(output, lambda: found.document, lambda: _lines(found.baselines))


@command.command("clear")
@click.argument("name")
@scoped
@common
def clear(name: str, uri: str | None, output: str, **scope: Unpack[Scope]) -> None:
    """Clear NAME, as it is set for exactly this scope; its history is kept.

    Example: bench-db baseline clear release
    """
    from bench_db.app.baselines import clear_baseline
    from bench_db.report.document import baseline_json

    pointer = clear_baseline(open_store(uri), name, by=user(), **scope)
    emit(output, baseline_json(pointer), lambda: f"{name} is cleared")


def user() -> str:
    """Return the name of the user, "" when the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _lines(pointers: Sequence[Baseline]) -> str:
    return "\n".join(map(_line, pointers)) or "no baselines"


def _line(pointer: Baseline) -> str:
    from bench_db.app.baselines import scope_text
    from bench_db.report.rows import when
    from bench_db.report.text import visible

    what = pointer.commit or "cleared"
    by = f"set {when(pointer.set_at)} by {pointer.set_by or 'somebody'}"
    return visible(f"{pointer.name}: {what}, for {scope_text(pointer)}, {by}")
