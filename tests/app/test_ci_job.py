from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from bench_db.app.ci_job import CiJob, ci_job
from bench_db.app.database import connect
from bench_db.app.runs import runs
from bench_db.ci.forge import Conclusion
from bench_db.errors import UserError
from bench_db.query.selection import Selection
from tests.cli.commands import bench_db
from tests.support.histories import History
from tests.support.receivers import Fault, receiver

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.app.ci_files import Judging

pytestmark = pytest.mark.sample(6)

CONFIG = """\
[project]
name = "p"
test_bed = "bed"
[suite.sums]
benchmark = "{python} bench.py"
stdout = "results.json"
format = "values-ns"
"""


def bench(level: float, name: str = "sum") -> str:
    """Return a program whose benchmark takes this time."""
    row = {"benchmark_name": name, "values_ns": [level, level * 1.01, level * 0.99]}
    return f"print({json.dumps({'results': [row]})!r})"


def grown(path: Path) -> Path:
    """Create a history of seven measured commits, level but for some noise, with its store."""
    made = History(path)
    (path / "bench-db.toml").write_text(CONFIG)
    (path / ".gitignore").write_text("results.json\nstore\nreport.md\n")
    commits = [made.commit(f"level {number}", bench__py=bench(100 + number % 3)) for number in range(7)]
    done = bench_db("backfill", "--range", ",".join(commits), "--store", "store", "--fail-on-error", cwd=path)
    assert done.returncode == 0, done.stderr
    return path


def continued(origin: Path, path: Path) -> History:
    """Return a copy of a history, which goes on a day after it."""
    shutil.copytree(origin, path)
    made = History(path)
    made.count = int(made.git("rev-list", "--count", "HEAD"))
    return made


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grown(tmp_path_factory.mktemp("origin") / "clone")


@pytest.fixture
def history(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    made = continued(origin, tmp_path / "clone")
    monkeypatch.chdir(made.path)
    return made


def judged(*paths: str, **stated: Any) -> CiJob:
    environment = {"PATH": os.environ["PATH"]}
    return ci_job("store", *paths, environment=environment, **stated)


class TestFiles:
    """Given files are published, and the commit of the checkout is judged."""

    def test_a_slow_file(self, history: History) -> None:
        history.commit("slow", notes__txt="slow")
        row = {"benchmark_name": "sum", "values_ns": [200, 202, 198]}
        (history.path / "results.json").write_text(json.dumps({"results": [row]}))
        done = judged("results.json")
        assert (done.verdict, done.passed, done.counts) == (Conclusion.FAILURE, False, {"regressed": 1})

    def test_what_is_not_stored_is_noted(self, history: History) -> None:
        """Leftovers of the commit before and results that cannot be read: the job says so, and so does its report."""
        values = [201.0, 202.0, 198.0, 199.0, 200.5]
        rows = [{"benchmark_name": "left", "values_ns": values}, {"benchmark_name": "bad", "values_ns": [-1]}]
        (history.path / "out").mkdir()
        (history.path / "out" / "results.json").write_text(json.dumps({"results": rows[:1]}))
        (history.path / "out" / "notes.txt").write_text("no output of a benchmark\n")
        first = history.commit("measured", notes__txt="x")
        assert judged("out/results.json", format="values-ns").notes == ()
        history.commit("not measured", notes__txt="y")
        (history.path / "out" / "results.json").write_text(json.dumps({"results": rows}))
        done = judged("out")
        assert done.new == 0
        said = [note for note in done.notes if note.startswith("out/results.json: ")]
        assert any("left: a leftover" in note and first in note for note in said)
        assert any("bad: skipped, negative-time" in note for note in said)
        assert any(note.startswith("passed over") and "notes.txt" in note for note in done.notes)
        assert "a leftover" in done.report

    def test_a_test_bed_without_results_of_the_commit_is_noted(self, history: History) -> None:
        """The job of the machine that shows the regression may have failed."""
        row = {"benchmark_name": "sum", "values_ns": [100, 101, 99]}
        (history.path / "results.json").write_text(json.dumps({"results": [row]}))
        history.commit("on both", notes__txt="x")
        judged("results.json", test_bed_name="bed", suites=["sums"])
        assert judged("results.json", test_bed_name="arm", suites=["sums"]).notes == ()
        head = history.commit("on one", notes__txt="y")
        (history.path / "results.json").write_text(json.dumps({"results": [{**row, "values_ns": [101, 100, 98]}]}))
        done = judged("results.json", test_bed_name="bed", suites=["sums"])
        assert done.notes == (f"{head[:9]} is not measured on arm",)
        assert f"{head[:9]} is not measured on arm" in done.report

    def test_results_of_another_commit_are_not_judged(self, history: History, tmp_path: Path) -> None:
        head = history.commit("not measured", notes__txt="x")
        other = History(tmp_path / "other")
        other.commit("other", pyproject__toml='[project]\nname = "other"\nversion = "1"\n')
        row = {"benchmark_name": "x", "values_ns": [1, 2]}
        (other.path / "results.json").write_text(json.dumps({"results": [row]}))
        done = judged(str(other.path / "results.json"))
        assert (done.new, done.verdict, done.compared) == (1, Conclusion.NEUTRAL, None)
        assert done.notes == (f"not compared: the store has no results of the commit {head}",)
        assert "No verdict" in done.report


class TestAgain:
    """A job that is run again measures again what failed, wholly or in part, and its verdict is that of the last attempt."""

    @pytest.mark.parametrize("writes", [False, True], ids=["wholly", "in part"])
    def test_a_failure_of_the_first_attempt(self, history: History, *, writes: bool) -> None:
        broken = history.path / "store" / "broken"
        fails = f"import pathlib, sys\nif pathlib.Path({str(broken)!r}).exists(): sys.exit('no network')\n"
        program = f"{bench(101)}\n{fails}" if writes else f"{fails}{bench(101)}"
        head = history.commit("next", bench__py=program)
        broken.touch()
        first = judged()
        assert (first.verdict, first.counts["failed"]) == (Conclusion.FAILURE, 1)
        broken.unlink()
        again = judged()
        assert (again.verdict, again.counts, again.notes) == (Conclusion.SUCCESS, {"unchanged": 1}, ())
        excluded = runs("store", excluded=True).frame()
        assert excluded.select("commit", "format", "excluded").rows() == [
            (head, "bench-db-failure", "replaced by attempt 2")
        ]
        assert judged().notes == ("nothing was measured: the store has the results of this commit already",)

    @pytest.mark.slow
    def test_a_failure_of_the_last_attempt(self, history: History) -> None:
        """Attempts that fail leave one failure, as often as they are made, in the same way as an earlier one or in another."""
        error = history.path / "store" / "error"
        head = history.commit(
            "next", bench__py=f"import pathlib\nraise SystemExit(pathlib.Path({str(error)!r}).read_text())"
        )
        for text in ("no network", "no disk", "no network", "no memory"):
            error.write_text(text)
            failed = judged()
            assert (failed.verdict, failed.counts["failed"]) == (Conclusion.FAILURE, 1)
            [stored] = connect("store").scan(["error", "commit"]).filter(commit=head).collect()["error"]
            assert text in stored
        assert runs("store", excluded=False).frame()["format"].to_list().count("bench-db-failure") == 1


class TestNoBranch:
    """The job of a tag, whose branch a shallow clone does not have: a note says so, and no branch is stated."""

    @pytest.mark.parametrize("files", [(), ("results.json",)], ids=["measures", "publishes"])
    def test_noted(
        self, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[str, ...]
    ) -> None:
        history.git("checkout", "--quiet", "-b", "release")
        head = history.commit("of a release", notes__txt="x")
        history.git("tag", "v1.1")
        shallow = tmp_path / "shallow"
        history.git("clone", "--quiet", "--depth=1", "--branch=v1.1", history.path.as_uri(), str(shallow))
        shutil.copy(history.path / "bench-db.toml", shallow)
        row = {"benchmark_name": "sum", "values_ns": [100, 101, 99]}
        (shallow / "results.json").write_text(json.dumps({"results": [row]}))
        monkeypatch.chdir(shallow)
        done = ci_job("store", *files, environment={"PATH": os.environ["PATH"]}, dut_name="p")
        assert [note for note in done.notes if "the branch is unknown" in note]
        stored = connect("store").scan(selection=Selection(everything=True)).filter(pl.col("commit") == head).collect()
        assert set(stored["branch"]) == {None}


class TestBranch:
    """The branch of bench-db.toml is the main branch."""

    def test_it_is_renamed(self, history: History) -> None:
        """Before and after it the commits are of one history, for the gate and for every reader."""
        file = history.path / "bench-db.toml"
        file.write_text(file.read_text().replace('test_bed = "bed"\n', 'test_bed = "bed"\nbranch = "trunk"\n'))
        history.git("branch", "--move", "trunk")
        head = history.commit("next", bench__py=bench(101))
        assert judged().counts == {"unchanged": 1}
        trend = connect("store").trend("sum")["commit"].to_list()
        assert (len(trend), trend[-1]) == (8, head)


class TestDefaultBranch:
    """What CI says of the default branch holds, whether bench-db.toml states another one or none."""

    @pytest.mark.parametrize("stated", ["", 'branch = "main"\n'])
    def test_as_ci_says(self, history: History, stated: str, tmp_path: Path) -> None:
        file = history.path / "bench-db.toml"
        file.write_text(file.read_text().replace('test_bed = "bed"\n', f'test_bed = "bed"\n{stated}'))
        history.git("branch", "--move", "master")
        history.git("remote", "add", "origin", "https://forge.test/me/p.git")  # without origin/HEAD, as a job has it
        head = history.commit("slow", bench__py=bench(200))
        event = tmp_path / "event.json"
        event.write_text(json.dumps({"repository": {"default_branch": "master"}}))
        job = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "me/p", "GITHUB_REF": "refs/heads/master"}
        environment = {**job, "GITHUB_SHA": head, "GITHUB_EVENT_PATH": str(event), "PATH": os.environ["PATH"]}
        assert ci_job("store", environment=environment).counts == {"regressed": 1}
        assert connect("store").latest()["commit"].to_list() == [head]


@pytest.mark.slow
class TestTwoProjects:
    """Projects of one repository have suites of one name, and each its own results and failures."""

    def test_one_fails(self, history: History) -> None:
        broken = history.path / "store" / "broken"
        fails = f"import pathlib, sys\nif pathlib.Path({str(broken)!r}).exists(): sys.exit('no network')\n"
        (history.path / "other.toml").write_text(CONFIG.replace('name = "p"', 'name = "q"'))
        history.commit("next", bench__py=f"{fails}{bench(101)}")
        broken.touch()
        assert judged().counts["failed"] == 1
        broken.unlink()
        other = judged(config_file="other.toml")
        assert (other.new, other.notes) == (1, ())
        assert judged(config_file="other.toml").notes != ()
        failures = runs("store", excluded=False).frame().filter(format="bench-db-failure")
        assert failures["dut_name"].to_list() == ["p"]


@pytest.mark.slow
class TestRowsThatFail:
    """A benchmark that failed as a row of its file is measured again until it succeeds, and no longer."""

    def test_until_it_succeeds(self, history: History) -> None:
        file = history.path / "bench-db.toml"
        file.write_text(file.read_text().replace("values-ns", "google-benchmark"))
        flaky = history.path / "store" / "flaky"
        context = {"date": "2026-01-01T00:00:00+00:00", "host_name": "h", "num_cpus": 2, "mhz_per_cpu": 1, "caches": []}
        about = {"name": "sum", "run_name": "sum", "run_type": "iteration", "threads": 1}
        fine = {**about, "iterations": 9, "real_time": 1.0, "cpu_time": 1.0, "time_unit": "ns"}
        error = {**about, "error_occurred": True, "error_message": "port in use"}
        both = {True: {"context": context, "benchmarks": [error]}, False: {"context": context, "benchmarks": [fine]}}
        history.commit(
            "next",
            bench__py=f"import json, pathlib\nprint(json.dumps({both!r}[pathlib.Path({str(flaky)!r}).exists()]))",
        )
        flaky.touch()
        assert "failed" in judged().counts
        flaky.unlink()
        assert judged().new == 1
        assert judged().notes == ("nothing was measured: the store has the results of this commit already",)


class TestUnreadable:
    """An output that cannot be read is named as the suite wrote it, without a place of this machine."""

    def test_no_path(self, history: History) -> None:
        head = history.commit("broken", bench__py="print('{')")
        done = judged()
        [stored] = connect("store").scan(["error", "commit"]).filter(commit=head).collect()["error"]
        for text in (stored, done.report, *done.notes):
            assert str(history.path) not in text
            assert ".bench-db" not in text
        assert stored.startswith("results.json:")


class TestFresh:
    """A note says that this machine is no fresh one, where something is to be measured again."""

    @pytest.mark.parametrize(("level", "noted"), [(101, False), (200, True)])
    def test_noted(self, history: History, level: float, *, noted: bool) -> None:
        history.commit("next", bench__py=bench(level))
        done = judged(confirm="fresh")
        assert any(note.startswith("nothing was measured again") for note in done.notes) is noted


class TestPullRequests:
    """Without the history of the branch, a pull request is compared with the level of the main history, and a note says so."""

    def test_a_shallow_checkout(self, history: History, tmp_path: Path) -> None:
        history.git("checkout", "--quiet", "-b", "topic")
        head = history.commit("slow", notes__txt="slow")
        shallow = tmp_path / "shallow"
        history.git("clone", "--quiet", "--depth=1", "--branch=topic", history.path.as_uri(), str(shallow))
        row = {"benchmark_name": "sum", "values_ns": [200, 202, 198]}
        (shallow / "results.json").write_text(json.dumps({"results": [row]}))
        pull = {"number": 12, "head": {"sha": head, "ref": "topic"}, "base": {"ref": "main"}}
        (tmp_path / "event.json").write_text(
            json.dumps({"pull_request": pull, "repository": {"default_branch": "main"}})
        )
        job = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REF": "refs/pull/12/merge",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        }
        done = ci_job("store", str(shallow / "results.json"), checkout=shallow, environment=job)
        assert (done.candidate, done.counts) == (head, {"regressed": 1})
        assert any("shallow" in note for note in done.notes)

    def test_a_dispatched_job_that_has_checked_out_a_pull_request(self, history: History, tmp_path: Path) -> None:
        """Its failure is that of the pull request, and no receiver gets a message."""
        main = history.git("rev-parse", "HEAD")
        history.git("checkout", "--quiet", "--detach")
        head = history.commit("broken", bench__py="raise SystemExit('broken')")
        history.git("update-ref", "refs/remotes/pull/12/head", head)
        hook = '[[notify]]\nkind = "webhook"\naddress_env = "HOOK"\nchanges = "all"\n'
        (history.path / "bench-db.toml").write_text(CONFIG + hook)
        event = {"repository": {"default_branch": "main", "full_name": "o/p"}, "inputs": {}}
        (tmp_path / "event.json").write_text(json.dumps(event))
        job = {
            "PATH": os.environ["PATH"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "o/p",
            "GITHUB_EVENT_NAME": "workflow_dispatch",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_SHA": main,
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        }
        with receiver() as hooked:
            done = ci_job("store", environment={**job, "HOOK": hooked.url}, with_scan=True)
            assert hooked.requests == []
        assert (done.candidate, done.verdict) == (head, Conclusion.FAILURE)
        stored = connect("store").scan(selection=Selection(everything=True)).filter(pl.col("commit") == head).collect()
        assert set(stored["pr_number"]) == {12}
        assert "Pull request 12, " in done.report

    @pytest.mark.parametrize(("event", "linked"), [("pull_request", True), ("pull_request_target", False)])
    def test_the_report_links_to_the_site(self, history: History, tmp_path: Path, event: str, *, linked: bool) -> None:
        """Not in a job with secrets, where bench-db.toml may be that of a stranger."""
        site = '[project]\nsite = "https://me.example/p"\n'
        (history.path / "bench-db.toml").write_text(CONFIG.replace("[project]\n", site))
        head = history.commit("slow", notes__txt="slow")
        row = {"benchmark_name": "sum", "values_ns": [200, 202, 198]}
        (history.path / "results.json").write_text(json.dumps({"results": [row]}))
        pull = {"number": 12, "head": {"sha": head, "ref": "topic"}, "base": {"ref": "main"}}
        (tmp_path / "event.json").write_text(json.dumps({"pull_request": pull}))
        job = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REF": "refs/pull/12/merge",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
            "GITHUB_EVENT_NAME": event,
        }
        report = ci_job(
            "store", "results.json", suites=["sums"], test_bed_name="bed", dut_name="p", environment=job
        ).report
        assert ("(<https://me.example/p/benchmark.html#pr=12&s=" in report) is linked


class TestScan:
    """The alarm of the main history is raised once."""

    @pytest.mark.slow
    def test_a_step_in_the_history(self, history: History) -> None:
        for number in range(8):
            commit = history.commit(f"slow {number}", notes__txt=f"{number}")
            row = {"benchmark_name": "sum", "values_ns": [200 + number % 3 + part for part in (0, 2, -2, 0.5)]}
            (history.path / "results.json").write_text(json.dumps({"results": [row]}))
            words = ("--store", "store", "--commit", commit)
            assert bench_db("publish", "results.json", *words, cwd=history.path).returncode == 0
        first = judged("results.json", with_scan=True)
        assert [finding.effect and finding.effect > 0 for finding in first.alarms] == [True]
        assert (first.passed, first.frame().height) == (False, 1)
        assert "1 new in the history" in first.report
        assert "1 new in the history" in first.title
        assert judged("results.json", with_scan=True).alarms == []

    def test_too_short(self, history: History) -> None:  # noqa: ARG002 the store
        done = judged(with_scan=True)
        assert any(note.startswith("the scan tested nothing") for note in done.notes)


def test_an_empty_address(history: History) -> None:  # noqa: ARG001 the store
    with pytest.raises(UserError, match="address of the store is empty"):
        ci_job("", environment={})


class TestAlarms:
    """A scan sends to the receivers of bench-db.toml, once; one that fails does not fail the job."""

    def test_told(self, history: History) -> None:
        with receiver() as server:
            tables = CONFIG + '[[notify]]\nkind = "webhook"\naddress_env = "HOOK"\nchanges = "all"\n'
            (history.path / "bench-db.toml").write_text(tables)
            commits = [history.commit(f"slow {n}", bench__py=bench(300 + n % 3)) for n in range(6)]
            backfilled = bench_db("backfill", "--range", ",".join(commits), "--store", "store", cwd=history.path)
            assert backfilled.returncode == 0, backfilled.stderr
            environment = {"PATH": os.environ["PATH"], "HOOK": server.url}
            server.faults = [Fault(status=404)]
            failed = ci_job("store", environment=environment, with_scan=True)
            assert any(note.startswith("webhook: no message was sent: http://127.0.0.1: 404") for note in failed.notes)
            told = ci_job("store", environment=environment, with_scan=True)
            assert any("webhook received 1 change of a finding" in note for note in told.notes)
            again = ci_job("store", environment=environment, with_scan=True)
            assert not any("webhook" in note for note in again.notes)
            assert len(server.accepted) == 1

    @pytest.mark.slow
    @pytest.mark.parametrize("event", ["workflow_run", "issue_comment", "pull_request_target"])
    def test_nobody_by_a_job_with_the_secrets_and_the_file_of_a_pull_request(
        self, history: History, event: str
    ) -> None:
        with receiver() as server:
            tables = CONFIG + '[[notify]]\nkind = "webhook"\naddress_env = "HOOK"\nchanges = "all"\n'
            (history.path / "bench-db.toml").write_text(tables)
            commits = [history.commit(f"slow {n}", bench__py=bench(300 + n % 3)) for n in range(6)]
            backfilled = bench_db("backfill", "--range", ",".join(commits), "--store", "store", cwd=history.path)
            assert backfilled.returncode == 0, backfilled.stderr
            job = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event, "GITHUB_REF": "refs/heads/main"}
            done = ci_job("store", environment={"PATH": os.environ["PATH"], "HOOK": server.url, **job}, with_scan=True)
            assert server.requests == []
            assert [note for note in done.notes if note.startswith("no message was sent")] == [
                "no message was sent: a job of this event has secrets, and bench-db.toml may be that of a pull request; call `bench-db notify`"
            ]

    @pytest.mark.parametrize("mode", ["history", "pairs"])
    def test_measured_code_gets_no_address_of_a_receiver(self, history: History, mode: Judging) -> None:
        seen = history.path.parent / "seen"
        suite = f"sh -c 'env >> {seen}; {{python}} bench.py'"
        tables = '[[notify]]\nkind = "teams"\naddress_env = "TEAMS_URL"\n[[notify]]\nkind = "matrix"\naddress = "https://m.test"\n'
        tables += 'room = "!r:m.test"\ntoken_env = "MATRIX"\n[pairs]\nrounds = 2\nlooks = [2]\n'
        config = CONFIG.replace("{python} bench.py", suite) + tables
        (history.path / "bench-db.toml").write_text(config)
        history.git("checkout", "--quiet", "-b", "topic")
        history.commit("slow", bench__py=bench(300))
        job = {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/pull/12/merge", "GITHUB_BASE_REF": "main"}
        secrets = {"TEAMS_URL": "https://teams.test/secret", "MATRIX": "secret"}
        given = {"PATH": os.environ["PATH"], "KEPT": "kept", **job, **secrets}
        ci_job("store", mode=mode, environment=given, with_comment=False)
        assert "KEPT=kept" in seen.read_text()
        assert [name for name in secrets if f"{name}=" in seen.read_text()] == []
