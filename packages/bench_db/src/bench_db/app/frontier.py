"""The frontier of two metrics: the configurations that no other is better than in both, and the values between them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.app.answers import Answer
from bench_db.app.charts import frontier_chart
from bench_db.app.database import on_database, public
from bench_db.errors import UserError
from bench_db.identity import tags_of_key
from bench_db.ingest.rates import measured
from bench_db.query.frontier import BUILD, BY, COLUMNS, CONFIGURATION, located, value_at, with_front
from bench_db.query.selection import SCENARIO, Conditions, Selection, named_there, selection_of
from bench_db.report.frame import as_json
from bench_db.units import Direction

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.app.charts import Chart
    from bench_db.model import FrameRow
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf

_ADDED = ("group", "on_front", "value")
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(.*?)\s*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One metric of a frontier: its stored unit, and the direction that is better."""

    metric: str
    units: str
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The value of a metric at which the other one is asked for, in its stored unit."""

    metric: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier(Answer):
    """The configurations with both metrics in their newest results, and the values asked for of each group.

    `left_out` counts the configurations without a point by the reason. `notes` name devices and test beds that share a group.
    """

    history: str
    x: Axis
    y: Axis
    by: Sequence[str]
    at: Target | None
    points: pl.DataFrame
    values: pl.DataFrame
    left_out: Mapping[str, int]
    notes: Sequence[str] = ()

    def frame(self) -> pl.DataFrame:
        """Return the configurations, group after group in the order of `x`: the parts of the group, the metrics as `x` and `y`, `on_front`.

        Without a tag its part of the group is null.
        """
        return public(self.points)

    def plot(self) -> Chart:
        """Draw each configuration at its two metrics, and the front of each group as a line."""
        x, y = ((axis.metric, axis.units) for axis in (self.x, self.y))
        return frontier_chart(self.frame(), x=x, y=y, by=list(self.by))

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {
            "history": self.history,
            "x": asdict(self.x),
            "y": asdict(self.y),
            "by": list(self.by),
            "at": None if self.at is None else asdict(self.at),
            "points": [self._row(row) for row in as_json(self.points)],
            "values": [self._row(row) for row in as_json(self.values)],
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
        }

    def _row(self, row: FrameRow) -> dict[str, Any]:
        shown = {name: value for name, value in row.items() if name in COLUMNS or name not in self.by}
        if "tags_key" in shown:
            shown |= {"tags": tags_of_key(shown.pop("tags_key") or ""), "commit_time": shown.pop("dut_timestamp")}
        else:
            shown = {"value": row["value"]}
        return {"group": {name: row[name] for name in self.by}, **shown}


@on_database
def frontier(
    store: Database,
    x: str,
    y: str,
    *,
    by: Sequence[str] = BY,
    at: str | Mapping[str, float | str] | None = None,
    as_of: AsOf | None = None,
    selection: Selection | None = None,
    **conditions: Unpack[Conditions],
) -> Frontier:
    """Return the frontier of two metrics in each group: the points that no other of the group is better than in both.

    A point is a configuration (device, test bed, suite, benchmark and tags) whose newest results of both metrics are of one build. The
    directions are those of the metrics, or as definitions give them. `by` names the parts of a group: tags, or `dut_name`,
    `dut_version`, `commit`, `test_bed_name`, `suite` and `benchmark_name`. `at` is a metric and its value, such as
    "latency=50ms" or `{"latency": 5e7}` in the stored unit: the other metric there is interpolated along the front of each group, never
    beyond its ends.

    Raises `UserError` for a metric without results, with several units, or without a direction, and for an unknown part.
    """
    chosen = selection_of(selection, conditions)
    by = ["suite" if part == SCENARIO else part for part in dict.fromkeys(by)]
    newest = store.latest(chosen, as_of)
    axes = {metric: _axis(newest, metric) for metric in _metrics(newest, x, y)}
    target = None if at is None else _target(at, axes)
    joined, left_out = _configurations(store, newest, x, y)
    grouped = _grouped(joined, by)
    points = with_front(grouped.lazy(), x=axes[x].direction, y=axes[y].direction).collect()
    return Frontier(
        history=store.history(as_of).about(chosen),
        x=axes[x],
        y=axes[y],
        by=by,
        at=target,
        points=points.sort("group", "x", "y", "benchmark_name", "tags_key").drop("group"),
        values=_values(points, by, x, target),
        left_out=left_out,
        notes=_notes(points, by) if len(points) else _apart(left_out, x, y),
    )


def _metrics(newest: pl.DataFrame, x: str, y: str) -> tuple[str, str]:
    if x == y:
        message = f"`x` and `y` are both {x!r}; a frontier is of two metrics"
        raise UserError(message)
    known = newest["metric"].unique().to_list()
    for name, metric in (("x", x), ("y", y)):
        if metric not in known:
            message = f"`{name}`: no results of metric {metric!r} in what was asked for; {named_there('metrics', metric, known)}"
            raise UserError(message)
    return x, y


def _axis(newest: pl.DataFrame, metric: str) -> Axis:
    kinds = newest.filter(pl.col("metric") == metric).select("units", "direction").unique().sort("units", "direction")
    if len(kinds) > 1:
        found = "; ".join(f"{units}, better {direction}" for units, direction in kinds.iter_rows())
        message = f"metric {metric!r} has several units or directions ({found}); choose results that share them"
        raise UserError(message)
    units, direction = kinds.row(0)
    if direction == Direction.INFO:
        message = (
            f"metric {metric!r} has no better direction; state it for the whole history:"
            f" bench-db define better {metric} higher (or lower)"
        )
        raise UserError(message)
    return Axis(metric=metric, units=units, direction=Direction(direction))


def _target(at: str | Mapping[str, float | str], axes: Mapping[str, Axis]) -> Target:
    """Return the value asked for in the stored unit of its metric."""
    stated = {at.rpartition("=")[0]: at.rpartition("=")[2]} if isinstance(at, str) else dict(at)
    if len(stated) != 1 or not stated.keys() <= axes.keys():
        message = f"`at`: {at!r} must be one of the two metrics and its value, such as {next(iter(axes))}=50"
        raise UserError(message)
    ((metric, value),) = stated.items()
    found = _NUMBER.fullmatch(str(value))
    number = float(found[1]) if found else math.nan
    if found is None or not math.isfinite(number):
        message = f"`at`: {value!r} is no number with or without a unit, such as 50 or 50ms"
        raise UserError(message)
    if not found[2]:
        return Target(metric=metric, value=number)
    unit, factor = measured(found[2])
    if unit.name != axes[metric].units:
        message = f"`at`: {value!r} is in {unit.name}, and {metric!r} in {axes[metric].units}"
        raise UserError(message)
    return Target(metric=metric, value=number * factor)


def _configurations(store: Database, newest: pl.DataFrame, x: str, y: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the configurations with both metrics, a row each, and the number of others by the reason."""
    rows = located(newest, store.machines)
    key = ["configuration", *CONFIGURATION]
    one, other = (
        rows.filter(pl.col("metric") == metric).select(
            *key, *BUILD, "build", pl.col("median").alias(name), **{f"has_{name}": True}
        )
        for name, metric in (("x", x), ("y", y))
    )
    both = one.join(other, on=key, how="full", nulls_equal=True, suffix="_y", coalesce=True)
    failed = ~(pl.col("x").is_finite() & pl.col("y").is_finite()).fill_null(value=False)
    reasons = (
        pl.when(pl.col("has_y").is_null())
        .then(pl.lit(f"without {y}"))
        .when(pl.col("has_x").is_null())
        .then(pl.lit(f"without {x}"))
        .when(failed)
        .then(pl.lit("failed"))
        .when(pl.col("build") != pl.col("build_y"))
        .then(pl.lit("of different builds"))
    )
    judged = both.with_columns(reason=reasons)
    counts = Counter(judged["reason"].drop_nulls().sort().to_list())
    whole = judged.filter(pl.col("reason").is_null()).select(*CONFIGURATION, *BUILD, "x", "y")
    return whole, dict(counts)


def _grouped(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Add a column for each tag of `by`, and the number of the group: rows with all parts equal, an absent tag included."""
    known = [tags_of_key(key or "") for key in rows["tags_key"]]
    tags = [part for part in by if part not in COLUMNS]
    possible = {name for one in known for name in one} - {*rows.columns, *_ADDED}
    for part in tags:
        if part not in possible and len(rows):
            message = (
                f"`by`: {part!r} cannot be a part of a group; {named_there('parts', part, possible.union(COLUMNS))}"
            )
            raise UserError(message)
    tagged = rows.with_columns(pl.Series(part, [one.get(part) for one in known], pl.String) for part in tags)
    if not by:
        return tagged.with_columns(group=pl.lit(0, pl.UInt32))
    groups = tagged.select(by).unique().sort(by).with_row_index("group")
    return tagged.join(groups, on=list(by), nulls_equal=True, maintain_order="left")


def _values(points: pl.DataFrame, by: Sequence[str], x: str, target: Target | None) -> pl.DataFrame:
    """Return the value of the other metric at the target for each group; none without a target."""
    groups = points.select("group", *by).unique("group").sort("group")
    if target is None:
        return groups.select(*by, value=pl.lit(None, pl.Float64)).clear()
    known, asked = ("x", "y") if target.metric == x else ("y", "x")
    knots = points.lazy().filter("on_front").select("group", known=known, asked=asked)
    found = value_at(knots, target.value).collect()
    return groups.join(found, on="group", how="left", maintain_order="left").select(*by, "value")


def _apart(left_out: Mapping[str, int], x: str, y: str) -> list[str]:
    """Explain why there is no point although each metric has results, where no configuration has both."""
    if left_out.keys() != {f"without {x}", f"without {y}"}:
        return []
    reason = (
        f"no configuration has both {x} and {y}: a point needs results of one suite and benchmark name with the same tags,"
        " on one device and test bed. If the names contain the metric, leave it out of the names that are published"
    )
    return [reason]


def _notes(points: pl.DataFrame, by: Sequence[str]) -> list[str]:
    words = {"dut_name": "devices", "test_bed_name": "test beds"}
    mixed = {
        name: points.group_by("group").agg(pl.col(name).n_unique())[name].max() or 0 for name in words if name not in by
    }
    return [
        f"a group has points of {count} {words[name]}; add {name} to the parts of a group to keep them apart"
        for name, count in mixed.items()
        if isinstance(count, int) and count > 1
    ]
