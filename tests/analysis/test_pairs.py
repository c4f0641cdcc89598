"""Verdicts on series measured in pairs: the rules by hand, error and power by seeded simulation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench_db.analysis.pairs import Claim, Judged, Round, confirm, judge, schedule
from bench_db.analysis.student import two_sided_p
from bench_db.model import PairVerdict
from bench_db.query.thresholds import Threshold
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.analysis.jit import Floats

    Suite = Sequence[Sequence[Round]]

pytestmark = pytest.mark.few(1)

CHANGED = (PairVerdict.REGRESSED, PairVerdict.IMPROVED, PairVerdict.SUSPECTED)


def drawn(rng: np.random.Generator, noise: Floats, *, effect: float = 0.0, later: float = 0.0) -> list[list[Round]]:
    """Return series of 12 rounds with this noise of the log ratios; `later` slows down the later side of each round."""
    first = rng.choice([-1, 1], (len(noise), 6))
    shifts = np.stack([first, -first], axis=2).reshape(len(noise), 12)
    heads = 100.0 * np.exp(noise + np.log1p(effect) + np.log1p(later) * shifts)
    return [
        [Round(100.0, head, shift) for head, shift in zip(row, order, strict=True)]
        for row, order in zip(heads.tolist(), shifts.tolist(), strict=True)
    ]


def normal(rng: np.random.Generator, series: int, deviation: float) -> Floats:
    return np.asarray(rng.normal(0.0, deviation, (series, 12)))


def disturbed(rng: np.random.Generator, series: int) -> Floats:
    """Return noise of 1 % in which 5 % of the slots take five times as long."""
    hits: Floats = np.log(5.0) * (rng.random((2, series, 12)) < 0.05)
    return np.asarray(normal(rng, series, 0.01) + hits[0] - hits[1])


def ended(suite: Suite, *, together: bool = False) -> tuple[list[Judged], float]:
    """Return the verdicts after the last look, each series a suite of its own or all together, and the mean of the rounds."""
    if not together:
        each = [ended([rounds], together=True) for rounds in suite]
        return [one for found, _ in each for one in found], sum(rounds for _, rounds in each) / len(each)
    known = [Judged()] * len(suite)
    for look in schedule(12):
        seen = [rounds[: look.rounds] for rounds in suite]
        known = judge(seen, [Direction.LOWER] * len(suite), known, look.level)
        if all(one.is_final for one in known):
            return known, look.rounds
    return known, 12


def share(found: Sequence[Judged], *verdicts: PairVerdict) -> float:
    counts = Counter(one.verdict for one in found)
    return sum(counts[verdict] for verdict in verdicts) / len(found)


def one(rounds: Sequence[Round], direction: Direction = Direction.LOWER) -> Judged:
    return judge([rounds], [direction], [Judged()], 0.01)[0]


class TestJudge:
    """Log ratios where all figures are positive, else differences; the direction names the verdict."""

    @pytest.mark.parametrize(
        ("direction", "verdict"),
        [
            (Direction.LOWER, PairVerdict.REGRESSED),
            (Direction.HIGHER, PairVerdict.IMPROVED),
            (Direction.INFO, PairVerdict.UNCHANGED),
        ],
    )
    def test_direction(self, direction: Direction, verdict: PairVerdict) -> None:
        found = one([Round(100.0, 110.0, 1)] * 5, direction)
        assert (found.verdict, found.p_value) == (verdict, 0.0)
        assert found.effect == pytest.approx(0.1)

    def test_zero_and_negative_figures(self) -> None:
        assert one([Round(0.0, 0.0, 1)] * 5).verdict is PairVerdict.UNCHANGED
        found = one([Round(-100.0, -90.0, s) for s in (1, -1, 1, -1, 1)])
        assert found.verdict is PairVerdict.REGRESSED
        assert found.effect == pytest.approx(0.1)

    def test_figures_that_are_not_finite_are_no_rounds(self) -> None:
        rounds = [Round(100.0, 110.0, 1)] * 5
        assert one([*rounds, Round(np.nan, 1.0, 1), Round(1.0, np.inf, 1)]) == one(rounds)
        assert one(rounds[:1]) == Judged()

    def test_undecided_says_how_many_rounds_would_tell(self) -> None:
        found = one([Round(100.0, 100.0 + x, 1) for x in (4, -4, 3, -3, 0)])
        assert found.verdict is PairVerdict.UNDECIDED
        assert found.needed is not None
        assert found.low is not None
        assert found.low < -0.03
        assert one([Round(100.0, 100.0 + x, 1) for x in (40, -40, 30, -30, 0)]).needed is None

    def test_a_final_verdict_stays(self) -> None:
        final = one([Round(100.0, 110.0, 1)] * 5)
        assert judge([[Round(100.0, 50.0, 1)] * 8], [Direction.LOWER], [final], 0.003) == [final]

    def test_the_position_in_the_round_is_taken_out(self) -> None:
        rounds = [Round(100.0, 105.0 * 1.1**s * (1 + 0.001 * (i % 3)), s) for i, s in enumerate((1, -1) * 4)]
        found = one(rounds)
        assert found.verdict is PairVerdict.REGRESSED
        assert found.effect == pytest.approx(0.051, abs=0.001)

    def test_mean_without_position_agrees_with_least_squares(self) -> None:
        rng = np.random.default_rng(3)
        (rounds,) = drawn(rng, normal(rng, 1, 0.02), later=0.1)
        y = np.log([r.head / r.base for r in rounds[:9]])
        design = np.stack([np.ones(9), [r.shift for r in rounds[:9]]], axis=1)
        (step, _), (square,), *_ = np.linalg.lstsq(design, y)
        error = np.sqrt(square / 7 * np.linalg.inv(design.T @ design)[0, 0])
        p = one(rounds[:9]).p_value
        assert p is not None
        assert p <= 2 * two_sided_p(step / error, 7) + 1e-12


class TestSchedule:
    """The looks spend the error of one test."""

    def test_levels(self) -> None:
        assert [tuple(look) for look in schedule(12)] == [(5, 0.001), (8, 0.003), (12, 0.0072)]
        other = schedule(20)
        assert [look.rounds for look in other] == [5, 8, 12, 20]
        assert sum(look.level for look in other) == pytest.approx(0.01)
        assert [look.level for look in schedule(4)] == pytest.approx([0.01])


class TestError:
    """Unchanged code is rarely called changed, at any number of looks, in one series and in a suite."""

    @pytest.mark.parametrize("tails", ["normal", "heavy"])
    def test_alarms_without_a_change(self, tails: str) -> None:
        rng = np.random.default_rng(1)
        noise = normal(rng, 4_000, 0.05) if tails == "normal" else 0.05 * rng.standard_t(3, (4_000, 12))
        found, _ = ended(drawn(rng, noise))
        assert 0.003 < share(found, *CHANGED) < 0.014

    @pytest.mark.slow
    def test_a_slow_second_place(self) -> None:
        rng = np.random.default_rng(2)
        found, _ = ended(drawn(rng, normal(rng, 2_000, 0.02), later=0.1))
        assert share(found, *CHANGED) < 0.013

    @pytest.mark.slow
    def test_disturbed_slots(self) -> None:
        rng = np.random.default_rng(3)
        found, _ = ended(drawn(rng, disturbed(rng, 2_000)))
        assert share(found, *CHANGED) <= 0.005

    @pytest.mark.slow
    def test_a_suite_of_300(self) -> None:
        rng = np.random.default_rng(4)
        suites = [ended(drawn(rng, normal(rng, 300, 0.05)), together=True)[0] for _ in range(20)]
        assert sum(share(found, PairVerdict.REGRESSED) > 0 for found in suites) <= 1
        assert any(share(found, PairVerdict.SUSPECTED) > 0 for found in suites)


class TestPower:
    """A real change is found, and quiet series stop early."""

    def test_five_percent(self) -> None:
        rng = np.random.default_rng(5)
        found, rounds = ended(drawn(rng, normal(rng, 1_000, 0.02), effect=0.05))
        assert share(found, PairVerdict.REGRESSED) >= 0.98
        assert rounds <= 8.5

    def test_no_change(self) -> None:
        rng = np.random.default_rng(6)
        found, rounds = ended(drawn(rng, normal(rng, 1_000, 0.01)))
        assert share(found, PairVerdict.UNCHANGED) >= 0.99
        assert rounds <= 6.5

    @pytest.mark.slow
    def test_five_percent_behind_a_slow_second_place(self) -> None:
        rng = np.random.default_rng(7)
        found, _ = ended(drawn(rng, normal(rng, 1_000, 0.02), effect=0.05, later=0.1))
        assert share(found, PairVerdict.REGRESSED) >= 0.90

    @pytest.mark.slow
    def test_five_percent_beside_disturbed_slots(self) -> None:
        rng = np.random.default_rng(8)
        found, _ = ended(drawn(rng, disturbed(rng, 2_000), effect=0.05))
        assert share(found, PairVerdict.REGRESSED) >= 0.88

    @pytest.mark.slow
    def test_noise_of_twenty_percent(self) -> None:
        rng = np.random.default_rng(9)
        found, _ = ended(drawn(rng, normal(rng, 1_000, 0.20)))
        assert share(found, PairVerdict.UNDECIDED) >= 0.98
        limits = [(x.low, x.high) for x in found if x.verdict is PairVerdict.UNDECIDED]
        assert all(low is not None and high is not None and (low < -0.019 or high > 0.019) for low, high in limits)


def confirmed(suite: Suite, claim: Claim) -> list[Judged]:
    """Return the verdicts of a confirmation, or the sides of a bisection, after its last look."""
    known = [Judged()] * len(suite)
    for look in schedule(12, confirming=not claim.on_a_side):
        seen = [rounds[: look.rounds] for rounds in suite]
        known = confirm(seen, [claim] * len(suite), known, look.level)
    return known


class TestConfirm:
    """A claimed regression is confirmed in its direction alone."""

    SLOWER = Claim(is_increase=True, least=0.02)

    def test_by_hand(self) -> None:
        up = [Round(100.0, 110.0 + n % 2, 1 - 2 * (n % 2)) for n in range(5)]
        down = [Round(100.0, 80.0 + n % 2, 1 - 2 * (n % 2)) for n in range(5)]
        rate = Claim(is_increase=False, least=0.02)
        level = schedule(12, confirming=True)[0].level
        assert level == 0.001
        found = confirm(
            [up, up, down, down, up[:1]], [self.SLOWER, rate, self.SLOWER, rate, rate], [Judged()] * 5, level
        )
        assert [one.verdict for one in found] == ["regressed", "unchanged", "unchanged", "regressed", "undecided"]
        assert found[0].effect == pytest.approx(0.104, abs=0.001)
        assert found[0].p_value == pytest.approx(one(up).p_value / 2)  # type: ignore[operator]
        assert confirm([down], [self.SLOWER], [found[0]], level) == [found[0]]

    def test_zeros(self) -> None:
        rounds = [Round(0.0, float(5 + n % 2), 1) for n in range(5)]
        level = schedule(12, confirming=True)[0].level
        more, less = (Claim(is_increase=way, least=0.02) for way in (True, False))
        assert [c.verdict for c in confirm([rounds, rounds], [more, less], [Judged()] * 2, level)] == [
            "regressed",
            "unchanged",
        ]

    def test_levels(self) -> None:
        assert [look.level for look in schedule(12, confirming=True)] == [0.001, 0.003, 0.011]
        assert sum(look.level for look in schedule(20, confirming=True)) == pytest.approx(0.015)

    @pytest.mark.parametrize("deviation", [0.01, 0.02, 0.05, 0.1])
    @pytest.mark.parametrize("least", [0.02, 0.001])
    def test_error(self, deviation: float, least: float) -> None:
        """At most 1.5 % of unchanged series are confirmed, at any spread and for any minimum effect."""
        rng = np.random.default_rng(101)
        same = confirmed(drawn(rng, normal(rng, 4000, deviation)), Claim(is_increase=True, least=least))
        assert share(same, PairVerdict.REGRESSED) <= 0.015

    @pytest.mark.slow
    @pytest.mark.parametrize(("kind", "later"), [("normal", 0.1), ("heavy", 0.0), ("disturbed", 0.0)])
    def test_error_of_other_noise(self, kind: str, later: float) -> None:
        rng = np.random.default_rng(102)
        noise = disturbed(rng, 2000) if kind == "disturbed" else normal(rng, 2000, 0.05)
        if kind == "heavy":
            noise = np.asarray(0.05 * rng.standard_t(3, (2000, 12)))
        assert share(confirmed(drawn(rng, noise, later=later), self.SLOWER), PairVerdict.REGRESSED) <= 0.015

    @pytest.mark.slow
    @pytest.mark.parametrize("clock", ["two values", "rounded"])
    def test_error_of_a_coarse_clock(self, clock: str) -> None:
        """Steps that are mostly equal may have next to no spread by chance: the sign test has to agree."""
        rng = np.random.default_rng(103)
        two = (
            rng.integers(10, 12, (2, 4000, 12))
            if clock == "two values"
            else np.round(rng.normal(10, 0.6, (2, 4000, 12)))
        )
        suite = [
            [
                Round(float(base), float(head), 1 - 2 * (n % 2))
                for n, (base, head) in enumerate(zip(*sides, strict=True))
            ]
            for sides in zip(*two, strict=True)
        ]
        assert 0.001 < share(confirmed(suite, self.SLOWER), PairVerdict.REGRESSED) <= 0.01

    def test_a_step_of_a_coarse_clock(self) -> None:
        rng = np.random.default_rng(104)
        two = rng.integers(10, 12, (2, 200, 12)) + np.array([0, 1])[:, None, None]
        suite = [
            [Round(float(base), float(head), 1 - 2 * (n % 2)) for n, (base, head) in enumerate(zip(*of, strict=True))]
            for of in zip(*two, strict=True)
        ]
        assert share(confirmed(suite, self.SLOWER), PairVerdict.REGRESSED) >= 0.9

    @pytest.mark.slow
    def test_exact_counts_beside_outliers(self) -> None:
        rounds = [Round(100.0, 900.0 if n in {2, 6} else 103.0, 1 - 2 * (n % 2)) for n in range(12)]
        (found,) = confirmed([rounds], self.SLOWER)
        assert found.verdict is PairVerdict.REGRESSED
        assert found.effect == pytest.approx(0.03)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("effect", "deviation", "found"),
        [(0.03, 0.01, 0.99), (0.03, 0.02, 0.90), (0.05, 0.01, 0.99), (0.05, 0.02, 0.99), (0.1, 0.05, 0.99)],
    )
    def test_power(self, effect: float, deviation: float, found: float) -> None:
        rng = np.random.default_rng(103)
        slower = confirmed(drawn(rng, normal(rng, 1000, deviation), effect=effect), self.SLOWER)
        assert share(slower, PairVerdict.REGRESSED) >= found

    def test_what_noise_hides_is_undecided(self) -> None:
        """A real change that is not confirmed is not called unchanged, and says how many more rounds would tell."""
        rng = np.random.default_rng(104)
        slower = confirmed(drawn(rng, normal(rng, 1000, 0.05), effect=0.05), self.SLOWER)
        assert share(slower, PairVerdict.UNCHANGED) <= 0.01
        assert share(slower, PairVerdict.UNDECIDED) >= 0.25
        needed = [one.needed for one in slower if one.verdict is PairVerdict.UNDECIDED]
        assert sum(more is not None for more in needed) >= 0.9 * len(needed)


class TestOnASide:
    """On which side of a change a series is: the middle itself is rarely decided, and its ends nearly always."""

    @pytest.mark.slow
    def test_error_and_power(self) -> None:
        rng = np.random.default_rng(2)
        middle = Claim(is_increase=True, least=1.1**0.5 - 1.0, on_a_side=True)
        between = confirmed(drawn(rng, normal(rng, 2000, 0.02), effect=middle.least), middle)
        assert 0.003 <= share(between, PairVerdict.REGRESSED, PairVerdict.UNCHANGED) <= 0.015
        good = confirmed(drawn(rng, normal(rng, 1000, 0.02)), middle)
        bad = confirmed(drawn(rng, normal(rng, 1000, 0.02), effect=0.1), middle)
        assert (share(good, PairVerdict.REGRESSED), share(bad, PairVerdict.UNCHANGED)) == (0.0, 0.0)
        assert share(good, PairVerdict.UNCHANGED) >= 0.98
        assert share(bad, PairVerdict.REGRESSED) >= 0.98

    def test_a_decrease(self) -> None:
        faster = Claim(is_increase=False, least=0.1, on_a_side=True)
        suites = [[Round(100.0, head, 1 - 2 * (n % 2)) for n in range(5)] for head in (80.0, 95.0, 120.0)]
        found = confirm(suites, [faster] * 3, [Judged()] * 3, 0.001)
        assert [one.verdict for one in found] == ["regressed", "unchanged", "unchanged"]


class TestLeast:
    """A change counts when it reaches the share and the difference of its series."""

    @pytest.mark.parametrize(
        ("least", "counts"),
        [
            (Threshold(relative=0.05), True),
            (Threshold(relative=0.2), False),
            (Threshold(absolute=5.0), True),
            (Threshold(absolute=15.0), False),
            (Threshold(relative=0.05, absolute=15.0), False),
        ],
    )
    @pytest.mark.parametrize("base", [100.0, 0.0])
    def test_of_a_series(self, least: Threshold, base: float, *, counts: bool) -> None:
        rounds = [Round(base, base + 10.0, 1 - 2 * (n % 2)) for n in range(5)]
        [found] = judge([rounds], [Direction.LOWER], [Judged()], 0.001, least=[least])
        reached = counts or (base == 0.0 and least.absolute is None)  # any share is reached from 0
        assert found.verdict is (PairVerdict.REGRESSED if reached else PairVerdict.UNCHANGED)
