from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.recording import record
from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import publish

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


class TestRun:
    """A preview says that nothing changed."""

    def test_list_show_and_preview(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        listed = bench_db("run", "list", "--store", database.uri).out
        key = listed.splitlines()[-1].split()[0]
        assert "test bed" in listed
        assert f"run   {' ' * 0}" in bench_db("run", "show", key, "--store", database.uri).out
        alike = bench_db("run", "diff", key, key, "--store", database.uri).out
        assert alike.endswith("facts of the environments are known, and none differs\n")
        assert "test_bed_name" in bench_db("run", "diff", key, key, "--all", "--store", database.uri).out
        previewed = bench_db("run", "remove", key, "--store", database.uri).out
        assert previewed.startswith("nothing changed; these would be removed:")
        database.put_artifact(b"log", kind="log", added_at=1, name="log", run=key)
        shown = bench_db("run", "remove", key, "--artifacts", "--store", database.uri).out
        assert shown.startswith(f"{previewed}\ntheir artifacts:\nsha256")
        assert shown.splitlines()[-1].split()[1:3] == ["log", "log"]
        assert len(database.artifacts()) == 1
        removed = bench_db("run", "remove", key, "--artifacts", "--yes", "--store", database.uri).out
        assert removed.startswith("removed: 1 runs")
        assert database.artifacts() == []
        assert bench_db("run", "list", "--store", database.uri).out.strip() == "no runs"

    def test_runs_are_found_by_tag_scenario_and_branch(self, database: Database) -> None:
        store = ("--store", database.uri, "--output", "json")
        with record(database, "flax", commit="a" * 40, suite="train", branch="main") as run:
            run.add("fwd", 1200.0, unit="samples/sec", better="higher", tags={"framework": "flax"})
        publish(database, 1, {"f": 1.0}, suite="train")

        def listed(*conditions: str) -> list[str]:
            return [one["run"] for one in bench_db("run", "list", *conditions, *store).document["runs"]]

        assert listed("--tag", "framework=flax", "--tag", "scenario=train") == [run.id]
        assert listed("--tag", "framework=flax", "--tag", "scenario=eval") == []
        assert len(listed("--tag", "scenario=train")) == len(listed("--branch", "main")) == 2
        assert listed("--branch", "other") == []
        assert "a tag is written K=V" in bench_db("run", "list", "--tag", "flax", *store).err
