from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.labelled import labelled, turing
from benchmarks.suites import Found, Suite, delays, joined, online, outliers

if TYPE_CHECKING:
    from pathlib import Path


def echo(name: str, count: int) -> Suite:
    """Return a suite whose figure is the sum of the found indexes."""
    return Suite(
        size=f"{count} series",
        series=[np.array([float(i)]) for i in range(count)],
        score=lambda found: {name: float(sum(map(sum, found)))},
    )


class TestSuites:
    """A suite scores the changes found in its own series, in order."""

    def test_joined_suites_get_their_own(self) -> None:
        both = joined([echo("one", 2), echo("two", 3)])
        found: Found = [[int(x) + 10] for (x,) in both.series]
        assert both.score(found) == {"one": 21.0, "two": 33.0}

    def test_who_finds_nothing(self) -> None:
        suite = outliers(1, count=3)
        assert suite.score([[]] * 3) == {"outliers: precision": 0.0, "outliers: recall": 0.0}
        never = delays(1, 0.1, count=1)
        assert never.score([[]] * len(never.series))["10% step: found within 10"] == 0.0

    def test_one_alarm_seen_after_many_commits_is_one(self) -> None:
        suite = online(1, count=1, n=60, first=40)
        found = [[10 + len(values) // 55] if len(values) > 50 else [] for values in suite.series]
        assert suite.score(found) == {"online alarms per 100 quiet commits": pytest.approx(100 / 21)}

    def test_delay_counts_the_commits_at_the_new_level(self) -> None:
        suite = delays(1, 0.2, count=1, horizon=6)
        starts = [len(suite.series[i]) - 1 for i in range(0, len(suite.series), 6)]
        found = [[starts[i // 6] + 2] if i % 6 >= 3 else [] for i in range(len(suite.series))]
        assert suite.score(found) == {"20% step: median delay": 4.0, "20% step: found within 10": 1.0}


class TestLabelled:
    """Labelled series are scored in their own folder and are not part of this repository."""

    def test_without_the_files_there_are_no_suites(self, tmp_path: Path) -> None:
        assert labelled(tmp_path) == {}

    def test_turing(self, tmp_path: Path) -> None:
        series = {"values": [1.0] * 99, "annotations": {"6": [30], "7": [30, 60], "8": []}}
        (tmp_path / "tcpd_univariate.json").write_text(json.dumps([series]))
        # precision: 0 and 33 of 0, 33, 90; recall: 2 of 2, 2 of 3, 1 of 1
        recall = (1 + 2 / 3 + 1) / 3
        assert turing(tmp_path).score([[33, 90]]) == {
            "TCPD: F1": pytest.approx(2 * (2 / 3) * recall / (2 / 3 + recall))
        }
        assert list(labelled(tmp_path)) == ["TCPD"]
