"""`bench-db show`: what one commit did."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import emit, open_store, reading, screen

if TYPE_CHECKING:
    from bench_db.app.show import Shown
    from bench_db.model import Comparison


@click.command("show")
@click.argument("commit", default="latest")
@click.option("--all", "everything", is_flag=True, help="Show benchmarks that did not change, too.")
@click.option("--commit-url", metavar="URL", default="", help="Where a commit is shown, with {commit} for its sha.")
@click.option(
    "--clone",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    show_default=True,
    help="The local clone that has the commits in between.",
)
@reading
def command(
    commit: str, uri: str | None, output: str, as_of: str | None, commit_url: str, clone: Path, *, everything: bool
) -> None:
    """Show what COMMIT did: the verdicts of its series against the measured commit before it on the same branch, and its findings.

    It also shows what failed, the commits in between, and the command that finds the commit of a change among them. COMMIT is a sha, or
    HEAD, a branch or a tag of the clone; by default it is the newest measured commit. Each benchmark has a row, each test bed a column.

    Example: bench-db show 1a2b3c4
    """
    from bench_db.app.show import show
    from bench_db.query.series import comparisons_told_apart

    store = open_store(uri)
    found = show(store, commit, clone=clone, commit_url=commit_url, as_of=as_of)
    emit(
        output,
        lambda: found.document,
        lambda: _text(
            found,
            comparisons_told_apart(found.compared.comparisons, partial(store.machines, as_of=as_of)),
            everything=everything,
        ),
        history=lambda: found.compared.history,
    )


def _text(found: Shown, comparisons: list[Comparison], *, everything: bool) -> str:
    from bench_db.report.scans import scans_text
    from bench_db.report.shown import head_text, rest_text, verdicts_text

    head = head_text(
        found.commit,
        found.recorded,
        before=found.before,
        since=found.since,
        commits_since=found.commits_since,
        difference_url=found.difference_url,
    )
    verdicts = verdicts_text(
        comparisons, found.compared.counts, blame=found.compared.blame, everything=everything, screen=screen()
    )
    rest = rest_text(found.failed, found.findings, found.series, [s.command for s in found.suspicions], screen())
    return "\n\n".join(filter(None, [head, verdicts, rest, scans_text(found.scans)]))
