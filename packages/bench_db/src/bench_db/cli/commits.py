"""`bench-db commits`: the recorded commits and their order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import common, emit, open_store, reading, screen

if TYPE_CHECKING:
    from bench_db.model import Sync

_DUT = click.option("--dut-name", metavar="NAME", help="Only commits of this device under test.")


@click.group("commits")
def command() -> None:
    """List the recorded commits in their order, show one, and bring them up to date with a clone.

    Example: bench-db commits sync --clone .
    """


@command.command("list")
@_DUT
@reading
def list_(dut_name: str | None, uri: str | None, output: str, as_of: str | None) -> None:
    """List the recorded commits, device after device, oldest first.

    Example: bench-db commits list --dut-name lance
    """
    from bench_db.app.commits import commits
    from bench_db.report.ledgers import commits_text

    found = commits(open_store(uri), dut_name=dut_name, as_of=as_of)
    emit(output, lambda: found.document, lambda: commits_text(found.commits, screen()))


@command.command("show")
@click.argument("commit")
@common
def show(commit: str, uri: str | None, output: str) -> None:
    """Show what is recorded of COMMIT, and its runs. COMMIT is a sha, or HEAD, a branch or a tag of the checkout, or tag:NAME.

    Example: bench-db commits show 1a2b3c4
    """
    from bench_db.app.commits import commit as find
    from bench_db.report.ledgers import commit_text

    found = find(open_store(uri), commit)
    emit(output, lambda: found.document, lambda: commit_text(found.commits, found.frame(), screen()))


@command.command("sync")
@click.option(
    "--clone",
    type=click.Path(path_type=Path),
    default=Path(),
    show_default="the current directory",
    help="A complete clone of the repository, fetched just now.",
)
@_DUT
@click.option("--branch", metavar="NAME", help="The main branch, by default as the clone names it.")
@common
def sync(clone: Path, dut_name: str | None, branch: str | None, uri: str | None, output: str) -> None:
    """Complete the order of what was published from shallow clones, and take out what a force push removed.

    Example: bench-db commits sync --clone .
    """
    from bench_db.app.commits import sync_commits

    done = sync_commits(open_store(uri), clone=clone, dut_name=dut_name, branch=branch)
    emit(output, lambda: done.document, lambda: _text(done.sync))


def _text(done: Sync) -> str:
    lines = [f"{done.commits} commits compared with branch {done.main_branch}: {done.changed} records written"]
    lines += [f"{sha}: no longer in the history; its results are left out" for sha in done.unreachable]
    if done.not_in_clone:
        lines.append(f"{done.not_in_clone} commits are not in the clone and stay as they are; git fetch may bring them")
    return "\n".join(lines)
