"""`bench-db site`: the static site of a store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench_db.cli.options import emit, open_store, reading, selecting, selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from bench_db.model import Finding
    from bench_db.query.selection import Selection
    from bench_db.report.site.contract import SiteContent
    from bench_db.store.database import Database


@click.command("site")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--title", default="Benchmarks", show_default=True, help="What the pages are called.")
@click.option("--commit-url", metavar="URL", default="", help="Where a commit is shown, with {commit} for its sha.")
@click.option(
    "--samples", type=click.IntRange(0), default=60, show_default=True, help="Newest points with raw samples."
)
@selecting()
@reading
def command(
    out: Path, uri: str | None, output: str, as_of: str | None, title: str, commit_url: str, samples: int, **given: Any
) -> None:
    """Write a static site into OUT, which a browser opens as files or any web server serves; only what changed is written.

    Example: bench-db site public --commit-url 'https://github.com/me/project/commit/{commit}'
    """
    from bench_db.analysis.histories import histories
    from bench_db.analysis.noise import noise
    from bench_db.app.tree import write_tree
    from bench_db.report.quantity import quantity
    from bench_db.report.site.build import site

    store, chosen = open_store(uri), selection(**given)
    content = site_content(
        store,
        chosen,
        as_of,
        title=title,
        commit_url=commit_url,
        samples=samples,
        findings=store.findings(),
        noise=noise(histories(store.points(chosen, as_of))),
    )
    done = write_tree(out, site(content))
    sizes = f"{done.files} files, {quantity(done.bytes, 'bytes')}; {done.written} written, {done.removed} removed"
    emit(output, {"path": str(out), **asdict(done)}, lambda: f"{out / 'index.html'}: {sizes}")


def site_content(
    store: Database,
    chosen: Selection,
    as_of: str | None,
    *,
    title: str,
    commit_url: str,
    samples: int,
    findings: Sequence[Finding] = (),
    noise: pl.DataFrame | None = None,
) -> SiteContent:
    """The chosen series of a store, read a shard at a time; `samples` is how many of the newest points show raw samples."""
    import polars as pl

    from bench_db.query.series import COLUMNS, IDENTITY, last_points, oldest_first
    from bench_db.report.site.contract import SiteContent, SiteMetadata
    from bench_db.store.filters import Between, Condition

    def points_of(keys: Sequence[int]) -> pl.DataFrame:
        where: dict[str, Condition] = {"series_key": list(keys)}
        rows = store.scan((*COLUMNS, "id"), where, as_of).filter(chosen.predicate()).collect()
        newest = last_points(oldest_first(rows.lazy()), samples).select("id", "dut_timestamp").collect()
        if newest.is_empty():
            return rows
        # samples are most of a store: only the stretch of time that shows them is read
        since = {"dut_timestamp": Between(low=newest.select(pl.col("dut_timestamp").min()).item())}
        held = store.scan(("id", "values"), where | since, as_of).collect().join(newest, on="id", how="semi")
        return rows.join(held, on="id", how="left", maintain_order="left")

    metadata = SiteMetadata(
        store=store.uri if "://" in store.uri else Path(store.uri).name,  # a directory's place is nobody's business
        version=as_of or "",
        generated_at=store.runs(as_of).select(pl.col("ingested_at").max()).collect().item() or 0,
        title=title,
        commit_url=commit_url,
    )
    given = {} if noise is None else {"noise": noise}
    series = store.latest(chosen, as_of).select(IDENTITY)
    return SiteContent(series=series, points_of=points_of, metadata=metadata, findings=findings, **given)
