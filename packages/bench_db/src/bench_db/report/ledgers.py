"""Recorded commits and published runs as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.report.document import commit_json
from bench_db.report.escape import shortened
from bench_db.report.rows import when
from bench_db.report.text import PLAIN, table, visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from bench_db.model import Definition, RecordedCommit
    from bench_db.report.text import Screen

_FACT = 80


def environments_text(
    a: str, b: str, facts: Sequence[tuple[str, str | None, str | None]], known: int, screen: Screen = PLAIN
) -> str:
    """Render facts of the environments of two runs as a table with a column for each, of `known` facts in all."""
    if not facts:
        return f"{known} facts of the environments are known, and none differs"
    cells = [(visible(name), *(_cell(value) for value in values)) for name, *values in facts]
    return table(("", f"A {visible(a)}", f"B {visible(b)}"), cells, (), screen)


def _cell(value: str | None) -> str:
    return "-" if value is None else shortened(visible(value), _FACT)


def commits_text(commits: Sequence[RecordedCommit], screen: Screen = PLAIN) -> str:
    """Render recorded commits as a table, in their order."""
    if not commits:
        return "no commits are recorded"
    headings = ("position", "commit", "commit time", "branch", "state", "subject")
    cells = [
        (
            "-" if c.position is None else str(c.position),
            c.commit[: RULES.sha_length],
            when(c.time),
            visible(c.branch or "-") if c.pr_number is None else f"pull request {c.pr_number}",
            "unreachable" if c.reachable is False else "",
            visible(c.subject),
        )
        for c in commits
    ]
    return table(headings, cells, ("position",), screen)


def commit_text(commits: Sequence[RecordedCommit], runs: pl.DataFrame, screen: Screen = PLAIN) -> str:
    """Render what is recorded of one commit for each device, a field a line, and its runs as a table."""
    times = {"time", "author_time", "measured_at", "recorded_at"}
    shown = [
        record_text({n: when(v) if n in times else v for n, v in commit_json(commit).items()}) for commit in commits
    ]
    return "\n\n".join([*shown, runs_text(runs, screen)])


def runs_text(runs: pl.DataFrame, screen: Screen = PLAIN) -> str:
    """Render runs with the columns of `app.runs.Runs.frame` as a table."""
    if runs.is_empty():
        return "no runs"
    headings = ("run", "commit", "test bed", "branch", "results", "file", "excluded")
    cells = [
        (
            r["run"],
            (r["commit"] or "-")[: RULES.sha_length],
            visible(r["test_bed_name"]),
            visible(r["branch"] or "-") if r["pr_number"] is None else f"pull request {r['pr_number']}",
            str(r["results"]),
            visible(r["file_name"]),
            visible(r["excluded"] or ""),
        )
        for r in runs.iter_rows(named=True)
    ]
    return table(headings, cells, ("results",), screen)


def definitions_text(definitions: Sequence[Definition], screen: Screen = PLAIN, faults: Sequence[str] = ()) -> str:
    """Render definitions as a table, in their order, over the faults of thresholds and derived metrics."""
    if not definitions:
        return "nothing is defined"
    headings = ("kind", "of", "pattern", "value", "device", "note")
    cells = [
        (d.kind, d.field, visible(d.pattern), visible(d.value), visible(d.dut_name or "any"), visible(d.note))
        for d in definitions
    ]
    return "\n".join((table(headings, cells, (), screen), *map(visible, faults)))


def unmapped_text(names: pl.DataFrame, screen: Screen = PLAIN) -> str:
    """Render names with the columns of `app.definitions.Unmapped` as a table; each count says what it counts."""
    if names.is_empty():
        return "every name of the fields that have aliases or pools is defined"
    headings = ("field", "name", "device", "counted", "last seen")
    cells = [
        (field, visible(name or "(none)"), visible(dut), _counted(results, field), when(last_seen))
        for field, name, dut, results, last_seen in names.iter_rows()
    ]
    return table(headings, cells, ("counted",), screen)


def _counted(number: int, field: str) -> str:
    """Return a count with what it counts: rows of files for names of an alias table, results for those of a field."""
    what = "row" if field.startswith("alias.") else "result"
    return f"{number:,} {what}{'s' * (number != 1)}"


def record_text(record: Mapping[str, object]) -> str:
    """Render one record, a field a line; empty fields are left out."""
    shown = {name: value for name, value in record.items() if value not in (None, "", [], (), {}) and name != "run_key"}
    width = max(map(len, shown), default=0)
    return "\n".join(f"{name.replace('_', ' '):{width}}  {visible(_text(value))}" for name, value in shown.items())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
