"""Changes and findings as JSON and as text, each under the series it belongs to."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.query.series import label
from bench_db.report.rows import NOTHING
from bench_db.report.terminal import findings_text
from bench_db.report.text import sparkline, table, visible
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.analysis.histories import Histories
    from bench_db.model import Finding


def found_json(series: pl.DataFrame, findings: Sequence[Finding]) -> dict[str, Any]:
    """Each finding with the name of its series, as `labels` gives it."""
    names = labels(series)
    rows = [
        {**asdict(f), "series_key": f"{f.series_key:016x}", "series": names.get(f.series_key, "")} for f in findings
    ]
    return {"findings": [{name: value for name, value in row.items() if name != "key"} for row in rows]}


def labels(series: pl.DataFrame) -> dict[int, str]:
    """What a reader calls each series, by key; `series` has the columns of `query.series.IDENTITY`, a row a series."""
    return {row["series_key"]: label(row) for row in series.iter_rows(named=True)}


def beds(series: pl.DataFrame) -> dict[int, str]:
    """The test bed of each series, by key."""
    return dict(series.select("series_key", "test_bed_name").iter_rows())


def changes_text(held: Histories, findings: Sequence[Finding]) -> str:
    """Each series as a sparkline with a mark under every change, then the changes as a table."""
    drawn = [_drawn(held, number, findings) for number in range(len(held))]
    return "\n".join((*drawn, "", findings_text(findings, labels(held.names), beds(held.names))))


def _drawn(held: Histories, number: int, findings: Sequence[Finding]) -> str:
    series = held.series[number]
    medians = held.of(number)["median"].to_list()
    at = {finding.index for finding in findings if finding.series_key == series["series_key"]}
    width = min(60, len(medians))
    marks = [" "] * width
    for index in at:
        marks[min(width - 1, index * width // len(medians))] = "^"
    head = f"{visible(label(series))}  on {visible(series['test_bed_name'])}: {len(medians)} runs, {_changes(len(at))}"
    return "\n".join((head, sparkline(medians, width), "".join(marks).rstrip())).rstrip()


def _changes(count: int) -> str:
    return f"{count} change" if count == 1 else f"{count} changes"


def scan_text(held: Histories, found: Any, findings: Sequence[Finding]) -> str:
    """What a scan tested, what to expect of it, movements of whole runs, and the findings that stand."""
    tested = f"{found.tested} series tested, {found.too_short} with fewer than 20 runs"
    expected = f"{_changes(len(found.findings))}, of which {found.expected_false:.1f} are expected to be false alarms"
    inverse = " (rates the other way)" if Direction.HIGHER in held.names["direction"] else ""
    moved = [
        f"run {(_commit_of(held, m.run) or '-')[:9]}: {m.series} series moved together by {m.effect:+.1%}{inverse}"
        f"{', and stayed' if m.lasting else ''}: the machine or the tool chain, more likely than the code"
        for m in found.movements[:5]
    ]
    return "\n".join(
        (f"{tested}; {expected}", *moved, "", findings_text(findings, labels(held.names), beds(held.names)))
    )


def movements_json(held: Histories, found: Any) -> list[dict[str, Any]]:
    """What moved with a whole run, by size: the run's commit, the change of its times, over how many series, and whether it stayed."""
    return [
        {"commit": _commit_of(held, m.run), "effect": m.effect, "series": m.series, "lasting": m.lasting}
        for m in found.movements
    ]


def _commit_of(held: Histories, run: int) -> str | None:
    at = (pl.Series(held.runs) == run).arg_max()
    commit: str | None = held.points["commit"][at or 0]
    return commit


def noise_text(held: Histories, noise: pl.DataFrame) -> str:
    """The noise of each series as a table, noisiest first."""
    if noise.is_empty():
        return NOTHING
    names, measured_on = labels(held.names), beds(held.names)
    rows = noise.sort("spread", descending=True, nulls_last=True).iter_rows(named=True)
    cells = [
        (
            names[r["series_key"]],
            measured_on[r["series_key"]],
            "-" if r["spread"] is None else f"{100 * r['spread']:.1f} %",
            "-" if r["smallest_effect"] is None else f"{100 * r['smallest_effect']:.1f} %",
            "-" if r["runs_needed"] is None else str(r["runs_needed"]),
            "neighbouring runs are alike" if r["autocorrelated"] else "",
        )
        for r in rows
    ]
    headings = ("benchmark", "test bed", "spread", "smallest effect", "runs for 5 %", "warning")
    return table(headings, cells, right=headings[2:5])
