from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench_db.derive import derive
from bench_db.model import Samples
from bench_db.store import leftovers
from bench_db.store.database import connect
from bench_db.store.filters import condition
from bench_db.store.tables import FINGERPRINTS_TABLE, RESULTS_TABLE
from tests.strategies import commit_of, publication

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import Result, Run
    from bench_db.store.database import Database
    from bench_db.store.engine import Fragment, Snapshot

pytestmark = pytest.mark.few(1)

COUNTED = 3


def run_of(number: int, **change: object) -> tuple[Run, list[Result]]:
    """Return a run with enough samples for each result."""
    run, results = publication(number, samples_each=6)
    return run, [replace(result, **change) for result in results]  # type: ignore[arg-type]


def again(results: Sequence[Result], number: int, **change: object) -> tuple[Run, list[Result]]:
    """Return the first result, measured for another commit, beside fresh ones."""
    run, fresh = run_of(number)
    first = replace(fresh[0], values=results[0].values, summary=None, values_hash=None, units=results[0].units)
    return run, [replace(first, **change), *fresh[1:]]  # type: ignore[arg-type]


class TestFind:
    """A time with at least five different samples that equal those of another commit in the same series is a leftover."""

    @pytest.mark.parametrize("maintained", [False, True])
    @pytest.mark.parametrize("earlier", [1, 2, 3])
    def test_of_any_earlier_commit(self, database: Database, earlier: int, *, maintained: bool) -> None:
        for number in range(1, 4):
            run, results = run_of(number)
            database.publish(results, run)
            if maintained:
                database.optimize()
        run, results = again(run_of(earlier)[1], 9)
        done = database.publish(results, run)
        assert (done.new, done.skipped) == (2, {leftovers.REASON: 1})
        assert commit_of(earlier) in done.notes[0]

    def test_what_this_process_has_published_is_not_read_again(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[int] = []
        merged = leftovers._merged

        def counted(known: leftovers._Known, stored: Snapshot, fragments: list[Fragment]) -> leftovers._Known:
            read.append(len(fragments))
            return merged(known, stored, fragments)

        monkeypatch.setattr(leftovers, "_merged", counted)
        for number in range(1, 4):
            run, results = run_of(number)
            database.publish(results, run)
        run, results = again(run_of(3)[1], 9)
        assert (database.publish(results, run).skipped, read) == ({leftovers.REASON: 1}, [])

    def test_what_another_process_has_published_is_read(self, database: Database) -> None:
        for number, writer in ((1, database), (2, connect(database.uri)), (3, database)):
            run, results = run_of(number)
            writer.publish(results, run)
        run, results = again(run_of(2)[1], 9)
        assert database.publish(results, run).skipped == {leftovers.REASON: 1}

    @pytest.mark.parametrize(
        ("change", "count"),
        [
            ({"units": "bytes"}, 0),
            ({"units": "count"}, 0),
            ({"units": "recall"}, 0),
            ({"values": Samples([5.0] * 6)}, 0),
            ({"values": Samples([1.0, 2.0, 3.0, 4.0, 4.0])}, 0),
            ({"values": Samples([1.0, 2.0, 3.0, 4.0, 5.0])}, 1),
        ],
        ids=str,
    )
    def test_what_may_repeat_by_itself_is_none(self, database: Database, change: dict[str, object], count: int) -> None:
        run, results = run_of(1, **change)
        database.publish(results[:1], run)
        run, results = again(results, 2)
        assert database.publish(results, run).skipped.get(leftovers.REASON, 0) == count

    @pytest.mark.parametrize("change", [{"suite": "x"}, {"benchmark_name": "x"}, {"tags": {"a": "b"}}])
    def test_another_series_has_none(self, database: Database, change: dict[str, object]) -> None:
        run, results = run_of(1)
        database.publish(results, run)
        run, results = again(results, 2, **change)
        assert database.publish(results, run).new == COUNTED

    def test_the_same_commit_has_none(self, database: Database) -> None:
        run, results = run_of(1)
        database.publish(results, run)
        same = replace(results[0], commit=run.commit)
        extra = replace(results[1], benchmark_name="extra", values=Samples([1.0, 2.0]))
        assert database.publish([same, extra], replace(run, sha256="0" * 64)).new == 2

    def test_without_commits_the_version_is_compared(self, database: Database) -> None:
        for number, new in ((1, COUNTED), (2, 2)):
            run, results = again(run_of(1)[1], number) if number > 1 else run_of(1)
            bare = [replace(result, commit=None, dut=run.dut) for result in results]
            assert database.publish(bare, replace(run, commit=None)).new == new

    def test_an_excluded_run_has_none(self, database: Database) -> None:
        run, results = run_of(1)
        key = database.publish(results, run).run_key
        database.exclude([key], reason="wrong commit", lifted=False, at=1, by="me")
        other, _ = run_of(2)
        assert database.publish([replace(r, commit=other.commit, dut=other.dut) for r in results], other).new == COUNTED

    def test_nothing_is_left(self, database: Database) -> None:
        run, results = run_of(1)
        database.publish(results, run)
        other, _ = run_of(2)
        done = database.publish([replace(r, commit=other.commit, dut=other.dut) for r in results], other)
        assert (done.new, done.unchanged, done.skipped) == (0, 0, {leftovers.REASON: COUNTED})
        assert database.runs().collect().height == 1


class TestFingerprints:
    """The table is a cache: without it, or with one that covers other files, the answer is the same."""

    @pytest.fixture
    def maintained(self, database: Database) -> Database:
        for number in range(1, 4):
            run, results = run_of(number)
            database.publish(results, run)
            database.optimize()
        return database

    def _found(self, database: Database) -> int:
        _run, results = derive(*again(run_of(2)[1], 9))
        return len(leftovers.find(database._engine, database._engine.open(RESULTS_TABLE), results))

    @pytest.mark.slow
    def test_covers_every_file(self, maintained: Database) -> None:
        (known,), covered = leftovers._read(maintained._engine)
        assert covered == {fragment.file for fragment in maintained._engine.open(RESULTS_TABLE).fragments()}
        assert len(known) == 5  # of 9 rows, which share some samples
        assert (known[1:] > known[:-1]).all()

    @pytest.mark.slow
    def test_a_second_rebuild_writes_nothing(self, maintained: Database) -> None:
        before = maintained._engine.open(FINGERPRINTS_TABLE).version
        leftovers.rebuild(maintained._engine)
        assert maintained._engine.open(FINGERPRINTS_TABLE).version == before

    def test_without_it(self, maintained: Database) -> None:
        assert self._found(maintained) == 1
        maintained._engine.discard(FINGERPRINTS_TABLE)
        assert self._found(maintained) == 1

    @pytest.mark.slow
    def test_rows_that_are_gone_leave_it(self, maintained: Database) -> None:
        for number in (1, 3):
            maintained._engine.delete(RESULTS_TABLE, condition("commit", commit_of(number)))
        maintained._engine.delete(RESULTS_TABLE, condition("benchmark_name", "bench 2"))
        maintained.optimize()
        assert len(leftovers._read(maintained._engine).every()) == 2
        assert self._found(maintained) == 1

    @pytest.mark.parametrize("block", [1, 2, 4])
    def test_is_in_blocks(self, maintained: Database, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
        monkeypatch.setattr(leftovers, "_BLOCK", block)
        monkeypatch.setattr(leftovers, "_BLOCK_BYTES", 4 * block)
        maintained._engine.discard(FINGERPRINTS_TABLE)
        other = connect(maintained.uri)
        for number in (4, 5):
            run, results = run_of(number)
            other.publish(results, run)
        other.optimize()
        blocks = leftovers._read(other._engine).blocks
        assert len(blocks) == -(-len(leftovers._Known(blocks).every()) // block)
        assert [self._found(one) for one in (other, connect(other.uri))] == [1, 1]

    @pytest.mark.slow
    def test_a_fingerprint_is_no_proof(self, maintained: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        _run, results = derive(*run_of(8))
        monkeypatch.setattr(leftovers, "_contains", lambda _known, wanted: wanted == wanted)  # noqa: PLR0124
        assert leftovers.find(maintained._engine, maintained._engine.open(RESULTS_TABLE), results) == {}
