import inspect
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import httpx
import pytest

from bench_db.ci.github.client import GitHub
from bench_db.ci.github.repository import Repository
from bench_db.clock import Clock
from bench_db.errors import GitHubError
from tests.support.github_api import checking_server, description, part_of

pytestmark = pytest.mark.slow

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
# The operation of the description for each call.
CALLS: dict[str, tuple[str, Callable[[Repository], Any]]] = {
    "checks": ("checks/list-for-ref", lambda r: first(r.checks(SHA, "benchmarks"))),
    "comments": ("issues/list-comments", lambda r: first(r.comments(1347))),
    "commit": ("repos/get-commit", lambda r: r.commit(SHA)),
    "commits": (
        "repos/list-commits",
        lambda r: first(r.commits("main", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z")),
    ),
    "compare": ("repos/compare-commits-with-basehead", lambda r: r.compare("v1.0", SHA)),
    "create_check": (
        "checks/create",
        lambda r: r.create_check(
            "benchmarks", SHA, status="completed", conclusion="neutral", output={"title": "t", "summary": "s"}
        ),
    ),
    "create_comment": ("issues/create-comment", lambda r: r.create_comment(1347, "text")),
    "create_issue": ("issues/create", lambda r: r.create_issue("title", "text")),
    "issues": ("issues/list-for-repo", lambda r: first(r.issues("2026-01-31T00:00:00Z"))),
    "update_issue": ("issues/update", lambda r: r.update_issue(1347, title="t", body="text", state="closed")),
    "create_status": (
        "repos/create-commit-status",
        lambda r: r.create_status("benchmarks", SHA, "success", "No change", "https://example.org/run"),
    ),
    "dispatch": (
        "actions/create-workflow-dispatch",
        lambda r: r.dispatch("run-benchmarks.yml", "main", {"git_sha": SHA}),
    ),
    "jobs": ("actions/list-jobs-for-workflow-run", lambda r: r.jobs(30433642)),
    "me": ("users/get-authenticated", lambda r: r.me()),
    "permission": ("repos/get-collaborator-permission-level", lambda r: r.permission("octocat")),
    "pull_request": ("pulls/get", lambda r: r.pull_request(1347)),
    "run": ("actions/get-workflow-run", lambda r: r.run(30433642)),
    "runs": (
        "actions/list-workflow-runs",
        lambda r: first(r.runs("run-benchmarks.yml", since=LONG_AGO, status="queued")),
    ),
    "tags": ("repos/list-tags", lambda r: first(r.tags())),
    "update_check": ("checks/update", lambda r: r.update_check(4, status="completed", conclusion="success")),
    "update_comment": ("issues/update-comment", lambda r: r.update_comment(1, "text")),
}
PATHS = (
    r"/user|/repos/\{owner\}/\{repo\}/(commits(/\{ref\}(/check-runs)?)?|compare/\{basehead\}|tags|check-runs(/\{check_run_id\})?|statuses/\{sha\}"
    r"|pulls/\{pull_number\}|issues(/\{issue_number\}(/comments)?)?|issues/comments/\{comment_id\}"
    r"|collaborators/\{username\}/permission|actions/(runs/\{run_id\}(/jobs)?"
    r"|workflows/\{workflow_id\}/(runs|dispatches)))"
)


def first(found: Iterator[Any]) -> list[Any]:
    return list(islice(found, 1))


def last_page(response: httpx.Response) -> None:
    """Remove the link to the next page, which names another server in the examples."""
    response.headers.pop("link", None)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return part_of(description(), PATHS)


@pytest.fixture(scope="module")
def url(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with checking_server(document, tmp_path_factory.mktemp("github")) as address:
        yield address


@pytest.fixture(scope="module")
def seen() -> list[tuple[str, str]]:
    return []


@pytest.fixture(scope="module")
def repository(url: str, seen: list[tuple[str, str]]) -> Iterator[Repository]:
    hooks: dict[str, list[Callable[..., Any]]] = {
        "request": [lambda request: seen.append((request.method.lower(), request.url.path))],
        "response": [last_page],
    }
    with GitHub("x", base_url=url, clock=Clock(), deadline_seconds=5, client=httpx.Client(event_hooks=hooks)) as github:
        yield Repository(github, "octocat/Hello-World")


class TestCalls:
    """Every call matches the description of GitHub, and the client parses the example answer."""

    def test_no_call_is_forgotten(self) -> None:
        methods = {name for name, _ in inspect.getmembers(Repository, inspect.isfunction) if not name.startswith("_")}
        assert methods == set(CALLS)

    @pytest.mark.parametrize("name", CALLS)
    def test_it_is_as_described(
        self, name: str, repository: Repository, document: dict[str, Any], seen: list[tuple[str, str]]
    ) -> None:
        operation, call = CALLS[name]
        seen.clear()
        answer = call(repository)
        assert answer is not None
        assert answer != []
        assert operation_of(document, *seen[-1]) == operation

    def test_a_request_that_does_not_fit_is_refused(self, repository: Repository) -> None:
        with pytest.raises(GitHubError, match="422"):
            repository.create_check("benchmarks", SHA, status="no such status")


def operation_of(document: dict[str, Any], method: str, path: str) -> str:
    """Return the operation of a request."""
    for template, item in document["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method in item:
            return str(item[method]["operationId"])
    return "none"
