"""This project's own history, measured with its own benchmarks, killed half-way and resumed."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bench_db.store.database import connect
from tests.cli.commands import COMMAND, bench_db, document, environment, journal
from tests.support.benches import WITHOUT_PLUGINS
from tests.support.campaigns import rounds
from tests.support.needs import lacking, needs_file
from tests.support.processes import until_running_below

ROOT = Path(__file__).parents[2]
COMMITS = rounds("kills", 3, full=12)
# of the suite that is there, what is quickest; the files it names are those of this checkout
SUITE = (ROOT / "bench-db.toml").read_text().replace("{root}", str(ROOT))
CONFIG = SUITE.replace(" --benchmark-json", f" {WITHOUT_PLUGINS} -k 'summarise or keys' --benchmark-json")


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of this repository with a change that nobody has committed."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        lacking("this is no checkout of git")
    # the checkout of a container often belongs to another user; a clone asks no other configuration about that
    (tmp_path / "gitconfig").write_text("[safe]\n\tdirectory = *\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    depth = int(git(ROOT, "rev-list", "--first-parent", "--count", "HEAD"))
    if depth < COMMITS:
        lacking(f"this checkout has {depth} commits of the history, {COMMITS} are needed: git fetch --unshallow")
    path = tmp_path / "a clone"
    git(tmp_path, "clone", "--quiet", "--no-tags", str(ROOT), str(path))
    git(path, "checkout", "--quiet", "-B", "main")
    (path / "README.md").write_text("changed, and not committed\n")
    (path / "bench-db.toml").write_text(CONFIG)
    return path


@pytest.mark.slow
@pytest.mark.campaign("kills")
class TestOwnHistory:
    """Each commit is measured and published once, although the backfill is killed, and the checkout is as it was."""

    def test_killed_and_resumed(self, clone: Path) -> None:
        needs_file("/proc/self/cwd")  # by which processes are found
        shas = git(clone, "rev-list", "--first-parent", f"--max-count={COMMITS}", "HEAD").split()
        as_it_was = git(clone, "status", "--porcelain"), git(clone, "diff")
        arguments = ["backfill", "--engine", "local", "--store", "../store", "--output", "json"]

        first = [*COMMAND, *arguments, "--max-commits", str(len(shas))]
        with subprocess.Popen(first, cwd=clone, env=environment(), stdout=subprocess.DEVNULL) as running:
            while len(journal(clone)) < len(shas) // 3 and running.poll() is None:
                time.sleep(0.05)
            assert until_running_below(clone / ".bench-db" / "trees", any_=True)
            running.send_signal(signal.SIGKILL)
        assert until_running_below(clone / ".bench-db" / "trees", any_=False) == set()
        before = {entry["commit"] for entry in journal(clone) if entry["state"] == "succeeded"}
        assert 0 < len(before) < len(shas)

        rest = document(bench_db(*arguments, "--max-commits", str(len(shas) - len(before)), cwd=clone))
        assert [entry["state"] for entry in rest["ended"]] == ["succeeded"] * (len(shas) - len(before))
        assert sorted([*before, *(entry["commit"] for entry in rest["ended"])]) == sorted(shas)

        store = connect(clone.parent / "store")
        assert sorted(store.runs().collect()["commit"]) == sorted(shas)
        rows = store.scan().select("commit", "benchmark_name", "error", "dut_timestamp").collect()
        assert rows["error"].is_null().all()
        assert len(rows.unique(["commit", "benchmark_name"])) == len(rows)
        times = {sha: int(git(clone, "show", "-s", "--format=%ct", sha)) for sha in shas}
        assert {commit: time for commit, _, _, time in rows.iter_rows()} == times
        assert document(bench_db("store", "verify", "--store", "../store", "--output", "json", cwd=clone))
        trend = document(bench_db("trend", "*test_keys", "--store", "../store", "--output", "json", cwd=clone))
        assert sorted(point["commit"] for point in trend) == sorted(shas)
        assert [times[point["commit"]] for point in trend] == sorted(times.values())

        assert git(clone, "worktree", "list").count("\n") == 0
        assert (git(clone, "status", "--porcelain"), git(clone, "diff")) == as_it_was
