"""The state of a store as text."""

import json
from dataclasses import replace

import pytest

from bench_db.model import (
    Export,
    Moved,
    Problem,
    ProjectionInfo,
    Recomputed,
    StoreChange,
    StoreInfo,
    TableFile,
    TableInfo,
    Transfer,
    Upgrade,
    Verification,
)
from bench_db.report import store

RESULTS = TableInfo(
    name="results",
    rows=12345,
    fragments=7,
    bytes=3 * 2**20,
    bytes_on_disk=5 * 2**20,
    version=41,
    indexes=("run_key", "commit"),
)
INFO = StoreInfo(
    uri="/data/store",
    tables=(RESULTS, replace(RESULTS, name="runs", indexes=())),
    tags={"release": 40},
    maintenance_due=True,
    migrations=("one",),
    pending=("two", "three"),
)


def words(line: str) -> list[str]:
    return line.split()


class TestInfo:
    """Every table has a line, and what is due or pending is said with what to do."""

    def test_lines(self) -> None:
        uri, _, _, results, runs, *rest = store.info_text(INFO).split("\n")
        assert uri == "/data/store"
        assert words(results) == ["results", "12,345", "7", "3.000", "MiB", "5.000", "MiB", "41", "run_key,", "commit"]
        assert words(runs)[-1] == "-"
        assert rest == [
            "tags: release = 40",
            "maintenance: due at the next publish",
            "migrations: two, three; see 'bench-db store migrate --dry-run'",
            "history projection: none, so histories are read from the results; maintenance makes it where there are many",
        ]

    def test_nothing_due(self) -> None:
        calm = store.info_text(replace(INFO, tags={}, maintenance_due=False, pending=()))
        assert calm.split("\n")[-4:-1] == ["tags: none", "maintenance: not due", "migrations: none pending"]

    def test_the_projection(self) -> None:
        known = ProjectionInfo(levels=2, rows=12000, rows_outside=345, bytes=2**20)
        some, all_of_them = (
            store.info_text(replace(INFO, projection=projection)).split("\n")[-1]
            for projection in (known, replace(known, levels=1, rows_outside=0))
        )
        assert some == "history projection: 12,000 results in 2 levels, 1.000 MiB; 345 more are read beside it"
        assert all_of_them == "history projection: 12,000 results in 1 level, 1.000 MiB; no result is outside it"


class TestVerification:
    """Harmless problems are listed and leave the store sound; any other does not."""

    HARMLESS = Problem(kind="orphan", table="runs", count=3, example="a\nb", harmless=True)

    def test_sound(self) -> None:
        found = Verification(rows=1234, runs=5, problems=(self.HARMLESS,))
        assert store.verification_text(found).split("\n") == [
            "1,234 results of 5 runs read: all sound",
            "runs: 3 x orphan (first: a\\nb)",
        ]

    @pytest.mark.parametrize(("sampled", "read"), [(None, "read: sound"), (5, "counted: no damage found")])
    def test_lost_rows_are_not_all_sound(self, sampled: int | None, read: str) -> None:
        """A repaired store is sound, and its runs without rows are named in the same line."""
        lost = replace(self.HARMLESS, kind="runs without rows", runs=("1", "2", "3"))
        head, *_ = store.verification_text(Verification(rows=0, runs=3, problems=(lost,), sampled=sampled)).split("\n")
        assert head == f"0 results of 3 runs {read}, but for the runs below"

    def test_not_sound(self) -> None:
        found = Verification(rows=1, runs=1, problems=(self.HARMLESS, replace(self.HARMLESS, harmless=False)))
        assert store.verification_text(found).split("\n")[0].endswith("NOT SOUND")

    def test_a_quick_one(self) -> None:
        found = Verification(rows=1234, runs=5, problems=(), sampled=1000, seed=3, unchecked=("indexes", "samples"))
        assert store.verification_text(found).split("\n") == [
            "1,234 results of 5 runs counted: no damage found",
            "1,000 of them compared with their checksums, chosen at random (--seed 3 chooses the same)",
            "not checked, as 'bench-db store verify' without --quick does: indexes; samples",
        ]


class TestTransfer:
    """Keys of runs are texts in JSON, and a line a table says what is new of it."""

    DONE = Transfer(tables={"results": Moved(rows=1500, new=1000)}, files=2, replaced=(255,), differing=(1, 2))

    def test_json(self) -> None:
        document = json.loads(json.dumps(store.transfer_json(self.DONE)))
        assert document["replaced"] == ["00000000000000ff"]
        assert document["differing"] == ["0000000000000001", "0000000000000002"]
        assert document["tables"] == {"results": {"rows": 1500, "new": 1000}}

    def test_text(self) -> None:
        *_, results, end = store.transfer_text(self.DONE).split("\n")
        assert words(results) == ["results", "1,500", "1,000"]
        assert end == "2 files of artifacts, 1 runs replaced"
        assert store.transfer_text(replace(self.DONE, replaced=())).endswith("2 files of artifacts")


class TestExport:
    """Each file has its rows, its size and the begin of its checksum."""

    def test_text(self) -> None:
        one = TableFile(rows=1500, bytes=2048, sha256="0123456789abcdef" * 4)
        *_, results, end = store.export_text(Export(files={"results.parquet": one}, artifacts=3, missing=())).split(
            "\n"
        )
        name, rows, size, unit, checksum = words(results)
        assert (name, rows, size, unit) == ("results.parquet", "1,500", "2.000", "KiB")
        assert one.sha256.startswith(checksum)
        assert end == "3 files of artifacts"


class TestMigration:
    """A dry run says what would change; a store without need says that."""

    def test_text(self) -> None:
        steps = [
            StoreChange(name="a", description="add a column"),
            StoreChange(name="b", description="fill", rows=1500),
        ]
        lines = ["  a: add a column", "  b: fill (1,500 rows)"]
        assert store.migration_text(steps, dry_run=False).split("\n") == ["changed", *lines]
        assert store.migration_text(steps, dry_run=True).split("\n") == ["would change", *lines]
        assert store.migration_text([], dry_run=True).startswith("nothing to do")


class TestUpgrade:
    """Each count of an upgrade has its own line."""

    DONE = Upgrade(
        needed=True,
        rows_before=1500,
        rows_after=1400,
        runs=30,
        columns_added=("suite", "metric"),
        criterion_repaired=11,
        units_unified=12,
        commits_parsed=13,
        copies_collapsed=100,
        cpus_unknown=14,
        series=15,
        definitions=16,
    )

    def test_text(self) -> None:
        head, columns, *counts = store.upgrade_text(self.DONE, dry_run=False).split("\n")
        assert head == "changed: 1,500 rows before, 1,400 after, 30 runs"
        assert columns == "  columns added: suite, metric"
        assert [words(line)[-1] for line in counts] == ["11", "12", "13", "100", "14", "15", "16"]

    def test_a_dry_run(self) -> None:
        assert store.upgrade_text(self.DONE, dry_run=True).startswith("would change: 1,500")

    def test_no_need(self) -> None:
        done = replace(self.DONE, needed=False)
        assert store.upgrade_text(done, dry_run=False) == "nothing to do: 1,500 results are of the present kind"


class TestRecomputed:
    """Counts, then the ids of results that are stored with other statistics."""

    def test_lines(self) -> None:
        found = Recomputed(results=2000, computed=1500, differing=1, examples=("an id",))
        head, *ids = store.recomputed_text(found).split("\n")
        assert head == "1,500 of 2,000 results have all their samples; 1 are stored with other statistics"
        assert ids == ["an id"]
