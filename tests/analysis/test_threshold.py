from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench_db.analysis.threshold import exact, within_threshold
from bench_db.model import Verdict
from bench_db.units import Direction

HIGHER, LOWER = Direction.HIGHER, Direction.LOWER
UNIT_FACTORS = (1.0, 1e3, 1e6, 1e9, 2.0**10)


class TestThreshold:
    """A change of exactly the threshold is no regression, and any larger one is."""

    @pytest.mark.parametrize(
        ("before", "after", "threshold", "direction", "verdict"),
        [
            (100.0, 102.0, 0.02, LOWER, Verdict.UNCHANGED),
            (0.7, 0.735, 0.05, LOWER, Verdict.UNCHANGED),
            (1.1, 1.155, 0.05, LOWER, Verdict.UNCHANGED),
            (0.3, 0.3 * 1.1, 0.1, LOWER, Verdict.UNCHANGED),
            (100.0, 98.0, 0.02, HIGHER, Verdict.UNCHANGED),
            (-100.0, -98.0, 0.02, LOWER, Verdict.UNCHANGED),
            (100.0, 102.000001, 0.02, LOWER, Verdict.REGRESSED),
            (100.0, 97.999999, 0.02, HIGHER, Verdict.REGRESSED),
            (100.0, 97.999999, 0.02, LOWER, Verdict.IMPROVED),
            (100.0, 200.0, 0.02, Direction.INFO, Verdict.UNCHANGED),
            (100.0, 100.0, 0.0, LOWER, Verdict.UNCHANGED),
            (100.0, 100.1, 0.0, LOWER, Verdict.REGRESSED),
            (0.0, 0.0, 0.05, LOWER, Verdict.UNCHANGED),
            (0.0, 1e-9, 0.05, LOWER, Verdict.REGRESSED),
            (5.0, 0.0, 0.05, HIGHER, Verdict.REGRESSED),
        ],
    )
    def test_verdict(
        self, before: float, after: float, threshold: float, direction: Direction, verdict: Verdict
    ) -> None:
        found = within_threshold([after], [before], direction, threshold=threshold)
        assert found.verdict is verdict
        assert found.p_value is None

    @example(124_996, 2, 1024.0, (LOWER, 1))
    @given(
        st.integers(1, 10**6),
        st.integers(0, 5000),
        st.sampled_from(UNIT_FACTORS),
        st.sampled_from([(LOWER, 1), (HIGHER, -1)]),
    )
    def test_decimals(self, thousandths: int, per_myriad: int, factor: float, way: tuple[Direction, int]) -> None:
        direction, sign = way
        before, share = Decimal(thousandths) / 1000, Decimal(per_myriad) / 10_000
        at, beyond = before * (1 + sign * share), before * (1 + sign * (share + Decimal("1e-7")))
        threshold = float(share)
        baseline = [float(before) * factor] * 2
        at_it = within_threshold([float(at) * factor], baseline, direction, threshold=threshold)
        over_it = within_threshold([float(beyond) * factor], baseline, direction, threshold=threshold)
        assert (at_it.verdict, over_it.verdict) == (Verdict.UNCHANGED, Verdict.REGRESSED)

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_a_decimal_of_twelve_digits_is_itself(self, number: float) -> None:
        assert math.isclose(float(exact(number)), number, rel_tol=1e-11, abs_tol=5e-324)


class TestWithoutNumber:
    """A side without a finite value has a separate verdict; one run on each side is enough for a comparison."""

    @pytest.mark.parametrize(
        ("candidate", "baseline", "failed", "verdict"),
        [
            ([math.nan], [1.0], True, Verdict.FAILED),
            ([], [1.0], False, Verdict.MISSING),
            ([1.0], [], False, Verdict.NEW),
            ([1.0], [math.nan, math.inf], False, Verdict.NEW),
            ([1.0, math.nan], [1.0, math.inf], True, Verdict.UNCHANGED),
        ],
    )
    def test_verdict(self, candidate: list[float], baseline: list[float], *, failed: bool, verdict: Verdict) -> None:
        assert within_threshold(candidate, baseline, threshold=0.05, failed=failed).verdict is verdict
