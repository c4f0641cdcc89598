"""Relative changes, their intervals and probabilities as text: the only formatter of percentages."""

from __future__ import annotations

import math

_SMALLEST_P = 0.001
_PERCENT_WHOLE = 100


def percent(effect: float | None) -> str:
    """Render a relative change as `+4.2 %`; "-" for null and NaN."""
    return "-" if effect is None or math.isnan(effect) else f"{_number(effect)} %"


def share(value: float | None) -> str:
    """Render a share that has no direction, such as a spread, as `4.2 %`; "-" for null and NaN."""
    return percent(value).lstrip("+")


def percent_with_interval(effect: float | None, low: float | None, high: float | None) -> str:
    """Render `+4.2 % (+2.9 to +5.5)`; without its interval when an end is unknown."""
    if effect is None or low is None or high is None:
        return percent(effect)
    return f"{percent(effect)} ({_number(low)} to {_number(high)})"


def _number(effect: float) -> str:
    value = effect * 100
    text = f"{value:+.0f}" if abs(value) >= _PERCENT_WHOLE else f"{value:+.1f}"
    return text if float(text) else text.lstrip("+-")


def probability(p_value: float | None) -> str:
    """Render two significant digits, `< 0.001` below that; "-" for null."""
    if p_value is None or math.isnan(p_value):
        return "-"
    return f"< {_SMALLEST_P}" if p_value < _SMALLEST_P else f"{p_value:.2g}"
