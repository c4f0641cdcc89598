"""The answers of GitHub as records: the fields that are used, under GitHub's names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

# A run in one of these states has not ended.
UNFINISHED = frozenset({"queued", "in_progress", "waiting", "requested", "pending"})


class User(Struct, frozen=True):
    """An account."""

    login: str


class Signature(Struct, frozen=True):
    """Who made a commit, and when."""

    date: datetime


class CommitText(Struct, frozen=True):
    """The part of a commit that git knows."""

    message: str
    committer: Signature | None


class Parent(Struct, frozen=True):
    """A parent of a commit."""

    sha: str


class CommitRecord(Struct, frozen=True):
    """A commit."""

    sha: str
    commit: CommitText
    parents: list[Parent] = []


class Tag(Struct, frozen=True):
    """A tag and the commit it names."""

    name: str
    commit: Parent


class Comparison(Struct, frozen=True):
    """How two commits relate."""

    status: str
    ahead_by: int
    behind_by: int
    total_commits: int
    merge_base_commit: CommitRecord
    commits: list[CommitRecord] = []


class Dispatched(Struct, frozen=True):
    """The run a dispatch started."""

    workflow_run_id: int
    html_url: str = ""


class WorkflowRun(Struct, frozen=True):
    """A run of a workflow; `display_title` is the workflow's run-name."""

    id: int
    status: str | None
    conclusion: str | None
    html_url: str
    event: str
    created_at: datetime
    display_title: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended, however."""
        return self.status not in UNFINISHED


class WorkflowRuns(Struct, frozen=True):
    """A page of runs."""

    workflow_runs: list[WorkflowRun]


class Job(Struct, frozen=True):
    """A job of a run."""

    id: int
    name: str
    status: str
    conclusion: str | None
    html_url: str | None = None


class Jobs(Struct, frozen=True):
    """A page of jobs."""

    jobs: list[Job]


class IssueRecord(Struct, frozen=True):
    """An issue, or a pull request, which GitHub lists among them."""

    number: int
    html_url: str = ""
    state: str = "open"
    body: str | None = None
    user: User | None = None
    pull_request: dict[str, Any] | None = None


class Comment(Struct, frozen=True):
    """A comment of an issue or a pull request; `user` is null when the account is gone."""

    id: int
    html_url: str
    user: User | None = None
    body: str | None = None


class Permission(Struct, frozen=True):
    """What a user may do: admin, write, read or none; `role_name` distinguishes maintain and triage."""

    permission: str
    role_name: str = ""


class Head(Struct, frozen=True):
    """One end of a pull request."""

    sha: str
    ref: str


class PullRequest(Struct, frozen=True):
    """A pull request."""

    number: int
    state: str
    head: Head
    base: Head
    user: User | None = None


class CheckRun(Struct, frozen=True):
    """A check on a commit."""

    id: int
    name: str
    status: str
    html_url: str | None = None
    conclusion: str | None = None


class CheckRuns(Struct, frozen=True):
    """A page of checks."""

    check_runs: list[CheckRun]


class Status(Struct, frozen=True):
    """A status of a commit."""

    id: int
    state: str
    context: str
    url: str = ""
