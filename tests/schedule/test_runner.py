import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench_db.errors import UserError
from bench_db.schedule import git, runner, worktree
from bench_db.schedule.config import Suite
from bench_db.schedule.evidence import Target
from bench_db.schedule.limits import Clock
from bench_db.schedule.policy import Reason, Step
from bench_db.schedule.runner import Bench, Measured
from tests.schedule.clocks import Slept
from tests.schedule.histories import History


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


WRITES = python("import os; open('out.json', 'w').write(open('n').read() + os.environ['BENCH_DB_COMMIT'])")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "clone")


def bench(history: History, environment: dict[str, str] | None = None, **suites: Suite) -> Bench:
    return Bench(
        repository=history.path,
        home=history.path.parent / "home",
        suites=suites,
        environment=os.environ if environment is None else environment,
        clock=Clock(),
    )


def steps(history: History, *shas: str) -> list[Step]:
    found = [git.commit_of(history.path, sha) for sha in shas]
    return [Step(commit=commit, targets=(Target(),), reason=Reason.NOT_MEASURED) for commit in found]


def measured(history: History, where: Bench, *shas: str) -> list[tuple[Measured, list[str]]]:
    """What is delivered, with the content of the output files."""
    found: list[tuple[Measured, list[str]]] = []
    runner.run(steps(history, *shas), where, lambda m: found.append((m, [path.read_text() for path in m.outputs])))
    return found


class TestRun:
    """Each commit is measured in a tree of its own, and whatever fails is told and stops nothing."""

    def test_each_commit_in_its_own_tree(self, history: History) -> None:
        shas = [history.commit(n=f"{i} ") for i in range(3)]
        where = bench(history, one=Suite(benchmark=WRITES, outputs=["*.json"]))
        found = measured(history, where, *shas)
        assert [content for _, content in found] == [[f"{i} {sha}"] for i, sha in enumerate(shas)]
        assert [m.error for m, _ in found] == [None] * 3
        assert not list((where.home / "trees").iterdir())
        assert history.git("worktree", "list").count("\n") == 0
        assert history.git("status", "--porcelain") == ""

    def test_set_up_comes_first_and_standard_output_can_be_the_result(self, history: History) -> None:
        suite = Suite(
            setup=[python("open('made', 'w').write('by set-up')")],
            benchmark=python("print(open('made').read(), end='')"),
            stdout="result.txt",
        )
        found = measured(history, bench(history, one=suite), history.commit())
        assert found[0][1] == ["by set-up"]

    @pytest.mark.parametrize(
        ("suite", "error"),
        [
            (Suite(benchmark=python("import sys; print('oh no'); sys.exit(3)"), outputs=["o"]), "exit code 3\noh no"),
            (Suite(setup=["no-such-program"], benchmark="x", outputs=["o"]), "no-such-program: cannot be run"),
            (Suite(benchmark=python("pass"), outputs=["o.json"]), "left none of: o.json"),
            (Suite(benchmark=python("pass"), outputs=["o"], directory="sub"), "sub: not in this commit"),
            (Suite(benchmark=python("import os; os.kill(os.getpid(), 9)"), outputs=["o"]), "ended by signal SIGKILL"),
        ],
    )
    def test_failures_are_told(self, suite: Suite, error: str, history: History) -> None:
        good = Suite(benchmark=python("open('o', 'w')"), outputs=["o"])
        found = measured(history, bench(history, bad=suite, good=good), history.commit())
        assert error in str(found[0][0].error)
        assert found[1][0].error is None
        assert found[0][0].log.is_file() == (suite.directory == ".")

    def test_a_time_out_ends_the_whole_group(self, history: History, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        child = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
        code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
        began = time.monotonic()
        suite = Suite(benchmark=python(code), outputs=["o"], timeout_seconds=2)
        found = measured(history, bench(history, one=suite), history.commit())
        assert "still running after 2 s, ended" in str(found[0][0].error)
        assert time.monotonic() - began < 20
        assert gone(int(pid_file.read_text()))

    def test_a_process_left_behind_is_ended_too(self, history: History, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        code = f"import subprocess; open({str(pid_file)!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid)); open('o', 'w')"
        measured(history, bench(history, one=Suite(benchmark=python(code), outputs=["o"])), history.commit())
        assert gone(int(pid_file.read_text()))

    def test_measured_code_sees_no_secrets(self, history: History) -> None:
        secrets = {"AWS_SECRET_ACCESS_KEY": "1", "GITHUB_TOKEN": "1", "MY_API_KEY": "1", "BENCH_DB_URI": "s3://b"}
        environment = {"PATH": os.environ["PATH"], "KEPT": "1", **secrets}
        suite = Suite(benchmark=python("import os; print(sorted(os.environ))"), stdout="o", env={"OURS": "1"})
        found = measured(history, bench(history, environment, one=suite), history.commit())
        for name in secrets:
            assert name not in found[0][1][0]
        for name in ("KEPT", "OURS", "BENCH_DB_CACHE", "BENCH_DB_SUITE"):
            assert name in found[0][1][0]

    def test_output_outside_of_the_tree_is_not_taken(self, history: History, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").write_text("secret")
        code = f"import os; os.symlink({str(tmp_path / 'elsewhere')!r}, 'o')"
        found = measured(history, bench(history, one=Suite(benchmark=python(code), outputs=["o"])), history.commit())
        assert "left none of" in str(found[0][0].error)

    def test_a_directory_that_leads_outside_is_refused(self, history: History, tmp_path: Path) -> None:
        (history.path / "sub").symlink_to(tmp_path)
        suite = Suite(benchmark=python("pass"), outputs=["o"], directory="sub")
        found = measured(history, bench(history, one=suite), history.commit())
        assert "leads out" in str(found[0][0].error)

    def test_a_tree_that_a_kill_left_is_no_trouble(self, history: History) -> None:
        sha = history.commit(n="1 ")
        where = bench(history, one=Suite(benchmark=WRITES, outputs=["*.json"]))
        left = where.home / "trees" / sha
        left.parent.mkdir(parents=True)
        history.git("worktree", "add", "--detach", str(left), sha)
        (left / "out.json").write_text("stale")
        assert measured(history, where, sha)[0][1] == [f"1 {sha}"]


class TestAlone:
    """Two never measure beside each other in one place, and a benchmark that outlives its backfill counts."""

    def test_a_second_one_waits_and_then_gives_up(self, tmp_path: Path, slept: Slept) -> None:
        with (
            worktree.alone(tmp_path, Clock()),
            pytest.raises(UserError, match="still running"),
            worktree.alone(tmp_path, slept.clock(), 30),
        ):
            pass
        assert sum(slept.seconds) == 30

    def test_a_command_keeps_the_lock(self, tmp_path: Path, slept: Slept) -> None:
        with worktree.alone(tmp_path, Clock()) as lock:
            child = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
        with pytest.raises(UserError), worktree.alone(tmp_path, slept.clock(), 1):
            pass
        child.kill()
        child.wait()
        with worktree.alone(tmp_path, Clock()):
            pass


def gone(pid: int) -> bool:
    """Whether a process has ended, within a moment."""
    for _ in range(50):
        try:
            os.kill(pid, 0)
            status = Path(f"/proc/{pid}/stat")
            if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    return False
