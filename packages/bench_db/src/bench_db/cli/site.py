"""`bench-db site`: the static site of a store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import COLLECTION, emit, open_collection, open_store, reading, selecting, selection
from bench_db.cli.progress import progress_bar

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.cli.options import Stated


@click.command("site")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--title", default="", help="What the pages are called. [default: the name of the project]")
@click.option("--commit-url", metavar="URL", default="", help="Where a commit is shown, with {commit} for its sha.")
@click.option(
    "--samples", type=click.IntRange(0), default=60, show_default=True, help="Newest points with raw samples."
)
@click.option(
    "--chart", multiple=True, metavar="GLOB", help="Write chart-KEY.svg of these benchmarks; may be repeated."
)
@COLLECTION
@selecting()
@reading
def command(
    out: Path,
    uri: str | None,
    output: str,
    as_of: str | None,
    title: str,
    commit_url: str,
    samples: int,
    chart: tuple[str, ...],
    collection: str | None,
    **given: Unpack[Stated],
) -> None:
    """Write a static site into OUT, which a browser opens as files or any web server serves; only what changed is written.

    With --collection, OUT lists the stores and has the site of each below OUT/stores. badge.svg has the state of the newest results, for a README. The KEY of a chart is the one in the address of the page of its series.

    Example: bench-db site public --commit-url 'https://github.com/me/project/commit/{commit}'
    """
    from functools import partial

    from bench_db.app.collection import write_site
    from bench_db.app.site import site
    from bench_db.report.quantity import quantity

    write = (
        partial(site, open_store(uri)) if collection is None else partial(write_site, open_collection(collection, uri))
    )
    with progress_bar("site", phases=True) as progress:
        done = write(
            out,
            title=title,
            commit_url=commit_url,
            samples=samples,
            charts=chart,
            as_of=as_of,
            selection=selection(**given),
            progress=progress,
        )
    emit(
        output,
        {"path": str(out), **asdict(done)},
        lambda: (
            f"{out / 'index.html'}: {done.files} files, {quantity(done.bytes, 'bytes')}; {done.written} written, {done.removed} removed"
        ),
    )
