from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_type_hints

import pytest

import bench_db as api
from bench_db import Comparison, Series, UserError, Verdict
from tests.cli.kinds import sha

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database


class TestCompare:
    """A comparison answers with records, whose numbers are in the frame and in the document."""

    def test_records(self, store: Database) -> None:
        compared = api.compare(store)
        (one,) = compared.comparisons
        assert isinstance(one, Comparison)
        assert (one.series.benchmark_name, one.series.test_bed_name, one.verdict) == ("f", "ci-1", Verdict.REGRESSED)
        assert (compared.candidate, compared.counts) == (sha(9), {"regressed": 1})
        assert one.candidate_median == 150.0

    def test_conditions_are_keyword_arguments(self, store: Database) -> None:
        assert len(api.compare(store, benchmark="f*", test_bed_name="ci-1", branch="main").comparisons) == 1
        with pytest.raises(UserError, match="no result of any commit"):
            api.compare(store, test_bed_name="another")

    def test_frame(self, store: Database) -> None:
        compared = api.compare(store)
        frame = compared.frame()
        assert set(frame.columns) >= set(get_type_hints(Series)) | {
            "verdict",
            "effect",
            "low",
            "high",
            "p_value",
            "n_baseline",
            "note",
        }
        assert frame.row(0, named=True)["effect"] == compared.comparisons[0].effect

    def test_document_has_the_names_of_the_frame_and_those_of_earlier_releases(self, store: Database) -> None:
        compared = api.compare(store)
        (row,) = json.loads(json.dumps(compared.document, allow_nan=False))["comparisons"]
        assert row.keys() >= {*compared.frame().columns, "series"}
        assert (row["testbed_name"], row["label"]) == (row["test_bed_name"], row["series"])
        assert row["series_key"] == f"{compared.comparisons[0].series.series_key:016x}"

    def test_min_effect_in_percent(self, store: Database) -> None:
        assert api.compare(store, min_effect=60).counts == {"unchanged": 1}

    @pytest.mark.parametrize("what", ["nothing", "merge-base:main"])
    def test_errors_name_the_parameter(self, store: Database, what: str, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=f"^`baseline` {what}: "):
            api.compare(store, baseline=what, clone=tmp_path)

    def test_what_check_cannot_fail_on(self, store: Database) -> None:
        with pytest.raises(UserError, match="`fail_on`: 'slow' is no verdict to fail on; it takes regression, failed"):
            api.check(store, baseline="level", fail_on=["slow"])
