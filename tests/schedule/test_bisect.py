from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UserError
from bench_db.model import Bisection, Commit, Look, Side
from bench_db.schedule.bisect import bisect


def commits(count: int) -> list[Commit]:
    return [Commit(sha=f"{i:040x}", time=i) for i in range(count)]


class Machine:
    """A machine on which commits from `change` on are bad; it is not sure of some, and others are broken."""

    def __init__(self, change: int, *, broken: Sequence[int] = (), unsure: Sequence[int] = ()) -> None:
        self.change, self.broken, self.unsure, self.asked = change, broken, unsure, list[int]()

    def ends(self, good: Commit, bad: Commit) -> tuple[Look, Look]:
        if {good.time, bad.time} & set(self.broken) or not good.time < self.change <= bad.time:
            message = "no change to find"
            raise UserError(message)
        return self.look(good, Side.GOOD), self.look(bad, Side.BAD)

    def look(self, commit: Commit, side: Side) -> Look:
        return Look(commit=commit, side=side, rounds=5, typical=1.0)

    def ask(self, commit: Commit) -> Look:
        self.asked.append(commit.time)
        side = Side.BAD if commit.time >= self.change else Side.GOOD
        side = Side.UNMEASURABLE if commit.time in self.broken else side
        return self.look(commit, Side.UNSURE if commit.time in self.unsure else side)

    def search(self, count: int) -> Bisection:
        return bisect(commits(count), self.ends, self.ask)


class TestBisect:
    """The commit of a change is found by asking of few commits."""

    @given(st.integers(2, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))))
    def test_found_in_logarithmic_time(self, size: tuple[int, int]) -> None:
        count, change = size
        machine = Machine(change)
        found = machine.search(count)
        assert found.found == commits(count)[change]
        assert len(machine.asked) <= count.bit_length()
        assert [look.commit.time for look in found.looks] == sorted({0, count - 1, *machine.asked})

    def test_a_commit_that_cannot_be_measured_is_passed_over(self) -> None:
        assert Machine(11, broken=(7, 8, 12)).search(16).found == commits(16)[11]

    @pytest.mark.parametrize("hidden", ["broken", "unsure"])
    def test_next_to_such_commits_several_stay_suspect(self, hidden: str) -> None:
        found = Machine(9, **{hidden: (7, 8)}).search(16)
        assert ([commit.time for commit in found.suspects], found.found) == ([7, 8, 9], None)

    def test_no_change_is_said_and_not_invented(self) -> None:
        with pytest.raises(UserError, match="no change to find"):
            Machine(99).search(16)

    def test_one_commit_is_no_range(self) -> None:
        with pytest.raises(UserError, match="nothing to bisect"):
            Machine(1).search(1)
