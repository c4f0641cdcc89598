from __future__ import annotations

import pytest

from bench_db import connect
from tests.workflows.conftest import strays
from tests.workflows.elsewhere import Foreign, three_lines

# the commit in the second file
MEASURED = "8a60e7eecaf6d774a41cd09bdea12d83f89974a1"
pytestmark = pytest.mark.slow


class TestPublishAction:
    """Three lines in a workflow of another repository publish its results to a bucket and do not change its job."""

    def test_three_lines(self) -> None:
        assert len(three_lines().splitlines()) == 3

    def test_it_runs(self, foreign: Foreign) -> None:
        assert foreign.run.results == {"bench": "success"}, foreign.run.logs
        assert foreign.executed.count("Unchanged") == 1

    def test_the_results_are_in_the_bucket(self, foreign: Foreign, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in foreign.server.environment().items():
            monkeypatch.setenv(name, value)
        store = connect("s3://my-benchmarks/lance")
        rows = store.results()
        assert {(r.dut.name, r.dut.version, r.commit, r.branch, r.test_bed.name, r.suite) for r in rows} == {
            ("small", f"1.2+{foreign.commit[:7]}", foreign.commit, "main", "vm", ""),
            ("library", f"1.2+{foreign.commit[:7]}", foreign.commit, "main", "a machine", 'it\'s "x"'),
            ("library", "8a60e7e", MEASURED, "main", "a machine", 'it\'s "x"'),
        }
        assert set(store.runs().collect()["repository"]) == {"me/library"}

    def test_no_name_became_a_command(self, foreign: Foreign) -> None:
        assert strays(foreign.run.directory) == []
