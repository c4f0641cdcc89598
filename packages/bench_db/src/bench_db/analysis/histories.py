"""Series as arrays for the statistics: the points that each number is of, and the figure by which a series is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bench_db.analysis.jit import Bools, Codes, Floats, Ints
from bench_db.model import Figure
from bench_db.query.series import COMMIT_ORDER, FIGURES, HISTORY, POINT_ORDER, SERIES_ORDER, Points, identified
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bench_db.model import Series

# Of a time, and of a rate, from the usual figure to the least disturbed one: `_CHOICES[rate][choice]`.
_CHOICES = (
    (Figure.MEDIAN, Figure.LOWER_QUARTILE, Figure.MINIMUM),
    (Figure.MEDIAN, Figure.UPPER_QUARTILE, Figure.MAXIMUM),
)
_POSITIVE = ("min", "q1", "median", "q3", "max")
_PLACE = ("dut_name", "test_bed_name", "suite")
# The noise of the figures of so many series is computed together.
_SERIES_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True)
class Histories:
    """Series that lie end to end, oldest point first: series s is points offsets[s] to offsets[s + 1].

    `names` has the columns of `query.series.IDENTITY`, a row a series; `points` those of `query.series.HISTORY`, a row a point, or
    only those of a run, a row for all points that have them in common: then `place` has the row of each point. `figures` says
    by which figure each series is judged, and `values` are these figures of the runs, NaN for a failed one.
    """

    names: pl.DataFrame
    points: pl.DataFrame
    figures: Sequence[Figure]
    values: Floats
    offsets: Ints
    place: Codes | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def series(self) -> list[Series]:
        """The identity of each series."""
        return identified(self.names)

    @cached_property
    def runs(self) -> Codes:
        """The run of each point, numbered from 0 in the order of commits and times; a file with several suites is a run of each."""
        if self.place is not None:
            return _numbers(self.points)[self.place]
        suites = pl.Series("suite", np.repeat(self.suites, np.diff(self.offsets)))
        return _numbers(self.points.select(*COMMIT_ORDER, suites))

    @cached_property
    def suites(self) -> Ints:
        """The number of the device, test bed and suite of each series."""
        return self.names.select(pl.struct(_PLACE).rank("dense")).to_series().cast(pl.Int64).to_numpy()

    def of(self, series: int) -> pl.DataFrame:
        """Return the points of one series."""
        of = slice(int(self.offsets[series]), int(self.offsets[series + 1]))
        return self.points[of] if self.place is None else self.points[self.place[of]]

    def column(self, name: str) -> pl.Series:
        """Return a column of all points."""
        return self.points[name] if self.place is None else self.points[name].gather(self.place)

    def commit(self, series: int, index: int) -> str | None:
        """Return the commit of a point of a series by its number among the points of the series."""
        at = int(self.offsets[series]) + index
        commit: str | None = self.points["commit"][at if self.place is None else int(self.place[at])]
        return commit


def histories(
    points: Points, *, newest: int | None = None, figure: Figure | None = None, columns: Sequence[str] = HISTORY
) -> Histories:
    """Arrange points in any order as histories, series by series in the order of their names, with the `newest` points of each.

    `figure` is that of every series; without one, each has the one that `figures` chooses from all its points. The points of the
    histories have `columns`.
    """
    names, ordered, of_series = _ordered(points, figure)
    if newest is not None and newest < len(ordered):
        ordered = ordered.filter(pl.int_range(pl.len()).reverse().over("number") < newest)
    return Histories(
        names=names,
        points=points.rows.select(columns)[ordered["row"]],
        figures=of_series,
        values=_values(ordered),
        offsets=_offsets(ordered),
    )


def _ordered(points: Points, figure: Figure | None = None) -> tuple[pl.DataFrame, pl.DataFrame, list[Figure]]:
    """Return the names of series in order, the `number` of the series, the `row` and the `value` of each point in order, and the figures."""
    present = points.series.join(points.rows.select("series_key").unique(), on="series_key", how="semi")
    names = present.sort(SERIES_ORDER).with_row_index("number")
    order = _order(points.rows, names)
    judged_by = points.rows.select(FIGURES)[order["row"]].with_columns(order["number"])
    of_series = figures(judged_by, names) if figure is None else [figure] * len(names)
    values = figure_values(judged_by, of_series).alias("value")
    return names.drop("number"), order.with_columns(values), of_series


def _order(rows: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Return the `number` of the series of each point and its place among the `rows`, series after series in `POINT_ORDER`.

    Stored points lie series after series, and most in the order of commits. Then the runs of points of one series are sorted instead of
    the points, in a tenth of the time.
    """
    numbers = names.select("series_key", "number")
    of_runs = rows.select(pl.col("series_key").rle().struct.unnest()).rename({"value": "series_key"})
    starts = of_runs["len"].cum_sum() - of_runs["len"]
    runs = (
        of_runs.with_columns(start=starts, commit_order=rows["commit_order"].gather(starts))
        .join(numbers, on="series_key")
        .sort("number", "commit_order")
    )
    lengths, first = runs["len"].to_numpy().astype(np.int64), runs["start"].to_numpy().astype(np.int64)
    row = np.repeat(first - (np.cumsum(lengths) - lengths), lengths) + np.arange(int(lengths.sum()))
    number = np.repeat(runs["number"].to_numpy(), lengths)
    commits = rows["commit_order"].to_numpy()[row]
    if ((np.diff(commits) > 0) | (np.diff(number) > 0)).all():
        return pl.DataFrame({"number": number, "row": row})
    # only what decides is sorted: a history has many columns, and `newest` leaves most of its points out
    return (
        rows.select("series_key", *POINT_ORDER)
        .with_row_index("row")
        .join(numbers, on="series_key")
        .sort("number", *POINT_ORDER, nulls_last=False)
        .select("number", "row")
    )


def _values(ordered: pl.DataFrame) -> Floats:
    values: Floats = ordered["value"].fill_null(float("nan")).to_numpy().astype(np.float64)
    return values


def _offsets(ordered: pl.DataFrame) -> Ints:
    lengths = ordered["number"].rle().struct.field("len").to_numpy()
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _numbers(placed: pl.DataFrame) -> Codes:
    """Return the number of the run of each row, which has the columns `COMMIT_ORDER` and `suite`."""
    runs = placed.group_by("run_key", "suite").agg(pl.col(set(COMMIT_ORDER) - {"run_key"}).min())
    numbered = runs.sort(*COMMIT_ORDER, "suite", nulls_last=False).with_row_index("run")
    of = ["run_key", "suite"]
    found = placed.select(of).join(numbered.select(*of, "run"), on=of, how="left", maintain_order="left")["run"]
    return found.cast(pl.Int32).to_numpy()


def joined(parts: Iterable[Points]) -> Histories:
    """Arrange points that come in parts of whole series as `histories` arranges them all, with 12 bytes a point.

    The columns of the points are those of their run alone, and the number of its suite. A part is dropped before the next is asked for.
    """
    done: list[Histories] = []
    suites: dict[tuple[str, ...], int] = {}
    for part in parts:
        done.append(_narrow(part, sum(len(one.points) for one in done), suites))
        del part  # only the narrow columns stay while the next part is read
    return _together(done, suites)


def _narrow(part: Points, before: int, suites: dict[tuple[str, ...], int]) -> Histories:
    """Return a part of `joined`, whose rows follow so many `before` them. `suites` has the number of each suite, and gets those of new ones."""
    names, ordered, of_series = _ordered(part)
    number = pl.Series([suites.setdefault(of, len(suites)) for of in names.select(_PLACE).iter_rows()], dtype=pl.Int64)
    of_run = part.rows.select(*COMMIT_ORDER, pl.col("commit").cast(pl.Categorical))[ordered["row"]]
    placed = of_run.with_columns(suite=number.gather(ordered["number"]))
    rows = placed.unique(maintain_order=True).with_row_index("place", before)
    known = placed.join(rows, on=placed.columns, how="left", nulls_equal=True, maintain_order="left")
    return Histories(
        names=names,
        points=rows.drop("place"),
        figures=of_series,
        values=_values(ordered),
        offsets=_offsets(ordered),
        place=known["place"].to_numpy().astype(np.int32),
    )


def _together(done: list[Histories], suites: Mapping[tuple[str, ...], int]) -> Histories:
    """Return parts as one, series by series in the order of their names. `suites` has the number that each suite has in the parts."""
    names = pl.concat([one.names for one in done])
    order = names.with_row_index("at").sort(SERIES_ORDER)["at"].to_numpy()
    lengths = np.concatenate([np.diff(one.offsets) for one in done])[order]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    starts = np.empty(len(order), np.int64)
    starts[order] = offsets[:-1]
    figures_of = [figure for one in done for figure in one.figures]
    points = pl.concat([one.points for one in done])
    values, place = np.empty(offsets[-1]), np.empty(offsets[-1], np.int32)
    first = 0
    for one in _taken(done):
        at = np.repeat(starts[first : first + len(one)] - one.offsets[:-1], np.diff(one.offsets))
        at += np.arange(len(at))
        values[at], place[at] = one.values, one.place
        first += len(one)
    found = Histories(
        names=names[order],
        points=points,
        figures=[figures_of[number] for number in order.tolist()],
        values=values,
        offsets=offsets,
        place=place,
    )
    rank = dict(zip((suites[of] for of in found.names.select(_PLACE).iter_rows()), found.suites.tolist(), strict=True))
    return replace(found, points=points.with_columns(pl.col("suite").replace_strict(rank, return_dtype=pl.Int64)))


def _taken(done: list[Histories]) -> Iterator[Histories]:
    """Yield the parts of a list in order, each after it has left the list."""
    done.reverse()
    while done:
        yield done.pop()


def observations(points: Points) -> Points:
    """Return points in which the runs of a commit that were measured in one go are one: the median of each of their figures.

    Runs of one commit, device, test bed and suite are in one go when each begins at most `rules.one_go_minutes` after the one
    before. A run without a time is one by itself, and failed points stay as they are. The column `in_one_go` has the number of runs
    behind a point.
    """
    rows = points.rows.with_columns(in_one_go=pl.lit(1, pl.UInt32))
    times = rows.select("commit_order", "run_time", "run_key").unique()
    if not _gaps(times, "commit_order")["gap"].is_not_null().any():
        return Points(series=points.series, rows=rows)
    of_place = points.series.select(
        "series_key", pl.struct("dut_name", "test_bed_name", "suite").rank("dense").alias("_place")
    )
    placed = rows.join(of_place, on="series_key", maintain_order="left")
    runs = _gaps(placed.select("_place", "commit_order", "run_time", "run_key").unique(), "_place", "commit_order")
    if not runs["gap"].is_not_null().any():  # runs of several test beds that began within minutes of each other
        return Points(series=points.series, rows=rows)
    begins = pl.col("gap").is_null()
    numbered = runs.select("_place", "run_key", begins.cum_sum().alias("_go"))
    in_goes = placed.join(numbered, on=["_place", "run_key"], maintain_order="left")
    has_result = pl.col("median").is_finite().fill_null(value=False)
    others = [name for name in rows.columns if name not in {"series_key", "in_one_go", *FIGURES}]
    merged = (
        in_goes.filter(has_result)
        .group_by("series_key", "_go", maintain_order=True)
        .agg(pl.col(others).first(), pl.col("n").min(), pl.col(FIGURES[1:]).median(), pl.len().alias("in_one_go"))
    )
    kept = [merged.select(rows.columns), in_goes.filter(~has_result).select(rows.columns)]
    return Points(series=points.series, rows=pl.concat(kept))


def _gaps(runs: pl.DataFrame, *of: str) -> pl.DataFrame:
    """Sort runs by time, with the `gap` to the run before of the same place and commit; null where that is not in one go."""
    gap = pl.col("run_time").diff().over(of)
    ordered = runs.sort(*of, "run_time", "run_key")
    return ordered.with_columns(gap=pl.when(gap <= 60 * RULES.one_go_minutes).then(gap))


def figures(points: pl.DataFrame, names: pl.DataFrame) -> list[Figure]:
    """Return the figure of each series, in the order of `names`; the median where nothing speaks for another.

    `points` has the `number` of the series, from 0, and the columns of `query.series.HISTORY`, oldest point of a series first. Only
    series of positive values, with all figures and `rules.figure_samples` samples in every run, can have another figure. It is chosen at the
    first `rules.figure_runs` runs with a result, and again each time when their number has doubled, so that it seldom changes.
    Another figure takes over when its noise is below `rules.figure_noise` of the noise of the present one. The noise
    is the median change from run to run. A figure with no noise at all beside a median that has some is not used: it
    shows the resolution of the clock.
    """
    rate = (names["direction"] == Direction.HIGHER).to_numpy()
    chosen = np.zeros(len(names), np.int64)
    starts, lengths, scales = _logarithms(points, rate)
    runs = RULES.figure_runs
    while len(numbers := np.flatnonzero(lengths >= runs)):
        for first in range(0, len(numbers), _SERIES_AT_ONCE):
            some = numbers[first : first + _SERIES_AT_ONCE]
            at = starts[some, None] + np.arange(runs)
            chosen[some] = _better(chosen[some], np.stack([_usual_step(values[at]) for values in scales], axis=1))
        runs *= 2
    return [_CHOICES[of_rate][choice] for of_rate, choice in zip(rate.tolist(), chosen.tolist(), strict=True)]


def figure_values(points: pl.DataFrame, of_series: list[Figure]) -> pl.Series:
    """Return the value of each point by the figure of its series; null for a failed point."""
    used = sorted(set(of_series))
    number = pl.Series([used.index(figure) for figure in of_series], dtype=pl.Int64)
    if used in ([], [Figure.MEDIAN]):
        return points["median"]
    which = number.gather(points["number"])
    value = pl.when(pl.col("median").is_finite()).then(
        pl.coalesce(pl.when(which == n).then(pl.col(str(figure))) for n, figure in enumerate(used))
    )
    return points.select(value.alias("value")).to_series()


def _logarithms(points: pl.DataFrame, rate: Bools) -> tuple[Ints, Ints, list[Floats]]:
    """Return where the finite points of each series start, how many there are, and their logarithms by each figure of `_CHOICES`.

    A series that cannot have another figure than the median has length 0.
    """
    finite = points.filter(pl.col("median").is_finite())
    number, samples = finite["number"].to_numpy(), finite["n"].to_numpy()
    lengths = np.bincount(number, minlength=len(rate))
    starts = np.cumsum(lengths) - lengths
    of = {name: finite[name].to_numpy() for name in _POSITIVE}
    fit = (samples >= RULES.figure_samples) & np.logical_and.reduce([values > 0.0 for values in of.values()])
    lengths[number[~fit]] = 0
    of_rate = rate[number]
    with np.errstate(divide="ignore", invalid="ignore"):  # of series that are not fit
        scales = [np.log(np.where(of_rate, of[high], of[low])) for low, high in zip(*_CHOICES, strict=True)]
    return starts, lengths, scales


def _usual_step(logarithms: Floats) -> Floats:
    """Return the median change from run to run of each row."""
    steps = np.abs(np.diff(logarithms, axis=1))
    steps.sort(axis=1)  # takes half as long as `np.median`
    middle = steps.shape[1] // 2
    return steps[:, middle] if steps.shape[1] % 2 else (steps[:, middle - 1] + steps[:, middle]) / 2.0


def _better(present: Ints, noise: Floats) -> Ints:
    """Return the present choices, changed where another figure has clearly less noise; `noise` has a row a series."""
    comparable = np.where((noise == 0) & (noise[:, :1] > 0), np.inf, noise)
    best = comparable.argmin(axis=1)
    rows = np.arange(len(present))
    clearly = comparable[rows, best] < RULES.figure_noise * comparable[rows, present]
    return np.where(clearly, best, present)
