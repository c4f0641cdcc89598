"""One repository on GitHub: every call bench_db makes, with its record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from bench_db.ci.github import records
from bench_db.ci.github.records import (
    CheckRun,
    Comment,
    CommitRecord,
    Comparison,
    Dispatched,
    IssueRecord,
    Job,
    Permission,
    PullRequest,
    Status,
    Tag,
    WorkflowRun,
)
from bench_db.errors import GitHubError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from bench_db.ci.github.client import GitHub

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}/(?!\.{1,2}$)[\w.-]{1,100}", re.ASCII)
_UNPROCESSABLE, _NOT_FOUND = 422, 404


class Repository:
    """The repository `owner/name`. Every method raises `GitHubError` when GitHub refuses or does not answer."""

    def __init__(self, github: GitHub, full_name: str) -> None:
        if not _NAME.fullmatch(full_name):
            message = f"{full_name!r} is not a repository; write owner/name"
            raise UserError(message)
        self._github, self.full_name = github, full_name
        self._root = f"/repos/{full_name}"

    def __repr__(self) -> str:
        return f"Repository({self.full_name!r}, {self._github!r})"

    # -- commits -------------------------------------------------------------------------------------------------------

    def commits(self, branch: str, since: str | None = None, until: str | None = None) -> Iterator[CommitRecord]:
        """Yield commits of a branch, newest first; `since` and `until` have the form 2026-01-31T00:00:00Z."""
        for page in self._github.pages(
            f"{self._root}/commits", list[CommitRecord], sha=branch, since=since, until=until
        ):
            yield from page

    def commit(self, name: str) -> CommitRecord:
        """Return the commit of a sha, branch or tag."""
        return self._github.get(f"{self._root}/commits/{quote(name, safe='')}", CommitRecord)

    def tags(self) -> Iterator[Tag]:
        """Yield the tags, with their commits."""
        for page in self._github.pages(f"{self._root}/tags", list[Tag]):
            yield from page

    def compare(self, base: str, head: str) -> Comparison:
        """Compare `head` with `base`: their merge base and all commits in between, oldest first."""
        path = f"{self._root}/compare/{quote(base, safe='')}...{quote(head, safe='')}"
        pages = list(self._github.pages(path, Comparison))
        first = pages[0]
        return Comparison(
            status=first.status,
            ahead_by=first.ahead_by,
            behind_by=first.behind_by,
            total_commits=first.total_commits,
            merge_base_commit=first.merge_base_commit,
            commits=[commit for page in pages for commit in page.commits],
        )

    # -- workflows -----------------------------------------------------------------------------------------------------

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> Dispatched | None:
        """Start a workflow and return its run, or None where GitHub does not say (GitHub Enterprise, older API)."""
        document = {"ref": ref, "inputs": dict(inputs), "return_run_details": True}
        path = f"{self._root}/actions/workflows/{quote(workflow, safe='')}/dispatches"
        try:
            return self._github.send("POST", path, document, Dispatched | None)  # type: ignore[arg-type]
        except GitHubError as error:
            if error.status != _UNPROCESSABLE or "return_run_details" not in str(error):
                raise
        del document["return_run_details"]
        return self._github.send("POST", path, document, Dispatched | None)  # type: ignore[arg-type]

    def runs(self, workflow: str, *, since: datetime | None = None, status: str | None = None) -> Iterator[WorkflowRun]:
        """Yield dispatched runs of a workflow, newest first, created at `since` or later.

        GitHub's own `created` filter takes a search expression that its description of the API forbids; so it is not used.
        """
        path = f"{self._root}/actions/workflows/{quote(workflow, safe='')}/runs"
        for page in self._github.pages(path, records.WorkflowRuns, event="workflow_dispatch", status=status):
            for run in page.workflow_runs:
                if since is not None and run.created_at < since:
                    return
                yield run

    def run(self, run_id: int) -> WorkflowRun | None:
        """Return a run; None when it does not exist."""
        try:
            return self._github.get(f"{self._root}/actions/runs/{run_id}", WorkflowRun)
        except GitHubError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def jobs(self, run_id: int) -> list[Job]:
        """Return the jobs of a run's newest attempt."""
        pages = self._github.pages(f"{self._root}/actions/runs/{run_id}/jobs", records.Jobs)
        return [job for page in pages for job in page.jobs]

    # -- pull requests -------------------------------------------------------------------------------------------------

    def pull_request(self, number: int) -> PullRequest:
        """Return a pull request."""
        return self._github.get(f"{self._root}/pulls/{number}", PullRequest)

    def permission(self, user: str) -> Permission:
        """Return the permission of a user; a user who is no collaborator has the permission none."""
        try:
            return self._github.get(f"{self._root}/collaborators/{quote(user, safe='')}/permission", Permission)
        except GitHubError as error:
            if error.status == _NOT_FOUND:
                return Permission(permission="none")
            raise

    def comments(self, number: int) -> Iterator[Comment]:
        """Yield the comments of an issue or a pull request, oldest first."""
        for page in self._github.pages(f"{self._root}/issues/{number}/comments", list[Comment]):
            yield from page

    def create_comment(self, number: int, body: str) -> Comment:
        """Create a comment."""
        return self._github.send("POST", f"{self._root}/issues/{number}/comments", {"body": body}, Comment)

    def update_comment(self, comment_id: int, body: str) -> Comment:
        """Replace the text of a comment."""
        return self._github.send("PATCH", f"{self._root}/issues/comments/{comment_id}", {"body": body}, Comment)

    def issues(self, since: str) -> Iterator[IssueRecord]:
        """Yield issues and pull requests, open and closed, that changed at `since` (2026-01-31T00:00:00Z) or later."""
        query = {"state": "all", "since": since, "sort": "created", "direction": "asc"}
        for page in self._github.pages(f"{self._root}/issues", list[IssueRecord], **query):
            yield from page

    def create_issue(self, title: str, body: str) -> IssueRecord:
        """Create an issue."""
        return self._github.send("POST", f"{self._root}/issues", {"title": title, "body": body}, IssueRecord)

    def update_issue(self, number: int, **changes: str) -> IssueRecord:
        """Replace the title, body or state of an issue."""
        return self._github.send("PATCH", f"{self._root}/issues/{number}", changes, IssueRecord)

    def me(self) -> str | None:
        """Return the login of the token; None where the token of a workflow may not ask."""
        try:
            return self._github.get("/user", records.User).login
        except GitHubError as error:
            if error.status in {401, 403, 404}:
                return None
            raise

    # -- checks --------------------------------------------------------------------------------------------------------

    def checks(self, sha: str, name: str) -> Iterator[CheckRun]:
        """Yield the newest check of this name on a commit, one from each app."""
        path = f"{self._root}/commits/{quote(sha, safe='')}/check-runs"
        for page in self._github.pages(path, records.CheckRuns, check_name=name, filter="latest"):
            yield from page.check_runs

    def create_check(self, name: str, sha: str, **details: object) -> CheckRun:
        """Create a check on a commit; `details` are GitHub's: status, conclusion, output, details_url."""
        document = {"name": name, "head_sha": sha, **details}
        return self._github.send("POST", f"{self._root}/check-runs", document, CheckRun)

    def update_check(self, check_id: int, **details: object) -> CheckRun:
        """Replace the status, conclusion or output of a check."""
        return self._github.send("PATCH", f"{self._root}/check-runs/{check_id}", details, CheckRun)

    def create_status(self, name: str, sha: str, state: str, description: str, url: str | None = None) -> Status:
        """Create a status of a commit, in place of earlier ones of this name. The token need not be an app's."""
        document = {"context": name, "state": state, "description": description, "target_url": url}
        return self._github.send("POST", f"{self._root}/statuses/{quote(sha, safe='')}", document, Status)
