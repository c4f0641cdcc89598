"""Points of derived metrics: each is computed from the results of one run, benchmark and tags, and never stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from operator import add, mul, sub
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.derive import key_of_series
from bench_db.errors import UserError
from bench_db.query.formula import SECOND, DerivedMetric, Name, Number, Operation, metrics_of
from bench_db.query.series import IDENTITY, MACHINE, newest
from bench_db.units import NANOSECONDS, Direction

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.model import FrameRow
    from bench_db.query.definitions import Definitions
    from bench_db.query.formula import Formula

# What the results of one point have in common, besides the run.
_GROUP = ("dut_name", "test_bed_name", "suite", "benchmark_name", "tags_key")
_VALUES = ("min", "q1", "median", "q3", "max", "mean")
_UNKNOWN = ("lower", "upper", "id", "values", "_rowid")
# The columns that points of the operands need, besides those that are asked for.
NEEDED = ("series_key", "run_key", "median", "error")


@dataclass(frozen=True, slots=True)
class _Applied:
    """A derived metric with its metrics by their numbers, and the device that it is limited to, or the devices that have their own.

    `hidden` are the groups that have stored results of its name, which are shown instead.
    """

    metric: DerivedMetric
    numbers: Mapping[str, int]
    dut_name: str | None
    others: Collection[str]
    hidden: Collection[int] = ()

    @property
    def operands(self) -> list[int]:
        return list(self.numbers.values())

    def applies(self) -> pl.Expr:
        """Select the groups that it is computed for, by their device and number."""
        name, shown = pl.col("dut_name"), ~pl.col("_group").is_in(sorted(self.hidden))
        if self.dut_name is not None:
            return (name == self.dut_name) & shown
        return ~name.is_in(sorted(self.others)) & shown


class Derived:
    """The derived metrics that some series can have."""

    def __init__(
        self,
        definitions: Definitions,
        series: pl.DataFrame,
        around: pl.Expr,
        metric: str | None = None,
        shown: Collection[int] = (),
    ) -> None:
        """Take all series with the columns `IDENTITY` and `MACHINE` and `joined`, as definitions name them, a row a series.

        `joined` is the number of stored series that a series joins. `around` selects the series that metrics are taken from. `metric`
        limits the derived ones to one. `shown` are the keys of the series with the name of a derived metric that have results in the
        selected history: a device, test bed, suite, benchmark and tags with one of them has no derived points of this name.
        """
        self._definitions = definitions
        stated = [one for one in definitions.derived if metric in (None, one[1].name)]
        known = set(series["metric"].unique().to_list()) if stated else set[str]()
        applied = [(r, m) for r, m in stated if known.issuperset(m.metrics)]
        names = dict.fromkeys(name for _, m in applied for name in m.metrics)
        numbers = {name: number for number, name in enumerate(names)}
        own = defaultdict[str, set[str]](set)
        for record, one in applied:
            own[one.name].update(() if record.dut_name is None else (record.dut_name,))
        self._applied = [
            _Applied(m, {name: numbers[name] for name in m.metrics}, r.dut_name, own[m.name]) for r, m in applied
        ]
        self._numbers = numbers
        self.series = series.clear().with_columns(_group=pl.lit(0, pl.UInt32))
        self._counts = self.series.select("_group", "dut_name")
        if applied:
            named = series.filter(pl.col("series_key").is_in(list(shown)))
            self._group(series.filter(pl.col("metric").is_in(list(numbers)) & around), named)

    def _group(self, parts: pl.DataFrame, shown: pl.DataFrame) -> None:
        """Group the series of the metrics, and leave out the groups that lack one of every formula."""
        groups = parts.select(_GROUP).unique().with_row_index("_group")
        if len(shown):
            of = shown.select(*_GROUP, "metric").join(groups, on=_GROUP, nulls_equal=True)
            self._applied = [
                replace(one, hidden=set(of.filter(pl.col("metric") == one.metric.name)["_group"]))
                for one in self._applied
            ]
        parts = parts.join(groups, on=_GROUP, nulls_equal=True, maintain_order="left")
        # how many stored series of each metric a group has
        self._counts = parts.group_by("_group").agg(
            pl.col("dut_name").first(),
            *(
                pl.col("joined").filter(pl.col("metric") == name).sum().alias(f"c{number}")
                for name, number in self._numbers.items()
            ),
        )
        able = pl.concat(self._able(one)["_group"] for one in self._applied)
        self.series = parts.filter(pl.col("_group").is_in(able.unique().implode()))

    def __bool__(self) -> bool:
        return bool(len(self.series))

    @property
    def keys(self) -> list[int]:
        """The keys of the series that derived ones are computed from."""
        return self.series["series_key"].to_list()

    def _able(self, one: _Applied) -> pl.DataFrame:
        """Return the groups that have every metric of a formula."""
        return self._counts.filter(one.applies(), *(pl.col(f"c{n}") > 0 for n in one.operands))

    def points(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the derived points of rows of `series`, in the columns of these, `IDENTITY` and `MACHINE`.

        `rows` have the columns `NEEDED`. A point needs one result of each metric in its run. Where one of them failed, a divisor is 0
        or the value is not finite, its median is null and `error` says so. A point has one value, so that `n` is 1.
        """
        return self._made(self._wide(rows), rows)

    def newest(self, rows: pl.DataFrame, points_of: Callable[[Sequence[int]], pl.DataFrame]) -> pl.DataFrame:
        """Return the newest derived point of each series, from the newest rows of `series`.

        `points_of` gives all rows of some series by their keys, for those whose newest rows are of different runs.
        """
        wide = self._wide(rows)
        none = self._counts["_group"].clear()
        groups = pl.concat([none, *(self._unsettled(one, wide) for one in self._applied)]).unique()
        made = [self._made(wide.filter(~pl.col("_group").is_in(groups.implode())), rows)]
        if len(groups):
            more = points_of(self.series.filter(pl.col("_group").is_in(groups.implode()))["series_key"].to_list())
            made.append(self._made(self._wide(more), more).select(made[0].columns))
        return newest(pl.concat(made))

    def _unsettled(self, one: _Applied, wide: pl.DataFrame) -> pl.Series:
        """Return the groups of which the newest rows do not decide the newest derived point."""
        able = self._able(one)
        several = able.filter(pl.any_horizontal(*(pl.col(f"c{n}") > 1 for n in one.operands)))["_group"]
        whole = wide.filter(pl.all_horizontal(*(pl.col(f"s{n}").is_not_null() for n in one.operands)))["_group"]
        return pl.concat([several, able.filter(~pl.col("_group").is_in(whole.implode()))["_group"]])

    def _wide(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return a row for each run and group, with the value, error, series and row of each metric; null where there is not exactly one."""
        of_series = self.series.select("series_key", "_group", "metric", "units")
        median = pl.col("median")
        value = pl.when(pl.col("units") == NANOSECONDS.name).then(median / SECOND).otherwise(median)
        points = rows.select(NEEDED).with_row_index("_row").join(of_series, on="series_key")
        wide = points.select("run_key", "_group").unique()
        for name, number in self._numbers.items():
            one = points.filter(pl.col("metric") == name).select(
                "run_key",
                "_group",
                value.alias(f"v{number}"),
                pl.col("error").alias(f"e{number}"),
                pl.col("series_key").alias(f"s{number}"),
                pl.col("_row").alias(f"r{number}"),
            )
            wide = wide.join(one.unique(("run_key", "_group"), keep="none"), on=("run_key", "_group"), how="left")
        return wide.join(self._counts.select("_group", "dut_name"), on="_group")

    def _made(self, wide: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the points of rows, which `_wide` has made wide."""
        lazy = wide.lazy()
        found = pl.collect_all([_values(lazy, one) for one in self._applied])
        named = {row["series_key"]: row for row in self.series.iter_rows(named=True)}
        known = self.series.select(*IDENTITY, *MACHINE)
        columns = [name for name in rows.columns if name not in known.columns]
        made = [known.clear().hstack(rows.select(columns).clear())]
        for one, values in zip(self._applied, found, strict=True):
            of_series = [f"s{number}" for number in one.operands]
            identified = self._identified(one, values.select(of_series).unique(), named, known)
            if identified.is_empty():
                continue
            points = values.join(identified, on=of_series)
            carried = rows.select(columns)[points["_row"]]
            value = points["value"] * points["_scale"]
            finite = value.is_finite().fill_null(value=False)
            value = pl.select(pl.when(finite).then(value)).to_series()
            error = pl.select(
                pl.when(~finite).then(points["error"].fill_null(f"no finite value of {one.metric.text}"))
            ).to_series()
            made.append(points.select(known.columns).hstack(_as_points(carried, value, error, rows)))
        return pl.concat(made)

    def _identified(
        self, one: _Applied, combined: pl.DataFrame, named: Mapping[int, FrameRow], known: pl.DataFrame
    ) -> pl.DataFrame:
        """Return the identity of the derived series for each combination of series of its metrics, which its columns name."""
        rows, columns = [], known.columns
        kinds: dict[tuple[tuple[str, str], ...], tuple[str, float, Direction] | None] = {}
        better = {dut: self._definitions.better(one.metric.name, dut) for dut in known["dut_name"].unique()}
        for keys in combined.iter_rows():
            first = named[keys[0]]
            kind = tuple((named[key]["units"] or "", named[key]["direction"]) for key in keys)
            if kind not in kinds:
                kinds[kind] = _kind(one.metric, dict(zip(one.numbers, kind, strict=True)))
            if (found := kinds[kind]) is None:
                continue
            units, scale, direction = found
            own = {"metric": one.metric.name, "units": units, "direction": better[first["dut_name"]] or direction}
            row = {name: first[name] for name in columns} | own | {"series_key": _key_of(first, own)}
            rows.append((*keys, scale, *row.values()))
        schema: dict[str, Any] = {**combined.schema, "_scale": pl.Float64, **known.schema}
        return pl.DataFrame(rows, schema, orient="row")


def _kind(metric: DerivedMetric, operands: Mapping[str, tuple[str, str]]) -> tuple[str, float, Direction] | None:
    """Return unit, scale and direction of a derived metric from those of its metrics; None for a sum of different units."""
    try:
        units, scale = metric.measured({name: units for name, (units, _) in operands.items()})
    except UserError:  # `faults` says so
        return None
    return units, scale, metric.direction({name: Direction(direction) for name, (_, direction) in operands.items()})


def _values(wide: pl.LazyFrame, one: _Applied) -> pl.LazyFrame:
    """Return the value of a formula, before it is scaled, for each row that has all of its metrics; null with an error."""
    whole = wide.filter(one.applies(), *(pl.col(f"s{number}").is_not_null() for number in one.operands))
    columns = {name: pl.col(f"v{number}") for name, number in one.numbers.items()}
    failed = [
        pl.when(~columns[name].is_finite().fill_null(value=False)).then(
            pl.concat_str(pl.lit(f"{name} failed: "), pl.col(f"e{n}").fill_null("no finite value"))
        )
        for name, n in one.numbers.items()
    ]
    zero = [
        pl.when(columns[name] == 0).then(pl.lit(f"no finite value of {one.metric.text}: {name} is 0"))
        for name in _divisors(one.metric.formula)
    ]
    return whole.select(
        *(f"s{number}" for number in one.operands),
        pl.col(f"r{one.operands[0]}").alias("_row"),
        pl.when(pl.all_horizontal(*(column.is_finite() for column in columns.values())))
        .then(_expression(one.metric.formula, columns))
        .alias("value"),
        pl.coalesce(*failed, *zero, pl.lit(None, pl.String)).alias("error"),
    )


def _divisors(formula: Formula) -> tuple[str, ...]:
    """Return the metrics that a formula divides by."""
    if not isinstance(formula, Operation):
        return ()
    own = metrics_of(formula.right) if formula.sign == "/" else ()
    return (*_divisors(formula.left), *_divisors(formula.right), *own)


def _expression(formula: Formula, columns: Mapping[str, pl.Expr]) -> pl.Expr:
    """Return a formula over columns; a division by 0 is null, so that nothing after it makes it a number again."""
    if isinstance(formula, Number):
        return pl.lit(formula.value)
    if isinstance(formula, Name):
        return columns[formula.metric]
    left, right = _expression(formula.left, columns), _expression(formula.right, columns)
    if formula.sign == "/":
        return pl.when(right != 0).then(left / right)
    combined: pl.Expr = {"+": add, "-": sub, "*": mul}[formula.sign](left, right)
    return combined


def _as_points(carried: pl.DataFrame, value: pl.Series, error: pl.Series, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the statistics of one value each; what only a stored result has is null."""
    stated: dict[str, pl.Series | pl.Expr] = dict.fromkeys(_VALUES, value)
    stated |= {"n": value.is_not_null().cast(pl.Int32), "standard_deviation": value * 0.0, "error": error}
    stated |= dict.fromkeys(_UNKNOWN, pl.lit(None))
    return carried.with_columns(
        (column if isinstance(column, pl.Expr) else pl.lit(column)).cast(rows.schema[name]).alias(name)
        for name, column in stated.items()
        if name in carried.columns
    )


def _key_of(row: FrameRow, own: Mapping[str, str]) -> int:
    """Return the key that a stored series with the metric and unit of `own` would have beside another series."""
    from bench_db.query.definitions import test_bed_class  # noqa: PLC0415 definitions name derived metrics

    natural = tuple({**row, **own}[name] or "" for name in ("suite", "benchmark_name", "metric", "tags_key", "units"))
    stored = tuple(row[name] or "" for name in ("suite", "benchmark_name", "metric", "tags_key", "units"))
    dut = row["dut_name"] or ""
    by_name = test_bed_class(row, by_name_alone=True)
    alone = key_of_series(dut, by_name, stored) == row["series_key"]
    return key_of_series(dut, by_name if alone else test_bed_class(row, by_name_alone=False), natural)


def unit_fault(one: DerivedMetric, series: pl.DataFrame, dut_name: str | None) -> str | None:
    """Return why the unit of a derived metric fits no benchmark that has all of its metrics; None where it fits one, or none has all.

    `series` are the stored ones, with the columns of `IDENTITY`, a row a series; `dut_name` limits them to a device.
    """
    of = series if dut_name is None else series.filter(pl.col("dut_name") == dut_name)
    units = _whole(one, of.filter(pl.col("metric").is_in(one.metrics)))[1]["units"]
    reasons = [_unfit(one, each) for each in units]
    return min(filter(None, reasons), default=None) if None not in reasons else None


def _unfit(one: DerivedMetric, units: Sequence[Mapping[str, str | None]]) -> str | None:
    """Return why a metric has no unit where its metrics have these; None where it has one for some combination of them."""
    of = defaultdict[str, set[str]](set)
    for row in units:
        of[row["metric"] or ""].add(row["units"] or "")
    reasons = []
    for combined in product(*map(sorted, of.values())):
        try:
            one.measured(dict(zip(of, combined, strict=True)))
        except UserError as error:
            reasons.append(str(error))
        else:
            return None
    return min(reasons)


def _whole(one: DerivedMetric, of: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the groups of the series of its metrics, and those with all of them; `units` are the metrics and units of a group."""
    groups = of.group_by(_GROUP).agg(pl.col("metric").n_unique(), units=pl.struct("metric", "units").unique())
    return groups, groups.filter(pl.col("metric") == len(one.metrics))


def faults(definitions: Definitions, series: pl.DataFrame, made: pl.DataFrame) -> list[str]:
    """Describe the derived metrics that have no series, or none of some benchmarks, and why.

    `series` are the stored ones and `made` the derived ones, of every history, with the columns of `IDENTITY`, a row a series.
    """
    found, known = [], set(series["metric"].unique().to_list())
    for record, one in definitions.derived:
        of = series if record.dut_name is None else series.filter(pl.col("dut_name") == record.dut_name)
        operands = one.metrics
        lacking = [name for name in operands if name not in known]
        about = f"metric {one.name}"
        own = of.filter(pl.col("metric") == one.name)
        if len(own):
            found.append(
                f"{about}: the store has results of this name, too, and a benchmark shows these instead in each history that has some; "
                "define it under another name"
            )
        if lacking:
            found.append(f"{about}: there are no results of {', '.join(lacking)}")
        else:
            shown = pl.concat([made.filter(pl.col("metric") == one.name).select(_GROUP), own.select(_GROUP)])
            found += _faults_of_groups(about, one, of.filter(pl.col("metric").is_in(operands)), shown)
    return [*found, *definitions.unread_metrics()]


def _faults_of_groups(about: str, one: DerivedMetric, of: pl.DataFrame, shown: pl.DataFrame) -> list[str]:
    """Describe the groups that do not have a derived metric, from the series of its metrics; `shown` are the groups that have it."""
    operands = one.metrics
    groups, whole = _whole(one, of)
    if whole.is_empty():
        return [f"{about}: no benchmark has {' and '.join(operands)} of the same device, test bed and tags"]
    found = []
    if len(whole) < len(groups):
        found.append(
            f"{about}: {len(groups) - len(whole)} of {len(groups)} benchmarks lack one of {', '.join(operands)}"
        )
    lost = [_unfit(one, units) for units in whole.join(shown, on=_GROUP, how="anti", nulls_equal=True)["units"]]
    apart = lost.count(None)
    if apart:
        files = "" if len(operands) == 1 else "their results are in different files, or "
        found.append(
            f"{about}: {apart} of {len(groups)} benchmarks have no run with one result of {' and of '.join(operands)}: "
            f"{files}a run has several of one"
        )
    return found + sorted({f"{about}: {reason}" for reason in lost if reason is not None})
