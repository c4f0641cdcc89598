"""`bench-db frontier`: the configurations that no other is better than in two metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench_db.cli.options import emit, open_store, reading, screen, selecting, selection

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.cli.options import Stated


@click.command("frontier")
@click.option("--x", metavar="METRIC", required=True, help="One metric, such as latency.")
@click.option("--y", metavar="METRIC", required=True, help="The other one, such as throughput.")
@click.option("--by", metavar="PARTS", default="dut_name,test_bed_name", show_default=True,
              help="The parts of a group, with commas: tags, suite, commit and others.")  # fmt: skip
@click.option("--at", metavar="METRIC=VALUE",
              help="Interpolate the other metric where this one has a value, such as latency=50ms.")  # fmt: skip
@selecting(without="metric")
@reading
def command(
    x: str, y: str, by: str, at: str | None, uri: str | None, output: str, as_of: str | None, **stated: Unpack[Stated]
) -> None:
    """Show the configurations that no other of their group is better than in two metrics, and values between them.

    A point is the newest result of a benchmark, its tags, device and test bed. Groups are never mixed. The directions are those of
    the metrics; `define better` states one. Between points the value is interpolated monotonically, and there is none beyond the ends.
    A plain number is in the stored unit: nanoseconds, bytes, a rate per second.

    Example: bench-db frontier --x latency --y throughput --by framework,precision --at latency=50ms
    """
    from bench_db.app.frontier import frontier
    from bench_db.report.frontier import frontier_text

    parts = [part.strip() for part in by.split(",") if part.strip()]
    found = frontier(open_store(uri), x, y, by=parts, at=at, as_of=as_of, selection=selection(**stated))
    document = found.document
    emit(
        output,
        document,
        lambda: frontier_text(document, found.points, found.values, screen()),
        history=lambda: found.history,
    )
