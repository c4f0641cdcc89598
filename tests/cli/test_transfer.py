"""Copy, export and import from the command line."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench_db import Direction, Provenance, connect, parse
from tests.cli.conftest import bench_db, bench_db_process
from tests.repository.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_LATEST = ("latest", "--output", "json", "--store")
_ROWS = {"runs": 48, "results": 250, "findings": 4, "artifacts": 1, "commits": 48, "scans": 2}


@pytest.fixture(scope="module")
def store(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("demo")
    shutil.copytree(demo_store, directory / "store")
    log = directory / "x.log"
    log.write_bytes(b"log\n")
    assert bench_db("artifact", "put", log, "--kind", "log", "--store", directory / "store").code == 0
    return directory / "store"


class TestSalvage:
    """`--salvage` brings the sound part of a damaged store, a line for each thing passed over, and ends with exit code 4."""

    @pytest.fixture
    def damaged(self, store: Path, tmp_path: Path) -> Path:
        shutil.copytree(store, tmp_path / "damaged")
        for path in (tmp_path / "damaged" / "results.lance" / "data").glob("*.lance"):
            path.write_bytes(path.read_bytes()[:1000])
        return tmp_path / "damaged"

    def test_copy(self, damaged: Path, tmp_path: Path) -> None:
        answer = bench_db("store", "copy", damaged, tmp_path / "copy", "--salvage")
        assert answer.code == 4
        assert "passed over, " in answer.out
        assert "0 of 5 rows are sound; publish its file again\n" in answer.out
        assert "are damaged and were passed over, as listed; everything else was brought" in answer.err
        assert bench_db("store", "verify", "--store", tmp_path / "copy").code == 0

    def test_export(self, damaged: Path, tmp_path: Path) -> None:
        answer = bench_db("store", "export", tmp_path / "out", "--salvage", "--store", damaged, "--output", "json")
        assert answer.code == 4
        assert answer.document["files"]["commits.parquet"]["rows"] == _ROWS["commits"]
        assert {one["table"] for one in answer.document["passed_over"]} == {"results", "runs"}

    def test_a_sound_store(self, store: Path, tmp_path: Path) -> None:
        answer = bench_db("store", "copy", store, tmp_path / "copy", "--salvage")
        assert (answer.code, "passed over" in answer.out) == (0, False)

    def test_no_store(self, tmp_path: Path) -> None:
        answer = bench_db("store", "copy", tmp_path / "none", tmp_path / "copy", "--salvage")
        assert (answer.code, "no store at" in answer.err) == (3, True)
        assert not (tmp_path / "copy").exists()


class TestCopy:
    """A store is brought to another address, whole, once."""

    def test_twice(self, store: Path, tmp_path: Path) -> None:
        for new in (True, False):
            done = bench_db("store", "copy", store, tmp_path / "copy", "--output", "json").document
            assert done["tables"] == {name: {"rows": n, "new": n if new else 0} for name, n in _ROWS.items()}
            assert (done["source"], done["target"]) == (str(store), str(tmp_path / "copy"))
            assert (done["files"], done["replaced"], done["differing"], done["missing"]) == (int(new), [], [], [])
        assert bench_db(*_LATEST, tmp_path / "copy").document == bench_db(*_LATEST, store).document
        assert bench_db("store", "verify", "--store", tmp_path / "copy").code == 0

    def test_text(self, store: Path, tmp_path: Path) -> None:
        answer = bench_db_process("store", "copy", store, tmp_path / "copy")
        assert (answer.code, answer.err) == (0, "")
        assert "results     250  250\n" in answer.out

    def test_without_artifacts(self, store: Path, tmp_path: Path) -> None:
        assert bench_db("store", "copy", store, tmp_path / "copy", "--no-artifacts").code == 0
        assert not (tmp_path / "copy" / "artifacts").exists()

    def test_one_run(self, store: Path, tmp_path: Path) -> None:
        words = ("query", "select run_id, results from runs limit 1", "--store", store, "--output", "json")
        [run] = bench_db(*words).document
        for verb in (("copy", store, tmp_path / "copy"), ("export", tmp_path / "out", "--store", store)):
            answer = bench_db("store", *verb, "--run", run["run_id"], "--output", "json").document
            found = answer.get("tables") or answer["files"]
            assert {name.partition(".")[0]: table["rows"] for name, table in found.items()} == {
                **dict.fromkeys(_ROWS, 0),
                "commits": 48,  # the order of commits goes with any run
                "runs": 1,
                "results": run["results"],
            }
        assert bench_db("store", "copy", store, tmp_path / "copy", "--run", "none").code == 2

    def test_from_nowhere_makes_nothing(self, tmp_path: Path) -> None:
        assert bench_db("store", "copy", tmp_path / "none", tmp_path / "copy").code == 3
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.slow
    def test_differing_runs_are_told_and_replaced_when_asked(self, tmp_path: Path) -> None:
        [file, *_] = sorted((ROOT / "packages/bench_db/src/bench_db/demo/pytest-benchmark").glob("*.json"))
        run, results = parse(file, provenance=Provenance(dut_version="1", dut_timestamp=1, test_bed_name="b"))
        connect(tmp_path / "a", create=True).publish(results, run)
        connect(tmp_path / "b", create=True).publish([replace(r, direction=Direction.INFO) for r in results], run)
        copy = ("store", "copy", tmp_path / "a", tmp_path / "b", "--output", "json")
        told = bench_db(*copy)
        assert (told.code, len(told.document["differing"])) == (2, 1)
        assert told.document["differing"][0] in told.err
        assert "--replace" in told.err
        replaced = bench_db(*copy, "--replace")
        assert (replaced.code, len(replaced.document["replaced"])) == (0, 1)
        assert bench_db(*_LATEST, tmp_path / "b").document == bench_db(*_LATEST, tmp_path / "a").document

    def test_what_could_not_be_copied_is_an_error(self, store: Path, tmp_path: Path) -> None:
        assert bench_db("store", "copy", store, tmp_path / "a").code == 0
        [file] = [path for path in (tmp_path / "a" / "artifacts").rglob("*") if path.is_file()]
        file.unlink()
        for words in (
            ("store", "copy", tmp_path / "a", tmp_path / "b"),
            ("store", "export", tmp_path / "c", "--store", tmp_path / "a"),
        ):
            answer = bench_db(*words, "--output", "json")
            assert (answer.code, answer.document["missing"]) == (4, [file.name])
            assert file.name in answer.err


class TestExportImport:
    """A backup is a directory of files; what is restored from it answers as the original did."""

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["parquet", "jsonl"])
    def test_there_and_back(self, store: Path, tmp_path: Path, name: str) -> None:
        exported = bench_db(
            "store", "export", tmp_path / "out", "--format", name, "--store", store, "--output", "json"
        ).document
        assert {file: f["rows"] for file, f in exported["files"].items()} == {
            f"{t}.{name}": n for t, n in _ROWS.items()
        }
        assert (exported["artifacts"], exported["missing"]) == (1, [])
        for new in (True, False):
            words = ("store", "import", tmp_path / "out", "--store", tmp_path / "new", "--output", "json")
            done = bench_db(*words).document
            assert done["tables"]["results"] == {"rows": 250, "new": 250 if new else 0}
        assert bench_db(*_LATEST, tmp_path / "new").document == bench_db(*_LATEST, store).document

    def test_text(self, store: Path, tmp_path: Path) -> None:
        answer = bench_db("store", "export", tmp_path / "out", "--store", store)
        assert "results.parquet" in answer.out
        assert "250" in bench_db("store", "import", tmp_path / "out", "--store", tmp_path / "new").out

    def test_a_damaged_backup_makes_no_store(self, store: Path, tmp_path: Path) -> None:
        assert bench_db("store", "export", tmp_path / "out", "--store", store).code == 0
        (tmp_path / "out" / "results.parquet").write_bytes(b"x")
        answer = bench_db("store", "import", tmp_path / "out", "--store", tmp_path / "new")
        assert (answer.code, len(answer.err.splitlines())) == (2, 1)
        assert "results.parquet" in answer.err
        assert not (tmp_path / "new").exists()

    def test_as_of(self, store: Path, tmp_path: Path) -> None:
        words = ("store", "export", tmp_path / "out", "--as-of", "1", "--store", store, "--output", "json")
        assert bench_db(*words).document["files"]["results.parquet"]["rows"] == 0
        assert bench_db("store", "export", tmp_path / "out", "--as-of", "never", "--store", store).code == 2
