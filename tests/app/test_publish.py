from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench_db.app.publish import preview, publish
from bench_db.errors import BenchDbError, UserError
from bench_db.ingest import Provenance
from bench_db.store.database import connect

DATA = Path(__file__).parents[2] / "packages/bench_db/src/bench_db/demo/pytest-benchmark"
FILES = sorted(DATA.glob("*.json"))[:2]
BUILD = Provenance(dut_name="d", dut_version="1", dut_timestamp=1)


class TestPublish:
    """Publishing twice adds nothing, and an unreadable file leaves the store as it was."""

    def test_twice(self, tmp_path: Path) -> None:
        first = publish(tmp_path / "store", *FILES, provenance=BUILD)
        again = publish(tmp_path / "store", *FILES, provenance=BUILD)
        stored = connect(tmp_path / "store").scan().collect().height
        assert (first.new, first.unchanged) == (stored, 0)
        assert (again.new, again.unchanged) == (0, stored)
        assert [file.path for file in first.files] == [str(path) for path in FILES]

    def test_a_directory_is_its_files(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        for file in FILES:
            shutil.copy(file, tmp_path / "out")
        done: list[tuple[int, int]] = []
        found = publish(
            tmp_path / "store", tmp_path / "out", provenance=BUILD, progress=lambda *counts: done.append(counts)
        )
        assert [Path(file.path).name for file in found.files] == [file.name for file in FILES]
        assert done == [(1, 2), (2, 2)]

    def test_all_are_read_before_the_first_is_stored(self, tmp_path: Path) -> None:
        (tmp_path / "broken.json").write_text("{")
        with pytest.raises(BenchDbError, match=r"broken\.json"):
            publish(tmp_path / "store", FILES[0], tmp_path / "broken.json", provenance=BUILD)
        assert not (tmp_path / "store").exists()

    @pytest.mark.parametrize(
        ("given", "missing"),
        [
            (Provenance(dut_name="d", dut_timestamp=1), "DUT version could not be determined"),
            (Provenance(dut_name="d", dut_version="1"), "DUT timestamp could not be determined"),
        ],
    )
    def test_the_build_is_required(self, given: Provenance, missing: str, tmp_path: Path) -> None:
        file = tmp_path / "one.json"
        file.write_text('{"results": [{"benchmark_name": "sum", "values_ns": [1, 2]}]}')
        with pytest.raises(UserError, match=missing):
            publish(tmp_path / "store", file, format="values-ns", provenance=given)


class TestPreview:
    """A preview reports the files that publishing would store, and stores nothing."""

    def test_as_publishing(self, tmp_path: Path) -> None:
        shown = preview(*FILES, provenance=BUILD)
        stored = publish(tmp_path / "store", *FILES, provenance=BUILD)
        assert (shown.dry_run, stored.dry_run) == (True, False)
        assert (list(shown.files), shown.new) == (list(stored.files), stored.new)
