from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bench_db as api
from bench_db.model import Definition, LastScan
from bench_db.rules import RULES
from bench_db.store.database import connect
from tests.cli.asking import AT, wobble
from tests.cli.kinds import entry, publish, publish_all, sha

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database


def filled(directory: Path, commits: int = RULES.detection_runs + 2) -> Database:
    """Return a store with a quiet series of many commits, and one of three."""
    store = connect(directory, create=True)
    publish_all(store, [entry(n, {"f": wobble(n, 100.0)} | ({"g": 5.0} if n < 3 else {})) for n in range(commits)])
    return store


def publish_version(store: Database, number: int, version: str) -> None:
    """Publish a run of the commit of a number by another build, as of a second package of the repository."""
    run, results, *_ = entry(number, {"f": 100.0}, suite="other")
    dut = replace(run.dut, version=version)
    store.publish([replace(result, dut=dut) for result in results], replace(run, dut=dut))


def only(store: Database, **asked: Any) -> LastScan:
    [one] = api.last_scans(store, **asked)
    return one


class TestLastScans:
    """A scan is recorded whether it finds something or not, with what it read and judged."""

    def test_never(self, tmp_path: Path) -> None:
        assert api.last_scans(connect(tmp_path / "empty", create=True)) == []
        one = only(filled(tmp_path / "store"))
        assert (one.scan, one.commits_since, one.runs_since, one.late_runs) == (None, None, None, None)
        assert not one.is_current

    def test_an_empty_scan(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        assert api.scan(store, at=AT).findings == []
        one = only(store)
        assert one.scan is not None
        expected = {
            "dut_name": one.dut_name,
            "commit": sha(RULES.detection_runs + 1),
            "dut_version": "",
            "runs": RULES.detection_runs + 2,
            "store_version": store.version,
            "judged": 1,
            "too_short": 1,
            "profile": "default",
            "rate": RULES.false_discovery_rate,
            "part": "",
            "at": AT,
        }
        assert {name: getattr(one.scan, name) for name in expected} == expected
        assert (one.commits_since, one.runs_since, one.is_current) == (0, 0, True)

    def test_a_scan_that_judged_nothing_is_not_current(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store", 3)
        api.scan(store)
        one = only(store)
        assert one.scan is not None
        assert (one.scan.judged, one.scan.too_short, one.commits_since, one.is_current) == (0, 2, 0, False)

    def test_results_after_it(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        api.scan(store)
        for number in (30, 31, 32):
            publish(store, number, {"f": 100.0})
        one = only(store)
        assert (one.commits_since, one.runs_since, one.late_runs, one.is_current) == (3, 3, 0, False)
        api.scan(store)
        assert only(store).is_current

    def test_results_of_earlier_commits(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        api.scan(store)
        publish(store, 1, {"late": 1.0})
        one = only(store)
        assert (one.commits_since, one.runs_since, one.late_runs, one.is_current) == (0, 1, 1, False)
        for number, suite in ((30, ""), (30, "other"), (2, "other")):
            publish(store, number, {"late": 1.0}, suite=suite)
        one = only(store)
        assert (one.commits_since, one.runs_since, one.late_runs) == (1, 4, 2)

    def test_two_versions_of_a_commit(self, tmp_path: Path) -> None:
        """They are one measured commit: a scan that read both is current, and behind by commits."""
        store = filled(tmp_path / "store")
        for number in (0, 1, RULES.detection_runs + 1):
            publish_version(store, number, "2")
        api.scan(store)
        assert (only(store).commits_since, only(store).is_current) == (0, True)
        for number in (30, 31):
            publish(store, number, {"f": 100.0})
            publish_version(store, number, "2")
        assert (only(store).commits_since, only(store).runs_since) == (2, 4)

    def test_a_commit_that_is_gone(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        api.scan(store)
        newest = store.runs_of(sha(RULES.detection_runs + 1))
        store.exclude(newest, reason="noise", lifted=False, at=AT, by="me")
        one = only(store)
        assert (one.commits_since, one.runs_since, one.late_runs, one.is_current) == (None, 0, None, False)

    def test_nothing_is_recorded_of_what_is_not_stored(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        api.scan(store, dry_run=True)
        api.scan(store, everything=True)
        assert store.scans() == []

    def test_a_part_is_recorded_and_is_no_scan_of_the_device(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        api.scan(store, benchmark="f", metric="time")
        assert [record.part for record in store.scans()] == ["benchmark=f, metric=time"]
        assert only(store).scan is None
        api.scan(store, dut_name=store.latest()["dut_name"][0])
        assert only(store).is_current

    def test_each_device(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        api.scan(store)
        publish(store, 1, {"f": 1.0}, dut_name="other")
        mine, other = sorted(api.last_scans(store), key=lambda one: one.scan is None)
        assert (mine.is_current, other.dut_name, other.scan) == (True, "other", None)

    def test_a_device_with_an_alias(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        name = store.latest()["dut_name"][0]
        store.define([Definition(kind="alias", field="dut", pattern=name, value="engine", at=AT)])
        api.scan(store)
        one = only(store)
        assert (one.dut_name, one.is_current) == ("engine", True)

    def test_as_of(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        api.scan(store, at=AT)
        before = store.version
        publish(store, 30, {"f": 100.0})
        assert only(store).scan is not None
        assert only(store, as_of=before).scan is None  # AT is after the version

    def test_the_same_scan_is_recorded_once(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        for _ in range(2):
            api.scan(store, at=AT)
        [record] = store.scans()
        store.record_scans([record, replace(record, at=AT + 1)])
        assert [one.at for one in store.scans()] == [AT, AT + 1]

    def test_in_answers(self, tmp_path: Path) -> None:
        store = filled(tmp_path / "store")
        api.scan(store, at=AT)
        publish(store, 30, {"f": 100.0})
        [in_findings] = api.findings(store).document["scans"]
        [in_show] = api.show(store, sha(30), clone=tmp_path).document["scans"]
        assert in_findings == in_show
        assert (in_show["commits_since"], in_show["scan"]["judged"]) == (1, 1)
        assert "key" not in in_show["scan"]
