"""Slots measured in pairs: two work trees, a set-up and a cache a side, a new process each, in the order of the seed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from bench_db.errors import UserError
from bench_db.measure import git
from bench_db.measure.pairs import Pairing, Slot, measure, order, shift
from bench_db.model import Commit, PairSide
from bench_db.schedule.config import Suite
from tests.support.benches import bench, python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench_db.measure.runner import Bench
    from tests.support.histories import History

BASE, HEAD, CONTROL = PairSide
TELLS = python(
    "import json, os, sys; json.dump({'pid': os.getpid(), 'tree': os.getcwd(), 'cache': os.environ['BENCH_DB_CACHE'],"
    " 'n': open('n').read(), 'made': open('made').read(), 'words': sys.argv[1:]}, open('out.json', 'w'))"
)
SUITE = Suite(setup=[python("open('made', 'a').write('once')")], benchmark=TELLS, outputs=["out.json"])


def pairing(where: Bench, locks: tuple[int, ...], base: str, head: str, *, control: bool = False) -> Pairing:
    names = {BASE: base, HEAD: head, **({CONTROL: base} if control else {})}
    commits = {side: git.commit_of(where.repository, name) for side, name in names.items()}
    return Pairing(commits=commits, bench=where, locks=locks, seed=7)


def measured(
    where: Bench, base: str, head: str, rounds: int = 2, select: Sequence[str] = (), *, control: bool = False
) -> list[tuple[Slot, Any]]:
    """Return the slots with the content of their output."""

    def wanted(number: int) -> Mapping[str, Sequence[str]]:
        return dict.fromkeys(where.suites, select) if number <= rounds else {}

    with git.alone(where.repository, where.home, where.clock) as locks:
        slots = measure(pairing(where, locks, base, head, control=control), wanted)
        return [
            (slot, json.loads(slot.written.outputs[0].read_text()) if slot.written.outputs else None) for slot in slots
        ]


class TestOrder:
    """The order comes from the seed, and each second round reverses the one before."""

    def test_balanced_over_two_rounds(self) -> None:
        for number in range(1, 20, 2):
            first, second = (order(3, "s", n, (BASE, HEAD, CONTROL)) for n in (number, number + 1))
            assert second == tuple(reversed(first))
            assert shift(first, HEAD) == -shift(second, HEAD)

    def test_of_the_seed(self) -> None:
        drawn = [tuple(order(seed, "s", n, (BASE, HEAD)) for n in range(1, 25, 2)) for seed in range(20)]
        assert len(set(drawn)) > 15
        assert drawn[4] == tuple(order(4, "s", n, (HEAD, BASE)) for n in range(1, 25, 2))
        first = sum(one[0][0] is BASE for one in drawn)
        assert 4 <= first <= 16


class TestMeasure:
    """Nothing is shared between the sides but the machine."""

    def test_trees_caches_processes_and_order(self, history: History) -> None:
        shas = [history.commit(n=str(i)) for i in range(2)]
        found = measured(bench(history, one=SUITE), shas[0], shas[1], select=["-k", "a or b"], control=True)
        sides = [slot.side for slot, _ in found]
        assert sides == [side for number in range(3) for side in order(7, "one", number, (BASE, HEAD, CONTROL))]
        assert [slot.number for slot, _ in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert [slot.position for slot, _ in found] == [0, 1, 2] * 3
        assert len({tells["pid"] for _, tells in found}) == 9
        assert {tells["made"] for _, tells in found} == {"once"}
        assert {(slot.side, tells["n"]) for slot, tells in found} == {(BASE, "0"), (HEAD, "1"), (CONTROL, "0")}
        for what in ("tree", "cache"):
            paths = {(slot.side, tells[what]) for slot, tells in found}
            assert len(paths) == len({path for _, path in paths}) == 3
            assert len({len(path) for _, path in paths}) == 1
        assert found[0][1]["words"] == ["-k", "a or b"]
        assert not list((history.path.parent / "home" / "trees").iterdir())
        assert history.git("worktree", "list").count("\n") == 0

    def test_one_commit_against_itself(self, history: History) -> None:
        sha = history.commit(n="0")
        assert len({tells["tree"] for _, tells in measured(bench(history, one=SUITE), sha, sha)}) == 2

    def test_a_side_that_fails_keeps_its_slots(self, history: History) -> None:
        base, head = history.commit(n="0"), history.commit(n="1")
        code = "import sys; sys.exit(int(open('n').read()))"
        suite = Suite(benchmark=python(f"open('o', 'w'); {code}"), outputs=["o"])
        where = bench(history, one=suite)
        with git.alone(where.repository, where.home, where.clock) as locks:
            found = list(measure(pairing(where, locks, base, head), lambda n: {"one": ()} if n < 2 else {}))
        assert {(slot.side, slot.error) for slot in found} == {
            (BASE, None),
            (HEAD, f"{Path(sys.executable).name}: exit code 1"),
        }
        assert "exit code 1" in found[[s.side for s in found].index(HEAD)].log.read_text()

    @pytest.mark.parametrize(
        ("suite", "error"),
        [
            (structs.replace(SUITE, setup=["no-such-program"]), "no-such-program: cannot be run"),
            (structs.replace(SUITE, directory="sub"), "sub: not in this commit"),
        ],
    )
    def test_a_suite_that_cannot_be_set_up(self, suite: Suite, error: str, history: History) -> None:
        sha = history.commit(n="0")
        where = bench(history, bad=suite, good=SUITE)
        with git.alone(where.repository, where.home, where.clock) as locks:
            found = list(measure(pairing(where, locks, sha, sha), lambda n: {"good": ()} if n < 1 else {}))
        assert [(slot.suite, slot.failed_setup) for slot in found] == [("bad", True), ("good", False), ("good", False)]
        assert error in str(found[0].error)

    def test_a_commit_that_cannot_be_checked_out(self, history: History) -> None:
        sha = history.commit(n="0")
        where = bench(history, one=SUITE)
        gone = Commit(sha="0" * 40, time=0, subject="", parents=())
        with git.alone(where.repository, where.home, where.clock) as locks, pytest.raises(UserError, match="worktree"):
            list(measure(replace(pairing(where, locks, sha, sha), commits={BASE: gone, HEAD: gone}), lambda _: {}))

    def test_trees_that_a_kill_left_are_removed(self, history: History) -> None:
        sha, home = history.commit(), history.path.parent / "home"
        for side in PairSide:
            history.git("worktree", "add", "--detach", str(home / "trees" / f"{sha}-{side}"), sha)
        (home / "trees" / f"{sha}-mine").mkdir()
        where = bench(history, one=SUITE)
        with git.alone(where.repository, where.home, where.clock):
            assert [path.name for path in (home / "trees").iterdir()] == [f"{sha}-mine"]
            assert history.git("worktree", "list").count("\n") == 0
