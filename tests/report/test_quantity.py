"""Numbers with their units."""

import pytest

from bench_db.report.quantity import quantity


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
