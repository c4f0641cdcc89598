"""The frontier of a site: the newest results of configurations with two metrics that can be better, a document a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from bench_db.identity import tags_of_key
from bench_db.query.frontier import BUILD, COLUMNS, CONFIGURATION
from bench_db.report.site.numbers import packed
from bench_db.report.site.shards import GROUP, Group
from bench_db.report.text import visible
from bench_db.units import Direction

if TYPE_CHECKING:
    from bench_db.report.site.contract import FrontierView

_AXIS = ("metric", "units", "direction")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontiers:
    """The documents of the groups, and the axes, the tags and the first choices of the page.

    `of_groups` has the numbers of the axes of a group beside its document.
    """

    of_groups: Mapping[Group, tuple[Sequence[int], Row]]
    axes: Sequence[tuple[str, str, str]]
    tags: Sequence[str]
    first: tuple[int, int]
    by: Sequence[str]
    missing: Sequence[str]


def frontiers(newest: pl.DataFrame, view: FrontierView) -> Frontiers | None:
    """Return what the page of the frontier shows; None unless two metrics with a better direction share a point.

    The first two metrics are those of the view, else the first by name that have different directions
    and share a point, else the first that share one.
    """
    kept = newest.filter(pl.col("direction") != Direction.INFO)
    kept = kept.filter(pl.struct(_AXIS).n_unique().over("configuration") > 1)
    axes = kept.select(_AXIS).unique().sort(_AXIS).with_row_index("axis")
    kept = kept.join(axes, on=_AXIS, nulls_equal=True)
    first = _first(kept)
    if first is None:
        return None
    shown = _Shown(kept)
    groups = kept.sort(*GROUP, *CONFIGURATION, "configuration", "axis").partition_by(GROUP, as_dict=True)
    named: list[tuple[str, str, str]] = list(axes.select(_AXIS).iter_rows())
    stated, missing = _stated(view, named)
    tags = sorted({name for pairs in shown.tags.values() for name, _ in pairs})
    return Frontiers(
        of_groups={
            (str(dut), str(bed), str(suite)): (sorted(set(part["axis"])), _document(part, named, shown))
            for (dut, bed, suite), part in groups.items()
        },
        axes=[(visible(metric), visible(units), direction) for metric, units, direction in named],
        tags=tags,
        first=stated or first,
        by=[visible(part) for part in view.by if part in COLUMNS or visible(part) in tags],
        missing=[*missing, *(visible(part) for part in view.by if part not in COLUMNS and visible(part) not in tags)],
    )


def _first(kept: pl.DataFrame) -> tuple[int, int] | None:
    """Return the axes that a reader sees first: lower is better on the first one if their directions differ."""
    of_point = kept.filter(pl.col("median").is_finite()).group_by("configuration", "build")
    is_lower = pl.col("direction") == Direction.LOWER
    found = of_point.agg(
        lower=pl.col("axis").filter(is_lower).min(),
        higher=pl.col("axis").filter(~is_lower).min(),
        smallest=pl.col("axis").unique().sort().head(2),
    )
    different = found.select("lower", "higher").drop_nulls().sort("lower", "higher").head(1).rows()
    alike = [tuple(two) for two in found["smallest"].to_list() if len(two) > 1]
    return next(iter(different), None) or min(alike, default=None)


def _stated(view: FrontierView, axes: Sequence[tuple[str, str, str]]) -> tuple[tuple[int, int] | None, list[str]]:
    """Return the axes of a view, None unless it names two that there are, and the metrics that there are not."""
    metrics = [metric for metric, _, _ in axes]
    wanted = [name for name in (view.x, view.y) if name]
    missing = [visible(name) for name in wanted if name not in metrics]
    return (None if missing or not wanted else (metrics.index(view.x), metrics.index(view.y))), missing


class _Shown:
    """Texts for readers that differ wherever the stored texts do, because they are the parts of groups."""

    def __init__(self, kept: pl.DataFrame) -> None:
        keys = {key: tags_of_key(key or "") for key in kept["tags_key"].unique().to_list()}
        texts = {text for name in COLUMNS for text in kept[name].unique().drop_nulls().to_list()}
        texts |= {text for one in keys.values() for pair in one.items() for text in pair}
        self._texts: dict[str, str] = {}
        used: set[str] = set()
        for text in sorted(texts):
            shown = visible(text)
            while shown in used:
                shown += "\N{PRIME}"
            self._texts[text] = shown
            used.add(shown)
        self.tags = {
            key: [(self.of(name), self.of(value)) for name, value in sorted(one.items()) if name not in COLUMNS]
            for key, one in keys.items()
        }

    def of(self, text: str) -> str:
        return self._texts[text]

    def or_none(self, text: str | None) -> str | None:
        return None if text is None else self.of(text)


def _document(rows: pl.DataFrame, axes: Sequence[tuple[str, str, str]], shown: _Shown) -> Row:
    """Return the results of a group: configurations, each with `count` results, builds, and a number of each a result."""
    of = rows.unique("configuration", keep="first", maintain_order=True)
    builds, build = _used(rows["build"])
    names, name = _used(of["benchmark_name"])
    tags, tag = _used(of["tags_key"])
    used, axis = _used(rows["axis"])  # named by their texts: another group adds a metric and changes no number here
    about = {number: (commit, version, time) for number, commit, version, time in rows.select("build", *BUILD).rows()}
    return {
        "group": [shown.or_none(rows[column][0]) for column in GROUP],
        "axes": [(visible(axes[one][0]), visible(axes[one][1]), axes[one][2]) for one in used],
        "names": [shown.or_none(one) for one in names],
        "name": name,
        "tags": [shown.tags[key] for key in tags],
        "tag": tag,
        "builds": [
            (shown.or_none(commit), shown.or_none(version), time)
            for commit, version, time in (about[one] for one in builds)
        ],
        "count": rows["configuration"].rle().struct.field("len").to_list(),
        "axis": axis,
        "build": build,
        "value": packed(rows["median"].fill_null(np.nan).to_numpy().astype("<f8")),
        "key": packed(rows["series_key"].to_numpy().astype("<u8")),
    }


def _used(column: pl.Series) -> tuple[list[Any], list[int]]:
    """Return the different values of a column in their order, and the place of each among them."""
    values = column.unique(maintain_order=True).to_list()
    place = {value: number for number, value in enumerate(values)}
    return values, [place[value] for value in column.to_list()]
