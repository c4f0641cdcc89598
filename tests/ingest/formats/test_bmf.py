from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import parse
from tests.ingest.support import FIXED, read

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {"latency": {"value": 1}}


class TestReading:
    """A measure is a metric; a file can contain both versions."""

    def test_versions_mixed(self, tmp_path: Path) -> None:
        _, results = read(
            tmp_path / "f", json.dumps({"a": GOOD, "b": [{"measures": GOOD}, {"measures": {"Latency": {"p9": 2}}}]})
        )
        assert [(r.benchmark_name, r.metric, list(r.values)) for r in results] == [
            ("a", "time", [1]),
            ("b", "time", [1]),
            ("b", "time-p9", [2]),
        ]

    def test_parameters_are_tags(self, tmp_path: Path) -> None:
        parameters = {"t": "x", "f": 1.5, "b": True, "n": None, "i": 3.0}
        _, [result] = read(tmp_path / "f", json.dumps({"a": [{"parameters": parameters, "measures": GOOD}]}))
        assert dict(result.tags) == {"t": "x", "f": "1.5", "b": "true", "n": "null", "i": "3"}

    def test_metadata(self, tmp_path: Path) -> None:
        measure = {"latency": {"value": 1, "lower_value": 5, "new": 7}}
        _, [result, _] = read(tmp_path / "f", json.dumps({"a": measure}))
        assert (json.loads(result.metadata), result.lower, result.upper) == (measure, 5, None)


class TestSkips:
    """An invalid benchmark is skipped, counted and named; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (5, "wrong-type"),
            ([5], "wrong-type"),
            ([{"parameters": {}}], "wrong-type"),
            ([{"parameters": [1], "measures": GOOD}], "wrong-type"),
            ({"latency": 5}, "wrong-type"),
            ({"latency": {}}, "missing-field"),
            ({"latency": {"value": "1 ns"}}, "not-a-number"),
            ({"latency": {"value": float("nan")}}, "not-finite"),
            ({"latency": {"value": -1}}, "negative-time"),
            ({"build-time": {"value": 1e308}}, "out-of-range"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", json.dumps({"before": GOOD, "bad": bad, "after": GOOD}))
        assert [r.benchmark_name for r in results] == ["before", "after"]
        assert run.skipped == {reason: 1}

    def test_no_benchmark(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text("{}")
        with pytest.raises(UnreadableOutputError, match="contains no benchmark"):
            parse(tmp_path / "f", "bmf", provenance=FIXED)


class TestTexts:
    """A number that a script quotes is read, with a note."""

    def test_value(self, tmp_path: Path) -> None:
        run, [result] = read(tmp_path / "f", '{"a": {"latency": {"value": "1.5"}}}')
        assert (list(result.values), "1 value is a text" in run.notes[0]) == ([1.5], True)
