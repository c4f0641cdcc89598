"""Processes by working directory, from /proc."""

import time
from contextlib import suppress
from pathlib import Path


def running_below(directory: Path) -> set[int]:
    """Return the processes with a working directory at or below this one."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # it has ended, or belongs to another user
            if link.readlink().is_relative_to(directory):
                found.add(int(link.parent.name))
    return found


def until_running_below(directory: Path, *, any_: bool, seconds: float = 60) -> set[int]:
    """Wait until processes run below a directory, or until none does; return them."""
    give_up = time.monotonic() + seconds
    while bool(found := running_below(directory)) != any_ and time.monotonic() < give_up:
        time.sleep(0.02)
    return found
