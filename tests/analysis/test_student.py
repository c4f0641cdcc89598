"""Small distributions against scipy, and Benjamini-Hochberg against its definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.analysis.student import benjamini_hochberg, lanczos, t_quantile, two_sided_p

degrees = st.floats(1, 1e4)


@pytest.fixture(scope="module")
def scipy_stats() -> Any:
    """Import scipy for these tests alone: each worker collects them, and its import takes 1.6 s of CPU."""
    return pytest.importorskip("scipy.stats")


class TestStudent:
    """The t distribution agrees with scipy's."""

    @given(t=st.floats(1e-3, 1e3), df=degrees)
    def test_p_value(self, scipy_stats: Any, t: float, df: float) -> None:
        expected = 2 * scipy_stats.t.sf(t, df)
        assert two_sided_p(t, df) == pytest.approx(expected, rel=1e-8, abs=1e-290)
        assert two_sided_p(-t, df) == two_sided_p(t, df)

    @given(p=st.floats(1e-12, 0.999), df=degrees)
    def test_quantile_is_the_inverse(self, p: float, df: float) -> None:
        assert two_sided_p(t_quantile(p, df), df) == pytest.approx(p, rel=1e-9)

    @pytest.mark.parametrize("df", [1, 2, 3, 4, 9, 19, 30, 1000])
    def test_quantile(self, scipy_stats: Any, df: int) -> None:
        assert t_quantile(0.05, df) == pytest.approx(scipy_stats.t.isf(0.025, df), rel=1e-10)

    def test_ends(self) -> None:
        assert two_sided_p(0.0, 5) == 1.0
        assert two_sided_p(math.inf, 5) == 0.0
        assert two_sided_p(1e200, 5) == 0.0
        assert math.isnan(two_sided_p(math.nan, 5))


def textbook(p_values: list[float], rate: float) -> set[int]:
    """Reject the k smallest, for the largest k with p(k) <= k rate / m."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    passing = [k for k, i in enumerate(order, 1) if p_values[i] <= k * rate / len(p_values)]
    return set(order[: max(passing, default=0)])


class TestBenjaminiHochberg:
    """Rejecting q-values at or below a rate is the procedure of the paper."""

    # multiples of 2^-20, so that rounding decides no comparison
    @given(
        p=st.lists(st.integers(0, 2**20).map(lambda k: k / 2**20), max_size=40), rate=st.sampled_from([0.01, 0.05, 0.2])
    )
    def test_as_the_textbook(self, p: list[float], rate: float) -> None:
        adjusted = benjamini_hochberg(np.array(p))
        ours = {i for i, q in enumerate(adjusted) if q <= rate}
        near = {i for i, q in enumerate(adjusted) if abs(q - rate) < 1e-12}
        assert ours - near == textbook(p, rate) - near

    @given(p=st.lists(st.floats(0, 1), min_size=1, max_size=40), ones=st.integers(0, 30))
    def test_ones_may_be_left_out(self, p: list[float], ones: int) -> None:
        whole = benjamini_hochberg(np.array(p + [1.0] * ones))
        np.testing.assert_allclose(benjamini_hochberg(np.array(p), len(p) + ones), whole[: len(p)])

    def test_nothing(self) -> None:
        assert len(benjamini_hochberg(np.array([]))) == 0


class TestLanczos:
    """The approximation has the bits of Python's own."""

    @given(x=st.floats(1e-3, 1e9) | st.integers(1, 999).map(lambda k: k / 2))
    def test_log_gamma(self, x: float) -> None:
        assert lanczos(x) == math.lgamma(x)
