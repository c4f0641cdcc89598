"""`bench-db baseline`: named pointers to what candidates are compared with."""

from __future__ import annotations

import getpass
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bench_db.cli.options import common, emit, open_store
from bench_db.errors import UserError

if TYPE_CHECKING:
    from bench_db.model import Baseline


@click.group("baseline")
def command() -> None:
    """Set, show, list and clear baselines. Every setting is kept; the newest of a name holds.

    Example: bench-db baseline set release 1a2b3c4
    """


@command.command("set")
@click.argument("name")
@click.argument("commit")
@click.option("--by", help="Who sets it. [default: the user]")
@common
def set_(name: str, commit: str, by: str | None, uri: str | None, output: str) -> None:
    """Point NAME at COMMIT, which must have results.

    Example: bench-db baseline set release 1a2b3c4
    """
    from bench_db.model import Baseline

    store = open_store(uri)
    if not store.has(commit).present:
        message = f"{commit} has no results; 'bench-db latest' shows what has"
        raise UserError(message)
    pointer = Baseline(name=name, commit=commit, set_at=int(time.time()), set_by=by or user())
    store.set_baseline(pointer)
    emit(output, _document(pointer), lambda: f"{name} is {commit}")


@command.command("show")
@click.argument("name")
@common
def show(name: str, uri: str | None, output: str) -> None:
    """Show where NAME points, since when and by whom.

    Example: bench-db baseline show release
    """
    found = next((b for b in open_store(uri).baselines() if b.name == name), None)
    if found is None:
        message = f"there is no baseline {name!r}; 'bench-db baseline list' shows those there are"
        raise UserError(message)
    emit(output, _document(found), lambda: _line(found))


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
@common
def clear(name: str, uri: str | None, output: str) -> None:
    """Clear NAME; its history stays.

    Example: bench-db baseline clear release
    """
    from bench_db.model import Baseline

    pointer = Baseline(name=name, commit=None, set_at=int(time.time()), set_by=user())
    open_store(uri).set_baseline(pointer)
    emit(output, _document(pointer), lambda: f"{name} is cleared")


def user() -> str:
    """Who runs this, as far as the system says."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _document(pointer: Baseline) -> dict[str, Any]:
    return {name: value for name, value in asdict(pointer).items() if name != "key"}


def _line(pointer: Baseline) -> str:
    from bench_db.report.rows import when
    from bench_db.report.text import visible

    return visible(f"{pointer.name}: {pointer.commit}, set {when(pointer.set_at)} by {pointer.set_by or 'somebody'}")
