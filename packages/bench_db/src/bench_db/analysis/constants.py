"""The constants of the change-point detector that no user meets; docs/statistics.md gives the source of each."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bench_db.rules import RULES


class Constants(NamedTuple):
    """Constants of detection; lengths are in points of the series, `scale` means one local noise scale, effects are on the log scale."""

    minimum_points: int = RULES.detection_runs  # a shorter series is never split
    scale_reach: int = 24  # points on either side for the local noise scale
    scale_floor: float = 0.5  # of the noise scale of the whole series
    rounding: float = 1e-6  # smaller differences are rounding: the least noise scale, and the least change
    median_reach: int = 3  # points on either side of the running median
    winsor: float = 2.0  # scales beyond the running median
    inflation_blocks: int = 16  # longest block
    inflation_most: float = 3.0
    autoregressive: bool = False  # whether the inflation is at least that of an autoregression at its upper bound,
    bound: float = 3.0  # so many standard errors above the estimate
    short_side: float = 0.0  # the inflation is at least 1 + short_side (1 / points before + 1 / points after)
    candidate: float = 2.0  # least standardised difference of means at a position that may be a change
    candidate_of_modes: float = 1.0  # the same in a series of two modes
    tail: int = 3  # fewest points after a change
    squares_penalty: float = 2.0
    rungs: int = 3  # partitionings by least squares, from many steps to few
    rung_first: float = 1.3  # inflation in the penalty of the first
    rung_ratio: float = 1.6  # and how much larger it is in each next one
    step_weight: float = 3.5  # log n per step, in the criterion that chooses among them
    fourier_penalty: float = 1.5
    narrow: float = 2.0  # bandwidths in noise scales of the whole series
    wide: float = 4.0
    pairs_penalty: float = 1.15
    pairs: float = 0.75  # bandwidth in typical distances of two points
    modes: float = (
        12.0  # how much wider the 75 % quantile of the jumps is than the 25 % quantile in a series of two modes
    )
    reach: int = 24  # points on either side in the tests of a change
    modes_reach: int = 40  # the same in a series of two modes
    prior: float = 32.0  # degrees of freedom of the local noise scale in the test of means
    shortest: int = 5  # points of an excursion that counts as two changes
    precedent: float = 0.7  # share of the change that an earlier stretch of half the length must have gone
    precedent_most: int = 20  # points of the stretches looked for
    visit: float = 0.75  # share of the change that a visit of the new level goes,
    visit_most: int = 30  # in at most so many points,
    visit_until: int = 0  # which counts in series of fewer points than this
    slope: float = 1.1  # how much worse than a step a straight line must fit,
    beside: float = 4.0  # or how many standard errors the step must have beside a line
    relocate: int = 8  # points that a change may be moved by in the end,
    cap: float = 3.0  # by deviations of at most so many scales, which is also the least step that is moved,
    clear: float = 2.0  # but this beside outliers,
    outliers: int = 2  # of at least so many points
    squares_alpha: float = 0.001
    fourier_alpha: float = 0.01
    pairs_alpha: float = 0.003
    alpha: float = 0.05
    squares: bool = True  # whether the least-squares branch takes part


class ShapeConstants(NamedTuple):
    """Constants of changes of spread and of modes; lengths are in points, distances on the log scale."""

    least: int = 15  # fewest points on either side
    fewest: int = RULES.provisional_runs  # the same of the best split that there must not be
    screen: float = 3.2  # least standardised difference of both sides that is looked at, before inflation
    bound: float = 0.0  # standard errors above the estimate, of the autocorrelation
    lags: int = 8  # most points apart whose correlations are summed
    alpha: float = 0.05  # largest p-value
    ticks: float = (
        1.5  # a clock shows noise, or the distance of two modes, from so many times its smallest difference on
    )
    spread: float = RULES.change_effect  # least noise of the noisier side
    ratio: float = 1.5  # least ratio of both levels of noise
    gap: float = RULES.change_effect  # least distance of two modes,
    apart: float = 4.0  # which are so many standard deviations of the wider one apart
    members: int = 3  # fewest runs of a mode
    frequent: float = 0.2  # least share of either mode where both are mixed,
    turns: float = 0.3  # which follow one another this share as often as by chance
    share: float = 0.2  # least difference of the shares of slow runs
    stays: float = 0.25  # largest movement of a mode, as a share of their distance


SHAPE = ShapeConstants()
PRIOR_OF_SCAN = 16.0  # among many series 32 as in `Constants` makes more findings false, most of all in short histories


class Profile(StrEnum):
    """How readily a change is reported; `quiet` leaves out the least-squares branch."""

    QUIET = "quiet"
    DEFAULT = "default"
    STRICT = "strict"
    SENSITIVE = "sensitive"


PROFILES = {
    Profile.QUIET: Constants(squares=False, alpha=0.01),
    Profile.DEFAULT: Constants(),
    Profile.STRICT: Constants(squares_alpha=0.0001, fourier_alpha=0.001, pairs_alpha=0.0001, alpha=0.001),
    Profile.SENSITIVE: Constants(squares_alpha=0.003, step_weight=2.0, fourier_penalty=1.2, fourier_alpha=0.05),
}


def for_index() -> Constants:
    """Return the constants for the index of a suite, whose machine drifts: the noise is that of an autoregression at its upper bound."""
    return PROFILES[Profile.DEFAULT]._replace(inflation_most=6.0, autoregressive=True, bound=1.64, prior=PRIOR_OF_SCAN)


def for_scan(profile: Profile) -> Constants:
    """Return the constants for many series at once, where a few sticky or drifting ones would be most of the findings.

    A short history can show neither its autocorrelation nor its modes. So the noise is that of an autoregression at its upper
    bound, a change near an end needs more evidence, and a single visit of the new level is a precedent. In any history a recurring
    mode of any length counts, if it goes 40 % of the way.
    """
    return PROFILES[profile]._replace(
        step_weight=6.0,
        inflation_most=6.0,
        autoregressive=True,
        short_side=9.0,
        precedent=0.4,
        precedent_most=1_000_000_000,
        visit_until=120,
        prior=PRIOR_OF_SCAN,
        slope=1.3,
        fourier_penalty=2.0,
    )
