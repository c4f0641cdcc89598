from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db import Baseline
from bench_db.store.database import connect
from tests.app.test_pairs import published
from tests.cli.commands import bench_db as process
from tests.cli.commands import document
from tests.cli.conftest import bench_db
from tests.cli.demo_names import SLOW_COMMIT
from tests.support.histories import FIRST, History

if TYPE_CHECKING:
    from pathlib import Path


class TestBaselineAndCheck:
    """A baseline is a pointer with a history; a passing gate moves it."""

    def test_life(self, demo_copy: Path) -> None:
        store = ("--store", demo_copy)
        assert bench_db("baseline", "set", "main", "d7fbbca", *store).code == 0
        assert bench_db("check", SLOW_COMMIT, "--set-baseline", *store).code == 1
        assert bench_db("baseline", "show", "main", *store, "--output", "json").document["commit"].startswith("d7fbbca")
        assert bench_db("check", "a80c338", "--set-baseline", *store).code == 0
        assert bench_db("baseline", "show", "main", *store, "--output", "json").document["commit"].startswith("a80c338")
        assert bench_db("baseline", "clear", "main", *store).code == 0
        assert bench_db("baseline", "list", *store, "--output", "json").document["baselines"] == []

    def test_a_commit_without_results(self, demo_store: Path) -> None:
        assert bench_db("baseline", "set", "main", "0" * 40, "--store", demo_store).code == 2


STUB = 'print(\'{"results": [{"benchmark_name": "sum", "values_ns": [%s]}]}\')'
CONFIG = """
[project]
name = "p"
test_bed = "here"
[pairs]
confirm = "same"
rounds = 5
[suite.tables]
benchmark = "{python} bench.py"
stdout = "results.json"
format = "values-ns"
"""


class TestConfirm:
    """A regression of a real repository is measured again: +25 % of its code fails, a spike of one run passes."""

    @pytest.fixture
    def history(self, tmp_path: Path) -> History:
        history, store = History(tmp_path / "clone"), connect(tmp_path / "store", create=True)
        (tmp_path / "bench-db.toml").write_text(CONFIG)
        for number in range(9):
            commit = history.commit(n=str(number), bench__py=STUB % 100)
            published(store, commit, number, {"sum": 100.0 + number % 2})
        store.set_baseline(Baseline(name="main", commit=history.git("rev-parse", "HEAD"), set_at=FIRST))
        return history

    @pytest.mark.few(1)
    @pytest.mark.parametrize(("code", "exit_code", "outcome"), [(125, 1, "confirmed"), (100, 0, "not confirmed")])
    def test_a_regression_and_a_spike(
        self, history: History, tmp_path: Path, code: int, exit_code: int, outcome: str
    ) -> None:
        commit = history.commit(n="9", bench__py=STUB % code)
        published(connect(tmp_path / "store"), commit, 9, {"sum": 125.0})
        words = ("check", "--store", "store", "--clone", "clone")
        assert process(*words, "--confirm", "off", cwd=tmp_path).returncode == 1
        answer = process(*words, "--output", "json", cwd=tmp_path)
        assert answer.returncode == exit_code, answer.stderr
        found = document(answer, exit_code)
        assert (found["passed"], found["confirmed"]["counts"]) == (exit_code == 0, {outcome: 1})
        markdown = process(*words, "--markdown", cwd=tmp_path)
        assert markdown.returncode == exit_code
        assert f"| {outcome} | <code>tables: sum</code> | +25" in markdown.stdout
        assert ("regressed" in markdown.stdout.splitlines()[1]) is bool(exit_code)

    def test_an_error_keeps_the_check_red(self, history: History, tmp_path: Path) -> None:
        commit = history.commit(n="9", bench__py="raise SystemExit(3)")
        published(connect(tmp_path / "store"), commit, 9, {"sum": 125.0})
        answer = process("check", "--store", "store", "--clone", "clone", "--confirm", "fresh", cwd=tmp_path)
        assert answer.returncode == 1
        assert answer.stdout.startswith("FAILED: 1 regressed\n")
        assert "undecided" in answer.stdout
        assert "exit code 3" in answer.stdout
