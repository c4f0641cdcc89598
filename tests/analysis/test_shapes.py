"""Changes of spread and modes of many series: which are reported, and that a scan keeps them apart from changes of level."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench_db.analysis.detect import detect_all
from bench_db.analysis.scan import Scan, detection, scan
from bench_db.analysis.shapes import NEAR, Shapes, apart, reported, shapes_of, significant
from bench_db.model import ChangeKind
from bench_db.rules import RULES
from benchmarks.synthetic import NOISE, history
from tests.analysis.test_shape_kernel import mixed, noise

if TYPE_CHECKING:
    from bench_db.analysis.scan import Detected, Points

pytestmark = pytest.mark.few(1)

Array = np.ndarray[Any, Any]


def scanned(series: list[Array]) -> Scan:
    offsets = np.cumsum([0, *map(len, series)])
    return scan(np.concatenate(series), offsets, np.arange(offsets[-1]), rate=RULES.false_discovery_rate)


def noisier(seed: int, first: float = 0.01, second: float = 0.04) -> Array:
    values: Array = 100 * np.exp(np.concatenate([noise(seed, 100, first), noise(seed + 500, 100, second)]))
    return values


def shapes(*rows: tuple[int, float, float]) -> Shapes:
    """Return changes with these series, kinds of the kernel and p-values."""
    series, kinds, chances = zip(*rows, strict=True)
    figures = np.column_stack([kinds, np.zeros(len(rows)), np.ones(len(rows)), chances])
    return Shapes(series=np.array(series), index=np.arange(len(rows)), figures=figures)


class TestReported:
    """Benjamini-Hochberg runs over all tested series, each by its smallest p-value."""

    @pytest.mark.parametrize(("tested", "rows"), [(10, [0, 1, 2]), (1000, [0]), (100_000, [])])
    def test_series_tested(self, tested: int, rows: list[int]) -> None:
        found = shapes((0, 1.0, 1e-6), (0, 1.0, 1e-3), (4, 2.0, 1e-3), (5, 2.0, 0.5))
        assert reported(found, tested, 0.05).tolist() == rows

    def test_none(self) -> None:
        empty = shapes((0, 1.0, 1.0))
        assert reported(empty, 10, 0.05).tolist() == significant(empty, 0.01).tolist() == []

    def test_of_one_series(self) -> None:
        found = shapes((0, 1.0, 0.02), (0, 2.0, 0.005), (1, 1.0, 0.5))
        assert significant(found, RULES.significance).tolist() == [1]


class TestApart:
    """Near a change of level there is no other change of its series."""

    @pytest.mark.parametrize(("level", "kept"), [((0, NEAR), []), ((0, NEAR + 1), [0]), ((1, 0), [0])])
    def test_distance(self, level: tuple[int, int], kept: list[int]) -> None:
        found = shapes((0, 1.0, 1e-6))
        assert [series for series, _ in apart(found, np.array([0]), [level])] == kept


class TestShapesOf:
    """Many series give what each gives alone, on any number of threads."""

    @pytest.mark.parametrize("threads", [1, 3])
    def test_parts(self, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
        series = [noisier(1), mixed(2, [(100, 0.1), (100, 0.5)]), 100 * np.exp(noise(3, 50)), noisier(4)]
        values, offsets = np.concatenate(series), np.cumsum([0, *map(len, series)])
        monkeypatch.setattr("bench_db.analysis.shapes.SERIES_A_PART", 2)
        found = shapes_of(values, offsets, detect_all(values, offsets), threads=threads)
        alone = []
        for number, one in enumerate(series):
            ends = np.array([0, len(one)])
            of_one = shapes_of(one, ends, detect_all(one, ends))
            alone += [(number, of_one.of(row)) for row in range(len(of_one))]
        assert [(int(found.series[row]), found.of(row)) for row in range(len(found))] == alone
        assert {number for number, _ in alone} == {0, 1, 3}

    def test_no_series(self) -> None:
        empty = np.empty(0)
        assert len(shapes_of(empty, np.array([0]), detect_all(empty, np.array([0])))) == 0


class TestScan:
    """A scan reports changes of spread and of modes beside those of level, and none of them is one of level, too."""

    def test_kinds(self) -> None:
        quiet = [history("independent", 200, 0.0, (), np.random.default_rng(n)).values for n in range(20)]
        step = 100 * np.exp(noise(9, 200) + 0.3 * (np.arange(200) >= 100))
        found = scanned([*quiet, noisier(1), mixed(2, [(100, 0.1), (100, 0.7)]), step])
        assert {series: one.kind for series, one in found.shapes} == {20: ChangeKind.SPREAD, 21: ChangeKind.MODES}
        assert [one.series for one in found.findings] == [22]
        assert found.expected_false == pytest.approx(3 * RULES.false_discovery_rate)
        assert all(abs(one.index - 100) <= 10 for _, one in found.shapes)

    @pytest.mark.parametrize(("before", "after", "apart"), [(0.3, 1.0, 1.0), (0.05, 0.75, 0.1)])
    def test_changes_of_level_are_those_without_shapes(self, before: float, after: float, apart: float) -> None:
        series = [
            *(mixed(seed, [(60, before), (60, after)], apart) for seed in range(10)),
            *(100 * np.exp(noise(100 + seed, 120)) for seed in range(10)),
        ]
        given = np.concatenate(series), np.arange(0, 2401, 120), np.tile(np.arange(120), 20)

        def without(points: Points) -> Detected:
            found = detection(points, None)
            return replace(
                found,
                shapes=Shapes(
                    series=found.shapes.series[:0], index=found.shapes.index[:0], figures=found.shapes.figures[:0]
                ),
            )

        found, bare = scan(*given), scan(*given, detect=without)
        assert found.findings == bare.findings != ()
        near = {(one.series, one.change.index) for one in found.findings}
        assert not [one for one in found.shapes for n, at in near if n == one[0] and abs(at - one[1].index) <= NEAR]

    def test_quiet_series_of_all_kinds(self) -> None:
        rng = np.random.default_rng(31)
        quiet = [history(kind, 120, 0.0, (), rng).values for kind in NOISE for _ in range(40)]
        assert len(scanned(quiet).shapes) <= 1
