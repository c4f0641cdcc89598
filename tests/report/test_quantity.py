"""Numbers with their units."""

import math

import pytest

from bench_db.model import ChangeKind
from bench_db.report.quantity import change_text, percent, percent_with_interval, probability, quantity, share, step
from tests.report.examples import found


class TestQuantity:
    """A number is shown with four significant digits in the largest unit that fits it."""

    @pytest.mark.parametrize(
        ("value", "units", "shown"),
        [
            (0.4321, "nanoseconds", "432.1 ps"),
            (12.5, "nanoseconds", "12.50 ns"),
            (1432.6, "nanoseconds", "1.433 µs"),
            (16_529_400.0, "nanoseconds", "16.53 ms"),
            (223_041_488_815, "nanoseconds", "223.0 s"),
            (-1500.0, "nanoseconds", "-1.500 µs"),
            (0.0, "nanoseconds", "0 ns"),
            (2_175_373_312, "bytes", "2.026 GiB"),
            (0, "bytes", "0 B"),
            (0.9912, "recall", "0.9912"),
            (3.25, "widgets", "3.25 widgets"),
            (0.5, "per_second", "0.500 /s"),
            (6.1234e-5, "per_second", "6.123e-05 /s"),
            (3.2e-9, "nanoseconds", "0.0032 fs"),
            (None, "nanoseconds", "-"),
        ],
    )
    def test_shown(self, value: float | None, units: str, shown: str) -> None:
        assert quantity(value, units) == shown


@pytest.mark.parametrize(
    ("effect", "shown"),
    [
        (0.081, "+8.1 %"),
        (-0.2, "-20.0 %"),
        (0.0, "0.0 %"),
        (-0.0001, "0.0 %"),
        (1.5, "+150 %"),
        (9.99, "+999 %"),
        (10.0, "11.0 times"),
        (2529.43, "2,530 times"),
        (1e6, "1.00e+06 times"),
        (1e304, "1.00e+304 times"),
        (-15.0, "-1500 %"),
        (-1e300, "-1.00e+302 %"),
        (None, "-"),
        (math.nan, "-"),
    ],
)
def test_percent(effect: float | None, shown: str) -> None:
    assert percent(effect) == shown


def test_interval() -> None:
    assert percent_with_interval(0.081, 0.052, 0.11) == "+8.1 % (+5.2 to +11.0)"
    assert percent_with_interval(0.081, None, 0.11) == "+8.1 %"
    assert percent_with_interval(99.0, 49.0, 199.0) == "100 times (50.0 to 200)"
    assert percent_with_interval(11.0, 0.5, 19.0) == "12.0 times (+50.0 % to 20.0 times)"
    assert percent_with_interval(0.5, -0.9, 19.0) == "+50.0 % (-90.0 % to 20.0 times)"


@pytest.mark.parametrize(
    ("p_value", "shown"), [(0.5, "0.5"), (0.0123, "0.012"), (1e-9, "< 0.001"), (None, "-"), (math.nan, "-")]
)
def test_probability(p_value: float | None, shown: str) -> None:
    assert probability(p_value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.02, "2.0 %"), (1.5, "150 %"), (15.0, "1500 %"), (0.0, "0.0 %"), (None, "-")]
)
def test_share(value: float | None, shown: str) -> None:
    assert share(value) == shown


@pytest.mark.parametrize(
    ("kind", "units", "direction", "shown"),
    [
        (ChangeKind.LEVEL, "nanoseconds", "lower", "+10.0 %"),
        (ChangeKind.SPREAD, "nanoseconds", "lower", "noise 10.0 % -> 55.0 %"),
        (ChangeKind.MODES, "nanoseconds", "lower", "slow runs 10 % -> 55 %"),
        (ChangeKind.MODES, "per_second", "higher", "slow runs 10 % -> 55 %"),
        (ChangeKind.MODES, "bytes", "lower", "worse runs 10 % -> 55 %"),
        (ChangeKind.MODES, "count", "info", "upper runs 10 % -> 55 %"),
    ],
)
def test_change(kind: ChangeKind, units: str, direction: str, shown: str) -> None:
    effect = 0.1 if kind is ChangeKind.LEVEL else None
    finding = found("f", 1, 2, kind=kind, effect=effect, before=0.1, after=0.55)
    assert change_text(finding, units, direction) == shown
    interval = shown.replace("+10.0 %", "+10.0 % (+7.0 to +13.0)")
    assert change_text(finding, units, direction, interval=True) == interval


class TestStep:
    """A step is the largest that a size reaches; a unit without steps keeps its numbers."""

    @pytest.mark.parametrize(
        ("size", "units", "found"),
        [
            (3e3, "nanoseconds", (1e3, "µs")),
            (999.0, "nanoseconds", (1.0, "ns")),
            (1e-9, "nanoseconds", (1e-6, "fs")),
            (2.0**20, "bytes", (2.0**20, "MiB")),
            (5e9, "widgets", (1.0, "widgets")),
        ],
    )
    def test_sizes(self, size: float, units: str, found: tuple[float, str]) -> None:
        assert step(size, units) == found
