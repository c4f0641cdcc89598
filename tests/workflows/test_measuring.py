from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from bench_db import connect
from bench_db.rules import RULES
from tests.support.github_server import REPOSITORY
from tests.workflows.world import GRANTS, OURS, SECRETS, World, world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workflows.world import Ground

pytestmark = pytest.mark.slow


class TestSchedule:
    """What is missing is started once, and its results end in the store."""

    def test_the_newest_commit_is_started(self, scheduled: World) -> None:
        run = scheduled.runs["schedule"]
        assert run.results == {"schedule": "success"}, run.logs
        started = [run["inputs"] for run in scheduled.fake.runs.values()]
        assert [inputs["git_sha"] for inputs in started] == [scheduled.ground.commits[-1]]
        assert {inputs["run_rust"] for inputs in started} == {inputs["run_python"] for inputs in started} == {"true"}

    def test_every_suite_is_measured_and_published_apart(self, scheduled: World) -> None:
        run = scheduled.runs["measured"]
        assert run.results == {
            "suites": "success",
            "rust(rust/io)/measure": "success",
            "rust(rust/io)/publish": "success",
            "python(python)/measure": "success",
            "python(python)/publish": "success",
            "flag": "skipped",
            "confirm": "skipped",
            "compare-and-comment": "skipped",
        }, run.logs

    def test_the_results_are_in_the_store(self, scheduled: World) -> None:
        store, newest = connect(scheduled.store), scheduled.ground.commits[-1]
        assert store.has(newest).suites == {"python": 1, "rust/io": 8}
        rows = [result for result in store.results() if result.commit == newest]
        assert {(row.dut.name, row.test_bed.name, row.branch, row.error) for row in rows} == {
            ("measured", "here", "main", None)
        }
        runs = store.runs().collect().filter(run_url="https://github.test/owner/benchmarks/actions/runs/2")
        assert (runs.height, set(runs["repository"])) == (2, {OURS})

    def test_a_second_look_starts_nothing(self, scheduled: World) -> None:
        run = scheduled.runs["again"]
        assert run.conclusion == "success"
        assert len(scheduled.fake.runs) == 1
        assert "0 to measure" in run.logs["schedule", "Schedule"]


class TestFirstRun:
    """On a store just made the plan is the newest commit; without a store nothing is planned, and it says what to do."""

    def test_only_the_plan(self, ground: Ground, tmp_path: Path) -> None:
        connect(tmp_path / "new", create=True)
        with world(ground, tmp_path, apart=True, store=tmp_path / "new") as told:
            run = told.run("first", "schedule-benchmarks", {"dry_run": "true"})
            log = run.logs["schedule", "Schedule"]
            assert run.conclusion == "success", run.logs
            assert "1 to measure" in log
            assert ground.commits[-1][: RULES.sha_length] in log
            assert told.fake.runs == {}

    def test_no_store(self, ground: Ground, tmp_path: Path) -> None:
        with world(ground, tmp_path, apart=True) as told:
            shutil.rmtree(told.store)
            run = told.run("first", "schedule-benchmarks")
            assert run.conclusion == "failure"
            assert "bench-db store init" in run.logs["schedule", "Schedule"]
            assert told.fake.runs == {}


class TestBackfill:
    """A history is started commit by commit, and each is waited for."""

    def test_the_newest_commits_are_started_and_waited_for(self, backfilled: World) -> None:
        run, commits = backfilled.runs["backfill"], backfilled.ground.commits
        assert run.results == {"backfill": "success"}, run.logs
        started = [(run["workflow"], run["inputs"]["git_sha"]) for run in backfilled.fake.runs.values()]
        assert started == [("run-benchmarks.yml", commits[-1]), ("run-benchmarks.yml", commits[-2])]
        assert "2 measured" in run.logs["backfill", "Backfill"]

    def test_only_what_is_missing_is_measured(self, backfilled: World) -> None:
        run, commit = backfilled.runs["measured"], backfilled.ground.commits[-2]
        assert run.conclusion == "success", run.logs
        assert run.results["rust"] == "skipped"
        assert connect(backfilled.store).has(commit).suites == {"python": 1, "rust/io": 8}


class TestFailure:
    """A commit that does not build is red, and its failure is a result."""

    def test_the_failure_is_reported(self, broken: World) -> None:
        run = broken.runs["measured"]
        assert run.results["rust(rust/io)/measure"] == "failure"
        assert run.results["compare-and-comment"] == "success", run.logs
        [comment] = broken.fake.comments
        assert "❌ 1 benchmark failed" in comment["body"]

    def test_its_log_is_kept(self, broken: World) -> None:
        [log] = broken.runs["measured"].artifacts.glob("logs-pr-results-rust-rust-io/**/*.log")
        assert "error: could not compile `measured`" in log.read_text()

    def test_in_another_repository_the_verdict_is_a_status(self, broken: World) -> None:
        [status] = broken.fake.statuses
        assert (status["sha"], status["context"], status["state"]) == (broken.ground.broken, "benchmarks", "failure")
        assert status["description"] == "❌ 1 benchmark failed, none of 0 judged regressed, 8 missing"
        assert status["target_url"] == "https://github.test/owner/benchmarks/actions/runs/1"
        assert broken.fake.asked("check-runs") == 0


class TestSecrets:
    """Code of a measured commit, which tells all it sees, sees nothing that is secret."""

    @pytest.mark.parametrize("story", ["scheduled", "asked", "broken"])
    def test_measured_code_sees_none(self, story: str, request: pytest.FixtureRequest) -> None:
        told: World = request.getfixturevalue(story)
        secrets = {*SECRETS.values(), *GRANTS, str(told.store), "workflow-token", "AUTHORIZATION"} - {"us-east-1"}
        for run in told.runs.values():
            for log in run.artifacts.glob("logs-*/**/*.log"):
                text = log.read_text()
                assert "'BENCH_DB_SUITE'" in text
                assert ".git/config" in text
                assert not [secret for secret in secrets if secret in text]

    @pytest.mark.parametrize("story", ["scheduled", "asked", "broken"])
    def test_no_script_before_it_is_given_one(self, story: str, request: pytest.FixtureRequest) -> None:
        told: World = request.getfixturevalue(story)
        given = {name: value for name, value in SECRETS.items() if name != "BENCH_S3_REGION"}
        for run in told.runs.values():
            for (job, _), environment in run.seen.items():
                if job.endswith("/measure"):
                    assert not {*given.values(), str(told.store)} & set(environment.values())

    def test_no_log_holds_a_token(self, scheduled: World, asked: World) -> None:
        for told in (scheduled, asked):
            text = "\n".join(log for run in told.runs.values() for log in run.logs.values())
            assert not re.findall("workflow-token|the-(?:comment|scheduler)-token|the-secret-key", text)

    def test_the_measured_repository_is_another_one(self, scheduled: World) -> None:
        machine = scheduled.runs["measured"].machines["rust(rust/io)/measure"]
        assert (machine.workspace / "measured/bench_work.py").exists()
        assert not (machine.workspace / "bench_work.py").exists()
        assert REPOSITORY != OURS
