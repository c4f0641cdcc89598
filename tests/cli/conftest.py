"""The real command, in this process or in one of its own, and a store of shipped measurements to ask."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bench_db.cli import main
from bench_db.store.database import connect
from tests.support.workers import made_once


@dataclass(frozen=True)
class Answer:
    """What the command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)


def bench_db(*arguments: object, **environment: str) -> Answer:
    """Run the command's own entry point, with nothing in its environment that would decide for it."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["bench-db", *map(str, arguments)]
    with (
        mock.patch.dict(os.environ, _environment(environment), clear=True),
        mock.patch.object(sys, "argv", argv),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as stop,
    ):
        main()
    return Answer(int(stop.value.code or 0), out.getvalue(), err.getvalue())


def bench_db_process(*arguments: object, **environment: str) -> Answer:
    """The same in a process of its own, as installed."""
    done = subprocess.run(
        [Path(sys.executable).with_name("bench-db"), *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**_environment(environment), "PYTHONWARNINGS": "error"},
        check=False,
        timeout=120,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def _environment(extra: dict[str, str]) -> dict[str, str]:
    deciding = ("BENCH_DB", "LANCE", "AWS", "GITHUB", "PYTEST")
    return {name: value for name, value in os.environ.items() if not name.startswith(deciding)} | extra


def demo_once(factory: pytest.TempPathFactory) -> Path:
    """Return the store that `bench-db demo` makes, once for all workers; tests only read it. Its answer is in demo.json beside it."""

    def demo(directory: Path) -> None:
        answer = bench_db("demo", directory, "--output", "json")
        assert answer.code == 0
        (directory / "demo.json").write_text(answer.out, "utf-8")

    return made_once(factory, "demo", demo) / "store"


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_once(tmp_path_factory)


@pytest.fixture(scope="session")
def demo_in_two(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the runs of the demo, of which version 2 has the first two."""
    store = tmp_path_factory.mktemp("demo_in_two") / "store"
    demo, copy = connect(demo_store), connect(store, create=True)
    for runs in (demo.runs().head(2).collect()["run_key"].to_list(), ()):
        demo.copy_to(copy, runs=runs)
    return store


@pytest.fixture
def demo_copy(demo_store: Path, tmp_path: Path) -> Path:
    """Return a store like the one that `bench-db demo` makes, for a test that changes it."""
    return Path(shutil.copytree(demo_store, tmp_path / "demo_copy"))
