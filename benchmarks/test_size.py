"""Bytes on disk, and requests to a bucket."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from bench_db.query.selection import Selection
from bench_db.store.database import connect
from benchmarks.generate import ROWS_PER_COMMIT, benchmark_name, commit_sha, nth_test_bed
from benchmarks.stores import BUILDERS, bytes_on_disk
from tests.support.s3_server import s3_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import polars as pl

    from bench_db.store.database import Database
    from benchmarks.generate import History
    from benchmarks.side_by_side import SideBySide
    from benchmarks.stores import Shelf
    from tests.support.s3_server import S3Server


def test_disk(side_by_side: SideBySide, shelf: Shelf, rows: int) -> None:
    places = {kind: shelf.store(kind) for kind in BUILDERS if kind != "json" or rows <= 100_000}
    side_by_side.turns(partial(bytes_on_disk, places["bench_db"]), {}, rounds=1)
    sizes = {kind: bytes_on_disk(place) / rows for kind, place in places.items()}
    side_by_side.read_all("disk", sizes)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


def upload(server: S3Server, store: Path) -> str:
    """Upload the files of a store to a new bucket."""
    bucket, client = server.new_bucket(), server.client()
    for file in store.rglob("*"):
        if file.is_file():
            client.upload_file(str(file), bucket, f"store/{file.relative_to(store)}")
    return f"s3://{bucket}/store"


QUESTIONS: dict[str, Callable[[Database, str], pl.DataFrame]] = {
    "requests": lambda store, commit: store.scan(["benchmark_name", "median"], {"commit": commit}).collect(),
    "requests-latest": lambda store, _: store.latest(),
    "requests-trend": lambda store, _: store.trend(benchmark_name(17), Selection(test_bed_name=nth_test_bed(2).name)),
    "requests-summary": lambda store, _: store.summary(),
}


def test_requests(
    side_by_side: SideBySide, shelf: Shelf, history: History, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    uri, commit = upload(server, shelf.store("bench_db")), commit_sha(history.commits // 2)
    connect(uri).optimize()  # until then, readers compare the content of indexes that came with other ETags
    counted: dict[str, list[int]] = {line: [] for line in QUESTIONS}

    def ask_all() -> None:
        for line, question in QUESTIONS.items():
            server.reset_requests()
            rows = question(connect(uri), commit)
            counted[line].append(server.requests().total())
            assert rows.height == (history.commits if line == "requests-trend" else ROWS_PER_COMMIT)

    side_by_side.turns(ask_all, {}, rounds=3)
    for line, known in counted.items():
        side_by_side.read(line, max(known))
