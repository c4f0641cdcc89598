"""A candidate against its baseline, series by series: which runs are held against which, and what follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from bench_db.analysis.compare import (
    ALPHA,
    FEWEST_RUNS,
    MINIMUM_EFFECT,
    Comparison,
    Verdict,
    compare,
)
from bench_db.analysis.histories import histories
from bench_db.analysis.level import levels
from bench_db.analysis.renames import Named, change_between, successors
from bench_db.analysis.seed_methods import MINIMUM_EFFECT as SEED_MINIMUM
from bench_db.analysis.seed_methods import (
    RECENT_RUNS,
    T_TEST_ALPHA,
    Z_THRESHOLD,
    lance_bench_ttest,
    lance_bench_z,
)
from bench_db.analysis.threshold import within_threshold
from bench_db.query.series import COMMIT_ORDER, HISTORY, Points, label
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bench_db.analysis.histories import Floats

METHODS = ("runs", "lance-bench-t", "lance-bench-z", "threshold")
# Methods that hold a candidate against its level; those of lance-bench look at the whole history.
_OF_LEVEL = {"runs", "threshold"}
# A series that none of this many newest earlier commits of its device and test bed measured is stale, not missing.
_RECENT_COMMITS = 5
# Points of a series in which its present level is looked for: many times the 20 runs a baseline has.
_HISTORY = 120
_PLACE = ("dut_name", "test_bed_name", "suite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The verdict on one series, with what a report says of it; medians are in base units, null where there are none.

    `note` says what the figures cannot: the error, what is lacking for a verdict, or under which name a series may go on.
    """

    series_key: int
    label: str
    dut_name: str
    testbed_name: str
    suite: str
    benchmark_name: str
    metric: str
    tags_key: str
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
    note: str = ""


def judge(  # noqa: PLR0913 all but the first two by keyword
    points: Points,
    candidate: Collection[int],
    *,
    until: pl.Expr | None = None,
    last: int | None = None,
    pinned: bool = False,
    accepted: Mapping[int, set[str]] | None = None,
    method: str = "runs",
    minimum_effect: float | None = None,
) -> list[Judged]:
    """Verdicts on every series of the devices, test beds and suites that the candidate was measured on.

    `candidate` are the keys of its runs. The baseline of a series are its other points up to the candidate's commit time (or
    those that `until` selects, by columns of `points.rows` and of the series' device, test bed and suite): the level since its
    last change point, at most 20 runs, or the `last` N. A level is one from 7 runs on, unless somebody `pinned` the end of the
    baseline (then it is the one there) or `accepted` the change: see `level.accepted`. A series that the candidate lacks is missing if one of the newest 5
    earlier commits of its device, test bed and suite has values of it. `minimum_effect` is the threshold of the method
    `threshold`, for which reaching it is none.
    """
    names = points.series.with_columns(pl.struct(_PLACE).rank("dense").alias("group"))
    is_candidate = pl.col("run_key").is_in(list(candidate))
    ours = points.rows.filter(is_candidate).join(names.select("series_key", "group"), on="series_key")
    first = ours.group_by("group").agg(pl.col("dut_timestamp").min().alias("first"))
    scope = names.lazy().select("series_key", "group", *_PLACE).join(first.lazy(), on="group")
    others = points.rows.lazy().filter(~is_candidate).join(scope, on="series_key")
    before = pl.col("dut_timestamp") <= pl.col("first") if until is None else until
    earlier = others.filter(before).select(*HISTORY, "group").collect()
    recent = _of_recent_commits(earlier)
    has_result = pl.col("median").is_finite()
    measured = recent.filter(has_result)
    known = pl.concat([measured.select("series_key"), ours.select("series_key")]).unique()
    kept = None if last is None and method not in _OF_LEVEL else max(_HISTORY, last or 0)
    with_result = earlier.filter(has_result).join(known, on="series_key", how="semi")
    old = histories(Points(series=names, rows=with_result), newest=kept)
    new = _medians(names, ours)
    if looks_for_level(method, last):
        held = levels(old, pinned=pinned, accepted=accepted)
    else:
        held = [slice(-last if last and method in _OF_LEVEL else 0, None)] * len(old)
    judged = []
    for number, (series, level) in enumerate(zip(old.series, held, strict=True)):
        values = old.values[old.offsets[number] : old.offsets[number + 1]]
        found = new.pop(int(series["series_key"]), None)
        judged.append(_judged(series, found, values[level], method, minimum_effect))
    nothing = np.empty(0)
    judged += [_judged(row, row, nothing, method, minimum_effect) for row in new.values()]
    return sorted(_hinted(judged), key=lambda j: (j.label, j.testbed_name))


def looks_for_level(method: str, last: int | None) -> bool:
    """Whether change points decide which runs are the baseline."""
    return last is None and method in _OF_LEVEL


def plan(method: str, minimum_effect: float | None = None) -> str:
    """By which rules verdicts are made, so that a report can be made again; rules that change get another number."""
    least = f"from {100 * (MINIMUM_EFFECT if minimum_effect is None else minimum_effect):.4g} %"
    rules = {
        "runs": f"p < {ALPHA:g}, {least}",
        "lance-bench-t": f"p < {T_TEST_ALPHA:g} of the last {RECENT_RUNS} runs, from {100 * SEED_MINIMUM:g} %",
        "lance-bench-z": f"|z| > {Z_THRESHOLD:g}, from {100 * SEED_MINIMUM:g} %",
        "threshold": f"any change, beyond {least.removeprefix('from ')}",
    }
    return f"{method}/1: {rules[method]}"


def _of_recent_commits(earlier: pl.DataFrame) -> pl.DataFrame:
    """The points of the newest 5 commits of each group."""
    commits = earlier.select("group", "dut_timestamp").unique()
    age = pl.col("dut_timestamp").rank("dense", descending=True).over("group")
    return earlier.join(commits.filter(age <= _RECENT_COMMITS), on=["group", "dut_timestamp"], how="semi")


def _medians(names: pl.DataFrame, ours: pl.DataFrame) -> dict[int, dict[str, Any]]:
    """What identifies each series of the candidate, with the medians of its runs, oldest first; failed runs, and those of NaN, have none."""
    median = pl.col("median")
    found = (median.filter(median.is_finite()).alias("medians"), pl.len().alias("runs"), pl.col("error").drop_nulls())
    in_order = ours.sort(COMMIT_ORDER, nulls_last=False)
    rows = names.join(in_order.group_by("series_key").agg(*found), on="series_key")
    return {row["series_key"]: row for row in rows.iter_rows(named=True)}


def _judged(
    series: dict[str, Any], found: dict[str, Any] | None, old: Floats, method: str, minimum_effect: float | None
) -> Judged:
    new = [] if found is None else found["medians"]
    failed = found is not None and not new
    comparison = _compared(new, old, Direction(str(series["direction"])), method, minimum_effect, failed=failed)
    return Judged(
        series_key=int(str(series["series_key"])),
        label=label(series),
        dut_name=str(series["dut_name"]),
        testbed_name=str(series["test_bed_name"]),
        suite=str(series["suite"] or ""),
        benchmark_name=str(series["benchmark_name"]),
        metric=str(series["metric"]),
        tags_key=str(series["tags_key"] or ""),
        units=str(series["units"]),
        direction=str(series["direction"]),
        verdict=comparison.verdict,
        effect=_finite(comparison.effect),
        low=_finite(comparison.low),
        high=_finite(comparison.high),
        p_value=comparison.p_value,
        n_baseline=comparison.n_baseline,
        n_candidate=comparison.n_candidate,
        baseline_median=median(old.tolist()) if len(old) else None,
        candidate_median=median(new) if new else None,
        note=_note(comparison, found),
    )


def _note(comparison: Comparison, found: dict[str, Any] | None) -> str:
    """The error of runs without a result, or what is lacking for a verdict."""
    without = 0 if found is None else found["runs"] - len(found["medians"])
    if found is not None and without:
        reason = (found["error"] or ["no finite value"])[0].strip().partition("\n")[0]
        return reason if comparison.verdict == Verdict.FAILED else f"{without} of {found['runs']} runs failed: {reason}"
    if comparison.verdict == Verdict.INSUFFICIENT:
        return f"a verdict needs {FEWEST_RUNS} runs of the baseline"
    return ""


def _hinted(judged: list[Judged]) -> list[Judged]:
    """The same, where a missing series may go on as a new one: a hint on either."""
    named = {
        j.series_key: Named(
            key=j.series_key,
            group=(j.dut_name, j.testbed_name, j.suite),
            benchmark=j.benchmark_name,
            metric=j.metric,
            tags=j.tags_key,
            units=j.units,
            level=j.baseline_median if j.verdict == Verdict.MISSING else j.candidate_median,
            at=int(j.verdict == Verdict.NEW),
        )
        for j in judged
        if j.verdict in {Verdict.MISSING, Verdict.NEW}
    }
    gone, come = ([n for n in named.values() if n.at == at] for at in (0, 1))
    hints = {
        key: change_between(named[old], named[new]) for old, new in successors(gone, come).items() for key in (old, new)
    }
    return [replace(j, note=hints[j.series_key]) if j.series_key in hints else j for j in judged]


def _compared(  # noqa: PLR0913 what a comparison needs
    new: list[float], old: Floats, direction: Direction, method: str, minimum_effect: float | None, *, failed: bool
) -> Comparison:
    if not new or not len(old) or method == "runs":
        least = {} if minimum_effect is None else {"minimum_effect": minimum_effect}
        return compare(new, old.tolist(), direction, failed=failed, **least)
    if method == "threshold":
        threshold = MINIMUM_EFFECT if minimum_effect is None else minimum_effect
        return within_threshold(new, old.tolist(), direction, threshold=threshold, failed=failed)
    if method == "lance-bench-z":
        return lance_bench_z(new[-1], old.tolist(), direction)
    return lance_bench_ttest([*old.tolist(), *new], direction)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
