"""`bench-db notify`: send findings to receivers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import common, emit, open_store
from bench_db.cli.ruled import ruled
from bench_db.errors import DeliveryError
from bench_db.rules import RULES

if TYPE_CHECKING:
    from bench_db.app.notify import Delivery, Notified


@click.command("notify")
@click.option("--receiver", "receivers", metavar="NAME", multiple=True, help="Only this receiver; may be repeated.")
@click.option("--since", metavar="DATE", help="Only findings that were detected at this date or later.")
@click.option(
    "--config", "config_file", metavar="FILE", help="The file that names the receivers. [default: bench-db.toml]"
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and to whom; send and record nothing.")
@click.option("--deadline", "deadline_seconds", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              default=RULES.message_seconds, show_default=True, help="How long one message is tried.")  # fmt: skip
@common
@click.pass_context
@ruled
def command(
    ctx: click.Context,
    receivers: tuple[str, ...],
    since: str | None,
    config_file: str | None,
    uri: str | None,
    output: str,
    *,
    deadline_seconds: float,
    dry_run: bool,
) -> None:
    """Tell the receivers of bench-db.toml what a scan found, and which suites fail: each change of state once.

    The tables [[notify]] declare webhooks, Slack, Teams, Matrix, mail, and issues of GitHub and GitLab; [[owner]] declares who is mentioned. Addresses
    and tokens that are secret come from environment variables. When a receiver fails, the others still get their messages, the exit code is 3, and
    the next `notify` tries again. A message has {message_findings} findings at most. One whose process has ended without an outcome is sent again after
    {claim_minutes} minutes.

    Example: bench-db scan && bench-db notify --dry-run
    """
    from bench_db.app.notify import notify

    done = notify(
        open_store(uri),
        environment=os.environ,
        config_file=config_file,
        receivers=receivers,
        since=since,
        dry_run=dry_run,
        deadline_seconds=deadline_seconds,
    )
    show_deliveries(ctx, done, output)


def show_deliveries(ctx: click.Context, done: Notified, output: str) -> None:
    """Print what each receiver got, and end the command with a line for each receiver that failed."""
    emit(output, lambda: done.document, lambda: _text(done))
    for failed in (one for one in done.receivers if one.errors):
        click.echo(f"bench-db: {failed.name}: {'; '.join(failed.errors)}", err=True)
    ctx.exit(0 if done.passed else DeliveryError.exit_code)


def _text(done: Notified) -> str:
    if not done.receivers:
        return "no [[notify]] in bench-db.toml: no message was sent"
    return "\n".join(line for one in done.receivers for line in _lines(one, dry_run=done.dry_run))


def _lines(one: Delivery, *, dry_run: bool) -> list[str]:
    from bench_db.report.text import visible

    verb = "would receive" if dry_run else "received"
    later = f", {one.waiting:,} wait for a later notify" if one.waiting else ""
    head = f"{one.name} ({one.kind}, {visible(one.target)}) {verb} {_many(one.findings, 'change')} in {_many(len(one.messages), 'message')}{later}"
    return [head, *(f"\n{text}" for text in one.preview)]


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
