"""Laws of the scan over all series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench_db.analysis.common_kernel import without_common
from bench_db.analysis.scan import fewest_points, scan
from bench_db.rules import RULES
from benchmarks.accuracy import scanned as found_by_one_scan
from benchmarks.suites import discoveries

Array = np.ndarray[Any, Any]


def suite(seed: int, series: int = 60, runs: int = 100, sigma: float = 0.02) -> Array:
    """Return log values, one row per series."""
    return np.random.default_rng(seed).normal(0, sigma, (series, runs))


def scanned(y: Array, rates: Array | None = None) -> Any:
    rows, columns = y.shape
    runs = np.tile(np.arange(columns), rows)
    return scan(np.exp(y).ravel(), np.arange(0, y.size + 1, columns), runs, rates=rates)


class TestScan:
    """Findings have a controlled false discovery rate; movements of a run are reported separately."""

    def test_quiet(self) -> None:
        found = scanned(suite(1))
        assert found.findings == found.movements == ()
        assert (found.tested, found.too_short, found.expected_false) == (60, 0, 0.0)

    def test_a_step_of_three_series(self) -> None:
        y = suite(2)
        y[[3, 17, 40], 50:] += 0.2
        found = scanned(y)
        assert sorted((f.series, f.run) for f in found.findings) == [(3, 50), (17, 50), (40, 50)]
        assert not any(f.suite_wide for f in found.findings)
        assert all(f.q_value <= 0.05 for f in found.findings)
        assert found.expected_false == 0.05 * 3

    def test_a_slow_runner_is_a_movement_not_a_regression(self) -> None:
        y = suite(3)
        y[:, 97:] += 0.3
        found = scanned(y)
        assert found.findings == ()
        assert {m.run for m in found.movements} == {97, 98, 99}
        assert all(abs(m.effect - np.expm1(0.3)) < 0.03 and m.series == 60 and not m.lasting for m in found.movements)

    def test_a_lasting_step_of_the_whole_suite_is_named_once(self) -> None:
        y = suite(4)
        y[:, 60:] += 0.2
        y[7, 30:] -= 0.3
        found = scanned(y)
        (movement,) = (m for m in found.movements if m.lasting)
        assert movement.run == 60
        assert movement.series >= 55
        assert [f.series for f in found.findings if not f.suite_wide] == [7]

    def test_movement_hides_no_step(self) -> None:
        found = []
        for seed in range(10):
            y = suite(seed, sigma=0.05) + np.random.default_rng(100 + seed).normal(0, 0.1, 100)
            y[5, 50:] += 0.3
            found.append([f.series for f in scanned(y).findings])
        assert found.count([5]) >= 8  # noise alone hides one or two

    def test_what_does_not_move_is_left_alone(self) -> None:
        still, moving = suite(9, 15, sigma=0.001), suite(10, 45)
        movement = np.random.default_rng(11).normal(0, 0.05, 100)
        y = np.concatenate([still, moving + movement])
        out = np.empty(y.size)
        one_level = every_counts = np.zeros(100, np.int64)
        moved, _, measured = without_common(
            np.exp(y).ravel(),
            np.arange(0, y.size + 1, 100),
            np.tile(np.arange(100), 60),
            one_level,
            every_counts,
            np.ones(60),
            out,
        )
        left = np.log(out).reshape(y.shape)
        np.testing.assert_allclose(left[:15], still, atol=1e-12)
        assert np.median(np.std(np.diff(left[15:]), axis=1)) < 1.1 * np.std(np.diff(moving))
        assert np.corrcoef(moved, movement)[0, 1] > 0.9
        assert set(measured.tolist()) == {60}

    def test_benchmarks_that_are_added_before_slow_runs_move_nothing(self) -> None:
        """Of the last seven runs four are slow, so the level of a benchmark that began there is that of the slow ones."""
        slow, y = [3, 5, 13, 16, 20, 35, 37, 38, 39], suite(12, 64, 40, sigma=0.03)
        y[:, slow] += 0.4
        y[0, 18:] -= 0.7
        long, short = y[:30], y[30:, 33:]
        values = np.exp(np.concatenate([long.ravel(), short.ravel()]))
        offsets = np.cumsum([0, *[40] * 30, *[7] * 34])
        runs = np.concatenate([np.tile(np.arange(40), 30), np.tile(np.arange(33, 40), 34)])
        found = scan(values, offsets, runs)
        assert [(f.series, f.run) for f in found.findings] == [(0, 18)]
        assert sorted(m.run for m in found.movements) == slow
        assert fewest_points(offsets, runs, 40).tolist() == [11] * 40
        assert not fewest_points(np.arange(0, 80, 7), np.tile(np.arange(7), 11), 7).any()

    @pytest.mark.parametrize("points", [40, 60, 200])
    def test_false_findings_stay_within_the_rate_however_short_the_histories(self, points: int) -> None:
        suite = discoveries(4, changed=0.1, points=points)
        score = suite.score(found_by_one_scan(suite.series))
        assert score["scan: FDR by series"] <= RULES.false_discovery_rate
        assert score["scan: changed series found"] >= 0.4

    def test_small_steps_never_hide_their_sum(self) -> None:
        quiet = suite(12, sigma=0.0003)
        small, stairs = quiet.copy(), quiet.copy()
        small[3, 50:] += 0.008
        stairs[3, 40:] += 0.008
        stairs[3, 70:] += 0.008
        assert scanned(small).findings == ()
        assert sorted((f.series, f.change.index) for f in scanned(stairs).findings) == [(3, 40), (3, 70)]

    def test_rates_fall_where_times_rise(self) -> None:
        times = suite(12)
        times[:, 40] += 0.3  # one slow run
        times[:, 60:] += 0.2  # a slower tool chain
        times[7, 30:] -= 0.3
        rates = np.arange(60) % 2 == 0
        mixed = np.where(rates[:, None], -times, times)
        ours, alike = scanned(mixed, rates), scanned(times)
        named = [(m.run, m.series, m.lasting) for m in ours.movements]
        assert named == [(m.run, m.series, m.lasting) for m in alike.movements]
        assert {(40, 60, False), (60, 60, True)} <= set(named)
        np.testing.assert_allclose([m.effect for m in ours.movements], [m.effect for m in alike.movements], rtol=0.05)
        assert [f.series for f in ours.findings if not f.suite_wide] == [7]
        assert all((f.change.effect < 0) == (f.series % 2 == 0) for f in ours.findings if f.suite_wide)

    def test_short_and_empty(self) -> None:
        found = scan(np.ones(25), np.array([0, 0, 5, 25]), np.arange(25))
        assert (found.tested, found.too_short, found.findings) == (1, 2, ())
        assert scan(np.empty(0), np.array([0]), np.empty(0, np.int64)).tested == 0

    def test_zero_and_negative_series(self) -> None:
        values = np.concatenate([np.zeros(40), -np.exp(suite(7, 1, 40)[0]), np.full(40, np.nan)])
        found = scan(values, np.arange(0, 121, 40), np.tile(np.arange(40), 3))
        assert (found.tested, found.findings) == (2, ())

    @pytest.mark.parametrize(("usual", "one"), [(1e-30, 1e300), (1e300, 1e-30), (1e-300, 1e300)])
    def test_a_run_beyond_all_numbers(self, usual: float, one: float) -> None:
        values = usual * np.random.default_rng(3).normal(1.0, 0.01, (10, 40))
        values[:, 20] = one
        found = scan(values.ravel(), np.arange(0, 401, 40), np.tile(np.arange(40), 10))
        assert found.findings == ()
        assert [movement.run for movement in found.movements] == [20]
        assert all(np.isfinite(100 * movement.effect) for movement in found.movements)

    def test_order_of_series_does_not_matter(self) -> None:
        y = suite(8)
        y[::9, 40:] += 0.2
        ours, reversed_ = scanned(y), scanned(y[::-1])
        assert {(f.series, f.change) for f in ours.findings} == {(59 - f.series, f.change) for f in reversed_.findings}
