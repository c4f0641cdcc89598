"""Frontiers: the points of a group that no other is better than in two metrics at once, and the values between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from bench_db.query.series import MACHINE
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONFIGURATION = ("dut_name", "test_bed_name", "suite", "benchmark_name", "tags_key")
BY = ("dut_name", "test_bed_name")
BUILD = ("commit", "dut_version", "dut_timestamp")
# The columns that can be a part of a group; any other part is a tag.
COLUMNS = ("dut_name", "dut_version", "commit", "test_bed_name", "suite", "benchmark_name")
_SAME = 1e-9  # relative; a number converted from another unit is rounded
_SHOWN = ("group", "known", "asked")


def located(newest: pl.DataFrame, machines: Callable[[list[int]], pl.DataFrame]) -> pl.DataFrame:
    """Add the numbers of the `configuration` and of the `build` of the newest results; results with one number share it.

    A configuration is `CONFIGURATION`, and the machine where it has several results of a metric. `machines` gives the columns `MACHINE` of
    series by their keys; it is called only when there are such configurations. A build is a commit, else a version and a time.
    """
    alike = newest.filter((pl.len().over(*CONFIGURATION, "metric") > 1).any().over(*CONFIGURATION))["series_key"]
    empty = pl.DataFrame(schema={"series_key": newest.schema["series_key"], **dict.fromkeys(MACHINE, pl.String)})
    apart = empty if alike.is_empty() else machines(alike.to_list()).select("series_key", *MACHINE)
    without_commit = {f"_{name}": pl.when(pl.col("commit").is_null()).then(name) for name in BUILD[1:]}
    rows = newest.join(apart, on="series_key", how="left", maintain_order="left").with_columns(**without_commit)
    rows = _numbered(rows, "configuration", (*CONFIGURATION, *MACHINE))
    return _numbered(rows, "build", ("commit", *without_commit)).select(*newest.columns, "configuration", "build")


def _numbered(rows: pl.DataFrame, name: str, columns: Sequence[str]) -> pl.DataFrame:
    """Add a number that is equal where all columns are, nulls included."""
    numbers = rows.select(columns).unique().sort(columns).with_row_index(name)
    return rows.join(numbers, on=list(columns), how="left", nulls_equal=True, maintain_order="left")


def with_front(points: pl.LazyFrame, *, x: Direction, y: Direction) -> pl.LazyFrame:
    """Add `on_front` to points with the columns `group`, `x` and `y`: whether no point of the group dominates it.

    A point dominates another when it is at least as good in both metrics and better in one, so equal points are on the front
    together. The metrics are finite, and their directions lower or higher. The order of the points is kept.
    """
    costs = {"_x": _cost("x", x), "_y": _cost("y", y)}
    ordered = points.with_row_index("_place").with_columns(**costs).sort("group", "_x", "_y")
    best_so_far = ordered.with_columns(_before=pl.col("_y").cum_min().shift(1).over("group"))
    # the first of several points with one x has the best y of the points with a better x
    best_before = best_so_far.with_columns(_before=pl.col("_before").first().over("group", "_x"))
    undominated = (pl.col("_y") < pl.col("_before")).fill_null(value=True)
    marked = best_before.with_columns(on_front=undominated & (pl.col("_y") == pl.col("_y").min().over("group", "_x")))
    return marked.sort("_place").drop("_place", "_x", "_y", "_before")


def _cost(name: str, direction: Direction) -> pl.Expr:
    """Return a metric so that less is better; the sum makes the two zeros one."""
    return pl.col(name) * (1 if direction is Direction.LOWER else -1) + 0.0


def value_at(knots: pl.LazyFrame, at: float) -> pl.LazyFrame:
    """Return for each `group` of knots the `value` of `asked` where `known` is `at`; null beyond the ends, and never below 0.

    The cubic between neighbouring knots is that of M. Steffen, "A simple method for monotonic interpolation in one dimension",
    Astronomy and Astrophysics 239 (1990), 443-450: it goes through the knots and is monotone between them. Two knots are a
    straight line. One knot has a value at itself alone.
    """
    sloped = _sloped(knots.select(_SHOWN).unique(["group", "known"]).sort("group", "known"))
    ends = pl.lit(at).clip(pl.col("known").min().over("group"), pl.col("known").max().over("group"))
    inside = (pl.lit(at) - pl.col("_at")).abs() <= _SAME * abs(at)
    segment = sloped.with_columns(_at=ends).filter(pl.col("known") <= pl.col("_at")).group_by("group").last()
    return segment.select("group", pl.when(inside).then(_cubic()).alias("value"))


def _sloped(knots: pl.LazyFrame) -> pl.LazyFrame:
    """Add the next knot, the secant to it, and the slopes at both ends, to knots in their order; null after the last."""
    width, secant, slope = pl.col("_width"), pl.col("_secant"), pl.col("_slope")
    following = knots.with_columns(_width=_next("known") - pl.col("known"), _next_asked=_next("asked")).with_columns(
        _secant=(pl.col("_next_asked") - pl.col("asked")) / width
    )
    first = _end(width, secant, _shifted(width, -1), _shifted(secant, -1))
    last = _end(_shifted(width, 1), _shifted(secant, 1), _shifted(width, 2), _shifted(secant, 2))
    inner = _inner(_shifted(width, 1), _shifted(secant, 1), width, secant)
    is_first, is_last = _shifted(width, 1).is_null(), width.is_null()
    slopes = following.with_columns(_slope=pl.when(is_first).then(first).when(is_last).then(last).otherwise(inner))
    return slopes.with_columns(_next_slope=_shifted(slope, -1))


def _shifted(column: pl.Expr, by: int) -> pl.Expr:
    return column.shift(by).over("group")


def _next(name: str) -> pl.Expr:
    return _shifted(pl.col(name), -1)


def _inner(width: pl.Expr, secant: pl.Expr, next_width: pl.Expr, next_secant: pl.Expr) -> pl.Expr:
    """Return the slope at a knot between two others, equation 11: 0 where the secants have different signs."""
    parabola = (secant * next_width + next_secant * width) / (width + next_width)
    least = pl.min_horizontal(secant.abs(), next_secant.abs(), 0.5 * parabola.abs())
    return (secant.sign() + next_secant.sign()) * least


def _end(width: pl.Expr, secant: pl.Expr, next_width: pl.Expr, next_secant: pl.Expr) -> pl.Expr:
    """Return the slope at an end, equations 24 to 29, from the two segments nearest to it; the secant where there is only one."""
    share = width / (width + next_width)
    parabola = secant * (1 + share) - next_secant * share
    limited = (
        pl.when(parabola * secant <= 0)
        .then(0.0)
        .when(parabola.abs() > 2 * secant.abs())
        .then(2 * secant)
        .otherwise(parabola)
    )
    return pl.when(next_width.is_null()).then(secant).otherwise(limited)


def _cubic() -> pl.Expr:
    """Return the value at `_at` of the segment that begins at a knot; rounding does not take it beyond the two knots, nor below 0."""
    width, secant, slope, after = (pl.col(name) for name in ("_width", "_secant", "_slope", "_next_slope"))
    step, asked, following = pl.col("_at") - pl.col("known"), pl.col("asked"), pl.col("_next_asked")
    third, second = (slope + after - 2 * secant) / width**2, (3 * secant - 2 * slope - after) / width
    cubic = ((third * step + second) * step + slope) * step + asked
    between = cubic.clip(pl.min_horizontal(asked, following), pl.max_horizontal(asked, following))
    return pl.max_horizontal(pl.when(step == 0).then(asked).otherwise(between), 0.0)
