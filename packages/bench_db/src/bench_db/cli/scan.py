"""`bench-db scan`: the change points of all series, stored as findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench_db.cli.options import (
    ENGINE,
    Fraction,
    common,
    emit_found,
    open_store,
    reason,
    screen,
    selecting,
    selection,
)
from bench_db.cli.ruled import ruled
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from bench_db.app.scan import Scanned
    from bench_db.cli.options import Stated
    from bench_db.model import Series


@click.command("scan")
@click.option(
    "--rate",
    type=Fraction(),
    default=RULES.false_discovery_rate,
    show_default=True,
    help="False discovery rate, as a fraction or a percentage, such as 5%.",
)
@click.option("--dry-run", is_flag=True, help="Store nothing.")
@click.option("--markdown", is_flag=True, help="Text as Markdown, a folded table for each commit.")
@ENGINE
@selecting()
@common
@ruled
def command(
    uri: str | None,
    output: str,
    rate: float,
    engine: str | None,
    *,
    dry_run: bool,
    markdown: bool,
    **conditions: Unpack[Stated],
) -> None:
    """Find where any series changes its level, and store the findings: each change keeps its id from scan to scan.

    Of the changes reported, {false_discovery_rate} at most are expected to be false alarms, over all series together; docs/statistics.md has the
    measurements. Movements of a whole run are reported apart from the changes, and each has its cause as far as there is evidence for
    one: the code, the machine or the tool chain, or not known. A series needs {detection_runs} runs. A change
    of less than {change_effect}, or than the threshold that is defined for its series, is reported only where it adds up to that with its neighbours.

    Example: bench-db scan --branch main
    """
    from bench_db.app.scan import scan
    from bench_db.query.series import series_told_apart

    store, chosen = open_store(uri), selection(**conditions)
    found = scan(store, rate=rate, dry_run=dry_run, engine=engine, selection=chosen)
    unsaid = found.stored or dry_run
    emit_found(
        output,
        lambda: found.document,
        lambda: _text(found, series_told_apart(found.series.values(), store.machines), markdown=markdown),
        found=bool(found.series),
        why=lambda: reason(store, chosen),
        history=lambda: found.history + ("" if unsaid else "; only findings of the main history are stored"),
    )


def _text(found: Scanned, series: Mapping[int, Series], *, markdown: bool) -> str:
    from bench_db.report.detected import scan_text

    return scan_text(
        found.findings,
        series,
        movements=found.movements,
        changes=found.changes,
        tested=found.tested,
        too_short=found.too_short,
        expected_false=found.expected_false,
        of_machine=found.of_machine,
        confirmed=len(found.confirmed),
        withdrawn=len(found.withdrawn),
        thresholds=found.thresholds,
        threshold_faults=found.threshold_faults,
        markdown=markdown,
        screen=screen(),
    )
