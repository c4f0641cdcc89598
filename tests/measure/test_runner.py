import ast
import os
import time
from pathlib import Path

import pytest

from bench_db.clock import Clock
from bench_db.measure import git, runner
from bench_db.schedule.config import Suite
from tests.support.benches import bench, gone, measured, python, steps
from tests.support.histories import History

WRITES = python("import os; open('out.json', 'w').write(open('n').read() + os.environ['BENCH_DB_COMMIT'])")


class TestRun:
    """Each commit is measured in its own work tree; a failure is reported and stops nothing."""

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
        assert error.partition("\n")[0] in found[0][0].log.read_text()

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
        names = (
            "AWS_SECRET_ACCESS_KEY AWS_PROFILE GITHUB_TOKEN ACTIONS_RUNTIME_URL MY_API_KEY BENCH_DB_URI LANCE_BENCH_URI "
            "BENCH_S3_USER_ACCESS_KEY MYSQL_PWD SIGNING_KEY GPG_PASSPHRASE NPM_CONFIG__AUTH CI_JOB_JWT SSH_AUTH_SOCK "
            "DB_PASS GITLAB_PAT SLACK_WEBHOOK_URL PGPASSFILE"
        )
        secrets = {**dict.fromkeys(names.split(), "1"), "QUEUE_URL": "amqp://user:word@host/x"}
        kept = {
            "KEPT": "1",
            "PWD": "/",
            "MONKEY": "1",
            "KEYBOARD": "1",
            "PASSENGER": "1",
            "HTTPS_PROXY": "http://user:word@proxy:1",
        }
        environment = {"PATH": os.environ["PATH"], "GIT_DIR": "/elsewhere", **kept, **secrets}
        suite = Suite(benchmark=python("import os; print(sorted(os.environ))"), stdout="o", env={"OURS": "1"})
        found = measured(history, bench(history, environment, one=suite), history.commit())
        seen = set(ast.literal_eval(found[0][1][0]))
        assert seen.isdisjoint({*secrets, "GIT_DIR"})
        assert seen >= {*kept, "OURS", "BENCH_DB_CACHE", "BENCH_DB_SUITE", "BENCH_DB_COMMIT"}

    @pytest.mark.parametrize(
        ("code", "older"),
        [
            ("open('r/2', 'w'); open('r/sub/3', 'w')", ["r/1", "r/index"]),
            ("open('r/2', 'w'); open('r/index', 'w')", ["r/1"]),
            ("os.utime('r/sub')", None),
            ("os.mkdir('r/other')", None),
            ("os.remove('r/1')", None),
        ],
        ids=["new files", "and an index", "a directory was touched", "a directory was made", "a file was removed"],
    )
    def test_older_files_of_an_output_directory_are_known(
        self, code: str, older: list[str] | None, history: History
    ) -> None:
        """What git has in the directory, or an earlier process left there, is no result of this one. None: nothing was written."""
        (history.path / "r/sub").mkdir(parents=True)
        for name in ("r/1", "r/index", "r/sub/.gitkeep"):
            (history.path / name).write_text("committed")
        history.git("add", "r")
        sha = history.commit()
        where = bench(history, one=Suite(benchmark=python(f"import os; {code}"), outputs=["r"]))
        found = list[runner.Measured]()
        with git.alone(history.path, where.home, Clock()) as locks:
            runner.run(steps(history, sha), where, locks, found.append)
        [one] = found
        if older is None:
            assert "left none of: r; the files in the commit were not written" in str(one.error)
            assert one.written == runner.Written()
        else:
            assert one.written.outputs == (one.checkout / "r",)
            assert one.written.older == {one.checkout / name for name in (*older, "r/sub/.gitkeep")}

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


class TestPlaces:
    """Words for directories in a suite let new benchmarks measure old commits."""

    def test_in_commands_and_environment(self, tmp_path: Path) -> None:
        history = History(tmp_path / "a b" / "clone")
        (tmp_path / "a b" / "bench mark.py").write_text("import os, sys; print(sys.argv[1:], os.environ['N'])")
        sha = history.commit(n="in the tree")
        suite = Suite(
            setup=['{python} -c \'open("made", "w")\''],
            benchmark=["{python}", "{root}/bench mark.py", "{commit}", "{cache}", "${root}", "{other}"],
            stdout="o",
            env={"N": "{tree}/n"},
        )
        where = bench(history, one=suite)
        found = measured(history, where, sha)
        arguments = [sha, str(where.home / "cache"), "${root}", "{other}"]
        assert found[0][1] == [f"{arguments} {where.home / 'trees' / sha / 'n'}\n"]
