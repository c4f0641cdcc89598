"""The store verbs."""

from pathlib import Path

import pytest

from tests.cli.conftest import bench_db
from tests.support import damage


class TestStore:
    """A store can be created, described, maintained and verified from the command line."""

    def test_init_twice(self, tmp_path: Path) -> None:
        for _ in range(2):
            assert bench_db("store", "init", "--store", tmp_path / "s").code == 0
        assert bench_db("latest", "--store", tmp_path / "s", "--output", "json").document == []

    def test_info(self, demo_store: Path) -> None:
        info = bench_db("store", "info", "--store", demo_store, "--output", "json").document
        rows = {table["name"]: table["rows"] for table in info["tables"]}
        assert (rows["results"], rows["runs"]) == (250, 48)

    def test_verify_finds_a_changed_byte(self, demo_copy: Path) -> None:
        store = demo_copy
        sound = bench_db("store", "verify", "--store", store, "--output", "json")
        assert (sound.code, sound.document["sound"], sound.document["rows"]) == (0, True, 250)
        for file in (store / "results.lance" / "data").iterdir():
            data = bytearray(file.read_bytes())
            data[len(data) // 3] ^= 0xFF
            file.write_bytes(data)
        damaged = bench_db("store", "verify", "--store", store, "--output", "json")
        assert damaged.code == 4
        assert damaged.document["sound"] is False

    @pytest.mark.parametrize("table", ["results", "runs", "commits"])
    def test_a_torn_manifest_leaves_the_version_before(self, demo_copy: Path, table: str) -> None:
        for path in damage.live_files(demo_copy, table, "manifest"):
            damage.spoil(path, "halve")
        for command in (("latest",), ("query", "select count(*) from results"), ("store", "info")):
            answer = bench_db(*command, "--store", demo_copy)
            is_empty = table == "results" and command == ("latest",)  # the version before has no rows
            assert answer.code == (2 if is_empty else 0), answer.err
            assert table != "results" or "the newest manifest cannot be read" in answer.err
            assert (
                not is_empty or "48 without results: they are being published, or the store has lost them" in answer.err
            )

    def test_optimize_changes_no_answer(self, demo_copy: Path) -> None:
        ask = ("latest", "--store", demo_copy, "--output", "json")
        before = bench_db(*ask).document
        assert bench_db("store", "optimize", "--store", demo_copy).code == 0
        assert bench_db(*ask).document == before

    def test_a_tag_is_kept_and_read(self, tmp_path: Path) -> None:
        assert bench_db("store", "init", "--store", tmp_path).code == 0
        assert bench_db("store", "tag", "empty", "--store", tmp_path).code == 0
        again = bench_db("store", "tag", "empty", "--store", tmp_path)
        assert (again.code, "already" in again.err) == (2, True)
        assert bench_db("latest", "--as-of", "empty", "--store", tmp_path, "--output", "json").document == []

    def test_restore(self, demo_copy: Path) -> None:
        version = bench_db("store", "tag", "before", "--store", demo_copy, "--output", "json").document["version"]
        runs = bench_db("run", "list", "--store", demo_copy, "--output", "json").document["runs"]
        bench_db("run", "remove", runs[-1]["run"], "--yes", "--store", demo_copy)
        lost = runs[-1]["results"]
        shown = bench_db("store", "restore", "before", "--store", demo_copy)
        counts = f"removed: 0 runs with 0 results\nreturned: 1 runs with {lost} results\n"
        assert shown.out == f"nothing changed; with --yes:\n{counts}"
        done = bench_db("store", "restore", "before", "--yes", "--store", demo_copy)
        assert done.out == f"the store has the runs of version {version} again\n{counts}"
        again = bench_db("store", "restore", "before", "--yes", "--store", demo_copy, "--output", "json").document
        assert (again["runs_returned"], again["changed"]) == (0, False)
        found = bench_db("run", "list", "--store", demo_copy, "--output", "json").document["runs"]
        assert sorted(run["run"] for run in found) == sorted(run["run"] for run in runs)
        unknown = bench_db("store", "restore", "nothing", "--store", demo_copy)
        assert (unknown.code, unknown.out) == (2, "")
        assert "'nothing' is no version, tag or date" in unknown.err
