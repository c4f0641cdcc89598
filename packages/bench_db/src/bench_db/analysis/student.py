"""Student's t distribution and the Benjamini-Hochberg procedure, with the standard library and NumPy only."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

_TINY = 1e-300
_PRECISION = 1e-15


def log_gamma(x: float) -> float:
    """Return log gamma of x > 0, of which kernels have a form of their own."""
    return math.lgamma(x)


def beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method."""
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, 10_000):
        for odd in range(2):
            if odd:
                term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
            else:
                term = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
            d, c = 1.0 + term * d, 1.0 + term / c
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            value *= d * c
        if abs(d * c - 1.0) < _PRECISION:
            break
    return value


def two_sided_p(t: float, df: float) -> float:
    """Return P(|T| >= |t|) for T of `df` degrees of freedom: I_x(df / 2, 1 / 2) at x = df / (df + t^2) (DLMF 8.17). NaN for NaN."""
    if math.isnan(t):
        return math.nan
    if t == 0.0:
        return 1.0
    share = t / math.sqrt(df) * t / math.sqrt(df)
    if share == 0.0 or math.isinf(share):
        return 0.0 if share > 0.0 else 1.0
    a, b = 0.5 * df, 0.5
    x, y = 1.0 / (1.0 + share), share / (1.0 + share)
    front = log_gamma(a + b) - log_gamma(a) - log_gamma(b) - a * math.log1p(share) + b * math.log(y)
    if x < (a + 1.0) / (a + b + 2.0):
        return float(min(1.0, math.exp(front) * beta_fraction(a, b, x) / a))
    return float(max(0.0, 1.0 - math.exp(front) * beta_fraction(b, a, y) / b))


def quantile(two_sided: float, df: float) -> float:
    """Return the t >= 0 with P(|T| >= t) = `two_sided`, 0 < two_sided <= 1, by bisection to the last bit or two."""
    low, high = 0.0, 1.0
    while two_sided_p(high, df) > two_sided:
        low, high = high, 2.0 * high
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if two_sided_p(middle, df) > two_sided:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@cache
def t_quantile(two_sided: float, df: float) -> float:
    """Return the t >= 0 with P(|T| >= t) = `two_sided`, cached, because few pairs occur."""
    return quantile(two_sided, df)


def benjamini_hochberg(p_values: Floats, tested: int | None = None) -> Floats:
    """Return adjusted p-values (q-values), in the given order: min over j >= i of p(j) m / j (Benjamini and Hochberg 1995).

    `tested` is m, if the tests with p = 1 are omitted. An empty array gives an empty array.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    raw = p[order] * (len(p) if tested is None else tested) / np.arange(1, len(p) + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(raw[::-1])[::-1])
    return adjusted
