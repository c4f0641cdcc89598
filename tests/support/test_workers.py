from __future__ import annotations

import gc
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.support.workers import Turns, common_directory, made_once
import pytest

turns = Turns()

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    alone, then = (one is not None and one.get_closest_marker("alone") is not None for one in (item, nextitem))
    with turns.take(common_directory(item.config._tmp_path_factory), alone=alone, next_alone=then):
        return (yield)

@pytest.fixture(scope="session")
def made(tmp_path_factory):
    def make(directory):
        (directory / "made").touch()
        with open("makings", "a") as file:
            file.write("made\\n")
    return made_once(tmp_path_factory, "things", make)
"""
TESTS = """
import time
from pathlib import Path
import pytest

def running(name, seconds):
    with open("log", "a") as log:
        log.write(f"+{name}\\n")
    time.sleep(seconds)
    with open("log", "a") as log:
        log.write(f"-{name}\\n")

@pytest.mark.parametrize("number", range(6))
def test_together(number, made):
    assert (made / "made").exists()
    running(f"t{number}", 0.3)

@pytest.mark.alone
@pytest.mark.parametrize("number", range(3))
def test_alone(number, made):
    running(f"alone-{__name__}-{number}", 0.1)
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of its own on two workers."""
    directory = tmp_path_factory.mktemp("suite")
    (directory / "conftest.py").write_text(CONFTEST, "utf-8")
    (directory / "pytest.ini").write_text("[pytest]\nmarkers = alone\n", "utf-8")
    for name in ("a", "b"):
        (directory / f"test_{name}.py").write_text(TESTS, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-n2", "--dist=loadscope", f"--basetemp={directory / 'tmp'}"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.mark.slow
class TestTurn:
    """A test marked `alone` runs while no other does; all others run beside each other."""

    def test_alone(self, ran: Path) -> None:
        lines = (ran / "log").read_text("utf-8").split()
        for at, line in enumerate(lines):
            if line.startswith("+alone"):
                assert lines[at + 1] == f"-{line[1:]}"
        assert sum(line.startswith("+alone") for line in lines) == 6

    def test_those_that_follow_each_other_wait_once(self, ran: Path) -> None:
        lines = (ran / "log").read_text("utf-8").split()
        modules = [line.split("-")[1] for line in lines if line.startswith("+alone")]
        assert sorted(modules, key=modules.index) == modules
        first, *_, last = (at for at, line in enumerate(lines) if modules[0] in line)
        assert all(modules[0] in line for line in lines[first:last])

    def test_together(self, ran: Path) -> None:
        lines = (ran / "log").read_text("utf-8").split()
        assert any(first[0] == second[0] == "+" for first, second in pairwise(lines))


@pytest.mark.slow
class TestMadeOnce:
    """Of all workers that need a directory, one makes it."""

    def test_once(self, ran: Path) -> None:
        assert (ran / "makings").read_text("utf-8") == "made\n"


def test_garbage_is_looked_for_among_new_objects() -> None:
    """The modules and tests that were imported before the first test are no garbage."""
    assert gc.isenabled()
    assert gc.get_freeze_count() > 100_000
