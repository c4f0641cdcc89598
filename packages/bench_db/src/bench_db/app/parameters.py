"""The parameters of `schedule` and `backfill`, declared once: use cases take them, the command line derives flags from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 evaluated when flags are derived
from typing import Annotated, Literal, TypedDict

from bench_db.clock import Moment  # noqa: TC001 evaluated when flags are derived


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """The help of a parameter, its placeholder, the smallest number it takes, and its flag when that has another name."""

    help: str
    metavar: str | None = None
    least: int | None = None
    flag: str = ""


class Planning(TypedDict, total=False):
    """Which commits to measure, of what, and how many. The command line derives its flags from this declaration."""

    config_file: Annotated[
        str | None, Parameter(help="What to measure and how. [default: bench-db.toml]", metavar="FILE", flag="--config")
    ]
    range: Annotated[
        str | None,
        Parameter(
            help="NEW, ALL, EXISTING, TAGS, TAGS:v1.*, A..B, or commits. "
            "[default: backfill: ALL; schedule: as bench-db.toml, else NEW]",
            metavar="RANGE",
        ),
    ]
    clone: Annotated[Path | None, Parameter(help="Take the commits from this local clone.")]
    repository: Annotated[
        str | None, Parameter(help="Take the commits from this repository on the forge.", metavar="OWNER/NAME")
    ]
    branch: Annotated[str | None, Parameter(help="The branch whose commits are measured.")]
    suites: Annotated[tuple[str, ...], Parameter(help="Only this suite; may be repeated.", flag="--suite")]
    test_bed_name: Annotated[
        str | None, Parameter(help="The test bed that must have measured a commit.", metavar="NAME")
    ]
    since: Annotated[Moment | None, Parameter(help="Only commits of this date or later.", metavar="DATE")]
    until: Annotated[Moment | None, Parameter(help="Only commits of this date or earlier.", metavar="DATE")]
    steps: Annotated[
        int | None,
        Parameter(help="N commits evenly spread over the range, with both ends.", metavar="N", least=1),
    ]
    every: Annotated[
        int | None,
        Parameter(
            help="Every Nth commit, counted from the oldest measured one, else from the newest [env: COMMIT_INTERVAL].",
            metavar="N",
            least=1,
        ),
    ]
    date_period: Annotated[
        str | None,
        Parameter(
            help="One commit of each period, such as 12h, 1w or 1m: a measured one, else the newest.", metavar="PERIOD"
        ),
    ]
    max_commits: Annotated[
        int | None,
        Parameter(help="At most N steps [env: MAX_COMMITS; default: as bench-db.toml, else 10].", metavar="N", least=0),
    ]
    max_attempts: Annotated[
        int | None,
        Parameter(help="Give a commit up after N attempts. [default: as bench-db.toml, else 3]", metavar="N", least=1),
    ]
    skip_failed: Annotated[bool, Parameter(help="Do not try again what failed.")]
    retry_partial: Annotated[bool, Parameter(help="Try again what failed in part, too.")]
    order: Annotated[Literal["oldest", "newest", "bisect"] | None, Parameter(help="Which commit comes first.")]
    dry_run: Annotated[bool, Parameter(help="Only show the plan, with a reason for every commit.")]


class Dispatching(TypedDict, total=False):
    """The workflow that measures. The command line derives its flags from this declaration."""

    workflow: Annotated[
        str | None, Parameter(help="The workflow that measures. [default: run-benchmarks.yml]", metavar="FILE")
    ]
    workflow_repository: Annotated[
        str | None, Parameter(help="Where it is [env: LANCE_BENCH_REPO, GITHUB_REPOSITORY].", metavar="OWNER/NAME")
    ]
    ref: Annotated[str | None, Parameter(help="The branch of the workflow.")]


class Scheduling(Planning, Dispatching, total=False):
    """The commits to measure and the workflow that measures them."""


class Backfilling(Scheduling, total=False):
    """The commits to measure, the engine that measures them, and how it does that."""

    engine: Annotated[
        str | None, Parameter(help="local, or the name of a forge: github. [default: local]", metavar="ENGINE")
    ]
    work_dir: Annotated[
        str | None, Parameter(help="Work trees, logs and the journal. [default: .bench-db]", metavar="DIR")
    ]
    pr_number: Annotated[int | None, Parameter(help="Mark the results as those of a pull request.", flag="--pr")]
    keep_going: Annotated[bool, Parameter(help="Go on when the first commits all fail in set-up in the same way.")]
    parallel: Annotated[int | None, Parameter(help="With a forge: so many runs at once.", metavar="N", least=1)]
    timeout_minutes: Annotated[float | None, Parameter(help="With a forge: the timeout of one run.")]
    poll_seconds: Annotated[float | None, Parameter(help="With a forge: how often to look, in seconds. [default: 15]")]
