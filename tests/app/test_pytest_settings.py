from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench_db.app.pytest_settings import PytestSettings, joined, pytest_settings
from bench_db.app.sources import sources
from tests.app.recognising import FIXTURE, PYPROJECT, found_in, repository, words

if TYPE_CHECKING:
    from pathlib import Path

HARMFUL = "-n 2 -p no:benchmark --benchmark-sort name --benchmark-disable"
FILES = {
    "pytest.ini": "[pytest]\naddopts =\n    # over processes\n    -rs {options}\n    -W error\n",
    "pyproject.toml": PYPROJECT + "[tool.pytest.ini_options]\naddopts = '-rs {options} -W error'\n",
    "pyproject.toml of pytest 9": PYPROJECT + "[tool.pytest]\naddopts = ['-rs', {listed}, '-W', 'error']\n",
    "tox.ini": "[pytest]\naddopts = -rs {options} -W error\n",
    "setup.cfg": "[tool:pytest]\naddopts = -rs {options} -W error\n",
}


def settings(kind: str, options: str) -> dict[str, str]:
    listed = ", ".join(f"'{word}'" for word in options.split())
    return {kind.split(" ", maxsplit=1)[0]: FILES[kind].replace("{options}", options).replace("{listed}", listed)}


class TestMeasuring:
    """What a project sets for its everyday tests does not keep its benchmarks from being measured."""

    @pytest.mark.few(1)
    @pytest.mark.parametrize("kind", FILES)
    def test_pytest_measures(self, kind: str, tmp_path: Path) -> None:
        """The command that `init` writes is run by a real pytest, which by itself measures nothing with these settings."""
        files = {"requirements.txt": "pytest-benchmark\n", **settings(kind, HARMFUL)}
        [one], _ = found_in(tmp_path, {**files, "tests/test_a.py": FIXTURE})
        command = words(one.suite.benchmark).replace("{tree}/.venv/bin/python", sys.executable)
        # without what tells the plug-in that the tests of this process are distributed
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        measured = json.loads((tmp_path / "results.json").read_text())
        assert [row["name"] for row in measured["benchmarks"]] == ["test_sum"]
        file = kind.split(" ", maxsplit=1)[0]
        assert one.assumed.startswith(f"addopts of {file} are for other tests than benchmarks: ")
        assert one.assumed.endswith(f" they have {HARMFUL}")
        assert one.note == ""
        assert command.endswith(" -o 'addopts=-W error'")

    @pytest.mark.parametrize(
        "options",
        [
            *("-n4", "-nauto", "-n auto", "--numprocesses=auto", "--numprocesses 3", "--dist loadfile", "--dist=no"),
            *("--cov", "--cov=src", "--cov src --cov-report term --cov-branch", "--cov-fail-under=90"),
            *("-pno:benchmark", "-p no:pytest_benchmark", "-p no:codspeed", "-p pytest_cov", "--benchmark-skip"),
            *("--ignore=benchmarks", "--ignore benchmarks", "-m 'not benchmark'", "-k 'not bench'", "-m='not perf'"),
            *(
                "--hypothesis-profile=quick",
                "--timeout 60",
                "--reuse-db",
                "--benchmark-sort name",
                "--benchmark-autosave",
            ),
        ],
    )
    def test_harmful(self, options: str) -> None:
        settings = PytestSettings("pytest.ini", shlex.split(f"-x {options} -p plugin --ds=settings"))
        assert (settings.needed, settings.harmful) == (["-p", "plugin", "--ds=settings"], shlex.split(options))

    @pytest.mark.parametrize(
        "options",
        [
            "-rs",
            "--no-header",
            "-m 'not slow'",
            "-mfast",
            "-k fast",
            "tests",
            "--durations 5",
            "--benchmark-only",
            "-qx",
            "--color=yes",
        ],
    )
    def test_neither(self, options: str) -> None:
        settings = PytestSettings("pytest.ini", shlex.split(options))
        assert (settings.needed, settings.harmful) == ([], [])

    @pytest.mark.parametrize(
        "options",
        [
            *("-p no:cacheprovider", "-pplugin", "--import-mode=importlib", "--import-mode importlib", "--ds=settings"),
            *("-W error", "--benchmark-warmup off", "--benchmark-disable-gc", "--benchmark-min-rounds 3"),
        ],
    )
    def test_needed(self, options: str) -> None:
        settings = PytestSettings("pytest.ini", shlex.split(f"-x {options} --durations=5"))
        assert (settings.needed, settings.harmful) == (shlex.split(options), [])

    def test_an_option_takes_no_path_for_its_value(self) -> None:
        """The words of addopts are before the paths of the command."""
        settings = PytestSettings("pytest.ini", ["-n2", "--benchmark-min-rounds", "3", "--benchmark-warmup"])
        assert settings.needed == ["--benchmark-min-rounds", "3", "--benchmark-warmup=on"]


class TestJoined:
    @pytest.mark.parametrize(
        "words", [["-m", "not slow", "--doctest-glob=docs/*.rst", "a'b", ""], ["a#b", "\\", '"'], []]
    )
    def test_a_shell_would_split_it_so(self, words: list[str]) -> None:
        assert shlex.split(joined(words)) == words
        assert "'" not in joined(["--doctest-glob=docs/*.rst"])


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
            ({"pytest.ini": "", "tox.ini": "[pytest]\naddopts = -q\n"}, PytestSettings("pytest.ini")),
            ({"pytest.ini": "\ufeff[pytest]\naddopts = -x\n"}, "pytest.ini"),
            ({"pyproject.toml": "broken =", "tox.ini": "[pytest]\naddopts = -x\n"}, "tox.ini"),
        ],
        ids=["none", "ini", "cfg", "above", "nearest", "odd", "no table", "number", "empty", "mark", "broken"],
    )
    def test_place(self, files: dict[str, str], found: PytestSettings | str, tmp_path: Path) -> None:
        read = pytest_settings(sources(repository(tmp_path, {**files, "lib/x.py": ""})), ["lib/x.py"])
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
        assert pytest_settings(sources(repository(tmp_path, files)), ["test_x.py"]).python_files == [
            "test_*.py",
            "bench_*.py",
        ]
