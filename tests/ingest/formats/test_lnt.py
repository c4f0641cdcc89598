from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Provenance, parse
from tests.ingest.support import FIXED, read

if TYPE_CHECKING:
    from pathlib import Path


def lnt_test(name: str = "a", **metrics: Any) -> dict[str, Any]:
    return {"name": name, **(metrics or {"execution_time": 2})}


def lnt_report(*tests: Any, **run: Any) -> str:
    machine = {"name": "m", "hardware": "h"}
    return json.dumps({"format_version": "2", "machine": machine, "run": run, "tests": tests or [lnt_test()]})


class TestDetection:
    """A report without a version is of version 2, as in LNT."""

    def test_without_a_version(self, tmp_path: Path) -> None:
        document = json.loads(lnt_report())
        del document["format_version"]
        run, [result] = read(tmp_path / "f", json.dumps(document))
        assert (run.format, list(result.values)) == ("lnt", [2e9])

    def test_tests_of_a_machine_without_a_run_are_no_report(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="is in no format"):
            read(tmp_path / "f", '{"machine": {}, "tests": [{"name": "a"}]}')


class TestReading:
    """A metric of the schemas of LNT has unit and direction; others have neither; a hash is not a metric."""

    @pytest.mark.parametrize(
        ("key", "metric", "units", "direction", "factor"),
        [
            ("execution_time", "time", "nanoseconds", "lower", 1e9),
            ("compile_time", "compile-time", "nanoseconds", "lower", 1e9),
            ("sys_time", "system-time", "nanoseconds", "lower", 1e9),
            ("mem_bytes", "memory", "bytes", "lower", 1),
            ("score", "score", "count", "higher", 1),
            ("widgets", "widgets", "count", "info", 1),
        ],
    )
    def test_metrics(  # noqa: PLR0917 a column each
        self, tmp_path: Path, key: str, metric: str, units: str, direction: str, factor: float
    ) -> None:
        record = lnt_test(hash="x", note="y") | {key: [1, 2.5]}
        _, [result] = read(tmp_path / "f", lnt_report(record))
        assert (result.metric, result.units, str(result.direction)) == (metric, units, direction)
        assert list(result.values) == [factor, 2.5 * factor]
        assert json.loads(result.metadata) == {"name": "a", "hash": "x", "note": "y"}

    @pytest.mark.parametrize(
        ("revision", "commit", "version"),
        [
            ("265649", None, "265649"),
            ("r2656490", None, "r2656490"),
            ("a" * 40, "a" * 40, "aaaaaaa"),
            ("", None, "unknown"),
        ],
    )
    def test_build(self, tmp_path: Path, revision: str, commit: str | None, version: str) -> None:
        report = lnt_report(llvm_project_revision=revision, start_time="2017-07-18T11:28:33.00000")
        run, _ = read(tmp_path / "f", report, Provenance(ingested_at=1, dut_name="elsewhere"))
        assert (run.commit, run.dut.version, run.run_time) == (commit, version, 1500377313)
        assert (run.test_bed.name, run.test_bed.cpu) == ("m", "h")

    @pytest.mark.parametrize(("status", "errors"), [(0, []), (2, []), ([0, 1], ["execution_status is 1: it failed"])])
    def test_status(self, tmp_path: Path, status: Any, errors: list[str]) -> None:
        _, results = read(tmp_path / "f", lnt_report(lnt_test(execution_status=status), lnt_test("b")))
        assert [(r.benchmark_name, r.metric, r.error) for r in results if r.error] == [("a", "time", e) for e in errors]
        assert len(results) == 1 + len(errors)


class TestSkips:
    """An invalid metric is skipped, counted and named; the others are stored."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (lnt_test(""), "no-name"),
            ({"execution_time": 1}, "no-name"),
            (lnt_test("bad", execution_time="1"), "not-a-number"),
            (lnt_test("bad", execution_time=[1, None]), "not-a-number"),
            (lnt_test("bad", execution_time=float("nan")), "not-finite"),
            (lnt_test("bad", execution_time=-1), "negative-time"),
            (lnt_test("bad", execution_time=[]), "no-statistics"),
            (lnt_test("bad", widgets=True), "not-a-number"),
            (5, "wrong-type"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", lnt_report(lnt_test("before"), bad, lnt_test("after")))
        assert [r.benchmark_name for r in results] == ["before", "after"]
        assert run.skipped == {reason: 1}

    @pytest.mark.parametrize("text", ['{"tests": []}', '{"Tests": []}', "{}"])
    def test_no_test(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "f").write_text(text)
        with pytest.raises(UnreadableOutputError, match=r"contains no benchmark|has no list"):
            parse(tmp_path / "f", "lnt", provenance=FIXED)
