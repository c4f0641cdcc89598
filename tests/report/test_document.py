"""Records as JSON."""

import json
import math
from typing import Any, ClassVar

import pytest

from bench_db.model import Baseline, Movement, Noise, Series
from bench_db.report import document
from tests.report.examples import compared, found

SERIES = Series(
    series_key=255, dut_name="lance", test_bed_name="ci", suite="io", benchmark_name="read", tags_key="k=10"
)
NOISE = Noise(series=SERIES, spread=math.nan, smallest_effect=math.inf, autocorrelated=None, runs_needed=3)


class TestRecord:
    """A record is one flat object that survives JSON: keys are texts, and a number that JSON has not is null."""

    def test_flat(self) -> None:
        found = document.record_json(NOISE)
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        assert found["series"] == found["label"] == SERIES.label
        assert found["series_key"] == "00000000000000ff"
        assert (found["test_bed_name"], found["testbed_name"]) == ("ci", "ci")
        assert (found["spread"], found["smallest_effect"], found["runs_needed"]) == (None, None, 3)

    def test_a_comparison_has_its_own_fields(self) -> None:
        found = document.record_json(compared("decode", "regressed", effect=0.1))
        assert (found["verdict"], found["effect"], found["benchmark_name"]) == ("regressed", 0.1, "decode")

    def test_a_movement_has_the_number_of_its_series(self) -> None:
        moved = Movement(run=1, commit=None, effect=math.nan, series=9, lasting=True)
        found = document.record_json(moved)
        old = {"run": 1, "commit": None, "effect": None, "series": 9, "lasting": True}
        new = {"test_bed_name", "benchmarks", "measured", "cause", "evidence"}
        assert {name: value for name, value in found.items() if name not in new} == old
        assert (found["cause"], found["benchmarks"]) == ("unknown", 0)


class TestFinding:
    """A finding has the identity of its series where that is known, and its key in any case; never its own."""

    def test_known(self) -> None:
        about = document.finding_json(found("id1", 255, 3), {255: SERIES})
        assert (about["series"], about["benchmark_name"], about["index"]) == (SERIES.label, "read", 3)
        assert about["series_key"] == "00000000000000ff"
        assert "key" not in about

    def test_unknown(self) -> None:
        about = document.finding_json(found("id1", 255, 3), {})
        assert (about["series"], about["series_key"], about["id"]) == ("", "00000000000000ff", "id1")
        assert "key" not in about


class TestBaseline:
    """A baseline names its test bed as every other document does, and as earlier releases did."""

    def test_names(self) -> None:
        about = document.baseline_json(Baseline(key=5, name="main", commit=None, testbed_name="ci", set_at=1))
        assert (about["test_bed_name"], about["testbed_name"], about["name"]) == ("ci", "ci", "main")
        assert "key" not in about


class TestOldNames:
    """An old name has the value of the name it has now, and replaces nothing."""

    POINT: ClassVar = {"test_bed_name": "ci", "series": "read", "dut_version": "1.0", "commit_time": 5}

    def test_beside(self) -> None:
        both = document.with_old_names(self.POINT)
        assert both.items() >= self.POINT.items()
        assert {old: both[old] for old in document.OLD_NAMES} == {
            "testbed_name": "ci",
            "label": "read",
            "version": "1.0",
            "timestamp": 5,
        }

    def test_a_document_of_no_series(self) -> None:
        assert document.with_old_names({"commit_time": 5}) == {"commit_time": 5}

    def test_an_old_name_in_use(self) -> None:
        assert document.with_old_names({**self.POINT, "label": "mine"})["label"] == "mine"


class TestVersioned:
    """A document states its version, whatever it has under that name."""

    @pytest.mark.parametrize("given", [{}, {"a": 1}, {"schema_version": 99}])
    def test_version(self, given: dict[str, Any]) -> None:
        assert document.versioned(given) == {**given, "schema_version": document.DOCUMENT_VERSION}
