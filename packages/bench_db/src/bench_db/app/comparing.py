"""What `compare`, `check` and `pr compare` share: which runs are meant, and the verdicts on them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.analysis.judge import judge, looks_for_level
from bench_db.analysis.level import accepted, detector_loading
from bench_db.app.skipped import with_skipped
from bench_db.errors import UserError
from bench_db.query.availability import of_commit
from bench_db.query.series import Points
from bench_db.report.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Collection

    from bench_db.analysis.judge import Judged
    from bench_db.app.baselines import Held
    from bench_db.query.selection import Selection
    from bench_db.store.database import Database

REGRESSION_FOUND = 1
# What `--fail-on` names, and the verdict it is.
FAILING = {"regression": "regressed", "failed": "failed", "missing": "missing", "insufficient": "insufficient"}


def verdicts(
    store: Database,
    candidate: str,
    *,
    held: Held,
    method: str,
    min_effect: float | None,
    chosen: Selection,
    as_of: str | None = None,
) -> list[Judged]:
    """The verdict on every series of a candidate commit; `UserError` when it has no results. `min_effect` is in percent."""
    needed = () if held.until is None else held.until.meta.root_names()
    with detector_loading() if looks_for_level(method, held.last) else nullcontext():
        points, runs = store.points(chosen, as_of, also=needed), store.runs_of(candidate, as_of)
    judged = judge(
        points,
        runs,
        until=held.until,
        last=held.last,
        pinned=bool(held.commits),
        accepted=accepted(store.findings(as_of)),
        method=method,
        minimum_effect=None if min_effect is None else min_effect / 100,
    )
    judged = with_skipped(store, judged, candidate, as_of)
    if not judged:
        message = f"no results of {candidate} with these conditions; 'bench-db has {candidate}' says what is measured"
        raise UserError(message)
    return judged


def local_verdicts(store: Database, local: Database, commit: str, *, until: int | None = None) -> list[Judged]:
    """The verdict on every series of the results in `local`, held against the history in `store`.

    Runs of the commit in `store` are no part of the history. `until` (unix seconds) leaves out of it what was committed later.
    """
    own = local.points()
    runs = local.runs_of(commit)
    rows = own.rows.filter(own.rows["run_key"].is_in(runs))
    if rows.is_empty():
        message = f"{local.uri} has no results of {commit}; did its benchmarks run and publish there?"
        raise UserError(message)
    held = store.points()
    own_too = pl.col("run_key").is_in(runs) | of_commit(commit).fill_null(value=False)
    history = Points(series=held.series, rows=held.rows.filter(~own_too))
    # Unless told otherwise, a pull request's commit is newer than all it is compared with, whenever it was made.
    before = pl.lit(value=True) if until is None else pl.col("dut_timestamp") <= until
    judged = judge(
        history.with_points(Points(series=own.series, rows=rows)),
        runs,
        until=before,
        pinned=True,
        accepted=accepted(store.findings()),
    )
    return with_skipped(local, judged, commit)


def as_json(judged: list[Judged]) -> dict[str, Any]:
    """The comparisons and how often each verdict occurs."""
    rows = [{"series": j.label, **asdict(j), "series_key": f"{j.series_key:016x}"} for j in judged]
    return {"comparisons": rows, "counts": counted(judged)}


def fails(judged: list[Judged], on: Collection[str]) -> list[Judged]:
    """The comparisons whose verdict is one of those that `--fail-on` names."""
    verdicts_of = {FAILING[name] for name in on}
    return [j for j in judged if j.verdict in verdicts_of]
