"""Options that `schedule` and `backfill` share."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

_POSITIVE = click.IntRange(1)
_OPTIONS = (
    click.option("--config", "config_file", metavar="FILE", help="What to measure and how. [default: bench-db.toml]"),
    click.option(
        "--range",
        "range_text",
        metavar="RANGE",
        help="NEW, ALL, EXISTING, TAGS, TAGS:v1.*, A..B, or commits. [default: backfill: ALL; schedule: as bench-db.toml, else NEW]",
    ),
    click.option("--clone", type=click.Path(file_okay=False), help="Take the commits from this local clone."),
    click.option("--repository", metavar="OWNER/NAME", help="Take the commits from this repository on GitHub."),
    click.option("--branch", help="The branch whose commits are measured."),
    click.option("--suite", "suites", multiple=True, help="Only this suite; may be repeated."),
    click.option("--testbed-name", metavar="NAME", help="The test bed that must have measured a commit."),
    click.option("--since", metavar="DATE", help="Only commits of this date or later."),
    click.option("--until", metavar="DATE", help="Only commits of this date or earlier."),
    click.option(
        "--steps", type=_POSITIVE, metavar="N", help="N commits evenly spread over the range, with both ends."
    ),
    click.option(
        "--every",
        type=_POSITIVE,
        metavar="N",
        help="Every Nth commit, counted from the oldest measured one, else from the newest [env: COMMIT_INTERVAL].",
    ),
    click.option(
        "--date-period",
        metavar="PERIOD",
        help="One commit of each period, such as 12h, 1w or 1m: a measured one, else the newest.",
    ),
    click.option(
        "--max-commits",
        type=click.IntRange(0),
        metavar="N",
        help="At most N steps [env: MAX_COMMITS; default: as bench-db.toml, else 10].",
    ),
    click.option(
        "--max-attempts",
        type=_POSITIVE,
        metavar="N",
        help="Give a commit up after N attempts. [default: as bench-db.toml, else 3]",
    ),
    click.option("--skip-failed", is_flag=True, help="Do not try again what failed."),
    click.option("--order", type=click.Choice(["oldest", "newest", "bisect"]), help="Which commit comes first."),
    click.option("--dry-run", is_flag=True, help="Only show the plan, with a reason for every commit."),
)


def planning(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose commits, passed on as keyword arguments for `Wanted`."""
    return reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), command)
