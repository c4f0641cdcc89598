"""The points of a site, arranged by group: counts of runs, a digest of each series, the builds of a group, and the points in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from bench_db.query.series import COMMIT_ORDER, HISTORY, POINT_ORDER
from bench_db.report.quantity import NO_VALUE
from bench_db.report.site.shards import GROUP, Group

if TYPE_CHECKING:
    from collections.abc import Collection

    from bench_db.report.site.contract import PointsOf

BUILD = ("commit", "dut_version", "dut_timestamp", "branch")
# The columns of a run, which all its points share.
RUN = ("run_key", *BUILD, "commit_order", "run_time")
# The columns that tell whether a series has changed: the measurements of a run are its identity.
NARROW = ("series_key", "run_key", "median", "error")
# What tells the builds apart of which a page counts the series.
_MEASURED = ("group", "commit", "dut_version")
# A sum of hashes has 48 bits, as many as `rules.digest_length` digits.
_DIGESTS = 1 << 48
_FLOATS = ("min", "q1", "median", "q3", "max", "lower", "upper")
# Of a run of a group: a digest of the columns of all runs of its group, its series with the smallest key, how many points have a
# result, how many failed, and how many series have their first result of its commit and version in it.
COUNTS = ("facts", "first", "results", "failed", "series")
# The columns of a point that a site is made from.
POINTS = tuple(dict.fromkeys((*HISTORY, *BUILD, "n", *_FLOATS, "error")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """The runs of whole groups, and a digest of the points of each series.

    `runs` has a row for each run of a group: `group` (a number), the columns `RUN`, `build` (its place among the builds of the
    group), `repeated` (0, or a hash of the runs of the group at its commit where that has several) and the columns `COUNTS`.
    `groups` has the number of each group, `places` the group of each series, and `builds` the builds of each, oldest first, with the
    columns `BUILD`. `measured` is when each group measured its newest commit, in unix seconds, 0 where no time is known.
    `sums` are a digest of each series and the number of its points. `is_sound` says whether newer points leave what was known of the
    others as it was; else all of this is wrong.
    """

    runs: pl.DataFrame
    groups: Mapping[Group, int]
    places: pl.DataFrame
    builds: Mapping[Group, pl.DataFrame]
    measured: Mapping[Group, int]
    sums: Mapping[int, tuple[int, int]]
    is_sound: bool

    def of(self, groups: Collection[Group]) -> Arranged:
        """Return what is arranged of some groups."""
        places = self.places.filter(pl.col("group").is_in([self.groups[group] for group in groups]))
        return replace(
            self,
            runs=self.runs.filter(pl.col("group").is_in(places["group"].unique().implode())),
            groups={group: self.groups[group] for group in groups},
            places=places,
            builds={group: builds for group, builds in self.builds.items() if group in groups},
            measured={group: at for group, at in self.measured.items() if group in groups},
            sums={key: self.sums[key] for key in places["series_key"] if key in self.sums},
        )

    @property
    def repeated(self) -> set[int]:
        """The groups that have several runs of a commit."""
        return set(self.runs.filter(pl.col("repeated") != 0)["group"])

    def ordered(self, points: pl.DataFrame) -> pl.DataFrame:
        """Return points in commit order, series after series by key, with `group` and `build`; one without a number has an error."""
        found = points.join(self.places, on="series_key").join(
            self.runs.select("group", "run_key", "build"), on=("group", "run_key"), nulls_equal=True
        )
        found = found.sort(*dict.fromkeys(("series_key", *POINT_ORDER, *_FLOATS)), nulls_last=False)
        found = found.with_columns(pl.col(_FLOATS).cast(pl.Float64), pl.col("n").fill_null(0))
        numberless = pl.col("error").is_null() & ~pl.col("median").is_finite().fill_null(value=False)
        return found.with_columns(error=pl.when(numberless).then(pl.lit(NO_VALUE)).otherwise("error"))


def _places(series: pl.DataFrame) -> tuple[dict[Group, int], pl.DataFrame]:
    """Return the numbers of the groups of some series, and the number of each series as `series_key` and `group`."""
    groups = series.select(*GROUP).unique(maintain_order=True).with_row_index("group")
    numbers = {(dut, bed, suite): number for number, dut, bed, suite in groups.iter_rows()}
    return numbers, series.join(groups, on=GROUP).select("series_key", "group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an earlier build has found of the points that it read: the `runs` of each group, and the `sums` of `Arranged`.

    `runs` have the columns of `GROUP`, `run_key` and the columns `COUNTS`.
    """

    runs: pl.DataFrame
    sums: Mapping[int, tuple[int, int]]


NOTHING = Known(
    runs=pl.DataFrame(schema={**dict.fromkeys(GROUP, pl.String), **dict.fromkeys(("run_key", *COUNTS), pl.Int64)}),
    sums={},
)


def arranged(narrow: pl.DataFrame, points_of: PointsOf, series: pl.DataFrame, known: Known = NOTHING) -> Arranged:
    """Arrange all points of the groups of some series; `series` has a row a series with the columns of `query.series.IDENTITY`.

    The points have the columns `NARROW`; they are those of which nothing is `known`.
    """
    groups, places = _places(series)
    by_run = ("run_key",) if len(groups) == 1 else ("group", "run_key")  # a key of one column joins twice as fast
    placed = narrow if len(groups) == 1 else narrow.join(places, on="series_key")
    counted = placed.group_by(by_run).agg(
        pl.lit(None, pl.Int64).alias("facts"),
        pl.col("series_key").min().alias("first"),
        pl.col("median").is_finite().sum().cast(pl.Int64).alias("results"),
        pl.col("error").is_not_null().sum().cast(pl.Int64).alias("failed"),
        pl.lit(None, pl.Int64).alias("series"),
    )
    group = pl.lit(0, places["group"].dtype) if len(groups) == 1 else pl.col("group")
    counted = counted.select(group.alias("group"), "run_key", *COUNTS)
    counted = pl.concat([counted, _numbered(known.runs, groups, counted.schema["group"]).select(counted.columns)])
    of_groups = counted.join(_runs_of(counted, points_of), on="run_key", nulls_equal=True)
    builds = (
        of_groups.sort("group", *COMMIT_ORDER, nulls_last=False)
        .unique(("group", *BUILD), keep="first", maintain_order=True)
        .with_columns(build=pl.int_range(pl.len(), dtype=pl.Int64).over("group"))
        .select("group", *BUILD, "build")
    )
    of_commit = ("group", "commit_order")
    several = pl.struct("run_key", "run_time").hash().sum().over(of_commit)
    of_groups = of_groups.with_columns(repeated=pl.when(pl.len().over(of_commit) > 1).then(several).otherwise(0))
    of_groups = of_groups.join(builds, on=("group", *BUILD), nulls_equal=True)
    of_groups = of_groups.with_columns(of_run=pl.struct(*RUN, "repeated", "build").hash())
    is_sound = _is_sound(of_groups, known)
    of_groups = of_groups.with_columns(facts=_digest("of_run").over("group"))
    hashed = placed.join(of_groups.select(*by_run, "of_run"), on=by_run, nulls_equal=True).select(*NARROW, "of_run")
    digests = hashed.select("series_key", digest=hashed.hash_rows(seed=0))
    sums = digests.group_by("series_key").agg(_digest("digest"), pl.len())
    names = {number: group for group, number in groups.items()}
    measured = (
        of_groups.sort("commit_order", "run_time", nulls_last=False)
        .group_by("group")
        .agg(pl.coalesce("run_time", "dut_timestamp").last().fill_null(0))
    )
    return Arranged(
        runs=_with_series(of_groups, placed.select(*by_run, "series_key", "median")),
        groups=groups,
        places=places,
        builds={names[part["group"][0]]: part.select(BUILD) for part in builds.partition_by("group")},
        measured={names[number]: at for number, at in measured.iter_rows()},
        sums=_added(known.sums, sums),
        is_sound=is_sound,
    )


def _numbered(runs: pl.DataFrame, groups: Mapping[Group, int], number: pl.DataType) -> pl.DataFrame:
    """Add the number of its group to each run; those of a group that there is no longer are left out."""
    names = pl.DataFrame(list(groups), schema=dict.fromkeys(GROUP, pl.String), orient="row")
    return runs.join(names.with_columns(group=pl.Series(groups.values(), dtype=number)), on=GROUP)


def _is_sound(runs: pl.DataFrame, known: Known) -> bool:
    """Return whether the known runs of each group have the facts that they had, and neither they nor their builds have newer points."""
    is_known = pl.col("series").is_not_null()
    if runs.select((is_known.any() & ~is_known.all()).over(_MEASURED).any()).item():
        return False
    of_known = runs.filter(is_known)
    changed = pl.col("facts") != _digest("of_run").over("group")
    return len(of_known) == len(known.runs) and not of_known.select(changed.any()).item()


def _digest(hashes: str) -> pl.Expr:
    """Return a digest of rows from a column of their hashes: a sum, so that of further rows is added to it."""
    return (pl.col(hashes).sum() % _DIGESTS).cast(pl.Int64)


def _runs_of(counted: pl.DataFrame, points_of: PointsOf) -> pl.DataFrame:
    """Return the columns `RUN` of some runs: for each the series with the smallest key, which other runs have too, has a point of it."""
    smallest = counted.group_by("run_key").agg(pl.col("first").min())["first"].unique().sort().to_list()
    # with their series, which may be derived from others
    return points_of(smallest, ("series_key", *RUN)).select(RUN).unique("run_key", keep="any")


def _with_series(runs: pl.DataFrame, placed: pl.DataFrame) -> pl.DataFrame:
    """Add to the runs of groups how many series have their first result of a build in each; the sum over its runs counts each series once.

    `placed` are the points of the runs that have no such number yet. Of several runs of a build the one with the smallest key has it.
    """
    several = pl.len().over(_MEASURED) > 1
    again = runs.filter(pl.col("series").is_null() & several)
    by_run = [name for name in ("group", "run_key") if name in placed.columns]
    results = placed.lazy().filter(pl.col("median").is_finite())
    results = results.join(again.lazy().select("group", "run_key", *_MEASURED[1:]), on=by_run, nulls_equal=True)
    distinct = results.group_by(_MEASURED).agg(distinct=pl.col("series_key").n_unique().cast(pl.Int64)).collect()
    is_first = pl.col("run_key") == pl.col("run_key").min().over(_MEASURED)
    of_several = pl.when(is_first).then(pl.col("distinct").fill_null(0)).otherwise(0)
    counted = pl.coalesce("series", pl.when(several).then(of_several).otherwise("results"))
    found = runs.join(distinct, on=_MEASURED, how="left", nulls_equal=True)
    return found.with_columns(series=counted).drop("distinct")


def _added(known: Mapping[int, tuple[int, int]], sums: pl.DataFrame) -> dict[int, tuple[int, int]]:
    """Return the digests and counts of all points of each series, from those of earlier points and of newer ones."""
    found = dict(known)
    for key, digest, count in sums.iter_rows():
        before, points = found.get(key, (0, 0))
        found[key] = ((before + digest) % _DIGESTS, points + count)
    return found


def noise_keys(keys: Collection[int], places: pl.DataFrame, repeated: Collection[int]) -> tuple[list[int], list[int]]:
    """Return the series whose points the noise of some series is computed from: those of groups with one run a commit, and others.

    Of a group that has several runs of a commit, all series are needed.
    """
    of_keys = places.filter(pl.col("series_key").is_in(list(keys)))
    is_repeated = pl.col("group").is_in(list(repeated))
    groups = of_keys.filter(is_repeated)["group"].unique().to_list()
    single = of_keys.filter(~is_repeated)["series_key"].to_list()
    return single, places.filter(pl.col("group").is_in(groups))["series_key"].to_list()
