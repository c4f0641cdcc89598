"""Flags, messages and exit codes of the publishing scripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

import bench_db

pytestmark = pytest.mark.sample(1)

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data"
BUILD = ("--dut-version", "0.15.0+abc1234", "--dut-timestamp", "1702345678")


def run(script: str, *arguments: object, store: Path, **job: str) -> subprocess.CompletedProcess[str]:
    """Run one script in a process that publishes to `store`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BENCH_DB", "LANCE"))}
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / f"{script}.py", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**kept, "LANCE_BENCH_URI": str(store), **job},
        check=False,
        timeout=120,
    )


class TestPublished:
    """Each script publishes its own format, and a second run adds nothing."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("script", "file", "dut"),
        [
            ("publish_pytest", "pytest-benchmark/5.3.1/with_raw_data.json", "lance"),
            ("publish_fts_index", "values-ns", "lance"),
            ("publish_fts_index_postgres", "values-ns", "postgres"),
            ("publish_dbpedia", "dbpedia", "lance"),
        ],
    )
    def test_twice(self, tmp_path: Path, script: str, file: str, dut: str) -> None:
        path = DATA / file
        if path.is_dir():
            path = next(
                found
                for found in sorted(path.rglob("*"))
                if found.suffix in {".json", ".txt"} and "golden" not in found.name
            )
        found = {self._publish(script, path, tmp_path / "s") for _ in range(2)}
        results = bench_db.connect(tmp_path / "s").results()
        assert found == {f"Found {len(results)} benchmark results"}
        assert {(r.dut.name, r.dut.version, r.dut.timestamp, r.test_bed.name) for r in results} == {
            (dut, "0.15.0+abc1234", 1702345678, "ci")
        }

    def _publish(self, script: str, path: Path, store: Path) -> str:
        done = run(script, path, "--test-bed-name", "ci", *BUILD, store=store)
        assert done.returncode == 0, done.stderr
        parsing, found, uploading, uploaded = done.stdout.splitlines()
        assert parsing.startswith("Parsing ")
        assert uploading == f"Uploading results to LanceDB at {store}..."
        assert uploaded.startswith("Successfully uploaded ")
        return found

    @pytest.mark.slow
    def test_criterion_of_a_device_on_a_test_bed(self, tmp_path: Path) -> None:
        """The command of lance-bench's README: totals become times of an iteration, under the names that are given."""
        line: dict[str, object] = {"reason": "benchmark-complete", "id": "decode", "unit": "ns", "throughput": []}
        line |= {
            "iteration_count": [1, 2],
            "measured_values": [10, 24],
            "typical": {"estimate": 11, "lower_bound": 10, "upper_bound": 12, "unit": "ns"},
        }
        output = tmp_path / "criterion-output.json"
        output.write_text(json.dumps({"reason": "group-complete"}) + "\n" + json.dumps(line) + "\n")
        words = ("--testbed-name", "my-machine", "--dut-name", "lance", *BUILD)
        for _ in range(2):
            done = run("publish_criterion", output, *words, store=tmp_path / "s")
            assert (done.returncode, done.stdout.splitlines()[1]) == (0, "Found 1 benchmark results"), done.stderr
        [result] = bench_db.connect(tmp_path / "s").results()
        assert (result.benchmark_name, list(result.values), result.units) == ("decode", [10.0, 12.0], "nanoseconds")
        assert result.summary is not None
        assert (result.summary.min, result.summary.mean, result.summary.max) == (10.0, 11.0, 12.0)
        assert (result.dut.name, result.dut.version, result.dut.timestamp) == ("lance", "0.15.0+abc1234", 1702345678)
        assert result.test_bed.name == "my-machine"

    def test_the_job(self, tmp_path: Path) -> None:
        job = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_REF": "refs/pull/5/merge"}
        done = run("publish_dbpedia", DATA / "dbpedia/output.txt", *BUILD, store=tmp_path, **job)
        assert done.returncode == 0, done.stderr
        stored = bench_db.connect(tmp_path).store.runs().collect().row(0, named=True)
        assert (stored["run_id"], stored["commit"]) == ("77", "abc1234")

    @pytest.mark.slow
    def test_pytest_takes_the_build_from_the_file(self, tmp_path: Path) -> None:
        done = run("publish_pytest", DATA / "pytest-benchmark/5.3.1/with_raw_data.json", store=tmp_path)
        assert done.returncode == 0
        result = bench_db.connect(tmp_path).results()[0]
        assert result.commit is not None
        assert result.dut.version == result.commit[:7]
        made = json.loads((DATA / "pytest-benchmark/5.3.1/with_raw_data.json").read_text())["commit_info"]["time"]
        assert result.dut.timestamp == datetime.fromisoformat(made).timestamp()

    def test_pytest_takes_the_build_from_flags(self, tmp_path: Path) -> None:
        """Of a file that has none, and before that of the file."""
        for file in ("outside_git.json", "with_raw_data.json"):
            store = tmp_path / file
            done = run("publish_pytest", DATA / "pytest-benchmark/5.3.1" / file, *BUILD, store=store)
            assert done.returncode == 0, done.stderr
            [build] = {result.dut for result in bench_db.connect(store).results()}
            assert (build.version, build.timestamp) == ("0.15.0+abc1234", 1702345678)


class TestRefused:
    """An input that cannot be published creates no store."""

    def test_no_such_file(self, tmp_path: Path) -> None:
        done = run("publish_criterion", tmp_path / "none.json", *BUILD, store=tmp_path / "s")
        assert (done.returncode, done.stderr) == (1, f"Error: File not found: {tmp_path / 'none.json'}\n")

    @pytest.mark.parametrize("missing", ["--dut-version", "--dut-timestamp"])
    def test_required_flags(self, tmp_path: Path, missing: str) -> None:
        place = BUILD.index(missing)
        words = BUILD[:place] + BUILD[place + 2 :]
        done = run("publish_criterion", tmp_path / "none.json", *words, store=tmp_path / "s")
        assert done.returncode == 2
        assert missing in done.stderr
        assert not (tmp_path / "s").exists()

    def test_undeterminable_version(self, tmp_path: Path) -> None:
        done = run("publish_pytest", DATA / "pytest-benchmark/5.3.1/outside_git.json", store=tmp_path / "s")
        assert done.returncode == 1
        assert "DUT version could not be determined" in done.stderr
        assert not (tmp_path / "s").exists()

    def test_another_format(self, tmp_path: Path) -> None:
        done = run("publish_dbpedia", DATA / "pytest-benchmark/5.3.1/with_raw_data.json", *BUILD, store=tmp_path / "s")
        assert done.returncode == 1
        assert not (tmp_path / "s").exists()
