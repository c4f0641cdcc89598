"""The constants of the change-point detector that no user meets; docs/statistics.md gives the source of each."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bench_db.rules import RULES


class Constants(NamedTuple):
    """Constants of detection; lengths are in points of the series, `scale` means one local noise scale, effects are on the log scale."""

    minimum_points: int = RULES.detection_runs  # a shorter series is never split
    scale_reach: int = 12  # points on either side for the local noise scale
    scale_floor: float = 0.5  # of the noise scale of the whole series
    effect_floor: float = 0.05  # noise scales below this share of the minimum effect cannot matter
    median_reach: int = 3  # points on either side of the running median
    winsor: float = 2.5  # scales beyond the running median
    inflation_blocks: int = 8  # longest block
    inflation_most: float = 2.5
    inflation_passes: int = 3
    doubt: float = (
        10.0  # points; the inflation is at least 1 + doubt / n, because a short history cannot show its autocorrelation
    )
    tail: int = 3  # fewest points after a change
    squares_penalty: float = 3.0
    fourier_penalty: float = 1.5
    narrow: float = 1.5  # bandwidths in noise scales of the whole series
    wide: float = 4.0
    reach: int = 20  # points on either side in the test of a change
    prior: float = 8.0  # degrees of freedom of the local noise scale in that test
    shortest: int = 5  # points of an excursion that counts as two changes
    minimum_effect: float = 0.01
    precedent: float = 0.6  # share of the change that an earlier stretch of half the length must have gone
    precedent_most: int = 12  # points of the stretches looked for
    slope: float = 1.1  # how much worse than a step a straight line must fit,
    beside: float = 4.0  # or how many standard errors the step must have beside a line
    squares_alpha: float = 0.003
    fourier_alpha: float = 0.05
    alpha: float = 0.05
    squares: bool = True  # whether the least-squares branch takes part


class Profile(StrEnum):
    """How readily a change is reported; `quiet` leaves out the least-squares branch."""

    QUIET = "quiet"
    DEFAULT = "default"
    STRICT = "strict"
    SENSITIVE = "sensitive"


PROFILES = {
    Profile.QUIET: Constants(squares=False, alpha=0.01, fourier_alpha=0.01),
    Profile.DEFAULT: Constants(),
    Profile.STRICT: Constants(squares_alpha=0.001, fourier_alpha=0.001, alpha=0.001),
    Profile.SENSITIVE: Constants(squares_alpha=0.05, squares_penalty=2.0, fourier_penalty=1.2, inflation_most=1.8),
}


def for_scan(profile: Profile) -> Constants:
    """Return the constants for many series at once, where a few sticky or drifting ones would be most of the findings.

    The noise is inflated by blocks of up to 16 points and before any step is taken out, far more in a short history, and a
    recurring mode of any length counts, if it goes 40 % of the way.
    """
    return PROFILES[profile]._replace(
        inflation_passes=1,
        inflation_blocks=16,
        inflation_most=3.0,
        doubt=80.0,
        precedent=0.4,
        precedent_most=1_000_000_000,
        slope=1.2,
        fourier_penalty=2.0,
    )
