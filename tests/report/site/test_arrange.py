"""The points of a site, arranged by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from bench_db.query.series import IDENTITY
from bench_db.report.site.arrange import NARROW, RUN, arranged, noise_keys
from bench_db.report.site.contract import slices
from tests.report.example_site import arranged_points, history, reading
from tests.report.examples import commit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE = history("one", np.array([1.0, 2.0, 3.0]))
LATER = history("two", np.array([5.0, 6.0]), first_commit=2)
ELSEWHERE = history("one", np.array([5.0, 6.0]), bed="laptop")
BOTH = pl.concat([ONE, LATER])


def key_of(frame: pl.DataFrame) -> int:
    return int(frame["series_key"][0])


def digest_of(frame: pl.DataFrame, points: pl.DataFrame) -> tuple[int, int]:
    return arranged_points(points)[0].sums[key_of(frame)]


class TestArranged:
    """A group has its builds in commit order, and each point the place of its own among them."""

    def test_builds(self) -> None:
        found, ordered = arranged_points(pl.concat([LATER, ELSEWHERE, ONE]))
        builds = {group[1]: builds["commit"].to_list() for group, builds in found.builds.items()}
        assert builds == {"runner-large": [commit_of(n) for n in range(4)], "laptop": [commit_of(n) for n in range(2)]}
        places = {key: of["build"].to_list() for (key,), of in ordered.group_by("series_key")}
        assert places == {key_of(ONE): [0, 1, 2], key_of(LATER): [2, 3], key_of(ELSEWHERE): [0, 1]}

    def test_nothing(self) -> None:
        found, ordered = arranged_points(ONE.clear())
        assert (found.builds, found.sums, len(ordered)) == ({}, {}, 0)


class TestDigest:
    """The digest of a series is the same while its points and the places of their builds are, in whatever order they are read."""

    def test_same(self) -> None:
        assert digest_of(ONE, BOTH) == digest_of(ONE, BOTH.sample(fraction=1.0, shuffle=True, seed=1))
        assert digest_of(ONE, BOTH) == digest_of(ONE, pl.concat([BOTH, ELSEWHERE]))

    def test_a_later_build_of_another_series(self) -> None:
        more = history("two", np.array([5.0, 6.0, 7.0]), first_commit=2)
        assert digest_of(ONE, BOTH) == digest_of(ONE, pl.concat([ONE, more]))
        assert digest_of(LATER, BOTH) != digest_of(more, pl.concat([ONE, more]))

    def test_an_earlier_build_of_another_series_moves_the_places(self) -> None:
        assert digest_of(LATER, LATER) != digest_of(LATER, BOTH)

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("run_key", -1),
            ("median", 9.0),
            ("error", "x"),
            ("commit", "f" * 40),
            ("branch", None),
            ("dut_version", "9"),
            ("run_time", 1),
        ],
    )
    def test_another_point(self, column: str, value: object) -> None:
        last = pl.col("commit") == commit_of(2)
        changed = ONE.with_columns(
            pl.when(last).then(pl.lit(value)).otherwise(column).cast(ONE.schema[column]).alias(column)
        )
        assert digest_of(ONE, changed) != digest_of(ONE, ONE)

    def test_another_run_of_its_commit_in_its_group(self) -> None:
        """Runs of a commit in one go are one to the noise, and a run of another series can join two."""
        again = LATER.with_columns(pl.col("run_key") + 1000)
        assert digest_of(ONE, pl.concat([BOTH, again])) != digest_of(ONE, BOTH)


class TestRuns:
    """The facts of all runs are read from the points of a few series."""

    def test_runs(self) -> None:
        points = pl.concat([ONE, LATER, ELSEWHERE])
        of, asked = slices(points), list[int]()

        def points_of(keys: Sequence[int], columns: Sequence[str]) -> pl.DataFrame:
            asked.extend(keys)
            return of(keys).select(columns)

        found = arranged(points.select(NARROW), points_of, points.select(IDENTITY).unique("series_key"))
        truth = points.select(RUN).unique("run_key")
        assert found.runs.select(RUN).unique("run_key").sort("run_key").equals(truth.sort("run_key"))
        assert len(asked) <= 3


class TestNoiseKeys:
    """The noise of a series needs its own points, and those of its whole group where a commit has several runs there."""

    def test_groups(self) -> None:
        again = LATER.with_columns(pl.col("run_key") + 1000)
        points = pl.concat([ONE, LATER, again, ELSEWHERE])
        series = points.select(IDENTITY).unique("series_key")
        found = arranged(points.select(NARROW), reading(points), series)
        single, several = noise_keys([key_of(ONE), key_of(ELSEWHERE)], found.places, found.repeated)
        assert single == [key_of(ELSEWHERE)]
        assert set(several) == {key_of(ONE), key_of(LATER)}
        assert noise_keys([key_of(ELSEWHERE)], found.places, found.repeated) == ([key_of(ELSEWHERE)], [])
