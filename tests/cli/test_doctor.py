from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import bench_db

if TYPE_CHECKING:
    from pathlib import Path


class TestDoctor:
    """Every check reports its result; the exit code is 3 exactly when a check fails."""

    def test_healthy(self, demo_store: Path) -> None:
        answer = bench_db("doctor", "--store", demo_store, "--output", "json")
        found = {check["name"]: check["finding"] for check in answer.document["checks"]}
        assert (answer.code, answer.document["healthy"], answer.err) == (0, True, "")
        assert list(found) == ["installation", "address", "directory", "store", "clock"]
        assert found["store"] == "250 results of 48 runs"

    def test_a_missing_store_is_not_created(self, tmp_path: Path) -> None:
        answer = bench_db("doctor", BENCH_DB_URI=str(tmp_path / "new"))
        assert answer.code == 0
        assert "bench-db store init" in answer.out.splitlines()[-1]
        assert list(tmp_path.iterdir()) == []

    def test_a_bad_address(self) -> None:
        answer = bench_db("doctor", "--store", "ftp://host/x", "--output", "json")
        assert (answer.code, answer.document["healthy"]) == (3, False)
        assert [check["passed"] for check in answer.document["checks"]] == [True, False]

    @pytest.mark.parametrize("damage", ["file", "table"])
    def test_a_failed_check_is_marked(self, demo_copy: Path, damage: str) -> None:
        if damage == "table":
            for manifest in (demo_copy / "results.lance" / "_versions").iterdir():
                manifest.write_bytes(b"damaged")
        else:
            (demo_copy / "file").touch()
        answer = bench_db("doctor", "--store", demo_copy / ("file" if damage == "file" else ""))
        lines = answer.out.splitlines()
        assert (answer.code, len(lines)) == (3, 5 if damage == "table" else 4)
        assert lines[3].startswith("FAILED  store: ")
        assert lines[0].startswith("ok      installation: Python ")
        assert "the failed checks above" in answer.err
