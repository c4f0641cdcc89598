"""Changes of several series at one commit, which runs that were slow as a whole set apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench_db.analysis.scan import ScanFinding, scan
from bench_db.analysis.siblings import FEWEST, SHARED_RUNS, aligned
from bench_db.model import Change

Array = np.ndarray[Any, Any]
RUNS, SLOW, FACTOR = 40, 29, 1.5


def finding(series: int, run: int, effect: float = -0.5, *, suite_wide: bool = False) -> ScanFinding:
    change = Change(index=run, effect=effect, low=effect - 0.1, high=effect + 0.1, p_value=1e-9, provisional=False)
    return ScanFinding(series=series, run=run, change=change, q_value=1e-6, suite_wide=suite_wide)


SIBLINGS = (finding(0, SLOW), finding(1, SLOW))


def stepping(at: int, seed: int, factor: float = 0.5, sigma: float = 0.02) -> Array:
    """A series whose level changes at a run."""
    values = np.exp(np.random.default_rng(seed).normal(0.0, sigma, RUNS))
    values[at:] *= factor
    return values


def places(findings: list[ScanFinding], series: list[Array], movement: float, signs: Array | None = None) -> list[int]:
    """Return the runs of findings, once aligned, when one run moved."""
    moved = np.zeros(RUNS)
    moved[SLOW] = movement
    offsets, runs = np.arange(0, RUNS * len(series) + 1, RUNS), np.tile(np.arange(RUNS), len(series))
    given = np.ones(len(series)) if signs is None else signs
    found = aligned(findings, np.concatenate(series), offsets, runs, moved, given)
    assert [one.run for one in found] == [one.change.index for one in found]
    assert [replace(a, run=0, change=b.change) for a, b in zip(found, findings, strict=True)] == [
        replace(b, run=0) for b in findings
    ]
    return [one.run for one in found]


class TestAligned:
    """A change joins its siblings where its series fits that as well, and no other."""

    def series(self, last: Array) -> list[Array]:
        return [stepping(SLOW, 1), stepping(SLOW, 2), last]

    def slowed(self, seed: int = 3) -> Array:
        """A series that falls by half at the slow run, and is slow in it and, by itself, in no other."""
        values = stepping(SLOW, seed)
        values[SLOW] *= FACTOR
        return values

    def test_in_a_slow_run(self) -> None:
        found = places([*SIBLINGS, finding(2, SLOW + 1)], self.series(self.slowed()), np.log(FACTOR))
        assert found == [SLOW] * 3

    def test_of_a_rate(self) -> None:
        series = [1.0 / one for one in self.series(self.slowed())]
        findings = [finding(number, run, 1.0) for number, run in enumerate([SLOW, SLOW, SLOW + 1])]
        assert places(findings, series, np.log(FACTOR), -np.ones(3)) == [SLOW] * 3

    @pytest.mark.parametrize("apart", [-2, -1, 1, 2])
    def test_a_change_of_its_own_stays(self, apart: int) -> None:
        """Its series is clearly at one of its levels in the runs between."""
        series = self.series(stepping(SLOW + apart, 3))
        assert places([*SIBLINGS, finding(2, SLOW + apart)], series, 0.0)[2] == SLOW + apart

    def test_what_does_not_join(self) -> None:
        series = [*self.series(self.slowed()), stepping(SLOW, 4)]
        for other, siblings in (
            (finding(2, SLOW + 1, 0.5), SIBLINGS),
            (finding(2, SLOW + 1, suite_wide=True), SIBLINGS),
            (finding(2, SLOW + 1), SIBLINGS[: FEWEST - 1]),
            (finding(2, SLOW + SHARED_RUNS + 1), SIBLINGS),
        ):
            assert places([*siblings, other], series, np.log(FACTOR))[-1] == other.run

    def test_it_keeps_clear_of_other_changes_of_its_series(self) -> None:
        found = places([*SIBLINGS, finding(2, SLOW + 1), finding(2, SLOW)], self.series(self.slowed()), np.log(FACTOR))
        assert found == [SLOW, SLOW, SLOW + 1, SLOW]

    @pytest.mark.parametrize(
        ("movement", "sigma", "most"), [(np.log(FACTOR), 0.02, 10), (0.0, 0.03, 0), (0.02, 0.03, 0)]
    )
    def test_neighbouring_commits_are_seldom_joined(self, movement: float, sigma: float, most: int) -> None:
        """Of steps of 10 % one run apart; none where the run between did not move, or less than half as far."""
        joined = 0
        for seed in range(100):
            series = self.series(stepping(SLOW + 1, seed + 10, 0.9, sigma))
            joined += places([*SIBLINGS, finding(2, SLOW + 1, -0.1)], series, movement)[2] == SLOW
        assert joined <= most


def test_a_change_in_a_slow_run_is_one_commit() -> None:
    """Twelve of 60 benchmarks fall by half at a run that is slow, and three do not follow the runs that are slow elsewhere."""
    drawn = np.random.default_rng(5)
    y = drawn.normal(0.0, 0.02, (60, RUNS))
    y[:, [9, 19, SLOW]] += 0.45
    y[:3, [9, 19]] -= 0.45
    y[:12, SLOW:] -= 0.65
    found = scan(np.exp(y).ravel(), np.arange(0, y.size + 1, RUNS), np.tile(np.arange(RUNS), 60))
    assert sorted((one.series, one.run) for one in found.findings) == [(series, SLOW) for series in range(12)]
