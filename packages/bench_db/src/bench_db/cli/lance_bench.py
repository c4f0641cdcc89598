"""The scripts of lance-bench with their names, flags, messages and exit codes, over the verbs of bench-db."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench_db.ci.environment import ci_change, ci_provenance
from bench_db.cli.flags import as_flags
from bench_db.cli.main import root
from bench_db.cli.options import default_uri, option
from bench_db.compat.scripts import translated
from bench_db.errors import BenchDbError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn


def run_script(name: str) -> NoReturn:
    """Run a script as its verb and exit; wrong flags are exit code 2, any other failure 1."""
    arguments, token = translated(name, sys.argv[1:])
    if token is not None:
        os.environ["GITHUB_TOKEN"] = token
    sys.exit(exit_code(arguments))


def exit_code(arguments: Sequence[str], run: Callable[..., int | None] = root.main) -> int:
    """Run a verb as one of these scripts and return its exit code."""
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


def publish_script(
    format_name: str, kind: str, *, dut_name: str = "lance", from_file: bool = False, argument: str = "json_path"
) -> NoReturn:
    """Run one script and exit: 0 published, 1 nothing to publish or unreadable, 2 wrong usage.

    `from_file` says that version and time may come from the file; other formats name neither, so the flags are required.
    """

    @click.command(help=f"Publish {kind} results to the database at LANCE_BENCH_URI.")
    @click.argument(argument, metavar=argument.upper(), type=click.Path(path_type=Path))
    @option("--test-bed-name", default=None, help="Name of the test bed; otherwise as the file or this machine says.")
    @click.option("--dut-name", default=dut_name, show_default=True, help="Name of the device under test.")
    @click.option("--dut-version", required=not from_file, help="Version, such as 0.15.0+abc1234.")
    @click.option("--dut-timestamp", type=int, required=not from_file, help="Commit time in unix seconds.")
    def script(
        test_bed_name: str | None, dut_name: str, dut_version: str | None, dut_timestamp: int | None, **path: Path
    ) -> None:
        stated = {"test_bed_name": test_bed_name, "dut_name": dut_name, "dut_version": dut_version}
        _publish(path[argument], format_name, kind, dut_timestamp=dut_timestamp, **stated)

    try:
        script(standalone_mode=True)
    except BenchDbError as error:
        click.echo(f"Error: {error}", err=True)
    sys.exit(1)


def _publish(path: Path, format_name: str, kind: str, **stated: str | int | None) -> None:
    from bench_db.app.publish import publish
    from bench_db.ingest import Provenance, parse

    if not path.is_file():
        click.echo(f"Error: File not found: {path}", err=True)
        sys.exit(1)
    click.echo(f"Parsing {kind} results from {path}...")
    provenance = Provenance(**{**ci_provenance(), "change": ci_change(), **stated})
    run, results = parse(path, format_name, provenance=provenance)
    _require_build(run.dut.version, run.dut.timestamp)
    click.echo(f"Found {len(results)} benchmark results")
    for note in run.notes:
        click.echo(note, err=True)
    if not results:
        click.echo("No benchmark results found in the input file", err=True)
        sys.exit(1)
    uri = default_uri()
    click.echo(f"Uploading results to LanceDB at {uri}...")
    publish(uri, path, format=format_name, provenance=provenance)
    click.echo(f"Successfully uploaded {len(results)} benchmark results to {uri}")


def _require_build(version: str, timestamp: int) -> None:
    for what, known, flag in (
        ("version", version != "unknown", "--dut-version"),
        ("timestamp", bool(timestamp), "--dut-timestamp"),
    ):
        if not known:
            message = f"DUT {what} could not be determined. Please provide {flag} or ensure commit_info is in the JSON."
            raise BenchDbError(message)
