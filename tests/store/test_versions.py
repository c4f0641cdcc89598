from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from bench_db.errors import BenchDbError, UserError
from bench_db.model import Baseline
from bench_db.store import maintain
from bench_db.store.database import Database
from bench_db.store.engine import Engine, locate
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE
from tests.strategies import commit_of, publication

if TYPE_CHECKING:
    from bench_db.store.tables import Table
    from bench_db.store.versions import AsOf

pytestmark = pytest.mark.sample(8)

_ASK = """
import sys
from datetime import datetime
from bench_db.store.database import connect
database = connect(sys.argv[1])
print(database.scan(as_of=sys.argv[2]).collect().height)
"""


def _publish(database: Database, number: int) -> int:
    """The version of the results once the run is in."""
    run, results = publication(number)
    database.publish(results, run)
    return int(database._engine.open(RESULTS_TABLE).version)


class TestAsOf:
    """A version, a tag or a date names a state of the store, and every reading method shows that state."""

    def test_a_version(self, database: Database) -> None:
        versions = [_publish(database, number) for number in range(3)]
        for count, version in enumerate(versions, start=1):
            assert len(database.results(as_of=version)) == 3 * count
            assert len(database.results(as_of=str(version))) == 3 * count

    def test_a_tag(self, database: Database) -> None:
        _publish(database, 0)
        number = database.tag("release-1.0_its")
        _publish(database, 1)
        assert database.info().tags == {"release-1.0_its": number}
        assert len(database.results(as_of="release-1.0_its")) == 3

    def test_a_moment(self, database: Database) -> None:
        _publish(database, 0)
        time.sleep(0.05)
        between = datetime.now(UTC)
        time.sleep(0.05)
        _publish(database, 1)
        assert len(database.results(as_of=between)) == 3
        assert len(database.results(as_of=between.isoformat())) == 3
        assert len(database.results(as_of=between.astimezone(timezone(timedelta(hours=5, minutes=30))))) == 3
        assert len(database.results(as_of=datetime.now(UTC))) == 6

    def test_a_moment_without_a_zone_is_utc_however_it_is_given(self, database: Database) -> None:
        _publish(database, 0)
        naive = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=1)
        assert len(database.results(as_of=naive.isoformat())) == 3
        assert len(database.results(as_of=naive)) == 3

    def test_baselines_that_held_then(self, database: Database) -> None:
        now = int(time.time())
        first = _publish(database, 0)
        database.tag("first")
        [old] = database.runs().collect()["commit"]
        database.set_baseline(Baseline(name="main", commit=old, set_at=now - 100, set_by="ci"))
        second = _publish(database, 1)
        (new,) = set(database.runs().collect()["commit"]) - {old}
        database.set_baseline(Baseline(name="main", commit=new, set_at=now + 100, set_by="ci"))

        def held(as_of: AsOf | None) -> list[str | None]:
            return [pointer.commit for pointer in database.baselines(as_of=as_of)]

        assert held(None) == held(second) == held(str(second)) == [new]
        assert held(first) == held("first") == held(datetime.now(UTC)) == held(datetime.now(UTC).isoformat()) == [old]
        assert [b.commit for b in database.baselines(history=True, as_of=first)] == [old]
        assert [b.commit for b in database.baselines(history=True)] == [old, new]
        with pytest.raises(UserError, match="no version 99"):
            database.baselines(as_of=99)

    def test_a_day_ends_at_its_end(self, database: Database) -> None:
        _publish(database, 0)
        assert len(database.results(as_of=datetime.now(UTC).date().isoformat())) == 3

    def test_a_day_that_has_not_ended_is_one_version_in_one_look(self, database: Database) -> None:
        """What others publish meanwhile is not seen, and what the look writes itself changes nothing."""
        _publish(database, 0)
        day = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
        with database.one_look():
            assert len(database.results(as_of=day)) == 3
            _publish(Database(Engine(locate(database.uri), None)), 1)
            assert len(database.results(as_of=day)) == 3
            database.set_baseline(Baseline(name="main", commit=commit_of(0), set_at=1))
            assert len(database.results(as_of=day)) == 3
            assert database.runs(as_of=day).collect().height == 1
        assert len(database.results(as_of=day)) == 6

    @pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Los_Angeles"])
    def test_wherever_the_reader_sits(self, database: Database, zone: str) -> None:
        _publish(database, 0)
        time.sleep(0.05)
        between = datetime.now(UTC).isoformat()
        time.sleep(0.05)
        _publish(database, 1)
        found = subprocess.run(
            [sys.executable, "-c", _ASK, database.uri, between],
            env=os.environ | {"TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == "3"

    def test_every_reading_method(self, database: Database) -> None:
        version = _publish(database, 0)
        database.optimize()
        _publish(database, 1)
        assert database.runs(as_of=version).collect().height == 1
        assert database.scan(as_of=version).collect().height == 3
        assert database.trend("bench 0", as_of=version).height == 1
        assert database.latest(as_of=version)["dut_version"].unique().to_list() == ["1.0.0"]
        assert database.summary(as_of=version)["n"].to_list() == [1, 1, 1]
        assert database.query("select count(*) as n from results", version)["n"].to_list() == [3]
        assert database.query("select count(*) as n from runs", version)["n"].to_list() == [1]

    @pytest.mark.parametrize(
        "wrong", [0, 99, "99", -1, "no-such-tag", "2026-13-01", "", "1999-01-01", datetime(1999, 1, 1, tzinfo=UTC)]
    )
    def test_what_is_not_kept_is_refused(self, database: Database, wrong: int | str | datetime) -> None:
        _publish(database, 0)
        with pytest.raises(UserError):
            database.results(as_of=wrong)


class TestTag:
    """A tagged state is read for ever, all of it: clean-up takes the versions around it, never the tagged one."""

    def test_a_tag_pins_results_and_runs(self, database: Database) -> None:
        _publish(database, 0)
        database.tag("pinned")
        for number in range(1, 4):
            _publish(database, number)
        maintain.optimize(database._engine, kept=timedelta(0))
        assert len(database.results(as_of="pinned")) == 3
        assert database.latest(as_of="pinned")["dut_version"].unique().to_list() == ["1.0.0"]
        assert database.runs(as_of="pinned").collect().height == 1
        assert database.query("select count(*) as n from results", "pinned")["n"].to_list() == [3]

    def test_an_earlier_version_can_be_tagged(self, database: Database) -> None:
        version = _publish(database, 0)
        _publish(database, 1)
        assert database.tag("earlier", version) == version
        assert len(database.results(as_of="earlier")) == 3

    def test_a_tag_is_never_moved_silently(self, database: Database) -> None:
        version = _publish(database, 0)
        database.tag("taken")
        _publish(database, 1)
        with pytest.raises(UserError, match="taken"):
            database.tag("taken")
        assert database.info().tags == {"taken": version}

    @pytest.mark.parametrize("name", ["", "a/b", "a b", "../x", "it's"])
    def test_a_name_that_cannot_be_is_refused_and_makes_none(self, database: Database, name: str) -> None:
        with pytest.raises(UserError):
            database.tag(name)
        assert database.info().tags == {}

    def test_a_version_that_is_cleaned_away_meanwhile(self, database: Database) -> None:
        for number in range(2):
            _publish(database, number)

        class Cleaned(Engine):
            """An engine between whose look at the versions and the tag somebody removes the version."""

            def tag(self, table: Table, name: str, version: int | str) -> None:
                if table is RESULTS_TABLE:
                    Engine(locate(database.uri), None).clean(table, lambda _: [int(version)])
                super().tag(table, name, version)

        with pytest.raises(UserError, match=r"version 2 was cleaned away.*tag a newer one"):
            Database(Cleaned(locate(database.uri), None)).tag("gone", 2)
        assert database.info().tags == {}
        assert database._engine.tags(RUNS_TABLE) == {}
        assert database.tag("gone")

    def test_a_version_that_is_cleaned_away_right_after(self, database: Database) -> None:
        for number in range(2):
            _publish(database, number)

        class Cleaned(Engine):
            """An engine after whose tag somebody removes the version, having looked at the tags before."""

            def tag(self, table: Table, name: str, version: int | str) -> None:
                super().tag(table, name, version)
                if table is RESULTS_TABLE:
                    (
                        Path(database.uri) / table.directory / "_versions" / f"{2**64 - 1 - int(version):020}.manifest"
                    ).unlink()

        with pytest.raises(UserError, match=r"version 2 was cleaned away.*tag a newer one"):
            Database(Cleaned(locate(database.uri), None)).tag("gone", 2)
        assert database.info().tags == {}
        assert database._engine.tags(RUNS_TABLE) == {}

    def test_a_version_that_is_not_there_cannot_be_tagged(self, database: Database) -> None:
        with pytest.raises(BenchDbError):
            database.tag("future", 99)
        assert database.info().tags == {}


class TestRestore:
    """The store goes back to the runs of a version, as a new version; the way back is a restore too."""

    @staticmethod
    def _commits(database: Database) -> set[str]:
        rows = {row.commit for row in database.results()}
        assert {commit for (commit,) in database.runs().select("commit").collect().iter_rows()} == rows
        assert database.verify().sound
        return {f"c{number}" for number in range(9) if commit_of(number) in rows}

    def test_what_was_published_leaves_and_what_was_removed_returns(self, database: Database) -> None:
        version = [_publish(database, number) for number in range(3)][-1]
        kept = database.tag("before")
        run, _ = publication(1)
        database.remove_runs(database.runs().filter(pl.col("commit") == run.commit).collect()["run_key"].to_list())
        _publish(database, 3)
        newest = _publish(database, 4)
        seen = database.restore("before", dry_run=True)
        assert (seen.version, seen.changed) == (kept, False) == (version, False)
        assert (seen.runs_removed, seen.results_removed, seen.runs_returned, seen.results_returned) == (2, 6, 1, 3)
        assert self._commits(database) == {"c0", "c2", "c3", "c4"}
        assert replace(database.restore("before"), changed=False) == seen
        assert self._commits(database) == {"c0", "c1", "c2"}
        assert [row["commit"] for row in database.latest().to_dicts()] == [commit_of(2)] * 3
        assert database.restore(newest).results_returned == 6
        assert self._commits(database) == {"c0", "c2", "c3", "c4"}

    @pytest.mark.slow
    def test_a_replaced_run_is_as_it_was(self, database: Database) -> None:
        run, results = publication(1)
        database.publish(results, run)
        version = _publish(database, 0)
        wrong = [replace(result, branch="wrong") for result in results]
        database.publish(wrong, replace(run, branch="wrong", workflow="other.yml"), replace=True)
        seen = database.restore(version, dry_run=True)
        assert (seen.runs_reverted, seen.runs_removed, seen.runs_returned, seen.changed) == (1, 0, 0, False)
        assert database.restore(version).changed
        rows = database.scan(["commit", "branch"]).collect()
        assert set(rows.filter(pl.col("commit") == run.commit)["branch"]) == {run.branch}
        assert database.runs().collect().filter(pl.col("commit") == run.commit)["workflow"].to_list() == [run.workflow]
        assert self._commits(database) == {"c0", "c1"}
        assert not database.restore(version).changed

    def test_again_changes_nothing(self, database: Database) -> None:
        version = _publish(database, 0)
        _publish(database, 1)
        database.restore(version)
        again = database.restore(version)
        assert (again.runs_removed, again.runs_returned, again.results_removed) == (0, 0, 0)

    @pytest.mark.slow
    @pytest.mark.parametrize("step", range(4))
    def test_completed_after_a_crash(self, database: Database, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
        version = [_publish(database, number) for number in range(2)][-1]
        database.remove_runs(database.runs().collect()["run_key"].to_list()[:1])
        _publish(database, 2)
        engine, done = database._engine, list[str]()

        def interrupted(name: str) -> None:
            whole = getattr(engine, name)

            def counted(*given: Any, **more: Any) -> Any:
                done.append(name)
                if len(done) > step:
                    raise KeyboardInterrupt
                return whole(*given, **more)

            monkeypatch.setattr(engine, name, counted)

        interrupted("merge")
        interrupted("delete")
        with pytest.raises(KeyboardInterrupt):
            database.restore(version)
        monkeypatch.undo()
        database.restore(version)
        assert self._commits(database) == {"c0", "c1"}

    def test_a_version_that_is_none(self, database: Database) -> None:
        _publish(database, 0)
        with pytest.raises(UserError, match="there is no version 99; versions kept: "):
            database.restore(99)
