from __future__ import annotations

from itertools import product

import polars as pl
import pytest

from bench_db.model import Baseline
from bench_db.query.baseline import by_place, holding, newest_build_of_each


def setting(dut: str | None, bed: str | None, branch: str | None, at: int = 0) -> Baseline:
    return Baseline(name="main", commit="c", dut_name=dut, testbed_name=bed, branch=branch, set_at=at)


EVERY = [setting(dut, bed, branch) for dut, bed, branch in product((None, "d"), (None, "b"), (None, "main"))]


class TestHolding:
    """Of the settings whose scope matches the candidate, the narrowest applies."""

    @pytest.mark.parametrize(
        ("place", "branches", "scope"),
        [
            (("d", "b"), {"main"}, ("d", "b", "main")),
            (("d", "b"), {"other"}, ("d", "b", None)),
            (("d", "other"), {"main", "other"}, ("d", None, "main")),
            (("other", "b"), {"main"}, (None, "b", "main")),
            (("other", "other"), {"main"}, (None, None, "main")),
            (("other", "other"), set(), (None, None, None)),
        ],
    )
    def test_narrowest(self, place: tuple[str, str], branches: set[str], scope: tuple[str | None, ...]) -> None:
        found = holding(EVERY, place, branches)
        assert found is not None
        assert (found.dut_name, found.testbed_name, found.branch) == scope
        assert holding(EVERY[::-1], place, branches) == found

    def test_of_equals_the_branch_then_the_test_bed(self) -> None:
        dut, bed, branch = setting("d", None, None), setting(None, "b", None), setting(None, None, "main")
        assert holding([dut, bed, branch], ("d", "b"), {"main"}) == branch
        assert holding([dut, bed, branch], ("d", "b"), ()) == bed

    def test_of_two_branches_the_newest_setting(self) -> None:
        old, new = setting(None, None, "one", at=1), setting(None, None, "two", at=2)
        assert holding([new, old], ("d", "b"), {"one", "two"}) == new

    def test_none(self) -> None:
        assert holding([setting("d", None, None)], ("other", "b"), {"main"}) is None
        assert holding([], (None, None), ()) is None


class TestRows:
    """Conditions per device and test bed."""

    FRAME = pl.DataFrame(
        {
            "dut_name": ["d", "d", "e", "e"],
            "test_bed_name": ["b", "b", "b", "b"],
            "suite": ["", "", "", ""],
            "commit": ["1", "2", "1", None],
            "commit_order": [1, 2, 1, 5],
        }
    )

    def test_by_place(self) -> None:
        condition = by_place({("d", "b"): pl.col("commit_order") <= 1, ("e", "b"): pl.col("commit_order") > 1})
        assert self.FRAME.filter(condition)["commit"].to_list() == ["1", None]
        assert self.FRAME.filter(by_place({})).is_empty()

    def test_newest_build_of_each(self) -> None:
        meant = pl.col("commit") == "1"
        assert self.FRAME.filter(newest_build_of_each(self.FRAME, meant))["commit"].to_list() == ["2", None]
        assert self.FRAME.filter(newest_build_of_each(self.FRAME.clear(), meant)).is_empty()

    def test_of_one_second_the_one_that_is_meant(self) -> None:
        builds = self.FRAME.with_columns(commit_order=1)
        newest = builds.filter(newest_build_of_each(builds, pl.col("commit") == "1"))
        assert newest["commit"].to_list() == ["1", "1"]
