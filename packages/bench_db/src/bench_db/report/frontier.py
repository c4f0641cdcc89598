"""The frontier of two metrics as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.model import series_label
from bench_db.report.quantity import quantity
from bench_db.report.text import PLAIN, table
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from bench_db.model import FrameRow, JsonObject
    from bench_db.report.text import Screen

_BEYOND = "beyond the ends"


def frontier_text(document: JsonObject, points: pl.DataFrame, values: pl.DataFrame, screen: Screen = PLAIN) -> str:
    """Render the points on the front of each group, the values asked for, and what was left out."""
    x, y, by = document["x"], document["y"], document["by"]
    front = points.filter("on_front")
    head = (
        f"{len(front)} of {len(points)} points are on the front of their group:"
        f" {x['metric']} better {x['direction']}, {y['metric']} better {y['direction']}"
    )
    cells = [
        (
            *_group(row, by),
            series_label(row["suite"], row["benchmark_name"], "time", row["tags_key"]),
            (row["commit"] or "-")[: RULES.sha_length],
            quantity(row["x"], x["units"]),
            quantity(row["y"], y["units"]),
        )
        for row in front.iter_rows(named=True)
    ]
    axes = [f"{axis['metric']} ({name})" for name, axis in (("x", x), ("y", y))]
    shown = table((*by, "benchmark and tags", "at commit", *axes), cells, axes, screen)
    left = [f"left out: {count} {reason}" for reason, count in document["left_out"].items()]
    return "\n".join((head, shown, *_values(document, values, screen), *left, *document["notes"]))


def _values(document: JsonObject, values: pl.DataFrame, screen: Screen) -> list[str]:
    at, by = document["at"], document["by"]
    if at is None:
        return []
    known, asked = (document[name] for name in ("x", "y"))
    known, asked = (known, asked) if known["metric"] == at["metric"] else (asked, known)
    cells = [
        (*_group(row, by), _BEYOND if row["value"] is None else quantity(row["value"], asked["units"]))
        for row in values.iter_rows(named=True)
    ]
    head = f"{asked['metric']} at {at['metric']} {quantity(at['value'], known['units'])}:"
    return ["", head, table((*by, "value there"), cells, ("value there",), screen), ""]


def _group(row: FrameRow, by: Sequence[str]) -> tuple[str, ...]:
    return tuple("-" if row[part] is None else str(row[part]) for part in by)
