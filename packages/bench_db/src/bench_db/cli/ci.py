"""`bench-db ci`: one job of CI, from the measurement to the verdict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bench_db.cli.comparing import REGRESSION_FOUND
from bench_db.cli.options import common, emit, option, screen
from bench_db.cli.pairs import text
from bench_db.cli.progress import leave_when_asked, progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.app.ci_job import CiJob
    from bench_db.app.gate import Gate

_EITHER = ["regression", "suspected", "failed", "missing", "insufficient", "undecided", "nothing"]


@click.command("ci")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--format", "format_name", default="auto", show_default=True, help="The format of the files.")
@click.option(
    "--suite", "suites", metavar="NAME", multiple=True, help="Measure only this suite; or the suite of the files."
)
@click.option("--config", "config_file", metavar="FILE", help="What to measure. [default: bench-db.toml]")
@option(
    "--test-bed-name",
    metavar="NAME",
    help="Where it was measured. [default: as bench-db.toml, the file or this machine]",
)
@click.option(
    "--dut-name", metavar="NAME", help="What was measured, for files. [default: as bench-db.toml or the checkout]"
)
@click.option(
    "--checkout", metavar="DIR", help="The checkout of the measured source. [default: . and for files that around each]"
)
@click.option(
    "--mode",
    type=click.Choice(["history", "pairs"]),
    default="history",
    show_default=True,
    help="Compare one run of a pull request with the history, or measure it in alternation with its merge base on this machine. "
    "Other commits are compared with the history.",
)
@click.option(
    "--confirm",
    type=click.Choice(["off", "same", "fresh"]),
    help="Measure again what got worse than the history, in pairs, before the job fails, as for check. [default: as bench-db.toml, else off]",
)
@click.option(
    "--baseline", metavar="WHAT", help="As for compare. [default: of a pull request its merge base, else level]"
)
@click.option("--fail-on", type=click.Choice(_EITHER), multiple=True, help="Exit with 1 when a series has this verdict; may be repeated. "
              "[default: regression, failed]")  # fmt: skip
@click.option(
    "--scan", "with_scan", is_flag=True, help="Scan the main history, too: a new finding that got worse fails."
)
@click.option("--no-comment", is_flag=True, help="Write no comment to the pull request.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the report here, as Markdown.")
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    format_name: str,
    suites: tuple[str, ...],
    config_file: str | None,
    test_bed_name: str | None,
    dut_name: str | None,
    checkout: str | None,
    mode: Literal["history", "pairs"],
    confirm: Literal["off", "same", "fresh"] | None,
    baseline: str | None,
    fail_on: tuple[str, ...],
    report: Path | None,
    uri: str | None,
    output: str,
    *,
    with_scan: bool,
    no_comment: bool,
) -> None:
    """Publish PATHs, or measure the suites of bench-db.toml, at the commit of the checkout; compare, report and gate.

    The store must be named: by --store or BENCH_DB_URI. In GitHub Actions the report is on the page of the run, and in a comment on
    the pull request when GITHUB_TOKEN may write one; the outputs of the step are verdict (success, failure or neutral), passed,
    title, report, counts and the number of each verdict. The exit code is 1 when the commit fails.

    Example: bench-db ci --store s3://my-benchmarks/lance --report report.md
    """
    from bench_db.app.ci_job import FAIL_ON, ci_job

    leave_when_asked()
    with progress_bar("benchmarks") as progress:
        done = ci_job(
            uri or os.environ.get("BENCH_DB_URI") or "",
            *paths,
            format=format_name,
            checkout=checkout,
            dut_name=dut_name,
            test_bed_name=test_bed_name,
            suites=suites,
            config_file=config_file,
            mode=mode,
            confirm=confirm,
            baseline=baseline,
            fail_on=[word for word in fail_on or FAIL_ON if word != "nothing"],
            with_scan=with_scan,
            with_comment=not no_comment,
            environment=os.environ,
            progress=progress,
        )
    _hand_over(done, report)
    emit(output, lambda: done.document, lambda: _text(done))
    ctx.exit(0 if done.passed else REGRESSION_FOUND)


def _hand_over(done: CiJob, report: Path | None) -> None:
    """Write the report to a file and to the page of the run, and the outputs of the step."""
    import json

    from bench_db.cli import output_file
    from bench_db.model import PairVerdict, Verdict

    if report is not None:
        report.write_text(done.report, encoding="utf-8")
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(done.report)
    outputs = {"verdict": str(done.verdict), "passed": str(done.passed).lower(), "title": done.title}
    numbers = {str(verdict): str(done.counts.get(verdict, 0)) for verdict in (*Verdict, PairVerdict.UNDECIDED)}
    where = {"report": "" if report is None else str(report.resolve()), "counts": json.dumps(done.counts)}
    output_file.write({**outputs, **where, **numbers, "alarms": str(len(done.alarms))}, os.environ)


def _text(done: CiJob) -> str:
    from bench_db.report.text import visible

    head = f"{'PASSED' if done.passed else 'FAILED'}: {done.title}"
    listed = [text(done.paired)] if done.paired else list(_compared(done.compared)) if done.compared else []
    found = [f"{len(done.alarms)} new findings: bench-db finding list --state open"] if done.alarms else []
    return "\n".join([head, *listed, *found, *map(visible, done.notes)])


def _compared(compared: Gate) -> Iterator[str]:
    from bench_db.report.pairs import confirmed_text
    from bench_db.report.terminal import against, comparisons_text

    listed = comparisons_text(compared.comparisons, compared.counts, blame=compared.blame, screen=screen())
    yield f"{against(compared.candidate, compared.baseline)}: {listed}"
    if compared.confirmed:
        yield confirmed_text(compared.confirmed, screen())
