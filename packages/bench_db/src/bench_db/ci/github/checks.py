"""The verdict on a commit as GitHub shows it: one check of each name, updated in place, or a commit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.errors import GitHubError, UserError
from bench_db.identity import is_full_sha

if TYPE_CHECKING:
    from bench_db.ci.github.records import CheckRun, Status
    from bench_db.ci.github.repository import Repository

_LONGEST, _LONGEST_STATUS = 65_535, 140
_FORBIDDEN = 403


def put(  # noqa: PLR0913 where, which, and what it says
    repository: Repository, sha: str, name: str, *, conclusion: str, title: str, summary: str, url: str | None = None
) -> CheckRun:
    """Update our check of this name on a commit, or create one.

    `conclusion` is success, failure or neutral, `summary` Markdown, cut where GitHub takes no more, `url` its details.
    """
    _whole(sha)
    output = {"title": title, "summary": summary.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")}
    said = {"status": "completed", "conclusion": conclusion, "output": output, **({"details_url": url} if url else {})}
    for check in repository.checks(sha, name):
        try:
            return repository.update_check(check.id, **said)
        except GitHubError as error:
            if error.status != _FORBIDDEN:  # the check of another app: only the app that created it may change it
                raise
    return repository.create_check(name, sha, **said)


def put_status(  # noqa: PLR0913 where, which, and what it says
    repository: Repository, sha: str, name: str, *, conclusion: str, title: str, url: str | None = None
) -> Status:
    """Create a commit status, of which GitHub shows the newest of each name. Neutral counts as success."""
    _whole(sha)
    state = "failure" if conclusion == "failure" else "success"
    return repository.create_status(name, sha, state, title[:_LONGEST_STATUS], url)


def _whole(sha: str) -> None:
    if not is_full_sha(sha):
        message = f"{sha[:50]!r} is not a full commit id; a verdict needs the 40 digits"
        raise UserError(message)
