"""`bench-db noise`: the noise of each series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench_db.cli.options import ENGINE, emit_found, open_store, reading, reason, screen, selecting, selection
from bench_db.cli.ruled import ruled

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.cli.options import Stated


@click.command("noise")
@ENGINE
@selecting()
@reading
@ruled
def command(uri: str | None, output: str, as_of: str | None, engine: str | None, **conditions: Unpack[Stated]) -> None:
    """Show the spread between runs of each series, the smallest change one more run can show, and the runs that {noise_effect} would take.

    Example: bench-db noise --test-bed-name ci-1
    """
    from bench_db.app.noise import noise
    from bench_db.report.detected import noise_text

    store, chosen = open_store(uri), selection(**conditions)
    found = noise(store, as_of=as_of, engine=engine, selection=chosen)
    emit_found(
        output,
        lambda: found.document,
        lambda: noise_text(found.noise, screen()),
        found=bool(found.noise),
        why=lambda: reason(store, chosen, as_of),
        history=lambda: found.history,
    )
