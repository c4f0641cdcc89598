from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import lance
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench_db.errors import CorruptStoreError, DamagedStoreWarning
from bench_db.model import Artifact, Baseline, Definition, Finding, Notification, NotificationStep, State
from bench_db.store import history, ledger
from bench_db.store.database import connect
from bench_db.store.tables import BASELINES_TABLE, COMMITS_TABLE, DEFINITIONS_TABLE, EXCLUSIONS_TABLE, TABLES, Table
from tests.strategies import commit_of, publication
from tests.support import damage

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.store.database import Database

OLD, NEW = "a" * 40, "b" * 40


def setting(commit: str | None, at: int, name: str = "main", branch: str | None = None) -> Baseline:
    return Baseline(name=name, commit=commit, set_at=at, branch=branch)


def finding(number: int, at: int, state: State = State.OPEN) -> Finding:
    return Finding(
        id=f"{number}",
        series_key=1,
        commit=OLD,
        index=3,
        effect=0.1,
        low=None,
        high=None,
        p_value=None,
        provisional=False,
        state=state,
        at=at,
    )


def commits(database: Database) -> list[str | None]:
    return [record.commit for record in ledger.baseline_history(database._engine)]


class TestSetBaseline:
    """The last setting of a name and scope applies, whatever the clocks of the writers; the same setting is stored once."""

    @pytest.mark.parametrize("later", [5, 100, 200])
    def test_the_later_write_applies(self, later: int, database: Database) -> None:
        ledger.set_baseline(database._engine, setting(OLD, 100))
        written = ledger.set_baseline(database._engine, setting(NEW, later))
        assert commits(database) == [OLD, NEW]
        assert written.set_at == max(101, later)
        assert ledger.held(ledger.baseline_history(database._engine)) == [written]

    def test_an_identical_setting_is_not_stored_again(self, database: Database) -> None:
        first = ledger.set_baseline(database._engine, setting(OLD, 100))
        assert ledger.set_baseline(database._engine, setting(OLD, 200)) == first
        assert commits(database) == [OLD]

    def test_a_commit_can_be_set_again_after_another(self, database: Database) -> None:
        for commit in (OLD, NEW, OLD):
            ledger.set_baseline(database._engine, setting(commit, 100))
        assert commits(database) == [OLD, NEW, OLD]

    def test_a_setting_in_place_of_one_that_has_moved_does_not_apply(self, database: Database) -> None:
        first = ledger.set_baseline(database._engine, setting(OLD, 100))
        second = ledger.set_baseline(database._engine, setting(NEW, 100))
        late = replace(setting("c" * 40, 300), replaces=first.key)
        assert ledger.set_baseline(database._engine, late) == second
        assert ledger.held(ledger.baseline_history(database._engine)) == [second]
        in_time = replace(late, replaces=second.key)
        assert ledger.set_baseline(database._engine, in_time).commit == "c" * 40

    def test_scopes_are_independent(self, database: Database) -> None:
        ledger.set_baseline(database._engine, setting(OLD, 100))
        ledger.set_baseline(database._engine, setting(NEW, 100, branch="release"))
        ledger.set_baseline(database._engine, setting(None, 101))
        [left] = ledger.held(ledger.baseline_history(database._engine))
        assert (left.commit, left.branch) == (NEW, "release")


class TestHeld:
    """The applicable settings are the newest of each name and scope, without cleared ones, sorted by name."""

    def test_newest_cleared_and_sorted(self) -> None:
        history = [
            setting(OLD, 1, "z"),
            setting(OLD, 2, "a"),
            setting(NEW, 3, "z"),
            setting(OLD, 4, "m"),
            setting(None, 5, "m"),
        ]
        assert ledger.held(history) == [history[1], history[2]]
        assert ledger.held([]) == []


class TestFindings:
    """Records are added once and kept all; the newest record of an id applies, in the order of first detection."""

    def test_written_once_and_read_in_order(self, database: Database) -> None:
        records = [finding(1, 3), finding(2, 1), finding(1, 2)]
        for _ in range(2):
            ledger.record_findings(database._engine, records)
        assert [(f.id, f.at) for f in ledger.finding_history(database._engine)] == [("2", 1), ("1", 2), ("1", 3)]

    def test_no_findings_make_no_table(self, database: Database) -> None:
        ledger.record_findings(database._engine, [])
        assert {table.name for table in ledger.existing(database._engine)} == {table.name for table in TABLES}

    def test_the_newest_record_of_each_id(self) -> None:
        blessed = finding(1, 3, State.BLESSED)
        assert ledger.standing([finding(1, 1), finding(2, 2), blessed]) == [blessed, finding(2, 2)]

    def test_an_update_of_what_changed_meanwhile_does_not_apply(self, database: Database) -> None:
        engine = database._engine
        assert ledger.update_findings(engine, [replace(finding(1, 1), replaces=0)])
        (first,) = ledger.finding_history(engine)
        ledger.record_findings(engine, [finding(1, 2, State.BLESSED)])
        assert not ledger.update_findings(engine, [replace(finding(1, 3, State.FIXED), replaces=first.key)])
        assert not ledger.update_findings(engine, [replace(finding(1, 3), replaces=0)])
        assert [f.state for f in ledger.finding_history(engine)] == [State.OPEN, State.BLESSED]
        blessed = ledger.finding_history(engine)[-1]
        assert ledger.update_findings(engine, [replace(finding(1, 3, State.REOPENED), replaces=blessed.key)])
        assert ledger.standing(ledger.finding_history(engine))[0].state is State.REOPENED

    def test_an_update_of_a_lost_record_applies(self, database: Database) -> None:
        assert ledger.update_findings(database._engine, [replace(finding(1, 1, State.BLESSED), replaces=17)])


class TestEnsure:
    """A table made on use is missing until it is ensured; ensuring it again keeps its rows."""

    def test_missing_and_made(self, database: Database) -> None:
        assert BASELINES_TABLE not in ledger.existing(database._engine)
        assert commits(database) == []
        database._engine.ensure(BASELINES_TABLE)
        assert BASELINES_TABLE in ledger.existing(database._engine)
        ledger.set_baseline(database._engine, setting(OLD, 1))
        database._engine.ensure(BASELINES_TABLE)
        assert commits(database) == [OLD]


def claim(by: str, *, attempt: int = 1, receiver: str = "team", number: int = 1) -> Notification:
    return Notification(
        receiver=receiver,
        message_id="m",
        step=NotificationStep.CLAIMED,
        claim=by,
        at=1,
        finding_id=f"{number}",
        state=State.OPEN,
        change=number,
        attempt=attempt,
    )


class TestNotifications:
    """A change of a finding is claimed once for a receiver and attempt; the outcome of a message is recorded once."""

    def test_a_store_without_messages(self, database: Database) -> None:
        assert database.notifications() == []

    def test_the_first_claim_applies(self, database: Database) -> None:
        database.record_notifications([claim("a"), claim("a", number=2)])
        database.record_notifications([claim("b", number=2), claim("b", number=3)])
        claims = {(record.finding_id, record.claim) for record in database.notifications()}
        assert claims == {("1", "a"), ("2", "a"), ("3", "b")}

    def test_another_attempt_or_receiver_is_another_claim(self, database: Database) -> None:
        for written in (claim("a"), claim("b", attempt=2), claim("c", receiver="other")):
            database.record_notifications([written])
        assert [record.claim for record in database.notifications()] == ["a", "b", "c"]

    def test_one_outcome(self, database: Database) -> None:
        sent = Notification(receiver="team", message_id="m", step=NotificationStep.DELIVERED, claim="a", at=2)
        database.record_notifications([sent])
        database.record_notifications([replace(sent, at=3), replace(sent, claim="b")])
        assert [(record.claim, record.at) for record in database.notifications()] == [("a", 2), ("b", 2)]

    def test_the_history_of_findings(self, database: Database) -> None:
        database.record_findings([finding(1, 1), finding(1, 2, State.FIXED)])
        assert [record.state for record in database.finding_history()] == [State.OPEN, State.FIXED]


def _publish_again(store: Database) -> None:
    run, results = publication(1, place="again")
    store.publish(results, run)


_LOG = {"kind": "log", "name": "1.log", "added_at": 1}
_READERS: dict[str, tuple[str, str, Callable[[Database], object]]] = {
    "scans": ("scans", "at", lambda store: store.scans()),
    "parts of scans": ("scans", "part", lambda store: store.scans()),
    "findings": ("findings", "id", lambda store: store.findings(every=True)),
    "definitions": ("definitions", "pattern", lambda store: store.definitions()),
    "exclusions": ("exclusions", "run_key", lambda store: store.exclusion_reasons()),
    "commits": ("commits", "commit", lambda store: store.commits()),
    "history": ("commits", "commit", lambda store: store.latest()),
    "history of a device": ("commits", "dut_name", lambda store: store.trend("*")),
    "parents": ("commits", "parents", lambda store: store.trend("*")),
    "some commits": ("commits", "commit", lambda store: history.records_of_commits(store._engine, {commit_of(1)})),
    "devices of some": ("commits", "dut_name", lambda store: history.records_of_commits(store._engine, {commit_of(1)})),
    "a publish": ("commits", "commit", _publish_again),
    "artifacts": ("artifacts", "name", lambda store: store.artifacts()),
    "artifacts of a kind": ("artifacts", "kind", lambda store: store.artifacts(kind="log")),
    "checksums": ("artifacts", "sha256", lambda store: store.artifacts(kind="log")),
    "a checksum": ("artifacts", "sha256", lambda store: store.get_artifact("0" * 64, "never written")),
    "a deletion": ("artifacts", "sha256", lambda store: store.delete_artifacts([Artifact(**_LOG)])),  # type: ignore[arg-type]
    "a file that is put again": ("artifacts", "sha256", lambda store: store.put_artifact(b"a log\n" * 50, **_LOG)),  # type: ignore[arg-type]
}


class TestOrder:
    """Maintenance leaves the records of a ledger in their order, which decides what applies."""

    def test_a_run_that_was_included_again(self, database: Database) -> None:
        for number in range(7):
            run, results = publication(number, rows=1)
            database.publish(results, run)
        runs = database.runs().collect()["run_key"].to_list()
        for some in (runs[:1], runs[1:2], runs[2:]):
            database.exclude(some, reason="noise", lifted=False, at=1, by="test")
        database.exclude(runs[:1], reason="it was sound", lifted=True, at=2, by="test")
        database.optimize()
        assert set(database.exclusion_reasons()) == set(runs[1:])

    @pytest.mark.slow
    @given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=3, max_size=9))
    @example([(2, False), (2, False), (9, True)])
    @example([(6, False), (8, False), (9, True)])
    def test_of_any_batches(self, batches: list[tuple[int, bool]]) -> None:
        with TemporaryDirectory() as directory:
            database, at = connect(Path(directory) / "store", create=True), 0
            for size, compacted in batches:
                numbers = range(at, at + size)
                database.define([Definition(kind="join", pattern=f"{n}", value="x", at=n, by="test") for n in numbers])
                at += size
                if compacted:
                    database._engine.compact(DEFINITIONS_TABLE, 12)
                assert [record.at for record in database.definitions()] == list(range(at))


class TestDamage:
    """A record without a value that each has is an error of bench_db, which names the table and the column."""

    @pytest.mark.parametrize(("table", "column", "read"), _READERS.values(), ids=_READERS)
    def test_a_null(
        self, undamaged: Path, tmp_path: Path, table: str, column: str, read: Callable[[Database], object]
    ) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        lance.dataset(store / f"{table}.lance").update({column: "NULL"})
        with pytest.raises(CorruptStoreError, match=f"records of {table} have no '{column}'.*store verify"):
            read(connect(store))
        assert not connect(store).verify().sound

    def test_a_column_of_a_later_release_may_be_null(self, undamaged: Path, tmp_path: Path) -> None:
        store = damage.copied(undamaged, tmp_path / "store")
        lance.dataset(store / "findings.lance").update({"kind": "NULL", "evidence": "NULL"})
        assert len(connect(store).findings(every=True)) == 4


class TestKept:
    """What is read of ledgers is kept for their state, for each who opens the store, and never behind a change of their files."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        database = connect(tmp_path / "store", create=True)
        runs = [database.publish(list(results), run).run_key for run, results in map(publication, (1, 2))]
        database.exclude(runs[:1], reason="r", lifted=False, at=5, by="me")
        assert connect(tmp_path / "store").history().excluded == {runs[0]}
        return tmp_path / "store"

    def opened(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Return the tables that a look-up and the history open in a store that is connected anew."""
        opened = list[str]()
        dataset = lance.dataset

        def noted(uri: str, *args: object, **options: object) -> lance.LanceDataset:
            opened.append(Path(uri).stem)
            return dataset(uri, *args, **options)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(lance, "dataset", noted)
            database = connect(place)
            assert not database.has(commit_of(1)).present
            assert database.history().excluded
        return opened

    def test_unchanged_ledgers_are_not_opened(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened(place, monkeypatch)
        assert set(self.opened(place, monkeypatch)) == {"results"}

    @pytest.mark.parametrize("table", [EXCLUSIONS_TABLE, COMMITS_TABLE])
    @pytest.mark.parametrize("part", ["data/*", "_versions/*.manifest"])
    def test_a_changed_file_is_read_again(
        self, place: Path, table: Table, part: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also one with the size and the time of before."""
        self.opened(place, monkeypatch)
        path = min((place / table.directory).glob(part))
        before = path.stat()
        path.write_bytes(path.read_bytes())
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert table.name in self.opened(place, monkeypatch)

    def test_a_lost_file_is_noticed(self, place: Path) -> None:
        (file,) = (place / EXCLUSIONS_TABLE.directory / "data").iterdir()
        connect(place).has(commit_of(2))
        file.unlink()
        with pytest.warns(DamagedStoreWarning, match="exclusions"):
            connect(place).has(commit_of(2))

    def test_what_others_write_is_seen(self, place: Path) -> None:
        reader, (key,) = connect(place), connect(place).history().excluded
        connect(place).exclude([key], reason="r", lifted=True, at=6, by="me")
        assert reader.has(commit_of(1)).present
        assert reader.history().excluded == connect(place).history().excluded == frozenset()

    def test_a_store_in_place_of_another(self, place: Path, tmp_path: Path) -> None:
        """The same tables at the same versions are another state."""
        other = connect(tmp_path / "other", create=True)
        runs = [other.publish(list(results), run).run_key for run, results in map(publication, (1, 2))]
        other.exclude(runs[1:], reason="r", lifted=False, at=5, by="me")
        place.rename(tmp_path / "before")
        (tmp_path / "other").rename(place)
        assert connect(place).history().excluded == {runs[1]}

    def test_a_note_of_versions_has_ledgers_that_were_not_opened(self, place: Path) -> None:
        """Maintenance notes them, so that an older one is noticed later."""
        database = connect(place)
        database.history()
        assert database._engine.opened.keys() >= {"exclusions", "commits", "results"}
