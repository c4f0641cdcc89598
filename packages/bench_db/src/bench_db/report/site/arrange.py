"""The points of a site, arranged by group: a digest of each series, the builds of a group, and the points in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
_FLOATS = ("min", "q1", "median", "q3", "max", "lower", "upper")
# The columns of a point that a site is made from.
POINTS = tuple(dict.fromkeys((*HISTORY, *BUILD, "n", *_FLOATS, "error")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """The runs of whole groups, and a digest of the points of each series.

    `runs` has a row for each run of a group: `group` (a number), the columns `RUN`, `build` (its place among the builds of the
    group) and `repeated` (0, or a hash of the runs of the group at its commit where that has several). `places` has the group
    of each series, and `builds` the builds of each, oldest first, with the columns `BUILD`. `measured` is when each group measured its
    newest commit, in unix seconds, 0 where no time is known. `sums` are a digest of each series and the number of its points.
    """

    runs: pl.DataFrame
    places: pl.DataFrame
    builds: Mapping[Group, pl.DataFrame]
    measured: Mapping[Group, int]
    sums: Mapping[int, tuple[int, int]]

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


def runs_of(narrow: pl.DataFrame, points_of: PointsOf) -> pl.DataFrame:
    """Return the columns `RUN` of the runs of some points.

    They are those of the points of a few series: for each run the series with the smallest key, which other runs have too.
    """
    smallest = narrow.group_by("run_key").agg(pl.col("series_key").min())["series_key"].unique().sort().to_list()
    # with their series, which may be derived from others
    return points_of(smallest, ("series_key", *RUN)).select(RUN).unique("run_key", keep="any")


def arranged(narrow: pl.DataFrame, runs: pl.DataFrame, series: pl.DataFrame) -> Arranged:
    """Arrange all points of the groups of some series; `series` has a row a series with the columns of `query.series.IDENTITY`.

    The points have the columns `NARROW`, and their runs the columns `RUN`.
    """
    groups, places = _places(series)
    by_run = ("run_key",) if len(groups) == 1 else ("group", "run_key")  # a key of one column joins twice as fast
    placed = narrow if len(groups) == 1 else narrow.join(places, on="series_key")
    each = placed.select(by_run).unique()
    each = each.with_columns(group=pl.lit(0, places["group"].dtype)) if len(groups) == 1 else each
    of_groups = each.select("group", "run_key").join(runs, on="run_key", nulls_equal=True)
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
    facts = of_groups.select("group", "run_key", facts=pl.struct(pl.exclude("group")).hash())
    hashed = placed.join(facts, on=by_run, nulls_equal=True).select(*NARROW, "facts")
    digests = hashed.select("series_key", digest=hashed.hash_rows(seed=0))
    sums = digests.group_by("series_key").agg(pl.col("digest").sum(), pl.len())
    names = {number: group for group, number in groups.items()}
    measured = (
        of_groups.sort("commit_order", "run_time", nulls_last=False)
        .group_by("group")
        .agg(pl.coalesce("run_time", "dut_timestamp").last().fill_null(0))
    )
    return Arranged(
        runs=of_groups,
        places=places,
        builds={names[part["group"][0]]: part.select(BUILD) for part in builds.partition_by("group")},
        measured={names[number]: at for number, at in measured.iter_rows()},
        sums={key: (digest, count) for key, digest, count in sums.iter_rows()},
    )


def noise_keys(keys: Collection[int], places: pl.DataFrame, repeated: Collection[int]) -> tuple[list[int], list[int]]:
    """Return the series whose points the noise of some series is computed from: those of groups with one run a commit, and others.

    Of a group that has several runs of a commit, all series are needed.
    """
    of_keys = places.filter(pl.col("series_key").is_in(list(keys)))
    is_repeated = pl.col("group").is_in(list(repeated))
    groups = of_keys.filter(is_repeated)["group"].unique().to_list()
    single = of_keys.filter(~is_repeated)["series_key"].to_list()
    return single, places.filter(pl.col("group").is_in(groups))["series_key"].to_list()
