"""Processes by where they run, as /proc tells it."""

import time
from contextlib import suppress
from pathlib import Path


def running_below(directory: Path) -> set[int]:
    """The processes whose working directory is this one or one below it."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # it has ended, or is somebody else's
            if link.readlink().is_relative_to(directory):
                found.add(int(link.parent.name))
    return found


def until_running_below(directory: Path, *, any_: bool, seconds: float = 60) -> set[int]:
    """The processes there, waited for until there are some, or until there is none."""
    give_up = time.monotonic() + seconds
    while bool(found := running_below(directory)) != any_ and time.monotonic() < give_up:
        time.sleep(0.02)
    return found
