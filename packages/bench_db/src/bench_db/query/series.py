"""One series: all results of one benchmark, metric and tags of one device on one class of test bed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING

import polars as pl

from bench_db.model import Series, series_label
from bench_db.rules import RULES
from bench_db.summary import STATISTICS, summarise_column
from bench_db.threads import threads
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    import pyarrow as pa

    from bench_db.model import Comparison, FrameRow


# The order of the commit (`query.history`), then run time, so that a backfill of an old commit is never the newest.
COMMIT_ORDER = ("commit_order", "run_time", "run_key")
# The order of the points of a series. A joined series can have several of one run: their medians decide, however they were stored.
POINT_ORDER = (*COMMIT_ORDER, "median")
SERIES_ORDER = ("benchmark_name", "test_bed_name", "series_key")

IDENTITY = tuple(f.name for f in fields(Series))
POINT = (
    "commit",
    "branch",
    "dut_version",
    "dut_timestamp",
    "run_time",
    "timestamp",
    "run_key",
    "n",
    "min",
    "q1",
    "median",
    "q3",
    "max",
    "mean",
    "standard_deviation",
    "lower",
    "upper",
    "error",
)
COLUMNS = (*IDENTITY, *POINT)
# The machine of a series; with the name of the test bed it is the test bed class.
MACHINE = ("test_bed_cpu", "test_bed_memory_gb", "test_bed_os")
# The columns of a point among which its series has its figure, and the number of samples behind them.
FIGURES = ("n", "min", "q1", "median", "q3", "max")
# The columns of a point that statistics of many series need.
HISTORY = ("series_key", *COMMIT_ORDER, "dut_timestamp", "commit", *FIGURES, "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Points of many series, in any order, with the identity of a series stored once and not per point.

    `series` has the columns of `IDENTITY` and may have series without points. `rows` has at least the columns of `HISTORY`.
    A failed point has a null median.
    """

    series: pl.DataFrame
    rows: pl.DataFrame

    def with_points(self, other: Points) -> Points:
        """Return the points of both, duplicates included."""
        series = pl.concat([self.series, other.series]).unique("series_key", keep="first", maintain_order=True)
        return Points(series=series, rows=pl.concat([self.rows, other.rows]))


def unmeasured(points: Points, own: Collection[int]) -> list[str]:
    """Return the test beds, and the suites on a test bed, where the device of a candidate was measured and the candidate was not.

    One of the `rules.recent_commits` newest commits before the candidate was measured there. `own` are the keys of the candidate's runs.
    """
    rows = points.rows.lazy().select("series_key", "commit_order", own=pl.col("run_key").is_in(own))
    of_own = rows.filter("own").select("series_key", "commit_order").collect()
    devices = points.series.filter(pl.col("series_key").is_in(of_own["series_key"].implode()))["dut_name"].unique()
    of_device = points.series.filter(pl.col("dut_name").is_in(devices.implode()))
    if len(of_device) < len(points.series):
        rows = rows.filter(pl.col("series_key").is_in(of_device["series_key"].implode()))
    before = rows.filter(pl.col("commit_order") <= of_own["commit_order"].max())
    oldest = before.select(pl.col("commit_order").unique().top_k(RULES.recent_commits + 1).min()).collect().item()
    recent = before.filter(pl.col("commit_order") >= oldest)
    of_series = recent.group_by("series_key").agg(pl.col("own").any()).collect()
    placed = of_series.join(of_device.select("series_key", "test_bed_name", "suite"), on="series_key")
    beds = placed.group_by("test_bed_name").agg(pl.col("own").any())
    suites = placed.group_by("test_bed_name", "suite").agg(pl.col("own").any())
    measured = set(beds.filter("own")["test_bed_name"])
    without = suites.filter(~pl.col("own")).sort("test_bed_name", "suite").iter_rows()
    return list(
        dict.fromkeys(f"{suite or '(no suite)'} on {bed}" if bed in measured else bed for bed, suite, _ in without)
    )


def oldest_first(results: pl.LazyFrame) -> pl.LazyFrame:
    """Sort points with `commit_order` by series name, then in `POINT_ORDER`; unknown run times come first."""
    return results.sort(*dict.fromkeys((*SERIES_ORDER, *POINT_ORDER, *FIGURES)), nulls_last=False)


def last_points(results: pl.LazyFrame, count: int) -> pl.LazyFrame:
    """Return the newest `count` points of each series, oldest first."""
    index = pl.int_range(pl.len(), dtype=pl.Int64).over("series_key")
    return results.filter(index >= pl.len().cast(pl.Int64).over("series_key") - count)


def with_changes(ordered: pl.LazyFrame) -> pl.LazyFrame:
    """Add where each point is in its series and how it changed, to points in commit order.

    `index` counts the points of a series from 0. `change` is the change of the median relative to the newest point before that
    has a median (0.08 is +8 %); null without one, without a median, and after a median of 0.
    """
    median = pl.when(pl.col("median").is_finite()).then("median")
    before = median.shift(1).forward_fill().over("series_key")
    index = pl.int_range(pl.len(), dtype=pl.Int64).over("series_key")
    return ordered.with_columns(index=index, change=relative_change(median, before))


def with_change_since_first(ordered: pl.LazyFrame) -> pl.LazyFrame:
    """Add `change_since_first` to points in commit order: as `change`, relative to the oldest of them that has a median."""
    median = pl.when(pl.col("median").is_finite()).then("median")
    first = median.drop_nulls().first().over("series_key")
    return ordered.with_columns(change_since_first=relative_change(median, first))


def with_pull(history: pl.DataFrame, pulled: pl.DataFrame, number: int) -> pl.DataFrame:
    """Return the points of a history and, after those of each series, the points that a pull request has of it.

    Both have the columns that `with_change_since_first` leaves. `pr_number` is the number in points of the pull request and null in
    others. The changes of a point of the pull request are relative to the newest and the oldest median of the history, not to one another;
    null for a series without.
    """
    median = pl.when(pl.col("median").is_finite()).then("median").drop_nulls()
    known = history.group_by("series_key").agg(
        _newest=median.last(), _oldest=median.first(), _next=pl.col("index").max() + 1
    )
    place = pl.col("_next").fill_null(0) + pl.int_range(pl.len(), dtype=pl.Int64).over("series_key")
    after = pulled.join(known, on="series_key", how="left", maintain_order="left").with_columns(
        index=place,
        change=relative_change(pl.col("median"), pl.col("_newest")),
        change_since_first=relative_change(pl.col("median"), pl.col("_oldest")),
    )
    alone, own = pl.lit(None, dtype=pl.Int64), pl.lit(number, dtype=pl.Int64)
    both = pl.concat([history.with_columns(pr_number=alone), after.select(history.columns).with_columns(pr_number=own)])
    return both.sort(*SERIES_ORDER, "index", maintain_order=True)


def relative_change(value: pl.Expr, base: pl.Expr) -> pl.Expr:
    """Return the change of a value relative to a base; null when either is, and for a base of 0."""
    return pl.when(base != 0).then((value - base) / base.abs())


def newest_points(results: pl.LazyFrame, count: int) -> pl.LazyFrame:
    """Return the newest `count` points of each series, sorted by series key."""
    return last_points(results.sort("series_key", *POINT_ORDER, nulls_last=False), count)


def is_stale() -> pl.Expr:
    """Mark newest points of an earlier commit than the newest of their device, test bed and suite."""
    order = pl.col("commit_order")
    return order < order.max().over("dut_name", "test_bed_name", "suite")


def statistics(
    medians: pl.DataFrame,
    newest: pl.DataFrame,
    summarise: Callable[[pl.Series, pa.ListArray], pl.DataFrame] | None = None,
) -> pl.DataFrame:
    """Return one row per series with the statistics of its history; each point counts once, by its median.

    `medians` has the series key and the median of each point, `newest` the newest point of each series. `n` counts the
    points with a finite median. A series with only failures has n = 0 and null statistics. `spread` is the standard deviation
    relative to the mean, null for a mean of 0. `summarise` replaces `summarise_column`, and gets the series key of each list too.
    """
    known = medians.with_columns(pl.when(pl.col("median").is_finite()).then("median").alias("median"))
    lists = known.group_by("series_key").agg(pl.col("median").drop_nulls())
    column = lists["median"].to_arrow()
    if summarise is None:
        size = max(1, -(-len(column) // threads()))  # one part per thread
        found = summarise_column(column[start : start + size] for start in range(0, len(column), size))
    else:
        found = summarise(lists["series_key"], column)
    rows = lists.select("series_key").hstack(found.select("n", *STATISTICS))
    spread = pl.when(pl.col("mean") != 0).then(pl.col("standard_deviation") / pl.col("mean").abs()).alias("spread")
    known = newest.select(*IDENTITY, "commit", "dut_version", "dut_timestamp")
    return known.join(rows, on="series_key").with_columns(spread)


def label(row: FrameRow) -> str:
    """Return the name of a series for readers: suite, benchmark, then metric unless `time`, then tags."""
    return series_label(row["suite"], row["benchmark_name"], row["metric"], row["tags_key"])


def identified(names: pl.DataFrame) -> list[Series]:
    """Return the series of a frame with the columns of `IDENTITY`, a record a row."""
    rows = names.select(IDENTITY).with_columns(pl.col("suite", "tags_key").fill_null("")).iter_rows(named=True)
    return [Series(**{**row, "direction": Direction(row["direction"])}) for row in rows]


def newest(results: pl.DataFrame) -> pl.DataFrame:
    """Return the newest row of each series in `POINT_ORDER`, failures included; unknown run times sort first."""
    return results.sort(POINT_ORDER, nulls_last=False).unique("series_key", keep="last", maintain_order=True)


def told_apart(rows: pl.DataFrame, machines: Callable[[list[int]], pl.DataFrame]) -> pl.DataFrame:
    """Return rows for readers: the test bed of series that are alike says what differs, the device or the machine.

    `machines` gives the columns of `MACHINE` of series by their keys; it is called only when there are such series.
    """
    beds = beds_apart(rows, machines)
    if not beds:
        return rows
    bed = pl.col("series_key").replace_strict(beds, default=pl.col("test_bed_name"), return_dtype=pl.String)
    return rows.with_columns(test_bed_name=bed)


def series_told_apart(series: Iterable[Series], machines: Callable[[list[int]], pl.DataFrame]) -> dict[int, Series]:
    """Return series for readers by key, with test beds as `told_apart` gives them."""
    known = {one.series_key: one for one in series}
    if not known:
        return {}
    beds = beds_apart(pl.DataFrame(list(map(_OF_NAMES, known.values())), _NAMES, orient="row"), machines)
    return known | {key: replace(known[key], test_bed_name=bed) for key, bed in beds.items()}


def comparisons_told_apart(
    comparisons: Sequence[Comparison], machines: Callable[[list[int]], pl.DataFrame]
) -> list[Comparison]:
    """Return comparisons for readers, with test beds as `told_apart` gives them."""
    series = series_told_apart((c.series for c in comparisons), machines)
    named = [series[c.series.series_key] for c in comparisons]
    return [c if one is c.series else replace(c, series=one) for c, one in zip(comparisons, named, strict=True)]


_ALIKE = ("test_bed_name", "suite", "benchmark_name", "metric", "tags_key")
_NAMES = ("series_key", "dut_name", *_ALIKE)
_OF_NAMES = attrgetter(*_NAMES)


def beds_apart(rows: pl.DataFrame, machines: Callable[[list[int]], pl.DataFrame]) -> dict[int, str]:
    """Return the test beds of series that have all names in common, with what differs between these series, by key.

    `machines` is as for `told_apart`.
    """
    alike = rows.select(_NAMES).unique("series_key").filter(pl.len().over(_ALIKE) > 1)
    if alike.is_empty():
        return {}
    of = machines(alike["series_key"].to_list())
    beds = {}
    for group in alike.join(of, on="series_key", how="left").partition_by(_ALIKE):
        apart = [name for name in ("dut_name", *MACHINE) if group[name].n_unique() > 1]
        for row in group.filter(bool(apart)).iter_rows(named=True):
            said = ", ".join(_said(name, row[name]) for name in apart)
            beds[row["series_key"]] = f"{row['test_bed_name']} ({said})"
    return beds


def _said(name: str, value: object) -> str:
    if not value:
        return f"{name.removeprefix('test_bed_').removesuffix('_gb')} unknown"
    return f"{value} GiB" if name.endswith("_gb") else str(value)
