from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = """
import pytest

def test_quick(): pass

@pytest.mark.slow
def test_slow(): pass

@pytest.mark.parametrize("place", ["directory", pytest.param("bucket", marks=pytest.mark.slow)])
def test_place(place): pass

@pytest.mark.few(2)
@pytest.mark.parametrize("number", range(3))
def test_few(number): pass

@pytest.mark.slow
class TestWhole:
    def test_life(self): pass
"""
SAMPLE = """
import pytest

pytestmark = pytest.mark.sample(2)

@pytest.mark.parametrize("letter", "ab")
def test_letter(letter): pass

def test_third(): pass
"""
SLOW = {"test_slow", "test_place[bucket]", "test_few[2]", "test_life", "test_third"}
QUICK = {"test_quick", "test_place[directory]", "test_few[0]", "test_few[1]", "test_letter[a]", "test_letter[b]"}
WORKERS = ["-p", "xdist", "-n2"]
NOTE = "5 slow tests were left out: `uv run pytest -m slow` runs them."


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of eleven tests, of which five are slow."""
    directory = tmp_path_factory.mktemp("tiers")
    (directory / "tests").mkdir()
    (directory / "tests" / "test_a.py").write_text(MODULE, "utf-8")
    (directory / "tests" / "test_b.py").write_text(SAMPLE, "utf-8")
    markers = "\n    few\n    sample\n    slow"
    (directory / "pytest.ini").write_text(f"[pytest]\ntestpaths = tests\nmarkers ={markers}\n", "utf-8")
    return directory


def run(suite: Path, *arguments: str) -> str:
    """Run pytest without the other plugins of this environment, which take most of its start."""
    alone = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-v", "-p", "tests.support.tiers", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=suite, env=alone, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def passed(output: str) -> set[str]:
    lines = (line for line in output.splitlines() if "PASSED" in line)
    return {name for line in lines for name in re.findall(r"::(test_[\w\[\]]+)", line)}


class TestTiers:
    """The two tiers together are the whole suite, and share no test."""

    @pytest.mark.parametrize("workers", [[], WORKERS], ids=["in one process", "by workers"])
    def test_the_command_alone_runs_the_first_and_says_what_it_left_out(self, suite: Path, workers: list[str]) -> None:
        output = run(suite, *workers)
        assert passed(output) == QUICK
        assert NOTE in output

    def test_the_marker_runs_the_second(self, suite: Path) -> None:
        output = run(suite, "-m", "slow")
        assert passed(output) == SLOW
        assert "left out" not in output

    @pytest.mark.parametrize("named", [["tests"], ["tests/test_a.py", "tests/test_b.py"]])
    def test_a_path_runs_both(self, suite: Path, named: list[str]) -> None:
        output = run(suite, *named)
        assert passed(output) == QUICK | SLOW
        assert "left out" not in output

    @pytest.mark.slow
    def test_workers_run_both_of_a_path(self, suite: Path) -> None:
        assert passed(run(suite, *WORKERS, "tests")) == QUICK | SLOW

    def test_a_name_runs_a_slow_test(self, suite: Path) -> None:
        assert passed(run(suite, "tests/test_a.py::TestWhole::test_life")) == {"test_life"}
        assert passed(run(suite, "-k", "life")) == {"test_life"}


def collected(*arguments: str) -> list[str]:
    """Return the tests that pytest would run in this repository."""
    command = [sys.executable, "-m", "pytest", "-n0", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
    return [line for line in done.stdout.splitlines() if line.startswith("tests/") and "::" in line]


class TestThisSuite:
    """What CI runs is every test of this repository, once."""

    @pytest.mark.slow
    def test_the_tiers_are_the_whole(self) -> None:
        first, second, whole = collected(), collected("-m", "slow"), collected("tests")
        assert sorted([*first, *second]) == sorted(whole)
        assert len(first) > len(second) > 0
