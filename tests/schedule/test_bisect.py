import random
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UserError
from bench_db.model import Commit, Side
from bench_db.schedule.bisect import bisect, nearest_side


def commits(count: int) -> list[Commit]:
    return [Commit(sha=f"{i:040x}", time=i) for i in range(count)]


class Machine:
    """A machine on which the time changes from commit `change` on, with noise within and between rounds."""

    def __init__(
        self, change: int, *, factor: float = 1.5, noise: float = 0.0, broken: Sequence[int] = (), seed: int = 0
    ) -> None:
        self.change, self.factor, self.noise, self.broken = change, factor, noise, broken
        self.random, self.rounds = random.Random(change + 1000 * seed), 0

    def __call__(self, commit: Commit) -> list[float]:
        self.rounds += 1
        if commit.time in self.broken:
            return []
        level = 100.0 * (self.factor if commit.time >= self.change else 1.0) * self.random.gauss(1, self.noise)
        return [level * self.random.gauss(1, self.noise / 2) for _ in range(15)]


class TestBisect:
    """The commit of a change is found by measuring few commits."""

    @given(
        st.integers(2, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))), st.sampled_from([0.5, 1.5])
    )
    def test_found_in_logarithmic_time(self, size: tuple[int, int], factor: float) -> None:
        count, change = size
        machine = Machine(change, factor=factor)
        found = bisect(commits(count), machine, nearest_side)
        assert found.found == commits(count)[change]
        assert machine.rounds <= 6 + count.bit_length()

    def test_found_in_noise(self) -> None:
        changes = [Machine(change, factor=1.3, noise=0.02) for change in range(1, 16)]
        found = [bisect(commits(16), machine, nearest_side, most_rounds=6).found for machine in changes]
        assert [commit.time if commit else None for commit in found] == list(range(1, 16))

    def test_a_commit_that_cannot_be_measured_is_passed_over(self) -> None:
        found = bisect(commits(16), Machine(11, broken=(7, 8, 12)), nearest_side)
        assert found.found == commits(16)[11]

    def test_next_to_such_commits_several_stay_suspect(self) -> None:
        found = bisect(commits(16), Machine(9, broken=(7, 8)), nearest_side)
        assert ([commit.time for commit in found.suspects], found.found) == ([7, 8, 9], None)

    def test_no_change_is_said_and_not_invented(self) -> None:
        with pytest.raises(UserError, match="no change to find"):
            bisect(commits(16), Machine(99, noise=0.05), nearest_side)

    def test_noise_between_rounds_names_no_commit(self) -> None:
        named = 0
        for seed in range(300):
            machine = Machine(99, noise=0.02, seed=seed)
            with suppress(UserError):
                named += bisect(commits(16), machine, nearest_side).found is not None
        assert named <= 6

    def test_an_end_that_cannot_be_measured(self) -> None:
        with pytest.raises(UserError, match="cannot be measured"):
            bisect(commits(4), Machine(2, broken=(3,)), nearest_side)

    def test_one_commit_is_no_range(self) -> None:
        with pytest.raises(UserError, match="nothing to bisect"):
            bisect(commits(1), Machine(1), nearest_side)

    def test_an_unsure_judge_ends(self) -> None:
        def judge(_: object, __: object, candidate: Sequence[Sequence[float]]) -> Side:
            return Side.BAD if candidate[0][0] > 125 else Side.UNSURE

        found = bisect(commits(8), Machine(7), judge, most_rounds=3)
        assert [commit.time for commit in found.suspects] == list(range(1, 8))
        assert {look.rounds for look in found.looks if look.side is Side.UNSURE} == {3}


class TestNearestSide:
    """A side is selected only if noise does not hide the difference."""

    def test_sides(self) -> None:
        good, bad = [[10.0, 10.1, 9.9]], [[20.0, 20.1, 19.9]]
        assert nearest_side(good, bad, [[10.5]]) is Side.GOOD
        assert nearest_side(good, bad, [[19.0]]) is Side.BAD
        assert nearest_side(good, bad, [[40.0]]) is Side.BAD
        assert nearest_side(good, bad, [[14.0]]) is Side.UNSURE

    def test_noise_between_rounds_counts(self) -> None:
        assert nearest_side([[10.0], [14.0], [7.0]], [[13.0], [10.0], [17.0]], [[13.0]]) is Side.UNSURE

    def test_a_small_change_is_none(self) -> None:
        assert nearest_side([[100.0]], [[101.0]], [[101.0]]) is Side.UNSURE
        assert nearest_side([[100.0]], [[101.0]], [[101.0]], least_change=0.005) is Side.BAD

    def test_zeros_are_numbers(self) -> None:
        assert nearest_side([[0.0]], [[1.0]], [[1.0]]) is Side.BAD
        assert nearest_side([[0.0]], [[0.0]], [[0.0]]) is Side.UNSURE
