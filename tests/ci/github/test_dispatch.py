from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bench_db.ci.forge import Workflow
from bench_db.ci.github import dispatch
from bench_db.ci.github.client import GitHub
from bench_db.ci.github.dispatch import attempts_made, commits_in_flight
from bench_db.ci.github.records import WorkflowRun
from bench_db.ci.github.repository import Repository
from bench_db.errors import GitHubError
from tests.support.clocks import Slept
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, Reply

RUNS = r"GET .*workflows/.*/runs"
DISPATCH = "POST .*dispatches"
WORKFLOW = Workflow(repository=REPOSITORY)


@pytest.fixture
def repository(fake: FakeGitHub, slept: Slept) -> Iterator[Repository]:
    with GitHub(TOKEN, base_url=fake.url, clock=slept.clock(), deadline_seconds=300) as github:
        yield Repository(github, REPOSITORY)


class TestStart:
    """A dispatch is known by the run it became: by GitHub's word or the correlation id, never as the newest run."""

    def test_the_run_github_names(self, fake: FakeGitHub, repository: Repository, slept: Slept) -> None:
        assert dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000
        assert fake.asked(RUNS) == 0

    def test_without_a_name_the_correlation_id_tells_it_from_newer_runs(
        self, fake: FakeGitHub, repository: Repository, slept: Slept
    ) -> None:
        fake.returns_run_details = False

        fake.fail(RUNS, Reply(document={"total_count": 0, "workflow_runs": []}))
        found = dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, "c0", slept.clock())
        dispatch.start(repository, WORKFLOW, {"git_sha": "b" * 40}, "c1", slept.clock())
        assert (found.run_id, slept.seconds) == (1000, [3.0])

    def test_a_server_that_does_not_know_the_question(
        self, fake: FakeGitHub, repository: Repository, slept: Slept
    ) -> None:
        fake.knows_return_run_details = fake.returns_run_details = False
        assert dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000

    def test_a_workflow_without_the_correlation_input(
        self, fake: FakeGitHub, repository: Repository, slept: Slept
    ) -> None:
        fake.inputs = frozenset({"git_sha"})
        assert dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000

    def test_a_lost_answer_is_looked_up_and_not_dispatched_again(
        self, fake: FakeGitHub, repository: Repository, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, Reply(status=502, after=True))
        assert dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000
        assert len(fake.runs) == 1

    @pytest.mark.parametrize("document", [None, {}, [1], "cut off"])
    def test_an_answer_that_cannot_be_read_is_looked_up_and_not_dispatched_again(
        self, document: object, fake: FakeGitHub, repository: Repository, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, Reply(status=200, document=document, after=True))
        assert dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000
        assert len(fake.runs) == fake.asked(DISPATCH) == 1

    def test_a_clock_that_is_wrong_finds_the_run(self, fake: FakeGitHub, repository: Repository, slept: Slept) -> None:
        fake.returns_run_details = False
        slept.time += 1800
        assert dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, "c0", slept.clock()).run_id == 1000

    def test_a_dispatch_that_never_happened_is_an_error(
        self, fake: FakeGitHub, repository: Repository, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, Reply(status=502))
        with pytest.raises(GitHubError, match="502"):
            dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, "c0", slept.clock())
        assert sum(slept.seconds) <= WORKFLOW.patience_seconds

    def test_a_run_that_does_not_carry_its_id_is_an_error_and_not_a_guess(
        self, fake: FakeGitHub, repository: Repository, slept: Slept
    ) -> None:
        fake.inputs = frozenset({"git_sha"})
        fake.returns_run_details = False
        with pytest.raises(GitHubError, match="run-name"):
            dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, "c0", slept.clock())


class TestInFlight:
    """Commits of runs that have not ended are known by the runs' names."""

    def test_found(self, fake: FakeGitHub, repository: Repository, slept: Slept) -> None:
        for i in range(3):
            dispatch.start(repository, WORKFLOW, {"git_sha": f"{i:040x}"}, f"c{i}", slept.clock())
        fake.runs[1001]["status"] = "completed"
        fake.runs[1002]["status"] = "in_progress"
        assert commits_in_flight(repository, WORKFLOW.file) == {f"{0:040x}", f"{2:040x}"}

    def test_a_run_that_moves_on_while_it_is_looked_for(
        self, fake: FakeGitHub, repository: Repository, slept: Slept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, "c0", slept.clock())
        life = ["requested", "pending", "queued", "in_progress"]
        runs = Repository.runs

        def moving(there: Repository, file: str, **query: Any) -> list[WorkflowRun]:
            found = list(runs(there, file, **query))
            fake.runs[1000]["status"] = life[min(life.index(fake.runs[1000]["status"]) + 1, 3)]
            return found

        monkeypatch.setattr(Repository, "runs", moving)
        for began in life:
            fake.runs[1000]["status"] = began
            assert commits_in_flight(repository, WORKFLOW.file) == {"a" * 40}, began

    def test_a_run_of_a_pull_request_publishes_nothing_and_does_not_count(
        self, fake: FakeGitHub, repository: Repository, slept: Slept
    ) -> None:
        for i, status in enumerate(("queued", "completed")):
            dispatch.start(repository, WORKFLOW, {"git_sha": "a" * 40}, f"c{i}", slept.clock())
            title = fake.runs[1000 + i]["display_title"]
            fake.runs[1000 + i] |= {"display_title": title.replace("Benchmarks", "Pull request 7:"), "status": status}
        assert commits_in_flight(repository, WORKFLOW.file) == frozenset()
        assert attempts_made(repository, WORKFLOW.file, datetime.fromtimestamp(0, UTC)) == {}
