from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_OUTPUT = ROOT / "tests/data/pytest-benchmark/5.3.1/with_raw_data.json"
_PUBLISH = ("publish", _OUTPUT, "--format", "pytest-benchmark", "--dut-name", "d", "--dut-version", "1+1a2b3c4")


def _walked(*words: object) -> list[str]:
    command = [sys.executable, "-m", "tests.support.walks", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stderr.split()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one run."""
    path = tmp_path_factory.mktemp("walks") / "store"
    _walked(*_PUBLISH, "--dut-timestamp", "1780000000", "--store", path)
    return path


class TestWalks:
    """A verb runs through few modules: the numbers only ever fall, and one that rises needs a reason."""

    def test_publish(self, store: Path) -> None:
        walked = _walked(*_PUBLISH, "--dut-timestamp", "1780000001", "--store", store)
        assert {"bench_db.derive", "bench_db.store.engine"} <= set(walked)
        assert len(walked) <= 33, walked

    def test_trend(self, store: Path) -> None:
        walked = _walked("trend", "*", "--store", store)
        assert {"bench_db.store.engine", "bench_db.report.rows"} <= set(walked)
        assert len(walked) <= 16, walked
