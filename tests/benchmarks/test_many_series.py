"""The rule of `benchmarks.many_series` is the one that judges commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench_db.app.compare import compare
from bench_db.model import Verdict
from bench_db.store.database import connect
from benchmarks.many_series import judged
from tests.app.test_pairs import published

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)

SERIES, RUNS = 40, 8
CHANGED = {3: 0.12, 5: 0.16, 7: 0.2, 9: 0.3, 11: 0.6}


def test_it_judges_as_compare(tmp_path: Path) -> None:
    values = 0.02 * np.random.default_rng(7).standard_normal((1, SERIES, RUNS + 1))
    for number, effect in CHANGED.items():
        values[:, number, -1] += np.log1p(effect)
    store = connect(tmp_path / "store", create=True)
    for run in range(RUNS + 1):
        figures = {f"s{number}": 100.0 * float(np.exp(values[0, number, run])) for number in range(SERIES)}
        published(store, f"{run:040x}", run, figures)
    verdicts = {c.series.benchmark_name: c.verdict for c in compare(store, f"{RUNS:040x}").comparisons}
    found = judged(values[:, :, :-1], values[:, :, -1])
    expected = {
        Verdict.REGRESSED: {f"s{number}" for number in np.flatnonzero(found.regressed[0])},
        Verdict.SUSPECTED: {f"s{number}" for number in np.flatnonzero(found.suspected[0])},
    }
    is_slower = {f"s{number}" for number in range(SERIES) if values[0, number, -1] > np.median(values[0, number, :-1])}
    for verdict, names in expected.items():
        assert {name for name, own in verdicts.items() if own is verdict and name in is_slower} == names
        assert names


@pytest.mark.parametrize(
    ("changed", "accidents", "suspected"),
    [
        (1.5, (), False),
        (1.5, ((4, 2), (6, 5)), True),
        (1.5, ((4, 2), (4, 5)), False),
        (1.5, ((4, 2), (6, 2)), False),
        (2.2, ((0, 3),), True),
    ],
)
def test_moves_that_happen_by_themselves(
    tmp_path: Path, changed: float, accidents: tuple[tuple[int, int], ...], *, suspected: bool
) -> None:
    """A change is suspected after accidents of two series at two runs, or of its own series."""
    values = 0.01 * np.random.default_rng(7).standard_normal((1, 8, 21))
    values[0, 0, -1] = np.log(changed)
    for number, run in accidents:
        values[0, number, run] += np.log(1.8)
    store = connect(tmp_path / "store", create=True)
    for run in range(21):
        figures = {f"s{number}": 100.0 * float(np.exp(values[0, number, run])) for number in range(8)}
        published(store, f"{run:040x}", run, figures)
    verdicts = {c.series.benchmark_name: c.verdict for c in compare(store, f"{20:040x}").comparisons}
    found = judged(values[:, :, :-1], values[:, :, -1])
    assert verdicts["s0"] is (Verdict.SUSPECTED if suspected else Verdict.REGRESSED)
    assert (found.suspected[0, 0], found.regressed[0, 0]) == (suspected, not suspected)
