"""GitHub as a forge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from bench_db.ci import bot
from bench_db.ci.environment import PUBLIC_API
from bench_db.ci.forge import CommentKind, Conclusion, Posted, RunStatus, Started, Workflow
from bench_db.ci.github import checks, comments, commits, dispatch
from bench_db.ci.github.client import GitHub
from bench_db.ci.github.repository import Repository
from bench_db.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench_db.clock import Clock
    from bench_db.model import Commit
    from bench_db.schedule.plan import Range


def connect(environment: Mapping[str, str], clock: Clock) -> GitHubForge:
    """Connect to GitHub with GITHUB_TOKEN (or GH_TOKEN), at GITHUB_API_URL. Raise `UserError` without a token."""
    token = environment.get("GITHUB_TOKEN") or environment.get("GH_TOKEN")
    if not token:
        message = "GITHUB_TOKEN is not set; docs/how-to/ci.md has the permissions that it needs"
        raise UserError(message)
    return GitHubForge(GitHub(token, base_url=environment.get("GITHUB_API_URL") or PUBLIC_API, clock=clock), clock)


class GitHubForge:
    """A connection to GitHub; repositories are named OWNER/NAME."""

    def __init__(self, github: GitHub, clock: Clock) -> None:
        self._github, self._clock = github, clock

    def __repr__(self) -> str:
        return f"GitHubForge({self._github!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._github.__exit__(*error)

    def commits(
        self, repository: str, chosen: Range, branch: str, *, is_measured: Callable[[str], bool], since: int | None
    ) -> list[Commit]:
        """Return the commits of a range along first parents, oldest first; `since` is in unix seconds."""
        date = None if since is None else f"{datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return commits.of_github(self._of(repository), chosen, branch, is_measured, date)

    def merge_base(self, repository: str, number: int, sha: str) -> Commit:
        """Return the commit where a pull request leaves its base branch."""
        return commits.merge_base(self._of(repository), number, sha)

    def may_start(self, repository: str, number: int, user: str) -> bool:
        """Return whether a user may write to the repository, or is the author of the pull request."""
        there = self._of(repository)
        permission, author = there.permission(user), there.pull_request(number).user
        login = author.login if author else None
        return bot.is_authorised(permission.permission, permission.role_name, user, login)

    def dispatch(self, workflow: Workflow, inputs: Mapping[str, str], correlation: str) -> Started:
        """Start a workflow and return its run."""
        return dispatch.start(self._of(workflow.repository), workflow, inputs, correlation, self._clock)

    def find(self, workflow: Workflow, correlation: str, since: int) -> Started | None:
        """Return the run of an earlier dispatch; None when there is none."""
        began = datetime.fromtimestamp(since, UTC)
        return dispatch.find(self._of(workflow.repository), workflow, correlation, began, self._clock)

    def in_flight(self, workflow: Workflow) -> frozenset[str]:
        """Return the commits whose runs have not ended and will publish."""
        return dispatch.commits_in_flight(self._of(workflow.repository), workflow.file)

    def attempts(self, workflow: Workflow, since: int) -> dict[tuple[str, str], int]:
        """Return the number of ended runs since a time, by commit and suite."""
        began = datetime.fromtimestamp(since, UTC)
        return dispatch.attempts_made(self._of(workflow.repository), workflow.file, began)

    def run(self, workflow: Workflow, run_id: int) -> RunStatus | None:
        """Return the status of a run, with the names of its failed jobs; None when the run does not exist."""
        there = self._of(workflow.repository)
        run = there.run(run_id)
        if run is None:
            return None
        is_success = run.conclusion == "success"
        detail = "" if is_success or not run.is_finished else _why(there, run_id, run.conclusion or "no conclusion")
        return RunStatus(status=run.status or "", is_finished=run.is_finished, is_success=is_success, detail=detail)

    def comment(
        self, repository: str, number: int, text: str, kind: CommentKind = CommentKind.REPORT, *, update: bool = True
    ) -> Posted:
        """Write a comment to a pull request."""
        done = comments.post(self._of(repository), number, text, kind, update=update)
        return Posted(id=done.id, url=done.html_url)

    def check(  # noqa: PLR0913 where, which, and what it shows
        self,
        repository: str,
        sha: str,
        name: str,
        *,
        conclusion: Conclusion,
        title: str,
        summary: str,
        url: str | None = None,
        as_status: bool = False,
    ) -> Posted:
        """Put a verdict on a commit as a check run, or as a commit status."""
        there = self._of(repository)
        if as_status:
            status = checks.put_status(there, sha, name, conclusion=conclusion, title=title, url=url)
            return Posted(id=status.id, url=status.url)
        done = checks.put(there, sha, name, conclusion=conclusion, title=title, summary=summary, url=url)
        return Posted(id=done.id, url=done.html_url or "")

    def _of(self, repository: str) -> Repository:
        return Repository(self._github, repository)


def _why(repository: Repository, run_id: int, conclusion: str) -> str:
    failed = [job.name for job in repository.jobs(run_id) if job.conclusion == "failure"]
    return f"{conclusion}: {', '.join(failed)}" if failed else conclusion
