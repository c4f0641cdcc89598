"""The verdict use cases from Python: answers hold records, frames have every column, documents have old and new names."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, get_type_hints

import polars as pl
import pytest

import bench_db as api
from bench_db import Change, Comparison, Series, State, UserError, Verdict
from bench_db.model import Finding, Noise
from bench_db.store.database import Database, connect
from tests.cli.asking import AT, nine_commits, wobble
from tests.cli.kinds import publish, sha

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = set(get_type_hints(Series))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Nine quiet commits of f and a tenth on which it is slower."""
    made = nine_commits(tmp_path_factory.mktemp("verdicts") / "store")
    publish(made, 9, {"f": 150.0})
    return made


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A series with a step at commit 20, and a short one."""
    made = connect(tmp_path_factory.mktemp("stepped") / "store", create=True)
    for number in range(30):
        slower = {"f": wobble(number, 100.0 if number < 20 else 130.0)}
        publish(made, number, slower | ({"g": 5.0} if number < 3 else {}))
    return made


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
        assert set(frame.columns) >= IDENTITY | {"verdict", "effect", "low", "high", "p_value", "n_baseline", "note"}
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
        assert set(detected.frame().columns) >= IDENTITY | {"id", "commit", "index", "effect", "provisional"}
        (row,) = detected.document["findings"]
        assert row["series"] == "f"
        assert row["testbed_name"] == row["test_bed_name"] == "ci-1"
        assert row["state"] == "open"

    def test_a_frame_without_changes_has_the_columns(self, stepped: Database) -> None:
        assert set(api.detect(stepped, "g").frame().columns) == set(api.detect(stepped, "f").frame().columns)

    def test_nothing_measured(self, stepped: Database) -> None:
        with pytest.raises(UserError, match="no results of 'nothing'"):
            api.detect(stepped, "nothing")


class TestScan:
    """A scan counts what it tested, and stores nothing when it is dry."""

    def test_counts(self, stepped: Database) -> None:
        scanned = api.scan(stepped, dry_run=True)
        assert (scanned.changes, scanned.tested, scanned.too_short) == (1, 1, 1)
        assert stepped.findings() == []
        assert [row["series"] for row in scanned.document["findings"]] == ["f"]
        assert {"findings", "tested", "too_short", "expected_false", "movements"} == scanned.document.keys()

    def test_frame_has_datetimes_and_the_series(self, stepped: Database) -> None:
        frame = api.scan(stepped, dry_run=True, at=AT).frame()
        assert frame["at"].dt.epoch("s").to_list() == [AT]
        assert frame["benchmark_name"].to_list() == ["f"]


class TestNoise:
    """The noisiest series come first; those without a known spread last."""

    def test_order(self, stepped: Database) -> None:
        found = api.noise(stepped).noise
        assert all(isinstance(one, Noise) for one in found)
        assert [(one.series.benchmark_name, one.spread is None) for one in found] == [("f", False), ("g", True)]

    def test_frame_and_document(self, stepped: Database) -> None:
        answer = api.noise(stepped, benchmark="f")
        (row,) = answer.document["noise"]
        assert answer.frame()["smallest_effect"].to_list() == [row["smallest_effect"]]
        assert row["testbed_name"] == "ci-1"


class TestFindings:
    """People decide about findings; a later decision is the newest state."""

    def test_decisions(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        publish(store, 1, {"f": 1.0})
        (key,) = store.latest()["series_key"]
        numbers = {"effect": 0.1, "low": 0.0, "high": 0.2, "p_value": 0.01, "provisional": False}
        store.record_findings([Finding(id="abc", series_key=key, commit=sha(1), index=0, at=AT, **numbers)])  # type: ignore[arg-type]
        assert api.bless_finding(store, "a", note="larger cache", by="me").state is State.BLESSED
        assert [f.state for f in api.findings(store, states=["blessed"]).findings] == [State.BLESSED]
        assert api.ignore_finding(store, "abc").at == AT + 2
        assert api.reopen_finding(store, "abc").state is State.REOPENED
        answer = api.findings(store)
        assert [row["state"] for row in answer.document["findings"]] == ["reopened"]
        assert answer.frame()["benchmark_name"].to_list() == ["f"]
        assert api.findings(store, states=["open"]).frame().is_empty()

    def test_unknown(self, store: Database) -> None:
        with pytest.raises(UserError, match="no finding with an id that begins with 'x'"):
            api.bless_finding(store, "x")
        with pytest.raises(UserError, match="`states`: 'opened' is no state"):
            api.findings(store, states=["opened"])


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
