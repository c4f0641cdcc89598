"""Whose results count, and the order of their commits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.model import RecordedCommit
from bench_db.query import history
from bench_db.query.history import RANKS, History, commit_orders, history_of, main_branches, with_order
from bench_db.query.selection import Selection
from bench_db.store.history import known_commits

ROWS = pl.DataFrame(
    [
        ("main", "d", "m1", "main", None, 1),
        ("unknown branch", "d", "m2", None, None, 2),
        ("no commit", "d", None, None, None, 3),
        ("topic", "d", "t1", "topic", None, 4),
        ("fork's main", "d", "f1", "main", 7, 5),
        ("gone", "d", "g1", "main", None, 6),
        ("joined", "d", "j1", "topic", None, 7),
        ("excluded", "d", "m1", "main", None, 8),
        ("trunk of e", "e", "e1", "trunk", None, 9),
        ("main of e", "e", "e2", "main", None, 10),
    ],
    ["name", "dut_name", "commit", "branch", "pr_number", "run_key"],
    orient="row",
)
HISTORY = History(
    main={"d": "main", "e": "trunk"}, joined={"j1"}, unreachable={"g1"}, excluded={8}, orders={"m1": 1, "m2": 2}
)


def kept(history: History, selection: Selection, beside: pl.Expr | None = None) -> list[str]:
    return ROWS.filter(history.counts(selection, beside=beside))["name"].to_list()


class TestCounts:
    """By default main's own results count; a branch, a pull request or everything has to be asked for."""

    @pytest.mark.parametrize(
        ("selection", "names"),
        [
            (Selection(), ["main", "unknown branch", "no commit", "joined", "trunk of e"]),
            (Selection(pr_number=7), ["fork's main"]),
            (Selection(branch="topic"), ["topic", "joined"]),
            (Selection(branch="main"), ["main", "main of e"]),
            (Selection(everything=True), [name for name in ROWS["name"] if name != "excluded"]),
        ],
        ids=str,
    )
    def test_selection(self, selection: Selection, names: list[str]) -> None:
        assert kept(HISTORY, selection) == names

    def test_beside(self) -> None:
        both = kept(HISTORY, Selection(pr_number=7), pl.col("run_key").is_in([4, 8]))
        assert both == ["topic", "fork's main"]

    def test_nothing_known(self) -> None:
        every = kept(History(), Selection())
        assert every == [name for name in ROWS["name"] if name != "fork's main"]


class TestAbout:
    """Each scope is said."""

    @pytest.mark.parametrize(
        ("selection", "said"),
        [
            (Selection(), "the main history (branch main, trunk)"),
            (Selection(pr_number=7), "pull request 7"),
            (Selection(branch="x"), "branch x"),
            (Selection(everything=True), "all results, pull requests and other branches included"),
        ],
        ids=str,
    )
    def test_said(self, selection: Selection, said: str) -> None:
        assert HISTORY.about(selection) == said

    def test_unknown_branch(self) -> None:
        assert History().about(Selection()) == "the main history"


class TestStamp:
    """It changes when an old result can become the newest, and not when a commit is added."""

    def test_stamp(self) -> None:
        def history(*commits: RecordedCommit, excluded: tuple[int, ...] = ()) -> History:
            return history_of(known_commits(commits), excluded=excluded)

        one, two, three = (RecordedCommit(dut_name="d", commit=f"c{n}", time=n) for n in (1, 2, 3))
        stamp = history(one, two).stamp(2)
        assert history(one, two, three).stamp(2) == stamp
        assert history(one, two, excluded=(5,)).stamp(2) != stamp
        turned = [RecordedCommit(dut_name="d", commit=f"c{n}", position=3 - n) for n in (1, 2)]
        assert history(one, two, *turned).stamp(2) != stamp
        gone = RecordedCommit(dut_name="d", commit="c1", reachable=False)
        assert history(one, two, gone).stamp(2) != stamp


class TestScope:
    """It changes when other stored results count, and not when a commit of main is added."""

    def test_scope(self) -> None:
        assert replace(HISTORY, orders={"m1": 1}).scope == HISTORY.scope
        others: tuple[dict[str, Any], ...] = (
            {"main": {"d": "topic", "e": "trunk"}},
            {"joined": {"t1"}},
            {"beside": {"m2"}},
            {"unreachable": {"m1"}},
            {"excluded": {1}},
        )
        scopes = {replace(HISTORY, **other).scope for other in others}
        assert len(scopes - {HISTORY.scope}) == len(others)


def record(number: int, **facts: object) -> RecordedCommit:
    """Commit `c3` of device d for the number 3, with its first parent, at time 1000 * number."""
    plain = RecordedCommit(dut_name="d", commit=f"c{number}", time=1000 * number, parents=(f"c{number - 1}",))
    return replace(plain, **facts)  # type: ignore[arg-type]


def ordered(*records: RecordedCommit) -> list[str]:
    known = known_commits(records)
    orders = commit_orders(known, main_branches(known.values(), {}))
    assert len(set(orders.values())) == len(orders)
    return sorted(orders, key=lambda commit: orders[commit])


def names(*numbers: int) -> list[str]:
    return [f"c{number}" for number in numbers]


class TestCommitOrders:
    """The order of git, whatever the clocks say; time decides only between what git does not connect."""

    @given(st.permutations(range(1, 9)), st.lists(st.integers(0, 5), min_size=8, max_size=8))
    def test_positions_decide(self, written: list[int], times: list[int]) -> None:
        records = [record(n, position=n, parents=(), time=times[n - 1]) for n in written]
        assert ordered(*records) == names(*range(1, 9))

    @given(st.permutations(range(1, 9)), st.lists(st.integers(0, 5), min_size=8, max_size=8))
    def test_unbroken_parents_decide(self, written: list[int], times: list[int]) -> None:
        assert ordered(*(record(n, time=times[n - 1]) for n in written)) == names(*range(1, 9))

    @given(st.sets(st.integers(1, 8)), st.permutations(range(1, 9)))
    def test_a_missing_position_moves_nothing_else(self, missing: set[int], written: list[int]) -> None:
        records = [record(n, parents=(), position=None if n in missing else n) for n in written]
        assert ordered(*records) == names(*range(1, 9))

    def test_commits_that_no_parents_connect_are_ordered_in_one_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The children of a line are found once, not once for each of its parts, which takes 3 s at 2,000 commits."""
        counted: list[int] = []

        def children(parents: history.Links) -> history.Links:
            counted.append(len(parents))
            return find(parents)

        find = history._children
        monkeypatch.setattr(history, "_children", children)
        shas = [f"{number:040x}" for number in range(300)]
        known = {
            ("d", sha): RecordedCommit(dut_name="d", commit=sha, time=n, branch="main") for n, sha in enumerate(shas)
        }
        assert sorted(shas, key=commit_orders(known, {"d": "main"}).__getitem__) == shas
        assert len(counted) < 10

    @given(st.data())
    def test_a_line_in_sequence_is_as_every_line(self, data: st.DataObject) -> None:
        """Whatever a line takes the shorter way, the way of every line gives the same order."""
        numbers = data.draw(st.permutations(range(1, 8)))
        few = st.integers(1, 9)
        records = [
            record(
                n,
                time=data.draw(few),
                position=data.draw(st.sampled_from([n, n, n, n, None, 3])),
                ancestors=data.draw(st.sampled_from([None, None, n, n + 1, 4])),
                parents=(f"c{data.draw(st.sampled_from([n - 1, n - 1, n - 1, n + 1, n]))}", "c2")[: data.draw(few)],
            )
            for n in numbers
        ]
        with pytest.MonkeyPatch.context() as patch:
            known = known_commits(records)
            fast = commit_orders(known, {"d": "main"})
            patch.setattr(history, "_in_sequence", lambda _line: None)
            assert fast == commit_orders(known, {"d": "main"})

    def test_a_line_with_positions_is_not_compared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Most lines are in sequence, and every question orders them."""
        monkeypatch.setattr(history, "_by_containment", lambda *_: pytest.fail("compared"))
        assert ordered(*(record(n, position=n) for n in (3, 1, 2))) == names(1, 2, 3)

    def test_parents_connect_to_what_has_a_position(self) -> None:
        same = {"time": 5}
        records = [record(4, **same), record(3, **same), record(2, position=2, **same), record(1, **same)]
        assert ordered(*records) == names(1, 2, 3, 4)

    @given(st.data())
    def test_no_commit_is_before_one_that_it_contains(self, data: st.DataObject) -> None:
        """Whatever merges there are: the line of first parents may be the one of a developer who merged main into it. The clocks are right."""
        parents, contained = dict[int, list[int]](), dict[int, set[int]]()
        for n in range(1, 9):
            parents[n] = data.draw(st.lists(st.integers(1, n - 1), unique=True, max_size=2)) if n > 1 else []
            contained[n] = {n}.union(*(contained[parent] for parent in parents[n]))
        depth = dict[int, int]()
        for n in range(1, 9):
            depth[n] = 1 + (depth[parents[n][0]] if parents[n] else 0)
        times = sorted(data.draw(st.lists(st.integers(0, 5), min_size=8, max_size=8)))
        shown = [
            record(
                n,
                position=depth[n],
                ancestors=len(contained[n]),
                parents=tuple(names(*parents[n])),
                time=times[n - 1],
            )
            for n in data.draw(st.permutations(range(1, 9)))
        ]
        place = {commit: number for number, commit in enumerate(ordered(*shown))}
        assert all(place[f"c{m}"] <= place[f"c{n}"] for n in contained for m in contained[n])

    @given(st.data())
    def test_no_commit_is_before_one_that_recorded_parents_show_it_contains(self, data: st.DataObject) -> None:
        """As of checkouts of depth one, some of complete clones, whatever was measured and the clocks say; in whatever order it was stored."""
        parents, contained, depth = dict[int, list[int]](), dict[int, set[int]](), dict[int, int]()
        for n in range(1, 9):
            parents[n] = data.draw(st.lists(st.integers(1, n - 1), unique=True, max_size=3)) if n > 1 else []
            contained[n] = {n}.union(*(contained[parent] for parent in parents[n]))
            depth[n] = 1 + (depth[parents[n][0]] if parents[n] else 0)
        complete = data.draw(st.sets(st.integers(1, 8)))
        shown = [
            record(
                n,
                position=depth[n] if n in complete else None,
                ancestors=len(contained[n]) if n in complete else None,
                parents=tuple(names(*parents[n])),
                time=data.draw(st.integers(0, 5)),
            )
            for n in data.draw(st.lists(st.integers(1, 8), unique=True, min_size=2))
        ]
        sequence = ordered(*shown)
        place = {commit: number for number, commit in enumerate(sequence)}
        links = {f"c{n}": [c for c in names(*parents[n]) if c in place] for n in parents if f"c{n}" in place}
        assert all(place[before] < place[commit] for commit in links for before in links[commit])
        assert ordered(*reversed(shown)) == sequence

    def test_a_merge_of_a_line_that_is_longer_than_its_first_parents(self) -> None:
        """The first parent was measured by the developer who pulled, all others by CI from checkouts of depth one."""
        main = [record(n) for n in (1, 2, 3, 4)]
        own, merge = record(5, parents=("c1",)), record(6, parents=("c5", "c4"))
        assert ordered(*main, own, merge)[-2:] == names(4, 6)
        assert ordered(*main[1:], record(5, parents=("c0",)), replace(merge, time=0))[-1] == "c6"

    @pytest.mark.parametrize("circle", [("c2",), ("c1", "c2")])
    def test_records_that_contradict_each_other(self, circle: tuple[str, ...]) -> None:
        """No commit is its own ancestor, and a parent has no more ancestors than its child; records can say so."""
        shown = [record(1, parents=circle), record(2, position=1, ancestors=9), record(3, position=3, ancestors=3)]
        assert sorted(ordered(*shown)) == names(1, 2, 3)

    def test_a_circle_that_nothing_connects(self) -> None:
        shown = [record(1, parents=("c2",)), record(2), record(3, parents=())]
        assert sorted(ordered(*shown)) == names(1, 2, 3)

    def test_a_parent_is_before_its_child(self) -> None:
        """Also where the numbers of another commit of the same second come between them."""
        shown = [
            record(1, position=1, ancestors=1, parents=(), time=0),
            record(4, position=2, ancestors=2, parents=("c1",), time=0),
            record(5, position=3, ancestors=3, parents=("c4",), time=0),
            record(7, position=2, ancestors=4, parents=("c1", "c5"), time=0),
            record(8, position=2, ancestors=2, parents=("c1",), time=1),
        ]
        assert ordered(*shown) == names(1, 4, 8, 5, 7)

    @pytest.mark.parametrize("position", [None, 2])
    def test_a_merge_follows_the_parent_that_has_results(self, position: int | None) -> None:
        """As after a `git pull` of which shallow clones were published, whatever the clocks say."""
        merge = record(3, parents=("unmeasured", "c2"), time=10)
        assert ordered(merge, record(4, time=20), record(2, position=position, time=50)) == names(2, 3, 4)

    def test_a_merge_that_a_force_push_dropped(self) -> None:
        """It contains more commits than the new ones on main, and is older."""
        main = [record(n, position=n, ancestors=n, parents=()) for n in (1, 2, 3, 5, 6, 7)]
        dropped = record(4, position=4, ancestors=24, parents=())
        assert ordered(
            *(replace(one, position=(one.position or 0) - (one.time > 4000)) for one in main), dropped
        ) == names(*range(1, 8))

    def test_a_topic_that_main_was_merged_into_and_that_was_squashed(self) -> None:
        topic = {"branch": "topic", "pr_number": 5, "parents": ()}
        update = record(4, position=4, ancestors=40, **topic)
        squash = record(5, position=12, ancestors=13, **topic)
        assert ordered(squash, update, record(3, position=3, ancestors=3, **topic)) == names(3, 4, 5)

    def test_beside_records_of_an_older_release(self) -> None:
        """Those have no number of ancestors."""
        records = [record(n, position=n, ancestors=10 * n, parents=()) for n in (1, 2, 4)]
        assert ordered(*records, record(3, position=3, parents=())) == names(1, 2, 3, 4)

    def test_a_wrong_date_moves_only_the_place(self) -> None:
        records = [record(n, position=n) for n in (1, 2, 4, 5)] + [record(3, position=3, time=10**6)]
        assert ordered(*records) == names(1, 2, 3, 4, 5)
        alone = record(9, time=3500, parents=())
        assert ordered(*records, alone) == names(1, 2, 9, 3, 4, 5)

    def test_dated_after_its_run(self) -> None:
        records = [record(n, parents=()) for n in (1, 3)] + [record(2, parents=(), time=10**9, measured_at=2500)]
        assert ordered(*records) == names(1, 2, 3)

    def test_a_pull_request_does_not_move_main(self) -> None:
        main = [record(n, position=n, branch="main") for n in (1, 2, 3, 4)]
        others = [record(10 + n, position=2 + n, branch="x", pr_number=7, time=3500 + n, parents=()) for n in (1, 2)]
        assert ordered(*main, *others) == names(1, 2, 3, 11, 12, 4)

    def test_devices_of_one_repository_have_one_order(self) -> None:
        d = [record(n, position=n, time=5) for n in (1, 2, 3)]
        e = [replace(one, dut_name="e") for one in d[1:]] + [replace(record(4, position=4, time=5), dut_name="e")]
        assert ordered(*reversed(e), *reversed(d)) == names(1, 2, 3, 4)

    def test_parts_that_nothing_connects(self) -> None:
        """Commits without recorded parents are ordered by time, beside parts of several commits and those with a position."""
        alone = [record(n, parents=()) for n in (9, 2, 4)]
        part = [record(3, parents=(), time=5500), record(5, parents=("c3",), time=1500)]
        given = [record(7, parents=(), position=1), record(8, parents=(), position=2, time=6500)]
        assert ordered(*alone, *part, *given) == names(3, 2, 4, 5, 7, 8, 9)

    def test_nothing(self) -> None:
        assert ordered() == []


class TestMainBranches:
    """Stated, else the default branch that CI names, else main or master, else the branch with most commits."""

    @pytest.mark.parametrize(
        ("records", "stated", "main"),
        [
            ([("dev", None)], {"d": "release"}, "release"),
            ([("main", "dev")], {}, "dev"),
            ([("dev", None), ("dev", None), ("main", None)], {}, "main"),
            ([("dev", None), ("dev", None), ("master", None)], {}, "master"),
            ([("dev", None), ("dev", None), ("topic", None)], {}, "dev"),
            ([(None, None)], {}, None),
        ],
    )
    def test_which(self, records: list[tuple[str, str]], stated: dict[str, str], main: str | None) -> None:
        known = [record(n, branch=branch, main_branch=default) for n, (branch, default) in enumerate(records)]
        assert main_branches(known, stated).get("d") == main

    def test_of_as_many_commits_the_first_recorded(self) -> None:
        known = [record(1, branch="dev", recorded_at=1), record(2, branch="side", recorded_at=2, parents=("c1",))]
        assert main_branches(reversed(known), {}) == {"d": "dev"}

    def test_a_pull_request_has_no_vote(self) -> None:
        known = [record(1, branch="main", pr_number=1), record(2, branch="dev")]
        assert main_branches(known, {}) == {"d": "dev"}


class TestWithOrder:
    """A row without a recorded commit is ordered by its commit time, at most that of its run."""

    def test_rows(self) -> None:
        rows = pl.DataFrame(
            {"commit": ["c1", "x", None], "dut_timestamp": [7, 9, None], "run_time": [None, 8, None]},
            {"commit": pl.String, "dut_timestamp": pl.Int64, "run_time": pl.Int64},
        )
        assert with_order(rows, {"c1": 42})["commit_order"].to_list() == [42, 8 * RANKS, -RANKS]
        assert with_order(rows, {})["commit_order"].to_list() == [7 * RANKS, 8 * RANKS, -RANKS]
