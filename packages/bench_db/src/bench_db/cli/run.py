"""`bench-db run`: the published runs, and how to take one out."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import click

from bench_db.cli.baseline import user
from bench_db.cli.options import Command, common, emit, open_store, option, pairs, screen

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.app.runs import RunConditions, Runs

_CONDITIONS = (
    click.argument("runs", metavar="[RUN]...", nargs=-1),
    click.option("--commit", metavar="SHA", help="Only runs of this commit."),
    click.option("--branch", metavar="NAME", help="Only runs of this branch."),
    click.option(
        "--tag",
        "tags",
        metavar="K=V",
        multiple=True,
        callback=lambda _context, _option, texts: pairs(texts),
        help="Only runs with a result that has all these tags; scenario finds the suite, too.",
    ),
    option("--test-bed-name", metavar="NAME", help="Only runs on this test bed."),
    click.option("--since", metavar="DATE", help="Only runs measured on this date or later."),
    click.option("--until", metavar="DATE", help="Only runs measured on this date or earlier."),
    click.option("--file", metavar="GLOB", help="Only runs of files with this name; * and ? are wildcards."),
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only show the runs that would change.")
_REASON = click.option("--reason", required=True, help="Why, for those who look at it later.")


def _choosing(command: Command) -> Command:
    return reduce(lambda wrapped, option: option(wrapped), reversed(_CONDITIONS), command)


@click.group("run")
def command() -> None:
    """List the published runs, compare their environments, exclude one from every answer, include it again, or remove it.

    Example: bench-db run exclude --commit 1a2b3c4 --reason "the machine was overheating"
    """


@command.command("list")
@_choosing
@click.option("--excluded", is_flag=True, help="Only excluded runs.")
@common
def list_(uri: str | None, output: str, *, excluded: bool, **conditions: Unpack[RunConditions]) -> None:
    """List runs, oldest publish first. A RUN is named by its key, or by its run id.

    Example: bench-db run list --tag framework=flax --tag scenario=train
    """
    from bench_db.app.runs import runs

    _emit(runs(open_store(uri), excluded=True if excluded else None, **conditions), output)


@command.command("show")
@click.argument("run", metavar="RUN")
@common
def show(run: str, uri: str | None, output: str) -> None:
    """Show one run: what was measured, from which file, when and by which job.

    Example: bench-db run show 1f2e3d4c5b6a7988
    """
    from bench_db.app.runs import run_named
    from bench_db.report.ledgers import record_text

    found = run_named(open_store(uri), run)
    emit(output, lambda: found, lambda: record_text(found))


@command.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--all", "everything", is_flag=True, help="Show what is equal, too.")
@common
def diff(a: str, b: str, uri: str | None, output: str, *, everything: bool) -> None:
    """Show the environments of the runs A and B side by side: the machine, the tool and its context, and the job.

    Only what differs is shown. Of two lists, such as the flags of a processor, each side has what the other does not have.

    Example: bench-db run diff 1f2e3d4c5b6a7988 8a7b6c5d4e3f2a1b
    """
    from bench_db.app.run_difference import diff_runs
    from bench_db.report.ledgers import environments_text

    found = diff_runs(open_store(uri), a, b)
    shown = [(fact.name, fact.a, fact.b) for fact in (found.facts if everything else found.differing)]
    emit(output, lambda: found.document, lambda: environments_text(found.a, found.b, shown, len(found.facts), screen()))


@command.command("exclude")
@_choosing
@_REASON
@_DRY_RUN
@common
def exclude(reason: str, uri: str | None, output: str, *, dry_run: bool, **conditions: Unpack[RunConditions]) -> None:
    """Take runs out of every answer. Their rows are kept, and `run include` puts them back.

    Example: bench-db run exclude 1f2e3d4c5b6a7988 --reason "wrong test bed"
    """
    from bench_db.app.runs import exclude_runs

    _emit(exclude_runs(open_store(uri), reason, by=user(), dry_run=dry_run, **conditions), output, "excluded")


@command.command("include")
@_choosing
@click.option("--reason", default="", help="Why, for those who look at it later.")
@_DRY_RUN
@common
def include(reason: str, uri: str | None, output: str, *, dry_run: bool, **conditions: Unpack[RunConditions]) -> None:
    """Put excluded runs back into every answer.

    Example: bench-db run include 1f2e3d4c5b6a7988
    """
    from bench_db.app.runs import include_runs

    _emit(include_runs(open_store(uri), reason, by=user(), dry_run=dry_run, **conditions), output, "included")


@command.command("remove")
@_choosing
@click.option("--artifacts", is_flag=True, help="Delete their artifacts, too; a file that another record names stays.")
@click.option("--yes", is_flag=True, help="Remove them; without it they are only shown.")
@common
def remove(uri: str | None, output: str, *, artifacts: bool, yes: bool, **conditions: Unpack[RunConditions]) -> None:
    """Remove runs and their results from the store for good; without --yes only show them. Their artifacts stay without --artifacts.

    Example: bench-db run remove --file old-results.json
    """
    from bench_db.app.runs import remove_runs

    _emit(remove_runs(open_store(uri), artifacts=artifacts, dry_run=not yes, **conditions), output, "removed")


def _emit(found: Runs, output: str, done: str = "") -> None:
    from bench_db.report.artifacts import as_text
    from bench_db.report.ledgers import runs_text

    def text() -> str:
        if not done:
            return runs_text(found.frame(), screen())
        head = f"{done}: {len(found.frame())} runs" if found.changed else f"nothing changed; these would be {done}:"
        with_them = f"\n\ntheir artifacts:\n{as_text(found.artifacts, screen())}" if found.artifacts else ""
        return f"{head}\n{runs_text(found.frame(), screen())}{with_them}"

    emit(output, lambda: found.document, text)
