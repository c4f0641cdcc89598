from dataclasses import dataclass

import pytest

from bench_db.cli.progress import Estimate, Lines
from bench_db.report.text import duration


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class TestEstimate:
    """The estimate is the time per step times the remaining steps, and decreases during a step."""

    def test_nothing_is_known_before_the_first_step(self) -> None:
        estimate = Estimate(Clock())
        estimate.note(0, 5)
        assert (estimate.seconds, estimate.text) == (None, "")

    @pytest.mark.parametrize("a_step", [0.5, 90.0, 7_200.0])
    def test_steps_of_any_length(self, a_step: float) -> None:
        clock = Clock()
        estimate = Estimate(clock)
        for done in range(1, 4):
            clock.now += a_step
            estimate.note(done, 10)
            assert estimate.seconds == pytest.approx(a_step * (10 - done))
        clock.now += a_step / 4
        assert estimate.seconds == pytest.approx(6.75 * a_step)
        estimate.note(3, 10)  # for instance when the next step begins
        assert estimate.seconds == pytest.approx(6.75 * a_step)

    def test_never_below_nothing(self) -> None:
        clock = Clock()
        estimate = Estimate(clock)
        clock.now = 10
        estimate.note(1, 2)
        clock.now = 100
        assert (estimate.seconds, estimate.text) == (0.0, "about 0 s left")

    def test_each_phase_is_estimated_by_itself(self) -> None:
        clock = Clock()
        estimate = Estimate(clock)
        for done in range(11):  # quick
            clock.now += 0.1
            estimate.note(done, 10)
        estimate.note(0, 10)
        assert estimate.seconds is None
        clock.now += 60
        estimate.note(1, 10)
        assert estimate.seconds == pytest.approx(9 * 60)


class TestLines:
    """In a log, long work says every ten seconds how far it is; short work says nothing."""

    def test_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        clock = Clock()
        lines = Lines(phases=True, clock=clock)
        for done in range(2_001):
            clock.now += 0.011
            lines(done, 2_000, "reading")
        assert capsys.readouterr() == ("", "reading: 909 of 2,000\nreading: 1,819 of 2,000\n")

    def test_work_with_lines_of_its_own_has_no_others(self, capsys: pytest.CaptureFixture[str]) -> None:
        clock = Clock()
        lines = Lines(clock=clock)
        clock.now += 100
        lines(1, 2, "a commit")
        lines.say("measured")
        assert capsys.readouterr() == ("", "measured\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (125, "2 min 5 s"), (3_600, "1 h 0 min"), (12_000, "3 h 20 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
