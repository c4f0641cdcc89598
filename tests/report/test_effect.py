from __future__ import annotations

import math

import pytest

from bench_db.report.effect import percent, percent_with_interval, probability, share


@pytest.mark.parametrize(
    ("effect", "shown"),
    [
        (0.081, "+8.1 %"),
        (-0.2, "-20.0 %"),
        (0.0, "0.0 %"),
        (-0.0001, "0.0 %"),
        (1.5, "+150 %"),
        (None, "-"),
        (math.nan, "-"),
    ],
)
def test_percent(effect: float | None, shown: str) -> None:
    assert percent(effect) == shown


def test_interval() -> None:
    assert percent_with_interval(0.081, 0.052, 0.11) == "+8.1 % (+5.2 to +11.0)"
    assert percent_with_interval(0.081, None, 0.11) == "+8.1 %"


@pytest.mark.parametrize(
    ("p_value", "shown"), [(0.5, "0.5"), (0.0123, "0.012"), (1e-9, "< 0.001"), (None, "-"), (math.nan, "-")]
)
def test_probability(p_value: float | None, shown: str) -> None:
    assert probability(p_value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.02, "2.0 %"), (1.5, "150 %"), (0.0, "0.0 %"), (None, "-")])
def test_share(value: float | None, shown: str) -> None:
    assert share(value) == shown
