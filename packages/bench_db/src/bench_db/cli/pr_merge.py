"""`bench-db pr merge`: stores that jobs left behind, merged into one."""

from __future__ import annotations

from pathlib import Path

import click

from bench_db.cli.options import common, emit
from bench_db.errors import UserError


@click.command("merge")
@click.argument("results_dir", type=click.Path(file_okay=False, exists=True))
@click.argument("target", metavar="OUTPUT")
@common
def command(results_dir: str, target: str, uri: str | None, output: str) -> None:  # noqa: ARG001 every verb has --store
    """Merge the stores in the sub-directories of a directory into the store OUTPUT. Doing it again adds nothing.

    Example: bench-db pr merge ./downloaded-artifacts s3://bucket/benchmarks
    """
    if not target:
        message = "OUTPUT is empty: where do the results go? In a workflow, is the secret with the store's address set?"
        raise UserError(message)
    found = stores_in(Path(results_dir))
    rows, new = merged(found, target)
    text = f"Found {len(found)} Lance tables to merge\nMerged {rows} rows into {target} ({new} new)"
    emit(
        output,
        {"stores": len(found), "rows": rows, "new": new},
        lambda: text if found else "Found 0 Lance tables to merge",
    )


def stores_in(directory: Path) -> list[Path]:
    """The stores a directory holds: itself, or its sub-directories, in the order of their names."""
    found = sorted(path.parent for path in directory.glob("*/results.lance"))
    return ([directory] if (directory / "results.lance").is_dir() else []) + found


def merged(sources: list[Path], target: str) -> tuple[int, int]:
    """Results read and results added, after merging all that the sources hold into the target; none makes no store."""
    from bench_db.cli.transfer import refuse_missing
    from bench_db.store.database import connect

    rows = new = 0
    for source in sources:
        done = connect(source).copy_to(connect(target, create=True))
        refuse_missing(str(source), done.missing)
        rows += done.tables["results"].rows
        new += done.tables["results"].new
    return rows, new
