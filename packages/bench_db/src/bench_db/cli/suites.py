"""`bench-db suites`: what bench-db.toml measures."""

from __future__ import annotations

import json
import os

import click

from bench_db.cli.options import emit, storeless
from bench_db.cli.output_file import write


@click.command("suites")
@click.option("--config", "config_file", metavar="FILE", default="bench-db.toml", show_default=True)
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Only suites of this kind; may be repeated.")
@click.option("--other-than", "others", metavar="KIND", multiple=True, help="Only suites of other kinds than this one.")
@click.option("--only", metavar="NAMES", help="Only these, separated by commas; empty for all.")
@storeless
def command(
    config_file: str,
    kinds: tuple[str, ...],
    others: tuple[str, ...],
    only: str | None,
    output: str,
) -> None:
    """Show the suites of bench-db.toml; in a workflow, give them to the next job as outputs.

    Example: bench-db suites --kind rust --output json
    """
    from bench_db.app.suites import suites
    from bench_db.report.document import versioned

    found = suites(config_file, kinds=kinds, others=others, only=only or "")
    document = found.document
    artifact = found.suites[0].artifact if len(found.suites) == 1 else ""
    of_step = {"suites": json.dumps(document), "artifact": artifact}
    write({**of_step, "repository": found.repository, "confirm": found.confirm}, os.environ)
    emit(
        output,
        [versioned(suite) for suite in document],
        lambda: "\n".join(f"{suite.name}  ({suite.kind})" for suite in found.suites) or "no suite",
    )
