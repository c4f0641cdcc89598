"""The findings of each commit together: how many series moved, which way and how far."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

from bench_db.model import ChangeKind, CommitFindings, Finding
from bench_db.units import is_worse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench_db.model import Series


def by_commit(findings: Iterable[Finding], series: Mapping[int, Series]) -> list[CommitFindings]:
    """Group findings by commit and state, in the order of the first finding of each group.

    A finding without a commit is a group of its own. Of a finding whose series (by key) is not given, the direction is unknown.
    """
    groups: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[(finding.state, finding.commit) if finding.commit else (finding.state, "", finding.id)].append(finding)
    return [_of_commit(group, series) for group in groups.values()]


def _of_commit(group: Sequence[Finding], series: Mapping[int, Series]) -> CommitFindings:
    known = {f.series_key: series[f.series_key] for f in group if f.series_key in series}
    ways = [is_worse(f.effect, known[f.series_key].direction) if f.series_key in known else None for f in group]
    effects = {
        way: [f.effect or 0.0 for f, one in zip(group, ways, strict=True) if one is way] for way in (True, False)
    }
    return CommitFindings(
        commit=group[0].commit,
        state=group[0].state,
        ids=tuple(f.id for f in group),
        worse=ways.count(True),
        better=ways.count(False),
        neither=ways.count(None),
        worse_effect=_median(effects[True]),
        better_effect=_median(effects[False]),
        spread=sum(f.kind == ChangeKind.SPREAD for f in group),
        modes=sum(f.kind == ChangeKind.MODES for f in group),
        test_bed_names=tuple(sorted({one.test_bed_name for one in known.values()})),
        units=tuple(sorted({one.units for one in known.values()})),
    )


def _median(effects: Sequence[float]) -> float | None:
    return median(effects) if len({effect > 0 for effect in effects}) == 1 else None
