"""Targets, the shortfalls that a search minimises, and what is measured on real runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from bench_db.model import Verdict
from benchmarks import own_histories, real_runs, shape_suite
from benchmarks.labelled import planted
from benchmarks.left_out import LEAST, MOST, shortfall
from benchmarks.suites import situations
from benchmarks.targets import TARGETS, Target, lines

if TYPE_CHECKING:
    from pathlib import Path


class TestTargets:
    """A figure beside its bound, or the reason why there is none."""

    @pytest.mark.parametrize(
        ("target", "value", "outcome"),
        [
            (Target("f", least=0.9), 0.9, "met"),
            (Target("f", least=0.9), 0.899, "missed"),
            (Target("f", most=3), 3.0, "met"),
            (Target("f", most=3), 3.1, "missed"),
            (Target("f"), 1.0, ""),
            (Target("f", most=3), None, "not measured: its file is not there"),
        ],
        ids=str,
    )
    def test_outcome(self, target: Target, value: float | None, outcome: str) -> None:
        assert target.outcome(value) == outcome

    def test_each_has_a_line(self) -> None:
        shown = list(lines({"labels A: f1": 0.9}))[2:]
        assert len(shown) == len(TARGETS)
        assert shown[0] == "| labels A: f1 | >= 0.84 | 0.9 | met | A, B, C, synthetic |"
        assert all("not measured" in line for line in shown[1:] if ": found |  |" not in line)


class TestShortfall:
    """A set that is left out has no part in the choice."""

    BEST = dict.fromkeys(LEAST, 1.0) | dict.fromkeys(MOST, 0.0)

    def test_of_the_set_that_is_left_out(self) -> None:
        worse = self.BEST | {"labels B: f1": 0.2}
        assert shortfall(worse, ["B"]) == shortfall(self.BEST, ["B"])
        assert shortfall(worse, ["A"]) == pytest.approx(shortfall(self.BEST, ["A"]) + 0.7 + 0.8 / 20)

    def test_situations(self) -> None:
        figures = {"step": 4.0, "step: others": 1.0}
        assert shortfall(self.BEST | figures, []) == pytest.approx(shortfall(self.BEST, []) + 0.4 - 0.05)


class TestSituations:
    """The planted changes count as found, and all others as others."""

    def test_score(self) -> None:
        suite = situations(count=2)
        perfect = [[20, 40, 60, 80, 100] if len(set(x)) == 6 else [100] for x in suite.series]
        figures = suite.score(perfect)
        assert {figures[name] for name in figures if name.endswith(": others")} == {0.0}
        assert figures["two modes, share 0.3"] == 2
        assert figures["staircase of .8 % without noise"] == 5
        assert suite.score([[*found, 150] for found in perfect])["+.9 %, noise .03 %: others"] == 2


def labelled_sets(folder: Path, *, step: float) -> None:
    """Write a set of 12 windows of 60 runs, of which one has a labelled step at 30."""
    rng = np.random.default_rng(4)
    values = 100 * np.exp(rng.normal(0, 0.01, (12, 60)))
    values[0, 30:] *= step
    windows = [{"change_points": [30] if n == 0 else [], "values": row.tolist()} for n, row in enumerate(values)]
    (folder / "labels_B.json").write_text(json.dumps(windows))


class TestRealRuns:
    """No side of a comparison crosses a label; a step is judged as the command does."""

    def test_sides(self, tmp_path: Path) -> None:
        labelled_sets(tmp_path, step=2.0)
        sides = real_runs.sides(tmp_path, "B", 3)
        assert len(sides) == 11 * (60 - 7 - 2) + 2 * (30 - 7 - 2)
        assert {len(one.new) for one in sides} == {3}
        assert all(7 <= len(one.old) <= 20 and one.new.max() < 1.5 * one.old.min() for one in sides)

    def test_without_the_files(self, tmp_path: Path) -> None:
        assert real_runs.sides(tmp_path, "B", 1) == real_runs.sides(tmp_path, "JMH", 1) == []
        assert planted(tmp_path, 1) is None

    def test_steps(self, tmp_path: Path) -> None:
        labelled_sets(tmp_path, step=1.5)
        (one,) = real_runs.followed(tmp_path, "B")
        assert set(one.runs) == {one.again} == {Verdict.REGRESSED}

    def test_smaller_steps_are_not_followed(self, tmp_path: Path) -> None:
        labelled_sets(tmp_path, step=1.1)
        assert real_runs.followed(tmp_path, "B") == []

    def test_quiet_commits(self, tmp_path: Path) -> None:
        labelled_sets(tmp_path, step=1.5)
        assert real_runs.gate(tmp_path, "B")[0] <= 0.1

    def test_found(self, tmp_path: Path) -> None:
        labelled_sets(tmp_path, step=1.5)
        for runs in (1, 2):
            sides = real_runs.sides(tmp_path, "B", runs)
            assert real_runs.found(sides, 0.0) < 0.05
            assert real_runs.found(sides, 0.5) > 0.9


class TestOwnHistories:
    """Each series by its figure, or by medians."""

    def test_series(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(2)
        least = 100 * np.exp(rng.normal(0, 0.001, 12))
        rows: dict[str, Any] = {
            "project": ["p"] * 12,
            "benchmark_name": ["b"] * 12,
            "dut_timestamp": list(range(12)),
            "run_time": [0] * 12,
            "n": [9] * 12,
            "min": least,
            **{name: least * np.exp(rng.normal(0.2, 0.1, 12)) for name in ("q1", "median", "q3", "max")},
        }
        pl.DataFrame(rows).sample(fraction=1, shuffle=True, seed=1).write_parquet(tmp_path / "f.parquet")
        (by_figure,) = own_histories.series(tmp_path / "f.parquet", medians=False)
        (by_median,) = own_histories.series(tmp_path / "f.parquet", medians=True)
        assert by_figure.tolist() == least.tolist()
        assert by_median.tolist() == list(rows["median"])


class TestShapes:
    """Series with a change of spread or modes at a known point, and quiet ones."""

    def test_changes_are_where_they_are_said_to_be(self) -> None:
        made = shape_suite.changed(200, np.random.default_rng(1), 2)
        assert {len(series) for series in made.values()} == {18, 12}
        for values, at in made["spread"]:
            before, after = np.log(values[:at]).std(), np.log(values[at:]).std()
            assert max(before, after) > 1.5 * min(before, after)

    def test_clocks_tick(self) -> None:
        quiet = shape_suite.quiet(60, np.random.default_rng(1), 1)
        assert len(quiet) == 14
        (values,) = quiet["clock of 2 standard deviations, drift 3"]
        assert set(values % 40.0) == {0.0}
