"""lance-bench's regression report: its t-test of the newest runs of every series against all older ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench_db.analysis.histories import histories
from bench_db.analysis.seed_methods import lance_bench_ttest
from bench_db.errors import UserError
from bench_db.model import Verdict
from bench_db.report.quantity import percent
from bench_db.report.tables import Figure, Figures, html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import Comparison
    from bench_db.store.database import Database

_HIGH_CONCERN = 0.01


def ttests(store: Database, *, recent: int, alpha: float) -> list[Comparison]:
    """Test every series with enough runs, smallest p-value first. Raises `UserError` when no series has enough."""
    of = histories(store.points())
    runs = [of.of(number)["median"].drop_nulls().to_list() for number in range(len(of))]
    tested = [
        replace(lance_bench_ttest(values, series.direction, recent=recent, alpha=alpha), series=series)
        for series, values in zip(of.series, runs, strict=True)
        if len(values) >= recent + 2
    ]
    if not tested:
        message = f"no series has enough runs to be analysed; it takes {recent + 2}"
        raise UserError(message)
    return sorted(tested, key=lambda c: (1.0 if c.p_value is None else c.p_value, c.series.label))


def summary(tested: Sequence[Comparison], alpha: float) -> str:
    """Render the number of series and the regressions among them as text."""
    worse = [c for c in tested if c.verdict is Verdict.REGRESSED]
    head = f"{len(tested)} series analysed\nPotential regressions (p < {alpha:g}): {len(worse)}"
    return "\n".join([head, *map(_concern, worse)])


def _concern(c: Comparison) -> str:
    concern = "HIGH" if (c.p_value or 0.0) < _HIGH_CONCERN else "MEDIUM"
    return f"  {concern} CONCERN {c.series.label}: Change: {percent(c.effect)}"


def page(tested: Sequence[Comparison]) -> str:
    """Render p-values and changes as an HTML table."""
    rows = [(c.series.label, (Figure(value=c.p_value), Figure(value=c.effect, units="ratio"))) for c in tested]
    return html(
        Figures(corner="benchmark", columns=("p", "change"), rows=rows, best_in="column", caption="Regression report")
    )
