"""Options that `compare`, `check` and `pr compare` share."""

from __future__ import annotations

from pathlib import Path

import click

METHOD = click.option(
    "--method",
    type=click.Choice(["runs", "lance-bench-t", "lance-bench-z"]),
    default="runs",
    show_default=True,
    help="The run-level comparison, or a method of lance-bench.",
)
BASELINE = click.option(
    "--baseline",
    metavar="WHAT",
    help="A named baseline, a commit, last:N, merge-base:BRANCH, or level, which is that since the last change, before the "
    "candidate. [default: level]",
)
BASELINE_BRANCH = click.option("--baseline-branch", metavar="NAME", help="As baseline, only runs of this branch.")
CLONE = click.option(
    "--clone",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    show_default=True,
    help="The local clone that knows a merge base.",
)
MINIMUM_EFFECT = click.option(
    "--min-effect", type=click.FloatRange(0), metavar="PERCENT", help="Smaller changes are no verdict. [default: 2]"
)
