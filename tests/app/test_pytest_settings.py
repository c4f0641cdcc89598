from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench_db.app.pytest_settings import PytestSettings, pytest_settings
from bench_db.app.sources import sources
from tests.app.recognising import FIXTURE, PYPROJECT, found_in, repository, words

if TYPE_CHECKING:
    from pathlib import Path

HARMFUL = "-n 2 -p no:benchmark --benchmark-disable"
FILES = {
    "pytest.ini": "[pytest]\naddopts =\n    # over processes\n    -rs {options}\n    --strict-markers\n",
    "pyproject.toml": PYPROJECT + "[tool.pytest.ini_options]\naddopts = '-rs {options} --strict-markers'\n",
    "pyproject.toml of pytest 9": PYPROJECT + "[tool.pytest]\naddopts = ['-rs', {listed}, '--strict-markers']\n",
    "tox.ini": "[pytest]\naddopts = -rs {options} --strict-markers\n",
    "setup.cfg": "[tool:pytest]\naddopts = -rs {options} --strict-markers\n",
}


def settings(kind: str, options: str) -> dict[str, str]:
    listed = ", ".join(f"'{word}'" for word in options.split())
    return {kind.split(" ", maxsplit=1)[0]: FILES[kind].replace("{options}", options).replace("{listed}", listed)}


class TestMeasuring:
    """What a project sets for its everyday tests does not keep its benchmarks from being measured."""

    @pytest.mark.parametrize("kind", FILES)
    def test_pytest_measures(self, kind: str, tmp_path: Path) -> None:
        """The command that `init` writes is run by a real pytest, which by itself measures nothing with these settings."""
        files = {"requirements.txt": "pytest-benchmark\n", **settings(kind, HARMFUL)}
        [one], _ = found_in(tmp_path, {**files, "tests/test_a.py": FIXTURE})
        command = words(one.suite.benchmark).replace("{tree}/.venv/bin/python", sys.executable)
        done = subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        measured = json.loads((tmp_path / "results.json").read_text())
        assert [row["name"] for row in measured["benchmarks"]] == ["test_sum"]
        file = kind.split(" ", maxsplit=1)[0]
        assert one.note.endswith(f"leaves out {HARMFUL} of addopts in {file}, which keep pytest from measuring")
        assert "'addopts=-rs --strict-markers'" in command

    @pytest.mark.parametrize(
        "options",
        [
            *("-n4", "-nauto", "-n auto", "--numprocesses=auto", "--numprocesses 3", "--dist loadfile", "--dist=no"),
            *("--cov", "--cov=src", "--cov src --cov-report term --cov-branch", "--cov-fail-under=90"),
            *("-pno:benchmark", "-p no:pytest_benchmark", "-p no:codspeed", "--benchmark-skip"),
            *("--ignore=benchmarks", "--ignore benchmarks", "-m 'not benchmark'", "-k 'not bench'", "-m='not perf'"),
        ],
    )
    def test_left_out(self, options: str) -> None:
        kept, left = PytestSettings("pytest.ini", shlex.split(f"-x {options} -q")).measuring
        assert (kept, left) == (["-x", "-q"], shlex.split(options))

    @pytest.mark.parametrize(
        "options",
        [
            *("-rs", "-p no:cacheprovider", "--no-header", "-m 'not slow'", "-k fast", "--benchmark-columns=min,max"),
            *("--benchmark-disable-gc", "--import-mode=importlib", "--ds=settings", "-W error", "tests"),
        ],
    )
    def test_kept(self, options: str) -> None:
        assert PytestSettings("pytest.ini", shlex.split(options)).measuring == (shlex.split(options), [])


class TestPytestSettings:
    """The file is the one that pytest takes."""

    @pytest.mark.parametrize(
        ("files", "found"),
        [
            ({}, PytestSettings()),
            ({"pytest.ini": "[pytest]\naddopts = -x\n", "tox.ini": "[pytest]\naddopts = -q\n"}, "pytest.ini"),
            ({"pyproject.toml": PYPROJECT, "setup.cfg": "[tool:pytest]\naddopts = -x\n"}, "setup.cfg"),
            ({"lib/pyproject.toml": PYPROJECT, "tox.ini": "[pytest]\naddopts = -x\n"}, "tox.ini"),
            ({"lib/tox.ini": "[pytest]\naddopts = -x\n", "pytest.ini": "[pytest]\naddopts = -q\n"}, "lib/tox.ini"),
            ({"tox.ini": "[pytest\naddopts = -x\n", "setup.cfg": "[tool:pytest]\naddopts = 'x\n"}, "odd"),
            ({"pyproject.toml": "[tool]\npytest = 3\n", "tox.ini": "[tox]\n"}, PytestSettings()),
            ({"pyproject.toml": "[tool.pytest.ini_options]\naddopts = 1\n"}, "pyproject.toml without"),
            ({"pyproject.toml": "broken =", "tox.ini": "[pytest]\naddopts = -x\n"}, "tox.ini"),
        ],
        ids=["none", "ini", "cfg", "above", "nearest", "odd", "no table", "number", "broken"],
    )
    def test_place(self, files: dict[str, str], found: PytestSettings | str, tmp_path: Path) -> None:
        read = pytest_settings(sources(repository(tmp_path, {**files, "lib/x.py": ""})), "lib")
        if isinstance(found, PytestSettings):
            assert read == found
        elif found == "odd":
            assert (read.file, read.addopts) == ("setup.cfg", [])
        elif found.endswith(" without"):
            assert (read.file, read.addopts) == ("pyproject.toml", [])
        else:
            assert (read.file, read.addopts) == (found, ["-x"])

    def test_patterns_of_files(self, tmp_path: Path) -> None:
        files = {"pytest.ini": "[pytest]\npython_files = test_*.py bench_*.py\n"}
        assert pytest_settings(sources(repository(tmp_path, files)), ".").python_files == ["test_*.py", "bench_*.py"]
