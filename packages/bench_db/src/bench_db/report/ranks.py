"""Ranks of the values of a tag as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.model import series_label
from bench_db.report.quantity import percent, quantity
from bench_db.report.text import PLAIN, table, visible

if TYPE_CHECKING:
    import polars as pl

    from bench_db.report.text import Screen


def ranks_text(  # noqa: PLR0913 the parts of one answer
    tag: str,
    places: pl.DataFrame,
    values: pl.DataFrame,
    means: pl.DataFrame,
    *,
    without: int,
    screen: Screen = PLAIN,
) -> str:
    """Render the values of the tag, the best first, their geometric means, and the rank of each in every benchmark.

    The frames are those of `query.ranks`; `without` counts the results that have no such tag.
    """
    tag = visible(tag)
    totals = [
        (
            visible(row["value"]),
            "-" if row["score"] is None else f"{row['score']:.3f}",
            str(row["common"]),
            "-" if row["mean_rank"] is None else f"{row['mean_rank']:.2f}",
            *(str(row[name]) for name in ("first", "ranked", "missing", "failed")),
        )
        for row in values.iter_rows(named=True)
    ]
    heads = (tag, "score", "common", "mean rank", "first", "ranked", "missing", "failed")
    of_metrics = [
        (row["metric"], visible(row["value"]), quantity(row["geometric_mean"], row["units"]), str(row["common"]))
        for row in means.iter_rows(named=True)
    ]
    of_means = ("metric", tag, "geometric mean", "common")
    cells = [
        (
            series_label(row["suite"], row["benchmark_name"], row["metric"], row["other_tags"]),
            visible(row["test_bed_name"]),
            "-" if row["rank"] is None else str(row["rank"]),
            visible(row["value"]),
            row["state"] if row["median"] is None else quantity(row["median"], row["units"]),
            percent(row["behind"]) if row["behind"] else "",
        )
        for row in places.iter_rows(named=True)
    ]
    of_places = ("benchmark and tags", "test bed", "rank", tag, "newest", "behind the best")
    left = [f"left out: {without} results without the tag {tag}"] if without else []
    return "\n".join(
        (
            table(heads, totals, heads[1:], screen),
            "",
            *((table(of_means, of_metrics, of_means[2:], screen), "") if of_metrics else ()),
            table(of_places, cells, ("rank", "newest", "behind the best"), screen),
            *left,
        )
    )
