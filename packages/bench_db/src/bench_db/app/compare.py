"""The comparison of a commit with a baseline, and the verdict on every series of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from bench_db.analysis.blame import blame_comparisons
from bench_db.analysis.compare import means
from bench_db.analysis.judge import counted, in_order, judge, of_machine, plan, through_siblings, too_noisy
from bench_db.analysis.level import accepted
from bench_db.app.answers import Answer, frame_of
from bench_db.app.baselines import (
    LATEST,
    BaselineQuery,
    BaselineRuns,
    beside_main,
    candidate_of,
    of_candidate,
    resolve,
    runs_of_candidate,
)
from bench_db.app.charts import effects_chart
from bench_db.app.database import on_database
from bench_db.errors import UserError
from bench_db.model import Blame, Comparison, MeanChange, Verdict
from bench_db.query.history import ORDER
from bench_db.query.selection import Conditions, Selection, of_name, of_runs, selection_of, short
from bench_db.query.series import Points, series_told_apart, unmeasured
from bench_db.query.thresholds import Threshold, Thresholds
from bench_db.report.document import record_json
from bench_db.rules import RULES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from bench_db.app.charts import Chart
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf


# The verdict of each word that `fail_on` takes.
FAILING = {
    "regression": Verdict.REGRESSED,
    "suspected": Verdict.SUSPECTED,
    "failed": Verdict.FAILED,
    "missing": Verdict.MISSING,
    "insufficient": Verdict.INSUFFICIENT,
}

# What a note of a run has after the name of a benchmark that publishing skipped.
_SKIPPED = ": skipped, "
_PLACE = ("dut_name", "test_bed_name", "suite")
# The columns that tell which series a commit lacks.
_OF_MISSING = ("series_key", "run_key", "commit_order", "median", *_PLACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(Answer):
    """The verdicts on a candidate, in the order of `analysis.judge.in_order`.

    `candidate` is a full commit, a version or runs, as `app.baselines.candidate_of` returns it; `baseline` describes what it was compared with, `baseline_commits` are the commits that this
    names. `history` describes whose results were compared, and ends with `unmeasured`: where the candidate was not measured, empty when it was everywhere. `plan` names the rules, `store_version` the state of the store: with both a report can be made again. `blame` has the cause of the changes of each device and suite.
    `threshold_faults` are the defined thresholds that match no series of the store, or not the unit of one.
    `beds` has what a chart calls the test beds of series that are alike otherwise, by key.
    """

    history: str
    candidate: str
    baseline: str
    baseline_commits: tuple[str, ...]
    method: str
    plan: str
    store_version: str
    comparisons: Sequence[Comparison]
    blame: Sequence[Blame] = ()
    threshold_faults: Sequence[str] = ()
    unmeasured: str = ""
    beds: Mapping[int, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How often each verdict occurs."""
        return counted(self.comparisons)

    def frame(self) -> pl.DataFrame:
        """Return the comparisons as a frame, a row a series."""
        return frame_of(self.comparisons, Comparison)

    def plot(self) -> Chart:
        """Draw the relative change of each series with its interval, coloured by its verdict."""
        return effects_chart(self.frame(), "verdict", self.beds)

    @property
    def means(self) -> list[MeanChange]:
        """The geometric mean change of each suite and metric, over the benchmarks that both sides have."""
        return means(self.comparisons)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        names = ("history", "candidate", "baseline", "baseline_commits", "method")
        return {
            **{name: getattr(self, name) for name in names},
            **comparisons_json(self.comparisons, self.blame, self.threshold_faults),
            "means": [record_json(one) for one in self.means],
        }


@on_database
def compare(
    store: Database,
    candidate: str = LATEST,
    *,
    baseline: str | None = None,
    method: str = "runs",
    min_effect: float | None = None,
    baseline_branch: str | None = None,
    clone: str | Path = ".",
    as_of: AsOf | None = None,
    selection: Selection | None = None,
    **conditions: Unpack[Conditions],
) -> Compared:
    """Compare the results of a commit with a baseline, series by series; each run counts once, by its median.

    The candidate and the baseline may be a commit, `version:V`, `run:ID` or `tag:NAME` (a tag of the `clone`); the candidate also
    `latest`. A commit as baseline is the history up to it, a version or a run is its own results. Else `baseline` is a named
    baseline, `last:N`, `merge-base:BRANCH` (which needs the `clone` that has it) or `level`, the
    default: the level since the last change before the candidate. `baseline_branch` uses only runs of one branch as baseline, and then
    the condition `branch` chooses the candidate alone, as it does where the baseline is a commit of the main history. `min_effect`
    is in percent. Raises `UserError` when nothing is measured, or the baseline does not exist.
    """
    chosen = selection_of(selection, conditions)
    version = str(store.version if as_of is None else as_of)
    found = candidate_of(store, candidate, chosen, as_of, Path(clone))
    query = BaselineQuery(
        candidate=found.name, what=baseline, chosen=chosen, branch=baseline_branch, clone=Path(clone), as_of=as_of
    )
    runs = resolve(store, query)
    judged, lacking = verdicts(store, query, runs=runs, method=method, min_effect=min_effect)
    comparisons, blame = with_causes(store, judged, as_of)
    return Compared(
        history=f"{history_of(store, query, lacking)}{found.about}",
        unmeasured=unmeasured_text(query, lacking),
        candidate=found.name,
        baseline=runs.about,
        baseline_commits=runs.commits,
        method=method,
        plan=plan(method, None if min_effect is None else min_effect / 100),
        store_version=version,
        comparisons=comparisons,
        blame=blame,
        threshold_faults=threshold_faults(store, as_of),
        beds={
            key: one.test_bed_name
            for key, one in series_told_apart(
                [c.series for c in comparisons], partial(store.machines, as_of=as_of)
            ).items()
        },
    )


class Verdicts(NamedTuple):
    """The verdicts on the series of a candidate, and where it was not measured, as `query.series.unmeasured` returns it."""

    comparisons: list[Comparison]
    unmeasured: list[str]


def history_of(store: Database, query: BaselineQuery, lacking: Sequence[str]) -> str:
    """Describe whose results are compared: those of the branch that chose the candidate, else of what it is compared with.

    `lacking` are the test beds and suites where the candidate was not measured.
    """
    whose = store.history(query.as_of).about(replace(query.chosen, pr_number=None))
    return "; ".join(part for part in (whose, unmeasured_text(query, lacking)) if part)


def unmeasured_text(query: BaselineQuery, lacking: Sequence[str]) -> str:
    """Name the test beds and suites where the candidate was not measured; empty without any."""
    more = len(lacking) - RULES.nearest_names
    names = ", ".join(lacking[: RULES.nearest_names]) + (f" and {more} more" if more > 0 else "")
    return f"{short(query.candidate)} is not measured on {names}" if lacking else ""


def counts_of(
    store: Database,
    commit: str,
    *,
    as_of: str | None = None,
    selection: Selection = Selection(),  # noqa: B008 frozen
) -> Callable[[str], dict[str, int]]:
    """Compare a commit with the level before it, and return what counts the verdicts on the series of a device.

    They are those of `compare`. Of a commit of few series only the points of these are read, and of what it lacks the newest commits.
    """
    candidate = candidate_of(store, commit, selection, as_of, Path()).name
    query = BaselineQuery(candidate=candidate, what=None, chosen=selection, branch=None, clone=Path(), as_of=as_of)
    runs = resolve(store, query)
    counts = _counts_of_own(store, query, runs)
    if counts is not None:
        return lambda device: {str(one): counts[device, one] for one in Verdict if counts[device, one]}
    judged, _ = verdicts(store, query, runs=runs, method="runs", min_effect=None, missing_levels=False)
    if {Verdict.NEW, Verdict.MISSING} <= {c.verdict for c in judged}:  # those of one machine may be judged by another
        judged, _ = verdicts(store, query, runs=runs, method="runs", min_effect=None)
    return lambda device: counted(c for c in judged if c.series.dut_name == device)


def _counts_of_own(store: Database, query: BaselineQuery, runs: BaselineRuns) -> Counter[tuple[str, Verdict]] | None:
    """Count the verdicts on a commit by device, from the points of its own series; None where the verdicts need those of others.

    Others decide which runs were measured in one go, where they have runs of a commit between two of the own series, and may be judged
    where the commit has new series and lacks some. Notes of a skipped benchmark say that a series failed, not that it is missing.
    """
    own, as_of, chosen = runs_of_candidate(store, query), query.as_of, query.compared(runs)
    beside = beside_main(store, query, runs)
    ours = store.rows(_OF_MISSING, chosen, as_of, condition=of_candidate(store, query), beside=beside)
    points = store.points(chosen, as_of, beside=beside, keys=ours["series_key"].unique().to_list())
    published = store.runs(as_of).select("run_key", *ORDER, "dut_name", "test_bed_name", "notes").collect()
    published = store.history(as_of).ordered(published)
    if ours.is_empty() or _others_in_one_go(points, published):
        return None
    missing = _missing(store, query, chosen, ours, published.filter(~pl.col("run_key").is_in(own)))
    thresholds = _thresholds(store, points.series, as_of)
    judged = judge(points, own, accepted=accepted(store.findings(as_of)), thresholds=thresholds)
    of_commit = published.filter(of_name(query.candidate).fill_null(value=False))["notes"].explode().drop_nulls()
    if len(missing) and (any(c.verdict is Verdict.NEW for c in judged) or of_commit.str.contains(_SKIPPED).any()):
        return None
    counts = Counter((c.series.dut_name, c.verdict) for c in judged)
    return counts + Counter((device, Verdict.MISSING) for device in missing["dut_name"].to_list())


def _others_in_one_go(points: Points, published: pl.DataFrame) -> bool:
    """Return whether a device, test bed and suite has several runs of a commit in some points, and the commit has others."""
    place = (*_PLACE, "commit_order")
    of_series = points.series.select("series_key", *_PLACE)
    used = points.rows.select("series_key", "run_key", "commit_order").join(of_series, on="series_key")
    used = used.select(*place, "run_key").unique()
    several = used.filter(used.select(place).is_duplicated())
    others = published.join(used, on="run_key", how="anti")
    return not several.join(others, on="commit_order", how="semi").is_empty()


def _missing(
    store: Database, query: BaselineQuery, chosen: Selection, ours: pl.DataFrame, others: pl.DataFrame
) -> pl.DataFrame:
    """Return the key and the place of each series that a commit lacks, as `judge` finds them, from the newest of the `others` of its runs.

    `ours` are the points of the commit. More runs are read until each device, test bed and suite has enough commits.
    """
    first = ours.group_by(_PLACE).agg(first=pl.col("commit_order").min())
    before = others.filter(pl.col("commit_order") <= first["first"].max())
    if not store.history(query.as_of).definitions:  # which may give series of another test bed the name of this one
        before = before.join(first, on=("dut_name", "test_bed_name"), how="semi")
    orders = before["commit_order"].unique().sort(descending=True)
    count = 2 * RULES.recent_commits
    while True:
        recent = of_runs(before.filter(pl.col("commit_order").is_in(orders.head(count).implode())))
        rows = store.rows(_OF_MISSING, chosen, query.as_of, condition=recent)
        placed = rows.join(first, on=_PLACE).filter(pl.col("commit_order") <= pl.col("first"))
        age = pl.col("commit_order").rank("dense", descending=True).over(_PLACE)
        placed = placed.with_columns(age=age)
        found = placed.group_by(_PLACE).agg(pl.col("age").max()).filter(pl.col("age") >= RULES.recent_commits)
        if count >= len(orders) or len(found) == len(first):
            newest = placed.filter((pl.col("age") <= RULES.recent_commits) & pl.col("median").is_finite())
            return newest.join(ours, on="series_key", how="anti").select("series_key", *_PLACE).unique("series_key")
        count *= 4


def verdicts(
    store: Database,
    query: BaselineQuery,
    *,
    runs: BaselineRuns,
    method: str,
    min_effect: float | None,
    missing_levels: bool = True,
) -> Verdicts:
    """Return the verdict on every series of a candidate. `min_effect` is in percent. Raises `UserError` without results.

    `missing_levels` is that of `judge`.
    """
    candidate, as_of = query.candidate, query.as_of
    needed = () if runs.until is None else runs.until.meta.root_names()
    own = runs_of_candidate(store, query)
    points = store.points(query.compared(runs), as_of, also=needed, beside=beside_main(store, query, runs))
    thresholds = _thresholds(store, points.series, as_of)
    judged = judge(
        points,
        own,
        until=runs.until,
        last=runs.last,
        pinned=bool(runs.commits),
        accepted=accepted(store.findings(as_of)),
        method=method,
        thresholds=thresholds,
        minimum_effect=None if min_effect is None else min_effect / 100,
        missing_levels=missing_levels,
    )
    if method == "runs":
        least = None if min_effect is None else Threshold(relative=min_effect / 100)
        own_least = thresholds if least is None else {c.series.series_key: least for c in judged}
        judged = _through_siblings(store, judged, own_least, as_of)
    judged = with_skipped(store, judged, candidate, as_of)
    if not judged:
        message = f"no results of {candidate} with these conditions; 'bench-db has {candidate}' says what is measured"
        raise UserError(message)
    return Verdicts(judged, unmeasured(points, own))


def local_verdicts(store: Database, local: Database, commit: str, *, until: int | None = None) -> list[Comparison]:
    """Return the verdict on every series of the results in `local`, against the history in `store`.

    Runs of the commit in `store` are not part of the history. `until` (unix seconds) leaves later commits out of it. The
    definitions of `store` name the results, too.
    """
    own = local.points(Selection(everything=True), named_as_in=store)
    runs = local.runs_of(commit)
    rows = own.rows.filter(own.rows["run_key"].is_in(runs))
    if rows.is_empty():
        message = f"{local.uri} has no results of {commit}; did its benchmarks run and publish there?"
        raise UserError(message)
    known = store.points()
    own_too = pl.col("run_key").is_in(runs) | of_name(commit).fill_null(value=False)
    history = Points(series=known.series, rows=known.rows.filter(~own_too))
    # Without `until`, a pull request's commit counts as newer than its baseline, whenever it was made.
    before = pl.lit(value=True) if until is None else pl.col("dut_timestamp") <= until
    thresholds = _thresholds(store, pl.concat([known.series, own.series], how="diagonal"))
    judged = judge(
        history.with_points(Points(series=own.series, rows=rows)),
        runs,
        until=before,
        pinned=True,
        accepted=accepted(store.findings()),
        thresholds=thresholds,
    )
    judged = _through_siblings(store, judged, thresholds)
    return with_skipped(local, judged, commit)


def threshold_faults(store: Database, as_of: AsOf | None = None) -> list[str]:
    """Describe the defined thresholds that match no series of the store, and those in another unit than series that they name."""
    definitions = store.definitions(as_of)
    thresholds = Thresholds(definitions) if definitions else None
    return thresholds.faults(store.latest(Selection(everything=True), as_of)) if thresholds else []


def _thresholds(store: Database, series: pl.DataFrame, as_of: AsOf | None = None) -> dict[int, Threshold]:
    """Return the thresholds that definitions give series, by key; `series` has the columns of `query.series.IDENTITY`."""
    definitions = store.definitions(as_of)
    return Thresholds(definitions).by_key(series) if definitions else {}


def _through_siblings(
    store: Database, judged: list[Comparison], thresholds: Mapping[int, Threshold], as_of: AsOf | None = None
) -> list[Comparison]:
    """Judge the series of a machine without history through their siblings, where a benchmark has a series of another machine."""
    if not {Verdict.NEW, Verdict.MISSING} <= {c.verdict for c in judged}:
        return judged
    named = series_told_apart((c.series for c in judged), lambda keys: store.machines(keys, as_of))
    return through_siblings(judged, {key: one.test_bed_name for key, one in named.items()}, thresholds)


def with_causes(
    store: Database, comparisons: Sequence[Comparison], as_of: AsOf | None = None
) -> tuple[list[Comparison], list[Blame]]:
    """Return the comparisons with the causes of those that changed, and the blame of each device and suite with a change."""
    if not any(c.is_changed for c in comparisons):
        return list(comparisons), []
    named = series_told_apart((c.series for c in comparisons), lambda keys: store.machines(keys, as_of))
    return blame_comparisons(comparisons, {key: one.test_bed_name for key, one in named.items()})


def comparisons_json(
    comparisons: Sequence[Comparison], blame: Sequence[Blame], faults: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the comparisons as JSON, with the counts of the verdicts, of the regressions that the machine caused, and of series too noisy.

    `faults` are those of `threshold_faults`.
    """
    return {
        "comparisons": [record_json(c) for c in comparisons],
        "counts": counted(comparisons),
        "of_machine": of_machine(comparisons),
        "too_noisy": too_noisy(comparisons),
        "blame": [record_json(one) for one in blame],
        "threshold_faults": list(faults),
    }


def failing(comparisons: Sequence[Comparison], on: Collection[str]) -> list[Comparison]:
    """Return the comparisons whose verdict is one of those that `fail_on` names, without suspected improvements.

    Raises `UserError` for a word that it does not take.
    """
    if unknown := sorted(set(on) - set(FAILING)):
        message = f"`fail_on`: {unknown[0]!r} is no verdict to fail on; it takes {', '.join(FAILING)}"
        raise UserError(message)
    return [c for c in comparisons if c.verdict in {FAILING[name] for name in on} and not _is_suspected_of_good(c)]


def _is_suspected_of_good(c: Comparison) -> bool:
    better = ((c.effect or 0.0) < 0.0) is (c.series.direction is Direction.LOWER)
    return c.verdict is Verdict.SUSPECTED and better


_COLUMNS = ("dut_name", "test_bed_name", "notes")


def with_skipped(store: Database, judged: list[Comparison], commit: str, as_of: AsOf | None = None) -> list[Comparison]:
    """Turn missing into failed where publishing skipped the benchmark, as the notes of its run say."""
    if not any(j.verdict == Verdict.MISSING for j in judged):
        return judged
    runs = store.runs(as_of).filter(of_name(commit) & (pl.col("notes").list.len() > 0)).select(_COLUMNS)
    notes = [(dut, bed, note) for dut, bed, some in runs.collect().iter_rows() for note in some]
    return in_order(_with_reason(j, notes) if j.verdict == Verdict.MISSING else j for j in judged)


def _with_reason(missing: Comparison, notes: list[tuple[str, str, str]]) -> Comparison:
    series = missing.series
    start = f"{series.benchmark_name}{_SKIPPED}"
    for dut, bed, note in notes:
        if (dut, bed) == (series.dut_name, series.test_bed_name) and note.startswith(start):
            return replace(missing, verdict=Verdict.FAILED, note=note.removeprefix(f"{series.benchmark_name}: "))
    return missing
