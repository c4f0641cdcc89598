"""Machine code has the log gamma of Python."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from bench_db.analysis.student_kernel import lanczos


class TestLanczos:
    """The approximation has the bits of Python's own."""

    @given(x=st.floats(1e-3, 1e9) | st.integers(1, 999).map(lambda k: k / 2))
    def test_log_gamma(self, x: float) -> None:
        assert lanczos(x) == math.lgamma(x)
