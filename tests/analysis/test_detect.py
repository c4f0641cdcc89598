"""Change points: laws of the detector."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench_db.analysis.constants import PROFILES, Constants, Profile, for_index, for_scan
from bench_db.analysis.detect import change_points, detect, detect_all, few_follow
from bench_db.analysis.detect_kernel import all_changes

Array = np.ndarray[Any, Any]
seeds = st.integers(0, 2**32 - 1)


def noisy(seed: int, n: int = 80, at: int | None = 40, step: float = 0.2, sigma: float = 0.01) -> Array:
    rng = np.random.default_rng(seed)
    y = rng.normal(0, sigma, n)
    if at is not None:
        y[at:] += math.log1p(step)
    return np.exp(y)


class TestConstantSeries:
    """A constant series has no change; a constant series that changed has exactly one."""

    @given(value=st.floats(-1e12, 1e12), n=st.integers(0, 200))
    def test_none(self, value: float, n: int) -> None:
        assert change_points(np.full(n, value)) == []

    @given(
        before=st.floats(-1e9, 1e9),
        ratio=st.sampled_from([-3.0, 0.0, 0.5, 0.97, 1.03, 2.0, 100.0]),
        at=st.integers(8, 40),
        after=st.integers(8, 40),
    )
    def test_one(self, before: float, ratio: float, at: int, after: int) -> None:
        size = before if abs(before) > 1e-9 else 1.0
        values = np.concatenate([np.full(at + 6, size), np.full(after + 6, size * ratio)])
        (change,) = detect(values)
        assert change.index == at + 6
        assert change.low <= change.effect <= change.high
        if size > 0 and ratio > 0:
            assert change.effect == pytest.approx(ratio - 1)
        assert (change.effect > 0) == (size * ratio > size)

    def test_from_and_to_zero(self) -> None:
        zeros, ones = np.zeros(30), np.ones(30)
        assert [c.effect for c in detect(np.concatenate([zeros, ones]))] == [pytest.approx(1.0)]
        assert [c.effect for c in detect(np.concatenate([ones, zeros]))] == [pytest.approx(-1.0)]


class TestStep:
    """A step far above the noise is found at its position, in any unit and with any sign."""

    @given(seed=seeds, at=st.integers(15, 65), step=st.sampled_from([-0.3, -0.1, 0.1, 0.5]))
    def test_found(self, seed: int, at: int, step: float) -> None:
        found = detect(noisy(seed, at=at, step=step))
        assert any(abs(c.index - at) <= 1 and abs(c.effect - step) < 0.03 for c in found)

    @given(seed=seeds, scale=st.floats(1e-9, 1e12))
    def test_scale_does_not_matter(self, seed: int, scale: float) -> None:
        values = noisy(seed)
        ours, scaled = detect(values), detect(values * scale)
        assert [c.index for c in ours] == [c.index for c in scaled]
        np.testing.assert_allclose([c.effect for c in ours], [c.effect for c in scaled], rtol=1e-6)

    @given(seed=seeds)
    def test_negative_values_mirror(self, seed: int) -> None:
        values = noisy(seed) - 1.1  # values of both signs, because a positive series uses the log scale
        assert change_points(values) == change_points(-values)
        assert [a.effect for a in detect(values)] == pytest.approx([-b.effect for b in detect(-values)])

    def test_interval_and_p(self) -> None:
        (change,) = detect(noisy(1))
        assert 0.17 < change.low < change.effect < change.high < 0.23
        assert change.p_value < 1e-9
        assert not change.provisional

    @pytest.mark.parametrize(("after", "provisional"), [(4, True), (5, False), (9, False)])
    def test_provisional_until_five_points(self, after: int, provisional: bool) -> None:  # noqa: FBT001
        (change,) = detect(noisy(2, n=60 + after, at=60, step=0.3))
        assert change.index == 60
        assert change.provisional is provisional

    @pytest.mark.parametrize(("slow", "then", "provisional"), [(4, 1, True), (4, 2, True), (5, 1, False), (4, 0, True)])
    def test_runs_that_are_back_confirm_nothing(self, slow: int, then: int, provisional: bool) -> None:  # noqa: FBT001
        values = noisy(2, n=60 + slow + then, at=60, step=0.3)
        values[60 + slow :] /= 1.3
        (change,) = detect(values)
        assert (change.index, change.provisional) == (60, provisional)

    def test_few_follow(self) -> None:
        assert few_follow(10.0, np.array([20.0, 20.0, np.nan, 20.0, 20.0, 10.0]))
        assert not few_follow(10.0, np.array([20.0, 20.0, np.nan, 20.0, 20.0, 10.0, 19.0]))
        assert few_follow(-10.0, np.array([-20.0] * 4))
        assert few_follow(10.0, np.array([np.nan]))
        assert not few_follow(10.0, np.full(20, 10.0))

    @pytest.mark.parametrize("size", [1e-300, 1e221, 1.7e308])
    def test_few_of_any_size_follow(self, size: float) -> None:
        assert not few_follow(-size, np.full(7, size))
        assert few_follow(-size, np.full(4, size))
        assert few_follow(size, np.array([-size] * 4 + [size]))

    def test_excursion(self) -> None:
        values = noisy(3, at=None)
        for length, expected in ((4, []), (6, [40, 46])):
            bumped = values.copy()
            bumped[40 : 40 + length] *= 1.3
            assert change_points(bumped) == expected

    @pytest.mark.parametrize("step", [0.0002, 0.006, 0.012])
    def test_far_above_little_noise(self, step: float) -> None:
        assert change_points(noisy(4, step=step, sigma=1e-5)) == [40]

    @pytest.mark.parametrize(("step", "expected"), [(5e-7, []), (2e-6, [40])])
    def test_rounding(self, step: float, expected: list[int]) -> None:
        assert change_points(np.repeat([1.0, 1.0 + step], 40)) == expected

    @pytest.mark.parametrize("slope", [0.003, 0.005, 0.008])
    def test_on_a_ramp(self, slope: float) -> None:
        ramp = np.exp(slope * np.arange(100))
        found = [change_points(noisy(seed, n=100, at=60, step=0.1) * ramp) for seed in range(40)]
        assert found.count([60]) >= 38

    def test_seen_before_in_half_the_length(self) -> None:
        for seed in range(10):
            values = noisy(seed, at=72, step=0.1)
            assert change_points(values) == [72]
            values[30:34] *= 1.1
            assert change_points(values) == []

    def test_ramp_is_no_step(self) -> None:
        assert change_points(np.exp(np.linspace(0, 0.5, 100) + np.random.default_rng(5).normal(0, 0.01, 100))) == []


class TestGaps:
    """Runs without a result are ignored, and the others keep their indexes."""

    @given(
        seed=seeds,
        holes=st.lists(st.integers(0, 79), max_size=15, unique=True),
        hole=st.sampled_from([math.nan, math.inf, -math.inf]),
    )
    def test_as_if_never_there(self, seed: int, holes: list[int], hole: float) -> None:
        values = noisy(seed)
        values[holes] = hole
        kept = np.flatnonzero(np.isfinite(values))
        assert change_points(values) == [int(kept[i]) for i in change_points(values[kept])]

    @pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
    def test_short(self, n: int) -> None:
        assert detect(np.array([1.0] * (n // 2) + [2.0] * (n - n // 2))) == []

    def test_nothing_but_gaps(self) -> None:
        assert detect(np.full(50, math.nan)) == []

    def test_twenty(self) -> None:
        assert change_points(np.repeat([1.0, 2.0], 10)) == [10]

    @given(values=st.lists(st.floats(), max_size=60))
    @example(values=[-1e-310] * 15 + [1.0] * 10)
    @example(values=[1e-300] * 15 + [1.7e308, -1.7e308] * 5)
    @example(values=[5e-324] * 20 + [-1.7e308] * 4 + [5e-324, 5e-324, 1e160, 1e160, 5e-324, 1e160, 5e-324])
    @example(values=[1e-300] * 12 + [1e300] * 12)
    @example(values=[1e-300, 2e-300] * 6 + [1e300, 2e300] * 6)
    @example(values=[156.0, 1.0582912295075272e221, 1.7261694687878186e221, 0.0, 0.0, 0.0, 0.0, 1.0])
    @example(values=[1.0, 2.0] * 10 + [1.7e308] * 6)
    @example(values=[-1.7e308, -1.6e308] * 10 + [1.7e308] * 6)
    @settings(max_examples=300)
    def test_any_numbers(self, values: list[float]) -> None:
        for change in detect(np.array(values)):
            assert 0 < change.index < len(values)
            assert 0 <= change.p_value <= 1
            assert math.isfinite(100 * change.effect)


class TestMany:
    """Detecting series together gives the same changes as one by one, with any number of parts and threads."""

    @given(seed=seeds)
    @settings(max_examples=10)
    def test_together(self, seed: int) -> None:
        series = [noisy(seed + i, n=20 + i % 60, at=10 + i % 30) for i in range(30)] + [np.empty(0), np.ones(3)]
        offsets = np.concatenate([[0], np.cumsum([len(s) for s in series])])
        for threads in (1, 2):
            found = detect_all(np.concatenate(series), offsets, threads=threads)
            assert found.points.tolist() == [len(s) for s in series]
            for k, values in enumerate(series):
                assert found.rows(np.flatnonzero(found.series == k)) == detect(values)

    def test_more_than_one_part(self) -> None:
        values = np.tile(noisy(6), 5000)
        found = detect_all(values, np.arange(0, len(values) + 1, 80))
        assert found.series.tolist() == list(range(5000))
        assert set(found.index.tolist()) == {40}

    def test_no_series(self) -> None:
        assert len(detect_all(np.empty(0), np.array([0]))) == 0

    def test_slice_of_an_arrow_list(self) -> None:
        values = np.concatenate([np.ones(7), noisy(6), noisy(6)])
        found = detect_all(values, np.array([7, 87, 167]))
        assert found.index.tolist() == [40, 40]


class TestShortSeries:
    """Short series without a candidate never reach the kernel, and nothing is lost by that."""

    @given(
        seed=seeds,
        spread=st.floats(-9, 1),
        step=st.sampled_from([0.0, 0.02, 0.1, 5.0]),
        kind=st.sampled_from(["any", "rounded", "failed", "negative", "repeated", "sorted"]),
        constants=st.sampled_from([*PROFILES.values(), for_scan(Profile.DEFAULT), for_index()]),
    )
    def test_the_kernel_finds_no_more(
        self, seed: int, spread: float, step: float, kind: str, constants: Constants
    ) -> None:
        rng = np.random.default_rng(seed)
        lengths = rng.integers(0, 40, 12)
        values = [
            np.exp(rng.normal(0, 10.0**spread, n) + step * (np.arange(n) >= rng.integers(0, n + 1))) for n in lengths
        ]
        flat, offsets = np.concatenate(values), np.concatenate([[0], np.cumsum(lengths)])
        if kind == "rounded":
            flat = np.round(flat, 2)
        elif kind == "failed":
            flat[rng.random(len(flat)) < 0.05] = rng.choice([np.nan, np.inf])
        elif kind == "negative":
            flat -= 1.0
        elif kind == "repeated":
            flat = np.repeat(flat, 5)[: len(flat)]
        elif kind == "sorted":
            flat = np.sort(flat)
        found = detect_all(flat, offsets, constants=constants)
        per_series, points, index, figures = all_changes(flat, offsets, constants)
        assert found.series.tolist() == np.repeat(np.arange(len(lengths)), per_series).tolist()
        assert (found.points.tolist(), found.index.tolist()) == (points.tolist(), index.tolist())
        columns = np.stack([found.effect, found.low, found.high, found.p_value], axis=1)
        assert columns.tobytes() == figures.tobytes()

    def test_a_commit_of_many_benchmarks_is_little_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(7)
        values = np.exp(rng.normal(0, 0.01, (3000, 11)))
        values[::100, 4:] *= 1.3
        tested: list[int] = []

        def work(flat: Array, *_: object) -> float:
            tested.append(len(flat))
            return 0.0

        monkeypatch.setattr(all_changes, "_work", work)
        found = detect_all(values.ravel(), np.arange(0, values.size + 1, 11))
        assert {100 * number for number in range(30)} <= set(found.series.tolist())
        assert tested[0] < values.size / 2


class TestProfiles:
    """A stricter profile gives fewer alarms; each profile has exactly its constants."""

    def test_order(self) -> None:
        rng = np.random.default_rng(7)
        values = np.exp(np.cumsum(rng.normal(0, 0.01, 100_000)).reshape(-1, 100) + rng.normal(0, 0.02, (1000, 100)))
        counts = {p: len(detect_all(values.ravel(), np.arange(0, 100_001, 100), profile=p)) for p in Profile}
        assert counts[Profile.STRICT] < counts[Profile.DEFAULT] < counts[Profile.SENSITIVE]
        assert counts[Profile.QUIET] < counts[Profile.DEFAULT]

    def test_constants(self) -> None:
        values, offsets = noisy(8), np.array([0, 80])
        assert PROFILES[Profile.DEFAULT] == Constants()
        assert detect_all(values, offsets, constants=Constants(minimum_points=81)).index.tolist() == []
