from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import bench_db as api
from bench_db.errors import UserError
from bench_db.store.database import connect
from tests.cli.kinds import entry, publish, publish_all, sha

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


@pytest.fixture
def store(database: Database) -> Database:
    publish_all(database, [entry(number, {"f": 100.0 + number}) for number in range(3)])
    return database


class TestRuns:
    """Runs are chosen by conditions that must all be true."""

    def test_frame_and_document(self, store: Database) -> None:
        found = api.runs(store)
        assert found.frame()["commit"].to_list() == [sha(0), sha(1), sha(2)]
        assert [run["run"] for run in json.loads(json.dumps(found.document))["runs"]] == found.frame()["run"].to_list()

    def test_conditions(self, store: Database) -> None:
        first = api.runs(store).frame()["run"][0]
        assert api.runs(store, runs=(first[:10],)).frame()["run"].to_list() == [first]
        assert api.runs(store, commit=sha(1)[:7]).frame()["commit"].to_list() == [sha(1)]
        assert api.runs(store, test_bed_name="other").frame().is_empty()
        assert len(api.runs(store, file="f*").frame()) == 3

    @pytest.mark.parametrize("length", [0, 1, 6])
    def test_a_short_beginning_of_a_key_names_no_run(self, store: Database, length: int) -> None:
        first = api.runs(store).frame()["run"][0]
        for asked in (first[:length], "0123456789abcdef"[:length]):
            with pytest.raises(UserError, match=f"no run is called '{asked}'"):
                api.remove_runs(store, runs=(asked,))
        assert len(api.runs(store).frame()) == 3

    def test_artifacts_of_a_run_go_with_it_when_asked(self, store: Database) -> None:
        both = api.Database(store)
        first, second = api.runs(store).frame()["run"][:2]
        own = both.put(b"of the first run", name="own", run=first)
        shared = [both.put(b"of both runs", name="shared", run=run) for run in (first, second)]
        nobodys = both.put(b"of nobody", name="nobody's")
        previewed = api.remove_runs(store, runs=(first,), artifacts=True, dry_run=True)
        assert (previewed.changed, sorted(one.name for one in previewed.artifacts or ())) == (False, ["own", "shared"])
        assert sorted(one["name"] for one in previewed.document["artifacts"]) == ["own", "shared"]
        for unasked in (api.remove_runs(store, runs=(first,), dry_run=True), api.runs(store)):
            assert (unasked.artifacts, sorted(unasked.document)) == (None, ["changed", "runs"])
        assert len(both.artifacts()) == 4
        assert api.remove_runs(store, runs=(first,), artifacts=True).changed
        assert sorted(one.name for one in both.artifacts()) == ["nobody's", "shared"]
        assert [both.get(address) for address in (*shared, nobodys)] == [b"of both runs"] * 2 + [b"of nobody"]
        with pytest.raises(UserError, match="it was deleted, or is in another store"):
            both.get(own)
        api.remove_runs(store, runs=(second,))
        assert sorted(one.name for one in both.artifacts()) == ["nobody's", "shared"]  # they stay unless asked
        assert store.verify().sound

    def test_excluded(self, store: Database) -> None:
        done = api.exclude_runs(store, "typo", commit=sha(0), by="me", at=5)
        assert (done.changed, len(done.frame())) == (True, 1)
        assert api.runs(store, excluded=True).frame()["excluded"].to_list() == ["typo"]
        assert len(api.runs(store, excluded=False).frame()) == 2
        assert api.exclude_runs(store, "typo", commit=sha(0)).changed is False

    @pytest.mark.parametrize("use_case", [api.include_runs, api.remove_runs])
    def test_conditions_are_required(self, store: Database, use_case: object) -> None:
        with pytest.raises(UserError, match="say which runs"):
            use_case(store)  # type: ignore[operator]


def test_an_excluded_run_that_is_removed_and_published_again_is_in_answers(store: Database) -> None:
    [first, *_] = api.runs(store, commit=sha(0)).frame()["run"]
    api.exclude_runs(store, "a noisy machine", runs=(first,))
    api.remove_runs(store, runs=(first,))
    publish(store, 0, {"f": 100.0})
    assert api.runs(store, runs=(first,)).frame()["excluded"].to_list() == [None]
    assert store.has(sha(0)).present
