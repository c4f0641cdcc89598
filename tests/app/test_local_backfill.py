"""What a user of the local engine meets: stops, two at once, odd clones, commits that fail, and what the terminal shows."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from bench_db import connect
from bench_db.rules import RULES
from tests.cli.commands import COMMAND, bench_db, document, environment, journal
from tests.cli.measured_histories import ARGUMENTS, SCRIPT, backfill, config, grow, started
from tests.support.campaigns import rounds
from tests.support.processes import until_running_below

_KILLS = rounds("kills", 2, full=40)
SLEEPS = '[suite.sleeps]\nbenchmark = "sleep 60"\nstdout = "o"\n'


@pytest.fixture
def nothing_ignored() -> Iterator[None]:
    """As from a terminal: what these tests were started by, such as nohup, may ignore a signal, and processes inherit that."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, action in before.items():
        signal.signal(number, action)


def published(directory: Path) -> list[str]:
    """The commits of all runs, a run each."""
    return sorted(connect(directory / "store").runs().collect()["commit"])


@pytest.mark.slow
class TestStopped:
    """Asked to stop, it says how to go on, and leaves neither a process nor a work tree."""

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
    )
    @pytest.mark.usefixtures("nothing_ignored")
    def test_by_a_signal(self, number: signal.Signals, code: int, tmp_path: Path) -> None:
        history, _ = grow(tmp_path)
        (tmp_path / "bench-db.toml").write_text(config(SLEEPS))
        trees = tmp_path / ".bench-db" / "trees"
        with started(tmp_path, "--suite", "sleeps") as running:
            assert until_running_below(trees, any_=True)
            running.send_signal(number)
            said = running.communicate()[1]
        assert (running.returncode, "stopped after 0 of 3; the same command goes on" in said) == (code, True), said
        assert until_running_below(trees, any_=False, seconds=10) == set()
        assert not list(trees.iterdir())
        assert history.git("worktree", "list").count("\n") == 0

    def test_a_bisection_too(self, tmp_path: Path) -> None:
        history, shas = grow(tmp_path)
        (tmp_path / "bench-db.toml").write_text(config().replace("bench.py", "-c 'import time; time.sleep(60)'"))
        command = [*COMMAND, "bisect", shas[0], shas[-1], "--clone", "clone", "--benchmark", "sum"]
        with subprocess.Popen(command, cwd=tmp_path, env=environment()) as running:
            assert until_running_below(tmp_path / ".bench-db" / "trees", any_=True)
            running.send_signal(signal.SIGTERM)
        assert running.returncode == 143
        assert until_running_below(tmp_path / ".bench-db" / "trees", any_=False, seconds=10) == set()
        assert history.git("worktree", "list").count("\n") == 0

    def test_not_by_the_end_of_its_terminal_after_nohup(self, tmp_path: Path) -> None:
        grow(tmp_path, 1)
        (tmp_path / "bench-db.toml").write_text(config().replace("bench.py", "-c 'import time; time.sleep(2); 1/0'"))
        with started(tmp_path, before=("nohup",)) as running:
            assert until_running_below(tmp_path / ".bench-db" / "trees", any_=True)
            running.send_signal(signal.SIGHUP)
            said = running.communicate()[0]
        assert (running.returncode, "1 failed" in said) == (1, True)


@pytest.mark.slow
@pytest.mark.campaign("kills")
class TestKilled:
    """kill -9 at random moments, again and again: what the journal calls measured is in the store, and at the end each commit is, once."""

    def test_again_and_again(self, tmp_path: Path) -> None:
        random, (history, shas) = Random(19), grow(tmp_path, 4 * _KILLS)
        trees = tmp_path / ".bench-db" / "trees"
        for _ in range(_KILLS):
            with started(tmp_path) as running:
                assert until_running_below(trees, any_=True)
                time.sleep(random.uniform(0, 0.4))  # a commit takes 0.25 s where nothing else runs
                running.kill()
            assert running.returncode == -signal.SIGKILL
            assert until_running_below(trees, any_=False, seconds=10) == set()
            measured = {entry["commit"] for entry in journal(tmp_path) if entry["state"] == "succeeded"}
            assert measured <= set(published(tmp_path))
        assert {entry["state"] for entry in backfill(tmp_path)["ended"]} <= {"succeeded"}
        store = connect(tmp_path / "store")
        assert sorted(store.scan().collect()["commit"]) == published(tmp_path) == sorted(shas)
        assert store.verify().sound
        assert history.git("worktree", "list").count("\n") == 0


@pytest.mark.slow
class TestAtOnce:
    """However many measure into one store, each commit is measured once."""

    def test_two_of_one_clone(self, tmp_path: Path) -> None:
        _, shas = grow(tmp_path, 4)
        with started(tmp_path) as one, started(tmp_path, "--work-dir", "elsewhere") as other:
            said = [running.communicate()[1] for running in (one, other)]
        # on a slow machine the second gives up waiting, and says so
        assert {one.returncode, other.returncode} <= {0, 2}, said
        assert 0 in {one.returncode, other.returncode}, said
        assert published(tmp_path) == sorted(shas)

    def test_another_clone_comes_first(self, tmp_path: Path) -> None:
        """While the newest commit is measured, somebody else measures the one that would be next."""
        _, shas = grow(tmp_path, 2)
        there = tmp_path / "there"
        subprocess.run(["git", "clone", "--quiet", tmp_path / "clone", there / "clone"], check=True)
        (there / "bench-db.toml").write_text(config())
        somebody = [*COMMAND, *ARGUMENTS, "--range", shas[0], "--store", str(tmp_path / "store")]
        meanwhile = f"import subprocess; subprocess.run({somebody!r}, cwd={str(there)!r}, check=True)"
        (tmp_path / "meanwhile.py").write_text(meanwhile)
        setup = 'setup = ["{python} {root}/meanwhile.py"]\nformat'
        (tmp_path / "bench-db.toml").write_text(config().replace("format", setup))
        answer = bench_db(*ARGUMENTS, cwd=tmp_path)
        assert f"{shas[0][: RULES.sha_length]}  work  measured by somebody else meanwhile" in answer.stderr
        assert published(tmp_path) == sorted(shas)


class TestClones:
    """Whatever the clone is like, the commits are those of the project's branch, and the clone stays as it was."""

    @pytest.mark.slow
    def test_of_one_commit(self, tmp_path: Path) -> None:
        _, shas = grow(tmp_path)
        (tmp_path / "clone").rename(tmp_path / "origin")
        origin = f"file://{tmp_path / 'origin'}"
        subprocess.run(["git", "clone", "--quiet", "--depth", "1", origin, tmp_path / "clone"], check=True)
        answer = bench_db(*ARGUMENTS, cwd=tmp_path)
        assert "git fetch --unshallow" in answer.stderr
        assert published(tmp_path) == [shas[-1]]

    def test_with_something_else_checked_out(self, tmp_path: Path) -> None:
        history, shas = grow(tmp_path)
        history.git("checkout", "--quiet", "-b", "feature", shas[0])
        history.commit("on the feature", n="feature")
        assert {step["commit"] for step in backfill(tmp_path, "--dry-run")["steps"]} == set(shas)
        history.git("checkout", "--quiet", "--detach", shas[1])
        assert {step["commit"] for step in backfill(tmp_path, "--dry-run")["steps"]} == set(shas)
        named = backfill(tmp_path, "--dry-run", "--branch", "feature")["steps"]
        assert [step["subject"] for step in named] == ["on the feature", "change 0"]

    @pytest.mark.slow
    def test_without_the_branch(self, tmp_path: Path) -> None:
        """As in CI, which checks out a commit and no branch."""
        history, shas = grow(tmp_path)
        history.git("checkout", "--quiet", "--detach")
        history.git("branch", "-D", "main")
        assert {step["commit"] for step in backfill(tmp_path, "--dry-run")["steps"]} == set(shas)

    @pytest.mark.slow
    def test_with_merges_changes_and_spaces(self, tmp_path: Path) -> None:
        directory = tmp_path / "with a space"
        history, shas = grow(directory, 2)
        history.git("checkout", "--quiet", "-b", "side", shas[0])
        history.commit("on the side", side="1")
        history.git("checkout", "--quiet", "main")
        history.git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
        merge = history.git("rev-parse", "HEAD")
        (directory / "clone" / "n").write_text("not committed")
        (directory / "clone" / "new").touch()
        as_it_was = history.git("status", "--porcelain"), history.git("diff"), history.git("branch", "--list", "-v")
        done = backfill(directory, "--work-dir", "clone/.bench-db")
        assert [(e["commit"], e["state"]) for e in done["ended"]] == [
            (c, "succeeded") for c in (merge, shas[1], shas[0])
        ]
        now = history.git("status", "--porcelain"), history.git("diff"), history.git("branch", "--list", "-v")
        assert now == as_it_was


class TestFailing:
    """A commit that fails is a row with its error, shown by trend and compare, and stops nothing."""

    def test_a_commit_without_the_benchmark(self, tmp_path: Path) -> None:
        history, shas = grow(tmp_path, 1)
        (history.path / "bench.py").unlink()
        shas.append(history.commit("delete the benchmark"))
        shas.append(history.commit("bring it back", bench__py=SCRIPT))
        (tmp_path / "bench-db.toml").write_text(
            config('[suite.sub]\ndirectory = "sub"\nbenchmark = "true"\nstdout = "o"\n')
        )
        states = {(e["commit"], *e["suites"]): e for e in backfill(tmp_path, "--order", "oldest")["ended"]}
        assert [states[sha, "work"]["state"] for sha in shas] == ["succeeded", "failed", "succeeded"]
        assert "can't open file" in states[shas[1], "work"]["detail"]
        assert {states[sha, "sub"]["detail"] for sha in shas} == {"sub: not in this commit"}
        for entry in states.values():
            assert Path(entry["url"]).is_file()
        trend = bench_db("trend", "*", "--suite", "work", "--store", "store", cwd=tmp_path)
        assert re.search(rf"{shas[1][:9]}.*failed: .*exit code 2", trend.stdout)
        assert bench_db("has", shas[1], "--suite", "work", "--store", "store", cwd=tmp_path).returncode == 1
        assert "failed" in bench_db("compare", shas[1], "--suite", "work", "--store", "store", cwd=tmp_path).stdout
        compared = document(bench_db("compare", shas[2], "--store", "store", "--output", "json", cwd=tmp_path))
        assert {c["series"]: c["verdict"] for c in compared["comparisons"]}["work: sum"] == "insufficient"
        assert "missing" not in compared["counts"]

    @pytest.mark.slow
    def test_no_secret_of_the_job_is_in_the_error(self, tmp_path: Path) -> None:
        history, _ = grow(tmp_path, 1)
        history.commit("break it", bench__py='raise SystemExit("hidden-value refused https://me:pw@host.test/x")')
        (tmp_path / "bench-db.toml").write_text(config())
        bench_db(*ARGUMENTS, cwd=tmp_path, DEPLOY_PASSWORD="hidden-value")
        [error] = connect(tmp_path / "store").scan().collect()["error"].drop_nulls()
        assert "*** refused https://***@host.test/x" in error

    @pytest.mark.slow
    def test_what_a_benchmark_wrote_before_it_failed_is_kept(self, tmp_path: Path) -> None:
        history, shas = grow(tmp_path, 1)
        failing = SCRIPT + 'open("half.json", "w").write("{")\nsys.exit("one of them failed")\n'
        shas.append(history.commit("break another benchmark", bench__py=failing))
        two = config().replace("format", 'outputs = ["half.json"]\nformat')
        (tmp_path / "bench-db.toml").write_text(two)
        states = {e["commit"]: e for e in backfill(tmp_path, "--range", shas[1])["ended"]}
        assert (states[shas[1]]["state"], states[shas[1]]["kept"]) == ("failed", 1)
        states |= {e["commit"]: e for e in backfill(tmp_path, "--fail-on-error", code=1)["ended"]}
        assert [states[sha]["state"] for sha in shas] == ["succeeded", "failed"]
        what, _, tail = states[shas[1]]["detail"].partition("\n")
        assert what.endswith("exit code 1; results it wrote before are kept: 1")
        assert "one of them failed" in tail
        rows = connect(tmp_path / "store").scan().filter(commit=shas[1]).sort("benchmark_name").collect()
        assert rows["benchmark_name"].to_list() == ["sum", "work"]
        assert rows["error"].is_null().to_list() == [True, False]
        compared = document(bench_db("compare", shas[1], "--store", "store", "--output", "json", cwd=tmp_path))
        assert {c["series"]: c["verdict"] for c in compared["comparisons"]} == {
            "work: sum": "insufficient",
            "work: work": "failed",
        }
        assert "2 left out: measured" in bench_db(*ARGUMENTS, "--dry-run", cwd=tmp_path).stdout

    @pytest.mark.slow
    def test_results_of_a_tool_without_times_have_the_time_of_their_attempt(self, tmp_path: Path) -> None:
        grow(tmp_path, 2)
        began = int(time.time())
        backfill(tmp_path)
        store = connect(tmp_path / "store")
        for rows in (store.runs(), store.scan()):
            times = rows.collect()["run_time"].dt.epoch("s")
            assert times.null_count() == 0
            assert all(began <= moment <= time.time() for moment in times)
        assert store.verify().sound

    @pytest.mark.slow
    def test_what_a_benchmark_wrote_before_it_was_cut_off_is_tried_again(self, tmp_path: Path) -> None:
        history, shas = grow(tmp_path, 1)
        cut_off = SCRIPT + "sys.stdout.flush()\nimport os; os.kill(os.getpid(), 9)\n"
        shas.append(history.commit("use all memory", bench__py=cut_off))
        states = {e["commit"]: e for e in backfill(tmp_path)["ended"]}
        assert "SIGKILL" in states[shas[1]]["detail"]
        rows = connect(tmp_path / "store").scan().filter(commit=shas[1]).collect()
        assert (rows.height, rows["error"].null_count()) == (1, 0)
        assert "attempt 2" in bench_db(*ARGUMENTS, "--dry-run", cwd=tmp_path).stdout

    @pytest.mark.slow
    def test_a_format_that_does_not_exist_is_told_before_anything_is_measured(self, tmp_path: Path) -> None:
        grow(tmp_path)
        (tmp_path / "bench-db.toml").write_text(config().replace("values-ns", "values"))
        answer = bench_db(*ARGUMENTS, cwd=tmp_path)
        assert (answer.returncode, "no format is called 'values'; known: auto, criterion" in answer.stderr) == (2, True)
        assert not (tmp_path / "store").exists()

    def test_nothing_to_measure_is_told(self, tmp_path: Path) -> None:
        grow(tmp_path)
        (tmp_path / "bench-db.toml").write_text('[project]\nname = "p"\n')
        answer = bench_db(*ARGUMENTS, cwd=tmp_path)
        assert (answer.returncode, "has no suite" in answer.stderr) == (2, True)

    @pytest.mark.slow
    def test_what_the_code_does_to_its_tree_does_not_change_what_was_measured(self, tmp_path: Path) -> None:
        history, shas = grow(tmp_path, 2)
        (tmp_path / "away.py").write_text("import shutil, os; os.unlink('.git')")
        setup = 'setup = ["{python} {root}/away.py"]\nformat'
        (tmp_path / "bench-db.toml").write_text(config().replace("format", setup))
        assert len(backfill(tmp_path, "--work-dir", "clone/.bench-db")["ended"]) == 2
        versions = connect(tmp_path / "store").scan().select("commit", "dut_version").collect().rows()
        assert sorted(versions) == sorted((sha, sha[:7]) for sha in shas)
        assert history.git("worktree", "list").count("\n") == 0


class TestSetUp:
    """When the first commits fail in set-up in the same way, the rest is not tried: the configuration is wrong."""

    @staticmethod
    def failing(directory: Path, command: str) -> None:
        setup = f"setup = [{json.dumps(command)}]\nformat"
        (directory / "bench-db.toml").write_text(config().replace("format", setup))

    @pytest.mark.slow
    def test_it_stops_says_so_and_resumes(self, tmp_path: Path) -> None:
        _, shas = grow(tmp_path, 8)
        self.failing(tmp_path, "{python} -c \"import os, sys; sys.exit(f'{os.getcwd()}: no target')\"")
        answer = bench_db(*ARGUMENTS, cwd=tmp_path)
        assert answer.returncode == 2
        assert "0 measured, 5 failed" in answer.stdout
        last = answer.stderr.splitlines()[-1]
        assert "the first 5 commits failed in the same way, in set-up command 1 of suite.work" in last
        assert "3 commits were not tried" in last
        assert "--keep-going" in last
        assert len(journal(tmp_path)) == 5
        self.failing(tmp_path, "{python} -c 0")
        states = {e["commit"]: e["state"] for e in backfill(tmp_path)["ended"]}
        assert states == dict.fromkeys(shas, "succeeded")

    @pytest.mark.slow
    def test_it_keeps_going_when_asked(self, tmp_path: Path) -> None:
        grow(tmp_path, 7)
        self.failing(tmp_path, "{python} -c 'import sys; sys.exit(3)'")
        done = backfill(tmp_path, "--keep-going", code=1)
        assert [e["state"] for e in done["ended"]] == ["failed"] * 7
        assert done["stopped"] == ""

    @pytest.mark.slow
    def test_failures_of_several_kinds_stop_nothing(self, tmp_path: Path) -> None:
        history, _ = grow(tmp_path, 3)
        history.commit("another failure", other="1")
        history.commit("and on", n="5")
        history.commit("and on", n="6")
        code = "import os, sys; sys.exit('no other' if os.path.exists('other') else 'no target')"
        self.failing(tmp_path, f'{{python}} -c "{code}"')
        assert [e["state"] for e in backfill(tmp_path, code=1)["ended"]] == ["failed"] * 6

    @pytest.mark.slow
    def test_a_benchmark_that_fails_stops_nothing(self, tmp_path: Path) -> None:
        grow(tmp_path, 6)
        (tmp_path / "bench-db.toml").write_text(config(script="no-such-script.py"))
        assert len(backfill(tmp_path, code=1)["ended"]) == 6

    @pytest.mark.slow
    def test_a_suite_that_is_measured_stops_nothing(self, tmp_path: Path) -> None:
        grow(tmp_path, 6)
        other = '[suite.broken]\nsetup = ["false"]\nbenchmark = "true"\nstdout = "o"\n'
        (tmp_path / "bench-db.toml").write_text(config(other))
        ended = backfill(tmp_path)["ended"]
        assert (
            sorted((e["suites"][0], e["state"]) for e in ended)
            == [("broken", "failed")] * 6 + [("work", "succeeded")] * 6
        )


@pytest.mark.slow
class TestShown:
    """A line a commit, a bar with an estimate on a terminal, and a summary at the end."""

    def test_in_a_log(self, tmp_path: Path) -> None:
        history, shas = grow(tmp_path, 2)
        shas.append(history.commit("break \x1b[31mit", work__py="raise RuntimeError"))
        answer = bench_db(*ARGUMENTS, cwd=tmp_path)
        lines = answer.stderr.splitlines()
        assert re.fullmatch(rf"{shas[2][: RULES.sha_length]}  work  failed: .*: exit code 1  \d s, 1 of 3", lines[0])
        assert re.fullmatch(rf"{shas[1][: RULES.sha_length]}  work  measured  \d s, 2 of 3", lines[1])
        assert re.fullmatch(r"2 measured, 1 failed in \d+ s", answer.stdout.splitlines()[0])
        assert f"{tmp_path}/.bench-db/logs/{shas[2]}/work-" in answer.stdout
        logs = {log.commit: log for log in connect(tmp_path / "store").artifacts(kind="log")}
        assert set(logs) == set(shas)
        connect(tmp_path / "store").get_artifact(logs[shas[2]].sha256, tmp_path / "work.log")
        assert "RuntimeError" in (tmp_path / "work.log").read_text()
        plan = bench_db(*ARGUMENTS, "--dry-run", cwd=tmp_path).stdout
        assert "failed before: work on here (attempt 2)" in plan
        assert "2 left out: measured" in plan
        assert "\x1b" not in plan + answer.stdout + answer.stderr

    def test_no_secret_is_in_a_kept_log(self, tmp_path: Path) -> None:
        """Neither a value of the job's environment, whatever its form, nor what looks like a credential; the rest stays, byte by byte."""
        history, _ = grow(tmp_path, 1)
        key = "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----"
        said = f"before hush/hush https://user:pass@host.test/x\r\n{key}\nhushed line\nafter \udcff"
        sha = history.commit("say it", work__py=f"import os, sys\nos.write(2, os.fsencode({said!r}))\nsys.exit(3)")
        secrets = {"MY_API_KEY": "hush/hush", "DEPLOY_PASSWORD": "one line\nhushed line"}
        bench_db(*ARGUMENTS, cwd=tmp_path, **secrets)
        [log] = [log for log in connect(tmp_path / "store").artifacts(kind="log") if log.commit == sha]
        connect(tmp_path / "store").get_artifact(log.sha256, tmp_path / "work.log")
        kept = (tmp_path / "work.log").read_bytes()
        assert b"before *** https://***@host.test/x\r\n***\n***\nafter \xff" in kept
        [file] = (tmp_path / ".bench-db" / "logs" / sha).glob("work-*.log")
        assert os.fsencode(said) in file.read_bytes()  # or nothing was to be masked

    def test_on_a_terminal(self, tmp_path: Path) -> None:
        _, shas = grow(tmp_path)
        leader, follower = pty.openpty()
        running = subprocess.Popen(
            [*COMMAND, *ARGUMENTS],
            cwd=tmp_path,
            env=environment(COLUMNS="200", TERM="xterm"),
            stdout=subprocess.DEVNULL,
            stderr=follower,
        )
        os.close(follower)
        shown = read_all(leader)
        assert running.wait() == 0
        assert re.search(r"1/3 about \d+ s left.*change 1", shown)
        assert f"{shas[0][: RULES.sha_length]}  work  measured" in shown


def read_all(terminal: int) -> str:
    """What a program wrote on its terminal, until it has ended, without colours and movements."""
    read = []
    while True:
        try:
            block = os.read(terminal, 65_536)
        except OSError:  # Linux says so when nobody has it open any more
            break
        if not block:
            break
        read.append(block)
    os.close(terminal)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", b"".join(read).decode())
