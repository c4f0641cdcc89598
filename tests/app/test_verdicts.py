"""The verdict use cases from Python: answers hold records, frames have every column, documents have old and new names."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, get_type_hints

import polars as pl
import pytest

import bench_db as api
from bench_db import Change, Series, UserError
from tests.cli.asking import AT
from tests.cli.kinds import sha

if TYPE_CHECKING:
    from bench_db.store.database import Database


class TestDetect:
    """Changes name their series and commit, and have the id that a scan gives them."""

    def test_changes(self, stepped: Database) -> None:
        detected = api.detect(stepped, "f")
        (change,) = detected.changes
        assert isinstance(change, Change)
        assert (change.commit, change.index, change.series.benchmark_name) == (sha(20), 20, "f")
        (finding,) = api.scan(stepped, dry_run=True).findings
        assert (finding.id, finding.series_key) == (change.id, change.series.series_key)

    def test_frame_and_document(self, stepped: Database) -> None:
        detected = api.detect(stepped, "f", profile="strict")
        assert set(detected.frame().columns) >= set(get_type_hints(Series)) | {
            "id",
            "commit",
            "index",
            "effect",
            "provisional",
        }
        (row,) = detected.document["findings"]
        assert row["series"] == "f"
        assert row["testbed_name"] == row["test_bed_name"] == "ci-1"
        assert row["state"] == "open"

    def test_a_frame_without_changes_has_the_columns(self, stepped: Database) -> None:
        assert set(api.detect(stepped, "g").frame().columns) == set(api.detect(stepped, "f").frame().columns)

    def test_nothing_measured(self, stepped: Database) -> None:
        with pytest.raises(UserError, match="no results of 'nothing'"):
            api.detect(stepped, "nothing")


class TestBaselines:
    """A baseline has a scope; the narrowest setting is used, and clearing keeps the history."""

    def test_life(self, store: Database) -> None:
        assert api.set_baseline(store, "main", sha(3), at=AT, by="me").commit == sha(3)
        api.set_baseline(store, "main", test_bed_name="ci-1", at=AT)
        assert {b.testbed_name: b.commit for b in api.baselines(store, "main").baselines} == {
            None: sha(3),
            "ci-1": sha(9),
        }
        assert api.baseline(store, "main", test_bed_name="ci-1").commit == sha(9)
        api.clear_baseline(store, "main", at=AT)
        assert api.baseline(store, "main").commit == sha(9)
        api.set_baseline(store, "main", sha(4), branch="main", at=AT)
        with pytest.raises(UserError, match="name one of these scopes"):
            api.baseline(store, "main")

    def test_clearing(self, store: Database) -> None:
        api.set_baseline(store, "old", sha(2), at=AT)
        api.clear_baseline(store, "old", at=AT)
        with pytest.raises(UserError, match="there is no baseline 'old'"):
            api.baseline(store, "old")
        history = api.baselines(store, "old", history=True)
        assert [b.commit for b in history.baselines] == [sha(2), None]
        assert history.document["baselines"][0]["test_bed_name"] is None
        assert history.frame()["set_at"].dtype == pl.Datetime(time_zone="UTC")

    def test_no_results_there(self, store: Database) -> None:
        with pytest.raises(UserError, match="no results of this device and test bed"):
            api.set_baseline(store, "main", test_bed_name="elsewhere")


class TestImport:
    """Calling a verdict from Python loads neither click nor rich."""

    def test_importtime(self) -> None:
        ask = "import bench_db; bench_db.compare; bench_db.scan; bench_db.noise; bench_db.findings; bench_db.baselines"
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", ask], capture_output=True, text=True, check=True
        )
        loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
        assert {"polars", "bench_db"} <= loaded
        assert loaded & {"click", "rich"} == set()
