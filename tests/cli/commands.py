"""The real command line in a directory, in this process or in one of its own."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bench_db import Provenance, connect, parse
from bench_db.cli import main

COMMAND = [sys.executable, "-c", "from bench_db.cli import main; main()"]


def environment(**more: str) -> dict[str, str]:
    """Return an environment without variables of CI or of the user, with the given ones added."""
    kept = {
        name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
    }
    return {**kept, **more}


def bench_db(*arguments: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `bench-db` in this process: a process of its own takes a second to import what is imported here already."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["bench-db", *map(str, arguments)]
    with (
        chdir(cwd),
        mock.patch.dict(os.environ, environment(**more), clear=True),
        mock.patch.object(sys, "argv", argv),
        redirect_stdout(out),
        redirect_stderr(err),
        _same_signals(),
        pytest.raises(SystemExit) as stop,
    ):
        main()
    return subprocess.CompletedProcess(argv, int(stop.value.code or 0), out.getvalue(), err.getvalue())


@contextmanager
def _same_signals() -> Iterator[None]:
    """Restore the handlers of the signals that a measuring command handles."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def bench_db_process(*arguments: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `bench-db` in a process of its own, which finds packages on PYTHONPATH and shares no memory with the test."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def document(answer: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    """Return the JSON on standard output of a command that must end with the given code."""
    assert answer.returncode == code, answer.stderr
    return json.loads(answer.stdout)


def publish(file: Path, store: Path, commit: str) -> None:
    """Publish a file into a store as the measurement of a commit."""
    run, results = parse(file, provenance=Provenance(commit=commit, dut_version="1", dut_timestamp=1))
    connect(store, create=True).publish(results, run)


def journal(directory: Path) -> list[dict[str, Any]]:
    """Return the journal of a local backfill that runs in a directory."""
    path = directory / ".bench-db" / "local.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
