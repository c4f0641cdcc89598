"""Numbers of tools as samples: finite, of the right sign, per iteration and in a base unit, or refused with a reason."""

from __future__ import annotations

import re
from math import isfinite
from struct import error as struct_error
from struct import pack
from typing import TYPE_CHECKING

import numpy as np

from bench_db.arrow import samples_of
from bench_db.errors import UserError
from bench_db.ingest.reading import RefusedError, SkipReason
from bench_db.model import Samples, SummaryValues
from bench_db.units import Unit, base_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
_LITERALS = {"NaN", "Infinity", "-Infinity", "+INF", "-INF"}  # the last two are Java's
_LARGEST_COUNT = 2**63


def scaled(values: Sequence[float], factor: float, *, at: str, signed: bool = False) -> Samples:
    """Return samples of finite numbers, not negative unless `signed`; `at` is the JSON path of the list."""
    if (
        len(values) == 1
    ):  # the usual list of tools that print a figure a benchmark, for which the calls of NumPy are slow
        return Samples((_one(values[0], factor, at=at, signed=signed),))
    return _per_iteration(_floats(values, at), factor, at=at, signed=signed)


def _one(value: float, factor: float, *, at: str, signed: bool) -> float:
    try:
        sample = value * factor
    except OverflowError as error:
        raise _too_large(at) from error
    if not isfinite(sample):
        raise _no_sample(0, at)
    if sample < 0 and not signed:
        raise _negative(0, value, at)
    return sample


def _too_large(at: str) -> RefusedError:
    return RefusedError(SkipReason.OUT_OF_RANGE, f"a number does not fit a float64 at {at}")


def _no_sample(index: int, at: str) -> RefusedError:
    return RefusedError(SkipReason.OUT_OF_RANGE, f"sample {index + 1} does not fit a float64 at {at}")


def _negative(index: int, value: float, at: str) -> RefusedError:
    return RefusedError(SkipReason.NEGATIVE_TIME, f"sample {index + 1} is negative ({value:g}) at {at}")


def stated(figures: Mapping[str, float | None], factor: float, *, at: str, signed: bool = False) -> SummaryValues:
    """Return the statistics of a tool, by their names in `SummaryValues`. A lone mean or median is used for both."""
    known = {
        name: scaled([f], factor, at=f"{at} ({name})", signed=signed)[0] for name, f in figures.items() if f is not None
    }
    central = known.get("median", known.get("mean"))
    if central is None:
        raise RefusedError(SkipReason.NO_STATISTICS, f"neither samples nor a mean or median at {at}")
    return SummaryValues(**{"median": central, "mean": central, **known})


def per_iteration(totals: Sequence[float], counts: Sequence[float], factor: float) -> tuple[Samples, tuple[int, ...]]:
    """Divide batch totals by their iteration counts. Return the values and the counts."""
    if len(totals) != len(counts):
        reason = f"{len(totals)} measured values but {len(counts)} iteration counts"
        raise RefusedError(SkipReason.LENGTH_MISMATCH, reason)
    if not totals:
        raise RefusedError(SkipReason.NO_STATISTICS, "no samples")
    iterations = _floats(counts, "the iteration counts")
    if not ((iterations >= 1) & (iterations < _LARGEST_COUNT) & (iterations == np.floor(iterations))).all():
        raise RefusedError(SkipReason.ZERO_ITERATIONS, "an iteration count is not a whole number of at least 1")
    values = _per_iteration(_floats(totals, "the measured values"), factor, iterations, at="the measured values")
    return values, tuple(int(count) for count in counts)


def _floats(values: Sequence[float], at: str) -> _Floats:
    try:
        return np.frombuffer(pack(f"{len(values)}d", *values))  # a third of the time of np.asarray on a list of floats
    except (OverflowError, struct_error) as error:
        raise _too_large(at) from error


def _per_iteration(
    totals: _Floats, factor: float, iterations: _Floats | int = 1, *, at: str, signed: bool = False
) -> Samples:
    with np.errstate(over="ignore"):
        values = totals * factor / iterations
    if not np.isfinite(values).all():
        raise _no_sample(int(np.flatnonzero(~np.isfinite(values))[0]), at)
    if values.size and values.min() < 0 and not signed:
        first = int(np.flatnonzero(values < 0)[0])
        raise _negative(first, totals[first], at)
    return samples_of(values)


def number(value: object, *, at: str) -> float:
    """Return a foreign value as a finite float. Raises `RefusedError` for booleans, texts and NaN."""
    if isinstance(value, str) and value in _LITERALS:
        raise RefusedError(SkipReason.NOT_FINITE, f"{value} at {at}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError(SkipReason.NOT_A_NUMBER, f"{_shown(value)} at {at}")
    try:
        return float(value)
    except OverflowError as error:
        raise _too_large(at) from error


_TEXT = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,4})?\s*", re.ASCII)


def written(value: object, *, at: str) -> tuple[float, bool]:
    """Return a foreign value as a finite float, and whether it is a text: scripts quote numbers. Raises as `number` does."""
    is_text = isinstance(value, str) and _TEXT.fullmatch(value) is not None
    return number(float(value) if is_text and isinstance(value, str) else value, at=at), is_text


def note_on_texts(names: Sequence[str]) -> tuple[str, ...]:
    """Return the note on benchmarks whose numbers are texts, none without such benchmarks."""
    if not names:
        return ()
    what = "1 value is a text" if len(names) == 1 else f"{len(names)} values are texts"
    read = "was read as a number" if len(names) == 1 else "were read as numbers"
    return (f'{what}, such as "12.5", and {read}; first of {names[0]}',)


def count(value: object) -> int | None:
    """Return a count from 1 that fits an int64, None for anything else."""
    return value if type(value) is int and 0 < value < _LARGEST_COUNT else None


def interval(lower: object, upper: object, factor: float) -> tuple[float | None, float | None]:
    """Return the bounds of a tool in a base unit, None for both where one is no finite number."""
    try:
        low, high = number(lower, at="the interval") * factor, number(upper, at="the interval") * factor
    except RefusedError:
        return None, None
    return (low, high) if isfinite(low) and isfinite(high) else (None, None)


def first_not_a_number(values: Sequence[object], *, at: str) -> RefusedError | None:
    """Return the refusal of the first entry that is no finite number, None when all are."""
    for index, value in enumerate(values):
        try:
            number(value, at=f"{at}[{index}]")
        except RefusedError as refused:
            return refused
    return None


def unit_of(spelling: str) -> tuple[Unit, float]:
    """Return base unit and factor of a unit as a tool spells it. Raises `RefusedError` for an unknown unit."""
    try:
        return base_unit(spelling)
    except UserError as error:
        raise RefusedError(SkipReason.UNKNOWN_UNIT, f"unit {_shown(spelling)}") from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."  # noqa: PLR2004 one line of a note
