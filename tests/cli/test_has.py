from pathlib import Path

import pytest

from tests.cli.conftest import bench_db
from tests.cli.demo_names import SLOW_COMMIT


class TestHas:
    """Exit code 0 for a measured commit, 1 for any other."""

    @pytest.mark.parametrize(
        ("commit", "code"), [(SLOW_COMMIT, 0), ("d3f1e3210ac78e0f095f7dc191e4375f697ef42e", 0), ("0" * 40, 1)]
    )
    def test_exit_code(self, demo_store: Path, commit: str, code: int) -> None:
        answer = bench_db("has", commit, "--store", demo_store, "--output", "json")
        assert answer.code == code
        assert answer.document["present"] == (code == 0)

    def test_a_suite_nobody_measured(self, demo_store: Path) -> None:
        answer = bench_db("has", SLOW_COMMIT, "--suite", "nope", "--store", demo_store, "--output", "json")
        assert (answer.code, answer.document["suites"]) == (1, {"nope": 0})
