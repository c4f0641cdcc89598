from __future__ import annotations

import logging
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from bench_db.derive import derive
from bench_db.model import Samples, SummaryValues
from bench_db.store import known
from bench_db.store.database import Database, connect
from bench_db.store.engine import Engine, locate
from bench_db.store.filters import condition
from bench_db.store.tables import RESULTS_TABLE
from tests.store.workers import PROCESSES, Done, Job, race
from tests.store.workers import run as run_job
from tests.strategies import publication
from tests.support.campaigns import rounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import lance

    from bench_db.store.tables import Table

pytestmark = pytest.mark.sample(2)

# runs that are published at once, and how often a race of a few is repeated
_SAME, _DIFFERENT, _BESIDE = (rounds("races", few, full=3 * few) for few in (4, 32, 24))
_AT_ONCE = rounds("races", 12, full=80)
_CREATIONS, _REPLACEMENTS, _COMPLETIONS = (rounds("races", few, full=10 * few) for few in (2, 2, 2))
_LOG = logging.getLogger(__name__)


def _stored(uri: str) -> tuple[Counter[str], Counter[str]]:
    """How often each row and each run is there, by build and name."""
    database = connect(uri)
    rows = database.scan(["dut_version", "benchmark_name"]).collect()
    runs = database.runs().collect()
    return Counter(f"{version} {name}" for version, name in rows.rows()), Counter(runs["dut_version"].to_list())


def _expected(numbers: range | list[int], rows: int = 10) -> tuple[Counter[str], Counter[str]]:
    runs = [publication(number, rows=rows) for number in numbers]
    names = Counter(f"{run.dut.version} {result.benchmark_name}" for run, results in runs for result in results)
    return names, Counter(run.dut.version for run, _ in runs)


def _fine(done: list[Done]) -> None:
    seconds = [second for one in done for second in one.seconds]
    # shown by --log-level=INFO
    _LOG.info("p95 %.3f s, longest %.3f s of %d", quantiles(seconds, n=20)[-1], max(seconds), len(seconds))
    assert [error for one in done for error in one.errors] == []


@pytest.mark.alone
@pytest.mark.campaign("races")
class TestRaces:
    """Eight processes at once lose nothing, double nothing and see no error, whatever they race for."""

    def test_the_same_runs_from_no_store_at_all(self, pool: Any, place: tuple[str, dict[str, str]]) -> None:
        uri, environment = place
        numbers = tuple(range(_SAME))
        done = race(pool, [Job(uri=uri, numbers=numbers, environment=environment)] * PROCESSES)
        _fine(done)
        assert _stored(uri) == _expected(range(_SAME))
        assert sum(one.new for one in done) == 10 * _SAME

    @pytest.mark.slow
    def test_different_runs(self, pool: Any, place: tuple[str, dict[str, str]]) -> None:
        uri, environment = place
        shares = [tuple(range(first, _DIFFERENT, PROCESSES)) for first in range(PROCESSES)]
        done = race(pool, [Job(uri=uri, numbers=share, environment=environment) for share in shares])
        _fine(done)
        assert _stored(uri) == _expected(range(_DIFFERENT))
        assert sum(one.new for one in done) == 10 * _DIFFERENT

    @pytest.mark.slow
    def test_publishing_while_others_maintain(self, pool: Any, tmp_path: Path) -> None:
        uri = str(tmp_path / "store")
        publishers = [Job(uri=uri, numbers=tuple(range(first, _BESIDE, 6))) for first in range(6)]
        done = race(pool, [*publishers, *[Job(uri=uri, optimize_seconds=2)] * 2])
        _fine(done)
        assert _stored(uri) == _expected(range(_BESIDE))
        assert connect(uri).verify().sound

    def test_reading_while_others_publish_and_maintain(self, pool: Any, tmp_path: Path) -> None:
        """A reader waits for nobody: each answer is of whole runs, and has all that an earlier one had."""
        uri = str(tmp_path / "store")
        run, results = publication(0, rows=10)
        connect(uri, create=True).publish(results, run)
        publishers = [Job(uri=uri, numbers=tuple(range(1 + first, 1 + _BESIDE, 6))) for first in range(6)]
        done = pool.map_async(run_job, [*publishers, *[Job(uri=uri, optimize_seconds=2)] * 2], chunksize=1)
        kept, seen = connect(uri), [{0: 0}]
        while not done.ready():
            for reader in (kept, connect(uri)):
                found = Counter(reader.scan(["dut_timestamp"]).collect()["dut_timestamp"].to_list())
                assert set(found.values()) == {10}
                assert seen[-1].keys() - {0} <= found.keys()
                assert reader.latest().height == 10
                seen.append(dict(found))
        _fine(done.get())
        assert len({len(one) for one in seen[1:]}) > 1
        assert _stored(uri) == _expected(range(1 + _BESIDE))

    @pytest.mark.slow
    def test_creation_alone(self, pool: Any, tmp_path: Path) -> None:
        for attempt in range(_CREATIONS):
            uri = str(tmp_path / f"store-{attempt}")
            done = race(pool, [Job(uri=uri, numbers=(number,)) for number in range(PROCESSES)])
            _fine(done)
            assert _stored(uri) == _expected(range(PROCESSES))

    def test_a_table_born_while_we_looked_is_no_corrupt_one(self, tmp_path: Path) -> None:
        uri = tmp_path / "store"

        class LateLook(Engine):
            """An engine between whose look and whose next step another process publishes."""

            def _has_leftovers(self, table: Table) -> bool:
                run, results = publication(1)
                connect(uri, create=True).publish(results, run)
                return super()._has_leftovers(table)

        assert LateLook(locate(uri), None).open(RESULTS_TABLE).dataset.count_rows() == 3

    def test_a_table_born_after_the_listing(self, tmp_path: Path) -> None:
        uri = tmp_path / "store"

        class LateListing(Engine):
            """An engine between whose listing and whose next step another process publishes."""

            def _directories(self) -> list[str]:
                listed = super()._directories()
                run, results = publication(1)
                connect(uri, create=True).publish(results, run)
                return listed

        run, results = publication(2)
        Database(LateListing(locate(uri), None)).publish(results, run)
        assert _stored(str(uri)) == _expected([1, 2], rows=3)


@pytest.mark.alone
@pytest.mark.campaign("races")
class TestEveryWriter:
    """Publishing one by one and many at once, replacing, excluding and defining at once: each has its effect, once."""

    def test_at_once(self, pool: Any, place: tuple[str, dict[str, str]]) -> None:
        uri, environment = place
        numbers, excluded = tuple(range(_AT_ONCE)), tuple(range(0, _AT_ONCE, 3))
        names = tuple(f"bench {row}" for row in range(6))
        replacements = [tuple(range(first, 1000 + _AT_ONCE // 2, 2)) for first in (1000, 1001)]
        publishing = [
            Job(uri=uri, numbers=numbers, environment=environment),
            Job(uri=uri, numbers=numbers[::-1], environment=environment),
            Job(uri=uri, numbers=numbers, many=True, environment=environment),
            Job(uri=uri, numbers=numbers[::-1], many=True, environment=environment),
        ]
        others = [
            Job(uri=uri, numbers=replacements[0], place="ci", replace=True, environment=environment),
            Job(uri=uri, numbers=replacements[1], place="ci", replace=True, many=True, environment=environment),
            Job(uri=uri, excluded=excluded, environment=environment),
            Job(uri=uri, defined=names, environment=environment),
        ]
        done = race(pool, [*publishing, *others])
        _fine(done)
        rows, runs = _stored(uri)
        last = {run for run in runs if int(run.rpartition(".")[2]) >= 1000}
        assert len(last) == 1
        assert (rows, runs) == _expected([*numbers, *(int(run.rpartition(".")[2]) for run in last)])
        assert sum(one.new for one in done[: len(publishing)]) == 10 * _AT_ONCE
        database = connect(uri)
        keys = {number: derive(*publication(number, rows=10))[0].run_key for number in excluded}
        assert database.exclusion_reasons() == {key: "race" for number, key in keys.items() if number % 2 == 0}
        assert sorted(record.pattern for record in database.definitions()) == sorted(names)
        assert len(database.commits()) == _AT_ONCE + 1
        assert database.verify().sound


class TestCreation:
    """A process that creates a table while another one does so takes no rows of the other away."""

    def test_rows_that_came_before_the_late_creation_stay(
        self, place: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uri, _ = place
        late = connect(uri, create=True)
        write = late._engine.write

        def batches(table: Table) -> Iterator[pa.RecordBatch]:
            none = pa.RecordBatch.from_pylist([], table.schema)
            yield none
            # Lance reads the second batch after it has looked for the table and before it commits.
            connect(uri).put_artifact(b"early", kind="log", name="early.log", added_at=1)
            yield none

        def write_late(table: Table, _rows: object, mode: str) -> lance.LanceDataset:
            return write(table, pa.RecordBatchReader.from_batches(table.schema, batches(table)), mode)

        monkeypatch.setattr(late._engine, "write", write_late)
        late.put_artifact(b"late", kind="log", name="late.log", added_at=2)
        assert [artifact.name for artifact in connect(uri).artifacts()] == ["early.log", "late.log"]


@pytest.mark.alone
@pytest.mark.campaign("races")
class TestReplacing:
    """Of several replacements of one run at once, exactly one is left, whole, and as if they had come one by one."""

    @pytest.mark.slow
    @pytest.mark.parametrize("existing", [True, False])
    def test_the_same_replacement(self, pool: Any, tmp_path: Path, *, existing: bool) -> None:
        for attempt in range(_REPLACEMENTS):
            uri = str(tmp_path / f"store-{attempt}")
            if existing:
                _publish(uri, 100)
            done = race(pool, [Job(uri=uri, numbers=(1,), place="ci", replace=True)] * PROCESSES)
            assert [error for one in done for error in one.errors] == []
            assert _stored(uri) == _expected([1])

    def test_replacing_and_publishing_the_same_run(self, pool: Any, tmp_path: Path) -> None:
        for attempt in range(_REPLACEMENTS):
            uri = str(tmp_path / f"store-{attempt}")
            _publish(uri, 100)
            jobs = [Job(uri=uri, numbers=(1,), place="ci", replace=number % 2 == 0) for number in range(PROCESSES)]
            done = race(pool, jobs)
            assert [error for one in done for error in one.errors] == []
            rows, runs = _stored(uri)
            assert set(rows.values()) == set(runs.values()) == {1}
            assert _expected([1])[0].keys() <= rows.keys()

    @pytest.mark.slow
    def test_different_replacements(self, pool: Any, tmp_path: Path) -> None:
        for attempt in range(_REPLACEMENTS):
            uri = str(tmp_path / f"store-{attempt}")
            _publish(uri, 100)
            jobs = [Job(uri=uri, numbers=(number,), place="ci", replace=True) for number in range(PROCESSES)]
            done = race(pool, jobs)
            assert [error for one in done for error in one.errors] == []
            rows, runs = _stored(uri)
            left = {row.split()[0] for row in rows}
            assert len(left) == 1
            assert rows == _expected([int(left.pop().rpartition(".")[2])])[0]
            assert set(runs.values()) == {1}
            assert connect(uri).verify().sound


@pytest.mark.alone
@pytest.mark.campaign("races")
class TestCompleting:
    """A run that is there in part, or without its samples, is completed once however many processes do so at once."""

    @pytest.mark.parametrize("missing", [1, 9])
    def test_a_run_with_rows_missing(self, pool: Any, tmp_path: Path, missing: int) -> None:
        for attempt in range(_COMPLETIONS):
            uri = str(tmp_path / f"store-{attempt}")
            _publish(uri, 1)
            lost = condition("benchmark_name", [f"bench {row}" for row in range(missing)])
            connect(uri)._engine.delete(RESULTS_TABLE, lost)
            done = race(pool, [Job(uri=uri, numbers=(1,), place="ci")] * PROCESSES)
            assert [error for one in done for error in one.errors] == []
            assert _stored(uri) == _expected([1])
            assert sum(one.new for one in done) >= missing
            assert connect(uri).verify().sound

    @pytest.mark.slow
    def test_files_with_and_without_samples(self, pool: Any, tmp_path: Path) -> None:
        for attempt in range(_COMPLETIONS):
            uri = str(tmp_path / f"store-{attempt}")
            jobs = [Job(uri=uri, numbers=(1, 2), stated=number % 2 == 0) for number in range(PROCESSES)]
            done = race(pool, jobs)
            assert [error for one in done for error in one.errors] == []
            assert _stored(uri) == _expected([1, 2])
            assert {len(result.values) for result in connect(uri).results()} == {3}
            assert connect(uri).verify().sound


class TestEquivalent:
    """Of two files that say the same, published at once, one remains, and its publisher alone says that it added rows."""

    def test_one_remains(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        uri = str(tmp_path / "store")
        connect(uri, create=True)
        found = known.find_each
        local = threading.local()

        def unrelated() -> None:
            local.racing = False
            _publish(uri, 5)
            local.racing = True

        both_looked, both_wrote = threading.Barrier(2, action=unrelated), threading.Barrier(2)

        def looked(*given: Any, but_own: bool = False) -> Any:
            answer = None if but_own else found(*given)
            if getattr(local, "racing", False):
                (both_wrote if but_own else both_looked).wait(30)
            return found(*given, but_own=True) if but_own else answer

        def publish(mean: float) -> int:
            run, results = publication(1, rows=1)
            summary = SummaryValues(min=1.0, median=2.0, max=3.0, mean=mean)
            stated = [replace(result, values=Samples(), summary=summary, n=5, values_hash=None) for result in results]
            local.racing = True
            return connect(uri).publish(stated, replace(run, sha256=f"{mean}")).new

        monkeypatch.setattr(known, "find_each", looked)
        with ThreadPoolExecutor(2) as two:
            new = list(two.map(publish, [2.0, 2.004]))
        monkeypatch.undo()
        assert sorted(new) == [0, 1]
        rows, runs = _stored(uri)
        assert (rows["1.0.1 bench 0"], runs["1.0.1"]) == (1, 1)
        assert connect(uri).verify().sound


def _publish(uri: str, number: int) -> None:
    run, results = publication(number, rows=10, place="ci")
    connect(uri, create=True).publish(results, run)
