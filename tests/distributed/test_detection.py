"""A scan on an engine gives the bits of a scan in one process."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench_db.analysis.scan import detection, scan
from bench_db.distributed import Detector
from bench_db.distributed.local import Local
from tests.support.engines import Case, Pickling, many_components, one_component, with_young_series

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.analysis.scan import Detected, Points, Scan
    from bench_db.distributed import Engine

pytestmark = pytest.mark.few(1)

CASES: dict[str, Callable[..., Case]] = {
    "one component": one_component,
    "young series": with_young_series,
    "many components": many_components,
}


def scanned(case: Case, engine: Engine | None = None, parts: int | None = None) -> Scan:
    detect = None if engine is None else Detector(engine=engine, keys=case.keys, parts=parts)
    return scan(case.values, case.offsets, case.runs, detect=detect, **case.named)


class TestDetector:
    """Whatever the parts, ranges and processes, findings and movements are the same, bit for bit."""

    @pytest.mark.parametrize("parts", [1, 2, 7, 64])
    @pytest.mark.parametrize("case", CASES)
    def test_parts(self, case: str, parts: int) -> None:
        given = CASES[case]()
        alone = scanned(given)
        assert alone.findings
        assert alone.movements
        # the text has every digit of every number, and tells 0.0 from -0.0
        assert repr(scanned(given, Pickling(), parts)) == repr(alone)

    @pytest.mark.parametrize("workers", [1, 2, 50])
    def test_ranges_of_runs(self, workers: int) -> None:
        given = many_components(5)
        assert repr(scanned(given, Pickling(workers))) == repr(scanned(given))

    @pytest.mark.parametrize("case", CASES)
    def test_every_array(self, case: str) -> None:
        given = CASES[case](11)
        asked: list[Points] = []

        def detect(points: Points) -> Detected:
            asked.append(points)
            return detection(points, 1)

        scan(given.values, given.offsets, given.runs, detect=detect, **given.named)
        [points] = asked
        assert points.fewest.any() == (case != "one component")  # whose series are all of one age
        ours, alone = Detector(engine=Pickling(), keys=given.keys, parts=5)(points), detection(points, 1)
        for name in ("moved", "of_all", "measured"):
            assert getattr(ours, name).tobytes() == getattr(alone, name).tobytes(), name
        for name in ("series", "index", "effect", "low", "high", "p_value", "provisional", "points"):
            assert getattr(ours.changes, name).tobytes() == getattr(alone.changes, name).tobytes(), name
        assert ours.values is not None
        assert alone.values is not None
        np.testing.assert_array_equal(ours.values, alone.values)

    def test_quiet_series_take_one_pass(self) -> None:
        still = Case(
            values=np.ones(80), offsets=np.array([0, 40, 80]), runs=np.tile(np.arange(40), 2), keys=np.arange(2)
        )
        assert scanned(still, Pickling()) == scanned(still)

    def test_no_series(self) -> None:
        none: Any = np.zeros(0, np.int64)
        empty = Case(values=np.zeros(0), offsets=np.zeros(1, np.int64), runs=none, keys=none)
        assert scanned(empty, Pickling()) == scanned(empty)

    def test_processes_and_one_that_is_killed(self) -> None:
        given = one_component(3)
        alone = repr(scanned(given))
        with Local(2) as engine:
            assert repr(scanned(given, engine, 7)) == alone
            os.kill(engine.process_ids[0], signal.SIGKILL)
            assert repr(scanned(given, engine, 2)) == alone
