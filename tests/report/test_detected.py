"""Changes, scans and noise as text."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from bench_db.analysis.histories import Histories
from bench_db.model import Figure, Movement, Noise, Series
from bench_db.query.series import HISTORY, IDENTITY
from bench_db.report.detected import changes_text, noise_text, scan_text
from bench_db.report.text import Screen
from bench_db.rules import RULES
from bench_db.units import Direction
from tests.report.example_site import history
from tests.report.examples import commit_of, found

SLOW = Series(series_key=1, benchmark_name="slow", test_bed_name="ci-1")
FAST = Series(series_key=2, benchmark_name="fast", test_bed_name="ci-2", direction=Direction.HIGHER)


def of(*frames: pl.DataFrame) -> Histories:
    """Arrange series of one point a run as histories."""
    points = pl.concat(frames)
    return Histories(
        names=pl.concat([frame.select(IDENTITY).head(1) for frame in frames]),
        points=points.select(HISTORY),
        figures=[Figure.MEDIAN] * len(frames),
        values=points["median"].to_numpy(),
        offsets=np.cumsum([0, *map(len, frames)]),
    )


def key_of(frame: pl.DataFrame) -> int:
    return int(frame["series_key"][0])


class TestChanges:
    """A mark is under the point at which the level changes, and under no point of another series."""

    STEP = history("step", np.array([1.0] * 5 + [2.0] * 3))
    FLAT = history("flat", np.array([1.0] * 4))

    def test_marks(self) -> None:
        text = changes_text(of(self.STEP, self.FLAT), [found("id1", key_of(self.STEP), 5)])
        lines = text.split("\n")
        assert lines[:3] == ["io: step  on runner-large: 8 runs, 1 change", "▁▁▁▁▁███", "     ^"]
        assert lines[3:5] == ["io: flat  on runner-large: 4 runs, too few to look for a change, which needs 8", "▁▁▁▁"]

    def test_a_mark_in_a_narrow_picture(self) -> None:
        long = history("long", np.array([1.0] * 600 + [2.0] * 200))
        _, bars, marks, *_ = changes_text(of(long), [found("id1", key_of(long), 600)], Screen(width=40)).split("\n")
        assert len(bars) <= 40
        assert marks.index("^") == bars.index("█")

    def test_a_change_at_the_last_point(self) -> None:
        lines = changes_text(of(self.FLAT), [found("id1", key_of(self.FLAT), 3)]).split("\n")
        assert lines[2] == "   ^"


def scanned(*movements: Movement, series: Series = SLOW, changes: int = 2, of_machine: int = 0) -> str:
    return scan_text(
        [found("id1", 1, 3, commit=commit_of(1))],
        {series.series_key: series},
        movements=movements,
        changes=changes,
        tested=40,
        too_short=3,
        expected_false=0.25,
        of_machine=of_machine,
    )


class TestScan:
    """The figures come first, then the largest movements, then the findings."""

    def test_figures(self) -> None:
        assert scanned().startswith("40 series tested, 3 with fewer than ")
        assert "; 2 changes, of which 0.2 are expected to be false alarms\n" in scanned()
        assert "; 1 change, of which" in scanned(changes=1)
        assert "of which 0.2 are expected to be false alarms and 1 moved with the machine\n" in scanned(of_machine=1)
        assert "slow" in scanned().split("\n\n")[1]

    @pytest.mark.parametrize(
        ("too_short", "said"),
        [
            (0, "there are no results yet"),
            (1, "a series needs 8 runs, and the series has fewer"),
            (7, "a series needs 8 runs, and the 7 series have fewer"),
        ],
    )
    def test_nothing_to_test(self, too_short: int, said: str) -> None:
        text = scan_text([], {}, movements=(), changes=0, tested=0, too_short=too_short, expected_false=0.0)
        assert text == f"nothing tested: {said}\n\nno findings"

    def test_movements(self) -> None:
        moved = [Movement(run=n, commit=commit_of(n), effect=0.1 * n, series=9, lasting=n == 1) for n in range(1, 9)]
        lines = scanned(*moved).split("\n\n")[0].split("\n")[1:]
        assert [commit_of(n)[: RULES.sha_length] in line for n, line in enumerate(lines, 1)] == [True] * 5
        assert [", and stayed." in line for line in lines] == [True, False, False, False, False]
        assert ": 9 series moved together by +10.0 %, and stayed" in lines[0]

    def test_markdown(self) -> None:
        text = scan_text(
            [found("id1", 1, 3, commit=commit_of(1))],
            {1: SLOW},
            movements=[Movement(run=1, commit=commit_of(1), effect=0.1, series=9, lasting=True)],
            changes=1,
            tested=40,
            too_short=3,
            expected_false=0.25,
            markdown=True,
        )
        figures, moved, _ = text.split("\n\n", 2)
        assert figures.startswith("40 series tested")
        assert moved.startswith(f"run {commit_of(1)[:9]}")
        assert "<summary>" in text

    def test_rates_move_the_other_way(self) -> None:
        moved = Movement(run=0, effect=0.1, series=9, lasting=False, test_bed_name="ci-2", benchmarks=2, measured=3)
        assert (
            "run - on ci-2: 2 of 3 benchmarks (9 series) moved together by +10.0 % (rates the other way). Cause: not"
            in scanned(moved, series=FAST)
        )
        assert "other way" not in scanned(moved)


class TestNoise:
    """A line a series, in the order given; what is not known is a dash."""

    def test_lines(self) -> None:
        known = Noise(series=SLOW, spread=0.021, smallest_effect=0.05, autocorrelated=True, runs_needed=4)
        unknown = Noise(series=FAST, spread=None, smallest_effect=None, autocorrelated=None, runs_needed=None)
        head, _, first, second = noise_text([known, unknown]).split("\n")
        assert head.startswith("benchmark")
        assert " ".join(first.split()) == "slow ci-1 2.1 % 5.0 % 4 neighbouring runs are alike"
        assert second.split() == ["fast", "ci-2", "-", "-", "-"]

    def test_figures(self) -> None:
        """They are shown where one is not the median."""
        unknown = Noise(series=FAST, spread=None, smallest_effect=None, autocorrelated=None, runs_needed=None)
        head, _, first, second = noise_text([unknown, replace(unknown, figure=Figure.MAXIMUM)]).split("\n")
        assert "figure" in head.split()
        assert (first.split()[-1], second.split()[-1]) == ("median", "max")
        assert "figure" not in noise_text([unknown]).split()

    def test_none(self) -> None:
        assert noise_text([]) == "no results yet"
