"""`bench-db finding`: list findings and decide about them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bench_db.cli.baseline import user
from bench_db.cli.options import common, emit, open_store, screen

if TYPE_CHECKING:
    from bench_db.model import Finding

_NOTE = click.option("--note", default="", help="The reason, for those who look at it later.")


@click.group("finding")
def command() -> None:
    """List findings, bless, ignore or reopen them. `bench-db scan` makes them.

    Example: bench-db finding list
    """


@command.command("list")
@click.option("--state", multiple=True, help="Only findings in this state; may be repeated.")
@click.option("--each", is_flag=True, help="A row for each finding, with its id, instead of one for each commit.")
@click.option("--markdown", is_flag=True, help="Text as Markdown, a folded table for each commit.")
@common
def list_(state: tuple[str, ...], uri: str | None, output: str, *, each: bool, markdown: bool) -> None:
    """List findings in their newest state, those of one commit in one row; `bench-db show COMMIT` opens it.

    Example: bench-db finding list --state open
    """
    from bench_db.app.findings import findings
    from bench_db.report.markdown import findings_markdown
    from bench_db.report.scans import scans_text
    from bench_db.report.terminal import commit_findings_text, findings_text

    found = findings(open_store(uri), states=state)
    none = f"no finding is {' or '.join(state)}; 'bench-db finding list' shows all"
    render = findings_text if each else commit_findings_text

    def text() -> str:
        if markdown:
            return findings_markdown(found.findings, found.series)
        listed = render(found.findings, found.series, screen()) if found.findings or not state else none
        return "\n".join(filter(None, [listed, scans_text(found.scans)]))

    emit(output, lambda: found.document, text)


@command.command("bless")
@click.argument("finding_id", metavar="ID")
@_NOTE
@common
def bless(finding_id: str, note: str, uri: str | None, output: str) -> None:
    """Accept a change: it is known and wanted. Later commits are compared with the level after it.

    Example: bench-db finding bless 1f2e3d4c5b6a7988 --note "larger cache"
    """
    from bench_db.app.findings import bless_finding

    _show(bless_finding(open_store(uri), finding_id, note=note, by=user()), output)


@command.command("ignore")
@click.argument("finding_id", metavar="ID")
@_NOTE
@common
def ignore(finding_id: str, note: str, uri: str | None, output: str) -> None:
    """Set a finding aside: it is no change of the code.

    Example: bench-db finding ignore 1f2e3d4c5b6a7988 --note "new runner"
    """
    from bench_db.app.findings import ignore_finding

    _show(ignore_finding(open_store(uri), finding_id, note=note, by=user()), output)


@command.command("reopen")
@click.argument("finding_id", metavar="ID")
@_NOTE
@common
def reopen(finding_id: str, note: str, uri: str | None, output: str) -> None:
    """Open a finding again.

    Example: bench-db finding reopen 1f2e3d4c5b6a7988
    """
    from bench_db.app.findings import reopen_finding

    _show(reopen_finding(open_store(uri), finding_id, note=note, by=user()), output)


@command.command("publish")
@click.option("--issues", required=True, metavar="OWNER/NAME", help="The repository on GitHub for the issues.")
@click.option("--since", metavar="DATE", help="Only findings that were detected at this date or later.")
@click.option("--config", "config_file", metavar="FILE", help="Owners, who are mentioned. [default: bench-db.toml]")
@click.option("--dry-run", is_flag=True, help="Print what would be written; write and record nothing.")
@common
@click.pass_context
def publish(
    ctx: click.Context,
    issues: str,
    since: str | None,
    config_file: str | None,
    uri: str | None,
    output: str,
    *,
    dry_run: bool,
) -> None:
    """Write an issue for each commit with findings: created once, updated, and closed when none of them stands.

    A suite that fails has an issue, too: one for a range of commits on a test bed, closed when it succeeds again.
    GITHUB_TOKEN needs the permission issues: write. It is what `notify` does for a receiver of the kind github.

    Example: bench-db finding publish --issues me/project --dry-run
    """
    from bench_db.app.notify import publish_findings
    from bench_db.cli.notify import show_deliveries

    done = publish_findings(
        open_store(uri), issues, environment=os.environ, config_file=config_file, since=since, dry_run=dry_run
    )
    show_deliveries(ctx, done, output)


def _show(moved: Finding, output: str) -> None:
    emit(output, {"id": moved.id, "state": moved.state}, lambda: f"{moved.id} is {moved.state}")
