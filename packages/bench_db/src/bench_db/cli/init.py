"""`bench-db init`: bench-db.toml and a workflow for a repository."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import common, emit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench_db.app.ci_files import Alarm, Judging
    from bench_db.app.init import Ci, Initialised, Proposal
    from bench_db.app.tools import FoundSuite


@click.command("init")
@click.argument("directory", default=".", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--suite", "suites", metavar="NAME", multiple=True, help="Only this suite; may be repeated. [default: all]"
)
@click.option("--schedule", metavar="WHEN", help="nightly, weekly, never or a cron expression. [default: nightly]")
@click.option("--ci", type=click.Choice(["github", "gitlab"]), help="The service. [default: that of the remote origin]")
@click.option(
    "--mode",
    type=click.Choice(["history", "pairs"]),
    default="pairs",
    show_default=True,
    help="Measure pull requests in alternation with their merge base, or compare them with the history.",
)
@click.option(
    "--action", metavar="OWNER/NAME@REF", help="Where bench_db's action is. [default: where bench_db runs from]"
)
@click.option(
    "--alarm",
    type=click.Choice(["none", "github", "gitlab", "slack", "teams", "webhook"]),
    help="Who gets messages about findings: issues, a chat or a webhook. Its secret is a variable that the files name. [default: none]",
)
@click.option("--yes", is_flag=True, help="Ask nothing: take the default of what no flag gives.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--dry-run", is_flag=True, help="Print the files, write nothing.")
@common
def command(
    directory: str,
    uri: str | None,
    suites: tuple[str, ...],
    schedule: str | None,
    ci: Ci | None,
    mode: Judging,
    action: str | None,
    alarm: Alarm | None,
    output: str,
    *,
    yes: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Write bench-db.toml and a workflow for the benchmark tools that the repository in DIRECTORY uses.

    It recognises pytest-benchmark, pytest-codspeed, asv, pyperf, Criterion, Go, google-benchmark, Catch2, JMH, BenchmarkDotNet, Vitest
    and hyperfine, and says in which line. On a terminal it asks for the store, the suites, the schedule and who gets messages. It writes all files or
    none, and never over an existing one without --force.

    Example: bench-db init --store s3://my-benchmarks/lance --schedule weekly
    """
    from bench_db.app.init import init, proposal

    there = proposal(directory)
    asking = not yes and sys.stdin.isatty() and sys.stderr.isatty() and bool(there.found)
    store, suites, schedule, alarm = (_asked if asking else _by_default)(there, uri, suites, schedule, alarm)
    done = init(
        directory,
        store=store,
        suites=suites,
        schedule=schedule,
        ci=ci,
        mode=mode,
        action=action,
        alarm=alarm,
        force=force,
        dry_run=dry_run,
        proposed=there,
    )
    emit(output, lambda: done.document, lambda: "\n".join(_lines(done)))


_Answers = tuple[str, tuple[str, ...], str, "Alarm"]


def _by_default(
    _: Proposal, uri: str | None, suites: tuple[str, ...], schedule: str | None, alarm: Alarm | None
) -> _Answers:
    return uri or "", suites, schedule or "nightly", alarm or "none"


def _asked(
    there: Proposal, uri: str | None, suites: tuple[str, ...], schedule: str | None, alarm: Alarm | None
) -> _Answers:
    """Ask for what no flag gives: the store, the suites where there are several, the schedule, and who gets messages."""
    click.echo("\n".join(_recognised(there.found)), err=True)
    if uri is None:
        text = "Store: s3://bucket/prefix, a directory, or nothing for the variable BENCH_DB_URI of the repository"
        uri = click.prompt(text, default="", show_default=False, err=True)
    if not suites and len(there.found) > 1:
        names = ", ".join(one.name for one in there.found)
        chosen = click.prompt("Suites, separated by commas", default=names, err=True)
        suites = tuple(name.strip() for name in chosen.split(",") if name.strip())
    if schedule is None:
        schedule = click.prompt("Schedule: nightly, weekly, never or a cron expression", default="nightly", err=True)
    if alarm is None:
        kinds: click.Choice[Alarm] = click.Choice(["none", "github", "gitlab", "slack", "teams", "webhook"])
        alarm = kinds.convert(
            click.prompt("Who gets messages about findings", type=kinds, default="none", err=True), None, None
        )
    return str(uri), suites, str(schedule), alarm


def _recognised(found: Sequence[FoundSuite]) -> Iterator[str]:
    from bench_db.report.text import visible

    for one in found:
        yield f"suite {one.name}: {one.tool}"
        yield from (f"    {visible(str(evidence))}" for evidence in one.evidence)


def _lines(done: Initialised) -> Iterator[str]:
    from bench_db.cli.flags import as_flags
    from bench_db.report.text import visible

    yield from _recognised(done.suites)
    yield from (f"left out {one.name}: {one.tool}" for one in done.left_out)
    for one in done.unread:
        yield f"no suite: {one.tool}: {one.reason}"
        yield f"    {visible(str(one.evidence))}"
    if done.dry_run:
        yield from (f"\n# {name}\n{text.rstrip()}" for name, text in done.files.items())
        yield ""
    yield f"{'would write' if done.dry_run else 'wrote'} {' and '.join(done.files)} in {done.root}"
    yield from (f"assumed: {as_flags(guess)}" for guess in done.assumed)
    yield from (f"to do: {note}" for note in done.notes)
    yield from ("next:", *(f"    {step}" for step in done.steps))
