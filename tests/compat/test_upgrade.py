from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import lance
import pytest

from bench_db.app.definitions import define
from bench_db.arrow import RESULTS, ROW_CHECKSUM, to_table
from bench_db.compat.upgrade import TAG, upgrade
from bench_db.derive import derive
from bench_db.errors import SchemaMismatchError
from bench_db.ingest import Provenance, parse
from bench_db.store.database import connect
from tests.compat import nights, upstream
from tests.store import releases
from tests.store.carriers import publish
from tests.strategies import publication

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """A database as lance-bench leaves it: one table of ten columns."""
    _, results = derive(*publication(1))
    rows = to_table(results, RESULTS).select(RESULTS.names[:10])
    lance.write_dataset(rows, str(tmp_path / "seed" / "results.lance"))
    return tmp_path / "seed"


class TestUpgrade:
    """A database of lance-bench is refused with the verb that upgrades it, and is a store afterwards."""

    def test_refused_before(self, seed: Path) -> None:
        with pytest.raises(SchemaMismatchError, match=r"older kind, a table of lance-bench.*store upgrade --dry-run"):
            connect(seed)

    def test_a_dry_run(self, seed: Path) -> None:
        done = upgrade(seed, dry_run=True)
        assert (done.needed, done.rows_before, done.rows_after, done.runs) == (True, 3, 3, 1)
        assert done.columns_added == (*RESULTS.names[10:], ROW_CHECKSUM)
        assert [path.name for path in seed.iterdir()] == ["results.lance"]

    def test_a_store_afterwards(self, seed: Path) -> None:
        assert upgrade(seed).rows_after == 3
        store = connect(seed)
        assert store.verify().problems == ()
        assert store.info().tags == {TAG: 1}
        assert (store.info().pending, store.migrate()) == ((), [])
        publish(store, 2)
        assert len(store.results()) == 6
        assert not upgrade(seed).needed

    @pytest.mark.parametrize("version", [TAG, 1])
    def test_the_state_before_says_that_lancedb_reads_it(self, seed: Path, version: str | int) -> None:
        upgrade(seed)
        reason = rf"version {version} is from before the upgrade of this database, and only LanceDB reads it"
        with pytest.raises(SchemaMismatchError, match=reason):
            connect(seed).latest(as_of=version)
        with pytest.raises(SchemaMismatchError, match=reason):
            connect(seed).restore(version)

    def test_series_continue(self, seed: Path) -> None:
        preview = upgrade(seed, dry_run=True)
        done = upgrade(seed)
        assert (preview.series, preview.definitions) == (done.series, done.definitions) == (3, 2)
        defined = [(record.kind, record.pattern, record.value) for record in connect(seed).definitions()]
        assert defined == [("pool", "bed", ""), ("alias", "", "*")]

    def test_a_store_that_an_older_release_upgraded(self, seed: Path) -> None:
        upgrade(seed)
        shutil.rmtree(seed / "definitions.lance")
        assert upgrade(seed, dry_run=True).definitions == 2
        assert connect(seed).definitions() == []
        done = upgrade(seed)
        assert (done.needed, done.rows_before, done.rows_after, done.series, done.definitions) == (True, 3, 3, 3, 2)
        assert len(connect(seed).definitions()) == 2

    def test_an_ended_definition_stays_ended(self, seed: Path) -> None:
        upgrade(seed)
        define(seed, "pool", "bed", lifted=True)
        assert not upgrade(seed).needed
        assert [record.kind for record in connect(seed).definitions()] == ["alias"]

    @pytest.mark.parametrize(("stored", "cpu"), [("x86_64", ""), ("AMD64", ""), ("AMD EPYC 7763", "AMD EPYC 7763")])
    def test_an_architecture_is_no_cpu(self, tmp_path: Path, stored: str, cpu: str) -> None:
        row = upstream.rows("dbpedia", nights.output(0)["dbpedia"], version="1", commit_time=1, now=2, bed="b")[0]
        upstream.publish(tmp_path, [{**row, "test_bed": {**row["test_bed"], "cpu": stored}}])
        assert upgrade(tmp_path).cpus_unknown == (stored != cpu)
        assert [result.test_bed.cpu for result in connect(tmp_path).results()] == [cpu]

    @pytest.mark.parametrize("format_name", sorted(upstream.PUBLISHERS))
    def test_rows_as_the_adapters_read_the_file(self, tmp_path: Path, format_name: str) -> None:
        text, version = nights.output(0)[format_name], nights.version(0)
        upstream.publish(
            tmp_path / "db",
            upstream.rows(format_name, text, version=version, commit_time=1, now=2, bed=nights.BED),
        )
        upgrade(tmp_path / "db")
        (tmp_path / "raw").write_text(text)
        stated = Provenance(dut_name="lance", dut_version=version, dut_timestamp=1, test_bed_name=nights.BED)
        _, read = parse(tmp_path / "raw", format_name, provenance=stated)
        expected = {row.benchmark_name: row for row in read if row.metric in {"time", "recall"}}
        upgraded = connect(tmp_path / "db").results()
        assert len(upgraded) == len(expected)
        for row in upgraded:
            for name in (
                "values",
                "summary",
                "n",
                "units",
                "metric",
                "direction",
                "tags",
                "iterations",
                "throughput",
                "lower",
                "upper",
            ):
                assert getattr(row, name) == getattr(expected[row.benchmark_name], name), name

    def test_a_store_of_an_older_release_is_none(self, tmp_path: Path) -> None:
        done = upgrade(releases.unpacked("0.1", tmp_path))
        assert (done.needed, done.rows_before) == (False, releases.expected("0.1")["rows"]["results"])

    def test_another_table_is_refused(self, seed: Path) -> None:
        lance.dataset(str(seed / "results.lance")).drop_columns(["units"])
        with pytest.raises(SchemaMismatchError, match="columns that no version wrote"):
            upgrade(seed)
        with pytest.raises(SchemaMismatchError, match="which every release has written"):
            connect(seed)
