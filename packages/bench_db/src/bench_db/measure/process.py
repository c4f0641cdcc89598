"""Running a command of foreign code: a timeout that ends all its processes, its output in a log, no secrets."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from bench_db.measure import guard

_SECRET = re.compile(
    r"^(AWS|AZURE|GCP|GOOGLE|GITHUB|GH|ACTIONS|LANCE_GH|BENCH_S3|OPENAI)_|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|_PWD$"
    r"|CREDENTIAL|API_?KEY|ACCESS_KEY|PRIVATE_KEY|_KEY$|_AUTH$|_AUTH_|_JWT|COOKIE|CONNECTION_STRING|_URI$|_DSN$|DATABASE_URL"
    r"|SSH_AUTH_SOCK|NETRC|KUBECONFIG|DOCKER_CONFIG|WEBHOOK|PGPASSFILE|_PASS$|(^|_)PAT$",
    re.IGNORECASE,
)
_PASSWORD_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_NEEDED = re.compile(r"PROXY$|INDEX", re.IGNORECASE)  # a set-up needs them to install anything
_GUARD_SECONDS = 15.0  # a guard asks, waits 5 seconds, kills, and waits as long again
_TAIL_BYTES = 2_000
_KEPT_BYTES = 1 << 20
_BY_SIGNAL = 128  # shells report a signal as 128 and its number


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The reason why a command did not succeed, with the end of its log.

    `came_to_its_end` is false when a signal, the timeout or the system stopped it.
    """

    reason: str
    tail: str = ""
    came_to_its_end: bool = False

    def __str__(self) -> str:
        return f"{self.reason}\n{self.tail}".strip()


def without_secrets(environment: Mapping[str, str], named: Collection[str] = ()) -> dict[str, str]:
    """Return an environment without the variables `named`, and without those that look like a credential or the address of a store.

    Addresses with a password are left out too, except those of proxies and package indexes.
    """
    return {name: value for name, value in environment.items() if name not in named and not _is_secret(name, value)}


def _is_secret(name: str, value: str) -> bool:
    return bool(_SECRET.search(name) or (_PASSWORD_IN_URL.search(value) and not _NEEDED.search(name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command, its directory, environment and timeout; `stdout` is a file for its standard output alone."""

    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    timeout_seconds: float
    stdout: Path | None = None


def run(job: Job, log: Path, inherited: Sequence[int] = ()) -> Failure | None:
    """Run a command and append its output to `log`; return None when it succeeded.

    `inherited` are file descriptors that the command keeps open. No process of the command outlives this one, even after SIGKILL.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as log_file:
        log_file.write(f"$ {shlex.join(job.command)}\n".encode(errors="surrogateescape"))
        began = log_file.tell()
        try:
            with ExitStack() as opened:
                out = log_file if job.stdout is None else opened.enter_context(_fresh(job.stdout))
                failure = _guarded(job, out, log_file, inherited)
        except OSError as error:
            failure = Failure(reason=f"{job.command[0]}: cannot be run: {error}")
        tail = "" if failure is None else _tail(log, began)
        _shorten(log, began)
    return failure and replace(failure, tail=tail)


def _fresh(path: Path) -> IO[bytes]:
    """Open a new file. A link of the commit at its path is replaced, not followed."""
    path.unlink(missing_ok=True)
    return path.open("wb")


def _guarded(job: Job, out: IO[bytes], err: IO[bytes], inherited: Sequence[int]) -> Failure | None:
    """Run a command under a guard, which ends all its processes when this process ends; return why it did not succeed."""
    name = Path(job.command[0]).name
    report, reported = os.pipe()
    with open(report, "rb") as answer:  # noqa: PTH123 a file descriptor
        try:
            process = subprocess.Popen(  # noqa: S603 a list of arguments, no shell
                [sys.executable, "-I", "-S", guard.__file__, str(reported), *job.command],
                cwd=job.directory,
                env=dict(job.environment),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                start_new_session=True,
                pass_fds=(*inherited, reported),
            )
        finally:
            os.close(reported)
        in_time = _waited_for(process, job.timeout_seconds)
        said = answer.read()
    if not in_time:
        return Failure(reason=f"{name}: still running after {job.timeout_seconds:g} s, ended")
    if said.startswith(b"!"):
        return Failure(reason=f"{name}: cannot be run: {said[1:].decode('utf-8', 'replace')}")
    code = int(said) if said else -signal.SIGKILL
    if code < 0:
        return Failure(reason=f"{name}: ended by signal {_signal_name(-code)}")
    return Failure(reason=f"{name}: exit code {code}", came_to_its_end=code < _BY_SIGNAL) if code else None


def _waited_for(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Return whether the command ended in time. In any case the lifeline is cut and the guard has ended afterwards."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    else:
        return True
    finally:
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(_GUARD_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else str(number)


def _tail(log: Path, began: int) -> str:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(began, size - _TAIL_BYTES))
        return file.read().decode("utf-8", "replace").strip()


def _shorten(log: Path, began: int) -> None:
    """Cut the middle out of a very long output, after the last write."""
    with log.open("r+b") as file:
        left_out = file.seek(0, os.SEEK_END) - began - 2 * _KEPT_BYTES
        if left_out > 0:
            file.seek(-_KEPT_BYTES, os.SEEK_END)
            end = file.read()
            file.seek(began + _KEPT_BYTES)
            file.write(b"\n# ... %d bytes left out ...\n" % left_out + end)
            file.truncate()
