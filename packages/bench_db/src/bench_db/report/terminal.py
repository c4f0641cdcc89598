"""Comparisons and findings as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bench_db.analysis.compare import Verdict
from bench_db.model import State
from bench_db.report.effect import percent_with_interval, probability
from bench_db.report.quantity import quantity
from bench_db.report.text import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench_db.report.contract import Comparison, Finding

_SHA = 9
_NUMBERS = ("before", "after", "change", "p", "runs")


def comparisons_text(comparisons: Sequence[Comparison], *, everything: bool = False) -> str:
    """The counts of all verdicts over a table of what is not unchanged, largest change first; `everything` shows all."""
    counts = counted(comparisons)
    shown = [c for c in in_order(comparisons) if everything or c.verdict != Verdict.UNCHANGED]
    head = ", ".join(f"{number} {verdict}" for verdict, number in counts.items()) or "nothing to compare"
    if not shown:
        return head
    headings = ("verdict", "benchmark", "before", "after", "change", "p", "runs")
    return f"{head}\n\n{table(headings, [_comparison(c) for c in shown], right=_NUMBERS)}"


def _comparison(c: Comparison) -> tuple[str, ...]:
    medians = (quantity(c.baseline_median, c.units), quantity(c.candidate_median, c.units))
    moved = percent_with_interval(c.effect, c.low, c.high)
    return (c.verdict, c.label, *medians, moved, probability(c.p_value), f"{c.n_baseline} + {c.n_candidate}")


def counted(comparisons: Sequence[Comparison]) -> dict[str, int]:
    """How often each verdict occurs, those that do not left out."""
    counts = Counter(str(c.verdict) for c in comparisons)
    return {str(verdict): counts[verdict] for verdict in Verdict if counts[verdict]}


def in_order(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """By verdict as `Verdict` lists them, then largest change first, then by name."""
    place = {str(verdict): number for number, verdict in enumerate(Verdict)}
    return sorted(comparisons, key=lambda c: (place[c.verdict], -abs(c.effect or 0.0), c.label))


def findings_text(findings: Sequence[Finding], labels: Mapping[int, str]) -> str:
    """A table of findings, open ones first and the largest first among them; `labels` names the series by their keys."""
    if not findings:
        return "no findings"
    place = {str(state): number for number, state in enumerate(State)}
    ordered = sorted(findings, key=lambda f: (place[f.state], -abs(f.effect or 0.0), f.id))
    headings = ("id", "state", "benchmark", "commit", "change", "p", "note")
    cells = [
        (f.id, f.state, labels.get(f.series_key, "-"), (f.commit or "-")[:_SHA], *_moved(f), _note(f)) for f in ordered
    ]
    return table(headings, cells, right=_NUMBERS)


def _moved(finding: Finding) -> tuple[str, str]:
    return percent_with_interval(finding.effect, finding.low, finding.high), probability(finding.p_value)


def _note(finding: Finding) -> str:
    provisional = ["provisional"] if finding.provisional else []
    common = [f"with {finding.common_mode}"] if finding.common_mode else []
    return ", ".join(provisional + common)
