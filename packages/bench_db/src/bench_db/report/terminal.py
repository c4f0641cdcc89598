"""Comparisons and findings as tables for a terminal, and the words for them that every report uses."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING

from bench_db.analysis.by_commit import by_commit
from bench_db.analysis.judge import of_machine, too_noisy
from bench_db.model import Cause, Figure, Series, Verdict
from bench_db.query.selection import short
from bench_db.report.escape import shortened
from bench_db.report.quantity import SPEEDS, change_text, percent, percent_with_interval, probability, quantity
from bench_db.report.text import PLAIN, Colour, Fit, Screen, table, visible
from bench_db.rules import RULES
from bench_db.units import is_worse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bench_db.model import Blame, CommitFindings, Comparison, Finding, MeanChange

CAUSES = {Cause.CODE: "the code", Cause.MACHINE: "the machine or the tool chain", Cause.UNKNOWN: "not known"}
_NOTE = 100
# The series of a finding whose series the answer does not cover.
GONE = Series(benchmark_name="-", test_bed_name="-")
_MOST_JOINS = 5
_NUMBERS = ("before", "after", "change", "p", "runs")
_FIT = Fit(drop=(("p",), ("runs",), ("threshold",), ("before", "after"), ("test bed",)), notes="note")
_FOUND = Fit(drop=(("p",), ("test bed",)), notes="note")
_GROUPED = Fit(drop=(("test bed",),), notes="note")
_COLOURS: Mapping[str, Colour] = {
    Verdict.REGRESSED: "red",
    Verdict.SUSPECTED: "yellow",
    Verdict.FAILED: "red",
    Verdict.MISSING: "yellow",
    Verdict.IMPROVED: "green",
}


def comparisons_text(
    comparisons: Sequence[Comparison],
    counts: Mapping[str, int],
    *,
    blame: Sequence[Blame] = (),
    everything: bool = False,
    screen: Screen = PLAIN,
) -> str:
    """Render the counts of the verdicts over the causes of changes and a table of comparisons, in their order.

    Unchanged ones are shown only with `everything`.
    """
    shown = [c for c in comparisons if everything or c.verdict != Verdict.UNCHANGED]
    machine = {Verdict.REGRESSED: with_machine(of_machine(comparisons))}
    words = [
        f"{number} {painted(verdict, screen)}{machine.get(Verdict(verdict), '')}" for verdict, number in counts.items()
    ]
    head = "\n".join((", ".join(words) or "nothing to compare", *blame_lines(blame), *noise_lines(comparisons)))
    if not shown:
        return head
    columns = [column for column in _COLUMNS if column[2] is None or column[2](comparisons)]
    cells = [[cell(c) for _, cell, _ in columns] for c in shown]
    headings = [name for name, _, _ in columns]
    joins = [
        f"to continue its history: bench-db define join {shlex.quote(c.renamed_from)} {shlex.quote(c.series.benchmark_name)}"
        for c in shown
        if c.renamed_from is not None
    ]
    if len(joins) > _MOST_JOINS:
        joins[_MOST_JOINS:] = [
            f"and {len(joins) - _MOST_JOINS:,} more that may be renamed: renamed_from of --output json"
        ]
    listed = table(headings, cells, _NUMBERS, screen, _FIT, colours=_COLOURS)
    return "\n".join((f"{head}\n\n{listed}", *map(visible, joins)))


def mean_lines(means: Sequence[MeanChange]) -> list[str]:
    """Render the geometric mean change of each suite and metric, a line each, with how many benchmarks took part and how many could not."""
    return [_mean_line(one) for one in means]


def _mean_line(one: MeanChange) -> str:
    lacking = [
        f"{number:,} {word}"
        for number, word in ((one.missing, "missing"), (one.new, "new"), (one.not_positive, "not above 0"))
        if number
    ]
    where = f"{one.suite or 'no suite'}, {one.metric} in {one.units}, on {one.test_bed_name}"
    taken = f"{one.benchmarks:,} benchmark{'' if one.benchmarks == 1 else 's'}"
    left = f"; left out: {', '.join(lacking)}" if lacking else ""
    if one.effect is None:
        return f"mean of {where}: no benchmark has both sides{left}"
    clear = one.low is not None and one.high is not None and (one.low > 0.0 or one.high < 0.0)
    worse = is_worse(one.effect, one.direction)
    word = "" if worse is None else (", worse" if worse else ", better") if clear else ", no clear change"
    return f"mean of {where}: {percent_with_interval(one.effect, one.low, one.high)}{word}, {taken}{left}"


def painted(verdict: str, screen: Screen) -> str:
    """Return the word of a verdict in its colour, where colours are wanted."""
    return screen.painted(verdict, _COLOURS.get(verdict))


def against(candidate: str, baseline: str) -> str:
    """Name a candidate commit and its baseline in one line."""
    return visible(f"{short(candidate)} against {baseline}")


def several_beds(comparisons: Sequence[Comparison]) -> bool:
    """Return whether the comparisons are of more than one test bed, so that each has to name its own."""
    return len({c.series.test_bed_name for c in comparisons}) > 1


def _moved_by(c: Comparison) -> str:
    return percent_with_interval(c.effect, c.low, c.high)


# heading, cell, and when the column is shown
_COLUMNS: tuple[
    tuple[str, Callable[[Comparison], str], Callable[[Sequence[Comparison]], bool] | None],
    ...,
] = (
    ("verdict", lambda c: c.verdict, None),
    ("benchmark", lambda c: c.series.label, None),
    ("test bed", lambda c: c.series.test_bed_name, several_beds),
    ("before", lambda c: quantity(c.baseline_value, c.series.units), None),
    ("after", lambda c: quantity(c.candidate_value, c.series.units), None),
    ("figure", lambda c: c.figure, lambda comparisons: any(c.figure is not Figure.MEDIAN for c in comparisons)),
    ("change", _moved_by, None),
    ("p", lambda c: probability(c.p_value), None),
    ("threshold", lambda c: c.threshold, lambda comparisons: any(c.threshold for c in comparisons)),
    ("runs", lambda c: f"{c.n_baseline} + {c.n_candidate}", None),
    ("note", lambda c: shortened(c.note, _NOTE), lambda comparisons: any(c.note for c in comparisons)),
)


def findings_text(findings: Sequence[Finding], series: Mapping[int, Series], screen: Screen = PLAIN) -> str:
    """Render findings as a table, in their order. `series` are their series by key; test beds are shown when there are several."""
    if not findings:
        return "no findings"
    of = [series.get(f.series_key, GONE) for f in findings]
    bed = ("test bed",) if len({one.test_bed_name for one in of}) > 1 else ()
    headings = ("id", "state", "benchmark", *bed, "commit", "change", "p", "note")
    cells = [
        (
            f.id,
            f.state,
            one.label,
            *(one.test_bed_name for _ in bed),
            (f.commit or "-")[: RULES.sha_length],
            change_text(f, one.units, one.direction, interval=True),
            probability(f.p_value),
            _note(f),
        )
        for f, one in zip(findings, of, strict=True)
    ]
    return table(headings, cells, _NUMBERS, screen, _FOUND)


def moved_words(group: CommitFindings) -> str:
    """Return what moved at a commit, as in `125 slower, median +20.0 %, 3 faster, median -4.0 %`."""
    worse, better = ("slower", "faster") if group.units and {*group.units} <= SPEEDS else ("worse", "better")
    counts = ((group.worse, worse, group.worse_effect), (group.better, better, group.better_effect))
    words = [
        f"{n:,} {word}" if effect is None else f"{n:,} {word}, {'median ' if n > 1 else ''}{percent(effect)}"
        for n, word, effect in counts
        if n
    ]
    others = (
        (group.neither - group.spread - group.modes, "moved"),
        (group.spread, "with other noise"),
        (group.modes, "with other modes"),
    )
    return ", ".join([*words, *(f"{n:,} {word}" for n, word in others if n)])


def beds_words(group: CommitFindings) -> str:
    """Return the test bed of the findings at a commit, or how many there are."""
    names = group.test_bed_names
    return f"{len(names)} test beds" if len(names) > 1 else "".join(names) or "-"


def commit_findings_text(findings: Sequence[Finding], series: Mapping[int, Series], screen: Screen = PLAIN) -> str:
    """Render findings as a table with a row for each commit and state, in the order of the first of each.

    A finding that is alone at its commit has its id and its benchmark. `series` are the series by key.
    """
    groups = by_commit(findings, series)
    if not groups:
        return "no findings"
    known = {f.id: f for f in findings}
    cells = []
    for group in groups:
        of = [known[one] for one in group.ids]
        labels = list(dict.fromkeys(series.get(f.series_key, GONE).label for f in of))
        benchmark = labels[0] if len(labels) == 1 else f"{len(labels):,} benchmarks"
        single = group.ids[0] if len(of) == 1 else f"{len(of):,} findings"
        commit = (group.commit or "-")[: RULES.sha_length]
        cells.append((commit, group.state, moved_words(group), beds_words(group), benchmark, single, _common_note(of)))
    listed = table(("commit", "state", "moved", "test bed", "benchmark", "id", "note"), cells, (), screen, _GROUPED)
    several = next((group for group in groups if len(group.ids) > 1), None)
    if several is None:
        return listed
    opens = f"bench-db show {(several.commit or '')[: RULES.sha_length]}"
    return f"{listed}\n{opens} lists the findings of a commit, bench-db finding list --each those of all commits"


def _common_note(findings: Sequence[Finding]) -> str:
    """Return the notes of findings; one that not all of them have, with their number."""
    counts = Counter(part for f in findings for part in _notes(f))
    notes = [part if n == len(findings) else f"{n:,} {part}" for part, n in counts.items()]
    return ", ".join(notes)


def _note(finding: Finding) -> str:
    return ", ".join(_notes(finding))


def _notes(finding: Finding) -> list[str]:
    provisional = ["provisional"] if finding.provisional and not finding.is_withdrawn else []
    common = [f"with {finding.common_mode}"] if finding.common_mode else []
    cause = [f"cause: {CAUSES[finding.cause]}"] if finding.cause is not None else []
    figure = [f"by {finding.figure}"] if finding.figure is not Figure.MEDIAN else []
    pairs = ["confirmed in pairs"] if finding.confirmed_by is not None else []
    return [*provisional, *common, *cause, *pairs, *figure, *filter(None, [finding.note])]


def cause_text(cause: Cause, evidence: Sequence[str]) -> str:
    """Return a cause and its evidence as a sentence."""
    because = f" ({visible('; '.join(evidence))})" if evidence else ""
    return f"Cause: {CAUSES[cause]}{because}."


def finding_text(finding: Finding) -> str:
    """Return the cause of a finding with its evidence, and whether pairs confirm it, as sentences; empty for neither."""
    cause = [] if finding.cause is None else [cause_text(Cause(finding.cause), finding.evidence)]
    pairs = [] if finding.confirmed_by is None else [f"Confirmed in pairs ({visible(finding.confirmed_by)})."]
    return " ".join([*cause, *pairs])


def blame_lines(blame: Iterable[Blame]) -> list[str]:
    """Return a line for each device and suite with a change; several of them are named."""
    several = list(blame)
    return [f"{_about(one) if len(several) > 1 else ''}{cause_text(one.cause, one.evidence)}" for one in several]


def _about(one: Blame) -> str:
    return f"{visible(' '.join(filter(None, (one.dut_name, one.suite))))}: "


def noise_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """Say how many of the unchanged series are too noisy to show even a large change for the worse; nothing when none is."""
    noisy, unchanged = too_noisy(comparisons), sum(c.verdict is Verdict.UNCHANGED for c in comparisons)
    if not noisy:
        return []
    who = f"{noisy:,} of {unchanged:,} unchanged"
    return [f"{who}: so noisy that they may be {100 * RULES.hidden_effect:g} % worse; see 'bench-db noise'"]


def with_machine(of_machine: int) -> str:
    """Return the part of a count that the machine or the tool chain caused; empty for none."""
    return f", of which {of_machine:,} moved with the machine" if of_machine else ""
