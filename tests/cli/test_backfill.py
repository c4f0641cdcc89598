import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from bench_db.store.database import connect
from tests.cli.commands import COMMAND, bench_db, document, environment, journal
from tests.support.benches import PYTEST, gone
from tests.support.histories import History

PLANTED, BROKEN, COMMITS = 6, 3, 10
BENCH = """
from work import work

def test_work(benchmark):
    benchmark.pedantic(work, rounds=49, iterations=3, warmup_rounds=1)
"""
CONFIG = f"""
[project]
name = "planted"
test_bed = "here"
[schedule]
max_commits = 100
[suite.python]
# time on the processor: a machine that does other work measures the same
benchmark = "{PYTEST} bench_work.py --benchmark-timer=time.process_time --benchmark-json=results.json"
outputs = ["results.json"]
"""


@pytest.fixture
def history(tmp_path: Path) -> tuple[History, list[str]]:
    """Ten commits with a real benchmark: one cannot be measured, and from another one on the work takes ten times as long."""
    grown, shas = History(tmp_path / "clone"), []
    for i in range(COMMITS):
        size = 4_000 if i < PLANTED else 40_000
        work = "raise RuntimeError('broken')" if i == BROKEN else f"def work():\n    return sum(range({size}))"
        shas.append(grown.commit(f"change {i}", work__py=f"# {i}\n{work}\n", bench_work__py=BENCH))
    (tmp_path / "bench-db.toml").write_text(CONFIG)
    return grown, shas


def backfill(directory: Path, *arguments: str, code: int = 0) -> Any:
    words = ("backfill", "--clone", "clone", "--store", "store", "--output", "json", *arguments)
    return document(bench_db(*words, cwd=directory), code)


class TestLocal:
    """A history is measured once, commit by commit, whatever happens in between."""

    @pytest.mark.slow
    def test_killed_resumed_and_read(self, history: tuple[History, list[str]], tmp_path: Path) -> None:
        grown, shas = history
        killed_half_way(tmp_path)
        measured = journal(tmp_path)
        assert 0 < len(measured) < COMMITS

        rest = backfill(tmp_path, "--order", "oldest")
        states = {entry["commit"]: entry["state"] for entry in measured} | {
            e["commit"]: e["state"] for e in rest["ended"]
        }
        assert states == {sha: "failed" if sha == shas[BROKEN] else "succeeded" for sha in shas}
        assert not {step["commit"] for step in rest["steps"]} & {
            e["commit"] for e in measured if e["state"] == "succeeded"
        }

        store = connect(tmp_path / "store")
        rows = store.scan().sort("dut_timestamp").collect()
        good = rows.filter(rows["error"].is_null())
        assert good["commit"].to_list() == [sha for i, sha in enumerate(shas) if i != BROKEN]
        bad = rows.filter(rows["error"].is_not_null())
        assert set(bad["commit"]) == {shas[BROKEN]}
        assert "broken" in bad["error"][0]
        assert set(rows["test_bed_name"]) == {"here"}
        times = [int(grown.git("show", "-s", "--format=%ct", sha)) for sha in good["commit"]]
        assert good["dut_timestamp"].to_list() == times
        trend = document(bench_db("trend", "*test_work", "--store", "store", "--output", "json", cwd=tmp_path))
        assert len(json.dumps(trend)) > 0

        again = backfill(tmp_path, "--skip-failed")
        assert (again["steps"], {out["reason"] for out in again["left_out"]}) == (
            [],
            {"measured", "failed before, and failures are not tried again"},
        )
        assert grown.git("worktree", "list").count("\n") == 0

    @pytest.mark.slow
    def test_a_failing_commit_is_given_up_after_its_attempts(
        self, history: tuple[History, list[str]], tmp_path: Path
    ) -> None:
        broken = history[1][BROKEN]
        for _ in range(2):
            [ended] = backfill(tmp_path, "--range", broken, "--max-attempts", "2", code=1)["ended"]
            assert ended["state"] == "failed"
        given_up = backfill(tmp_path, "--range", broken, "--max-attempts", "2", code=1)
        assert given_up["left_out"] == [{"commit": broken, "reason": "failed too often"}]
        words = ("backfill", "--clone", "clone", "--store", "store", "--max-attempts", "2")
        answer = bench_db(*words, "--range", broken, cwd=tmp_path)
        assert f"nothing was measured: the newest commit of the range, {broken[:9]}, failed too often" in answer.stderr
        assert backfill(tmp_path, "--range", broken, "--max-attempts", "2", "--dry-run")["steps"] == []

    def test_a_commit_that_is_given_up_between_measured_ones_is_no_failure(
        self, history: tuple[History, list[str]], tmp_path: Path
    ) -> None:
        """A schedule that repeats it stays green by what is newer, unless each commit is wanted."""
        broken, newer = history[1][BROKEN : BROKEN + 2]
        both = ("--range", f"{broken},{newer}", "--max-attempts", "1")
        assert len(backfill(tmp_path, *both)["ended"]) == 2
        for more, code in (((), 0), (("--fail-on-error",), 1)):
            assert backfill(tmp_path, *both, *more, code=code)["steps"] == []

    @pytest.mark.slow
    def test_what_succeeded_into_another_store_is_no_attempt(
        self, history: tuple[History, list[str]], tmp_path: Path
    ) -> None:
        for i in range(3):
            (step,) = backfill(tmp_path, "--range", history[1][0], "--max-attempts", "2", "--store", f"store{i}")[
                "steps"
            ]
            assert step["attempt"] == 1

    @pytest.mark.slow
    def test_suites_of_one_attempt_are_one_attempt(self, history: tuple[History, list[str]], tmp_path: Path) -> None:
        suite = CONFIG.partition("[suite.python]")[2]
        (tmp_path / "bench-db.toml").write_text("".join([CONFIG, *(f"[suite.s{i}]{suite}" for i in range(3))]))
        broken = history[1][BROKEN]
        for attempt in (1, 2):
            found = backfill(tmp_path, "--range", broken, "--max-attempts", "2", code=1)
            assert [(step["attempt"], len(found["ended"])) for step in found["steps"]] == [(attempt, 4)]

    @pytest.mark.slow
    def test_failing_is_an_exit_code(self, history: tuple[History, list[str]], tmp_path: Path) -> None:
        """Always when nothing was measured, and by choice when a part was; a second run, which measures nothing new, did not fail."""
        arguments = ["backfill", "--clone", "clone", "--store", "store", "--max-attempts", "4", "--range"]
        assert bench_db(*arguments, history[1][BROKEN], cwd=tmp_path).returncode == 1
        both = f"{history[1][BROKEN]},{history[1][0]}"
        assert bench_db(*arguments, both, cwd=tmp_path).returncode == 0
        assert bench_db(*arguments, history[1][0], cwd=tmp_path).returncode == 0
        both = f"{history[1][BROKEN]},{history[1][1]}"
        assert bench_db(*arguments, both, "--fail-on-error", cwd=tmp_path).returncode == 1

    @pytest.mark.slow
    def test_a_new_file_of_benchmarks_is_found(self, tmp_path: Path) -> None:
        """A suite that gives pytest a directory measures each file that a commit has there, without a change of bench-db.toml."""
        grown = History(tmp_path / "clone")
        more = BENCH.replace("test_work", "test_more")
        work = "def work():\n    return 1\n"
        grown.commit("one", work__py=work, bench_work__py=BENCH)
        newest = grown.commit("two", bench_more__py=more)
        (tmp_path / "bench-db.toml").write_text(
            CONFIG.replace("bench_work.py", "-o python_files=bench_*.py .").replace("process_time", "perf_counter")
        )
        backfill(tmp_path)
        rows = [r for r in connect(tmp_path / "store").results() if r.commit == newest]
        assert sorted(r.benchmark_name.rpartition("::")[2] for r in rows) == ["test_more", "test_work"]

    @pytest.mark.slow
    def test_asked_to_stop_it_ends_what_runs_and_cleans_up(
        self, history: tuple[History, list[str]], tmp_path: Path
    ) -> None:
        code = (
            "import os, time; open(os.environ['BENCH_DB_CACHE'] + '/pid', 'w').write(str(os.getpid())); time.sleep(90)"
        )
        config = CONFIG.replace("-m pytest -qs", f'-c \\"{code}\\"')
        (tmp_path / "bench-db.toml").write_text(config)
        pid_file = tmp_path / ".bench-db" / "cache" / "pid"
        arguments = ["backfill", "--clone", "clone", "--store", "store"]
        with subprocess.Popen([*COMMAND, *arguments], cwd=tmp_path, env=environment()) as running:
            give_up = time.monotonic() + 60
            while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < give_up:
                time.sleep(0.05)
            running.send_signal(signal.SIGTERM)
        assert running.returncode == 143
        assert gone(int(pid_file.read_text()))
        assert history[0].git("worktree", "list").count("\n") == 0

    def test_a_dry_run_changes_nothing(self, history: tuple[History, list[str]], tmp_path: Path) -> None:
        before = sorted(tmp_path.iterdir())
        plan = backfill(tmp_path, "--dry-run", "--range", f"{history[1][0]}..main", "--steps", "3")
        assert [step["reason"] for step in plan["steps"]] == ["not measured"] * 3
        assert sorted(tmp_path.iterdir()) == before

    @pytest.mark.slow
    def test_the_planted_commit_is_found(self, history: tuple[History, list[str]], tmp_path: Path) -> None:
        """By pairs of real processes of pytest; tests/cli/test_planted.py has a search of 28 commits."""
        shas = history[1]
        answer = bench_db(
            "bisect",
            shas[PLANTED - 2],
            "main",
            "--clone",
            "clone",
            "--benchmark",
            "*test_work",
            "--output",
            "json",
            cwd=tmp_path,
        )
        assert document(answer)["commit"] == shas[PLANTED]
        assert not (tmp_path / "store").exists()


class TestEnvironment:
    """MAX_COMMITS and COMMIT_INTERVAL are the defaults of the flags of that meaning."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("variables", "flags", "subjects"),
        [
            ({"MAX_COMMITS": "2"}, [], ["change 9", "change 8"]),
            ({"MAX_COMMITS": "2", "COMMIT_INTERVAL": "3"}, [], ["change 9", "change 6"]),
            ({"MAX_COMMITS": "2", "COMMIT_INTERVAL": "3"}, ["--every", "1", "--max-commits", "1"], ["change 9"]),
        ],
    )
    def test_honoured(
        self,
        variables: dict[str, str],
        flags: list[str],
        subjects: list[str],
        history: tuple[History, list[str]],  # noqa: ARG002 made before
        tmp_path: Path,
    ) -> None:
        arguments = ("backfill", "--clone", "clone", "--store", "store", "--output", "json", "--dry-run", *flags)
        found = document(bench_db(*arguments, cwd=tmp_path, **variables))
        assert [step["subject"] for step in found["steps"]] == subjects

    def test_refused(self, history: tuple[History, list[str]], tmp_path: Path) -> None:  # noqa: ARG002 made before
        answer = bench_db("backfill", "--clone", "clone", "--dry-run", cwd=tmp_path, MAX_COMMITS="many")
        assert (answer.returncode, "MAX_COMMITS=many" in answer.stderr) == (2, True)


def killed_half_way(directory: Path) -> None:
    """A backfill that is killed, and not asked to stop, after two commits."""
    arguments = ["backfill", "--clone", "clone", "--store", "store", "--order", "oldest"]
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=directory, env=environment(), stdout=subprocess.DEVNULL
    ) as running:
        give_up = time.monotonic() + 60
        while len(journal(directory)) < 2 and time.monotonic() < give_up:
            time.sleep(0.05)
        running.send_signal(signal.SIGKILL)
