"""The formats, and what one of them makes of a file, as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.identity import tags_key
from bench_db.model import series_label
from bench_db.report.quantity import quantity
from bench_db.report.text import PLAIN, table, visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench_db.model import Result
    from bench_db.report.text import Screen

_MOST_LISTED = 50


def formats_text(formats: Sequence[tuple[str, str, bool, str]], screen: Screen = PLAIN) -> str:
    """Render name, origin, whether files are recognised, and summary of each format."""
    cells = [
        (visible(name), origin, "content" if by_content else "--format", visible(summary))
        for name, origin, by_content, summary in formats
    ]
    return table(("format", "of", "recognised by", "what"), cells, (), screen)


def tried_text(
    name: str,
    results: Sequence[Result],
    skipped: Mapping[str, int],
    notes: Sequence[str],
    screen: Screen = PLAIN,
) -> str:
    """Render the results that a format makes of a file, the first of many, and its notes."""
    count = f"{len(results):,} result{'' if len(results) == 1 else 's'}"
    head = f"{visible(name)}: {count}" + (f", {sum(skipped.values()):,} skipped" if skipped else "")
    cells = [
        (
            visible(series_label(one.suite, one.benchmark_name, one.metric, tags_key(one.tags))),
            visible(one.units),
            str(one.direction),
            f"{one.n:,}",
            visible(one.error) if one.error else quantity(one.summary.median if one.summary else None, one.units),
            (one.commit or "-")[: RULES.sha_length],
        )
        for one in results[:_MOST_LISTED]
    ]
    headings = ("benchmark, metric and tags", "unit", "better", "n", "median", "commit")
    shown = [table(headings, cells, ("n", "median"), screen)] if cells else []
    more = (
        [f"... and {len(results) - _MOST_LISTED:,} more, which --output json lists"]
        if len(results) > _MOST_LISTED
        else []
    )
    return "\n".join((head, *shown, *more, *(visible(note) for note in notes)))
