"""The points and findings of a series, and the builds of a group, as the documents that data scripts carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.masking import redacted
from bench_db.model import Cause, ChangeKind, State
from bench_db.report.escape import shortened
from bench_db.report.quantity import change_text
from bench_db.report.site import numbers
from bench_db.report.terminal import finding_text
from bench_db.report.text import visible
from bench_db.units import is_worse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.model import Finding

_ERROR = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedSeries:
    """A series in commit order: its points, and its document. Findings are ordered by place."""

    key: int
    points: pl.DataFrame
    findings: Sequence[dict[str, Any]]
    document: dict[str, Any]


def builds_document(builds: pl.DataFrame) -> dict[str, Any]:
    """Return the builds of a group, oldest first; points name a build by its place among them."""
    branches = sorted({branch for branch in builds["branch"] if branch is not None})
    place = {branch: number for number, branch in enumerate(branches)}
    return {
        "commit": [visible(commit or "") for commit in builds["commit"]],
        "version": [visible(version or "") for version in builds["dut_version"]],
        "time": [time or 0 for time in builds["dut_timestamp"]],
        "branch": [place.get(branch, -1) for branch in builds["branch"]],
        "branches": [visible(branch) for branch in branches],
    }


def encoded(
    points: pl.DataFrame, direction: str, findings: Iterable[Finding] = (), units: str = "nanoseconds"
) -> EncodedSeries:
    """Return the document of a series from its points, as `Arranged.of` gives them."""
    found = sorted((finding_document(f, points, direction, units) for f in findings), key=lambda f: int(f["at"]))
    counts = points["n"].to_list()
    document = {
        "at": numbers.runs(points["build"].to_numpy()),
        "median": numbers.floats(points["median"]),
        "q1": numbers.floats(points["q1"]),
        "q3": numbers.floats(points["q3"]),
        "n": counts[0] if len(set(counts)) == 1 else counts,
        "findings": found,
    }
    if points["lower"].null_count() < len(points):
        document |= {"lower": numbers.floats(points["lower"]), "upper": numbers.floats(points["upper"])}
    if points["error"].null_count() < len(points):
        errors = enumerate(points["error"].to_list())
        document["errors"] = {str(at): _error(text) for at, text in errors if text is not None}
    return EncodedSeries(key=int(points["series_key"][0]), points=points, findings=found, document=document)


def _error(text: str) -> str:
    """Its beginning says which command failed, and its end, after what a tool printed, why; lines stay lines."""
    return shortened("\n".join(visible(line) for line in redacted(text).splitlines()), _ERROR)


def finding_document(
    finding: Finding, points: pl.DataFrame, direction: str, units: str = "nanoseconds"
) -> dict[str, Any]:
    """Return a finding as the pages read it; `at` is its point: the first of its commit, else its index. `what` is null for a change of level."""
    places = (points["commit"] == finding.commit).arg_true() if finding.commit else None
    at = int(places[0]) if places is not None and len(places) else max(0, min(finding.index, len(points) - 1))
    return {
        "id": visible(finding.id),
        "at": at,
        "commit": visible(finding.commit or ""),
        "time": points["dut_timestamp"][at] or 0,
        "effect": finding.effect,
        "low": finding.low,
        "high": finding.high,
        "p": finding.p_value,
        "state": State(finding.state).value,
        "provisional": finding.provisional and not finding.is_withdrawn,
        "withdrawn": finding.is_withdrawn,
        "common": visible(finding.common_mode) if finding.common_mode else None,
        "cause": None if finding.cause is None else Cause(finding.cause).value,
        "because": finding_text(finding) or None,
        "confirmed_by": visible(finding.confirmed_by) if finding.confirmed_by else None,
        "worse": is_worse(finding.effect, direction),
        "kind": ChangeKind(finding.kind).value,
        "what": None if finding.kind == ChangeKind.LEVEL else change_text(finding, units, direction),
    }
