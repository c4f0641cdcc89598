"""The number of threads of the statistics: all cores that this process may use, unless a user asks for another number."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_asked: list[int] = []


def threads() -> int:
    """Return how many threads the statistics use: the number that was asked for, else `cores`."""
    return _asked[-1] if _asked else cores()


def use(count: int) -> None:
    """Let the statistics of this process use so many threads."""
    _asked[:] = [count]


def cores() -> int:
    """Return how many cores this process may use, at least 1: those of its affinity, within the limit of its container."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, quota(_OWN, _CGROUPS) or allowed))


def quota(own: Path, root: Path) -> int | None:
    """Return the CPU limit of cgroup v2 in whole cores, rounded up; None without one.

    `own` is /proc/self/cgroup and `root` where cgroups are mounted. The limits of the groups above count, too.
    """
    try:
        group = next(line[3:] for line in own.read_text("utf-8").splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    inside = root / group.lstrip("/")
    limits = [_limit(at / "cpu.max") for at in (inside, *inside.parents) if at.is_relative_to(root)]
    return min((limit for limit in limits if limit is not None), default=None)


def _limit(file: Path) -> int | None:
    """Return the limit of one group: `max 100000` is none, and `150000 100000` is 2 cores."""
    try:
        most, period = file.read_text("utf-8").split()
        return None if most == "max" else max(1, math.ceil(int(most) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return None
