"""Plans, backfills and bisections as text and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bench_db.model import AttemptState, Reason
from bench_db.report.escape import shortened
from bench_db.report.text import duration, visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench_db.model import Attempt, Bisection, Plan, Step

_LINE = 200
_MOST_NAMED = 5
Document = dict[str, object]


def plan_document(plan: Plan) -> Document:
    """Return a plan as JSON: the steps in order, every commit left out with its reason, and those with failures that stay."""
    return {
        "steps": [_step_document(step) for step in plan.steps],
        "left_out": [{"commit": out.commit.sha, "reason": str(out.reason)} for out in plan.left_out],
        "incomplete": [commit.sha for commit in plan.incomplete],
    }


def _step_document(step: Step) -> Document:
    return {
        "commit": step.commit.sha,
        "time": step.commit.time,
        "subject": step.commit.subject,
        "suites": list(step.suites),
        "reason": str(step.reason),
        "explanation": step.explanation,
        "attempt": step.attempt,
    }


def plan_text(plan: Plan) -> str:
    """Return a plan as text: every step, and the number of commits left out for each reason."""
    lines = [
        f"{step.commit.sha[: RULES.sha_length]}  {visible(step.commit.subject)[:50]:<50}  {visible(step.explanation)}"
        for step in plan.steps
    ]
    return "\n".join([f"{len(plan.steps)} to measure", *lines, *_left_out(plan)])


def _left_out(plan: Plan) -> list[str]:
    hints = {
        Reason.OVER_LIMIT: " (--max-commits sets how many)",
        Reason.GIVEN_UP: " (a higher --max-attempts tries again)",
    }
    reasons = Counter(out.reason for out in plan.left_out)
    lines = [f"{n} left out: {why}{hints.get(why, '')}" for why, n in reasons.items()]
    if incomplete := [commit.sha[: RULES.sha_length] for commit in plan.incomplete]:
        more = ", ..." if len(incomplete) > _MOST_NAMED else ""
        newest = ", ".join(incomplete[: -_MOST_NAMED - 1 : -1])
        lines.append(f"{len(incomplete)} with failures that are not tried again: {newest}{more}")
    return lines


def ended_document(ended: Iterable[Attempt]) -> list[Document]:
    """Return ended attempts as JSON."""
    return [
        {
            "commit": e.commit,
            "suites": list(e.suites),
            "state": str(e.state),
            "detail": e.detail,
            "kept": e.kept,
            "url": e.url,
        }
        for e in ended
    ]


def ended_text(plan: Plan, ended: Sequence[Attempt], seconds: float) -> str:
    """Return the outcome of a plan as text: how many succeeded, why the others did not, and what was left out."""
    failed = [entry for entry in ended if entry.state is not AttemptState.SUCCEEDED]
    parts = sum(entry.kept > 0 for entry in failed)
    counts = {"measured": len(ended) - len(failed), "measured in part": parts, "failed": len(failed) - parts}
    head = ", ".join(f"{n} {what}" for what, n in counts.items() if n or what == "measured")
    took = f" in {duration(seconds)}" if ended else ""
    lines = [line for entry in failed for line in _failed(entry)]
    return "\n".join([head + took, *lines, *_left_out(plan)])


def _failed(entry: Attempt) -> list[str]:
    """Return why an attempt failed, the last lines of its log, and where all of it is."""
    why, *log = (entry.detail or "?").splitlines()
    said = f"{entry.commit[: RULES.sha_length]}  {', '.join(entry.suites)}  {entry.state}: {why}"
    return [visible(said), *(f"    {visible(line)}" for line in last_lines(log)), f"    {entry.url}"]


def last_lines(log: Iterable[str]) -> list[str]:
    """Return the last lines of a log that are not empty, each cut to a readable length."""
    return [shortened(line, _LINE) for line in log if line.strip()][-RULES.log_lines :]


def bisection_document(found: Bisection) -> Document:
    """Return a bisection as JSON."""
    return {
        "commit": found.found.sha if found.found else None,
        "suspects": [{"commit": c.sha, "subject": c.subject} for c in found.suspects],
        "looks": [
            {"commit": look.commit.sha, "side": str(look.side), "rounds": look.rounds, "typical": look.typical}
            for look in found.looks
        ],
    }


def bisection_text(found: Bisection) -> str:
    """Return a bisection as text: what was measured of each commit, then the suspects."""
    looks = [
        f"{look.commit.sha[: RULES.sha_length]}  {'' if look.typical is None else f'{look.typical:.6g}':>12}  {look.side}"
        for look in found.looks
    ]
    head = "the change is in" if found.found else "the change is in one of"
    return "\n".join([*looks, head, *(f"  {c.sha}  {visible(c.subject)}" for c in found.suspects)])
