"""One commit as text: where it comes from, the verdicts of its series by benchmark, what failed, and what to do next."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from bench_db.analysis.judge import of_machine
from bench_db.model import Verdict
from bench_db.query.selection import short
from bench_db.report.escape import shortened
from bench_db.report.quantity import percent
from bench_db.report.rows import when
from bench_db.report.terminal import blame_lines, finding_text, findings_text, painted, with_machine
from bench_db.report.text import PLAIN, Screen, table, visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bench_db.model import Blame, Commit, Comparison, Finding, RecordedCommit, Series

_NOTE = 200
_QUIET = {Verdict.UNCHANGED, Verdict.INSUFFICIENT, Verdict.NEW}
_MOST_COMMITS = 20


def head_text(  # noqa: PLR0913 all but the first two by keyword
    commit: str,
    recorded: Sequence[RecordedCommit],
    *,
    before: str | None,
    since: Sequence[Commit],
    commits_since: int | None,
    difference_url: str,
) -> str:
    """Render the commit, and the range of commits since the measured commit before it."""
    known = recorded[0] if recorded else None
    about = f"  {visible(known.subject)}  ({when(known.time)} UTC)" if known else ""
    lines = [f"{short(commit)}{about}"]
    if before is None:
        return "\n".join((*lines, "no commit before it has results"))
    number = f", {commits_since} commit{'' if commits_since == 1 else 's'} since" if commits_since else ""
    lines.append(f"against {short(before)}, the measured commit before{number}")
    if len(since) > 1:
        left = len(since) - _MOST_COMMITS
        lines += [f"  {short(one.sha)}  {visible(one.subject)}" for one in since[-_MOST_COMMITS:]]
        lines += [f"  {left} earlier commits left out"] if left > 0 else []
    return "\n".join([*lines, *filter(None, [visible(difference_url)])])


def verdicts_text(
    comparisons: Sequence[Comparison],
    counts: Mapping[str, int],
    *,
    blame: Sequence[Blame] = (),
    everything: bool = False,
    screen: Screen = PLAIN,
) -> str:
    """Render the counts of the verdicts and the causes over a row a benchmark with a column a test bed.

    Benchmarks that nowhere changed or failed are counted, and shown only with `everything`.
    """
    machine = {Verdict.REGRESSED: with_machine(of_machine(comparisons))}
    words = [f"{n} {painted(verdict, screen)}{machine.get(Verdict(verdict), '')}" for verdict, n in counts.items()]
    rows: defaultdict[str, dict[str, Comparison]] = defaultdict(dict)
    for c in comparisons:
        rows[c.series.label][c.series.test_bed_name] = c
    shown = {
        label: beds for label, beds in rows.items() if everything or any(c.verdict not in _QUIET for c in beds.values())
    }
    names = sorted({c.series.test_bed_name for c in comparisons})
    cells = [(label, *(_cell(beds.get(name)) for name in names)) for label, beds in shown.items()]
    listed = [table(("benchmark", *names), cells, (), screen)] if cells else []
    quiet = Counter(next(iter(beds.values())).verdict for label, beds in rows.items() if label not in shown)
    left = (
        [f"not shown: {', '.join(f'{n} {verdict}' for verdict, n in quiet.items())}; --all shows them"] if quiet else []
    )
    head = [", ".join(words) or "nothing to compare", *_whole_runs(blame), *blame_lines(blame)]
    return "\n".join([*head, *listed, *left])


def _whole_runs(blame: Sequence[Blame]) -> list[str]:
    """Return a line for each suite and test bed on which the whole run moved."""
    return [
        f"the whole run{f' of {visible(one.suite)}' if one.suite else ''} on {visible(bed.test_bed_name)} moved: "
        f"{bed.moved} of {bed.measured} benchmarks"
        for one in blame
        for bed in one.test_beds
        if bed.whole_run
    ]


def _cell(c: Comparison | None) -> str:
    if c is None:
        return ""
    return c.verdict if c.effect is None else f"{c.verdict} {percent(c.effect)}"


def rest_text(
    failed: Iterable[Comparison],
    findings: Sequence[Finding],
    series: Mapping[int, Series],
    commands: Sequence[str],
    screen: Screen = PLAIN,
) -> str:
    """Render what failed and why, the findings at the commit with the evidence for their cause, and the commands to run next."""
    return "\n".join(
        [*_failed(failed), *_found(findings, series, screen), *_next(commands)],
    )


def _failed(failed: Iterable[Comparison]) -> Iterator[str]:
    for c in failed:
        note = f": {shortened(visible(c.note), _NOTE)}" if c.note else ""
        yield f"{c.verdict}: {visible(c.series.label)} on {visible(c.series.test_bed_name)}{note}"


def _found(findings: Sequence[Finding], series: Mapping[int, Series], screen: Screen) -> Iterator[str]:
    if findings:
        yield "findings at this commit:"
        yield findings_text(findings, series, screen)
        yield from filter(None, dict.fromkeys(map(finding_text, findings)))


def _next(commands: Sequence[str]) -> Iterator[str]:
    if commands:
        yield "to find the commit of a change in the range:"
        yield from (f"  {visible(command)}" for command in commands[: RULES.comment_rows])
        left = len(commands) - RULES.comment_rows
        if left > 0:
            yield f"  {left} more; --output json has all"


def bisect_command(before: str, sha: str, name: tuple[str, str, str], effect: float) -> str:
    """Return the command that finds the commit of a change between two commits. `name` is the suite, the benchmark and the metric."""
    suite, benchmark, metric = name
    small = 0.0 < effect < RULES.minimum_effect
    words = [
        *("bench-db", "bisect", before[: RULES.sha_length], sha[: RULES.sha_length], "--benchmark", benchmark),
        *(("--suite", suite) if suite else ()),
        *(("--metric", metric) if metric != "time" else ()),
        *(("--least-change", f"{effect / 2:.2g}") if small else ()),
    ]
    return shlex.join(words)
