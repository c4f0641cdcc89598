"""What publishing did, file by file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench_db.report.text import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One published run: rows added, rows there already, rows taken out, and benchmarks skipped by reason.

    `part` says which of a file that holds a history, and is empty for a whole file.
    """

    path: str
    part: str = ""
    format: str
    run_id: str
    new: int
    unchanged: int
    replaced: int
    skipped: Mapping[str, int]
    notes: tuple[str, ...]


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The runs and their totals."""
    return {
        "published": [{**asdict(outcome), "skipped": dict(outcome.skipped)} for outcome in outcomes],
        "new": sum(outcome.new for outcome in outcomes),
        "unchanged": sum(outcome.unchanged for outcome in outcomes),
    }


def as_text(outcomes: Sequence[Outcome], *, dry_run: bool = False) -> str:
    """A line a run, its notes under it, and the total."""
    added = "to add" if dry_run else "new"
    lines = [line for outcome in outcomes for line in _lines(outcome, added)]
    total = (
        f"{len(outcomes)} runs: {sum(o.new for o in outcomes)} {added}, {sum(o.unchanged for o in outcomes)} unchanged"
    )
    return "\n".join([*lines, total] if len(outcomes) > 1 else lines)


def _lines(outcome: Outcome, added: str) -> list[str]:
    parts = [f"{outcome.new} {added}", f"{outcome.unchanged} unchanged"]
    parts += [f"{outcome.replaced} replaced"] if outcome.replaced else []
    parts += [f"{sum(outcome.skipped.values())} skipped"] if outcome.skipped else []
    head = f"{visible('#'.join(part for part in (outcome.path, outcome.part) if part))}: {outcome.format}, {', '.join(parts)}"
    return [head, *(f"  {visible(note)}" for note in outcome.notes)]
