"""Run one command, and end its remaining processes when it ends or when the waiting process ends.

A script of its own, `python -I -S guard.py REPORT COMMAND...`, with the standard library alone. Standard input is the
lifeline: it ends when the waiting process closes it or ends, even by SIGKILL. The file descriptor REPORT takes the exit code
of the command (negative for a signal), or `!` and why it cannot be run.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_GRACE_SECONDS = 5.0
_PAUSE_SECONDS = 0.02
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_LIFELINE = 0


def main() -> None:
    """Run the command of the arguments under guard."""
    report, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(report, False)  # noqa: FBT003 the signature of os
    _adopt_orphans()
    woken = _waker()
    try:
        # its own session: what it sends to its group does not reach the guard, and the guard's signals reach all of it
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, close_fds=False)  # noqa: S603
    except OSError as error:
        os.write(report, f"!{error.strerror or error}".encode())
        return
    codes: dict[int, int] = {}
    while child.pid not in codes and not _is_cut(woken):
        codes |= _ended()
    codes |= _end_all(child.pid)
    os.write(report, str(codes.get(child.pid, -signal.SIGKILL)).encode())


def _adopt_orphans() -> None:
    """Adopt the children of ended children, where the system supports it: a session of its own is no escape."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _waker() -> int:
    """Return a file descriptor that is readable after a child has ended, or after a signal to the guard."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for wanted in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(wanted, lambda *_: None)
    return readable


def _is_cut(woken: int) -> bool:
    """Return whether the lifeline was cut, or the guard got a signal to end, before the next child ended."""
    ready = select.select([_LIFELINE, woken], [], [])[0]
    asked = woken in ready and set(os.read(woken, 512)) - {signal.SIGCHLD}
    return _LIFELINE in ready or bool(asked)


def _ended() -> dict[int, int]:
    """Reap the children that have ended and return their exit codes."""
    codes: dict[int, int] = {}
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            codes[ended[0]] = os.waitstatus_to_exitcode(ended[1])
    return codes


def _end_all(group: int) -> dict[int, int]:
    """End all processes of the command, by SIGTERM and then by SIGKILL; return the exit codes of children."""
    codes: dict[int, int] = {}
    for number in (signal.SIGTERM, signal.SIGKILL):
        give_up = time.monotonic() + _GRACE_SECONDS
        told: set[int] = set()
        while time.monotonic() < give_up:
            codes |= _ended()
            living = _descendants()
            if not living and not _is_group(group):
                return codes
            for pid in living - told:
                _send(os.kill, pid, number)
            if not told:
                _send(os.killpg, group, number)
            told |= living | {group}
            time.sleep(_PAUSE_SECONDS)
    return codes


def _descendants() -> set[int]:
    """Return the descendants of this process, where the system lists them."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            # the name of a program may hold spaces and parentheses; its parent is the second field after it
            parent = int(path.read_bytes().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found: set[int] = set()
    below = [os.getpid()]
    while below:
        fresh = children.get(below.pop(), [])
        found.update(fresh)
        below += fresh
    return found


def _is_group(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _send(function: Callable[[int, int], None], target: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        function(target, number)


if __name__ == "__main__":
    main()
