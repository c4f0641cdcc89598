"""`bench-db formats`: the formats, and what one of them makes of a file."""

from __future__ import annotations

import click

from bench_db.cli.options import emit, screen, storeless


@click.command("formats")
@click.option(
    "--try", "file", metavar="FILE", help="Show the results that a format makes of this file, and store nothing."
)
@click.option(
    "--format", "format_name", default="auto", show_default=True, help="The format, when it cannot be told by content."
)
@click.option(
    "--formats",
    metavar="DECLARED",
    help="Formats of your own: a TOML file with tables [format.NAME]. [default: bench-db.toml]",
)
@storeless
def command(file: str | None, format_name: str, formats: str | None, output: str) -> None:
    """List the formats, those that bench-db.toml declares first; with --try show what becomes of a file.

    Example: bench-db formats --try results.csv
    """
    from bench_db.app import formats as app
    from bench_db.report.formats import formats_text, tried_text

    if file is None:
        found = app.formats(formats)
        emit(output, lambda: found.document, lambda: formats_text(found.frame().rows(), screen()))
        return
    tried = app.try_format(file, format_name, formats=formats)
    parts = (tried.format.name, tried.results, tried.skipped, tried.notes)
    emit(output, lambda: tried.document, lambda: tried_text(*parts, screen()))
