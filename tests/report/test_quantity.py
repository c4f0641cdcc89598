"""Numbers with their units."""

import pytest

from bench_db.report.quantity import change, quantity


class TestQuantity:
    """A number is shown with four significant digits in the largest unit that fits it."""

    @pytest.mark.parametrize(
        ("value", "units", "shown"),
        [
            (0.4321, "nanoseconds", "432.1 ps"),
            (12.5, "nanoseconds", "12.50 ns"),
            (1432.6, "nanoseconds", "1.433 µs"),
            (223_041_488_815, "nanoseconds", "223.0 s"),
            (-1500.0, "nanoseconds", "-1.500 µs"),
            (0.0, "nanoseconds", "0 ns"),
            (2_175_373_312, "bytes", "2.026 GiB"),
            (0, "bytes", "0 B"),
            (0.9912, "recall", "0.9912"),
            (3.25, "widgets", "3.25 widgets"),
            (None, "nanoseconds", "-"),
        ],
    )
    def test_shown(self, value: float | None, units: str, shown: str) -> None:
        assert quantity(value, units) == shown


class TestChange:
    """A relative change has a sign; without something to compare with there is none."""

    @pytest.mark.parametrize(
        ("new", "old", "shown"),
        [
            (110.0, 100.0, "+10.0 %"),
            (90.0, 100.0, "-10.0 %"),
            (-90.0, -100.0, "+10.0 %"),
            (1.0, 0.0, "-"),
            (1.0, None, "-"),
            (None, 1.0, "-"),
        ],
    )
    def test_shown(self, new: float | None, old: float | None, shown: str) -> None:
        assert change(new, old) == shown
