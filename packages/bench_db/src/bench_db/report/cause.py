"""Causes and their evidence in words, the same in every report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.model import Cause
from bench_db.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench_db.model import Blame, Finding

CAUSES = {Cause.CODE: "the code", Cause.MACHINE: "the machine or the tool chain", Cause.UNKNOWN: "not known"}


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


def with_machine(of_machine: int) -> str:
    """Return the part of a count that the machine or the tool chain caused; empty for none."""
    return f", of which {of_machine:,} moved with the machine" if of_machine else ""
