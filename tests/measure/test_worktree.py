import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from bench_db.clock import Clock
from bench_db.errors import UserError
from bench_db.measure import git
from bench_db.schedule.config import Suite
from tests.support.benches import bench, measured, python
from tests.support.clocks import Slept
from tests.support.histories import History
from tests.support.rights import as_nobody


class TestAlone:
    """Two backfills never measure in one directory or clone at the same time, including benchmarks that survive a backfill."""

    @pytest.mark.parametrize("other", ["home", "another home"])
    def test_a_second_one_waits_and_then_gives_up(self, other: str, history: History, slept: Slept) -> None:
        home = history.path.parent
        with (
            git.alone(history.path, home / "home", Clock()),
            pytest.raises(UserError, match=rf"process {os.getpid()}\b.*still runs here"),
            git.alone(history.path, home / other, slept.clock(), 30),
        ):
            pass
        assert sum(slept.seconds) == 30

    def test_a_command_keeps_the_locks(self, history: History, tmp_path: Path, slept: Slept) -> None:
        with git.alone(history.path, tmp_path, Clock()) as locks:
            child = subprocess.Popen(["sleep", "60"], pass_fds=locks)
        with pytest.raises(UserError), git.alone(history.path, tmp_path, slept.clock(), 1):
            pass
        child.kill()
        child.wait()
        with git.alone(history.path, tmp_path, Clock()):
            pass

    def test_trees_that_a_kill_left_are_taken_away(self, history: History, tmp_path: Path) -> None:
        shas = [history.commit(n=str(i)) for i in range(2)]
        for sha in shas:
            history.git("worktree", "add", "--detach", str(tmp_path / "home" / "trees" / sha), sha)
        with git.alone(history.path, tmp_path / "home", Clock()):
            assert history.git("worktree", "list").count("\n") == 0
        assert not list((tmp_path / "home" / "trees").iterdir())

    def test_what_is_not_ours_stays(self, history: History, tmp_path: Path) -> None:
        """A directory of the user beside the trees, and a tree of the user on a disk that is not there now."""
        sha = history.commit()
        history.git("worktree", "add", "--detach", str(tmp_path / "disk" / "tree"), sha)
        (tmp_path / "disk").rename(tmp_path / "away")
        (tmp_path / "home" / "trees" / "oak").mkdir(parents=True)
        where = bench(history, one=Suite(benchmark=python("open('o', 'w')"), outputs=["o"]))
        assert measured(history, where, sha)[0][0].error is None
        assert (tmp_path / "home" / "trees" / "oak").is_dir()
        assert str(tmp_path / "disk" / "tree") in history.git("worktree", "list")

    def test_a_checkout_does_not_see_it(self, history: History) -> None:
        history.commit()
        with git.alone(history.path, history.path / ".bench-db", Clock()):
            assert history.git("status", "--porcelain") == ""

    def test_what_cannot_be_written_is_told(self, history: History, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with (
            pytest.raises(UserError, match=r"file.*cannot be written"),
            git.alone(history.path, tmp_path / "file" / "home", Clock()),
        ):
            pass

    def test_what_is_no_clone_is_left_alone(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="not a git repository"), git.alone(tmp_path, tmp_path / "h", Clock()):
            pass
        assert not (tmp_path / "h").exists()

    def test_a_directory_of_the_user_is_not_hidden(self, history: History, tmp_path: Path) -> None:
        with git.alone(history.path, tmp_path, Clock()):
            assert not (tmp_path / ".gitignore").exists()


class TestCheckedOut:
    """A work tree is removed in any state."""

    def test_directories_that_cannot_be_written_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with as_nobody(), tempfile.TemporaryDirectory() as directory:
            monkeypatch.setenv("HOME", directory)
            history = History(Path(directory) / "clone")
            sha = history.commit()
            with git.checked_out(history.path, sha, Path(directory)) as tree:
                (tree / "a" / "b").mkdir(parents=True)
                (tree / "a" / "b" / "c").touch()
                (tree / "a" / "b").chmod(0o500)
            assert not tree.exists()
            assert history.git("worktree", "list").count("\n") == 0

    def test_a_link_in_its_place(self, history: History, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "precious").touch()
        with git.checked_out(history.path, history.commit(), tmp_path) as tree:
            tree.rename(tmp_path / "moved")
            tree.symlink_to(tmp_path / "elsewhere")
        assert not tree.exists()
        assert (tmp_path / "elsewhere" / "precious").exists()
        assert history.git("worktree", "list").count("\n") == 0
