"""`bench-db publish`: raw output into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench_db.ci.environment import ci_change, ci_provenance
from bench_db.cli.options import SINGLE_WRITER, common, default_uri, emit, given_once, option, pairs
from bench_db.cli.progress import progress_bar
from bench_db.clock import unix_time
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.rules import RULES

if TYPE_CHECKING:
    from bench_db.ingest import Provenance
    from bench_db.units import Direction


@click.command("publish")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--format", "format_name", default="auto", show_default=True, help="The format, when it cannot be told by content."
)
@click.option("--formats", metavar="FILE", help="Formats of your own: a TOML file with tables [format.NAME]. [default: bench-db.toml]")  # fmt: skip
@option("--test-bed-name", metavar="NAME", help="Where it was measured; otherwise as the file or this machine says.")
@click.option(
    "--test-bed-cpu", metavar="MODEL", help="Its CPU, when the file was measured elsewhere and does not say it."
)
@click.option("--test-bed-memory-gb", type=click.IntRange(0), metavar="GIB", help="Its memory.")
@click.option("--test-bed-os", metavar="NAME", help='Its operating system, such as "Linux 6.1".')
@option("--test-bed-class", type=click.Choice(["machine", "name"]), default="machine", show_default=True,
        help="Tell test beds apart by CPU, memory and system too, or by name alone.")  # fmt: skip
@click.option("--dut-name", metavar="NAME", help="What was measured; otherwise as the checkout says.")
@click.option("--dut-version", metavar="V", help="Its version, such as 0.15.0+abc1234.")
@click.option("--dut-timestamp", metavar="TIME", help="The time of its commit: unix seconds or a date.")
@click.option("--commit", metavar="COMMIT", help="Its commit: a sha, or HEAD, a branch or a tag of the checkout.")
@click.option("--branch", help="The branch of its commit.")
@click.option("--commit-from", metavar="WHERE", help="Where each file says its commit: a JSON path ($.context.sha), or a pattern of its "
              "name with one group (-([0-9a-f]+)[.]json).")  # fmt: skip
@click.option("--dut-timestamp-from", metavar="WHERE", help="Where each file says the time of its commit.")
@click.option("--branch-from", metavar="WHERE", help="Where each file says its branch.")
@click.option("--pr", "pr_number", type=click.IntRange(1), metavar="N", help="The pull request it belongs to.")
@click.option("--suite", help="The suite of all results of these files.")
@click.option("--tag", "tags", metavar="K=V", multiple=True, help="A tag for every result; may be repeated.")
@click.option("--direction", "directions", metavar="[METRIC=]WAY", multiple=True,
              help="Which way is better, lower, higher or info, where the file does not say it; may be repeated.")  # fmt: skip
@click.option("--run-id", metavar="ID", help="Groups the files of one CI run [in GitHub Actions: its run id].")
@click.option("--attempt", type=click.IntRange(1), help="Which attempt of the CI run.")
@click.option("--checkout", metavar="DIR", help="Where the measured source is, when not around the file.")
@click.option("--replace", is_flag=True,
              help="Remove the earlier run of the same run id, file, device, commit, test bed and suite.")  # fmt: skip
@click.option("--keep-leftovers", is_flag=True, help="Store results whose samples are those of an earlier commit.")
@click.option("--keep-going", is_flag=True, help="Publish the readable files although others are not, and exit with 2.")
@click.option("--deadline", "deadline_seconds", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              default=RULES.input_seconds, show_default=True, help="How long a named pipe may have no writer.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Read and check everything, store nothing.")
@SINGLE_WRITER
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    format_name: str,
    uri: str | None,
    output: str,
    *,
    replace: bool,
    keep_leftovers: bool,
    keep_going: bool,
    deadline_seconds: float,
    formats: str | None,
    dry_run: bool,
    single_writer: bool,
    **stated: Any,
) -> None:
    """Publish files and directories of benchmark output. Publishing the same measurements again adds nothing.

    A Criterion directory (target/criterion) is one run, any other file is one; a directory of files publishes each; - is standard
    input. Files may be compressed with gzip, or UTF-16 as Windows PowerShell writes it. All files are read before the first is
    stored, so an unreadable one leaves the store as it was. After an interruption the same command continues.

    Example: bench-db publish results.json --test-bed-name ci-1 --suite python
    """
    from bench_db.app.publish import preview, publish
    from bench_db.report.publish import as_text

    files: dict[str, Any] = {"format": format_name, "provenance": _provenance(**stated)}
    files |= {"keep_going": keep_going, "deadline_seconds": deadline_seconds, "formats": formats}
    with progress_bar("publishing", phases=True) as progress:
        files["progress"] = progress
        if dry_run:
            done = preview(*paths, **files)
        else:
            to: dict[str, Any] = {"replace": replace, "keep_leftovers": keep_leftovers, "single_writer": single_writer}
            done = publish(uri or default_uri(), *paths, **to, **files)
    texts = (done.files, done.unreadable, done.passed_over)
    emit(output, lambda: done.document, lambda: as_text(*texts, dry_run=dry_run))
    ctx.exit(UnreadableOutputError.exit_code if done.unreadable else 0)


def _provenance(
    *,
    tags: tuple[str, ...],
    directions: tuple[str, ...],
    dut_timestamp: str | None,
    checkout: str | None,
    commit_from: str | None,
    dut_timestamp_from: str | None,
    branch_from: str | None,
    **stated: Any,
) -> Provenance:
    from bench_db.ingest import FactsFrom, Provenance

    sources = {"commit": commit_from, "branch": branch_from, "dut_timestamp": dut_timestamp_from}
    given = {name: value for name, value in stated.items() if value is not None}
    return Provenance(
        **{
            **ci_provenance(),
            "change": ci_change(),
            **given,
            "tags": pairs(tags),
            "directions": _directions(directions),
            "dut_timestamp": None if dut_timestamp is None else unix_time(dut_timestamp, "--dut-timestamp"),
            "facts_from": FactsFrom(**sources) if any(sources.values()) else None,
            "checkout": Path(checkout) if checkout else None,
        }
    )


def _directions(texts: tuple[str, ...]) -> dict[str, Direction]:
    from bench_db.units import Direction

    ways = {way.value: way for way in Direction}
    split = [text.rpartition("=") for text in texts]
    wrong = next((text for text, (_, _, way) in zip(texts, split, strict=True) if way not in ways), None)
    if wrong is not None:
        message = f"--direction {wrong}: written WAY or METRIC=WAY, and the way is {', '.join(ways)}"
        raise UserError(message)
    given = given_once("--direction", [(metric, way) for metric, _, way in split])
    return {metric: ways[way] for metric, way in given.items()}
