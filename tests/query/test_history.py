from __future__ import annotations

import polars as pl
import pytest

from bench_db.model import RecordedCommit
from bench_db.query.history import History, history_of
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
