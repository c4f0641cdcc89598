"""The real command line in a process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench_db import Provenance, connect, parse

COMMAND = [sys.executable, "-c", "from bench_db.cli import main; main()"]


def environment(**more: str) -> dict[str, str]:
    """Return an environment without variables of CI or of the user, with the given ones added."""
    kept = {
        name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
    }
    return {**kept, **more}


def bench_db(*arguments: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `bench-db` and return the completed process."""
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
