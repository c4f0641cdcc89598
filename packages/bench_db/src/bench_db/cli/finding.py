"""`bench-db finding`: the lives of findings."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bench_db.cli.baseline import user
from bench_db.cli.options import common, emit, open_store
from bench_db.errors import UserError

if TYPE_CHECKING:
    from bench_db.model import Finding
    from bench_db.store.database import Database

_NOTE = click.option("--note", default="", help="Why, for those who look at it later.")


@click.group("finding")
def command() -> None:
    """List findings, bless, ignore or reopen them. `bench-db scan` makes them.

    Example: bench-db finding list
    """


@command.command("list")
@click.option("--state", multiple=True, help="Only findings in this state; may be repeated.")
@common
def list_(state: tuple[str, ...], uri: str | None, output: str) -> None:
    """List findings as they stand.

    Example: bench-db finding list --state open
    """
    from bench_db.report.detected import beds, found_json, labels
    from bench_db.report.terminal import findings_text

    store = open_store(uri)
    found = [finding for finding in store.findings() if not state or finding.state in state]
    series = store.latest()
    emit(output, found_json(series, found), lambda: findings_text(found, labels(series), beds(series)))


@command.command("bless")
@click.argument("finding_id", metavar="ID")
@_NOTE
@common
def bless(finding_id: str, note: str, uri: str | None, output: str) -> None:
    """Accept a change: it is known and wanted, and later commits are held against the level after it.

    Example: bench-db finding bless 1f2e3d4c5b6a7988 --note "larger cache"
    """
    _move(open_store(uri), finding_id, "blessed", note, output)


@command.command("ignore")
@click.argument("finding_id", metavar="ID")
@_NOTE
@common
def ignore(finding_id: str, note: str, uri: str | None, output: str) -> None:
    """Set a finding aside: it is no change of the code.

    Example: bench-db finding ignore 1f2e3d4c5b6a7988 --note "new runner"
    """
    _move(open_store(uri), finding_id, "ignored", note, output)


@command.command("reopen")
@click.argument("finding_id", metavar="ID")
@_NOTE
@common
def reopen(finding_id: str, note: str, uri: str | None, output: str) -> None:
    """Open a finding again.

    Example: bench-db finding reopen 1f2e3d4c5b6a7988
    """
    _move(open_store(uri), finding_id, "reopened", note, output)


def _move(store: Database, finding_id: str, state: str, note: str, output: str) -> None:
    from bench_db.model import State

    old = _found(store, finding_id)
    moved = replace(old, state=State(state), at=max(int(time.time()), old.at + 1), by=user(), note=note)
    store.record_findings([moved])
    emit(output, {"id": moved.id, "state": moved.state}, lambda: f"{moved.id} is {moved.state}")


def _found(store: Database, finding_id: str) -> Finding:
    """The one finding whose id is, or begins with, the given text."""
    found = [finding for finding in store.findings() if finding.id.startswith(finding_id)]
    if len(found) != 1:
        many = "no finding" if not found else f"{len(found)} findings"
        message = f"{many} with an id that begins with {finding_id!r}; 'bench-db finding list' shows them"
        raise UserError(message)
    return found[0]
