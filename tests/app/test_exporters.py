from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import bench_db as api
from bench_db import plugins
from bench_db.app.exporters import export
from bench_db.errors import UserError
from tests.cli.conftest import bench_db
from tests.cli.kinds import publish

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench_db import Database, Run


@pytest.fixture
def store(tmp_path: Path) -> Database:
    store = api.connect(tmp_path / "store", create=True)
    publish(store.store, 1, {"f": 1.0})
    publish(store.store, 2, {"f": 1.0, "g": "crashed"})
    return store


def names(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def listing(database: Database, runs: Sequence[Run], directory: Path) -> Iterator[tuple[str, bytes, int]]:
    """Yield one file a run, as an exporter of another package does."""
    assert directory.is_absolute()
    for run in runs:
        yield f"runs/{run.run_key}.txt", f"{run.commit} of {database.uri}".encode(), run.results


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the exporters that packages declare; the test fills them."""
    declared: dict[str, Any] = {}

    class Entry:
        group = plugins.EXPORTERS
        dist = None

        def __init__(self, name: str) -> None:
            self.name = name
            self.value = f"other:{name}"

        def load(self) -> Any:
            return declared[self.name]

    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [Entry(n) for n in declared if group == plugins.EXPORTERS]
    )
    return declared


class TestExport:
    """An export replaces an earlier one, and nothing else."""

    def test_twice_is_as_once(self, store: Database, tmp_path: Path) -> None:
        first = store.export_to(tmp_path / "out", format_name="mlflow")
        assert names(tmp_path / "out") == {*first.files, "bench-db.json"}
        assert store.export_to(tmp_path / "out", format_name="mlflow").files == first.files
        run = api.runs(store).frame()["run"][0]
        less = store.export_to(tmp_path / "out", format_name="mlflow", runs=[run])
        assert names(tmp_path / "out") == {*less.files, "bench-db.json"}
        assert len(less.files) < len(first.files)
        assert sum(file.rows for file in first.files.values()) == 2

    def test_excluded_runs_are_left_out(self, store: Database, tmp_path: Path) -> None:
        run = api.runs(store).frame()["run"][0]
        api.exclude_runs(store, "noisy", runs=[run])
        done = store.export_to(tmp_path / "out", format_name="mlflow")
        assert not any(run in name for name in done.files)

    def test_one_that_was_cut_short_is_replaced(
        self, store: Database, tmp_path: Path, installed: dict[str, Any]
    ) -> None:
        """What it had written of a run that is excluded then goes, and so do directories that are empty and unfinished files."""
        runs = api.runs(store).frame()["run"].to_list()
        out = tmp_path / "out"

        def cut_short(_database: Database, given: Sequence[Run], _directory: Path) -> Iterator[tuple[str, bytes, int]]:
            yield from ((f"{run.run_key:016x}/deep/{name}", b"x", 0) for run in given for name in "ab")
            if len(given) == len(runs):
                (out / runs[0] / "deep" / ".0123456789abcdef.part").touch()
                begun = out / "bench-db.unfinished"
                begun.write_bytes(begun.read_bytes() + b'"cut')
                raise KeyboardInterrupt

        installed["own"] = cut_short
        with pytest.raises(KeyboardInterrupt):
            export(store, out, "own")
        assert all((out / run).is_dir() for run in runs)
        api.exclude_runs(store, "secret", runs=runs[:1])
        done = export(store, out, "own")
        assert names(out) == {*done.files, "bench-db.json"}
        assert [path.name for path in out.iterdir() if path.is_dir()] == runs[1:]

    def test_runs_of_pull_requests_are_exported_by_name(
        self, store: Database, tmp_path: Path, installed: dict[str, Any]
    ) -> None:
        installed["listing"] = listing
        about: dict[str, Any] = {"environment": {}, "test_bed_name": "b", "suite": "s"}
        with store.record("d", commit=40 * "c", pr_number=5, branch="x", **about) as run:
            run.add("f", 2.0, unit="s")
        assert len(export(store, tmp_path / "out", "listing").files) == 2
        (key,) = api.runs(store, commit=40 * "c").frame()["run"]
        assert list(export(store, tmp_path / "out", "listing", runs=[key]).files) == [f"runs/{int(key, 16)}.txt"]

    def test_other_files_stay(self, store: Database, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine.txt").write_text("mine")
        with pytest.raises(UserError, match="holds other files; choose an empty directory"):
            store.export_to(tmp_path / "out", format_name="mlflow")
        assert names(tmp_path / "out") == {"mine.txt"}
        api.site(store, tmp_path / "site", at=0)
        with pytest.raises(UserError, match="holds other files"):
            store.export_to(tmp_path / "site", format_name="mlflow")
        assert (tmp_path / "site" / "index.html").exists()

    @pytest.mark.parametrize("given", [{"salvage": True}, {"as_of": 1}])
    def test_it_is_of_now(self, store: Database, tmp_path: Path, given: dict[str, Any]) -> None:
        with pytest.raises(UserError, match="the format mlflow is of a sound store as it is now"):
            store.export_to(tmp_path / "out", format_name="mlflow", **given)

    def test_an_unknown_format(self, store: Database, tmp_path: Path) -> None:
        answer = bench_db("store", "export", tmp_path / "out", "--format", "neptune", "--store", store.uri)
        assert (answer.code, answer.out) == (2, "")
        assert "'neptune' is no format of exports; there are parquet, jsonl, calibrax, asv, mlflow, wandb" in answer.err
        assert not (tmp_path / "out").exists()


class TestPlugins:
    """An installed package can declare an exporter; what it yields is written as that of bench_db."""

    def test_an_exporter_of_another_package(self, store: Database, tmp_path: Path, installed: dict[str, Any]) -> None:
        installed["listing"] = listing
        done = export(store, tmp_path / "out", "listing")
        assert len(done.files) == 2
        assert sorted(file.rows for file in done.files.values()) == [1, 2]
        assert names(tmp_path / "out") == {*done.files, "bench-db.json"}
        with pytest.raises(UserError, match="there are parquet, jsonl, calibrax, asv, mlflow, wandb, listing"):
            export(store, tmp_path / "out", "other")

    @pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "bench-db.json", ""])
    def test_a_path_that_leads_out(self, store: Database, tmp_path: Path, installed: dict[str, Any], path: str) -> None:
        installed["bad"] = lambda _database, _runs, _directory: [(path, b"x", 0)]
        with pytest.raises(UserError, match="is not one below the directory"):
            export(store, tmp_path / "out", "bad")
        assert not (tmp_path / "x").exists()
