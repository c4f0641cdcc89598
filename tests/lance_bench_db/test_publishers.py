"""The publishers of lance-bench on this package: what they publish is what `bench-db publish` reads from the same file."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

import bench_db
from bench_db.errors import UserError
from bench_db.ingest import Provenance
from tests.compat import nights, upstream
from tests.ingest.support import criterion_line

if TYPE_CHECKING:
    from pathlib import Path

NOW = nights.commit_time(3) + 900
COMMIT_TIME = nights.commit_time(3)
HERE = {
    "node": platform.node(),
    "processor": platform.processor(),
    "machine": platform.machine(),
    "system": platform.system(),
    "release": platform.release(),
}


def upload(text: str, format_name: str, *, version: str) -> None:
    """Publish a file as a publisher of lance-bench does."""
    rows = upstream.rows(format_name, text, version=version, commit_time=COMMIT_TIME, now=NOW, bed=nights.BED)
    upstream.upload(rows)


def columns(result: bench_db.Result, format_name: str) -> dict[str, Any]:
    """Return the columns of a row, without what the publisher of the format drops: the time in a file, and the order of records."""
    lost = {"pytest-benchmark": "run_time", "values-ns": "run_time"}.get(format_name)
    kept = {f.name: getattr(result, f.name) for f in fields(bench_db.Result) if f.name != lost}
    return {**kept, "metadata": json.loads(result.metadata)} if format_name == "values-ns" else kept


@pytest.fixture
def commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A checkout of the device as the working directory, with a database beside it: its commit."""
    checkout = tmp_path / "lance"
    git("init", "-q", "-b", "main", checkout)
    (checkout / "Cargo.toml").write_text('[package]\nname = "lance"\nversion = "0.15.0"\n')
    git("-C", checkout, "add", ".")
    git("-C", checkout, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "begin")
    monkeypatch.setenv("LANCE_BENCH_URI", str(tmp_path / "db"))
    monkeypatch.chdir(checkout)
    for name in ("GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    return git("-C", checkout, "rev-parse", "HEAD")


def git(*arguments: str | Path) -> str:
    return subprocess.run(["git", *map(str, arguments)], check=True, capture_output=True, text=True).stdout.strip()


def output(format_name: str, commit: str) -> str:
    """Return a file that this machine measured at a commit."""
    text = nights.output(3)[format_name]
    if format_name != "pytest-benchmark":
        return text
    return json.dumps({**json.loads(text), "machine_info": HERE, "commit_info": {"id": commit, "branch": "main"}})


def stated(commit: str) -> Provenance:
    """Return the flags of the publisher."""
    return Provenance(
        dut_name="lance",
        dut_version=f"0.15.0+{commit[:7]}",
        dut_timestamp=COMMIT_TIME,
        test_bed_name=nights.BED,
        ingested_at=NOW,
    )


@pytest.mark.parametrize("format_name", sorted(upstream.PUBLISHERS))
class TestPublishers:
    """A raw file gives the same rows through a publisher and through `bench-db publish`."""

    def test_rows(self, tmp_path: Path, commit: str, format_name: str) -> None:
        text = output(format_name, commit)
        (tmp_path / "lance" / "raw").write_text(text)
        upload(text, format_name, version=f"0.15.0+{commit[:7]}")
        bench_db.publish(tmp_path / "own", "raw", format=format_name, provenance=stated(commit))
        shim, own = (bench_db.connect(tmp_path / store).results() for store in ("db", "own"))
        assert len(own) == {"values-ns": 3, "dbpedia": 1}.get(format_name, 3)
        assert {row.commit for row in own} == {commit}
        assert [columns(row, format_name) for row in shim] == [columns(row, format_name) for row in own]

    def test_again(self, tmp_path: Path, commit: str, format_name: str) -> None:
        text = output(format_name, commit)
        (tmp_path / "lance" / "raw").write_text(text)
        for _ in range(2):
            upload(text, format_name, version=f"0.15.0+{commit[:7]}")
        again = bench_db.publish(tmp_path / "db", "raw", format=format_name, provenance=stated(commit))
        assert (again.new, again.unchanged) == (0, len(bench_db.connect(tmp_path / "db").results()))


class TestAdd:
    """What a job knows is stored with the rows, and what cannot be read is named."""

    def test_the_job(self, tmp_path: Path, commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {"ACTIONS": "true", "RUN_ID": "77", "REPOSITORY": "lance-format/lance"}.items():
            monkeypatch.setenv(f"GITHUB_{name}", value)
        upload(output("criterion", commit), "criterion", version=f"0.15.0+{commit[:7]}")
        run = bench_db.connect(tmp_path / "db").runs().collect().row(0, named=True)
        assert (run["run_id"], run["repository"], run["format"]) == ("77", "lance-format/lance", "criterion")
        assert [c.subject for c in bench_db.commits(tmp_path / "db").commits] == ["begin"]

    def test_the_only_suite_of_the_project(self, tmp_path: Path, commit: str) -> None:
        configuration = '[project]\nname = "lance"\n[suite.rust]\nbenchmark = "x"\noutputs = ["o.json"]\n'
        (tmp_path / "lance" / "bench-db.toml").write_text(configuration)
        upload(output("criterion", commit), "criterion", version=f"0.15.0+{commit[:7]}")
        assert {row.suite for row in bench_db.connect(tmp_path / "db").results()} == {"rust"}

    def test_the_commit_of_a_file_as_the_version(self, tmp_path: Path, commit: str) -> None:
        upload(output("pytest-benchmark", commit), "pytest-benchmark", version=commit[:7])
        assert {row.commit for row in bench_db.connect(tmp_path / "db").results()} == {commit}

    def test_a_skipped_benchmark(self, tmp_path: Path, commit: str) -> None:
        good, other = upstream.criterion(criterion_line("a") + criterion_line("b"))
        bad = {**other, "metadata": json.dumps({**json.loads(other["metadata"]), "iteration_count": [0, 1]})}
        with pytest.warns(UserWarning, match="b: skipped, zero-iterations"):
            add(good, bad, version=commit[:7])
        assert [row.benchmark_name for row in bench_db.connect(tmp_path / "db").results()] == ["a"]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"metadata": json.dumps({"measured_values": [1.0], "iteration_count": [0]})}, "none of these 1 rows"),
            ({"metadata": "{}", "units": "furlongs"}, "unknown unit 'furlongs'"),
        ],
    )
    def test_refused(self, tmp_path: Path, commit: str, change: dict[str, str], said: str) -> None:
        (good,) = upstream.dbpedia(nights.output(3)["dbpedia"])
        with pytest.raises(UserError, match=said):
            add(good, {**good, **change}, version=commit[:7])
        assert bench_db.connect(tmp_path / "db").results() == []

    def test_another_machine(self, tmp_path: Path, commit: str) -> None:
        rows = upstream.rows(
            "criterion", criterion_line(), version=commit[:7], commit_time=COMMIT_TIME, now=NOW, bed="far"
        )
        far = {**rows[0]["test_bed"], "memory_gb": 4, "cpu": "aarch64"}
        upstream.upload([{**rows[0], "test_bed": far}])
        (row,) = bench_db.connect(tmp_path / "db").results()
        assert (row.test_bed.name, row.test_bed.cpu, row.test_bed.memory_gb) == ("far", "", 4)


def add(*rows: upstream.Row, version: str) -> None:
    """Add rows of a publisher that are not all of its output."""
    of_all = upstream.rows(
        "criterion", criterion_line(), version=version, commit_time=COMMIT_TIME, now=NOW, bed=nights.BED
    )[0]
    upstream.upload([{**of_all, **row} for row in rows])
