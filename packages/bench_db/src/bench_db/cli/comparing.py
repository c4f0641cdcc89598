"""Options and exit code that `compare` and `check` share."""

from __future__ import annotations

from pathlib import Path

import click

from bench_db.cli.options import PERCENT
from bench_db.rules import RULES

REGRESSION_FOUND = 1
"""Exit code of a comparison that fails."""

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
    help="A named baseline, a commit, version:V, run:ID, tag:NAME, last:N, merge-base:BRANCH, or level: the level since the last "
    "change before the candidate. [default: level]",
)
BASELINE_BRANCH = click.option("--baseline-branch", metavar="NAME", help="Use only runs of this branch as baseline.")
CLONE = click.option(
    "--clone",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    show_default=True,
    help="The local clone in which a merge base is looked up.",
)
MINIMUM_EFFECT = click.option(
    "--min-effect",
    type=PERCENT,
    metavar="PERCENT",
    help=f"Report smaller changes as unchanged: 2 or 2%, and 0.5% with the sign. [default: {100 * RULES.minimum_effect:g}]",
)
