"""The scripts of lance-bench by their names and flags: every failure is exit code 1, as it was there."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from bench_db.cli.flags import as_flags
from bench_db.cli.main import root
from bench_db.errors import BenchDbError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def schedule_benchmarks() -> None:
    """`schedule_benchmarks.py`, which has no flags."""
    _exit(["schedule", *sys.argv[1:]])


def backfill_benchmarks() -> None:
    """`backfill_benchmarks.py`, which has no flags; MAX_COMMITS, COMMIT_INTERVAL and LANCE_BENCH_URI are honoured."""
    _exit(["backfill", "--engine", "github", *sys.argv[1:]])


def merge_pr_results() -> None:
    """`merge_pr_results.py RESULTS_DIR OUTPUT`."""
    _exit(["pr", "merge", *sys.argv[1:]])


def post_pr_comment() -> None:
    """`post_pr_comment.py PR_NUMBER --repo ORG/REPO [--body | --body-file | stdin] [--token T] [--no-update]`."""
    arguments = sys.argv[1:]
    if "--token" in arguments[:-1]:
        at = arguments.index("--token")
        os.environ["GITHUB_TOKEN"] = arguments[at + 1]
        del arguments[at : at + 2]
    _exit(["pr", "comment", *arguments])


def process_pr_comment() -> None:
    """`process_pr_comment.py --payload-json JSON [--output command.json]`."""
    _exit(["pr", "process-comment", *("--command-file" if word == "--output" else word for word in sys.argv[1:])])


def compare_pr_benchmarks() -> None:
    """`compare_pr_benchmarks.py PR_SHA --pr-number N --local-results PATH [--baseline-limit 20] [--threshold 2.0] ... [--output FILE]`.

    The limits of the old method are accepted and unused: `bench-db compare --method lance-bench-z` has it.
    """
    unused = {"--baseline-limit", "--threshold", "--min-baseline-count"}
    renamed = {"--pr-number": "--pr", "--output": "--report"}
    words, arguments = iter(sys.argv[1:]), []
    for word in words:
        if word in unused:
            next(words, None)
        else:
            arguments.append(renamed.get(word, word))
    _exit(["pr", "compare", *arguments])


def _exit(arguments: Sequence[str]) -> None:
    sys.exit(exit_code(arguments))


def exit_code(arguments: Sequence[str], run: Callable[..., Any] = root.main) -> int:
    """Exit code of a verb run as one of these scripts; wrong flags are 2, any other failure 1."""
    try:
        return int(run(list(arguments), prog_name="bench-db", standalone_mode=False) or 0)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BenchDbError as error:
        click.echo(f"Error: {as_flags(' '.join(str(error).split()))}", err=True)
        return 1
    except (click.Abort, KeyboardInterrupt):
        return 1
