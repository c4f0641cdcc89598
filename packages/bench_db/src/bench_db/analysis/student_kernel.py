"""Kernel: Student's t distribution."""

from __future__ import annotations

import math

from bench_db.analysis.jit import compiled, compiled_as
from bench_db.analysis.student import beta_fraction, log_gamma, quantile, two_sided_p

__all__ = ["t_quantile", "two_sided_p"]

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


def lanczos(x: float) -> float:
    """Return log gamma of x > 0."""
    if x in (1.0, 2.0):
        return 0.0
    above = below = 0.0
    for i in range(TERMS):
        if x < 5.0:
            above, below = above * x + NUMERATOR[TERMS - 1 - i], below * x + DENOMINATOR[TERMS - 1 - i]
        else:
            above, below = above / x + NUMERATOR[i], below / x + DENOMINATOR[i]
    return math.log(above / below) - LANCZOS + (x - 0.5) * (math.log(x + LANCZOS - 0.5) - 1.0)


compiled_as(lanczos)(log_gamma)
compiled(beta_fraction)
compiled(two_sided_p)
t_quantile = compiled(quantile)
