from __future__ import annotations

import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from polars.testing import assert_frame_equal

from bench_db.app import mirror as mirroring
from bench_db.app.mirror import Mirrored, mirror, ready_results
from bench_db.errors import ConflictError, StoreUnavailableError, UserError
from bench_db.model import Definition, Samples
from bench_db.sinks.delta import DeltaSink
from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.sinks.stores import TABLES, kill_half_way, publish, several_histories
from tests.store.carriers import fill
from tests.store.conftest import go_to
from tests.strategies import publication
from tests.support.faults import Fault, FaultProxy, FaultRule
from tests.support.workers import made_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench_db.store.database import Database
    from tests.support.s3_server import S3Server

    To = Callable[..., Mirrored]

pytestmark = pytest.mark.sample(1)

RUNS = 14
Counts = tuple[int, int, int]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with rows in most tables, which tests only copy."""

    def make(directory: Path) -> None:
        fill(several_histories(directory / "store"), range(20, 22))

    return made_once(tmp_path_factory, "for Delta", make)


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Database:
    shutil.copytree(filled / "store", tmp_path / "store")
    return connect(tmp_path / "store")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"  # polars.scan_delta finds no file below a directory with a space in its name


@pytest.fixture
def to(lake: Path) -> To:
    """Return a function that mirrors a store into the lake of this test."""
    return lambda database, **options: mirror(database, f"delta:{lake}", **options)


def counts(done: Mirrored, name: str = "results") -> Counts:
    table = done.tables[name]
    return table.new, table.changed, table.removed


def table(lake: Path, name: str) -> DeltaTable:
    return DeltaTable(str(lake / "bench_db" / name))


def dump(lake: Path) -> dict[str, list[str]]:
    """Return every row of the tables, sorted, as Delta's own reader gives them."""
    return {name: sorted(map(str, table(lake, name).to_pyarrow_table().to_pylist())) for name in TABLES}


def versions(lake: Path) -> dict[str, int]:
    return {name: table(lake, name).version() for name in TABLES}


def two_at_once(store: Database, to: To) -> list[Counts]:
    """Mirror from two threads, each with a connection of its own, and return what each has sent."""
    ready = threading.Barrier(2)

    def one(_number: int) -> Counts:
        own = connect(store.uri)
        ready.wait()
        return counts(to(own))

    with ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(one, range(2)))


class TestMirror:
    """Delta tables have what the store has, however often and whenever they were written."""

    def test_two_readers(self, store: Database, lake: Path, to: To) -> None:
        assert counts(to(store)) == (RUNS, 0, 0)
        wanted = pl.DataFrame(ready_results(store)).sort("id")
        own = (
            pl.DataFrame(table(lake, "results").to_pyarrow_table()).sort("id").drop("bench_db_checksum", "bench_db_row")
        )
        assert_frame_equal(own, wanted)
        scanned = pl.scan_delta(str(lake / "bench_db" / "results"))
        order = ["commit_order", "run_time", "run_key"]
        newest = scanned.filter("main_history").sort(order, nulls_last=False).group_by("series_key").last().collect()
        ours = store.latest()
        assert dict(newest.select("series_key", "median").iter_rows()) == dict(
            ours.select("series_key", "median").iter_rows()
        )
        described = table(lake, "results")
        assert described.metadata().description.startswith("bench_db mirror: One row is a result")
        comments = {field.name: field.metadata.get("comment") for field in described.schema().fields}
        assert "main branch" in str(comments["main_history"])

    def test_again_writes_nothing(self, store: Database, lake: Path, to: To) -> None:
        to(store)
        before, rows = versions(lake), dump(lake)
        assert to(store).is_equal
        assert (versions(lake), dump(lake)) == (before, rows)
        assert to(store, check=True).is_equal

    def test_a_difference_is_one_commit(self, store: Database, lake: Path, to: To) -> None:
        to(store)
        before = versions(lake)
        publish(store, 41, branch="main")
        store.define([Definition(kind="join", field="", pattern="bench 1", value="renamed", at=9)])
        new, changed, removed = counts(to(store))
        assert (new, changed > 5, changed < RUNS, removed) == (1, True, True, 0)
        assert versions(lake) == before | {
            name: before[name] + 1 for name in ("results", "runs", "commits", "definitions")
        }
        assert_frame_equal(
            pl.read_delta(str(lake / "bench_db" / "results")).drop("bench_db_checksum", "bench_db_row").sort("id"),
            pl.DataFrame(ready_results(store)).sort("id"),
        )

    def test_excluded_removed_and_replaced(self, store: Database, lake: Path, to: To) -> None:
        key = publish(store, 41, branch="main")
        to(store)
        before = dump(lake)["results"]
        store.exclude([key], reason="hot", lifted=False, at=5, by="me")
        done = to(store)
        assert (counts(done), counts(done, "runs"), counts(done, "exclusions")) == ((0, 0, 1), (0, 0, 1), (1, 0, 0))
        assert key not in table(lake, "results").to_pyarrow_table()["run_key"].to_pylist()
        store.exclude([key], reason="", lifted=True, at=6, by="me")
        assert counts(to(store)) == (1, 0, 0)
        assert dump(lake)["results"] == before
        store.remove_runs([key])
        assert counts(to(store)) == (0, 0, 1)
        assert to(store, check=True).is_equal

    def test_since(self, store: Database, to: To) -> None:
        assert counts(to(store, since=1_700_000_009))[0] == 6
        assert to(store, since=1_700_000_009, check=True).is_equal
        assert counts(to(store)) == (RUNS - 6, 0, 0)
        assert to(store, check=True).is_equal

    def test_difficult_texts_and_numbers(self, tmp_path: Path, lake: Path, to: To) -> None:
        database = connect(tmp_path / "difficult", create=True)
        run, [result] = publication(1, rows=1)
        values = Samples([1e-308, 1e308, -0.0])
        name = "long " * 500 + "'\"\\ ü 🎉"
        database.publish([replace(result, benchmark_name=name, tags={"k": "ü,'"}, values=values)], run)
        to(database)
        [row] = table(lake, "results").to_pyarrow_table().to_pylist()
        assert (row["benchmark_name"], row["tags"], row["values"]) == (name, '{"k": "ü,\'"}', [1e-308, 1e308, -0.0])
        assert to(database, check=True).is_equal

    def test_an_empty_store(self, tmp_path: Path, lake: Path, to: To) -> None:
        database = connect(tmp_path / "empty", create=True)
        assert to(database).is_equal
        assert pl.read_delta(str(lake / "bench_db" / "results")).is_empty()
        assert to(database, check=True).is_equal

    @pytest.mark.slow
    def test_in_parts(self, store: Database, monkeypatch: pytest.MonkeyPatch, to: To) -> None:
        monkeypatch.setattr(mirroring, "_CHUNK_ROWS", 5)
        to(store)
        assert to(store, check=True).is_equal


def _rows(lake: Path, name: str) -> pa.Table:
    return table(lake, name).to_pyarrow_table()


def _overwrite(lake: Path, name: str, rows: pa.Table, **how: Any) -> None:
    write_deltalake(table(lake, name), rows, mode="overwrite", **how)


def _changed(lake: Path) -> None:
    table(lake, "results").update({"median": "-median"}, predicate="benchmark_name = 'bench 1'")


def _duplicated(lake: Path) -> None:
    """Put one row in the place of another one of its run, so that their number is the same."""
    rows = pl.DataFrame(_rows(lake, "results"))
    key = rows.group_by("run_key").len().filter(pl.col("len") > 1)["run_key"][0]
    own = rows.filter(pl.col("run_key") == key)
    twice = pl.concat([own.head(1), own.head(1), own.slice(2), rows.filter(pl.col("run_key") != key)])
    _overwrite(lake, "results", twice.to_arrow().cast(_rows(lake, "results").schema))


def _retyped(lake: Path) -> None:
    rows = pl.DataFrame(_rows(lake, "findings")).with_columns(pl.col("effect").cast(pl.String))
    _overwrite(lake, "findings", rows.to_arrow(), schema_mode="overwrite")


_DAMAGE: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "deleted rows": (lambda lake: table(lake, "results").delete("benchmark_name = 'bench 1'"), "results", True),
    "changed rows": (_changed, "results", False),
    "a duplicated row": (_duplicated, "results", False),
    "no rows": (lambda lake: table(lake, "runs").delete(), "runs", True),
    "another type": (_retyped, "findings", False),
    "a directory that is gone": (lambda lake: shutil.rmtree(lake / "bench_db" / "commits"), "commits", True),
}


class TestRebuild:
    """What somebody deleted or changed is found by `check` and restored by `rebuild`."""

    @pytest.mark.parametrize("damage", _DAMAGE)
    def test_damage(self, store: Database, lake: Path, to: To, damage: str) -> None:
        to(store)
        whole = dump(lake)
        change, name, _ = _DAMAGE[damage]
        change(lake)
        checked = to(store, check=True)
        assert {each for each, one in checked.tables.items() if not one.is_equal} == {name}
        restored = to(store, rebuild=True)
        assert (restored.tables, restored.faults) == (checked.tables, checked.faults)
        assert dump(lake) == whole
        assert to(store, check=True).is_equal

    @pytest.mark.slow
    @pytest.mark.parametrize("damage", [name for name, (_, _, seen) in _DAMAGE.items() if seen])
    def test_a_mirror_sees_missing_rows(self, store: Database, lake: Path, to: To, damage: str) -> None:
        to(store)
        whole = dump(lake)
        _DAMAGE[damage][0](lake)
        assert not to(store).is_equal
        assert dump(lake) == whole

    def test_an_altered_table_needs_a_rebuild(self, store: Database, lake: Path, to: To) -> None:
        to(store)
        _retyped(lake)
        said = r"the column effect of findings is .*, not double; nothing was changed. Restore it with `rebuild`"
        with pytest.raises(UserError, match=said):
            to(store)

    @pytest.mark.slow
    def test_others_can_compact_and_clean(self, store: Database, lake: Path, to: To) -> None:
        to(store)
        publish(store, 41, branch="main")
        to(store)
        results = table(lake, "results")
        results.optimize.compact()
        results.vacuum(0, enforce_retention_duration=False, dry_run=False)
        assert to(store, check=True).is_equal
        assert to(store).is_equal


class TestOthers:
    """A mirror never overwrites what is not its own."""

    def test_tables_of_somebody_else(self, store: Database, lake: Path, to: To) -> None:
        mine = lake / "bench_db" / "results"
        write_deltalake(str(mine), pa.table({"mine": [1]}))
        for rebuild in (False, True):
            with pytest.raises(UserError, match="has 'results', which no mirror has made; choose another `schema`"):
                to(store, rebuild=rebuild)
        assert DeltaTable(str(mine)).to_pyarrow_table().to_pylist() == [{"mine": 1}]
        (lake / "other").mkdir()
        (lake / "other" / "runs").write_text("mine")
        with pytest.raises(UserError, match="has 'runs', which no mirror has made"):
            to(store, schema="other")

    def test_the_mirror_of_another_store(self, store: Database, tmp_path: Path, to: To) -> None:
        to(store)
        other = connect(tmp_path / "other", create=True)
        publish(other, 1)
        with pytest.raises(UserError, match=f"is the mirror of {store.uri}, not of {other.uri}"):
            to(other)
        assert counts(to(other, rebuild=True)) == (0, 1, RUNS - 1)
        assert to(other, check=True).is_equal

    @pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 64, "a\0b"])
    def test_a_name_that_is_no_directory(self, store: Database, name: str, to: To) -> None:
        with pytest.raises(UserError, match="is no name of a directory"):
            to(store, schema=name)

    @pytest.mark.parametrize(
        ("address", "reason"),
        [
            ("delta:", "no directory or bucket is named"),
            ("delta://", "no directory or bucket is named"),
            ("delta://https://u:hunter2@host/x", "no directory or bucket is named"),
            ("delta:s3://AKIA:hunter2@bucket/lake", "credentials come from the environment"),
            ("delta:s3://bucket/lake?secret=hunter2", "takes no query"),
        ],
    )
    def test_an_address_without_a_directory(self, store: Database, address: str, reason: str) -> None:
        """The address is not shown, because it may have a password."""
        with pytest.raises(UserError, match=reason) as raised:
            mirror(store, address)
        assert "hunter2" not in str(raised.value)

    @pytest.mark.parametrize("name", ["a%20b", "a%41", "a\\b", "a[1]", "a^b", "a|b", "a\nb"])
    def test_a_path_that_deltalake_misreads(
        self, store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """It is refused before anything is made, wherever the name is in the path; deltalake made half of a mirror, or panicked."""
        own = tmp_path / "lakes" / name
        own.mkdir(parents=True)
        (tmp_path / "link").symlink_to(own)
        monkeypatch.chdir(own)
        for address in (f"delta:{own}", "delta:lake", f"delta:{tmp_path / 'link'}"):
            with pytest.raises(UserError, match=r"deltalake misreads .* in a path; choose another directory"):
                mirror(store, address)
        with pytest.raises(UserError, match="is no name of a directory" if "\\" in name else "deltalake misreads"):
            mirror(store, f"delta:{tmp_path / 'lakes'}", schema=name)
        assert list(own.iterdir()) == []

    def test_a_path_that_deltalake_reads(self, store: Database, tmp_path: Path) -> None:
        lake = tmp_path / "a 100% #b?c caf\u00e9 \U0001f600 {a} x:y@z"
        mirror(store, f"delta:{lake}")
        assert (lake / "bench_db" / "results" / "_delta_log").is_dir()
        assert mirror(store, f"delta:{lake}", check=True).is_equal

    def test_without_the_package(self, store: Database, monkeypatch: pytest.MonkeyPatch, to: To) -> None:
        monkeypatch.setitem(sys.modules, "deltalake", None)
        with pytest.raises(UserError, match=r"pip install '\./packages/bench_db\[delta\]'"):
            to(store)

    def test_a_directory_that_is_a_file(self, store: Database, lake: Path, to: To) -> None:
        lake.write_text("mine")
        with pytest.raises(StoreUnavailableError, match=r"cannot be read or written: .*mirror again"):
            to(store)

    def test_the_command(self, store: Database, lake: Path) -> None:
        arguments = ("mirror", f"delta:{lake}", "--store", store.uri)
        assert bench_db(*arguments, "--check").code == 1
        written = bench_db(*arguments)
        assert (written.code, written.out.splitlines()[0]) == (
            0,
            f"schema bench_db of delta:{lake}: is equal to the store now",
        )
        assert bench_db(*arguments, "--check").code == 0


class _Waiting:
    """A progress that lets a second mirror finish at the first rows of results."""

    def __init__(self, between: Callable[[], object]) -> None:
        self._between: Callable[[], object] | None = between

    def __call__(self, _done: int, _total: int, doing: str = "") -> None:
        if doing == "results" and self._between is not None:
            between, self._between = self._between, None
            between()

    def say(self, _line: str) -> None:
        """Print nothing."""


class TestTogether:
    """Mirrors at once and a mirror that is killed leave whole tables."""

    def test_two_at_once(self, store: Database, lake: Path, to: To) -> None:
        assert two_at_once(store, to) == [(0, 0, 0), (RUNS, 0, 0)]
        assert len(_rows(lake, "results")) == len(ready_results(store))
        assert to(store, check=True).is_equal

    @pytest.mark.slow
    @pytest.mark.parametrize("publishing", [(70,), ()])
    def test_another_mirror_in_between(self, store: Database, to: To, publishing: tuple[int, ...]) -> None:
        """The one that commits second sees it, compares again, and writes no row twice."""
        if not publishing:
            to(store)  # the first of all mirrors appends, and later ones replace
            store.define([Definition(kind="join", field="", pattern="bench 1", value="renamed", at=9)])
        for number in publishing:
            publish(store, number)
        done = to(store, progress=_Waiting(lambda: to(connect(store.uri))))
        assert counts(done) == (0, 0, 0)
        assert to(store, check=True).is_equal

    @pytest.mark.slow
    def test_others_that_never_stop(self, store: Database, monkeypatch: pytest.MonkeyPatch, to: To) -> None:
        to(store)
        publish(store, 70)
        monkeypatch.setattr(DeltaSink, "_write", lambda *_args, **_how: False)
        with pytest.raises(ConflictError, match=r"another mirror wrote to it 10 times in between.*mirror again"):
            to(store)

    @pytest.mark.slow
    def test_killed_half_way(self, store: Database, lake: Path, to: To) -> None:
        to(store)
        before = dump(lake)
        for number in range(80, 84):
            publish(store, number)
        kill_half_way(store, f"delta:{lake}")
        assert dump(lake)["results"] == before["results"]
        assert counts(to(store)) == (4, 0, 0)
        assert to(store, check=True).is_equal


class TestBucket:
    """A mirror in a bucket is as one in a directory, and the bucket keeps two mirrors at once apart."""

    @pytest.fixture
    def bucket(self, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
        go_to(server, monkeypatch)
        return f"s3://{server.new_bucket()}"

    @pytest.fixture
    def to(self, bucket: str) -> To:
        return lambda database, **options: mirror(database, f"delta:{bucket}/lake", **options)

    @pytest.fixture
    def read(self, bucket: str, server: S3Server) -> Callable[[str], list[str]]:
        """Return a function that reads the rows of a table with Delta's own reader."""
        options = server.storage_options()
        return lambda name: sorted(
            map(
                str,
                DeltaTable(f"{bucket}/lake/bench_db/{name}", storage_options=options).to_pyarrow_table().to_pylist(),
            )
        )

    @pytest.mark.slow
    def test_the_same_rows_as_in_a_directory(
        self, store: Database, lake: Path, to: To, read: Callable[[str], list[str]]
    ) -> None:
        assert counts(to(store)) == (RUNS, 0, 0)
        mirror(store, f"delta:{lake}")
        assert {name: read(name) for name in TABLES} == dump(lake)
        assert to(store).is_equal
        publish(store, 41, branch="main")
        store.exclude([store.runs().collect()["run_key"][0]], reason="wrong machine", lifted=False, at=9, by="me")
        assert not to(store, check=True).is_equal
        assert counts(to(store)) == (1, 0, 1)
        assert to(store, check=True).is_equal

    def test_polars_reads_it(self, store: Database, bucket: str, server: S3Server, to: To) -> None:
        to(store)
        rows = pl.scan_delta(f"{bucket}/lake/bench_db/runs", storage_options=server.storage_options()).collect()
        assert sorted(rows["run_key"]) == sorted(store.runs().collect()["run_key"])

    @pytest.mark.slow
    def test_rebuild(self, store: Database, bucket: str, server: S3Server, to: To) -> None:
        """Dropped, truncated and altered tables come back."""
        to(store)
        address, options = f"{bucket}/lake/bench_db", server.storage_options()
        lost, prefix = bucket.removeprefix("s3://"), "lake/bench_db/commits/"
        with closing(server.client()) as client:
            for one in client.list_objects_v2(Bucket=lost, Prefix=prefix)["Contents"]:
                client.delete_object(Bucket=lost, Key=one["Key"])
        DeltaTable(f"{address}/findings", storage_options=options).delete()
        results = DeltaTable(f"{address}/results", storage_options=options)
        results.update(updates={"benchmark_name": "'other'"}, predicate="n > 0")
        checked = to(store, check=True)
        assert checked.faults == ("commits is missing",)
        assert not checked.tables["results"].is_equal
        to(store, rebuild=True)
        assert to(store, check=True).is_equal

    @pytest.mark.slow
    def test_two_at_once(self, store: Database, to: To, read: Callable[[str], list[str]]) -> None:
        assert two_at_once(store, to) == [(0, 0, 0), (RUNS, 0, 0)]
        assert len(read("results")) == len(ready_results(store))
        assert to(store, check=True).is_equal

    @pytest.mark.slow
    @pytest.mark.parametrize("unsafe", ["", "true"])
    def test_another_mirror_in_between(
        self, store: Database, to: To, monkeypatch: pytest.MonkeyPatch, unsafe: str
    ) -> None:
        """The one that commits second sees it, compares again, and writes no row twice; also where the environment allows less."""
        monkeypatch.setenv("AWS_S3_ALLOW_UNSAFE_RENAME", unsafe or "false")
        publish(store, 70)
        assert counts(to(store, progress=_Waiting(lambda: to(connect(store.uri))))) == (0, 0, 0)
        assert to(store, check=True).is_equal

    @pytest.mark.slow
    def test_killed_half_way(self, store: Database, bucket: str, to: To, read: Callable[[str], list[str]]) -> None:
        to(store)
        before = read("results")
        for number in range(80, 84):
            publish(store, number)
        kill_half_way(store, f"delta:{bucket}/lake")
        assert read("results") == before
        assert counts(to(store)) == (4, 0, 0)

    @pytest.mark.slow
    def test_tables_of_somebody_else(self, store: Database, bucket: str, server: S3Server, to: To) -> None:
        options = server.storage_options()
        write_deltalake(f"{bucket}/lake/bench_db/results", pa.table({"mine": [1]}), storage_options=options)
        with closing(server.client()) as client:
            client.put_object(Bucket=bucket.removeprefix("s3://"), Key="lake/other/runs/mine.txt", Body=b"mine")
        with pytest.raises(UserError, match="has 'results', which no mirror has made; choose another `schema`"):
            to(store)
        with pytest.raises(UserError, match="has 'runs', which no mirror has made"):
            to(store, schema="other", rebuild=True)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["a%20b", "a[1]", "a^b", "a|b", "a'b", "a//b", "a/../b", "./a"])
    def test_a_prefix_that_deltalake_misreads(self, store: Database, bucket: str, server: S3Server, name: str) -> None:
        address = f"delta:{bucket}/{name.replace('%', '%25')}"
        with pytest.raises(UserError, match=r"deltalake misreads .* in a path; choose another directory"):
            mirror(store, address)
        with closing(server.client()) as client:
            found = client.list_objects_v2(Bucket=bucket.removeprefix("s3://")).get("Contents", [])
        assert [one["Key"] for one in found if "_delta_log" in one["Key"]] == []

    @pytest.mark.slow
    def test_a_prefix_that_deltalake_reads(self, store: Database, bucket: str) -> None:
        for prefix in ("", "/a lake=b+c@d,e~f.g-h_i:j caf\u00e9/x/"):
            mirror(store, f"delta:{bucket}{prefix}")
            assert mirror(store, f"delta:{bucket}{prefix}", check=True).is_equal

    @pytest.mark.parametrize("check", [True, False])
    def test_a_bucket_that_is_not_there(self, store: Database, bucket: str, check: bool) -> None:  # noqa: FBT001
        with pytest.raises(StoreUnavailableError, match="the bucket does not exist"):
            mirror(store, f"delta:{bucket}-other/lake", check=check)

    @pytest.mark.slow
    def test_an_endpoint_without_conditional_writes(
        self, store: Database, server: S3Server, bucket: str, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two commits at once would lose one silently, so nothing is written."""
        go_to(replace(server, endpoint=proxy.endpoint), monkeypatch)
        proxy.inject(FaultRule(fault=Fault.IGNORE_CONDITION))
        with pytest.raises(StoreUnavailableError, match="ignores If-None-Match, so of two mirrors"):
            mirror(store, f"delta:{bucket}/lake")
