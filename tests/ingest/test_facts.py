from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UserError
from bench_db.ingest import FactsFrom, Provenance
from tests.ingest.support import pytest_benchmark, pytest_file, read

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.model import Run

SHA = "ab" * 20


def publish(path: Path, facts: FactsFrom, provenance: Provenance | None = None, **top: Any) -> Run:
    """Return the run of a file with further fields, whose facts are where `facts` says."""
    stated = provenance or Provenance(facts_from=facts, ingested_at=1)
    return read(path, pytest_file(pytest_benchmark(), **top), stated)[0]


class TestFactsFrom:
    """Each file gives its own commit, branch and commit time; a flag for all files precedes them."""

    def test_name(self, tmp_path: Path) -> None:
        facts = FactsFrom(
            commit=r"_([0-9a-f]{40})[.]json", branch=r"^([a-z]+)_", dut_timestamp=r"_(\d{4}-\d{2}-\d{2})_"
        )
        run = publish(tmp_path / f"dev_2026-01-31_{SHA}.json", facts)
        assert (run.commit, run.branch, run.dut.timestamp) == (SHA, "dev", 1769817600)

    def test_json(self, tmp_path: Path) -> None:
        facts = FactsFrom(commit='$.build["git sha"]', branch="$.build.refs[1]", dut_timestamp="$.build.time")
        build = {"git sha": SHA, "refs": ["x", "dev"], "time": 1_700_000_000}
        run = publish(tmp_path / "f.json", facts, build=build)
        assert (run.commit, run.branch, run.dut.timestamp) == (SHA, "dev", 1_700_000_000)

    def test_stated_for_all_files(self, tmp_path: Path) -> None:
        facts = FactsFrom(commit="(nothing)", branch="(nothing)", dut_timestamp="(nothing)")
        stated = Provenance(facts_from=facts, commit=SHA, branch="main", dut_timestamp=5, ingested_at=1)
        run = publish(tmp_path / "f.json", facts, stated)
        assert (run.commit, run.branch, run.dut.timestamp) == (SHA, "main", 5)

    @pytest.mark.parametrize("where", ["-([0-9a-f]+)[.]json", "$.none", "$.commit_info[0]", "$.version.x", "$x"])
    def test_nothing_is_found(self, tmp_path: Path, where: str) -> None:
        with pytest.raises(UserError, match=r"^f.json: `commit_from` .* finds nothing in the (JSON|name) of this file"):
            publish(tmp_path / "f.json", FactsFrom(commit=where))

    @pytest.mark.parametrize(("where", "reason"), [("(", "not a regular expression"), ("f", "has 0 groups")])
    def test_pattern_that_cannot_find_a_fact(self, tmp_path: Path, where: str, reason: str) -> None:
        with pytest.raises(UserError, match=reason):
            publish(tmp_path / "f.json", FactsFrom(branch=where))

    @pytest.mark.parametrize(
        ("facts", "reason"),
        [
            (FactsFrom(dut_timestamp="(f)"), "`dut_timestamp_from` .* finds 'f', which is not a time"),
            (FactsFrom(dut_timestamp="$.far"), "`dut_timestamp` 4102444800: .* is more than a year from now"),
            (FactsFrom(commit="(f)[.]"), "`commit` f: not a full sha"),
        ],
    )
    def test_facts_are_checked_as_flags_are(self, tmp_path: Path, facts: FactsFrom, reason: str) -> None:
        with pytest.raises(UserError, match=reason):
            publish(tmp_path / "f.json", facts, far=4102444800)


class TestGoogleBenchmark:
    """The context keys that projects add by convention give commit, time and branch."""

    def test_context(self, tmp_path: Path) -> None:
        context = {"GIT_COMMIT_HASH": SHA, "GIT_COMMIT_DATE": "2026-01-31 12:00:00 +0100", "GIT_BRANCH": "dev"}
        row = {
            "name": "b",
            "run_type": "iteration",
            "iterations": 1,
            "real_time": 1.0,
            "cpu_time": 1.0,
            "time_unit": "ns",
        }
        document = json.dumps({"context": context, "benchmarks": [row]})
        run, _ = read(tmp_path / "f.json", document, Provenance(ingested_at=1))
        assert (run.commit, run.branch, run.dut.timestamp) == (SHA, "dev", 1769857200)
