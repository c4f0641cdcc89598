"""`bench-db pairs`: two commits, measured in alternation on this machine and compared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bench_db.cli.comparing import REGRESSION_FOUND
from bench_db.cli.options import PERCENT, Minutes, common, default_uri, emit, measuring, screen
from bench_db.cli.progress import Lines, leave_when_asked
from bench_db.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.app.pairs import Paired
    from bench_db.store.database import Database


@click.command("pairs")
@click.argument("base")
@click.argument("head", default="HEAD")
@click.option("--suite", "suites", metavar="NAME", multiple=True, help="Only this suite; may be repeated.")
@click.option("--benchmark", metavar="GLOB", help="Only benchmarks with this name; * and ? are wildcards.")
@click.option(
    "--rounds", type=click.IntRange(2), metavar="N", help="At most N rounds. [default: as bench-db.toml, else 12]"
)
@click.option(
    "--min-effect",
    type=PERCENT,
    metavar="PERCENT",
    help=f"The smallest change that counts: 2 or 2%, and 0.5% with the sign. [default: as bench-db.toml, else {100 * RULES.minimum_effect:g}]",
)
@click.option(
    "--budget",
    "budget_minutes",
    type=Minutes(),
    metavar="TIME",
    help="End before this time is over: 30m, 90s, 1.5h. [default: as bench-db.toml, else 30m]",
)
@click.option(
    "--flagged",
    is_flag=True,
    help="Only series of HEAD that `bench-db compare` shows as regressed, or suspected of it, in the store; without any nothing is measured.",
)
@click.option("--control/--no-control", default=None, help="Measure BASE a second time, which must not differ.")
@click.option("--seed", type=int, metavar="N", help="The seed of the order. [default: the time]")
@click.option(
    "--fail-on",
    type=click.Choice(["regression", "suspected", "undecided", "failed"]),
    multiple=True,
    help="Exit with 1 when a series has this verdict; may be repeated. Undecided includes suspected.",
)
@click.option("--markdown", is_flag=True, help="Text as a comment on a pull request.")
@click.option("--all", "unchanged_too", is_flag=True, help="Show unchanged series, too.")
@click.option(
    "--publish",
    "stores",
    is_flag=True,
    help="Store the results and the verdicts; of BASE what the main history does not have yet.",
)
@measuring
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    uri: str | None,
    output: str,
    *,
    base: str,
    head: str,
    suites: tuple[str, ...],
    benchmark: str | None,
    rounds: int | None,
    min_effect: float | None,
    budget_minutes: float | None,
    control: bool | None,
    seed: int | None,
    fail_on: tuple[str, ...],
    markdown: bool,
    unchanged_too: bool,
    stores: bool,
    flagged: bool,
    config_file: str,
    clone: Path,
    work_dir: str,
) -> None:
    """Measure the commits BASE and HEAD in alternation on this machine, and compare them; BASE... is their merge base.

    Each round runs the suites of bench-db.toml once a side, in a new process and in random order. Measuring ends early
    when every series is decided. With --publish a suite of a commit becomes one run of its series, with the median over the
    rounds. Exit code 2 when nothing can be measured.

    Example: bench-db pairs main... --suite python --fail-on regression
    """
    from bench_db.app.pairs import failing, pairs, publish_pairs

    leave_when_asked()
    store = _store(ctx, uri, publish=stores, flagged=flagged)
    found = pairs(
        base,
        head,
        suites=suites,
        benchmark=benchmark,
        rounds=rounds,
        min_effect=min_effect,
        budget_minutes=budget_minutes,
        control=control,
        seed=seed,
        config_file=config_file,
        database=store,
        flagged=flagged,
        clone=clone,
        work_dir=work_dir,
        environment=os.environ,
        progress=Lines(),
    )
    try:  # an answer that cannot be stored is shown all the same
        found = publish_pairs(store, found, clone=clone) if store and stores else found
    finally:
        emit(output, lambda: found.document, lambda: text(found, markdown=markdown, everything=unchanged_too))
    ctx.exit(REGRESSION_FOUND if failing(found.comparisons, fail_on) else 0)


def _store(ctx: click.Context, uri: str | None, *, publish: bool, flagged: bool) -> Database | None:
    """Return the store, which `publish` creates when there is none; None when it is not needed. An error now costs no measurement."""
    from bench_db.store.database import connect

    if not publish:
        if uri is not None and not flagged:
            message = f"without --publish {ctx.command_path} does not use --store; leave it out, or add --publish or --flagged"
            raise click.UsageError(message, ctx)
        return connect(uri or default_uri()) if flagged else None
    store = connect(uri or default_uri(), create=True)
    store.require_writable()
    return store


def text(found: Paired, *, markdown: bool = False, everything: bool = False) -> str:
    """Render the answer for this terminal, or as a comment on a pull request."""
    from bench_db.report.pairs import pairs_markdown, pairs_text

    if markdown:
        return pairs_markdown(found.comparisons, found.control, found.context)
    return pairs_text(found.comparisons, found.control, found.context, everything=everything, screen=screen())
