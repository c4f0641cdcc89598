from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bench_db
from bench_db import FilePlace, S3Place, place
from bench_db.errors import CorruptStoreError, DamagedStoreWarning, StoreNotFoundError, UserError
from bench_db.store.database import connect, unopened
from tests.repository.tree import ROOT
from tests.store.conftest import bucket_uri
from tests.support import damage
from tests.support.needs import lacking
from tests.support.several_stores import NAMES, filled_collection

if TYPE_CHECKING:
    from bench_db import Place

pytestmark = pytest.mark.sample(4)

__all__ = ["bucket_uri"]  # a fixture


@pytest.fixture
def collection(tmp_path: Path) -> FilePlace:
    return filled_collection(tmp_path / "experiments")


def damaged(collection: Place, name: str) -> None:
    """Remove the manifests of the results of a store, so that they cannot be opened."""
    shutil.rmtree(Path(collection.scoped(name).address) / "runs.lance/_versions")


class TestDescribeStores:
    """Each store below is a row, also one that cannot be read."""

    def test_rows(self, collection: FilePlace) -> None:
        rows = collection.describe_stores()
        assert rows.columns == ["store", "address", "runs", "results", "error", "published_at"]
        assert rows["store"].to_list() == NAMES
        assert rows["address"].to_list() == [collection.scoped(name).address for name in NAMES]
        assert rows.select("runs", "results", "error").rows() == [(1, 1, None), (1, 2, None), (1, 1, None)]
        assert all(isinstance(at, datetime) and at.tzinfo is not None for at in rows["published_at"])

    def test_a_damaged_store_hides_no_other(self, collection: FilePlace) -> None:
        damaged(collection, NAMES[1])
        rows = collection.describe_stores()
        assert rows["runs"].to_list() == [1, None, 1]
        assert rows["error"][1].startswith(collection.scoped(NAMES[1]).address)

    @pytest.mark.parametrize("table", ["results", "runs"])
    def test_a_store_that_has_lost_a_table(self, collection: FilePlace, table: str) -> None:
        shutil.rmtree(Path(collection.scoped(NAMES[1]).address) / f"{table}.lance")
        rows = collection.describe_stores()
        assert rows["store"].to_list() == NAMES
        assert rows["runs"].to_list() == [1, None, 1]
        assert f"no table {table}" in rows["error"][1]
        if table == "results":
            with pytest.raises(StoreNotFoundError, match="no table results, but runs: restore results"):
                collection.latest()

    @pytest.mark.parametrize("is_emptied", [True, False], ids=["emptied", "deleted"])
    def test_what_a_store_without_its_results_has(self, collection: FilePlace, *, is_emptied: bool) -> None:
        """A table that lost its files is none of the others, and no command advises to make a store."""
        address = Path(collection.scoped(NAMES[1]).address)
        shutil.rmtree(address / "results.lance")
        if is_emptied:
            (address / "results.lance").mkdir()
        with pytest.raises(StoreNotFoundError, match="no table results, but runs: restore results"):
            connect(address)
        database = unopened(address)
        with database.one_look():  # as every command does
            reports = [database.verify(), database.verify_quickly(1)]
        for found in reports:
            (problem,) = (p for p in found.problems if p.table == "results")
            assert "no table results, but runs: restore results" in problem.example
            assert "store init" not in problem.example

    def test_none(self, tmp_path: Path) -> None:
        rows = FilePlace(root=str(tmp_path)).describe_stores()
        assert (rows.height, rows.columns[:2]) == (0, ["store", "address"])


class TestRows:
    """Every row of an answer names its store, and is that of the store."""

    def test_latest(self, collection: FilePlace) -> None:
        rows = collection.latest()
        assert rows.columns[0] == "store"
        assert rows["store"].to_list() == [NAMES[0], NAMES[1], NAMES[1], NAMES[2]]
        for name in NAMES:
            assert rows.filter(store=name).drop("store").equals(collection.for_store(name).connect().latest())

    def test_conditions(self, collection: FilePlace) -> None:
        assert collection.latest(benchmark="g")["store"].to_list() == [NAMES[1]]
        assert collection.latest(last=1)["store"].to_list() == NAMES
        assert collection.latest(benchmark="none").is_empty()
        assert collection.latest(since="2030-01-01").is_empty()

    def test_query(self, collection: FilePlace) -> None:
        counts = collection.query("SELECT store, COUNT(*) AS n FROM results GROUP BY store ORDER BY store")
        assert counts.rows() == list(zip(NAMES, [1, 2, 1], strict=True))
        joined = "SELECT r.store FROM runs r JOIN latest l ON r.run_key = l.run_key AND r.store = l.store"
        assert collection.query(joined).height == 4
        assert collection.query("SELECT * FROM definitions").columns[0] == "store"
        assert collection.query("SELECT * FROM results", limit_rows=2).height == 2
        with pytest.raises(UserError, match="no table 'nowhere'"):
            collection.query("SELECT * FROM nowhere")
        with pytest.raises(UserError, match="refused: a query reads tables of the store alone"):
            collection.query("SELECT * FROM read_csv('x')")

    def test_to_dataframe(self, collection: FilePlace) -> None:
        rows = collection.to_dataframe()
        shown = rows.select("store", "benchmark_name", "tag_framework", "tag_batch").rows()
        assert shown == [
            (NAMES[0], "f", "flax", None),
            (NAMES[1], "f", "flax", "32"),
            (NAMES[1], "g", None, None),
            (NAMES[2], "f", "flax", None),
        ]

    def test_no_store(self, tmp_path: Path, collection: FilePlace) -> None:
        (tmp_path / "empty").mkdir()
        empty = FilePlace(root=str(tmp_path / "empty"))
        for ask in (
            empty.latest,
            empty.to_dataframe,
            lambda: empty.query("SELECT 1"),
            lambda: empty.site(tmp_path / "out"),
        ):
            with pytest.raises(UserError, match="empty: no store directly below"):
                ask()
        assert not (tmp_path / "out").exists()
        with pytest.raises(StoreNotFoundError, match="no directory"):
            FilePlace(root=str(tmp_path / "none")).latest()
        with pytest.raises(UserError, match="is the place of one store"):
            collection.scoped(NAMES[0]).latest()

    def test_a_damaged_store_is_an_error_that_names_it(self, collection: FilePlace) -> None:
        shutil.rmtree(Path(collection.scoped(NAMES[1]).address) / "results.lance/_versions")
        with pytest.raises(
            (CorruptStoreError, StoreNotFoundError),
            match=r"my_exp=3a1\.0: results has data files but no readable version",
        ):
            collection.latest()


class TestSite:
    """A page lists the stores, and leads to the site of each."""

    def test_site(self, collection: FilePlace, tmp_path: Path) -> None:
        out = tmp_path / "public"
        done = collection.site(out, title="Experiments")
        pages = sorted(str(path.relative_to(out)) for path in out.rglob("index.html"))
        assert pages == ["index.html", *(f"stores/{d}/index.html" for d in ("=4dy=20exp", "my_exp=3a1.0", "other.1"))]
        assert done.files == sum(path.is_file() and path.name != "manifest.json" for path in out.rglob("*"))
        assert "my_exp:1.0 · Experiments" in (out / pages[2]).read_text()
        again = collection.site(out, title="Experiments")
        assert (again.files, again.written, again.removed) == (done.files, 0, 0)

    def test_charts(self, collection: FilePlace, tmp_path: Path) -> None:
        """Those of a store that has the benchmark; one that no store has is refused before anything is written."""
        collection.site(tmp_path / "out", charts=["g"])
        assert [path.parent.name for path in (tmp_path / "out").rglob("chart-*.svg")] == ["my_exp=3a1.0"]
        with pytest.raises(UserError, match="'x\\*' matches no benchmark"):
            collection.site(tmp_path / "other", charts=["g", "x*"])
        assert not (tmp_path / "other").exists()


class TestCopyTo:
    """Stores go to those of the same names, one or all, between any two places; a repetition adds nothing."""

    def test_all(self, collection: FilePlace, tmp_path: Path) -> None:
        backup = FilePlace(root=str(tmp_path / "backup"))
        done = collection.copy_to(backup)
        assert {name: one.tables["results"].new for name, one in done.items()} == dict(
            zip(NAMES, [1, 2, 1], strict=True)
        )
        assert backup.list_stores() == NAMES
        assert backup.latest().drop("published_at").equals(collection.latest().drop("published_at"))
        assert {one.tables["results"].new for one in collection.copy_to(backup).values()} == {0}

    def test_one(self, collection: FilePlace, tmp_path: Path) -> None:
        backup = FilePlace(root=str(tmp_path / "backup"))
        assert list(collection.scoped("my_exp:1.0").copy_to(backup)) == ["my_exp:1.0"]
        collection.scoped("my_exp:1.0").copy_to(backup.scoped("renamed"))
        assert backup.list_stores() == ["my_exp:1.0", "renamed"]
        assert backup.for_store("renamed").connect().latest().height == 2

    @pytest.mark.slow
    def test_to_a_bucket_and_back(self, collection: FilePlace, tmp_path: Path, bucket_uri: str) -> None:
        bucket = place(bucket_uri)
        assert isinstance(bucket, S3Place)
        collection.copy_to(bucket)
        assert bucket.list_stores() == NAMES
        back = FilePlace(root=str(tmp_path / "back"))
        bucket.copy_to(back)
        query = "SELECT * EXCLUDE (published_at, ingested_at) FROM runs ORDER BY store, run_key"
        assert back.query(query).equals(collection.query(query))
        values = 'SELECT store, id, "values", tags FROM results ORDER BY store, id'
        assert back.query(values).equals(collection.query(values))

    def test_a_store_with_a_torn_manifest(self, collection: FilePlace, tmp_path: Path) -> None:
        store = Path(collection.scoped(NAMES[1]).address)
        for path in damage.live_files(store, "results", "manifest"):
            damage.spoil(path, "halve")
        with pytest.raises(CorruptStoreError, match=r"my_exp=3a1\.0"):
            collection.copy_to(FilePlace(root=str(tmp_path / "copy")))
        done = collection.copy_to(FilePlace(root=str(tmp_path / "salvaged")), salvage=True)
        assert {name: len(one.passed_over) > 0 for name, one in done.items()} == {
            name: name == NAMES[1] for name in NAMES
        }
        with pytest.warns(DamagedStoreWarning, match=r"my_exp=3a1\.0"):
            assert collection.latest()["store"].to_list() == [NAMES[0], NAMES[2]]

    def test_options(self, collection: FilePlace, tmp_path: Path) -> None:
        backup = FilePlace(root=str(tmp_path / "backup"))
        with pytest.raises(UserError, match="no run is called 'none'"):
            collection.copy_to(backup, runs=["none"])


class TestToDataframe:
    """The results of a store are a frame with a column for each tag."""

    def test_order_and_tags(self, tmp_path: Path) -> None:
        store = bench_db.connect(tmp_path / "store", create=True)
        for number in (2, 0, 1):
            at = datetime(2026, 1, 1 + number, tzinfo=UTC)
            with store.record(
                "d", commit=f"{number:x}" * 40, dut_timestamp=at, test_bed_name="t", environment={}
            ) as run:
                run.add("f", [1.0, 3.0], unit="s", tags={"n": number} | ({"k v": "x"} if number else {}))
        rows = store.to_dataframe()
        assert rows.select("commit", "median", "values", "tag_n", "tag_k v").rows() == [
            (f"{n}" * 40, 2e9, [1e9, 3e9], str(n), "x" if n else None) for n in range(3)
        ]
        assert not {"tags", "tags_key"} & set(rows.columns)
        assert store.to_dataframe(tags={"n": "1"})["commit"].to_list() == ["1" * 40]

    def test_nothing(self, tmp_path: Path) -> None:
        assert bench_db.connect(tmp_path / "store", create=True).to_dataframe().is_empty()

    @pytest.mark.slow
    def test_pandas(self, collection: FilePlace, tmp_path: Path) -> None:
        """In an environment of its own on top of this one: where pandas is installed, Lance imports it at each start."""
        code = (
            "import sys, bench_db; frame = bench_db.place(sys.argv[1]).to_dataframe()\n"
            "print(list(frame.to_pandas()['store']) == frame['store'].to_list(), len(frame))"
        )
        command = ["uv", "run", "--quiet", "--no-sync", "--project", ROOT, "--with", "pandas", "python", "-c", code]
        done = subprocess.run(
            [*map(str, command), collection.root], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        if done.returncode and "Failed to " in done.stderr:
            lacking(f"pandas cannot be installed here: {done.stderr.strip()[-300:]}")
        assert (done.stdout, done.returncode) == ("True 4\n", 0), done.stderr
