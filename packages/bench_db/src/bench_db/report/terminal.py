"""Comparisons and findings as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bench_db.analysis.compare import Verdict
from bench_db.model import State
from bench_db.report.effect import percent_with_interval, probability
from bench_db.report.escape import shortened
from bench_db.report.quantity import quantity
from bench_db.report.text import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench_db.report.contract import Comparison, Finding

_SHA, _NOTE = 9, 100
_NUMBERS = ("before", "after", "change", "p", "runs")


def comparisons_text(comparisons: Sequence[Comparison], *, everything: bool = False) -> str:
    """The counts of all verdicts over a table of what is not unchanged, largest change first; `everything` shows all."""
    counts = counted(comparisons)
    shown = [c for c in in_order(comparisons) if everything or c.verdict != Verdict.UNCHANGED]
    head = ", ".join(f"{number} {verdict}" for verdict, number in counts.items()) or "nothing to compare"
    if not shown:
        return head
    columns = [column for column in _COLUMNS if column[2] is None or column[2](comparisons)]
    cells = [[cell(c) for _, cell, _ in columns] for c in shown]
    return f"{head}\n\n{table([name for name, _, _ in columns], cells, right=_NUMBERS)}"


def several_beds(comparisons: Sequence[Comparison]) -> bool:
    """Whether the name of a series is not enough to tell where it was measured."""
    return len({c.testbed_name for c in comparisons}) > 1


def _moved_by(c: Comparison) -> str:
    return percent_with_interval(c.effect, c.low, c.high)


# heading, cell, and when a column is worth its place
_COLUMNS: tuple[
    tuple[str, Callable[[Comparison], str], Callable[[Sequence[Comparison]], bool] | None],
    ...,
] = (
    ("verdict", lambda c: c.verdict, None),
    ("benchmark", lambda c: c.label, None),
    ("test bed", lambda c: c.testbed_name, several_beds),
    ("before", lambda c: quantity(c.baseline_median, c.units), None),
    ("after", lambda c: quantity(c.candidate_median, c.units), None),
    ("change", _moved_by, None),
    ("p", lambda c: probability(c.p_value), None),
    ("runs", lambda c: f"{c.n_baseline} + {c.n_candidate}", None),
    ("note", lambda c: shortened(c.note, _NOTE), lambda comparisons: any(c.note for c in comparisons)),
)


def counted(comparisons: Sequence[Comparison]) -> dict[str, int]:
    """How often each verdict occurs, those that do not left out."""
    counts = Counter(str(c.verdict) for c in comparisons)
    return {str(verdict): counts[verdict] for verdict in Verdict if counts[verdict]}


def in_order(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """By verdict as `Verdict` lists them, then largest change first, then by name."""
    place = {str(verdict): number for number, verdict in enumerate(Verdict)}
    return sorted(comparisons, key=lambda c: (place[c.verdict], -abs(c.effect or 0.0), c.label))


def findings_text(findings: Sequence[Finding], labels: Mapping[int, str], beds: Mapping[int, str]) -> str:
    """A table of findings, open ones first and the largest first among them.

    `labels` and `beds` name the series and their test beds by key; beds are shown when there are several.
    """
    if not findings:
        return "no findings"
    place = {str(state): number for number, state in enumerate(State)}
    ordered = sorted(findings, key=lambda f: (place[f.state], -abs(f.effect or 0.0), f.id))
    named = [beds.get(f.series_key, "-") for f in ordered]
    bed = ("test bed",) if len(set(named)) > 1 else ()
    headings = ("id", "state", "benchmark", *bed, "commit", "change", "p", "note")
    cells = [
        (
            f.id,
            f.state,
            labels.get(f.series_key, "-"),
            *(name for _ in bed),
            (f.commit or "-")[:_SHA],
            *_moved(f),
            _note(f),
        )
        for f, name in zip(ordered, named, strict=True)
    ]
    return table(headings, cells, right=_NUMBERS)


def _moved(finding: Finding) -> tuple[str, str]:
    return percent_with_interval(finding.effect, finding.low, finding.high), probability(finding.p_value)


def _note(finding: Finding) -> str:
    provisional = ["provisional"] if finding.provisional else []
    common = [f"with {finding.common_mode}"] if finding.common_mode else []
    return ", ".join([*provisional, *common, *filter(None, [finding.note])])
