"""Numbers with their unit, percentages and probabilities as text: the only formatter of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeGuard

from bench_db.model import ChangeKind
from bench_db.rules import RULES
from bench_db.units import BASE_UNITS, Direction

if TYPE_CHECKING:
    from bench_db.model import Finding

SPEEDS = frozenset({"nanoseconds", "per_second", "bytes_per_second"})
"""Units of which worse is slower."""

# Shown for a result that has neither an error nor a number.
NO_VALUE = "no finite value"

_LADDERS = {
    "nanoseconds": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"), (1e-3, "ps"), (1e-6, "fs")),
    "bytes": ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "bytes_per_second": ((1e12, "TB/s"), (1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")),
    "per_second": ((1e9, "G/s"), (1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")),
}
_SMALLEST_P = 0.001
_PERCENT_WHOLE = _FACTOR_WHOLE = 100
_LONG = 1e6  # from here on a power of ten


def is_known(value: float | None) -> TypeGuard[float]:
    """Return whether there is a number: null, NaN and infinity are none."""
    return value is not None and math.isfinite(value)


def quantity(value: float | None, units: str) -> str:
    """Render four significant digits in the largest fitting unit, as in `1.432 µs`; "-" for null and what is not finite."""
    if not is_known(value):
        return "-"
    if units not in _LADDERS:
        return f"{value:.4g} {step(1.0, units)[1]}".rstrip()
    if not value:
        return f"0 {step(1.0, units)[1]}"
    scale, sign = step(abs(value), units)
    return f"{_digits(value / scale)} {sign}"


def step(size: float, units: str) -> tuple[float, str]:
    """Return the largest step of a unit that a size reaches, as its scale and sign: 1,000 and `µs` of 3,000 nanoseconds. A unit without steps has the scale 1."""
    unit = BASE_UNITS.get(units)
    steps = _LADDERS.get(units, [(1.0, units if unit is None else unit.sign)])
    return next((one for one in steps if size >= one[0]), steps[-1])


def ladders() -> dict[str, list[tuple[float, str]]]:
    """Return the scales of each stored unit, largest first, so that a page formats as this module does."""
    plain = {name: [(1.0, unit.sign)] for name, unit in BASE_UNITS.items()}
    return plain | {name: list(steps) for name, steps in _LADDERS.items()}


def _digits(value: float) -> str:
    if abs(value) < 0.1:  # noqa: PLR2004 below the smallest step of a ladder, where decimals would all be zeros
        return f"{value:.4g}"
    before = len(str(int(abs(value))))
    return f"{value:.{max(0, 4 - before)}f}"


def percent(effect: float | None) -> str:
    """Render a relative change as `+4.2 %`, and from `rules.factor_effect` on as a factor, `2,530 times`; "-" for null and NaN."""
    return "-" if effect is None or math.isnan(effect) else " ".join(_change(effect))


def share(value: float | None) -> str:
    """Render a share that has no direction, such as a spread, as `4.2 %`; "-" for null and NaN."""
    return "-" if value is None or math.isnan(value) else f"{_percentage(value)} %".lstrip("+")


def percent_with_interval(effect: float | None, low: float | None, high: float | None) -> str:
    """Render `+4.2 % (+2.9 to +5.5)`; without its interval when an end is unknown. The ends have a unit where the three differ in theirs."""
    if effect is None or low is None or high is None:
        return percent(effect)
    shown = [_change(number) for number in (effect, low, high)]
    words = 1 if len({unit for _, unit in shown}) == 1 else 2
    first, last = (" ".join(one[:words]) for one in shown[1:])
    return f"{percent(effect)} ({first} to {last})"


def change_text(finding: Finding, units: str, direction: str, *, interval: bool = False) -> str:
    """Render what changed as `+4.2 %`, `noise 1.1 % -> 4.2 %` or `slow runs 10 % -> 55 %`. `interval` adds that of a level."""
    if finding.kind == ChangeKind.SPREAD:
        return f"noise {share(finding.before)} -> {share(finding.after)}"
    if finding.kind == ChangeKind.MODES:
        worse = "slow" if units in SPEEDS else "worse"
        runs = "upper" if direction == Direction.INFO else worse
        return f"{runs} runs {_whole(finding.before)} -> {_whole(finding.after)}"
    if interval:
        return percent_with_interval(finding.effect, finding.low, finding.high)
    return percent(finding.effect)


def _whole(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.0f} %"


def _change(effect: float) -> tuple[str, str]:
    """Return the number of a relative change, and its unit."""
    if effect < RULES.factor_effect:
        return _percentage(effect), "%"
    factor = 1.0 + effect
    if factor >= _LONG:
        return f"{factor:.2e}", "times"
    return f"{factor:,.0f}" if factor >= _FACTOR_WHOLE else f"{factor:.1f}", "times"


def _percentage(effect: float) -> str:
    value = effect * 100
    if abs(value) >= _LONG:
        return f"{value:+.2e}"
    text = f"{value:+.0f}" if abs(value) >= _PERCENT_WHOLE else f"{value:+.1f}"
    return text if float(text) else text.lstrip("+-")


def probability(p_value: float | None) -> str:
    """Render two significant digits, `< 0.001` below that; "-" for null."""
    if p_value is None or math.isnan(p_value):
        return "-"
    return f"< {_SMALLEST_P}" if p_value < _SMALLEST_P else f"{p_value:.2g}"
