from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from bench_db.sinks import delta
from bench_db.sinks.address import Address
from bench_db.sinks.postgres import connected
from bench_db.sinks.sink import Column, Contents, Sink, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres_server import Postgres

TABLE = Table(
    name="results",
    key="run",
    columns=(
        Column(name="run", kind="int64"),
        Column(name="when", kind="time", about="It's when."),
        Column(name="values", kind="float64s"),
        Column(name="more", kind="json"),
        *(Column(name=name, kind="boolean") for name in ("main_history",)),
    ),
    about="Rows of this test.",
    time="when",
)
DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 2)]


@pytest.fixture(params=["PostgreSQL", "Delta"])
def sink(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """Yield an empty sink."""
    if request.param == "Delta":
        with delta.connected(f"delta:{tmp_path}", "a sink") as tables:
            tables.prepare([TABLE], "here", rebuild=False)
            yield tables
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    monkeypatch.setattr("bench_db.sinks.postgres.VIEWS", ())
    postgres.run('DROP SCHEMA IF EXISTS "a sink" CASCADE')
    with connected(Address(postgres.address()), "a sink", seconds=30) as opened:
        opened.prepare([TABLE], "here", rebuild=False)
        yield opened


def rows(*runs: int) -> Iterator[pa.RecordBatch]:
    """Yield a batch with two rows of each run."""
    for run in runs:
        yield pa.record_batch(
            {
                "run": pa.array([run, run], pa.int64()),
                "when": pa.array([DAYS[run], DAYS[run]], pa.timestamp("us", "UTC")),
                "values": pa.array([[1.0, float("nan"), float("inf")], None], pa.list_(pa.float64())),
                "more": pa.array(['{"a": [1, 2]}', None]),
                "main_history": pa.array([True, None]),
            }
        )


class TestSink:
    """What is put is what a sink has, until it is removed."""

    def test_replace(self, sink: Sink) -> None:
        assert sink.have(TABLE) == {}
        contents = {run: Contents(2, run - 1) for run in range(3)}
        assert sink.replace(TABLE, (), contents, rows(0, 1, 2))
        assert sink.have(TABLE) == contents
        assert sink.have(TABLE, exact=True) == contents
        assert sink.replace(TABLE, [0, 2, 99], {}, ())
        assert sink.have(TABLE) == {1: Contents(2, 0)}
        assert sink.replace(TABLE, [0, 1], {0: Contents(2, 7)}, rows(0))
        assert sink.have(TABLE, exact=True) == {0: Contents(2, 7)}

    def test_since(self, sink: Sink) -> None:
        sink.have(TABLE)
        sink.replace(TABLE, (), {run: Contents(2, run) for run in range(3)}, rows(0, 1, 2))
        assert sink.have(TABLE, since=DAYS[1]).keys() == {1, 2}
        assert sink.replace(TABLE, [0, 1], {0: Contents(2, 9), 1: Contents(2, 9)}, rows(0, 1))
        assert sink.have(TABLE) == {0: Contents(2, 9), 1: Contents(2, 9), 2: Contents(2, 2)}

    def test_nothing(self, sink: Sink) -> None:
        sink.have(TABLE)
        assert sink.replace(TABLE, (), {}, iter(()))
        assert sink.have(TABLE) == {}
