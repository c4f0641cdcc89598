from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import bench_db as api
from tests.app.exporting import ABOUT, COMMIT, read_by
from tests.cli.kinds import publish

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db import Database

DEVICE = "flax/\U0001f600"
# More than two blocks of a log, so that a record has a first, a middle and a last part.
MANY = 900


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.chdir(tmp_path)
    store = api.connect(tmp_path / "store", create=True)
    with store.record(DEVICE, suite="train", **ABOUT) as run:
        run.add("step[a=1]", [2, 4, 3], unit="ms", tags={"batch": 32}, metrics={"accuracy": 0.5})
        run.add("plain", 0.1, unit="s")
    with store.record(DEVICE, suite="many", **ABOUT) as run:
        for number in range(MANY):
            run.add(f"one of many benchmarks with a long name {number}", float(number), unit="s")
    publish(store.store, 2, {"g": "crashed"})
    return store


def synced(directory: Path) -> dict[str, Any]:
    """Return what `wandb sync` uploads of an export."""
    found: dict[str, Any] = read_by("W&B", "wandb_sync.py", *directory.glob("offline-run-*"))["runs"]
    return found


def line(run: dict[str, Any], file: str = "wandb-history.jsonl") -> dict[str, Any]:
    """Return the only step of a run, or its summary, without what W&B itself adds."""
    last: dict[str, Any] = run["stream"][file][-1]
    return {name: value for name, value in last.items() if not name.startswith("_")}


class TestWandb:
    """`wandb sync` uploads every run and measurement of an export."""

    @pytest.mark.slow
    def test_its_own_client_uploads_it(self, store: Database, tmp_path: Path) -> None:
        store.export_to(tmp_path / "out", format_name="wandb")
        runs = synced(tmp_path / "out")
        assert set(runs) == {f"{run:016x}" for run in store.runs().collect()["run_key"]}
        by_suite = {json.loads(run["files"]["results.json"])[0]["suite"]: run for run in runs.values()}
        train = by_suite["train"]
        one = "train/step_a_1_ batch_32-0e79410507bb99f5"
        values = {f"{one}/time": 3e6, f"{one}/accuracy": 0.5, "train/plain/time": 1e8}
        assert line(train) == values
        assert line(train, "wandb-summary.json") == values
        assert [train["bucket"][name] for name in ("project", "commit", "host", "tags", "displayName")] == [
            *("flax_\U0001f600", COMMIT, "gpu-1", ["main", "record"], "5d6e7f8 record")
        ]
        config = {name: one["value"] for name, one in train["bucket"]["configs"][0].items()}
        assert {"cpu": "c", "memory_gb": 8, "dut_version": "5d6e7f8", "branch": "main"}.items() <= config.items()
        goals = {one["1"]: one.get("8") for one in train["bucket"]["configs"][-1]["_wandb"]["value"]["m"] if "1" in one}
        assert goals[f"{one}/time"] == 1
        assert (train["exit"], by_suite[""]["exit"]) == (0, 1)
        many = line(by_suite["many"])
        assert many == {f"many/one of many benchmarks with a long name {n}/time": n * 1e9 for n in range(MANY)}
        [document] = json.loads(by_suite[""]["files"]["results.json"])
        assert (document["benchmark_name"], document["error"], document["wandb_metric"]) == ("g", "crashed", None)

    def test_the_same_rows_give_the_same_files(self, store: Database, tmp_path: Path) -> None:
        first = store.export_to(tmp_path / "out", format_name="wandb")
        assert store.export_to(tmp_path / "other", format_name="wandb").files == first.files
        assert sum(file.rows for file in first.files.values()) == MANY + 3

    def test_the_log_is_of_whole_blocks(self, store: Database, tmp_path: Path) -> None:
        """No part of a record crosses the end of a block of 32 KiB."""
        store.export_to(tmp_path / "out", format_name="wandb")
        log = max((tmp_path / "out").glob("*/*.wandb"), key=lambda path: path.stat().st_size).read_bytes()
        at, kinds = 7, []
        while at < len(log):
            room = 32_768 - at % 32_768
            if room < 7:
                assert log[at : at + room] == bytes(room)
                at += room
                continue
            length, kind = int.from_bytes(log[at + 4 : at + 6], "little"), log[at + 6]
            assert 7 + length <= room
            at += 7 + length
            kinds.append(kind)
        assert at == len(log)
        assert "".join(map(str, kinds)).replace("1", "").replace("3", "") == "24" * kinds.count(2)
        assert 3 in kinds
