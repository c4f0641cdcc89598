"""Lasting and accepted steps, and slow machines: the answers of compare and scan, night by night."""

from pathlib import Path

import numpy as np
import pytest

from bench_db.store.database import connect
from bench_db.store.publish import Entry
from tests.cli.conftest import bench_db
from tests.cli.kinds import entry, publish_all, sha


def verdict(store: Path) -> tuple[str, int]:
    """Return the verdict of the newest commit and the runs of its baseline."""
    (row,) = bench_db("compare", "latest", "--store", store, "--output", "json").document["comparisons"]
    return row["verdict"], row["n_baseline"]


def test_a_step_is_a_regression_until_it_is_accepted(tmp_path: Path) -> None:
    store, noise = connect(tmp_path, create=True), np.random.default_rng(3)

    def night(number: int) -> Entry:
        return entry(number, {"parse": float((160 if number >= 25 else 100) * np.exp(noise.normal(0, 0.01)))})

    publish_all(store, map(night, range(29)))
    assert verdict(tmp_path) == ("regressed", 20)
    (found,) = bench_db("scan", "--store", tmp_path, "--output", "json").document["findings"]
    assert found["commit"] == sha(25)
    assert bench_db("finding", "bless", found["id"], "--store", tmp_path).code == 0
    assert verdict(tmp_path) == ("insufficient", 3)
    publish_all(store, map(night, (29, 30)))
    assert verdict(tmp_path) == ("unchanged", 5)
    assert bench_db("finding", "reopen", found["id"], "--store", tmp_path).code == 0
    assert verdict(tmp_path) == ("regressed", 20)


RUNS, SLOW = 30, 20


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish eight times and eight rates over 30 runs, of which one is slower by a third."""
    path = tmp_path_factory.mktemp("movement")
    store, noise = connect(path, create=True), np.random.default_rng(5)
    entries = []
    for number in range(RUNS):
        slower = 4 / 3 if number == SLOW else 1
        drawn = 1000 * np.exp(noise.normal(0, 0.01, (2, 8)))
        times = {f"decode {i}": float(x * slower) for i, x in enumerate(drawn[0])}
        rates = {f"serve {i}": (float(x / slower), "per_second") for i, x in enumerate(drawn[1])}
        entries.append(entry(number, {**times, **rates}))
    publish_all(store, entries)
    return path


def test_a_slow_machine_is_named_once_and_is_no_finding(moved: Path) -> None:
    answer = bench_db("scan", "--dry-run", "--store", moved)
    assert answer.code == 0
    assert f"run {sha(SLOW)[:9]} on ci-1: 16 of 16 benchmarks (16 series) moved together by +3" in answer.out
    assert "% (rates the other way). Cause: the machine or the tool chain (" in answer.out
    assert "the level returned after it" in answer.out
    document = bench_db("scan", "--dry-run", "--store", moved, "--output", "json").document
    (movement,) = document["movements"]
    assert (movement["commit"], movement["series"], movement["lasting"]) == (sha(SLOW), 16, False)
    assert 0.3 < movement["effect"] < 0.37
    assert document["findings"] == []
