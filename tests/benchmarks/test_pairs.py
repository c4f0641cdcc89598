from __future__ import annotations

import random
from typing import TYPE_CHECKING

import polars as pl
import pytest

from bench_db.analysis.pairs import Round
from bench_db.model import PairSide, PairVerdict
from benchmarks.pairs import BLOCK, blocks, exchanged, in_pairs, one_after_the_other, report
from tests.support.actions.definitions import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RECORDING = ROOT / "benchmarks/pairs.parquet"


class TestReport:
    """The table of docs/statistics.md is what the recording gives, and its false alarms stay below the limit."""

    def test_the_table_is_that_of_the_docs(self) -> None:
        text = (ROOT / "docs/statistics.md").read_text("utf-8")
        lines = report(RECORDING)
        assert [line for line in lines if line not in text] == []
        in_pairs_rows = [line.split(" | ") for line in lines if line.startswith("| in pairs")]
        assert len(in_pairs_rows) == 4
        assert all(float(row[2].removesuffix(" %")) <= 1.5 for row in in_pairs_rows)

    def test_at_least_two_hundred_comparisons(self) -> None:
        first = next(blocks(RECORDING))
        operations = sum(name.endswith("+0") for name in first[0][0].figures)
        assert operations * sum(1 for _ in blocks(RECORDING)) >= 200


class TestBlocks:
    """A block has complete rounds alone; the planted share is that of the head."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        """A recording of two blocks in which a share of 10 is 10 % slower, with a round that lacks a side."""
        rows = []
        for number in range(1, 2 * BLOCK + 2):
            for position, side in enumerate((PairSide.BASE, PairSide.HEAD)):
                figures = {"a+0": [1000 + number % 3] * 4, "a+10": [1100 + number % 3] * 4}
                rows.append({"round": number, "side": str(side), "position": position, "load": 1.0, **figures})
        pl.DataFrame([row for row in rows if (row["round"], row["side"]) != (3, "head")]).write_parquet(tmp_path / "f")
        return tmp_path / "f"

    def test_complete_rounds(self, file: Path) -> None:
        assert [len(block) for block in blocks(file)] == [BLOCK, BLOCK]

    def test_verdicts(self, file: Path) -> None:
        block = next(blocks(file))
        assert in_pairs(block, "a", 0, 0).verdict is PairVerdict.UNCHANGED
        assert in_pairs(block, "a", 10, 0).verdict is PairVerdict.REGRESSED
        assert one_after_the_other(block, "a", 10, 0, 5) == "regressed"
        assert one_after_the_other(block, "a", 0, 0, 5) == "unchanged"


ROUNDS = [Round(float(n), 100.0 + n, 1 if n % 2 else -1) for n in range(BLOCK)]


class TestExchange:
    """Sides of the same code may be exchanged, in both rounds of a pair."""

    def test_a_pair_of_rounds_keeps_both_orders(self) -> None:
        rounds = exchanged(ROUNDS, random.Random(3))
        assert all(one.shift + other.shift == 0 for one, other in zip(rounds[::2], rounds[1::2], strict=True))
        kept = [one == was for one, was in zip(rounds, ROUNDS, strict=True)]
        assert kept[::2] == kept[1::2]
        assert 0 < sum(kept) < BLOCK

    def test_the_position_goes_with_its_build(self) -> None:
        for one, was in zip(exchanged(ROUNDS, random.Random(3)), ROUNDS, strict=True):
            assert one in {was, Round(was.head, was.base, -was.shift)}
