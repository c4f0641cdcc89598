from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.contenders import CONTENDERS
from benchmarks.generate import History, benchmark_name, commit_sha, nth_test_bed
from benchmarks.stores import Shelf

if TYPE_CHECKING:
    from pathlib import Path

HISTORY = History(commits=3, benchmarks=2, beds=2)


class TestContenders:
    """Every store has the same rows and the same answers."""

    @pytest.mark.parametrize("kind", CONTENDERS)
    def test_answers(self, tmp_path: Path, kind: str) -> None:
        contender = CONTENDERS[kind](Shelf(directory=tmp_path, history=HISTORY).store(kind))
        assert contender.has(commit_sha(1))
        assert not contender.has(commit_sha(3))
        assert len(contender.latest()) == len(contender.summary()) == 4
        assert len(contender.trend(benchmark_name(1), nth_test_bed(1).name)) == 3
