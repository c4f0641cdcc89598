"""A number with its unit, as people read it."""

from __future__ import annotations

import math
from typing import TypeGuard

from bench_db.units import BASE_UNITS

# What is said of a result that has neither an error nor a number.
NO_VALUE = "no finite value"

_LADDERS = {
    "nanoseconds": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"), (1e-3, "ps"), (1e-6, "fs")),
    "bytes": ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "bytes_per_second": ((1e12, "TB/s"), (1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")),
    "per_second": ((1e9, "G/s"), (1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")),
}


def is_known(value: float | None) -> TypeGuard[float]:
    """Whether there is a number: null, NaN and infinity are none."""
    return value is not None and math.isfinite(value)


def quantity(value: float | None, units: str) -> str:
    """Four significant digits and the largest fitting unit, as in `1.432 µs`; "-" for null and what is not finite."""
    if not is_known(value):
        return "-"
    ladder = _LADDERS.get(units)
    if ladder is None:
        unit = BASE_UNITS.get(units)
        sign = units if unit is None else unit.sign
        return f"{value:.4g} {sign}".rstrip()
    size = abs(value)
    if not value:
        return f"0 {dict(ladder)[1.0]}"
    scale, sign = next((step for step in ladder if size >= step[0]), ladder[-1])
    return f"{_digits(value / scale)} {sign}"


def ladders() -> dict[str, list[tuple[float, str]]]:
    """For each stored unit the scales it is read in, largest first, so that a page formats as this module does."""
    plain = {name: [(1.0, unit.sign)] for name, unit in BASE_UNITS.items()}
    return plain | {name: list(steps) for name, steps in _LADDERS.items()}


def _digits(value: float) -> str:
    before = len(str(int(abs(value))))
    return f"{value:.{max(0, 4 - before)}f}"
