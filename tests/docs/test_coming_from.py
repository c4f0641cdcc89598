"""docs/how-to/coming-from.md: its imports work on files that the other tools wrote."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bench_db as api
from tests.cli.commands import bench_db
from tests.compat import nights
from tests.repository.tree import ROOT
from tests.support.histories import History
from tests.support.postgres_server import PASSWORD

if TYPE_CHECKING:
    from tests.support.postgres_server import Postgres

PAGE = (ROOT / "docs/how-to/coming-from.md").read_text("utf-8")
DATA = ROOT / "tests/data"
SECTIONS = dict(re.findall(r"^## Come from ([\w-]+).*?\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make a directory with what a user of each tool has."""
    shutil.copytree(DATA / "asv/0.6.6/results", tmp_path / "results")
    shutil.copy(DATA / "github-action-benchmark-history/data.js", tmp_path)
    shutil.copy(DATA / "otava/history.csv", tmp_path)
    return tmp_path


class TestComingFrom:
    """Each import adds the history once."""

    @pytest.mark.slow
    @pytest.mark.parametrize("tool", ["calibrax", "metalab", "mltraq", "InferenceX"])
    def test_examples(self, tmp_path: Path, tool: str, postgres: Postgres) -> None:
        """The examples in Python print what the page shows, one after another in one directory."""
        if tool == "metalab":
            postgres.run("CREATE DATABASE metalab TEMPLATE template0")
        examples, shown = (
            re.findall(rf"^```{kind}\n(.*?)^```", SECTIONS[tool], re.MULTILINE | re.DOTALL)
            for kind in ("python", "text")
        )
        environment = {**os.environ, "PGPORT": str(postgres.port), "PGPASSWORD": PASSWORD}
        for example, text in zip(examples, shown, strict=True):
            done = subprocess.run(
                [sys.executable, "-c", example],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout == text

    def test_a_store_of_calibrax(self, tmp_path: Path) -> None:
        """Each command of the page works on a store that calibrax wrote, and its export adds nothing."""
        shutil.copytree(DATA / "calibrax/0.1.1", tmp_path / "benchmark-data")
        imported, *others = re.findall(r"^bench-db [^#\n]+", SECTIONS["calibrax"], re.MULTILINE)
        lines = (imported, *others, imported.replace("benchmark-data/", "benchmark-data-again/"))
        done = [bench_db(*shlex.split(line)[1:], "--store", "store", cwd=tmp_path) for line in lines]
        assert [one.returncode for one in done] == [0] * 9, [one.stderr for one in done]
        _, shown, baseline, checked, trend, summary, table, exported, again = (one.stdout for one in done)
        assert re.search(r"^run id +a1b2c3d4e5f6$", shown, re.MULTILINE)
        assert baseline.startswith("main is run:")
        assert "1a2b3c4d5 against main (run:" in checked
        assert "train: forward latency {batch=32,framework=flax}" in trend
        assert "21.50 ms" in trend
        assert summary.count("{framework=torch}") == 1
        assert "test: eval accuracy \\{framework=torch\\} & 1a2b3c4d5" in table
        assert "baselines/main.json" in exported
        assert re.search(r"\b0 new", again)

    def test_the_way_back_to_asv(self, place: Path) -> None:
        """The export has every result that was imported."""
        lines = re.findall(r"^bench-db [^#\n]+", SECTIONS["asv"], re.MULTILINE)
        [exported] = (line for line in lines if " export " in line)
        done = [
            bench_db(*shlex.split(line)[1:], "--store", "store", cwd=place)
            for line in (lines[0], exported, lines[0].replace("results/", "asv-site/results/"))
        ]
        assert [one.returncode for one in done] == [0] * 3, [one.stderr for one in done]
        assert re.search(r"\b0 new", done[-1].stdout)

    @pytest.mark.parametrize(
        ("tool", "new"), [("asv", "8 new, 4 failed"), ("github-action-benchmark", "new"), ("Apache", "5 runs: 8 new")]
    )
    def test_import(self, place: Path, tool: str, new: str) -> None:
        lines = re.findall(r"^(bench-db publish [^#\n]+)", SECTIONS[tool], re.MULTILINE)
        assert lines
        for number, line in enumerate(lines):
            done = bench_db(*shlex.split(line)[1:], "--store", "store", cwd=place)
            assert done.returncode == 0, done.stderr
            assert new in done.stdout or number
        again = bench_db(*shlex.split(lines[0])[1:], "--store", "store", cwd=place)
        assert re.search(r"\b0 new", again.stdout)


CARGO = """#!/bin/sh
[ "$1" = install ] && exit 0
echo '{"reason":"group-complete","group_name":"g","benchmarks":[],"report_directory":"r"}'
echo '{"reason":"benchmark-complete","id":"decode","unit":"ns","throughput":[],"iteration_count":[1,2],"measured_values":[10,24],"typical":{"estimate":11,"lower_bound":10,"upper_bound":12,"unit":"ns"}}'
"""
BENCH = """def test_sum(benchmark):
    benchmark.pedantic(sum, args=(range(99),), rounds=5)
"""


class TestComingFromLanceBench:
    """The section is followed from top to bottom, on a database that the publishers of lance-bench filled."""

    @pytest.mark.slow
    def test_every_command_and_the_example(self, tmp_path: Path) -> None:
        nights.measure_with_lance_bench(tmp_path / "database", 7)
        for name in ("docs", "scripts"):
            (tmp_path / name).symlink_to(ROOT / name)
        for path, text in {"bin/cargo": CARGO, "benchmarks/test_sum.py": BENCH, "lance-bench/pytest.ini": ""}.items():
            (tmp_path / path).parent.mkdir()
            (tmp_path / path).write_text(text)
        (tmp_path / "bin/cargo").chmod(0o755)
        lance = History(tmp_path / "lance")
        (tmp_path / "lance/rust/lance-io").mkdir(parents=True)
        (tmp_path / "lance/rust/lance-io/Cargo.toml").write_text("[package]\nversion = '1.2.3'\n")
        commits = [lance.commit(f"change {number}", n=str(number)) for number in range(3)]
        blocks = re.findall(r"^```bash\n(.*?)^```", SECTIONS["lance-bench"], re.MULTILINE | re.DOTALL)
        script = "set -eux\n" + "".join(blocks).replace("s3://lance-bench-results", "database")
        script = script.replace("uv run python ", f"{sys.executable} ")
        path = os.pathsep.join([str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {"PATH": path, "HOME": str(tmp_path), "LANCE_BENCH_URI": "database"}

        def executed(*words: str) -> str:
            done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout

        out = executed("bash", "-c", script)
        assert "Report written to regression_report.html" in out
        store = api.connect(tmp_path / "database")
        published = {(r.suite, r.benchmark_name) for r in store.results() if r.dut.version == "0.15.0+abc1234"}
        names = {"rust": "decode", "python": "benchmarks/test_sum.py::test_sum"}
        assert published == {
            (suite, name) for name in names.values() for suite in ("", *names) if names.get(suite, name) == name
        }
        assert {suite: set(store.trend(name, suite=suite)["dut_version"]) for suite, name in names.items()} == {
            suite: {"0.15.0+abc1234"} for suite in names
        }  # the scripts state no suite, and their rows are in these series
        measured = [r for r in store.results() if r.suite == "rust/lance-io"]
        assert {(r.commit, r.benchmark_name, *r.values) for r in measured} == {
            (commit, "decode", 10.0, 12.0) for commit in commits[1:]
        }
        [example] = re.findall(r"^```python\n(.*?)^```", SECTIONS["lance-bench"], re.MULTILINE | re.DOTALL)
        [shown] = re.findall(r"^```text\n(.*?)^```", SECTIONS["lance-bench"], re.MULTILINE | re.DOTALL)
        assert executed(sys.executable, "-c", example) == shown
