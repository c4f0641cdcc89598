from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest

from bench_db.store.database import Database, connect
from bench_db.store.publish import Entry
from bench_db.store.tables import EXCLUSIONS_TABLE
from tests.store.workers import decide_until_killed, forks, publish_many_until_killed, publish_until_killed
from tests.strategies import publication
from tests.support.campaigns import rounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.few(1)

_ROWS = 20
_READY_SECONDS = 60
_KILLS = rounds("kills", 6, full=150)
_REPLACEMENTS = rounds("kills", 4, full=80)
_STREAMS = rounds("kills", 3, full=150)
_DECISIONS = rounds("kills", 3, full=150)


def _kill_one(uri: str, start: int, random: Random, work: Callable[..., None], **options: object) -> list[int]:
    """Let a process work from `start` on, kill it at a random moment; the numbers it said are in."""
    context = forks()
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=work, args=(theirs, uri, start), kwargs=options)
    child.start()
    theirs.close()
    acknowledged = []
    # its readiness, and in half of the cases a run that is in: however slow the machine, some are
    for _ in range(random.choice((1, 2))):
        assert ours.poll(_READY_SECONDS)
        acknowledged.append(ours.recv())
    time.sleep(random.uniform(0, 0.25))
    child.kill()
    child.join()
    assert child.exitcode == -9
    with suppress(EOFError):
        while True:
            acknowledged.append(ours.recv())
    ours.close()
    child.close()
    return [number for number in acknowledged if number >= 0]


def _rows_of_each_run(database: Database) -> Counter[int]:
    return Counter(database.scan(["dut_timestamp"]).collect()["dut_timestamp"].to_list())


@pytest.mark.campaign("kills")
class TestKilled:
    """kill -9 at any moment leaves a readable store without a part of a run, and publishing again completes it."""

    @pytest.mark.parametrize("maintaining", [False, True])
    def test_whole_runs_only_and_nothing_acknowledged_lost(self, tmp_path: Path, *, maintaining: bool) -> None:
        uri, random = str(tmp_path / "store"), Random(7)
        database = connect(uri, create=True)
        acknowledged: set[int] = set()
        for kill in range(_KILLS):
            acknowledged.update(_kill_one(uri, 50 * kill, random, publish_until_killed, maintaining=maintaining))
            found = _rows_of_each_run(connect(uri))
            assert set(found.values()) <= {_ROWS}
            assert {number + 1_700_000_000 for number in acknowledged} <= found.keys()
            assert connect(uri).latest().height in {0, _ROWS}
        assert acknowledged
        everything = [*sorted(acknowledged), *(50 * kill + next_one for kill in range(_KILLS) for next_one in range(3))]
        for number in sorted(set(everything)):
            run, results = publication(number, rows=_ROWS)
            database.publish(results, run)
        for number in {run - 1_700_000_000 for run in database.runs().collect()["dut_timestamp"]} - set(everything):
            run, results = publication(number, rows=_ROWS)
            database.publish(results, run)
        found = _rows_of_each_run(database)
        assert set(found.values()) == {_ROWS}
        assert Counter(database.runs().collect()["dut_timestamp"].to_list()) == dict.fromkeys(found, 1)
        assert not [problem for problem in database.verify().problems if not problem.harmless]

    @pytest.mark.slow
    def test_streams_of_runs(self, tmp_path: Path) -> None:
        uri, random = str(tmp_path / "store"), Random(13)
        database = connect(uri, create=True)
        acknowledged: set[int] = set()
        found: Counter[int] = Counter()
        for kill in range(_STREAMS):
            acknowledged.update(_kill_one(uri, 50 * kill, random, publish_many_until_killed))
            found = _rows_of_each_run(connect(uri))
            assert set(found.values()) <= {_ROWS}
            assert {number + 1_700_000_000 for number in acknowledged} <= found.keys()
        assert acknowledged
        begun = {time - 1_700_000_000 for time in database.runs().collect()["dut_timestamp"]}
        entries = (Entry(*publication(number, rows=_ROWS)) for number in sorted(begun))
        assert sum(done.new for done in database.publish_many(entries)) == _ROWS * len(begun) - found.total()
        assert set(_rows_of_each_run(database).values()) == {_ROWS}
        assert database.verify().sound

    @pytest.mark.slow
    def test_exclusions_and_definitions(self, tmp_path: Path) -> None:
        uri, random = str(tmp_path / "store"), Random(17)
        database = connect(uri, create=True)
        for number in range(3):
            run, results = publication(number)
            database.publish(results, run)
        acknowledged: set[int] = set()
        for kill in range(_DECISIONS):
            said = _kill_one(uri, 50 * kill, random, decide_until_killed)
            acknowledged.update(said)
            last = max(said, default=50 * kill - 1)
            reasons = Counter(connect(uri).exclusion_reasons().values())
            # the decision that was said last, or the next one; of all runs, or of none
            excluded = last if last % 2 == 0 else last + 1
            assert reasons in (Counter(), Counter({str(excluded): 3}))
            ledger = Counter(connect(uri)._engine.open(EXCLUSIONS_TABLE).read(("reason",))["reason"].to_pylist())
            assert {ledger[str(number)] for number in acknowledged} <= {3}
            defined = {definition.pattern for definition in connect(uri).definitions()}
            assert {str(number) for number in acknowledged} <= defined
        assert acknowledged
        assert database.verify().sound

    def test_a_killed_replacement_happened_or_did_not(self, tmp_path: Path) -> None:
        uri, random = str(tmp_path / "store"), Random(11)
        database = connect(uri, create=True)
        run, results = publication(0, rows=_ROWS, place="ci")
        database.publish(results, run)
        for kill in range(_REPLACEMENTS):
            _kill_one(uri, 1 + 50 * kill, random, publish_until_killed, maintaining=kill % 2 == 1, place="ci")
            assert list(_rows_of_each_run(connect(uri)).values()) == [_ROWS]
        run, results = publication(9999, rows=_ROWS, place="ci")
        database.publish(results, run, replace=True)
        assert _rows_of_each_run(database) == {1_700_009_999: _ROWS}
        assert "1.0.9999" in database.runs().collect()["dut_version"].to_list()
        assert database.verify().sound
