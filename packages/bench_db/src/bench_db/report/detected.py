"""Changes, scans and noise as text, each under the series it belongs to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bench_db.model import Figure
from bench_db.report.escape import markdown_text
from bench_db.report.markdown import findings_markdown
from bench_db.report.quantity import percent, share
from bench_db.report.rows import NOTHING
from bench_db.report.terminal import cause_text, commit_findings_text, findings_text
from bench_db.report.text import PLAIN, Fit, Screen, sparkline, sparkline_width, table, visible
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench_db.analysis.histories import Histories
    from bench_db.model import Finding, Movement, Noise, Series

_MOVEMENTS = 5
_NOISE = Fit(drop=((f"runs for {RULES.texts()['noise_effect']}",), ("test bed",)), notes="warning")


def changes_text(histories: Histories, findings: Sequence[Finding], screen: Screen = PLAIN) -> str:
    """Render each series as a sparkline with a mark under every change, then the changes as a table."""
    drawn = [_drawn(histories, number, findings, screen) for number in range(len(histories))]
    series = {series.series_key: series for series in histories.series}
    return "\n".join((*drawn, "", findings_text(findings, series, screen)))


def _drawn(histories: Histories, number: int, findings: Sequence[Finding], screen: Screen) -> str:
    series = histories.series[number]
    medians = histories.of(number)["median"].to_list()
    at = {finding.index for finding in findings if finding.series_key == series.series_key}
    width = min(sparkline_width(screen), len(medians))
    marks = [" "] * width
    for index in at:
        marks[min(width - 1, index * width // len(medians))] = "^"
    is_short = not at and len(medians) < RULES.detection_runs
    said = f"too few to look for a change, which needs {RULES.detection_runs}" if is_short else _changes(len(at))
    head = f"{visible(series.label)}  on {visible(series.test_bed_name)}: {len(medians)} runs, {said}"
    return "\n".join((head, sparkline(medians, width), "".join(marks).rstrip())).rstrip()


def _changes(count: int) -> str:
    return f"{count} change" if count == 1 else f"{count} changes"


def scan_text(  # noqa: PLR0913 the figures of a scan, by keyword
    findings: Sequence[Finding],
    series: Mapping[int, Series],
    *,
    movements: Sequence[Movement],
    changes: int,
    tested: int,
    too_short: int,
    expected_false: float,
    of_machine: int = 0,
    confirmed: int = 0,
    withdrawn: int = 0,
    thresholds: Mapping[int, str] = {},
    threshold_faults: Sequence[str] = (),
    markdown: bool = False,
    screen: Screen = PLAIN,
) -> str:
    """Render the figures of a scan, its largest movements of whole runs, and the findings as a table, a row a commit."""
    of = f"{tested} series tested, {too_short} with fewer than {RULES.detection_runs} runs"
    machine = f" and {of_machine:,} moved with the machine" if of_machine else ""
    expected = f"{_changes(changes)}, of which {expected_false:.1f} are expected to be false alarms{machine}"
    has_rates = any(one.direction is Direction.HIGHER for one in series.values())
    moved = [_movement(movement, has_rates=has_rates) for movement in movements[:_MOVEMENTS]]
    counts = Counter(thresholds.values())
    least = [f"from {text}: {number:,} series" for text, number in counts.items()]
    later = ((confirmed, "confirmed by later runs"), (withdrawn, "withdrawn, because later runs do not show it"))
    decided = [
        f"{number:,} provisional {'change' if number == 1 else 'changes'} {word}" for number, word in later if number
    ]
    figures_of = f"{of}; {expected}" if tested else _untested(too_short)
    head = (figures_of, *decided, *least, *threshold_faults)
    if markdown:
        figures = [markdown_text(line) for line in (*head, *moved)]
        return "\n\n".join((*figures, findings_markdown(findings, series)))
    return "\n".join((*map(visible, head), *moved, "", commit_findings_text(findings, series, screen)))


def _untested(too_short: int) -> str:
    if not too_short:
        return "nothing tested: there are no results yet"
    of = f"the {too_short:,} series have" if too_short > 1 else "the series has"
    return f"nothing tested: a series needs {RULES.detection_runs} runs, and {of} fewer"


def _movement(movement: Movement, *, has_rates: bool) -> str:
    inverse = " (rates the other way)" if has_rates else ""
    stayed = ", and stayed" if movement.lasting else ""
    bed = f" on {visible(movement.test_bed_name)}" if movement.test_bed_name else ""
    series = f"{movement.series} series"
    moved = f"{movement.benchmarks} of {movement.measured} benchmarks ({series})" if movement.measured else series
    return (
        f"run {(movement.commit or '-')[: RULES.sha_length]}{bed}: {moved} moved together by {percent(movement.effect)}{inverse}{stayed}. "
        f"{cause_text(movement.cause, movement.evidence)}"
    )


def noise_text(noise: Sequence[Noise], screen: Screen = PLAIN) -> str:
    """Render the noise of each series as a table, in its order; figures are shown where one is not the median."""
    if not noise:
        return NOTHING
    figure = ("figure",) if any(one.figure is not Figure.MEDIAN for one in noise) else ()
    cells = [
        (
            one.series.label,
            one.series.test_bed_name,
            share(one.spread),
            share(one.smallest_effect),
            "-" if one.runs_needed is None else str(one.runs_needed),
            *(str(one.figure) for _ in figure),
            "neighbouring runs are alike" if one.autocorrelated else "",
        )
        for one in noise
    ]
    headings = (
        "benchmark",
        "test bed",
        "spread",
        "smallest effect",
        f"runs for {RULES.texts()['noise_effect']}",
        *figure,
        "warning",
    )
    return table(headings, cells, headings[2:5], screen, _NOISE)
