from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bench_db import Selection
from bench_db.query.series import COLUMNS, newest
from bench_db.store import maintain, rollup
from bench_db.store.database import connect
from bench_db.store.engine import Snapshot
from bench_db.store.tables import RESULTS_TABLE, SERIES_TABLE
from tests.strategies import publication
from tests.support.campaigns import examples, sized

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from bench_db.store.database import Database

pytestmark = pytest.mark.few(1)

_ORDER = ("benchmark_name", "test_bed_name", "series_key")


def _scanned(database: Database, selection: Selection | None = None, as_of: int | None = None) -> pl.DataFrame:
    """The newest rows by reading every row."""
    rows = database.rows((*COLUMNS, "commit_order"), selection or Selection(), as_of)
    return newest(rows).sort(*_ORDER).select(COLUMNS)


def _latest(database: Database, selection: Selection | None = None, as_of: int | None = None) -> pl.DataFrame:
    return database.latest(selection or Selection(), as_of=as_of).select(COLUMNS)


class _Sequences(RuleBasedStateMachine):
    """Any sequence of publishing, replacing and maintaining, asked for the newest rows after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.database = connect(self.directory / "store", create=True)
        self.patch = pytest.MonkeyPatch()

    @rule(
        number=st.integers(0, 9),
        rows=st.integers(1, 3),
        commit_time=st.integers(0, 3),
        place=st.sampled_from(["", "a", "b"]),
    )
    def publish(self, number: int, rows: int, commit_time: int, place: str) -> None:
        run, results = publication(number, rows=rows, commit_time=commit_time, place=place)
        self.database.publish(results, run)

    @rule(
        number=st.integers(0, 9),
        rows=st.integers(1, 3),
        commit_time=st.integers(0, 3),
        place=st.sampled_from(["a", "b"]),
    )
    def replace(self, number: int, rows: int, commit_time: int, place: str) -> None:
        run, results = publication(number, rows=rows, commit_time=commit_time, place=place)
        self.database.publish(results, run, replace=True)

    @rule(rows=st.integers(1, 5))
    def read_so_many_rows_at_once(self, rows: int) -> None:
        self.patch.setattr(rollup, "ROWS_PER_FRAGMENT", rows)

    @rule(checked=st.booleans())
    def optimize(self, *, checked: bool) -> None:
        maintain.optimize(self.database._engine, checked=checked)

    @invariant()
    def the_newest_rows_are_those_of_a_full_scan(self) -> None:
        assert _latest(self.database).equals(_scanned(self.database))

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.directory)


@pytest.mark.campaign("clocks")
class TestSequences(_Sequences.TestCase):  # type: ignore[misc, valid-type]
    """After any sequence of publish, replace and optimize, latest through the rollup is latest from a full scan."""

    settings = settings(sized("clocks", 5, full=100), stateful_step_count=10)


def _publish(database: Database, numbers: Iterable[int]) -> None:
    for number in numbers:
        run, results = publication(number)
        database.publish(results, run)


class TestRebuild:
    """A maintenance after publishes reads their rows and not all others, unless a row is gone."""

    def test_newer_rows_alone(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        _publish(database, range(3))
        maintain.optimize(database._engine)
        with monkeypatch.context() as patch:
            patch.setattr(rollup, "_newest_of", None)  # reads all results
            for first in (3, 6, 9):  # Lance joins rows that have an index with others when these have one, too
                _publish(database, range(first, first + 3))
                maintain.optimize(database._engine)
        assert [fragment.rows for fragment in database._engine.open(RESULTS_TABLE).fragments()] != [9] * 4
        assert _latest(database).equals(_scanned(database))
        assert database.verify().problems == ()

    @pytest.mark.parametrize("gone", ["run", "row", "all"])
    def test_rows_that_are_gone(self, database: Database, gone: str) -> None:
        _publish(database, range(4))
        engine = database._engine
        maintain.optimize(engine)
        earlier = engine.open(RESULTS_TABLE)
        newest = database.results()[-1]
        if gone == "run":
            database.remove_runs([newest.run_key])
        else:
            engine.delete(RESULTS_TABLE, f"id = '{newest.id}'" if gone == "row" else "true")
        engine.compact(RESULTS_TABLE, 1 << 20)
        rollup.rebuild(engine, database.history(), earlier)
        assert _latest(database).equals(_scanned(database))
        assert rollup.fault(engine, database.history()) == ("", True)

    def test_rows_that_are_measured_again(self, database: Database) -> None:
        """A row of the same run and series, with another value, is no row that was moved."""
        engine = database._engine
        for number in range(4):
            run, results = publication(number, place="a", commit_time=2)
            database.publish(results, run, replace=True)
            maintain.optimize(engine)
        assert _latest(database).equals(_scanned(database))
        assert rollup.fault(engine, database.history()) == ("", True)


class TestLatest:
    """The rollup makes reading faster, never different."""

    def test_small_files_are_read_together(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """As all files are of a store that has had no maintenance yet: a question for each of them takes five times as long."""
        _publish(database, range(4))
        read, groups = Snapshot.read, []

        def noted(self: Snapshot, *asked: Any, **how: Any) -> Any:
            groups.append(how.get("fragments"))
            return read(self, *asked, **how)

        monkeypatch.setattr(Snapshot, "read", noted)
        for most, parts in ((12, [4]), (6, [2, 2]), (1, [1, 1, 1, 1])):
            groups.clear()
            monkeypatch.setattr(rollup, "ROWS_PER_FRAGMENT", most)
            assert database.latest().height == 3
            assert [len(group) for group in groups if group] == parts

    @pytest.mark.slow
    def test_of_an_old_version(self, database: Database) -> None:
        for number in range(4):
            run, results = publication(number)
            database.publish(results, run)
            if number == 2:
                database.optimize()
        newest_version = database.info().tables[1].version
        for version in range(1, newest_version + 1):
            assert _latest(database, as_of=version).equals(_scanned(database, as_of=version))

    @pytest.mark.parametrize("maintained", [False, True])
    @pytest.mark.parametrize(
        "selection",
        [
            Selection(branch="dev"),
            Selection(branch="main"),
            Selection(until=1_700_000_001),
            Selection(since=1_700_000_002),
            Selection(benchmark="bench 1"),
            Selection(benchmark="bench*", branch="dev"),
            Selection(suite="suite", dut_name="engine"),
        ],
        ids=str,
    )
    def test_the_newest_of_what_was_asked_for(
        self, database: Database, selection: Selection, *, maintained: bool
    ) -> None:
        for number, branch in enumerate(["dev", "main", "dev", "main"]):
            run, results = publication(number, branch=branch)
            database.publish(results, run)
        if maintained:
            database.optimize()
        assert _scanned(database, selection).height > 0
        assert _latest(database, selection).equals(_scanned(database, selection))

    def test_published_after_the_rollup(self, database: Database) -> None:
        for number in (1, 3):
            run, results = publication(number, rows=2)
            database.publish(results, run)
        database.optimize()
        run, results = publication(2, rows=4)
        database.publish(results, run)
        assert database.latest()["dut_version"].to_list() == ["1.0.3", "1.0.3", "1.0.2", "1.0.2"]

    def test_without_the_data_of_the_results(self, database: Database) -> None:
        """No result is read for what the rollup has."""
        for number in range(4):
            run, results = publication(number)
            database.publish(results, run)
        database.optimize()
        expected = database.latest()
        shutil.rmtree(Path(database.uri) / RESULTS_TABLE.directory / "data")
        assert connect(database.uri).latest().equals(expected)
        assert expected.height == 3

    @pytest.mark.parametrize("damage", ["versions", "data", "all"])
    def test_a_lost_or_damaged_rollup_is_done_without(self, database: Database, damage: str) -> None:
        run, results = publication(1)
        database.publish(results, run)
        database.optimize()
        table = Path(database.uri) / SERIES_TABLE.directory
        if damage == "all":
            shutil.rmtree(table)
        elif damage == "versions":
            shutil.rmtree(table / "_versions")
        else:
            for file in (table / "data").iterdir():
                file.write_bytes(file.read_bytes()[:20])
        again = connect(database.uri)
        assert _latest(again).equals(_scanned(again))
        again.optimize()
        assert _latest(again).equals(_scanned(again))

    @given(st.lists(st.integers(0, 5), min_size=1, max_size=5))
    @examples("clocks", 4, full=100)
    def test_a_commit_published_late_does_not_become_the_newest(self, numbers: list[int]) -> None:
        with tempfile.TemporaryDirectory() as directory:
            database = connect(Path(directory) / "store", create=True)
            for number in numbers:
                run, results = publication(number, rows=1)
                database.publish(results, run)
            assert database.latest()["dut_version"].to_list() == [f"1.0.{max(numbers)}"]
