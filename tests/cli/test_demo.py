from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from bench_db.report.site.manifest import read_manifest
from tests.cli.conftest import bench_db
from tests.cli.demo_names import SLOW_COMMIT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def demonstrated(demo_store: Path, tmp_path: Path) -> Path:
    """Return a directory in which `bench-db demo` ran before."""
    return shutil.copytree(demo_store.parent, tmp_path / "demo")


class TestDemo:
    """The demo shows what the commands that it names print; repeating it adds nothing."""

    def test_commands_of_the_story(self, demonstrated: Path) -> None:
        out = bench_db("demo", demonstrated).out
        assert out.startswith("48 runs of two libraries: 0 results published, 250 were there already\n")
        shown = [part.partition("\n") for part in out.split("\n\n$ bench-db ")[1:]]
        assert [command.split()[0] for command, _, _ in shown] == ["latest", "summary", "trend", "scan"]
        for command, _, printed in shown[:-1]:
            assert bench_db(*shlex.split(command)).out == printed + "\n"
        assert SLOW_COMMIT in shown[-1][2]
        assert str(demonstrated / "site" / "index.html") in out

    def test_again(self, demonstrated: Path) -> None:
        before = {path: path.read_bytes() for path in (demonstrated / "site").rglob("*") if path.is_file()}
        listed = ("finding", "list", "--store", demonstrated / "store", "--output", "json")
        findings = bench_db(*listed).document
        found = bench_db("demo", demonstrated, "--output", "json").document
        assert found["counts"] == {"runs": 48, "new": 0, "unchanged": 250, "findings": 4}
        assert found["paths"] == {
            "store": str(demonstrated / "store"),
            "site": str(demonstrated / "site" / "index.html"),
        }
        assert sorted(found["findings"]) == sorted(finding["id"] for finding in findings["findings"])
        assert bench_db(*listed).document == findings
        manifest = demonstrated / "site/manifest.json"  # names the versions of the store beside the files
        assert read_manifest(manifest.read_bytes()) == read_manifest(before.pop(manifest))
        assert {path: path.read_bytes() for path in before} == before

    def test_a_directory_of_other_files(self, tmp_path: Path) -> None:
        (tmp_path / "mine").write_text("x")
        answer = bench_db("demo", tmp_path)
        assert (answer.code, answer.out) == (2, "")
        assert "other files" in answer.err
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]
