"""Candidates held against the commit where they left a branch, with real histories of git."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.store.database import Database, connect
from tests.cli.asking import compared, nine_commits, refused, wobble
from tests.cli.conftest import bench_db
from tests.cli.kinds import entry, publish_all, sha
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Database:
    return nine_commits(tmp_path / "store")


class TestMergeBase:
    """A candidate is held against the commits it follows from, whatever else has happened since."""

    @pytest.fixture
    def clone(self, tmp_path: Path) -> History:
        return History(tmp_path / "clone")

    @pytest.fixture
    def diverged(self, clone: History, tmp_path: Path) -> tuple[Database, History, list[str], str]:
        """Eight commits; a topic branches off; main doubles its time and goes on; the topic's own commit is the newest."""
        made = connect(tmp_path / "store", create=True)
        shas = [clone.commit(f"main {number}") for number in range(1, 9)]
        entries = [entry(number, {"f": wobble(number)}, commit=commit) for number, commit in enumerate(shas, 1)]
        clone.git("branch", "topic")
        later = range(9, 14)
        entries += [entry(n, {"f": wobble(n, 200)}, commit=clone.commit(f"main {n}")) for n in later]
        clone.git("checkout", "--quiet", "topic")
        candidate = clone.commit("topic")
        publish_all(made, [*entries, entry(14, {"f": wobble(14)}, commit=candidate, branch="topic")])
        return made, clone, shas, candidate

    def test_what_main_did_since_is_left_out(self, diverged: tuple[Database, History, list[str], str]) -> None:
        store, clone, shas, candidate = diverged
        assert compared(store, candidate, "--baseline", "last:5")["verdict"] == "improved"
        row = compared(store, candidate, "--baseline", "merge-base:main", "--clone", clone.path)
        assert (row["verdict"], row["n_baseline"]) == ("unchanged", 8)
        assert row["baseline"] == f"the merge base with main ({shas[-1][:9]})"
        assert row["baseline_commits"] == [shas[-1]]

    def test_the_gate_and_a_threshold(self, diverged: tuple[Database, History, list[str], str]) -> None:
        store, clone, _, candidate = diverged
        words = ("--baseline", "merge-base:main", "--threshold", "0.2%", "--clone", clone.path, "--store", store.uri)
        answer = bench_db("check", candidate, *words, "--output", "json")
        assert answer.code == 0
        assert (answer.document["comparisons"][0]["n_baseline"], answer.document["threshold"]) == (1, 0.2)

    def test_an_unmeasured_one_gives_way_to_the_newest_measured_before_it(
        self, diverged: tuple[Database, History, list[str], str]
    ) -> None:
        store, clone, shas, candidate = diverged
        store.lancedb().open_table("results").delete(f"commit IN ('{shas[-1]}', '{shas[-2]}')")
        row = compared(store, candidate, "--baseline", "merge-base:main", "--clone", clone.path)
        assert (row["n_baseline"], row["baseline_commits"]) == (6, [shas[-3]])
        assert row["baseline"] == f"the merge base with main ({shas[-1][:9]}, measured last at {shas[-3][:9]})"

    def test_no_ancestor_is_measured(self, diverged: tuple[Database, History, list[str], str]) -> None:
        store, clone, shas, candidate = diverged
        store.lancedb().open_table("results").delete(f"commit IN ({', '.join(map(repr, shas))})")
        said = refused(store, "compare", candidate, "--baseline", "merge-base:main", "--clone", clone.path)
        assert f"bench-db backfill --range {shas[-1][:9]}" in said

    def test_a_commit_of_the_branch_itself_is_held_against_those_before_it(
        self, diverged: tuple[Database, History, list[str], str]
    ) -> None:
        store, clone, shas, _ = diverged
        row = compared(store, shas[-1], "--baseline", "merge-base:main", "--clone", clone.path)
        assert (row["n_baseline"], row["baseline_commits"]) == (7, [shas[-2]])

    def test_a_clone_that_knows_main_as_origin_main(
        self, diverged: tuple[Database, History, list[str], str], tmp_path: Path
    ) -> None:
        store, clone, shas, candidate = diverged
        clone.git("clone", "--quiet", "--branch", "topic", str(clone.path), str(tmp_path / "ci"))
        row = compared(store, candidate, "--baseline", "merge-base:main", "--clone", tmp_path / "ci")
        assert row["baseline_commits"] == [shas[-1]]

    def test_an_abbreviated_commit_in_the_store(self, diverged: tuple[Database, History, list[str], str]) -> None:
        store, clone, shas, candidate = diverged
        store.lancedb().open_table("results").update(where=f"commit = '{shas[-1]}'", values={"commit": shas[-1][:9]})
        row = compared(store, candidate, "--baseline", "merge-base:main", "--clone", clone.path)
        assert (row["n_baseline"], row["baseline_commits"]) == (8, [shas[-1][:9]])

    def test_a_shallow_clone(self, diverged: tuple[Database, History, list[str], str], tmp_path: Path) -> None:
        store, clone, _, candidate = diverged
        shallow = tmp_path / "shallow"
        clone.git("clone", "--quiet", "--depth", "1", "--no-single-branch", clone.path.as_uri(), str(shallow))
        said = refused(store, "compare", candidate, "--baseline", "merge-base:main", "--clone", shallow)
        assert "git fetch --unshallow" in said

    def test_unrelated_histories(self, diverged: tuple[Database, History, list[str], str]) -> None:
        store, clone, _, candidate = diverged
        clone.git("checkout", "--quiet", "--orphan", "apart")
        clone.commit("apart")
        said = refused(store, "compare", candidate, "--baseline", "merge-base:apart", "--clone", clone.path)
        assert "no common ancestor" in said

    def test_no_such_branch_and_no_clone(
        self, diverged: tuple[Database, History, list[str], str], tmp_path: Path
    ) -> None:
        store, clone, _, candidate = diverged
        ask = ("compare", candidate, "--baseline")
        assert "no commit 'typo' here" in refused(store, *ask, "merge-base:typo", "--clone", clone.path)
        said = refused(store, *ask, "merge-base:main", "--clone", tmp_path)
        assert "not a git repository" in said
        assert "--clone" in said
        assert "git is not installed" in refused(store, *ask, "merge-base:main", "--clone", clone.path, PATH="")

    def test_a_commit_the_clone_does_not_know(self, store: Database, clone: History) -> None:
        clone.commit("alone")
        said = refused(store, "compare", sha(8), "--baseline", "merge-base:main", "--clone", clone.path)
        assert f"no commit '{sha(8)}' here; fetch it first" in said
