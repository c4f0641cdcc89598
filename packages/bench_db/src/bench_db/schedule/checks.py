"""One check of each name on a commit, changed in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.errors import GitHubError, UserError
from bench_db.schedule.git import is_sha

if TYPE_CHECKING:
    from bench_db.schedule.records import CheckRun
    from bench_db.schedule.repository import Repository

_LONGEST = 65_535
_FORBIDDEN = 403


def put(  # noqa: PLR0913 where, which, and what it says
    repository: Repository, sha: str, name: str, *, conclusion: str, title: str, summary: str
) -> CheckRun:
    """The check that now says so: ours of this name on the commit, if there is one, else a new one.

    `conclusion` is success, failure or neutral, `summary` Markdown, cut where GitHub takes no more.
    """
    if not is_sha(sha):
        message = f"{sha[:50]!r} is not a full commit id, and checks stand on nothing else"
        raise UserError(message)
    output = {"title": title, "summary": summary.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")}
    for check in repository.checks(sha, name):
        try:
            return repository.update_check(check.id, status="completed", conclusion=conclusion, output=output)
        except GitHubError as error:
            if error.status != _FORBIDDEN:  # another app's: only who made a check may change it
                raise
    return repository.create_check(name, sha, status="completed", conclusion=conclusion, output=output)
