"""Charts of answers, for notebooks: Altair charts, which draw themselves and which Altair writes as PNG, SVG or HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.query.series import label
from bench_db.report.escape import shortened
from bench_db.report.quantity import step
from bench_db.report.text import visible
from bench_db.rules import RULES
from bench_db.store.faults import needed_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt

    Chart = alt.LayerChart | alt.FacetChart

_NONE: Mapping[int, str] = {}
_WIDTH, _HEIGHT, _ROW = 640, 240, 18
_NAME = 60
_WORSE, _BETTER, _OTHER = "#b0440a", "#1766a6", "#8a9099"
# Verdicts of `compare`, and states of findings.
_COLOURS = {"regressed": _WORSE, "suspected": "#d9822b", "improved": _BETTER, "worse": _WORSE, "better": _BETTER}


def _altair() -> Any:
    with needed_for("a chart"):
        import altair as alt  # noqa: PLC0415 an extra, and 0.9 s
    return alt


def _data(rows: pl.DataFrame) -> alt.InlineData:
    """Return rows as data within the chart, however many; times as text, no NaN."""
    labelled = rows.with_columns(
        pl.selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%SZ"), pl.selectors.float().fill_nan(None)
    )
    found: alt.InlineData = _altair().InlineData(values=labelled.to_dicts())
    return found


def _labels(rows: pl.DataFrame) -> pl.Series:
    """Return the label of the series of each row, without characters that move a cursor."""
    names = ("suite", "benchmark_name", "metric", "tags_key")
    return pl.Series(
        "series", [shortened(visible(label(row)), _NAME) for row in rows.select(names).iter_rows(named=True)], pl.String
    )


def _named(rows: pl.DataFrame, beds: Mapping[int, str]) -> pl.DataFrame:
    """Return rows with the names that test beds have in a chart, by the key of the series; others keep theirs."""
    if not beds:
        return rows
    bed = pl.col("series_key").replace_strict(beds, default=pl.col("test_bed_name"), return_dtype=pl.String)
    return rows.with_columns(test_bed_name=bed)


def _printable(names: pl.Series) -> pl.Series:
    return pl.Series(names.name, [None if name is None else visible(name) for name in names], pl.String)


def _in_steps(shown: pl.DataFrame) -> pl.DataFrame:
    """Return points with the statistics of each unit in the step that its largest median reaches, and the sign of it as the unit."""
    median = pl.col("median")
    largest = shown.group_by("units").agg(median.filter(median.is_finite()).abs().max()).rows()
    steps = pl.DataFrame(
        [(units, *step(size or 1.0, units)) for units, size in largest],
        schema={"units": pl.String, "scale": pl.Float64, "sign": pl.String},
        orient="row",
    )
    found = shown.join(steps, on="units", how="left", maintain_order="left")
    return found.with_columns(pl.col("q1", "median", "q3") / pl.col("scale"), units="sign").drop("scale", "sign")


def trend_chart(rows: pl.DataFrame, beds: Mapping[int, str] = _NONE) -> Chart:
    """Draw the medians of each series in commit order over a band from the first to the third quartile; a panel for each unit.

    A panel is in the step of its unit that its largest median reaches, such as ms.
    `rows` are those of `Database.trend`, `beds` what their test beds are called, by the key of the series. A failed point is a gap.
    Points of a pull request are a line of their own, which is named.
    """
    alt = _altair()
    rows = _named(rows, beds)
    shown = rows.select(
        pl.col("series_key").cast(pl.String),  # a number of JSON has not all of its digits
        "commit_time",
        "index",
        "commit",
        "test_bed_name",
        "units",
        "n",
        "q1",
        "median",
        "q3",
    ).with_columns(
        _labels(rows),
        pl.col("commit").str.slice(0, RULES.sha_length),
        pl.col("test_bed_name", "units").map_elements(visible, pl.String),
    )
    shown = _in_steps(shown)
    several = shown["test_bed_name"].n_unique() > 1
    pull = rows["pr_number"] if "pr_number" in rows.columns else pl.Series("pr_number", [None] * len(rows), pl.Int64)
    shown = shown.with_columns(pull).with_columns(
        line=pl.concat_str(
            pl.concat_str("series", "test_bed_name", separator=" on ") if several else pl.col("series"),
            pl.format(", pull request {}", "pr_number").fill_null(""),
        ),
    )
    at = alt.X("commit_time:T", title="commit")
    colour = alt.Color("line:N", title=None, legend=alt.Legend(orient="bottom", columns=1, labelLimit=_WIDTH))
    base = alt.Chart().encode(x=at, color=colour, detail=["series_key:N", "pr_number:N"])
    value = alt.Y("median:Q", title=None, scale=alt.Scale(zero=False))
    tips = [alt.Tooltip(name) for name in ("line:N", "commit:N", "commit_time:T", "median:Q", "q1:Q", "q3:Q", "n:Q")]
    layers = alt.layer(
        base.mark_area(opacity=0.15).encode(y=alt.Y("q1:Q", title=None, scale=alt.Scale(zero=False)), y2="q3:Q"),
        base.mark_line(invalid="break-paths-show-domains").encode(y=value),
        base.mark_point(filled=True, size=25).encode(y=value, tooltip=tips),
        data=_data(shown),
    ).properties(width=_WIDTH, height=_HEIGHT)
    faceted: Chart = layers.facet(row=alt.Row("units:N", title=None)).resolve_scale(y="independent")
    return faceted


def effects_chart(rows: pl.DataFrame, kind: str, beds: Mapping[int, str] = _NONE) -> Chart:
    """Draw the relative change of each row with its interval, the largest at the top; `kind` names the column that colours it.

    `rows` have the columns of a series and `effect`, `low` and `high`. Rows without an effect are left out, and so are those beyond `rules.chart_rows`.
    `beds` is as for `trend_chart`.
    """
    alt = _altair()
    known = _named(rows, beds).filter(pl.col("effect").is_finite())
    known = known.sort(pl.col("effect").abs(), descending=True).head(RULES.chart_rows)
    shown = known.select(
        _labels(known),
        _printable(known["test_bed_name"]),
        pl.col(kind).cast(pl.String).alias("kind"),
        pl.col("effect", "low", "high"),
    ).with_columns(row=pl.concat_str("series", "test_bed_name", separator=" on "))
    kinds = sorted(set(shown["kind"].drop_nulls()))
    colours = alt.Scale(domain=kinds, range=[_COLOURS.get(one, _OTHER) for one in kinds])
    change = alt.Axis(format="+.0%", title="change")
    # a series with two findings has two marks in its row
    row = alt.Y(
        "row:N", title=None, sort=shown["row"].unique(maintain_order=True).to_list(), axis=alt.Axis(labelLimit=_WIDTH)
    )
    base = alt.Chart().encode(y=row, color=alt.Color("kind:N", title=None, scale=colours))
    tips = [
        alt.Tooltip("row:N"),
        alt.Tooltip("kind:N"),
        *(alt.Tooltip(f"{n}:Q", format="+.2%") for n in ("effect", "low", "high")),
    ]
    layers: Chart = alt.layer(
        base.mark_rule().encode(x=alt.X("low:Q", axis=change), x2="high:Q"),
        base.mark_point(filled=True, size=60).encode(x=alt.X("effect:Q", axis=change), tooltip=tips),
        data=_data(shown),
    ).properties(width=_WIDTH, height=max(1, shown["row"].n_unique()) * _ROW)
    return layers


def frontier_chart(points: pl.DataFrame, *, x: tuple[str, str], y: tuple[str, str], by: Sequence[str]) -> Chart:
    """Draw each configuration at its two metrics: filled on the front of its group, hollow below it, and a line along each front.

    `points` are those of a frontier, `x` and `y` the metrics and stored units of its axes. An axis is in the step of its unit that its largest value reaches.
    """
    alt = _altair()
    titles = {}
    for name, (metric, units) in (("x", x), ("y", y)):
        scale, sign = step(points[name].abs().max() or 1.0, units)  # type: ignore[arg-type]
        points = points.with_columns(pl.col(name) / scale)
        titles[name] = visible(f"{metric} ({sign})" if sign else metric)
    groups = [
        " / ".join(visible(str(part)) for part in row if part is not None) for row in points.select(by).iter_rows()
    ]
    labels = _labels(points.with_columns(metric=pl.lit("time")))  # a point has two metrics; the label names neither
    shown = points.select(labels, pl.Series("group", groups, pl.String), pl.col("x", "y", "on_front"))
    colour = alt.Color("group:N", title=None)
    across, up = (
        alt.X("x:Q", title=titles["x"], scale=alt.Scale(zero=False)),
        alt.Y("y:Q", title=titles["y"], scale=alt.Scale(zero=False)),
    )
    base = alt.Chart().encode(x=across, y=up, color=colour)
    tips = [alt.Tooltip("group:N"), alt.Tooltip("series:N"), alt.Tooltip("x:Q"), alt.Tooltip("y:Q")]
    filled = alt.condition("datum.on_front", alt.value(1.0), alt.value(0.0))
    layers: Chart = alt.layer(
        base.mark_line(interpolate="linear").transform_filter("datum.on_front"),
        base.mark_point(size=60).encode(fillOpacity=filled, fill=alt.Fill("group:N", legend=None), tooltip=tips),
        data=_data(shown),
    ).properties(width=_WIDTH, height=_HEIGHT)
    return layers


def worse_or_better(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the column `kind` to findings: worse, better, or the state of a finding that is decided or has no direction."""
    up = pl.col("effect") > 0.0
    worse = pl.when(pl.col("direction") == "lower").then(up).when(pl.col("direction") == "higher").then(~up)
    standing = pl.col("state").is_in(["open", "reopened"])
    word = (
        pl.when(standing & worse)
        .then(pl.lit("worse"))
        .when(standing & ~worse)
        .then(pl.lit("better"))
        .otherwise("state")
    )
    return rows.with_columns(kind=word)
