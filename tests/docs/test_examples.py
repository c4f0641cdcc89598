from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.schedule.config import parse
from tests.cli.commands import bench_db, document
from tests.repository.tree import ROOT
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path

LANCE = ROOT / "docs/examples/lance/bench-db.toml"
CRATES = ["rust/lance-io", "rust/lance-linalg", "rust/lance-encoding"]
SUITES = [*CRATES, "python", "fts-index"]
CARGO = """#!/bin/sh
if [ "$1" = install ]; then exit 0; fi
case "$*" in
  *train_fts_index*) echo '{"results": [{"benchmark_name": "fts", "values_ns": [7, 9]}]}' > fts-index-results.json ;;
  *) echo '{"reason":"benchmark-complete","id":"decode","unit":"ns","throughput":[],"iteration_count":[1,2],"measured_values":[10,20],"typical":{"estimate":10,"lower_bound":9,"upper_bound":11,"unit":"ns"}}' ;;
esac
"""


@pytest.fixture
def lance(tmp_path: Path) -> tuple[Path, list[str]]:
    """Return a directory with the file and a clone shaped as Lance, and the shas of its two commits."""
    (tmp_path / "bench-db.toml").write_bytes(LANCE.read_bytes())
    history = History(tmp_path / "clone")
    files = {f"{crate}/Cargo.toml": "[package]\nversion = '1.2.3'\n" for crate in CRATES} | {
        "python/pyproject.toml": ""
    }
    for path, text in files.items():
        (tmp_path / "clone" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clone" / path).write_text(text)
    return tmp_path, [history.commit(f"change {number}", n=str(number)) for number in range(2)]


def planned(directory: Path, *words: str) -> dict[str, Any]:
    arguments = ("backfill", "--range", "ALL", "--clone", "clone", "--store", "store", "--dry-run", "--output", "json")
    found: dict[str, Any] = document(bench_db(*arguments, *words, cwd=directory))
    return found


class TestLance:
    """The file for Lance plans its crates and its Python benchmarks, as lance-bench measures them."""

    def test_every_commit_is_planned_with_every_suite(self, lance: tuple[Path, list[str]]) -> None:
        directory, shas = lance
        plan = planned(directory)
        assert {step["commit"]: sorted(step["suites"]) for step in plan["steps"]} == dict.fromkeys(shas, sorted(SUITES))

    def test_what_it_needs_beside_it_is_on_its_page(self) -> None:
        """What a command takes from the directory of the file is there only after the file was copied."""
        needed = set(re.findall(r"\{root\}/([\w/]+)/Cargo.toml", LANCE.read_text()))
        assert needed == {"benchmarks/train_fts_index"}
        head, page = LANCE.read_text().split("[project]")[0], (ROOT / "docs/how-to/coming-from.md").read_text()
        for path in needed:
            assert path in head
            assert path in page
        assert "--config docs/examples" not in page

    def test_suites_are_chosen_as_by_the_inputs_of_its_workflow(self, lance: tuple[Path, list[str]]) -> None:
        found = document(bench_db("suites", "--output", "json", cwd=lance[0]))
        assert {suite["name"]: suite["kind"] for suite in found} == {
            **dict.fromkeys(CRATES, "rust"),
            "python": "python",
            "fts-index": "python",
        }
        config = parse(LANCE.read_bytes(), "bench-db.toml")
        assert {kind: config.suites_of(kind) for kind in config.schedule.kinds} == {
            "rust": CRATES,
            "python": ["python", "fts-index"],
        }

    def test_a_backfill_measures_what_the_tools_write(self, lance: tuple[Path, list[str]], tmp_path: Path) -> None:
        directory, shas = lance
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/cargo").write_text(CARGO)
        (tmp_path / "bin/cargo").chmod(0o755)
        words = (
            "--suite",
            "rust/lance-io",
            "--suite",
            "fts-index",
            "--range",
            shas[1],
            "--clone",
            "clone",
            "--store",
            "store",
        )
        done = bench_db("backfill", *words, cwd=directory, PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")
        assert done.returncode == 0, done.stderr
        rows = json.loads(bench_db("latest", "--store", "store", "--output", "json", cwd=directory).stdout)
        assert [(row["suite"], row["benchmark_name"], row["median"]) for row in rows] == [
            ("rust/lance-io", "decode", 10.0),
            ("fts-index", "fts", 8.0),
        ]

    def test_each_suite_has_the_commands_of_its_workflow(self) -> None:
        """Criterion in the directory of a crate; maturin, the data sets, then pytest for Python, which collects what a commit has."""
        suites = parse(LANCE.read_bytes(), "bench-db.toml").suite
        for crate in CRATES:
            assert (suites[crate].directory, suites[crate].benchmark) == (
                crate,
                "cargo criterion --benches --message-format=json",
            )
            assert [command.split()[:2] for command in map(str, suites[crate].setup)] == [["cargo", "install"]]
        steps = [*map(str, suites["python"].setup), str(suites["python"].benchmark)]
        wanted = (
            "-m venv",
            "install maturin",
            "maturin develop --release",
            "gen_all.py",
            "pytest python/ci_benchmarks/benchmarks ",
        )
        assert [step for step, part in zip(steps, wanted, strict=True) if part not in step] == []
        assert steps[-1].split()[-2:] == ["--benchmark-only", "--benchmark-json=results.json"]

    def test_recall_is_better_higher(self) -> None:
        config = parse(LANCE.read_bytes(), "bench-db.toml")
        assert config.define.better == {"recall": "higher"}
        assert [(one.kind, one.repository) for one in config.notify] == [("github", "lance-format/lance")]
