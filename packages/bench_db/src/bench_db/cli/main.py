"""The command tree, and how an error becomes one line and an exit code."""

from __future__ import annotations

import sys
import warnings
from functools import partial
from importlib import import_module
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import click

from bench_db.errors import BenchDbError, NewerStoreWarning, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

# One module a verb; a module is imported when its verb runs, and help texts stand here so that --help imports none.
VERBS = {
    "demo": "Publish shipped real measurements and show what bench_db makes of them.",
    "publish": "Publish the output of benchmark tools, once, whatever happens.",
    "has": "Say whether a commit has been measured.",
    "latest": "Show the newest result of every series.",
    "trend": "Show the history of a benchmark, oldest commit first.",
    "summary": "Show statistics of every series over its history.",
    "query": "Run SQL over the results.",
    "compare": "Compare a candidate with a baseline, series by series.",
    "detect": "Find the change points of a benchmark.",
    "scan": "Find the change points of all series and keep them as findings.",
    "noise": "Show how noisy each series is, and what it can show.",
    "baseline": "Set, show, list and clear what candidates are compared with.",
    "check": "Gate: compare with the named baseline, and move it when all is well.",
    "finding": "List findings, bless, ignore or reopen them.",
    "site": "Write a static site of findings, series and histories.",
    "schedule": "Start the measuring of every commit since the last measured one.",
    "backfill": "Measure a history, here or on GitHub.",
    "bisect": "Find the commit that changed a benchmark, by measuring.",
    "suites": "Show what bench-db.toml measures.",
    "pr": "Benchmark pull requests: understand comments, merge results, answer.",
    "store": "Make, inspect and care for the store; copy, export and import it.",
    "artifact": "Keep files beside the results: logs, profiles, raw output.",
    "doctor": "Check the installation, the store and the way to it.",
}

EPILOG = """Exit codes: 0 done, 1 a regression was found (or a commit is not there), 2 wrong usage or unreadable input,
3 store or network unavailable, 4 store corrupt, 70 a defect of bench_db."""
_DEFECT = 70


class Verbs(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        """Verbs in the order of a first visit."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 click's signature
        """The command of a verb, or None for a word that is not one."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"bench_db.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of verbs, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
@click.version_option(package_name="bench-db", message="%(version)s")
def root() -> None:
    """Know whether software got faster or slower: a warehouse for benchmark results, in a directory or a bucket.

    Example: bench-db publish results.json && bench-db latest
    """


def main() -> None:
    """Run the command line; every expected failure is one line on stderr and an exit code of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", NewerStoreWarning)
        shown = warnings.showwarning
        warnings.showwarning = partial(_warn, shown)
        sys.exit(_exit_code())


def _warn(otherwise: Callable[..., None], message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Print a warning of ours as one line on stderr, and any other as Python does."""
    if issubclass(category, NewerStoreWarning):
        click.echo(f"bench-db: {message}", err=True)
    else:
        otherwise(message, category, *where)


def _exit_code() -> int:  # noqa: PLR0911 one return an error
    try:
        return root.main(prog_name="bench-db", standalone_mode=False) or 0
    except click.Abort:
        return 130
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BenchDbError as error:
        _report(error, str(error))
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _report(error, f"{place}{error.strerror or error}")
        return UserError.exit_code
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 a defect, or a panic in a library: Python would end with 1, which says regression
        click.echo("".join(format_exception(error)), err=True, nl=False)
        click.echo("bench-db: this is a defect of bench_db; please report it with the lines above", err=True)
        return _DEFECT


def _report(error: Exception, text: str) -> None:
    """One line on stderr, after the traceback for who asked for it: the exit code is the same either way."""
    if "--debug" in sys.argv:
        click.echo("".join(format_exception(error)), err=True, nl=False)
    click.echo(f"bench-db: {' '.join(text.split())}", err=True)


if __name__ == "__main__":
    main()
