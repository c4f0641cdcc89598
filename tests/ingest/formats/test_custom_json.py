from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import parse
from tests.ingest.support import FIXED, read

if TYPE_CHECKING:
    from pathlib import Path


def custom_entry(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"name": name, "unit": "us", "value": 2, **fields}


def custom_file(*entries: Any) -> str:
    return json.dumps(entries or [custom_entry()])


class TestReading:
    """A value in its base unit, with the interval from its range."""

    @pytest.mark.parametrize(
        ("unit", "metric", "units", "direction", "value"),
        [
            ("sec", "time", "nanoseconds", "lower", 2e9),
            ("usec", "time", "nanoseconds", "lower", 2e3),
            ("ms/iter", "time", "nanoseconds", "lower", 2e6),
            ("MiB", "memory", "bytes", "lower", 2 * 2**20),
            ("Megabytes", "memory", "bytes", "lower", 2e6),
            ("kB/s", "throughput", "bytes_per_second", "higher", 2e3),
            ("iter/sec", "throughput", "per_second", "higher", 2),
            ("allocs", "count", "count", "info", 2),
            ("widgets", "value", "widgets", "info", 2),
            ("", "value", "", "info", 2),
        ],
    )
    def test_units(  # noqa: PLR0917 a column each
        self, tmp_path: Path, unit: str, metric: str, units: str, direction: str, value: float
    ) -> None:
        run, [result] = read(tmp_path / "f", custom_file(custom_entry(unit=unit)))
        assert (result.metric, result.units, str(result.direction)) == (metric, units, direction)
        assert list(result.values) == [value]
        assert any("--format customSmallerIsBetter" in note for note in run.notes) is (direction == "info")

    @pytest.mark.parametrize(
        ("name", "direction"), [("customSmallerIsBetter", "lower"), ("customBiggerIsBetter", "higher")]
    )
    @pytest.mark.parametrize("unit", ["ns", "ops/s", "Percent"])
    def test_a_user_says_which_way_is_better(self, tmp_path: Path, name: str, direction: str, unit: str) -> None:
        (tmp_path / "f").write_text(custom_file(custom_entry(unit=unit)))
        run, [result] = parse(tmp_path / "f", name, provenance=FIXED)
        assert (run.format, str(result.direction), run.notes) == (name, direction, ())

    @pytest.mark.parametrize(
        ("spread", "margin"),
        [
            (0.5, 500), ("0.5", 500), ("\u00b1 0.5", 500), ("\u00b10.5", 500), ("+/- 0.5", 500), ("+-.5", 500),
            (" \u00b1 1,000 ", 1e6), ("\u00b125%", 500), ("5e-1", 500), (0, 0), ("stddev: 1", None), ("", None), (None, None),
            (-1, None), ("\u00b1 1e999", None), ("\u00b1 x", None),
        ],
    )  # fmt: skip
    def test_ranges(self, tmp_path: Path, spread: Any, margin: float | None) -> None:
        _, [result] = read(tmp_path / "f", custom_file(custom_entry(range=spread)))
        expected = (None, None) if margin is None else (2000 - margin, 2000 + margin)
        assert (result.lower, result.upper) == expected

    def test_metadata(self, tmp_path: Path) -> None:
        entry = custom_entry(extra="x\ny {", new=[{"a": 1}])
        (tmp_path / "f").write_text(custom_file(custom_entry("first"), entry))
        _, [_, result] = parse(tmp_path / "f", provenance=FIXED)
        assert json.loads(result.metadata) == entry

    @pytest.mark.parametrize("value", ["12.5", " 12.5 ", "1.25e1", "+12.5"])
    def test_a_number_as_text(self, tmp_path: Path, value: str) -> None:
        run, [_, result] = read(
            tmp_path / "f", custom_file(custom_entry(), custom_entry("quoted", unit="ms", value=value))
        )
        assert list(result.values) == [12.5e6]
        assert any("1 value is a text" in note and "first of quoted" in note for note in run.notes)

    def test_negative_score(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", custom_file(custom_entry(unit="points", value=-3)))
        assert list(result.values) == [-3]


class TestSkips:
    """An invalid entry is skipped, counted and named; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (custom_entry(""), "no-name"),
            ({"unit": "ns", "value": 1}, "no-name"),
            ({"name": "bad", "unit": "ns"}, "missing-field"),
            (custom_entry("bad", unit=None), "wrong-type"),
            (custom_entry("bad", value="1 ms"), "not-a-number"),
            (custom_entry("bad", value="1,000"), "not-a-number"),
            (custom_entry("bad", value=""), "not-a-number"),
            (custom_entry("bad", value="1e999"), "out-of-range"),
            (custom_entry("bad", value=True), "not-a-number"),
            (custom_entry("bad", value=float("nan")), "not-finite"),
            (custom_entry("bad", value=-1), "negative-time"),
            (custom_entry("bad", value=1e308), "out-of-range"),
            (custom_entry("bad", range=[1]), "not-a-number"),
            ("bad", "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", custom_file(custom_entry("before"), bad, custom_entry("after")))
        assert [r.benchmark_name for r in results] == ["before", "after"]
        assert run.skipped == {reason: 1}

    def test_no_entry(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text("[]")
        with pytest.raises(UnreadableOutputError, match="contains no benchmark"):
            parse(tmp_path / "f", "customBiggerIsBetter", provenance=FIXED)
