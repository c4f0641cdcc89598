"""The pictures for a README."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.site.badge import badge, chart, is_stale, lasting, state
from bench_db.report.site.encode import EncodedSeries
from bench_db.rules import RULES
from tests.report.example_site import METADATA, content_of, history, site, stepped
from tests.report.examples import HOSTILE, found, last_scan

DAY = 86_400
NOW = 1_780_000_000
GOOD: dict[str, Any] = {
    "freshness": [{"newest": {"measured": NOW}, "failed": []}],
    "failing": 0,
    "current": 9,
    "scans": [last_scan()],
    "regressed": 0,
    "total": 9,
}
WORSE = {"worse": True, "state": "open", "units": "nanoseconds"}
OLD = [{"newest": {"measured": NOW - (RULES.badge_days + 1) * DAY}, "failed": []}]
GREEN = state(GOOD, [], NOW)[1]


class TestState:
    """The badge is green only where the newest results are recent, and were judged."""

    def test_fine(self) -> None:
        assert state(GOOD, [{**WORSE, "state": "fixed"}, {**WORSE, "worse": False}], NOW)[0] == "fine"
        assert state(GOOD | {"total": 20}, [], NOW) == ("fine, 9 of 20 judged", GREEN)
        others = [last_scan(), last_scan(judged=0, commits_since=2)]  # a device whose series all have too few runs
        assert state(GOOD | {"scans": others}, [], NOW) == ("fine", GREEN)

    @pytest.mark.parametrize(
        ("facts", "findings", "said"),
        [
            ({}, [WORSE, {**WORSE, "state": "reopened"}], "2 slower"),
            ({}, [{**WORSE, "units": "bytes"}], "1 worse"),
            ({"freshness": OLD}, [WORSE], "1 slower, stale"),
            ({"freshness": OLD}, [], "stale since 2026-05-13"),
            ({"freshness": [{"newest": {"measured": NOW}, "failed": [1, 2]}]}, [], "2 newest commits failed"),
            ({"failing": 3}, [], "3 failing"),
            ({"current": 0}, [], "unknown"),
            ({"scans": [None]}, [], "unknown"),
            ({"regressed": 2}, [], "2 worse at the newest commit"),
            ({"scans": [last_scan(), None]}, [], "unknown"),
            ({"scans": [last_scan(judged=0)]}, [], "unknown"),
            ({"scans": [last_scan(), last_scan(commits_since=3)]}, [], "last scan: 3 measured commits ago"),
            ({"scans": [last_scan(runs_since=1)]}, [], "last scan: 1 run ago"),
            (
                {"scans": [last_scan(commits_since=None)]},
                [],
                "last scan: a commit that is not in the main history any more",
            ),
            ({"freshness": []}, [], "no results"),
            ({"freshness": [{"newest": None, "failed": [1]}]}, [], "no results"),
        ],
    )
    def test_not_green(self, facts: dict[str, Any], findings: list[dict[str, Any]], said: str) -> None:
        message, colour = state(GOOD | facts, findings, NOW)
        assert message == said
        assert colour != GREEN


class TestPictures:
    """A picture is well-formed and loads nothing, whatever the name."""

    @pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
    def test_hostile(self, name: str) -> None:
        points = history(name, np.array([1.0, np.nan, 3.0, 2.0]))
        one = EncodedSeries(key=1, points=points, findings=[{"at": 2, "worse": True, "state": "open"}], document={})
        for picture in (badge(name, name, "#000"), chart(one, name, "nanoseconds")):
            tags = {node.tag.rpartition("}")[2] for node in ET.fromstring(picture).iter()}
            assert tags <= {"svg", "title", "rect", "g", "text", "path"}

    @pytest.mark.parametrize("values", [[], [np.nan], [np.nan, np.nan, 4.0], [7.0, 7.0], list(range(1000))])
    def test_any_history(self, values: list[float]) -> None:
        points = history("x", np.array(values or [1.0]))
        text = chart(EncodedSeries(key=1, points=points, findings=[], document={}), "x", "bytes").decode()
        assert "nan" not in text
        assert len(text) < 8000

    def test_of_a_site(self) -> None:
        content = content_of(history("a/b", stepped(1e3, 30, {})), METADATA)
        without = dict(site(content))
        assert [path for path in without if path.endswith(".svg") and "/" not in path] == ["badge.svg"]
        assert b"stale since 2025-10-22" in without["badge.svg"]
        key = int(content.series["series_key"][0])
        files = dict(site(replace(content, charts=("a/*",))))
        assert b"a/b" in files[f"chart-{key:016x}.svg"]
        assert f"chart-{key:016x}.svg" not in dict(site(replace(content, charts=("c",))))

    @pytest.mark.parametrize(("bed", "suite"), [("laptop", "io"), ("runner-large", "net")])
    def test_a_part_that_is_measured_no_more(self, bed: str, suite: str) -> None:
        """A test bed or a suite without recent results is not among what is fine."""
        long_ago = history("a", stepped(1e3, 30, {}), bed=bed, suite=suite)
        later = (RULES.badge_days + 2) * DAY
        recent = history("a", stepped(1e3, 30, {}), first_commit=later // 40_000)
        now = int(recent["run_time"][-1])
        content = content_of(pl.concat([long_ago, recent]), replace(METADATA, now=now))
        assert b"benchmarks: fine, 1 of 2 judged<" in dict(site(content))["badge.svg"]
        both = content_of(pl.concat([long_ago, recent]), replace(METADATA, now=int(long_ago["run_time"][-1])))
        assert b"benchmarks: fine<" in dict(site(both))["badge.svg"]

    def test_now(self) -> None:
        frame = history("a", stepped(1e3, 30, {}))
        fixed = [found("f", int(frame["series_key"][0]), 9, state="fixed")]
        newest = int(frame["run_time"][-1])
        said = {}
        for days in (1, RULES.badge_days + 1):
            metadata = replace(METADATA, now=newest + days * DAY)
            said[days] = dict(site(content_of(frame, metadata, fixed)))["badge.svg"]
        assert b"benchmarks: fine<" in said[1]
        assert b"stale since" in said[RULES.badge_days + 1]


class TestLasting:
    """In the time around now each measurement is as stale as now, and not a second before and after it."""

    @given(st.lists(st.integers(0, 1000), min_size=1), st.integers(0, 1000))
    def test_around_now(self, days: list[int], today: int) -> None:
        measured, now = [day * 86_400 for day in days], today * 86_400

        def stale(at: int) -> list[bool]:
            return [is_stale(one, at) for one in measured]

        since, until = lasting(measured, now)
        assert since <= now <= until
        assert stale(since) == stale(now) == stale(until)
        assert since == 0 or stale(since - 1) != stale(now)
        assert until > now + 10**9 or stale(until + 1) != stale(now)
