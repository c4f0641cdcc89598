"""The forge: what bench_db asks of a service that hosts repositories, runs workflows and shows pull requests.

A second forge is a package of its own. It implements `Forge`, and its entry point in the group `bench_db.forges` names a
function like `Connect`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self, cast

from bench_db import plugins
from bench_db.errors import UserError

if TYPE_CHECKING:
    from bench_db.clock import Clock
    from bench_db.model import Commit
    from bench_db.schedule.plan import Range


class CommentKind(StrEnum):
    """The purpose of a comment."""

    REPORT = "report"
    ACKNOWLEDGEMENT = "acknowledgement"
    REFUSAL = "refusal"


class Conclusion(StrEnum):
    """The conclusion of a check."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """The workflow that measures: its repository, file and ref, and the name of its correlation input (empty: none).

    `patience_seconds` is how long to look for the run of a dispatch.
    """

    repository: str
    file: str = "run-benchmarks.yml"
    ref: str = "main"
    correlation_input: str = "correlation_id"
    patience_seconds: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run that a dispatch started."""

    run_id: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """The status of a run in the words of the forge. `detail` says why a finished run did not succeed."""

    status: str
    is_finished: bool
    is_success: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A comment, check or issue that was created or updated."""

    id: int
    url: str = ""


class Forge(Protocol):
    """A connection to one forge. Every method raises `ForgeError` when the forge refuses or does not answer."""

    def __enter__(self) -> Self:
        """Return the connection."""

    def __exit__(self, *_: object) -> None:
        """Close the connection."""

    def commits(
        self, repository: str, chosen: Range, branch: str, *, is_measured: Callable[[str], bool], since: int | None
    ) -> list[Commit]:
        """Return the commits of a range along first parents, oldest first; `since` is in unix seconds.

        For NEW they reach a little past the newest measured commit, for ALL and EXISTING they are the whole branch.
        """

    def merge_base(self, repository: str, number: int, sha: str) -> Commit:
        """Return the commit where a pull request, whose newest commit is `sha`, leaves its base branch."""

    def may_start(self, repository: str, number: int, user: str) -> bool:
        """Return whether a user may start benchmarks of a pull request."""

    def dispatch(self, workflow: Workflow, inputs: Mapping[str, str], correlation: str) -> Started:
        """Start a workflow and return its run. Never guess: an unknown run raises `ForgeError`."""

    def find(self, workflow: Workflow, correlation: str, since: int) -> Started | None:
        """Return the run of an earlier dispatch, made at `since` (unix seconds) or later; None when there is none."""

    def in_flight(self, workflow: Workflow) -> frozenset[str]:
        """Return the commits whose runs have not ended and will publish."""

    def attempts(self, workflow: Workflow, since: int) -> dict[tuple[str, str], int]:
        """Return the number of ended runs since a time, by commit and suite; an empty suite counts for all suites."""

    def run(self, workflow: Workflow, run_id: int) -> RunStatus | None:
        """Return the status of a run; None when the run does not exist."""

    def comment(
        self, repository: str, number: int, text: str, kind: CommentKind = CommentKind.REPORT, *, update: bool = True
    ) -> Posted:
        """Write a comment to a pull request; with `update` in place of our earlier comment of the same kind."""

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
        """Put a verdict on a commit, in place of our earlier one of this name; `as_status` without the summary."""


Connect = Callable[[Mapping[str, str], "Clock"], Forge]
"""Connect to a forge. The environment holds the token and the address."""


def connect(name: str, environment: Mapping[str, str], clock: Clock) -> Forge:
    """Connect to the forge of a name. Raise `UserError` with the installed forges for an unknown name."""
    forges = plugins.load(plugins.FORGES, _connector, only=name)
    chosen = forges.get(name)
    if chosen is None:
        message = f"no forge {name!r}; installed: {', '.join(plugins.names(plugins.FORGES)) or 'none'}"
        raise UserError(message)
    return chosen(environment, clock)


def _connector(plugin: plugins.Plugin) -> Connect:
    return cast("Connect", plugins.callable_of(plugin))
