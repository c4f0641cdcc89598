"""Rows of latest, trend and summary as JSON documents and as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench_db.clock import CALENDAR_SECONDS
from bench_db.identity import tags_of_key
from bench_db.query.series import label
from bench_db.report import frame
from bench_db.report.document import versioned, with_old_names
from bench_db.report.quantity import NO_VALUE, is_known, percent, quantity, share
from bench_db.report.text import PLAIN, Fit, Screen, cells_of, sparkline, sparkline_width, table, visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    import polars as pl

    from bench_db.model import FrameRow

_NAMES = {"dut_timestamp": "commit_time"}
_INTERNAL = {"timestamp", "tags_key", "run_key", "commit_order"}
_NUMBERS = ("n", "median", "q1", "q3", "min", "max", "mean", "change")
NOTHING = "no results yet"
_LATEST = Fit(drop=(("q1", "q3"), ("n",), ("version",), ("commit time",), ("test bed",)))
_SUMMARY = Fit(drop=(("min", "max"), ("n",), ("test bed",)))
_TREND = Fit(names="version", drop=(("q1", "q3"), ("interval",), ("n",), ("commit time",)))


def as_json(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Return a document a row: keys are hexadecimal texts, `tags` a dictionary, times unix seconds; not finite is null."""
    return [_document(row) for row in frame.as_json(rows)]


def _document(row: FrameRow) -> dict[str, Any]:
    document = {_NAMES.get(name, name): value for name, value in row.items() if name not in _INTERNAL}
    document["series_key"] = f"{row['series_key']:016x}"
    if row.get("run_key") is not None:
        document["run_key"] = f"{row['run_key']:016x}"
    document["tags"] = tags_of_key(row["tags_key"])
    return versioned(with_old_names(document))


def latest_text(rows: pl.DataFrame, screen: Screen = PLAIN) -> str:
    """Return the newest result of each series as a table; a column marks the stale ones, where there is one of that name."""
    if rows.is_empty():
        return NOTHING
    marked = ("standing",) if "stale" in rows.columns and rows["stale"].any() else ()
    of_stores = ("store",) if "store" in rows.columns else ()
    headings = (*of_stores, "benchmark", "test bed", "version", "commit time", "n", "median", "q1", "q3", *marked)
    cells = [
        (
            *(r["store"] for _ in of_stores),
            label(r),
            r["test_bed_name"],
            r["dut_version"],
            when(r["dut_timestamp"]),
            *_statistics(r),
            *("stale" if r["stale"] else "" for _ in marked),
        )
        for r in rows.iter_rows(named=True)
    ]
    return table(headings, cells, _NUMBERS, screen, _LATEST)


def summary_text(rows: pl.DataFrame, screen: Screen = PLAIN) -> str:
    """Return statistics of each series over its history as a table; `spread` is the standard deviation over the mean."""
    if rows.is_empty():
        return NOTHING
    headings = ("benchmark", "test bed", "n", "min", "median", "max", "spread")
    cells = [
        (
            label(r),
            r["test_bed_name"],
            str(r["n"]),
            *(quantity(r[name], r["units"]) for name in ("min", "median", "max")),
            share(r["spread"]),
        )
        for r in rows.iter_rows(named=True)
    ]
    return table(headings, cells, (*_NUMBERS, "spread"), screen, _SUMMARY)


def trend_text(rows: pl.DataFrame, screen: Screen = PLAIN) -> str:
    """Render each series as a sparkline over a table of its points, in the order of their `index`."""
    return "\n\n".join(
        _series_text(points.sort("index"), screen) for points in rows.partition_by("series_key", maintain_order=True)
    )


def _series_text(points: pl.DataFrame, screen: Screen) -> str:
    rows = list(points.iter_rows(named=True))
    first, medians = rows[0], [row["median"] if is_known(row["median"]) else None for row in rows]
    better = {"lower": "lower is better", "higher": "higher is better"}.get(first["direction"], "for information")
    of_main = [row for row in rows if row.get("pr_number") is None]
    known = [row for row in of_main if is_known(row["median"])]
    ends = " to ".join(quantity(row["median"], row["units"]) for row in (known[0], known[-1])) if known else "no values"
    moved = f", {percent(known[-1]['change_since_first'])}" if len(known) > 1 else ""
    head = f"{visible(label(first))}  on {visible(first['test_bed_name'])}  ({better})"
    pulled = ("pull request",) if len(of_main) < len(rows) else ()
    stated = ("interval",) if any(r["lower"] is not None for r in rows) else ()
    cells = [
        (
            (r["commit"] or "-")[: RULES.sha_length],
            when(r["dut_timestamp"]),
            r["dut_version"],
            *_statistics(r),
            *(_interval(r) for _ in stated),
            percent(r["change"]),
            *(f"#{r['pr_number']}" if r["pr_number"] is not None else "" for _ in pulled),
        )
        for r in rows
    ]
    headings = ("commit", "commit time", "version", "n", "median", "q1", "q3", *stated, "change", *pulled)
    further = f", and {len(rows) - len(of_main)} of pull request {rows[-1]['pr_number']}" if pulled else ""
    bars, about = sparkline(medians, sparkline_width(screen)), f"{len(of_main)} points, {ends}{moved}{further}"
    gap = "  " if screen.has_room_for(len(bars) + 2 + cells_of(about)) else "\n"
    return "\n".join((head, f"{bars}{gap}{about}", table(headings, cells, _NUMBERS, screen, _TREND)))


def _interval(row: FrameRow) -> str:
    """Return the interval that the tool itself states."""
    ends = [quantity(row[name], row["units"]) for name in ("lower", "upper")]
    return "-" if "-" in ends else " to ".join(ends)


def _statistics(row: FrameRow) -> tuple[str, ...]:
    if row["error"] is not None or not is_known(row["median"]):
        return (str(row["n"]), f"failed: {row['error'] or NO_VALUE}".splitlines()[0][:60], "", "")
    return (str(row["n"]), *(quantity(row[name], row["units"]) for name in ("median", "q1", "q3")))


def when(seconds: int | None) -> str:
    """Return a unix time in UTC, to the minute; "-" for unknown, and for a time that no calendar has."""
    first, last = CALENDAR_SECONDS  # stores of earlier releases have times beyond
    known = seconds and first <= seconds <= last
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds and known else "-"
