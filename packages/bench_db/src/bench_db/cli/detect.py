"""`bench-db detect`: the change points of a benchmark."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import benchmark_names, emit, open_store, reading, screen, selecting, selection
from bench_db.cli.ruled import ruled

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.cli.options import StatedOfOne


@click.command("detect")
@click.argument("benchmark", shell_complete=benchmark_names)
@click.option(
    "--profile", type=click.Choice(["quiet", "default", "strict", "sensitive"]), default="default", show_default=True
)
@selecting(without="benchmark")
@reading
@ruled
def command(
    benchmark: str, uri: str | None, output: str, as_of: str | None, profile: str, **conditions: Unpack[StatedOfOne]
) -> None:
    """Find where the level of BENCHMARK (* and ? are wildcards) changes, in each of its series.

    A series needs {detection_runs} runs. A change is provisional until {provisional_runs} runs are at its level. Nothing is stored.

    Example: bench-db detect '*test_fib[5]'
    """
    from bench_db.app.scan import detect
    from bench_db.query.series import told_apart
    from bench_db.report.detected import changes_text

    store, chosen = open_store(uri), selection(benchmark=benchmark, **conditions)
    found = detect(store, profile=profile, as_of=as_of, selection=chosen)
    emit(
        output,
        lambda: found.document,
        lambda: changes_text(
            replace(found.histories, names=told_apart(found.histories.names, partial(store.machines, as_of=as_of))),
            found.findings,
            screen(),
        ),
        history=lambda: found.history,
    )
