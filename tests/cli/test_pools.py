"""Machines of one test bed with several CPU models: a candidate on a model without history."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import BED, entry, publish, publish_all, sha

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMITS = 10
SLOWER = 1.3
KNOWN, FRESH = (replace(BED, name="pool", cpu=cpu) for cpu in ("Vendor A", "Vendor D"))


def values(rng: np.random.Generator, factor: float = 1.0, spread: float = 0.01, count: int = 12) -> dict[str, float]:
    drawn = np.exp(rng.normal(0, spread, count))
    return {f"test {i:02}": 1e6 * (i + 1) * factor * float(x) for i, x in enumerate(drawn)}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the history of a suite on one model."""
    path = tmp_path_factory.mktemp("pool") / "store"
    store, rng = connect(path, create=True), np.random.default_rng(1)
    publish_all(store, [entry(number, values(rng), bed=KNOWN) for number in range(COMMITS)])
    return path


def check(
    known: Path, directory: Path, measured: Mapping[str, float], *words: str, code: int = 0
) -> list[tuple[str, str, str]]:
    """Return verdict, benchmark and note of what a check says of measurements on the other model, without series that are missing."""
    store = shutil.copytree(known, directory / "store")
    publish(connect(store), COMMITS, measured, bed=FRESH)
    done = bench_db("check", sha(COMMITS), "--baseline", "level", *words, "--store", store, "--output", "json")
    assert done.code == code
    rows = [row for row in done.document["comparisons"] if row["verdict"] != "missing"]
    return [(row["verdict"], row["benchmark_name"], row["note"]) for row in rows]


class TestANewModel:
    """A candidate on a model without history is judged through the ratios of its siblings, or the answer says why not."""

    def test_no_change(self, known: Path, tmp_path: Path) -> None:
        found = check(known, tmp_path, values(np.random.default_rng(2), SLOWER))
        assert {verdict for verdict, _, _ in found} == {"unchanged"}
        assert "judged through 11 siblings, which take 1.3 times what they take on pool (Vendor A)" in found[0][2]

    def test_one_benchmark_changed(self, known: Path, tmp_path: Path) -> None:
        measured = values(np.random.default_rng(2), SLOWER)
        found = check(
            known, tmp_path, {**measured, "test 03": 1.5 * measured["test 03"]}, "--fail-on", "suspected", code=1
        )
        assert [(verdict, name) for verdict, name, _ in found if verdict != "unchanged"] == [("suspected", "test 03")]
        assert "measure this commit again, at least 10 minutes later, on a machine with history" in found[0][2]

    def test_a_threshold(self, known: Path, tmp_path: Path) -> None:
        measured = values(np.random.default_rng(2), SLOWER)
        found = check(known, tmp_path, {**measured, "test 03": 1.5 * measured["test 03"]}, "--min-effect", "60")
        assert {verdict for verdict, _, _ in found} == {"unchanged"}

    def test_ratios_that_differ(self, known: Path, tmp_path: Path) -> None:
        found = check(known, tmp_path, values(np.random.default_rng(2), SLOWER, spread=0.2))
        assert {verdict for verdict, _, _ in found} == {"new"}
        assert "no verdict through 11 siblings" in found[0][2]
        assert "their ratios differ too much" in found[0][2]

    def test_too_few_siblings(self, known: Path, tmp_path: Path) -> None:
        found = check(known, tmp_path, values(np.random.default_rng(2), SLOWER, count=4))
        assert {verdict for verdict, _, _ in found} == {"new"}
        reason = "no verdict: without history of this machine it needs 8 benchmarks with a level on one other machine, and 4 have one"
        assert found[0][2].startswith(reason)

    def test_a_method_without_a_test(self, known: Path, tmp_path: Path) -> None:
        found = check(known, tmp_path, values(np.random.default_rng(2), SLOWER), "--threshold", "5")
        assert {verdict for verdict, _, _ in found} == {"new"}
