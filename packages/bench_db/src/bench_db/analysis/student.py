"""Student's t distribution, also in kernels, and the Benjamini-Hochberg procedure, with the standard library and NumPy only."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from bench_db.analysis.jit import Floats, compiled, compiled_as

_TINY = 1e-300
_PRECISION = 1e-15
# The approximation of Lanczos in the form of Python's `math.lgamma`, whose bits it must return: that of C differs in the last ones.
LANCZOS = 6.024680040776729583740234375
NUMERATOR = (
    23531376880.410759688572007674451636754734846804940,
    42919803642.649098768957899047001988850926355848959,
    35711959237.355668049440185451547166705960488635843,
    17921034426.037209699919755754458931112671403265390,
    6039542586.3520280050642916443072979210699388420708,
    1439720407.3117216736632230727949123939715485786372,
    248874557.86205415651146038641322942321632125127801,
    31426415.585400194380614231628318205362874684987640,
    2876370.6289353724412254090516208496135991145378768,
    186056.26539522349504029498971604569928220784236328,
    8071.6720023658162106380029022722506138218516325024,
    210.82427775157934587250973392071336271166969580291,
    2.5066282746310002701649081771338373386264310793408,
)
DENOMINATOR = (
    *(0.0, 39916800.0, 120543840.0, 150917976.0, 105258076.0, 45995730.0, 13339535.0, 2637558.0),
    *(357423.0, 32670.0, 1925.0, 66.0, 1.0),
)
TERMS = len(NUMERATOR)
LARGE = 5.0  # from here on, powers of 1 / x lose less


def lanczos(x: float) -> float:
    """Return log gamma of x > 0, with the bits of `math.lgamma`: machine code has that of C."""
    if x in (1.0, 2.0):
        return 0.0
    above = below = 0.0
    for i in range(TERMS):
        if x < LARGE:
            above, below = above * x + NUMERATOR[TERMS - 1 - i], below * x + DENOMINATOR[TERMS - 1 - i]
        else:
            above, below = above / x + NUMERATOR[i], below / x + DENOMINATOR[i]
    return math.log(above / below) - LANCZOS + (x - 0.5) * (math.log(x + LANCZOS - 0.5) - 1.0)


@compiled_as(lanczos)
def log_gamma(x: float) -> float:
    """Return log gamma of x > 0."""
    return math.lgamma(x)


@compiled
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


@compiled
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


@compiled
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
    """Return the t >= 0 with P(|T| >= t) = `two_sided`, cached: few pairs occur, again and again, and one takes 5 ms."""
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
