"""Baselines: settings of names, and the runs that each kind stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db import Baseline, UserError
from bench_db.store.database import Database, connect
from tests.cli.asking import AT, compared, nine_commits, refused, wobble
from tests.cli.conftest import bench_db
from tests.cli.kinds import entry, publish, publish_all, sha

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Database:
    return nine_commits(tmp_path / "store")


class TestSetting:
    """A name points at a commit with results; the newest setting holds, and none is ever lost."""

    def test_the_whole_commit_is_kept(self, store: Database) -> None:
        set_ = store.set_baseline(Baseline(name="main", commit=sha(3)[:8], set_at=AT))
        assert set_.commit == sha(3)
        assert store.baseline("main") == set_
        assert store.baseline("other") is None

    def test_the_last_holds_within_a_second_too(self, store: Database) -> None:
        for number in (1, 2, 1):
            store.set_baseline(Baseline(name="main", commit=sha(number), set_at=AT))
        assert [b.commit for b in store.baselines()] == [sha(1)]
        assert [b.commit for b in store.baselines(history=True)] == [sha(1), sha(2), sha(1)]

    def test_the_last_holds_by_any_clock(self, store: Database) -> None:
        store.set_baseline(Baseline(name="main", commit=sha(1), set_at=AT))
        store.set_baseline(Baseline(name="main", commit=sha(2), set_at=AT - 1000))
        assert [b.commit for b in store.baselines()] == [sha(2)]

    def test_the_same_again_is_nothing_new(self, store: Database) -> None:
        first = store.set_baseline(Baseline(name="main", commit=sha(1), set_at=AT))
        assert store.set_baseline(Baseline(name="main", commit=sha(1), set_at=AT + 9)) == first
        assert len(store.baselines(history=True)) == 1

    def test_a_commit_without_results(self, store: Database) -> None:
        with pytest.raises(UserError, match="no results of"):
            store.set_baseline(Baseline(name="main", commit="f" * 40, set_at=AT))
        publish(store, 20, {"f": "boom"})
        with pytest.raises(UserError, match="has only failed results; a baseline needs"):
            store.set_baseline(Baseline(name="main", commit=sha(20), set_at=AT))
        publish(store, 21, {"f": 1.0})
        store.exclude(store.runs_of(sha(21)), reason="noise", lifted=False, at=AT, by="")
        with pytest.raises(UserError, match=f"every run of {sha(21)} is excluded"):
            store.set_baseline(Baseline(name="main", commit=sha(21), set_at=AT))

    def test_an_abbreviation_of_two_commits(self, store: Database) -> None:
        publish_all(store, [entry(30, {"f": 1.0}, commit=f"dddddddd{digit}".ljust(40, "0")) for digit in "12"])
        assert "means 2 commits" in refused(store, "baseline", "set", "main", "dddddddd")
        assert "means 2 commits" in refused(store, "compare", "dddddddd")
        assert "means 2 commits" in refused(store, "compare", sha(8), "--baseline", "dddddddd")

    @pytest.mark.parametrize("name", ["latest", "level", "last:5", "merge-base:main", "0123abc", " ", "a\nb"])
    def test_a_name_that_means_something_else(self, store: Database, name: str) -> None:
        assert "cannot be the name of a baseline" in refused(store, "baseline", "set", name, sha(1))

    def test_a_hostile_name(self, store: Database) -> None:
        name = 'it\'s "x" OR 1=1 -- ünïcode'
        assert bench_db("baseline", "set", name, "latest", "--store", store.uri).code == 0
        assert bench_db("baseline", "show", name, "--store", store.uri).out.startswith(
            f"{name}: {sha(8)}, for everything"
        )
        assert compared(store, sha(8), "--baseline", name)["baseline_commits"] == [sha(8)]

    def test_clear_and_history(self, store: Database) -> None:
        for words in (("set", "main", sha(1)), ("set", "main", sha(2)), ("clear", "main")):
            assert bench_db("baseline", *words, "--store", store.uri).code == 0
        assert "no baseline" in refused(store, "baseline", "clear", "main")
        assert "no baseline" in refused(store, "baseline", "show", "main")
        history = bench_db("baseline", "show", "main", "--history", "--store", store.uri, "--output", "json").document
        assert [b["commit"] for b in history["baselines"]] == [sha(1), sha(2), None]

    def test_a_pointer_sees_what_its_commit_holds_now(self, store: Database) -> None:
        """It is no copy: a run that is published later for the commit counts."""
        store.set_baseline(Baseline(name="main", commit=sha(8), set_at=AT))
        publish(store, 8, {"f": 200.0}, again=1)
        row = bench_db("check", sha(8), "--threshold", "1", "--store", store.uri, "--output", "json").document
        assert row["comparisons"][0]["candidate_median"] == pytest.approx(150.1)


class TestKinds:
    """The runs that each kind of baseline stands for."""

    @pytest.mark.parametrize(
        ("what", "runs", "about"),
        [
            (None, 8, "the level since the last change"),
            ("level", 8, "the level since the last change"),
            ("last:5", 5, "the newest 5 runs before it"),
            ("last:99", 8, "the newest 99 runs before it"),
            (sha(6), 7, f"commit {sha(6)[:9]}"),
            (sha(6)[:8], 7, f"commit {sha(6)[:9]}"),
        ],
    )
    def test_runs(self, store: Database, what: str | None, runs: int, about: str) -> None:
        row = compared(store, "latest", *(() if what is None else ("--baseline", what)))
        assert (row["n_baseline"], row["baseline"], row["verdict"]) == (runs, about, "unchanged")
        assert row["candidate"] == sha(8)

    def test_of_one_branch(self, store: Database) -> None:
        publish_all(store, [entry(number, {"f": wobble(number, 300)}, branch="noise") for number in range(9, 14)])
        publish(store, 14, {"f": wobble(14)}, branch="topic")
        assert compared(store, sha(14), "--baseline", "last:5")["verdict"] == "unchanged"
        of_noise = compared(store, sha(14), "--baseline", "last:5", "--baseline-branch", "noise")
        assert of_noise["verdict"] == "improved"
        row = compared(store, sha(14), "--baseline", "last:5", "--baseline-branch", "main")
        assert (row["verdict"], row["baseline"]) == ("unchanged", "the newest 5 runs before it, of branch main")
        row = compared(store, sha(14), "--baseline-branch", "main")
        assert (row["verdict"], row["n_baseline"]) == ("unchanged", 9)

    @pytest.mark.parametrize("what", ["nothing", "last:0", "last:x", "f" * 40])
    def test_what_it_cannot_be(self, store: Database, what: str) -> None:
        store.set_baseline(Baseline(name="release", commit=sha(3), set_at=AT))
        said = refused(store, "compare", sha(8), "--baseline", what)
        assert "no such baseline (release)" in said
        assert "bench-db baseline set NAME COMMIT" in said

    def test_no_candidate(self, store: Database, tmp_path: Path) -> None:
        assert "no results of" in refused(store, "compare", "f" * 40)
        assert "with these conditions" in refused(store, "compare", sha(8), "--suite", "other")
        empty = connect(tmp_path / "empty", create=True)
        assert "no result of any commit" in refused(empty, "compare", "latest")
