from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import bench_db
from tests.cli.demo_names import QUERY, SLOW_COMMIT

if TYPE_CHECKING:
    from pathlib import Path


class TestDetect:
    """The changes of one benchmark are found in each of its series, and the store stays as it is."""

    @pytest.mark.parametrize("profile", ["quiet", "default", "strict", "sensitive"])
    def test_known_changes(self, demo_store: Path, profile: str) -> None:
        answer = bench_db("detect", "*query*", "--profile", profile, "--store", demo_store, "--output", "json")
        found = answer.document["findings"]
        assert [(one["benchmark_name"], one["commit"][:7]) for one in found] == [
            (QUERY, SLOW_COMMIT),
            (QUERY.replace("1", "3"), SLOW_COMMIT),
        ]
        assert all(0 < one["low"] < one["effect"] < one["high"] for one in found)

    def test_marks_are_below_the_sparkline(self, demo_store: Path) -> None:
        head, line, mark, *_ = bench_db("detect", QUERY, "--store", demo_store).out.splitlines()
        assert head == f"{QUERY}  on demo: 38 runs, 1 change"
        assert (mark.strip(), len(line)) == ("^", 38)
        assert min(line[mark.index("^") :]) > max(line[: mark.index("^")])

    def test_a_series_without_a_change(self, demo_store: Path) -> None:
        words = ("detect", "*test_build", "--store", demo_store)
        assert bench_db(*words, "--output", "json").document["findings"] == []
        assert "38 runs, 0 changes" in bench_db(*words).out

    def test_as_of_a_version_before_the_change(self, demo_in_two: Path) -> None:
        words = ("detect", QUERY, "--store", demo_in_two, "--output", "json")
        assert bench_db(*words).document["findings"] != []
        assert bench_db(*words, "--as-of", "2").document["findings"] == []

    def test_nothing_is_stored(self, demo_copy: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in demo_copy.rglob("*")}
        assert bench_db("detect", "*", "--store", demo_copy).code == 0
        assert {path: path.stat().st_mtime_ns for path in demo_copy.rglob("*")} == before
