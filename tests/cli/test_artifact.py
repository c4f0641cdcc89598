"""Artifacts from the command line."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import bench_db, bench_db_process

if TYPE_CHECKING:
    from pathlib import Path

_EVIL = "evil\x1b[31m\n\u202e.log"


@pytest.fixture
def store(demo_copy: Path) -> Path:
    return demo_copy


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "build.log"
    path.write_bytes(b"it broke\n")
    return path


class TestArtifact:
    """Files can be put, listed and read again; JSON has all fields, and text output is escaped."""

    def test_put_list_get(self, store: Path, log: Path, tmp_path: Path) -> None:
        words = ("artifact", "put", log, "--kind", "log", "--commit", "110aa08", "--store", store)
        first, again = (bench_db(*words, "--output", "json").document for _ in range(2))
        assert (first["new"], again["new"], again["unchanged"]) == (1, 0, 1)
        [put] = first["artifacts"]
        assert put | {"new": False} == again["artifacts"][0]
        listed = bench_db("artifact", "list", "--commit", "110aa08", "--store", store, "--output", "json").document
        listing = [{name: value for name, value in put.items() if name != "new"}]
        assert listed == {"schema_version": 1, "artifacts": listing}
        assert set(listed["artifacts"][0]) == {
            *("sha256", "uri", "size_bytes", "kind", "name"),
            *("run_key", "commit", "added_at"),
        }
        got = bench_db("artifact", "get", put["sha256"][:8], tmp_path / "copy", "--store", store, "--output", "json")
        assert got.document["path"] == str(tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == log.read_bytes()

    def test_of_a_run(self, store: Path, log: Path) -> None:
        run = bench_db(
            "query", "select run_id, run_key, commit from runs limit 1", "--store", store, "--output", "json"
        )
        [row] = run.document
        put = bench_db("artifact", "put", log, "--run", row["run_id"], "--store", store, "--output", "json").document
        [artifact] = put["artifacts"]
        assert (int(artifact["run_key"], 16), artifact["commit"]) == (row["run_key"], row["commit"])
        for run_name, count in ((row["run_id"], 1), (artifact["run_key"], 1), ("none", 0)):
            answer = bench_db("artifact", "list", "--run", run_name, "--store", store, "--output", "json")
            assert len(answer.document["artifacts"]) == count

    def test_several_at_once(self, store: Path, log: Path, tmp_path: Path) -> None:
        (tmp_path / "other.log").write_bytes(b"other\n")
        words = ("artifact", "put", log, tmp_path / "other.log", log, "--store", store, "--output", "json")
        assert {name: value for name, value in bench_db(*words).document.items() if name != "artifacts"} == {
            "schema_version": 1,
            "new": 2,
            "unchanged": 1,
        }

    def test_delete(self, store: Path, log: Path) -> None:
        assert bench_db("artifact", "put", log, "--kind", "log", "--commit", "110aa08", "--store", store).code == 0
        words = ("artifact", "delete", "--kind", "log", "--commit", "110aa08", "--store", store)
        preview = bench_db(*words)
        assert preview.out.startswith("nothing changed; with --yes these would be deleted: 1 artifacts, 1 files")
        assert bench_db(*words, "--yes", "--output", "json").document["changed"] is True
        assert bench_db(*words).out == "no artifacts\n"
        for wrong, error in (((), "name what to delete"), (("abcd1234", "--yes"), "no artifact with")):
            answer = bench_db("artifact", "delete", *wrong, "--store", store)
            assert (answer.code, error in answer.err) == (2, True)

    def test_a_hostile_name(self, store: Path, tmp_path: Path) -> None:
        (tmp_path / _EVIL).write_bytes(b"x")
        bad = os.fsdecode(b"\xff.log")
        (tmp_path / bad).write_bytes(b"y")
        words = ("artifact", "put", tmp_path / _EVIL, tmp_path / bad, "--store", store)
        put = bench_db(*words)
        listed = bench_db("artifact", "list", "--store", store)
        assert (put.code, listed.code) == (0, 0)
        for text in (put.out, listed.out):
            assert all(line.isprintable() for line in text.splitlines())
            assert r"evil\x1b[31m\n\u202e.log" in text
            assert r"\xff.log" in text
        documents = bench_db("artifact", "list", "--store", store, "--output", "json").document["artifacts"]
        assert {document["name"] for document in documents} == {_EVIL, r"\xff.log"}

    def test_exit_codes(self, store: Path, log: Path, tmp_path: Path) -> None:
        assert bench_db("artifact", "put", log, "--store", tmp_path / "none").code == 3
        assert bench_db("artifact", "put", tmp_path / "none", "--store", store).code == 2
        assert bench_db("artifact", "put", log, "--run", "none", "--store", store).code == 2
        assert bench_db("artifact", "get", "abcdef", tmp_path / "x", "--store", store).code == 2
        sha256 = bench_db("artifact", "put", log, "--store", store, "--output", "json").document["artifacts"][0][
            "sha256"
        ]
        shutil.rmtree(store / "artifacts")
        lost = bench_db("artifact", "get", sha256, tmp_path / "x", "--store", store)
        assert (lost.code, lost.out, len(lost.err.splitlines())) == (4, "", 1)
        assert not (tmp_path / "x").exists()
        verified = bench_db("store", "verify", "--store", store, "--output", "json")
        assert (verified.code, verified.document["sound"]) == (4, False)
        assert bench_db("artifact", "put", log, "--store", store).code == 0
        assert bench_db("store", "verify", "--store", store).code == 0

    def test_as_installed(self, store: Path, log: Path) -> None:
        answer = bench_db_process("artifact", "put", log, "--kind", "log", "--store", store)
        assert (answer.code, answer.err) == (0, "")
        assert "build.log" in answer.out

    def test_nothing_yet(self, store: Path) -> None:
        assert bench_db("artifact", "list", "--store", store).out == "no artifacts\n"
