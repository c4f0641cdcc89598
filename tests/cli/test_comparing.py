from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import publish

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database


class TestWhose:
    """`check` and `compare` say whose results they compared, and which option compares with others."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Database:
        """Six runs of main, and a run of a branch that is half as slow again."""
        store = connect(tmp_path / "store", create=True)
        for number in range(6):
            publish(store, number, {"f": 1.0 + number / 1000}, branch="main")
        publish(store, 6, {"f": 1.5}, branch="topic")
        return store

    def test_a_branch_with_too_few_results(self, store: Database) -> None:
        """Nothing of it can be judged against its own level, so the answer names the option that compares with main."""
        words = ("--branch", "topic", "--store", store.uri)
        for verb in (("check",), ("compare", "latest")):
            answer = bench_db(*verb, *words)
            assert answer.code == 0
            assert (
                "branch topic has too few results of its own: compare with those of main by --baseline-branch main"
                in answer.err
            )
            told = bench_db(*verb, *words, "--baseline-branch", "main")
            assert (told.code, "regressed" in told.out) == (int(verb == ("check",)), True)
            assert "too few" not in told.err + bench_db(*verb, "--store", store.uri).err

    def test_a_baseline_of_too_few_runs(self, store: Database) -> None:
        """No history can be judged by it, so that the answer names one with enough."""
        words = ("--branch", "topic", "--store", store.uri)
        for verb in (("check",), ("compare", "latest")):
            advice = "--baseline-branch main --baseline last:5"
            answer = bench_db(*verb, *words, "--baseline", "last:3")
            assert (
                f"branch topic has too few results of its own: compare with those of main by {advice}\n" in answer.err
            )
            told = bench_db(*verb, *words, *advice.split())
            assert ("regressed" in told.out, "too few" in told.err) == (True, False)
            few = "last:3 is too few runs: a verdict needs 5 runs of the baseline, as --baseline last:5 has\n"
            for more in (("--store", store.uri), (*words, "--baseline-branch", "main")):
                answer = bench_db(*verb, *more, "--baseline", "last:3")
                assert (few in answer.err, "branch topic has" in answer.err) == (True, False)
