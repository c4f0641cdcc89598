"""`bench-db pairs` as a command: what it prints, its exit codes, and what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import COMMAND, bench_db, document, environment
from tests.cli.measured_histories import SCRIPT, WORK, config
from tests.support.benches import gone
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)

STUB = 'print(\'{"results": [{"benchmark_name": "sum|x", "values_ns": [%d, %d, %d]}]}\')'
WORDS = ("--clone", "clone", "--seed", "3", "--rounds", "5")


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A project whose second commit takes twice the time, and whose third one fails."""
    history = History(tmp_path / "clone")
    (tmp_path / "bench-db.toml").write_text(config())
    for n, code in enumerate((STUB % (9, 9, 9), STUB % (18, 18, 18), "raise SystemExit('oh no')")):
        history.commit(f"change {n}", bench__py=code)
    return history


class TestCommand:
    """The answer is a table, Markdown or JSON; the exit code is 1 when `--fail-on` names a verdict."""

    def test_a_regression(self, history: History, tmp_path: Path) -> None:
        base, head = history.git("rev-parse", "main~2", "main~1").split()
        text = bench_db("pairs", base, head, *WORDS, "--fail-on", "regression", cwd=tmp_path)
        assert text.returncode == 1, text.stderr
        lines = text.stdout.splitlines()
        assert lines[0] == f"{head[:9]} against {base[:9]}: 1 regressed"
        assert lines[1].startswith("5 rounds in ")
        assert lines[1].endswith(", every series is decided, seed 3")
        assert lines[-1].split()[:7] == ["regressed", "work:", "sum|x", "9.000", "ns", "18.00", "ns"]
        assert "+100 % (+100 to +100)" in lines[-1]
        markdown = bench_db("pairs", base, head, *WORDS, "--markdown", cwd=tmp_path)
        assert markdown.returncode == 0
        assert "**1** regressed" in markdown.stdout
        assert "| regressed | <code>work: sum&#124;x</code> |" in markdown.stdout

    @pytest.mark.slow
    def test_json_and_a_control(self, history: History, tmp_path: Path) -> None:
        answer = bench_db("pairs", "main~2", "main~2", *WORDS, "--control", "--output", "json", cwd=tmp_path)
        found = document(answer)
        assert [c["verdict"] for c in found["comparisons"]] == ["unchanged"]
        assert [c["verdict"] for c in found["control"]] == ["unchanged"]
        assert (found["base"], found["seed"], found["rounds"]) == (history.git("rev-parse", "main~2"), 3, 5)

    @pytest.mark.slow
    def test_nothing_is_flagged(self, history: History, tmp_path: Path) -> None:
        head = history.git("rev-parse", "main~1")
        words = ("pairs", "main~2", "main~1", *WORDS, "--flagged", "--store", "store")
        missing = bench_db(*words, cwd=tmp_path)
        assert (missing.returncode, (tmp_path / "store").exists()) == (3, False)
        assert (
            bench_db("pairs", "main~2", "main~1", *WORDS, "--publish", "--store", "store", cwd=tmp_path).returncode == 0
        )
        text = bench_db(*words, "--fail-on", "regression", cwd=tmp_path)
        assert text.returncode == 0, text.stderr
        assert f"{head[:9]} against" in text.stdout
        assert "no series regressed or is suspected of it; nothing was measured" in text.stdout
        markdown = bench_db(*words, "--markdown", cwd=tmp_path)
        assert "Nothing to measure in pairs" in markdown.stdout

    @pytest.mark.slow
    @pytest.mark.usefixtures("history")
    def test_publish(self, tmp_path: Path) -> None:
        words = ("pairs", "main~2", "main~1", *WORDS, "--publish")
        refused = bench_db(*words, "--store", "bench-db.toml", cwd=tmp_path)
        assert refused.returncode == 3
        assert not (tmp_path / ".bench-db").exists()  # nothing was measured
        text = bench_db(*words, "--store", "store", cwd=tmp_path)
        assert text.returncode == 0, text.stderr
        assert text.stdout.splitlines()[2] == "published: head 1 new; base 1 new"
        answer = document(bench_db(*words, "--seed", "4", "--store", "store", "--output", "json", cwd=tmp_path))
        assert [(run["side"], run["new"], run["left_out"]) for run in answer["published"]] == [
            ("head", 0, 0),
            ("base", 0, 1),
        ]

    @pytest.mark.slow
    @pytest.mark.usefixtures("history")
    def test_a_side_that_fails(self, tmp_path: Path) -> None:
        answer = bench_db("pairs", "main~1", *WORDS, "--fail-on", "failed", cwd=tmp_path)
        assert answer.returncode == 1
        assert "failed" in answer.stdout
        assert "exit code 1" in answer.stdout
        assert bench_db("pairs", "main~1", *WORDS, cwd=tmp_path).returncode == 0
        nothing = bench_db("pairs", "main", *WORDS, cwd=tmp_path)
        assert nothing.returncode == 2
        assert "nothing could be measured; work, " in nothing.stderr


COUNTS = """
import os, pathlib, time
here = pathlib.Path("count")
n = int(here.read_text()) if here.exists() else 0
here.write_text(str(n + 1))
if n == 4:
    pathlib.Path(os.environ["HOME"], "pid").write_text(str(os.getpid()))
    time.sleep(60)
print('{"results": [{"benchmark_name": "sum", "values_ns": [%d]}]}' % (9 + n % 2))
"""


@pytest.mark.slow
class TestKill:
    """A kill in round 4 leaves no process; SIGTERM removes the work trees, and after SIGKILL the next call does."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    def test_in_round_4(self, number: signal.Signals, tmp_path: Path) -> None:
        history = History(tmp_path / "clone")
        (tmp_path / "bench-db.toml").write_text(config())
        history.commit(bench__py=COUNTS)
        words = ("pairs", "HEAD", *WORDS)
        process = subprocess.Popen(
            [*COMMAND, *words], cwd=tmp_path, env=environment(HOME=str(tmp_path)), stderr=subprocess.DEVNULL
        )
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text()):
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, number)
        process.wait()
        assert gone(int(pid.read_text()))
        trees = tmp_path / ".bench-db" / "trees"
        if number == signal.SIGTERM:
            assert not list(trees.iterdir())
            assert history.git("worktree", "list").count("\n") == 0
        again = bench_db(*words, "--benchmark", "none", cwd=tmp_path)
        assert again.returncode == 2
        assert not list(trees.iterdir())
        assert history.git("worktree", "list").count("\n") == 0


@pytest.mark.slow
class TestReal:
    """Twice the work, measured for real, is found."""

    @pytest.mark.alone
    def test_twice_the_work(self, tmp_path: Path) -> None:
        """In CPU time, which other processes on the machine disturb least."""
        history = History(tmp_path / "clone")
        (tmp_path / "bench-db.toml").write_text(config())
        work = WORK.replace("1_000", "100_000")
        script = SCRIPT.replace("repeat=3", "repeat=3, timer=process_time")
        history.commit(n="0", work__py=work, bench__py=f"from time import process_time\n{script}")
        history.commit(n="1", work__py=work.replace("100_000", "200_000"))
        answer = bench_db("pairs", "HEAD~1", "--rounds", "8", "--clone", "clone", "--output", "json", cwd=tmp_path)
        (one,) = json.loads(answer.stdout)["comparisons"]
        assert (one["verdict"], one["figure"]) == ("regressed", "min")
        assert one["rounds"] <= 8
