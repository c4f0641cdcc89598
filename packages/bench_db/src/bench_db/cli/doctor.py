"""`bench-db doctor`: is everything as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench_db.cli.options import common, default_uri, emit

if TYPE_CHECKING:
    from bench_db.model import Check


@click.command("doctor")
@common
def command(uri: str | None, output: str) -> None:
    """Check the installation, the way to the store, and the store; exit code 3 when a check fails.

    On a bucket this proves, with an object of its own, that concurrent writers are kept apart.

    Example: bench-db doctor --store s3://my-bucket/benchmarks
    """
    from bench_db.app.doctor import doctor
    from bench_db.errors import StoreUnavailableError

    found = doctor(uri or default_uri())
    emit(output, found.document, lambda: "\n".join(map(_line, found.checks)))
    if not found.healthy:
        message = "not everything is well; the failed checks above say what to do"
        raise StoreUnavailableError(message)


def _line(check: Check) -> str:
    return f"{'ok    ' if check.passed else 'FAILED'}  {check.name}: {check.finding}"
