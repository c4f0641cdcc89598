"""Answers as tables for publication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench_db.identity import tags_key, tags_of_key
from bench_db.model import Verdict
from bench_db.query.series import label
from bench_db.report.quantity import is_known, percent_with_interval, probability
from bench_db.report.rows import when
from bench_db.report.tables import Figure, Figures, TableFormat, rendered
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from bench_db.model import Comparison, FrameRow

_STATISTICS = ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")
# What columns may stand for, and the frame column that has it.
ACROSS = {"dut": "dut_name", "testbed": "test_bed_name", "suite": "suite", "metric": "metric"}


def latest(rows: pl.DataFrame, table_format: str) -> str:
    """Render the newest result of each series."""
    return _statistics(rows, table_format, ("median", "q1", "q3"))


def summary(rows: pl.DataFrame, table_format: str) -> str:
    """Render statistics of each series over its history."""
    return _statistics(rows, table_format, ("min", "median", "max", "standard_deviation"))


def trend(rows: pl.DataFrame, table_format: str) -> str:
    """Render the points of each series, oldest first."""
    return _statistics(rows, table_format, ("median", "q1", "q3", "lower", "upper"))


def _statistics(rows: pl.DataFrame, table_format: str, shown: Sequence[str]) -> str:
    """Render a line a row; a spreadsheet has every statistic."""
    wide = table_format == TableFormat.CSV
    extra = ("lower", "upper") if "lower" in rows.columns else ()
    names = (*_STATISTICS, *extra) if wide else shown
    names = tuple(name for name in names if rows[name].null_count() < len(rows)) or names[:1]
    several, pulled = _several(rows["test_bed_name"]), "pr_number" in rows.columns
    heads = [
        *(["test bed"] if several or wide else []),
        *(["pull request"] if pulled else []),
        "commit",
        "commit time",
        "n",
        *names,
    ]
    body = [
        (
            label(r),
            [
                *([Figure(shown=r["test_bed_name"])] if several or wide else []),
                *([Figure(shown=str(r["pr_number"] or ""))] if pulled else []),
                Figure(shown=r["commit"] or "" if wide else (r["commit"] or "-")[: RULES.sha_length]),
                Figure(shown=when(r["dut_timestamp"])),
                Figure(value=r["n"], shown=str(r["n"])),
                *(_figure(r, name) for name in names),
            ],
        )
        for r in rows.iter_rows(named=True)
    ]
    return rendered(Figures(corner="benchmark", columns=heads, rows=body, best_in="none"), TableFormat(table_format))


def _figure(row: FrameRow, name: str) -> Figure:
    """Return one statistic; the median of a result without a number reads as failed."""
    failed = name == "median" and not is_known(row[name])
    return Figure(shown="failed") if failed else Figure(value=row[name], units=row["units"])


def across(rows: pl.DataFrame, table_format: str, by: str) -> str:
    """Render the newest medians, a column for each device, test bed, suite or metric, or each value of a tag, the best in bold.

    Series that differ in nothing else share a row; of several for one cell the newest counts.
    """
    kinds: dict[str, dict[str, dict[str, Any]]] = {}
    places: dict[str, None] = {}
    for r in rows.sort("commit_order", maintain_order=True).iter_rows(named=True):
        place, rest = _split(r, by)
        places[place] = None
        kinds.setdefault(label(rest), {})[place] = r
    columns = sorted(places)
    body = [(name, [_median(held.get(place)) for place in columns]) for name, held in sorted(kinds.items())]
    shown = [column or "-" for column in columns]
    return rendered(Figures(corner="benchmark", columns=shown, rows=body), TableFormat(table_format))


def _split(row: FrameRow, by: str) -> tuple[str, dict[str, Any]]:
    """Return the column of a series, and the rest of its identity, which it shares with the others of its row."""
    if by in ACROSS:
        kept = {ACROSS[by]: "time" if by == "metric" else ""}
        return row[ACROSS[by]], {**row, **kept}
    tags = dict(tags_of_key(row["tags_key"]))
    return tags.pop(by, ""), {**row, "tags_key": tags_key(tags)}


def _median(row: FrameRow | None) -> Figure:
    if row is None:
        return Figure()
    if not is_known(row["median"]):
        return Figure(shown="failed", units=row["units"])
    return Figure(value=row["median"], units=row["units"], direction=row["direction"])


def comparisons(judged: Sequence[Comparison], table_format: str) -> str:
    """Render each comparison, the better side in bold; a spreadsheet has the interval as figures of its own."""
    wide = table_format == TableFormat.CSV
    several = _several([c.series.test_bed_name for c in judged])
    bed = ["test bed"] if several or wide else []
    heads = [*bed, "before", "after", "change", *(["low", "high"] if wide else []), "p", "verdict"]
    body = [
        (c.series.label, [*([Figure(shown=c.series.test_bed_name)] if bed else []), *_compared(c, wide=wide)])
        for c in judged
    ]
    notes = ["threshold", "runs before", "runs after", "note"] if wide else []
    return rendered(Figures(corner="benchmark", columns=[*heads, *notes], rows=body), TableFormat(table_format))


def _compared(c: Comparison, *, wide: bool) -> list[Figure]:
    moved = str(c.series.direction) if c.verdict in {Verdict.REGRESSED, Verdict.IMPROVED} else "info"
    sides = [Figure(value=v, units=c.series.units, direction=moved) for v in (c.baseline_value, c.candidate_value)]
    change = Figure(value=c.effect, shown=percent_with_interval(c.effect, c.low, c.high))
    ends = [Figure(value=c.low), Figure(value=c.high)] if wide else []
    tested = [Figure(value=c.p_value, shown=probability(c.p_value)), Figure(shown=c.verdict)]
    counts = [Figure(value=n, shown=str(n)) for n in (c.n_baseline, c.n_candidate)]
    return [
        *sides,
        change,
        *ends,
        *tested,
        *([Figure(shown=c.threshold), *counts, Figure(shown=c.note)] if wide else []),
    ]


def _several(names: Iterable[str]) -> bool:
    return len(set(names)) > 1
