"""lance-bench's regression report: its t-test of the newest runs of every series against all older ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench_db.analysis.seed_methods import lance_bench_ttest
from bench_db.errors import UserError
from bench_db.model import Verdict
from bench_db.report.escape import html_text
from bench_db.report.quantity import percent, quantity
from bench_db.report.site.badge import history
from bench_db.report.tables import Figure, Figures, html
from bench_db.report.text import visible
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from bench_db.analysis.histories import Histories
    from bench_db.model import Comparison, Series

_HIGH_CONCERN = 0.01
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Regression report</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem .8rem; border-bottom: 1px solid #cfcac2; }
h2 { font-size: 1rem; margin: 1.5rem 0 0; overflow-wrap: anywhere; } p { margin: .2rem 0; }
</style>
</head>
<body>
"""


def ttests(of: Histories, *, recent: int, alpha: float) -> list[Comparison]:
    """Test every series with enough runs, smallest p-value first. Raises `UserError` when no series has enough."""
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
    return f"  {concern} CONCERN {visible(c.series.label)}: Change: {percent(c.effect)}"


def page(of: Histories, tested: Sequence[Comparison], *, recent: int) -> str:
    """Render a page of HTML without scripts: p-values and changes as a table, and the history of every series with its verdict.

    The tested series come first, in their order. A dashed line is before the runs that were tested.
    """
    number = {series.series_key: at for at, series in enumerate(of.series)}
    judged = [(c.series, c) for c in tested]
    left = sorted(number.keys() - {series.series_key for series, _ in judged})
    rest = sorted((of.series[number[key]] for key in left), key=lambda series: series.label)
    charts = [_chart(series, c, of.of(number[series.series_key]), recent) for series, c in judged]
    charts += [_chart(series, None, of.of(number[series.series_key]), recent) for series in rest]
    return "".join([_HEAD, _table(tested), *charts, "</body>\n</html>\n"])


def _table(tested: Sequence[Comparison]) -> str:
    rows = [(c.series.label, (Figure(value=c.p_value), Figure(value=c.effect, units="ratio"))) for c in tested]
    return html(
        Figures(corner="benchmark", columns=("p", "change"), rows=rows, best_in="column", caption="Regression report")
    )


def _chart(series: Series, c: Comparison | None, points: pl.DataFrame, recent: int) -> str:
    """Render the verdict on a series, or that it has too few runs, and its history."""
    has_value = points["median"].is_not_null().arg_true().to_list()
    worse = None if c is None or c.verdict is Verdict.UNCHANGED else c.verdict is Verdict.REGRESSED
    changes = [] if c is None else [(has_value[-recent], worse)]
    words = f"too few runs: {len(has_value)} of {recent + 2}" if c is None else _verdict(c)
    medians, last = points["median"].to_numpy().astype(float), points["median"][-1]
    shown = "failed" if last is None else quantity(last, series.units)
    drawn = history(series.label, shown, medians, points["dut_timestamp"].to_list(), series.units, changes).decode()
    return f"<section>\n<h2>{html_text(visible(f'{series.label} on {series.test_bed_name}'))}</h2>\n<p>{words}</p>\n{drawn}</section>\n"


def _verdict(c: Comparison) -> str:
    p = "-" if c.p_value is None else f"{c.p_value:.3g}"
    word = "no direction" if c.series.direction is Direction.INFO else c.verdict
    return html_text(f"{word}: {percent(c.effect)}, p = {p}, {c.n_candidate} newest runs against {c.n_baseline}")
