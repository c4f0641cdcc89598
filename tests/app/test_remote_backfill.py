from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench_db.app import remote_backfill as backfill
from bench_db.app.remote_backfill import Pace
from bench_db.ci.github.client import GitHub
from bench_db.ci.github.dispatch import Workflow, attempts_made, commits_in_flight, correlation_of, start
from bench_db.ci.github.records import WorkflowRun
from bench_db.ci.github.repository import Repository
from bench_db.errors import GitHubError
from bench_db.measure.journal import Journal
from bench_db.model import AttemptState as State
from bench_db.model import Commit, Reason, Step, Target
from tests.support.clocks import START, Slept
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, Reply

RUNS = r"GET .*workflows/.*/runs"
DISPATCH = "POST .*dispatches"


def step(i: int, *suites: str) -> Step:
    targets = tuple(Target(suite=suite) for suite in suites) or (Target(),)
    return Step(commit=Commit(sha=f"{i:040x}", time=i), targets=targets, reason=Reason.NOT_MEASURED)


@pytest.fixture
def workflow(fake: FakeGitHub, slept: Slept) -> Iterator[Workflow]:
    with GitHub(TOKEN, base_url=fake.url, clock=slept.clock(), deadline_seconds=300) as github:
        kinds = {"rust/a": "rust", "rust/b": "rust", "python": "python", "js": "other"}
        yield Workflow(repository=Repository(github, REPOSITORY), kinds=kinds)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "backfill" / "github.jsonl")


class TestStart:
    """A dispatch is known by the run it became: by GitHub's word or the correlation id, never as the newest run."""

    def test_the_run_github_names(self, fake: FakeGitHub, workflow: Workflow, slept: Slept) -> None:
        assert start(workflow, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000
        assert fake.asked(RUNS) == 0

    def test_without_a_name_the_correlation_id_tells_it_from_newer_runs(
        self, fake: FakeGitHub, workflow: Workflow, slept: Slept
    ) -> None:
        fake.returns_run_details = False

        fake.fail(RUNS, Reply(document={"total_count": 0, "workflow_runs": []}))
        found = start(workflow, {"git_sha": "a" * 40}, "c0", slept.clock())
        start(workflow, {"git_sha": "b" * 40}, "c1", slept.clock())
        assert (found.run_id, slept.seconds) == (1000, [3.0])

    def test_a_server_that_does_not_know_the_question(self, fake: FakeGitHub, workflow: Workflow, slept: Slept) -> None:
        fake.knows_return_run_details = fake.returns_run_details = False
        assert start(workflow, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000

    def test_a_workflow_without_the_correlation_input(self, fake: FakeGitHub, workflow: Workflow, slept: Slept) -> None:
        fake.inputs = frozenset({"git_sha"})
        assert start(workflow, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000

    def test_a_lost_answer_is_looked_up_and_not_dispatched_again(
        self, fake: FakeGitHub, workflow: Workflow, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, Reply(status=502, after=True))
        assert start(workflow, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000
        assert len(fake.runs) == 1

    @pytest.mark.parametrize("document", [None, {}, [1], "cut off"])
    def test_an_answer_that_cannot_be_read_is_looked_up_and_not_dispatched_again(
        self, document: object, fake: FakeGitHub, workflow: Workflow, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, Reply(status=200, document=document, after=True))
        assert start(workflow, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000
        assert len(fake.runs) == fake.asked(DISPATCH) == 1

    def test_a_clock_that_is_wrong_finds_the_run(self, fake: FakeGitHub, workflow: Workflow, slept: Slept) -> None:
        fake.returns_run_details = False
        slept.time += 1800
        assert start(workflow, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000

    def test_a_dispatch_that_never_happened_is_an_error(
        self, fake: FakeGitHub, workflow: Workflow, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, Reply(status=502))
        with pytest.raises(GitHubError, match="502"):
            start(workflow, {"git_sha": "a" * 40}, "c0", slept.clock())
        assert sum(slept.seconds) <= workflow.patience_seconds

    def test_a_run_that_does_not_carry_its_id_is_an_error_and_not_a_guess(
        self, fake: FakeGitHub, workflow: Workflow, slept: Slept
    ) -> None:
        fake.inputs = frozenset({"git_sha"})
        fake.returns_run_details = False
        with pytest.raises(GitHubError, match="run-name"):
            start(workflow, {"git_sha": "a" * 40}, "c0", slept.clock())

    def test_inputs_name_what_is_missing(self, workflow: Workflow) -> None:
        assert workflow.inputs(step(1)) == {"git_sha": f"{1:040x}"}
        assert workflow.inputs(step(1, "rust/a", "rust/b"))["rust_crates"] == "rust/a,rust/b"
        rest = {"git_sha": f"{1:040x}", "run_rust": "false", "run_python": "true"}
        assert workflow.inputs(step(1, "python", "js")) == rest
        assert workflow.inputs(step(1, "python")) == {**rest, "python_suites": "python"}

    def test_a_correlation_id_is_made_of_what_it_stands_for(self) -> None:
        ids = {correlation_of(step(i, suite), at) for i in (1, 2) for suite in ("a", "b") for at in (1, 2)}
        assert len(ids) == 8
        assert correlation_of(step(1), 1) == correlation_of(step(1), 1)


class TestInFlight:
    """Commits of runs that have not ended are known by the runs' names."""

    def test_found(self, fake: FakeGitHub, workflow: Workflow, slept: Slept) -> None:
        for i in range(3):
            start(workflow, {"git_sha": f"{i:040x}"}, f"c{i}", slept.clock())
        fake.runs[1001]["status"] = "completed"
        fake.runs[1002]["status"] = "in_progress"
        assert commits_in_flight(workflow) == {f"{0:040x}", f"{2:040x}"}

    def test_a_run_that_moves_on_while_it_is_looked_for(
        self, fake: FakeGitHub, workflow: Workflow, slept: Slept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start(workflow, {"git_sha": "a" * 40}, "c0", slept.clock())
        life = ["requested", "pending", "queued", "in_progress"]
        runs = Repository.runs

        def moving(repository: Repository, file: str, **query: Any) -> list[WorkflowRun]:
            found = list(runs(repository, file, **query))
            fake.runs[1000]["status"] = life[min(life.index(fake.runs[1000]["status"]) + 1, 3)]
            return found

        monkeypatch.setattr(Repository, "runs", moving)
        for began in life:
            fake.runs[1000]["status"] = began
            assert commits_in_flight(workflow) == {"a" * 40}, began

    def test_a_run_of_a_pull_request_publishes_nothing_and_does_not_count(
        self, fake: FakeGitHub, workflow: Workflow, slept: Slept
    ) -> None:
        for i, status in enumerate(("queued", "completed")):
            start(workflow, {"git_sha": "a" * 40}, f"c{i}", slept.clock())
            title = fake.runs[1000 + i]["display_title"]
            fake.runs[1000 + i] |= {"display_title": title.replace("Benchmarks", "Pull request 7:"), "status": status}
        assert commits_in_flight(workflow) == frozenset()
        assert attempts_made(workflow, datetime.fromtimestamp(0, UTC)) == {}


class TestRun:
    """Every step is dispatched once, some at a time, and what became of it is known."""

    def test_all_succeed(self, fake: FakeGitHub, workflow: Workflow, journal: Journal, slept: Slept) -> None:
        steps = [step(i) for i in range(5)]
        seen: list[tuple[int, int]] = []
        pace = Pace(parallel=2)
        ended = backfill.run(
            steps, workflow, journal, slept.clock(), pace, progress=lambda done, total: seen.append((done, total))
        )
        assert [entry.state for entry in ended] == [State.SUCCEEDED] * 5
        assert (fake.most_active, len(fake.runs)) == (2, 5)
        assert (seen[0], seen[-1]) == ((0, 5), (5, 5))

    def test_a_failure_does_not_stop_the_others_and_names_the_job(
        self, fake: FakeGitHub, workflow: Workflow, journal: Journal, slept: Slept
    ) -> None:
        fake.conclusions = {f"{1:040x}": "failure"}
        ended = backfill.run([step(i) for i in range(3)], workflow, journal, slept.clock(), Pace())
        assert {entry.state for entry in ended if entry.commit != f"{1:040x}"} == {State.SUCCEEDED}
        assert next(entry.detail for entry in ended if entry.state is State.FAILED) == "failure: measure"
        assert journal.attempts == {(f"{i:040x}", ""): 1 for i in range(3)}

    def test_a_run_that_never_ends_is_left_after_its_time(
        self, fake: FakeGitHub, workflow: Workflow, journal: Journal, slept: Slept
    ) -> None:
        fake.looks_until_done = 10**9
        ended = backfill.run([step(1)], workflow, journal, slept.clock(), Pace(timeout_seconds=600))
        assert (ended[0].state, ended[0].detail) == (State.TIMED_OUT, "in_progress for more than 10 minutes")
        assert 600 < slept.time - START < 700

    def test_a_run_that_is_gone_is_lost(
        self, fake: FakeGitHub, workflow: Workflow, journal: Journal, slept: Slept
    ) -> None:
        fake.fail(r"GET .*/runs/1000", *[Reply(status=404, document={"message": "Not Found"})] * 50)
        assert backfill.run([step(1)], workflow, journal, slept.clock(), Pace())[0].state is State.LOST
        assert slept.time - START < 200

    def test_a_run_that_cannot_be_seen_yet_is_not_lost(
        self, fake: FakeGitHub, workflow: Workflow, journal: Journal, slept: Slept
    ) -> None:
        fake.fail(r"GET .*/runs/1000", *[Reply(status=404, document={"message": "Not Found"})] * 3)
        assert backfill.run([step(1)], workflow, journal, slept.clock(), Pace())[0].state is State.SUCCEEDED

    def test_limits_and_faults_on_the_way_do_not_matter(
        self, fake: FakeGitHub, workflow: Workflow, journal: Journal, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, Reply(status=429, headers={"Retry-After": "30"}))
        fake.fail(r"GET .*/runs/1000", Reply(status=502), Reply(status=0))
        assert backfill.run([step(1)], workflow, journal, slept.clock(), Pace())[0].state is State.SUCCEEDED
        assert len(fake.runs) == 1

    def test_a_refusal_ends_it_at_once(
        self, fake: FakeGitHub, workflow: Workflow, journal: Journal, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, Reply(status=404, document={"message": "Not Found"}))
        with pytest.raises(GitHubError, match="404"):
            backfill.run([step(1), step(2)], workflow, journal, slept.clock(), Pace())
        assert fake.runs == {}

    def test_three_faults_in_a_row_end_it(
        self, fake: FakeGitHub, workflow: Workflow, journal: Journal, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, *[Reply(status=502)] * 9)
        with pytest.raises(GitHubError, match="502"):
            backfill.run([step(i) for i in range(5)], workflow, journal, slept.clock(), Pace())
        assert fake.asked(DISPATCH) == 3


class Stop(BaseException):
    """A kill, at a point of the test's choice."""


class TestResume:
    """Whenever it is killed, it goes on: nothing is dispatched twice, nothing is forgotten."""

    @pytest.mark.parametrize("after", range(1, 24))
    def test_killed_at_any_request(
        self, after: int, fake: FakeGitHub, workflow: Workflow, journal: Journal, slept: Slept
    ) -> None:
        steps = [step(i) for i in range(4)]
        fake.looks_until_done = 3
        with suppress(Stop), killed_after(after):
            backfill.run(steps, workflow, journal, slept.clock(), Pace(parallel=2))
        again = Journal(journal.path)
        done = {entry.commit for entry in again.newest.values() if entry.state is State.SUCCEEDED}
        rest = [s for s in steps if s.commit.sha not in done]
        backfill.run(rest, workflow, again, slept.clock(), Pace(parallel=2))
        assert sorted(run["inputs"]["git_sha"] for run in fake.runs.values()) == [s.commit.sha for s in steps]
        assert {entry.state for entry in Journal(journal.path).newest.values()} == {State.SUCCEEDED}

    def test_interrupted_before_the_dispatch(
        self, fake: FakeGitHub, workflow: Workflow, journal: Journal, slept: Slept
    ) -> None:
        with pytest.raises(Stop), killed_after(0):
            backfill.run([step(1)], workflow, journal, slept.clock(), Pace())
        assert fake.runs == {}
        assert backfill.resume(workflow, journal, slept.clock()) == []
        assert journal.newest[f"{1:040x}"].state is State.LOST


@contextmanager
def killed_after(requests: int) -> Iterator[None]:
    """A kill after so many requests: as the answer of the last one arrives, or before the first is sent."""
    original, count = GitHub._request, 0

    def request(self: GitHub, *arguments: object) -> object:
        nonlocal count
        count += 1
        if requests == 0:
            raise Stop
        answer = original(self, *arguments)  # type: ignore[arg-type]
        if count == requests:
            raise Stop
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GitHub, "_request", request)
        yield
