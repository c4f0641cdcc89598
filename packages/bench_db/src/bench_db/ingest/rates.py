"""Units of two parts, such as ns/op, ops/us or MB/s: the cost of one operation, or operations in a time."""

from __future__ import annotations

import re

from bench_db.errors import UserError
from bench_db.ingest.reading import RefusedError, SkipReason
from bench_db.units import BYTES, BYTES_PER_SECOND, COUNT, NANOSECONDS, PER_SECOND, SIZES, Direction, Unit, base_unit

_SECOND = 1e9
_TIMES = {"nsec": 1.0, "usec": 1e3, "msec": 1e6, "min": 60e9, "hr": 3600e9, "day": 86400e9}
_COUNTED = {
    "#",
    "counts",
    "allocs",
    "ops",
    "op",
    "operations",
    "iter",
    "iters",
    "iterations",
    "items",
    "requests",
    "req",
    "reqs",
    "calls",
    "elements",
    "events",
    "messages",
    "queries",
    "records",
    "rows",
    "transactions",
}
_EACH = {"op", "ops", "operation", "iter", "iteration", "call", "item", "request"}


# The metric of a benchmark whose source names no metric.
_METRICS = {
    NANOSECONDS: "time",
    BYTES: "memory",
    PER_SECOND: "throughput",
    BYTES_PER_SECOND: "throughput",
    COUNT: "count",
}


def metric_of(unit: Unit) -> str:
    """Return the metric that a unit measures, `value` where it may be any."""
    return _METRICS.get(unit, "value")


def measured(spelling: str) -> tuple[Unit, float]:
    """Return base unit and factor of a unit as a tool spells it. Raises `UserError` for an unknown unit."""
    top, slash, bottom = (part.strip() for part in spelling.rpartition("/"))
    if not slash:
        return _simple(bottom)
    if bottom.lower() in _EACH:
        return _simple(top)
    unit, seconds = _simple(bottom)
    if unit != NANOSECONDS:
        message = f"unknown unit {spelling!r}"
        raise UserError(message)
    counted = (COUNT, 1.0) if top.lower() in _COUNTED else _simple(top)
    rates = {COUNT.name: PER_SECOND, BYTES.name: BYTES_PER_SECOND}
    if counted[0].name not in rates:
        message = f"unknown unit {spelling!r}"
        raise UserError(message)
    return rates[counted[0].name], counted[1] * _SECOND / seconds


def required(spelling: str, *, at: str) -> tuple[Unit, float]:
    """Return base unit and factor as `measured` does. Raises `RefusedError` for an unknown unit, which costs the benchmark."""
    try:
        return measured(spelling)
    except UserError as error:
        raise RefusedError(SkipReason.UNKNOWN_UNIT, f"unit {spelling[:40]!r} at {at}") from error


def as_spelled(spelling: str) -> tuple[Unit, float]:
    """Return base unit and factor as `measured` does. An unknown unit is kept by name, unscaled and without a direction."""
    try:
        return measured(spelling)
    except UserError:
        return Unit(name=spelling, sign=spelling, direction=Direction.INFO), 1.0


_BYTES = r"(bytes|[kmgt]i?b)"
_RATE = re.compile(r"(.+)_per_([nu\u00b5\u03bcm]?s|sec|second|min)", re.IGNORECASE)
_RATIO = re.compile(r"(?:.+[_.])?per_[^_.]+", re.IGNORECASE)
_TIME = re.compile(r"(.+)_([nu\u00b5\u03bcm]?s|sec|(?:nano|micro|milli)?seconds)", re.IGNORECASE)
_SIZE = re.compile(rf"(.+)_{_BYTES}", re.IGNORECASE)
_SIZE_ALONE = re.compile(rf"(.+\.)?{_BYTES}", re.IGNORECASE)


def suffixed(field: str) -> tuple[str, Unit, float] | None:
    """Return the metric, base unit and factor that the name of a field states by its suffix, such as `p99_ms`; None without one.

    The suffix of a time or a size is not part of the metric. That of another rate is, as it says what is counted: `tokens_per_s`,
    also for `tokens_per_ms`, as the factor makes these tokens per second. Any other ratio, such as `reads_per_kb`, states no unit.
    """
    if rate := _RATE.fullmatch(field):
        return _rate(field, *rate.groups())
    found = None if _RATIO.fullmatch(field) else _TIME.fullmatch(field) or _SIZE.fullmatch(field)
    return (found[1], *measured(found[2])) if found else None


def _rate(field: str, counted: str, time: str) -> tuple[str, Unit, float]:
    if size := _SIZE.fullmatch(counted):
        return (size[1], *measured(f"{size[2]}/{time}"))
    size = _SIZE_ALONE.fullmatch(counted)
    unit, factor = measured(f"{size[2] if size else 'ops'}/{time}")
    metric = f"{size[1] or ''}bytes" if size else counted
    return field if factor == 1 else f"{metric}_per_s", unit, factor


def _simple(spelling: str) -> tuple[Unit, float]:
    lowered = spelling.lower()
    if lowered in _TIMES:
        return NANOSECONDS, _TIMES[lowered]
    if lowered in _COUNTED:
        return COUNT, 1.0
    if lowered in SIZES:
        return BYTES, SIZES[lowered]
    return base_unit(spelling)
