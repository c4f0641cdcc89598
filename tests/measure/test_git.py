import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from bench_db.clock import Clock
from bench_db.errors import UserError
from bench_db.measure import git
from bench_db.schedule.plan import Between, Commits, Scope, Tags
from tests.support.histories import DAY, FIRST, History

pytestmark = pytest.mark.few(1)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "clone")


class TestOfRange:
    """A range gives its commits oldest first, each once, with the data of git."""

    def test_a_branch(self, history: History) -> None:
        shas = [history.commit(f"change {i}") for i in range(3)]
        found = git.of_range(history.path, Scope.ALL, "main")
        assert [commit.sha for commit in found] == shas
        assert [commit.time for commit in found] == [FIRST + DAY, FIRST + 2 * DAY, FIRST + 3 * DAY]
        assert [commit.parents for commit in found] == [(), (shas[0],), (shas[1],)]
        assert found[2].subject == "change 2"

    def test_what_one_commit_has_and_another_has_not(self, history: History) -> None:
        shas = [history.commit() for _ in range(4)]
        found = git.of_range(history.path, Between(start=shas[0][:10], end="HEAD~1"))
        assert [commit.sha for commit in found] == shas[1:3]

    def test_a_merged_branch_is_its_merge(self, history: History) -> None:
        history.commit()
        history.git("checkout", "--quiet", "-b", "side")
        side = history.commit("side", a="1")
        history.git("checkout", "--quiet", "main")
        history.commit("main", b="1")
        history.git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
        found = git.of_range(history.path, Scope.ALL, "main")
        assert [commit.subject for commit in found] == ["change", "main", "merge"]
        assert side not in {commit.sha for commit in found}

    def test_tags_light_and_annotated(self, history: History) -> None:
        one, two, three = (history.commit() for _ in range(3))
        history.git("tag", "v1.0", one)
        history.git("tag", "-a", "v1.1", "-m", "annotated", two)
        history.git("tag", "v2.0", three)
        history.git("tag", "tree", f"{three}^{{tree}}")
        assert [commit.sha for commit in git.of_range(history.path, Tags())] == [one, two, three]
        assert [commit.sha for commit in git.of_range(history.path, Tags(pattern="v1.*"))] == [one, two]

    def test_named_commits(self, history: History) -> None:
        one, two = history.commit(), history.commit()
        assert [c.sha for c in git.of_range(history.path, Commits(names=("main", one[:8], "HEAD")))] == [one, two]


class TestMainBranch:
    """Without a remote the local branches say which one is the main branch."""

    @pytest.mark.parametrize(("only", "main"), [("main", "main"), ("master", "master"), ("trunk", "trunk")])
    def test_of_one_branch(self, history: History, only: str, main: str) -> None:
        history.commit()
        history.git("branch", "--move", only)
        assert git.main_branch(history.path) == main

    def test_a_renamed_branch(self, history: History) -> None:
        history.commit()
        history.git("branch", "topic")
        for name in ("develop", "trunk"):
            history.git("branch", "--move", "main" if name == "develop" else "develop", name)
        assert git.main_branch(history.path) == "trunk"

    def test_a_copy_has_the_log_of_another(self, history: History) -> None:
        history.commit()
        history.git("branch", "--move", "trunk")
        history.git("branch", "--copy", "trunk", "a-topic")
        assert git.main_branch(history.path) == "trunk"

    def test_the_branch_of_the_first_commit(self, history: History) -> None:
        """The main branch is the one on which the first commit was made, also after it is renamed, and no orphan branch."""
        history.git("symbolic-ref", "HEAD", "refs/heads/develop")
        history.commit()
        history.git("checkout", "--quiet", "-b", "a-topic")
        history.commit()
        history.git("branch", "--copy", "develop", "a-copy")
        assert git.main_branch(history.path) == "develop"
        history.git("branch", "--move", "develop", "trunk")
        history.git("checkout", "--quiet", "--orphan", "gh-pages")
        history.commit()
        assert git.main_branch(history.path) == "trunk"

    def test_the_configured_name(self, history: History) -> None:
        history.git("symbolic-ref", "HEAD", "refs/heads/develop")
        history.commit()
        history.git("branch", "next")
        history.git("config", "init.defaultBranch", "next")
        assert git.main_branch(history.path) == "next"

    def test_a_remote_without_a_head(self, history: History) -> None:
        """As `git remote add` leaves it: only while the main branch is checked out, because the default branch may be another one."""
        history.commit()
        history.git("branch", "--move", "trunk")
        history.git("remote", "add", "origin", "nowhere")
        assert git.main_branch(history.path) == "trunk"
        history.git("checkout", "--quiet", "-b", "topic")
        assert git.main_branch(history.path) is None
        history.git("checkout", "--quiet", "--detach")
        assert git.main_branch(history.path) is None

    def test_branches_that_say_nothing(self, tmp_path: Path) -> None:
        """Two branches whose logs have expired, and a branch that was fetched alone, as a job does it."""
        origin = History(tmp_path / "origin")
        origin.git("symbolic-ref", "HEAD", "refs/heads/develop")
        origin.commit()
        origin.git("branch", "side")
        origin.git("reflog", "expire", "--expire=now", "--all")
        assert git.main_branch(origin.path) is None
        job = History(tmp_path / "job")
        job.git("fetch", "--quiet", f"file://{origin.path}", "side")
        job.git("checkout", "--quiet", "-B", "side", "FETCH_HEAD")
        assert git.main_branch(job.path) is None


class TestUnknown:
    """The error of an unknown commit names the command that fetches it, from a clone of one branch too."""

    @pytest.mark.parametrize("depth", [(), ("--depth", "1")])
    def test_the_proposed_command_fetches_another_branch(
        self, history: History, tmp_path: Path, depth: tuple[str, ...]
    ) -> None:
        fork = history.commit()
        main = history.commit()
        history.git("checkout", "--quiet", "-b", "topic", fork)
        history.commit("topic")
        clone = tmp_path / "one"
        history.git(
            "clone", "--quiet", *depth, "--branch", "topic", "--single-branch", history.path.as_uri(), str(clone)
        )
        with pytest.raises(UserError, match="there is no commit 'origin/main' here") as caught:
            git.resolve(clone, "origin/main")
        said = str(caught.value)
        assert ("shallow" in said, "fetch-depth: 0" in said) == (bool(depth), bool(depth))
        command = said.partition("(git ")[2].partition(")")[0].partition(", ")[0]
        subprocess.run(["git", "-C", str(clone), *shlex.split(command)], check=True, capture_output=True)
        assert git.resolve(clone, "origin/main") == main
        assert git.merge_base(clone, "HEAD", "origin/main") == fork


class TestRecord:
    """A record has what the commit says of itself, and its place in the history that the clone has."""

    @pytest.fixture
    def merged(self, history: History) -> dict[str, str]:
        """Return the commits of a main branch that merges a topic; another branch goes on from its first commit."""
        shas = {"first": history.commit(a="1")}
        history.git("checkout", "--quiet", "-b", "topic")
        shas["topic"] = history.commit(b="1")
        history.git("checkout", "--quiet", "main")
        shas["second"] = history.commit(a="2")
        history.git("merge", "--quiet", "--no-ff", "-m", "merge", "topic")
        shas["merge"] = history.git("rev-parse", "HEAD")
        history.git("checkout", "--quiet", "-b", "other", shas["first"])
        shas["other"] = history.commit(c="1")
        return shas

    @pytest.mark.parametrize(
        ("name", "position", "on_main"),
        [("first", 1, True), ("second", 2, True), ("merge", 3, True), ("topic", 2, False), ("other", 2, False)],
    )
    def test_place(self, history: History, merged: dict[str, str], name: str, position: int, *, on_main: bool) -> None:
        record = git.record_of(history.path, merged[name], "d")
        assert (record.commit, record.main_branch) == (merged[name], "main")
        assert (record.position, record.on_main) == (position, on_main)
        assert record.tree == history.git("rev-parse", f"{merged[name]}^{{tree}}")

    def test_of_a_clone(self, history: History, merged: dict[str, str], tmp_path: Path) -> None:
        """Main is that of the remote, and not the branch of the same name here, nor a tag."""
        history.git("checkout", "--quiet", "main")
        history.git("clone", "--quiet", history.path.as_uri(), str(tmp_path / "full"))
        clone = History(tmp_path / "full")
        clone.git("tag", "main", merged["first"])
        clone.git("update-ref", "refs/heads/main", merged["other"])
        assert git.tip_of(clone.path, "main") == merged["merge"]
        assert [git.record_of(clone.path, merged[name], "d").on_main for name in ("merge", "topic", "other")] == [
            True,
            False,
            False,
        ]

    def test_of_a_shallow_clone(self, history: History, merged: dict[str, str], tmp_path: Path) -> None:
        history.git("checkout", "--quiet", "main")
        clone = tmp_path / "shallow"
        history.git("clone", "--quiet", "--depth=1", "--branch=main", history.path.as_uri(), str(clone))
        record = git.record_of(clone, "HEAD", "d")
        assert (record.position, record.on_main) == (None, True)
        assert record.parents == (merged["second"], merged["topic"])

    @pytest.mark.parametrize("branch", ["trunk", "main/next"])
    def test_without_a_main_branch(self, history: History, branch: str) -> None:
        """Of two branches neither is or was called main."""
        history.commit()
        history.git("branch", "another")
        history.git("checkout", "--quiet", "-b", branch.replace("main/", "next/"))
        history.git("branch", "-D", "main")
        history.git("branch", "--move", branch)
        record = git.record_of(history.path, "HEAD", "d")
        assert (record.position, record.main_branch, record.on_main) == (1, None, None)
        assert git.tip_of(history.path, "main") is None
        assert git.tip_of(history.path, "*") is None
        assert git.tip_of(history.path, branch) == record.commit

    def test_few_processes(
        self, history: History, merged: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Each publish from a checkout asks for a record, and a process of git takes 2 ms."""
        calls = tmp_path / "calls"
        (tmp_path / "bin").mkdir()
        wrapper = tmp_path / "bin" / "git"
        wrapper.write_text(f'#!/bin/sh\necho "$*" >> {calls}\nexec {shutil.which("git")} "$@"\n')
        wrapper.chmod(0o755)
        monkeypatch.setenv("PATH", f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}")
        git.record_of(history.path, merged["second"], "d")
        assert len(calls.read_text().splitlines()) == 8


class TestSafety:
    """Any name is a commit or is refused; a subject is only text."""

    @pytest.mark.parametrize("name", ["--output=x", "-x", "nothing", "HEAD^{tree}", "$(touch pwned)", "a;touch pwned"])
    def test_a_name_is_never_an_option_or_a_command(self, history: History, name: str) -> None:
        history.commit(a="1")
        with pytest.raises(UserError, match="there is no commit"):
            git.resolve(history.path, name)
        assert {path.name for path in history.path.iterdir()} == {".git", "a"}

    def test_subjects_of_any_kind(self, history: History) -> None:
        subjects = ["quote ' \" \\", "tab\there", "-- --help", "$(x) `y` %H", "ünïcode 🤖"]
        for subject in subjects:
            history.commit(subject)
        assert [commit.subject for commit in git.of_range(history.path, Scope.ALL)] == subjects

    def test_signatures_that_a_configuration_shows(self, history: History, tmp_path: Path) -> None:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
        for name, value in (("gpg.format", "ssh"), ("user.signingKey", f"{tmp_path}/key"), ("commit.gpgSign", "true")):
            history.git("config", name, value)
        history.git("config", "log.showSignature", "true")
        sha = history.commit("signed")
        assert "No signature" in history.git("log", "-1")
        assert [commit.sha for commit in git.history(history.path, "HEAD")] == [sha]
        assert git.commit_of(history.path, "HEAD").sha == sha

    def test_no_repository(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="not a git repository; run this in a clone, or name one as `clone`"):
            git.of_range(tmp_path, Scope.ALL)

    def test_an_empty_repository(self, history: History) -> None:
        with pytest.raises(UserError, match="has no commits yet; make one with git commit"):
            git.of_range(history.path, Scope.ALL)


class TestAlone:
    """Who locks a clone removes the work trees that a killed process left."""

    @pytest.mark.parametrize("on_disk", [True, False])
    def test_left_trees(self, history: History, tmp_path: Path, *, on_disk: bool) -> None:
        sha, home = history.commit(), tmp_path / "home"
        for tree in (home / "trees" / sha, tmp_path / "own" / sha):
            history.git("worktree", "add", "--quiet", "--detach", str(tree), sha)
            if not on_disk:
                shutil.rmtree(tree)
        with git.alone(history.path, home, Clock()):
            listed = history.git("worktree", "list")
        assert (str(home) in listed, str(tmp_path / "own") in listed) == (False, True)
        assert not (home / "trees" / sha).exists()
