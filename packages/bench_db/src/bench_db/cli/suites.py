"""`bench-db suites`: what bench-db.toml measures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from bench_db.cli import output_file
from bench_db.cli.options import common, emit


@click.command("suites")
@click.option("--config", "config_file", metavar="FILE", default="bench-db.toml", show_default=True)
@click.option(
    "--kind", "kinds", type=click.Choice(["rust", "python", "other"]), multiple=True, help="Only suites of this kind."
)
@click.option("--only", metavar="NAMES", help="Only these, separated by commas; empty for all.")
@common
def command(
    config_file: str,
    kinds: tuple[str, ...],
    only: str | None,
    uri: str | None,  # noqa: ARG001 every verb has --store
    output: str,
) -> None:
    """Show the suites of bench-db.toml; in a workflow, give them to the next job as outputs.

    Example: bench-db suites --kind rust --output json
    """
    from bench_db.schedule.config import load

    names = tuple(name.strip() for name in (only or "").split(",") if name.strip())
    config = load(Path(config_file))
    found = [
        {"name": name, "kind": suite.kind, "artifact": artifact_of(name, suite.kind)}
        for name, suite in config.suites(names).items()
        if not kinds or suite.kind in kinds
    ]
    artifact = found[0]["artifact"] if len(found) == 1 else ""
    outputs = {"suites": json.dumps(found), "artifact": artifact, "repository": config.project.repository}
    output_file.write(outputs, os.environ)
    emit(output, found, lambda: "\n".join(f"{suite['name']}  ({suite['kind']})" for suite in found) or "no suite")


def artifact_of(name: str, kind: str) -> str:
    """What the results of a suite are called as a file of a run: pr-results-rust-rust-lance-io for rust/lance-io."""
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in name)
    return f"pr-results-{kind}" if name == kind else f"pr-results-{kind}-{safe}"
