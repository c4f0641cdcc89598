"""Base units: what a stored number counts, and the direction that is better."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bench_db.errors import UserError


class Direction(StrEnum):
    """The direction in which a value improves."""

    LOWER = "lower"
    HIGHER = "higher"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A stored unit: its name, its sign in tables, and its default direction."""

    name: str
    sign: str
    direction: Direction


NANOSECONDS = Unit(name="nanoseconds", sign="ns", direction=Direction.LOWER)
BYTES = Unit(name="bytes", sign="B", direction=Direction.LOWER)
RECALL = Unit(name="recall", sign="", direction=Direction.HIGHER)
COUNT = Unit(name="count", sign="", direction=Direction.LOWER)
PER_SECOND = Unit(name="per_second", sign="/s", direction=Direction.HIGHER)
BYTES_PER_SECOND = Unit(name="bytes_per_second", sign="B/s", direction=Direction.HIGHER)
RATIO = Unit(name="ratio", sign="", direction=Direction.INFO)

BASE_UNITS = {unit.name: unit for unit in (NANOSECONDS, BYTES, RECALL, COUNT, PER_SECOND, BYTES_PER_SECOND, RATIO)}

# spelling of a tool -> (base unit, factor to the base unit)
_SPELLINGS: dict[str, tuple[Unit, float]] = {
    "fs": (NANOSECONDS, 1e-6),
    "ps": (NANOSECONDS, 1e-3),
    "ns": (NANOSECONDS, 1.0),
    "nanosecond": (NANOSECONDS, 1.0),
    "us": (NANOSECONDS, 1e3),
    "\N{MICRO SIGN}s": (NANOSECONDS, 1e3),
    "\N{GREEK SMALL LETTER MU}s": (NANOSECONDS, 1e3),
    "microseconds": (NANOSECONDS, 1e3),
    "ms": (NANOSECONDS, 1e6),
    "milliseconds": (NANOSECONDS, 1e6),
    "s": (NANOSECONDS, 1e9),
    "sec": (NANOSECONDS, 1e9),
    "second": (NANOSECONDS, 1e9),
    "seconds": (NANOSECONDS, 1e9),
    "b": (BYTES, 1.0),
    "byte": (BYTES, 1.0),
} | {name: (unit, 1.0) for name, unit in BASE_UNITS.items()}

# spelling of a size in lower case -> bytes
SIZES = {
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
    "tb": 1e12,
    "kilobytes": 1e3,
    "megabytes": 1e6,
    "gigabytes": 1e9,
    "kib": 2.0**10,
    "mib": 2.0**20,
    "gib": 2.0**30,
    "tib": 2.0**40,
}


def base_unit(spelling: str) -> tuple[Unit, float]:
    """Return the base unit of a tool's spelling, and the factor that converts its numbers to that unit.

    Raises `UserError` for an unknown spelling: a wrong scale is worse than no number.
    """
    try:
        return _SPELLINGS[spelling.lower() if spelling not in _SPELLINGS else spelling]
    except KeyError as error:
        known = ", ".join(sorted(_SPELLINGS))
        message = f"unknown unit {spelling!r}; known: {known}"
        raise UserError(message) from error


def direction_of(unit_name: str) -> Direction:
    """Return the direction of a stored unit; LOWER for a unit that bench_db does not know."""
    unit = BASE_UNITS.get(unit_name)
    return unit.direction if unit else Direction.LOWER


def is_worse(effect: float | None, direction: str) -> bool | None:
    """Return whether a relative change is for the worse; null when neither way is better or nothing moved."""
    if not effect or direction not in {Direction.LOWER, Direction.HIGHER}:
        return None
    return (effect > 0) == (direction == Direction.LOWER)
