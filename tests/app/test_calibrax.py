from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import bench_db as api
from bench_db.errors import UserError
from tests.app.exporting import read_by
from tests.cli.conftest import bench_db
from tests.ingest.formats.test_calibrax import STORE, calibrax_run, point

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.sample(8)

COLUMNS = [
    "metric", "benchmark_name", "suite", "commit", "units", "direction", "tags", "median", "n", "lower", "upper", "run_time"
]  # fmt: skip
COMMIT = "1a2b3c4d5e6f70819293a4b5c6d7e8f901234567"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> api.Database:
    """Return a store with a run of calibrax and a run of Python with two metrics of one name."""
    monkeypatch.chdir(tmp_path)
    database = api.connect(tmp_path / "store", create=True)
    build = api.Provenance(dut_name="flax", test_bed=api.TestBed(name="gpu-1", cpu="c", memory_gb=8, os="Linux 6"))
    api.publish(database, STORE, provenance=build)
    stated: dict[str, Any] = {
        "commit": "5d6e7f8" + 33 * "0",
        "suite": "train",
        "environment": {},
        "run_time": 1_780_000_000,
    }
    with database.record("flax", test_bed=build.test_bed, **stated) as run:
        run.add("step", [2, 4, 3], unit="ms", lower=2.5, upper=3.5, tags={"batch": 32}, metrics={"loss": 0.5})
        run.add("other", tags={}, metrics={"loss": api.Metric(values=3, unit="MB")})
    return database


def documents(directory: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(directory)): json.loads(path.read_text()) for path in sorted(directory.rglob("*.json"))
    }


class TestExport:
    """A store is a store of calibrax: its runs, their points and metrics, and the definitions of these."""

    def test_documents(self, database: api.Database, tmp_path: Path) -> None:
        done = database.export_to(tmp_path / "out", format_name="calibrax")
        found = documents(tmp_path / "out")
        assert found.pop("bench-db.json") == {"kind": "bench_db export for calibrax", "files": sorted(done.files)}
        assert sorted(done.files) == sorted(found)
        [own] = [name for name in found if name.startswith("runs/") and "a1b2c3d4e5f6" not in name]
        run = found[own]
        assert (run["id"], run["timestamp"], run["commit"], run["branch"]) == (
            own[len("runs/") : -len(".json")], "2026-05-28T20:26:40", "5d6e7f8" + 33 * "0", None,
        )  # fmt: skip
        assert run["environment"] == {"machine": "gpu-1", "cpu": "c", "memory_gb": 8, "os": "Linux 6"}
        assert run["metadata"]["dut"] == "flax"
        [step] = [one for one in run["points"] if one["name"] == "step"]
        assert (step["scenario"], step["tags"]) == ("train", {"batch": "32"})
        time = {"value": 3e6, "lower": 2.5e6, "upper": 3.5e6, "samples": [2e6, 4e6, 3e6]}
        assert step["metrics"] == {"time": time, "loss": {"value": 0.5, "samples": [0.5]}}
        assert {name: (one["unit"], one["direction"]) for name, one in run["metric_defs"].items()} == {
            "time": ("nanoseconds", "lower"),
            "loss": ("ratio", "info"),
            "loss (bytes, lower)": ("bytes", "lower"),
        }
        assert set(found["config.json"]["metric_defs"]) > set(run["metric_defs"])
        assert found["runs/a1b2c3d4e5f6.json"]["metadata"]["context"]["metadata"] == {"seed": 7}

    def test_there_and_back(self, database: api.Database, tmp_path: Path) -> None:
        """Read again, the export is the same results; the same rows give the same files, and an export replaces one."""
        database.export_to(tmp_path / "out", format_name="calibrax")
        once = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.json")}
        database.export_to(tmp_path / "out", format_name="calibrax")
        assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.json")} == once
        again = api.connect(tmp_path / "again", create=True)
        api.publish(again, tmp_path / "out", provenance=api.Provenance(dut_name="flax", test_bed_name="gpu-1"))
        rows = [one.scan().select(COLUMNS).collect().rows() for one in (database, again)]
        before, after = (sorted(((row[0].partition(" (")[0], *row[1:]) for row in part), key=repr) for part in rows)
        assert before == after

    @pytest.mark.slow
    def test_its_own_package_reads_it(self, database: api.Database, tmp_path: Path) -> None:
        """The package from the index lists the runs newest first, loads each, and finds the baseline and every trend."""
        api.set_baseline(database, "main", COMMIT, by="me")
        database.export_to(tmp_path / "out", format_name="calibrax")
        runs = {name: one for name, one in documents(tmp_path / "out").items() if name.startswith("runs/")}
        found = read_by("calibrax", "calibrax_reader.py", tmp_path / "out")
        newest_first = sorted(runs.values(), key=lambda one: one["timestamp"], reverse=True)
        assert len(found["runs"]) == len(runs) == 2
        assert [one["timestamp"] for one in found["runs"]] == [one["timestamp"] for one in newest_first]
        for run in found["runs"]:
            stored = runs[f"runs/{run['id']}.json"]
            assert (run["commit"], run["points"]) == (stored["commit"], stored["points"])
            assert run["metric_defs"].keys() == stored["metric_defs"].keys()
        assert found["loaded"] == [True] * 2
        assert found["baseline"] == "a1b2c3d4e5f6"
        [own] = [run for run in found["runs"] if any(point["name"] == "step" for point in run["points"])]
        assert found["trends"]['step/time/{"batch": "32"}'] == [[own["id"], 3e6, 2.5e6, 3.5e6, "5d6e7f8" + 33 * "0"]]

    def test_the_baseline_is_a_run(self, database: api.Database, tmp_path: Path) -> None:
        database.export_to(tmp_path / "none", format_name="calibrax")
        assert not (tmp_path / "none" / "baselines" / "main.json").exists()
        api.set_baseline(database, "main", COMMIT, by="me")
        database.export_to(tmp_path / "out", format_name="calibrax")
        found = documents(tmp_path / "out")
        assert found["baselines/main.json"] == found["runs/a1b2c3d4e5f6.json"]

    def test_what_is_left_out(self, database: api.Database, tmp_path: Path) -> None:
        [first, second] = database.list_runs()["run"]
        api.exclude_runs(database, runs=(first,), reason="r", by="me")
        assert _runs(_exported(database, tmp_path / "a")) == {"a1b2c3d4e5f6"}
        api.include_runs(database, runs=(first,), by="me")
        done = database.export_to(tmp_path / "b", format_name="calibrax", runs=[int(second, 16)])
        assert len([name for name in done.files if name.startswith("runs/")]) == 1
        with pytest.raises(UserError, match="`as_of`: the format calibrax is of the store as it is now"):
            database.export_to(tmp_path / "c", format_name="calibrax", as_of=1)

    def test_other_files_are_not_touched(self, database: api.Database, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.tex").touch()
        with pytest.raises(UserError, match=r"holds other files, such as 'thesis.tex'; choose an empty directory"):
            database.export_to(tmp_path / "out", format_name="calibrax")

    def test_an_earlier_export_is_replaced(self, database: api.Database, tmp_path: Path) -> None:
        """Runs that are excluded since, and a baseline of one of them, are removed; a file of calibrax's own stays."""
        api.set_baseline(database, "main", COMMIT, by="me")
        out = _exported(database, tmp_path / "out")
        (out / "runs" / "own.json").write_text("{}")
        assert (len(_runs(out)), (out / "baselines" / "main.json").exists()) == (3, True)
        api.exclude_runs(database, runs=tuple(database.list_runs()["run"]), reason="r", by="me")
        _exported(database, out)
        assert {name: one for name, one in documents(out).items() if name != "bench-db.json"} == {
            "config.json": {"metric_defs": {}},
            "runs/own.json": {},
        }

    def test_an_export_that_was_cut_short_is_replaced(self, database: api.Database, tmp_path: Path) -> None:
        """The manifest names the files before they are written, so that the next export removes what this one left."""
        [first, second] = database.list_runs()["run"]
        api.exclude_runs(database, runs=(first,), reason="r", by="me")
        out = _exported(database, tmp_path / "out")
        api.include_runs(database, runs=(first,), by="me")
        (out / "config.json").unlink()
        (out / "config.json").mkdir()  # which no file can replace
        with pytest.raises(UserError, match=r"out: cannot be written: Is a directory"):
            _exported(database, out)
        assert len(_runs(out)) == 2
        (out / "config.json").rmdir()
        api.exclude_runs(database, runs=(first, second), reason="r", by="me")
        assert _runs(_exported(database, out)) == set()

    @pytest.mark.parametrize("part", ["config.json", "runs", "baselines"])
    def test_a_store_of_calibrax_is_not_touched(self, database: api.Database, tmp_path: Path, part: str) -> None:
        """A store that calibrax wrote has runs and definitions that the store does not have."""
        path = tmp_path / "out" / part / ("" if part == "config.json" else "main.json")
        path.parent.mkdir(parents=True)
        path.write_text('{"metric_defs": {"loss": {}}}')
        wrong = rf"out holds '{part}' and no bench-db.json, so bench-db did not write it; choose an empty directory"
        with pytest.raises(UserError, match=wrong):
            _exported(database, tmp_path / "out")
        assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == [path]
        assert path.read_text() == '{"metric_defs": {"loss": {}}}'

    def test_a_file_that_calibrax_added_is_not_touched(self, database: api.Database, tmp_path: Path) -> None:
        out = _exported(database, tmp_path / "out")
        (out / "baselines" / "main.json").write_text("{}")
        api.set_baseline(database, "main", COMMIT, by="me")
        before = documents(out)
        with pytest.raises(UserError, match=r"baselines/main.json is not of an earlier export; move it away"):
            _exported(database, out)
        assert documents(out) == before

    @pytest.mark.parametrize(
        "text",
        ["{", "[]", "{}", *(json.dumps({"kind": "bench_db export for calibrax", "files": [name]}) for name in ("../x.json", "runs/../../x.json", "/x"))],
        ids=["cut", "list", "empty", "parent", "parent-of-runs", "root"],
    )  # fmt: skip
    def test_a_damaged_manifest_removes_nothing(self, database: api.Database, tmp_path: Path, text: str) -> None:
        (tmp_path / "x.json").touch()
        out = _exported(database, tmp_path / "out")
        (out / "bench-db.json").write_text(text)
        with pytest.raises(UserError, match=r"bench-db.json is no list of exported files; choose an empty directory"):
            _exported(database, out)
        assert ((tmp_path / "x.json").exists(), len(_runs(out))) == (True, 2)

    @pytest.mark.parametrize("own", ["../../x", "", "a/b", "a" * 65, 5])
    def test_an_id_is_a_file_name(self, tmp_path: Path, own: Any) -> None:
        (tmp_path / "run.json").write_text(calibrax_run(point(), id=own))
        database = api.connect(tmp_path / "store", create=True)
        api.publish(database, tmp_path / "run.json", provenance=api.Provenance(dut_name="d"))
        done = database.export_to(tmp_path / "out", format_name="calibrax")
        [run] = database.list_runs()["run"]
        assert f"runs/{run}.json" in done.files

    def test_from_the_command_line(self, database: api.Database, tmp_path: Path) -> None:
        done = bench_db("store", "export", tmp_path / "out", "--format", "calibrax", "--store", database.uri)
        assert (done.code, "runs/a1b2c3d4e5f6.json" in done.out) == (0, True)


def _runs(directory: Path) -> set[str]:
    return {path.stem for path in (directory / "runs").iterdir()}


def _exported(database: api.Database, directory: Path) -> Path:
    database.export_to(directory, format_name="calibrax")
    return directory
