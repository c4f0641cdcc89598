"""`bench-db annotate`: texts about commits, which charts show."""

from __future__ import annotations

from pathlib import Path

import click

from bench_db.cli.baseline import user
from bench_db.cli.options import common, emit, open_store, screen


@click.command("annotate")
@click.argument("commit")
@click.argument("text", default="")
@click.option("--dut-name", metavar="NAME", help="Only on charts of this device under test.")
@click.option("--clone", type=click.Path(path_type=Path), help="The clone that knows a branch or tag. [default: here]")
@click.option("--remove", is_flag=True, help="Take the annotation of COMMIT away.")
@common
def command(
    commit: str, text: str, dut_name: str | None, clone: Path | None, remove: bool, uri: str | None, output: str
) -> None:
    """Show TEXT at COMMIT on the charts of the site: a release, a new runner, another compiler.

    COMMIT is a sha of 7 digits or more, HEAD, a branch, a tag or tag:NAME. It has one annotation; another TEXT replaces it.
    `define list` shows annotations with the definitions.

    Example: bench-db annotate v1.2.0 "release 1.2"
    """
    from bench_db.app.definitions import annotate
    from bench_db.report.ledgers import definitions_text

    about = {"clone": clone, "dut_name": dut_name, "by": user(), "remove": remove}
    found = annotate(open_store(uri), commit, text, **about)  # type: ignore[arg-type]
    emit(output, lambda: found.document, lambda: definitions_text(found.definitions, screen(), found.faults))
