"""A candidate against its baseline, series by series: which runs are held against which, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from bench_db.analysis.compare import Comparison, Verdict, baseline_start, compare
from bench_db.analysis.histories import Histories, histories
from bench_db.analysis.seed_methods import lance_bench_ttest, lance_bench_z
from bench_db.query.series import Points, label
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Collection

    from bench_db.analysis.histories import Floats

METHODS = ("runs", "lance-bench-t", "lance-bench-z")
# A series that none of this many newest earlier commits of its device and test bed measured is stale, not missing.
_RECENT_COMMITS = 5
# Points of a series in which its present level is looked for: many times the 20 runs a baseline has.
_HISTORY = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The verdict on one series, with what a report says of it; medians are in base units, null where there are none."""

    series_key: int
    label: str
    testbed_name: str
    units: str
    direction: str
    verdict: Verdict
    effect: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n_baseline: int
    n_candidate: int
    baseline_median: float | None
    candidate_median: float | None


def judge(  # noqa: PLR0913 all but the first two by keyword
    points: Points,
    candidate: Collection[int],
    *,
    until: int | None = None,
    last: int | None = None,
    method: str = "runs",
    minimum_effect: float | None = None,
) -> list[Judged]:
    """Verdicts on every series of the devices, test beds and suites that the candidate was measured on.

    `candidate` are the keys of its runs. The baseline of a series are its other points up to the candidate's commit time (or
    up to `until`): the level since its last change point, at most 20 runs, or the `last` N. A series that the candidate lacks
    is missing if one of the newest 5 earlier commits of its device, test bed and suite has values of it.
    """
    names = points.series.with_columns(pl.struct("dut_name", "test_bed_name", "suite").rank("dense").alias("group"))
    is_candidate = pl.col("run_key").is_in(list(candidate))
    ours = points.rows.filter(is_candidate).join(names.select("series_key", "group"), on="series_key")
    first = ours.group_by("group").agg(pl.col("dut_timestamp").min().alias("first"))
    end = pl.col("first") if until is None else pl.lit(until)
    scope = names.lazy().select("series_key", "group").join(first.lazy(), on="group")
    others = points.rows.lazy().filter(~is_candidate).join(scope, on="series_key")
    earlier = others.filter(pl.col("dut_timestamp") <= end).drop("first").collect()
    recent = _of_recent_commits(earlier)
    measured = recent.filter(pl.col("median").is_not_null())
    known = pl.concat([measured.select("series_key"), ours.select("series_key")]).unique()
    kept = None if last is None and method != "runs" else max(_HISTORY, last or 0)
    old = histories(Points(series=names, rows=earlier.join(known, on="series_key", how="semi")), newest=kept)
    new = _medians(names, ours)
    changes = _changes(old) if last is None and method == "runs" else {}
    judged = []
    for number, series in enumerate(old.series):
        values = old.values[old.offsets[number] : old.offsets[number + 1]]
        found = new.pop(int(series["series_key"]), None)
        held = values[-last:] if last else values[baseline_start(len(values), changes.get(number, ())) :]
        medians = None if found is None else found["medians"]
        judged.append(_judged(series, medians, values if method != "runs" else held, method, minimum_effect))
    nothing = np.empty(0)
    judged += [_judged(row, row["medians"], nothing, method, minimum_effect) for row in new.values()]
    return sorted(judged, key=lambda j: (j.label, j.testbed_name))


def _of_recent_commits(earlier: pl.DataFrame) -> pl.DataFrame:
    """The points of the newest 5 commits of each group."""
    commits = earlier.select("group", "dut_timestamp").unique()
    age = pl.col("dut_timestamp").rank("dense", descending=True).over("group")
    return earlier.join(commits.filter(age <= _RECENT_COMMITS), on=["group", "dut_timestamp"], how="semi")


def _medians(names: pl.DataFrame, ours: pl.DataFrame) -> dict[int, dict[str, Any]]:
    """What identifies each series of the candidate, with the medians of its runs; failed runs have none."""
    medians = ours.group_by("series_key").agg(pl.col("median").drop_nulls().alias("medians"))
    return {row["series_key"]: row for row in names.join(medians, on="series_key").iter_rows(named=True)}


def _changes(old: Histories) -> dict[int, list[int]]:
    """Change points of the histories, by series; numba is imported where it is needed."""
    from bench_db.analysis.detect import detect_all  # noqa: PLC0415 compiling or loading machine code takes a while

    found = detect_all(old.values, old.offsets)
    at: dict[int, list[int]] = {}
    for series, index in zip(found.series.tolist(), found.index.tolist(), strict=True):
        at.setdefault(series, []).append(index)
    return at


def _judged(
    series: dict[str, Any], medians: list[float] | None, old: Floats, method: str, minimum_effect: float | None
) -> Judged:
    new = medians or []
    failed = medians is not None and not new
    comparison = _compared(new, old, Direction(str(series["direction"])), method, minimum_effect, failed=failed)
    finite = [x for x in old.tolist() if np.isfinite(x)]
    return Judged(
        series_key=int(str(series["series_key"])),
        label=label(series),
        testbed_name=str(series["test_bed_name"]),
        units=str(series["units"]),
        direction=str(series["direction"]),
        verdict=comparison.verdict,
        effect=_finite(comparison.effect),
        low=_finite(comparison.low),
        high=_finite(comparison.high),
        p_value=comparison.p_value,
        n_baseline=comparison.n_baseline,
        n_candidate=comparison.n_candidate,
        baseline_median=median(finite) if finite else None,
        candidate_median=median(new) if new else None,
    )


def _compared(  # noqa: PLR0913 what a comparison needs
    new: list[float], old: Floats, direction: Direction, method: str, minimum_effect: float | None, *, failed: bool
) -> Comparison:
    if not new or not len(old) or method == "runs":
        least = {} if minimum_effect is None else {"minimum_effect": minimum_effect}
        return compare(new, old.tolist(), direction, failed=failed, **least)
    if method == "lance-bench-z":
        return lance_bench_z(new[-1], old.tolist(), direction)
    return lance_bench_ttest([*old.tolist(), *new], direction)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
