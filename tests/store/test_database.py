from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import lance
import polars as pl
import pytest

from bench_db.errors import (
    BenchDbError,
    CorruptStoreError,
    DamagedStoreWarning,
    StoreNotFoundError,
    StoreUnavailableError,
    UserError,
)
from bench_db.model import Definition
from bench_db.query.selection import Selection
from bench_db.store.database import connect
from bench_db.store.engine import locate
from bench_db.store.tables import RESULTS_TABLE
from tests.strategies import publication

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench_db.query.history import Seen
    from bench_db.store.database import Database

_NOBODY = 65534
_ASK_AS_NOBODY = f"""
import os, sys
import bench_db.store.database as home
from tests.strategies import publication
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({_NOBODY})
    os.setuid({_NOBODY})
try:
    database = home.connect(sys.argv[1], create=sys.argv[2] == "create")
    database.publish(*reversed(publication(1)))
except home.UserError.__mro__[1] as error:
    print(type(error).__name__, error)
else:
    print("no error")
"""


def _listing(path: Path) -> list[tuple[str, bytes]]:
    return sorted((str(file), file.read_bytes()) for file in path.rglob("*") if file.is_file())


@pytest.fixture
def filled(database: Database) -> Path:
    run, results = publication(1)
    database.publish(results, run)
    return Path(database.uri)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory any user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as made:
        path = Path(made)
        path.chmod(0o755)
        yield path
        for inside in path.rglob("*"):
            inside.chmod(0o755)


class TestOpen:
    """Opening never creates; only a publish or an explicit wish does, and only where there was nothing."""

    def test_nothing_is_made(self, tmp_path: Path) -> None:
        with pytest.raises(StoreNotFoundError, match="store init"):
            connect(tmp_path / "absent")
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_directory_is_no_store(self, tmp_path: Path) -> None:
        with pytest.raises(StoreNotFoundError):
            connect(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_created_when_told_and_opened_after(self, tmp_path: Path) -> None:
        connect(tmp_path / "a" / "b", create=True)
        assert connect(tmp_path / "a" / "b").results() == []
        connect(tmp_path / "a" / "b", create=True)

    def test_creating_an_existing_store_keeps_it(self, filled: Path) -> None:
        before = _listing(filled)
        assert len(connect(filled, create=True).results()) == 3
        assert _listing(filled) == before

    @pytest.mark.parametrize("name", ['it\'s "x"', "a#b?c", "100%20é", "a b\\c", "with:colon", "ünï", "-dash", "a&b=c"])
    def test_any_directory_name(self, tmp_path: Path, name: str) -> None:
        run, results = publication(1)
        connect(tmp_path / name, create=True).publish(results, run)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        assert connect(str(tmp_path / name)).latest().height == 3
        assert connect(str(tmp_path / name)).lancedb().open_table("results").count_rows() == 3

    def test_a_file_is_no_store(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("hello")
        for create in (False, True):
            with pytest.raises(BenchDbError):
                connect(tmp_path / "file", create=create)
        assert (tmp_path / "file").read_text() == "hello"

    @pytest.mark.parametrize("name", ["file", "file/below"])
    def test_a_file_is_refused_without_asking_lance(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """Lance tries again for two seconds before it says that it cannot list a directory."""
        asked: list[object] = []
        monkeypatch.setattr(lance, "dataset", lambda *arguments, **_: asked.append(arguments))
        (tmp_path / "file").write_text("hello")
        with pytest.raises(BenchDbError, match="is a file, or below one"):
            connect(tmp_path / name)
        assert asked == []

    def test_a_relative_place_a_home_and_a_file_address(self, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(filled.parent)
        monkeypatch.setenv("HOME", str(filled.parent))
        for address in ("store", "./store", "~/store", f"file://{filled}", filled):
            assert len(connect(address).results()) == 3


def test_the_first_answer_has_what_was_published_after_connecting(filled: Path) -> None:
    reader = connect(filled)
    run, results = publication(2)
    published = connect(filled).publish(results, run)
    assert published.run_key in reader.scan().collect()["run_key"].to_list()


class TestState:
    """The state of a store is another one after each write of rows, in any table, and is that of its files alone."""

    def test_writes(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        run, results = publication(1)
        states = [store.state]
        for write in (
            lambda: store.publish(results, run),
            lambda: store.tag("nothing"),
            lambda: store.define([Definition(kind="annotation", pattern="a" * 40, value="x", at=1)]),
            lambda: store.exclude([store.runs().collect()["run_key"][0]], reason="x", lifted=False, at=1, by="me"),
            lambda: store.remove_runs(store.runs().collect()["run_key"].to_list()),
        ):
            write()
            states.append(store.state)
        assert [one != other for one, other in pairwise(states)] == [True, False, True, True, True]
        assert connect(tmp_path / "store").state == states[-1]
        shutil.copytree(tmp_path / "store", tmp_path / "copy")
        assert connect(tmp_path / "copy").state == states[-1]

    def test_of_another_store(self, tmp_path: Path) -> None:
        """A store that is made again at the same place has versions of the same numbers."""
        states = set()
        for _ in range(2):
            shutil.rmtree(tmp_path / "store", ignore_errors=True)
            run, results = publication(1)
            store = connect(tmp_path / "store", create=True)
            store.publish(results, run)
            states.add(store.state)
        assert len(states) == 2

    def test_of_a_damaged_store(self, filled: Path) -> None:
        next((filled / "results.lance/data").iterdir()).unlink()
        store = connect(filled)
        with pytest.warns(DamagedStoreWarning):
            store.results()
        assert store.state == ""


class TestBeyond:
    """A reader who has seen results reads the newer ones alone, as long as those it has seen are those that count."""

    @staticmethod
    def read(store: Database, seen: Seen) -> list[tuple[int, float]] | None:
        found = store.rows_beyond(seen, ("run_key", "median"), Selection())
        return None if found is None else sorted(found.rows())

    def test_newer_results(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        for number in (1, 2):
            run, results = publication(number)
            store.publish(results, run)
        seen = store.seen()
        assert self.read(store, seen) == []
        run, results = publication(3)
        store.publish(results, run)
        store.define([Definition(kind="annotation", pattern="a" * 40, value="x", at=1)])
        every = store.rows(("run_key", "median"), Selection()).rows()
        found = self.read(store, seen)
        assert found is not None
        assert len(found) == len(results)
        assert set(found) < set(every)
        assert self.read(store, store.seen()) == []

    @pytest.mark.parametrize("change", ["exclude", "remove", "alias", "metric", "optimize"])
    def test_others_than_those_seen(self, change: str, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        for number in (1, 2):
            run, results = publication(number)
            store.publish(results, run)
        seen, run_key = store.seen(), store.runs().collect()["run_key"][0]
        changes: dict[str, Callable[[], object]] = {
            "exclude": lambda: store.exclude([run_key], reason="x", lifted=False, at=1, by="me"),
            "remove": lambda: store.remove_runs([run_key]),
            "alias": lambda: store.define([Definition(kind="alias", field="benchmark", pattern="b*", value="x", at=1)]),
            "metric": lambda: store.define([Definition(kind="metric", pattern="rate", value="items / time", at=1)]),
            "optimize": store.optimize,
        }
        changes[change]()
        assert self.read(store, seen) is None


class TestResultsOf:
    """The results of a run are those with its key, whether or not a filter finds its commit."""

    @pytest.mark.parametrize("commit", ["a" * 40, None])
    def test_as_by_the_key_alone(self, tmp_path: Path, commit: str | None) -> None:
        database = connect(tmp_path / "store", create=True)
        for number in (1, 2):
            run, results = publication(number)
            database.publish([replace(result, commit=commit) for result in results], replace(run, commit=commit))
        for key in database.runs().collect()["run_key"]:
            found = database.results_of(database.run_record(key))
            assert len(found) == 3
            assert found == database.results({"run_key": key})

    def test_of_a_run_that_has_lost_rows(self, tmp_path: Path) -> None:
        database = connect(tmp_path / "store", create=True)
        run, results = publication(1)
        database.publish(results, run)
        lost, *left = database.results()
        database._engine.delete(RESULTS_TABLE, f"id = '{lost.id}'")
        assert database.results_of(database.run_record(lost.run_key)) == left


class TestDamage:
    """A store that cannot be opened is called damaged, with the next step, and nothing is written over it. Lost rows are warned of."""

    @pytest.mark.parametrize("table", ["results", "runs"])
    def test_lost_versions(self, filled: Path, table: str) -> None:
        shutil.rmtree(filled / f"{table}.lance" / "_versions")
        before = _listing(filled)
        run, results = publication(2)
        for create in (False, True):
            with pytest.raises(CorruptStoreError, match="_versions"):
                connect(filled, create=create).publish(results, run)
        assert _listing(filled) == before

    @pytest.mark.parametrize("keep", [0, 5, 100])
    def test_a_truncated_manifest(self, filled: Path, keep: int) -> None:
        manifest = min((filled / "results.lance" / "_versions").iterdir())
        manifest.write_bytes(manifest.read_bytes()[:keep])
        before = _listing(filled)
        with pytest.warns(DamagedStoreWarning, match="newest manifest cannot be read"):
            connect(filled).latest()
        assert _listing(filled) == before

    def test_a_manifest_of_noise(self, filled: Path) -> None:
        manifest = min((filled / "results.lance" / "_versions").iterdir())
        manifest.write_bytes(b"\xa5" * len(manifest.read_bytes()))
        with pytest.warns(DamagedStoreWarning, match="newest manifest cannot be read"):
            connect(filled).latest()

    @pytest.mark.parametrize("gone", [False, True])
    def test_damaged_data_in_every_way_of_reading(self, filled: Path, *, gone: bool) -> None:
        for file in (filled / "results.lance" / "data").iterdir():
            if gone:
                file.unlink()
            else:
                file.write_bytes(file.read_bytes()[:30])
        reading: dict[str, Callable[[Database], int]] = {
            "results": lambda store: len(store.results()),
            "latest": lambda store: store.latest().height,
            "trend": lambda store: store.trend("bench 0").height,
            "summary": lambda store: store.summary().height,
            "has": lambda store: sum(store.has("0" * 40).suites.values()),
            "query": lambda store: store.query("select median from results").height,
            "scan": lambda store: store.scan(["median"]).collect().height,
        }
        for name, rows in reading.items():
            with pytest.warns(DamagedStoreWarning, match="cannot be read.*These runs are not complete"):
                assert rows(connect(filled)) == 0, name


class TestRefused:
    """A place that refuses us is unavailable, which is neither empty nor corrupt."""

    @pytest.mark.few(1)
    @pytest.mark.parametrize("create", ["open", "create"])
    @pytest.mark.parametrize("closed", [0o000, 0o555])
    def test_permission(self, reachable: Path, create: str, closed: int) -> None:
        store = reachable / "store"
        run, results = publication(3)
        connect(store, create=True).publish(results, run)
        for path in (*store.rglob("*"), store):
            if path.is_dir():
                path.chmod(closed)
        said = subprocess.run(
            [sys.executable, "-c", _ASK_AS_NOBODY, str(store), create],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.stdout.startswith("StoreUnavailableError"), said.stdout + said.stderr
        assert "permission" in said.stdout.lower()
        assert len(said.stdout.splitlines()) == 1

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "\0",
            "https://host/x",
            "gs://bucket/x",
            "s3://",
            "s3:///x",
            "s3://key:secret@bucket/x",
            "s3://b/x?secret=1",
            "file://host/x",
        ],
    )
    def test_an_address_of_another_kind(self, address: str) -> None:
        with pytest.raises(UserError) as caught:
            connect(address)
        assert "secret" not in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1

    def test_addresses_are_read_once_and_said_the_same(self) -> None:
        assert str(locate("s3://bucket/a/b/")) == "s3://bucket/a/b"
        assert str(locate("s3://bucket")) == "s3://bucket"
        assert locate("s3://bucket").child("results.lance") == "s3://bucket/results.lance"
        assert str(locate(str(locate("~/x")))) == str(Path("~/x").expanduser())

    def test_a_query_that_cannot_be_run(self, database: Database) -> None:
        for sql in ("selec", "select nothing from results", "select * from nowhere", ""):
            with pytest.raises(UserError):
                database.query(sql)
        assert database.query("select 1 as one").equals(pl.DataFrame({"one": [1]}, schema={"one": pl.Int32}))

    def test_unavailable_is_said_with_its_exit_code(self) -> None:
        assert (StoreNotFoundError.exit_code, StoreUnavailableError.exit_code, CorruptStoreError.exit_code) == (3, 3, 4)


@pytest.mark.parametrize("extra", ["?token=abc", "#abc", "?"])
def test_a_file_address_takes_no_query(extra: str) -> None:
    with pytest.raises(UserError, match="file:///tmp/a: a file address takes no query or fragment") as raised:
        locate(f"file:///tmp/a{extra}")
    assert "abc" not in str(raised.value)
    assert str(locate("file:///tmp/a%3Fb%23c")) == "/tmp/a?b#c"
