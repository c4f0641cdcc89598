"""Running a command of somebody else's code: a time-out that ends its whole process group, its output kept, no secrets."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_SECRET = re.compile(
    r"^(AWS|AZURE|GCP|GOOGLE|GITHUB|GH|ACTIONS|LANCE_GH|BENCH_S3|OPENAI)_|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL"
    r"|API_?KEY|ACCESS_KEY|PRIVATE_KEY|_URI$|_DSN$|DATABASE_URL|SSH_AUTH_SOCK|NETRC",
    re.IGNORECASE,
)
_GRACE_SECONDS = 5.0
_TAIL_BYTES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a command did not succeed, with the last words of its log."""

    reason: str
    tail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}\n{self.tail}".strip()


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without whatever looks like a credential or the address of a store."""
    return {name: value for name, value in environment.items() if not _SECRET.search(name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command, where it runs, what it sees and how long it may take; `stdout` is a file for its standard output alone."""

    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    timeout_seconds: float
    stdout: Path | None = None


def run(job: Job, log: Path, inherited: Sequence[int] = ()) -> Failure | None:
    """None when the command succeeded; its output is added to `log`.

    `inherited` are file descriptors the command keeps open. Whatever ends the waiting, no process of its group outlives it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as log_file:
        log_file.write(f"$ {' '.join(job.command)}\n".encode())
        began = log_file.tell()
        if job.stdout is None:
            reason = _run(job, log_file, log_file, inherited)
        else:
            with job.stdout.open("wb") as own:
                reason = _run(job, own, log_file, inherited)
        if reason is not None:
            log_file.write(f"# {reason}\n".encode())
    return None if reason is None else Failure(reason=reason, tail=_tail(log, began))


def _run(job: Job, out: IO[bytes], err: IO[bytes], inherited: Sequence[int]) -> str | None:
    name = job.command[0]
    try:
        process = subprocess.Popen(  # noqa: S603 a list of arguments, no shell
            job.command,
            cwd=job.directory,
            env=dict(job.environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            pass_fds=tuple(inherited),
        )
    except OSError as error:
        return f"{name}: cannot be run: {error.strerror or error}"
    try:
        code = process.wait(job.timeout_seconds)
    except subprocess.TimeoutExpired:
        return f"{name}: still running after {job.timeout_seconds:g} s, ended"
    finally:
        end_group(process)
    if code < 0:
        return f"{name}: ended by signal {signal.Signals(-code).name}"
    return f"{name}: exit code {code}" if code else None


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Every process of the group ended: asked first, then killed."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(log: Path, began: int) -> str:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(began, size - _TAIL_BYTES))
        return file.read().decode("utf-8", "replace").strip()
