from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db import UserError
from bench_db.compat.regression_report import page, summary, ttests
from bench_db.model import Verdict
from bench_db.store.database import connect
from tests.cli.asking import nine_commits, wobble
from tests.cli.kinds import publish

if TYPE_CHECKING:
    from pathlib import Path


class TestRegressionReport:
    """The newest runs of every series are tested against all older ones, the smallest p-value first."""

    def test_a_series_that_got_slower_is_a_high_concern(self, tmp_path: Path) -> None:
        store = nine_commits(tmp_path / "store")
        for number in range(9, 13):
            publish(store, number, {"f": wobble(number, 150.0), "short": 1.0})
        (one,) = tested = ttests(store, recent=4, alpha=0.05)
        assert (one.series.benchmark_name, one.verdict) == ("f", Verdict.REGRESSED)
        assert "Potential regressions (p < 0.05): 1\n  HIGH CONCERN f: Change: +" in summary(tested, 0.05)
        assert page(tested).count("<tr>") == 2

    def test_too_few_runs(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        publish(store, 1, {"f": 1.0})
        with pytest.raises(UserError, match="it takes 6"):
            ttests(store, recent=4, alpha=0.05)
