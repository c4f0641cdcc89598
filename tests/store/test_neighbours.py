from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench_db.derive import derive
from tests.strategies import publication

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import Result
    from bench_db.store.database import Database


def moved(number: int, *, suite: str = "suite", bed: str = "bed", device: str = "engine") -> Sequence[Result]:
    """Return the derived results of a plain publication under other names."""
    run, results = publication(number)
    place = replace(run.test_bed, name=bed)
    dut = replace(run.dut, name=device)
    run = replace(run, test_bed=place, dut=dut)
    return derive(run, [replace(result, test_bed=place, dut=dut, suite=suite) for result in results])[1]


class TestNeighbours:
    """For new series the places of the same benchmarks are returned; for series that exist, none."""

    @pytest.mark.parametrize("optimized", [False, True])
    def test_places(self, database: Database, *, optimized: bool) -> None:
        run, results = publication(1)
        database.publish(results, run)
        if optimized:
            database.optimize()
        assert database.neighbours(moved(2, bed="other")) == [("bed", "suite")]
        assert database.neighbours(moved(2, suite="other")) == [("bed", "suite")]
        assert database.neighbours(moved(2)) == []
        assert database.neighbours(moved(2, device="other")) == []

    def test_series_newer_than_the_rollup(self, database: Database) -> None:
        database.publish(publication(1)[1], publication(1)[0])
        database.optimize()
        other = moved(2, bed="other")
        run = replace(publication(2)[0], test_bed=other[0].test_bed)
        database.publish(other, run)
        assert database.neighbours(moved(3, bed="other")) == []

    def test_empty_store(self, database: Database) -> None:
        assert database.neighbours(moved(1)) == []
