"""What `compare`, `check` and `pr compare` share: which runs are meant, and the verdicts on them."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bench_db.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from bench_db.analysis.judge import Judged
    from bench_db.query.selection import Selection
    from bench_db.store.database import Database

_LAST = re.compile(r"last:(\d+)")
REGRESSION_FOUND = 1
_END_OF_TIME = 2**63 - 1

METHOD = click.option(
    "--method",
    type=click.Choice(["runs", "lance-bench-t", "lance-bench-z"]),
    default="runs",
    show_default=True,
    help="The run-level comparison, or a method of lance-bench.",
)
BASELINE = click.option(
    "--baseline",
    metavar="WHAT",
    help="A named baseline, a commit, or last:N. [default: the level since the last change, before the candidate]",
)
MINIMUM_EFFECT = click.option(
    "--min-effect", type=click.FloatRange(0), metavar="PERCENT", help="Smaller changes are no verdict. [default: 2]"
)


def verdicts(
    store: Database,
    candidate: str,
    *,
    baseline: str | None,
    method: str,
    min_effect: float | None,
    chosen: Selection,
    as_of: str | None = None,
) -> list[Judged]:
    """The verdict on every series of a candidate commit; `UserError` when it has no results or the baseline is unknown."""
    from bench_db.analysis.judge import judge

    last = _LAST.fullmatch(baseline or "")
    measured = _measured(store, candidate, as_of)
    judged = judge(
        store.points(chosen, as_of),
        measured["run_key"].to_list(),
        until=None if baseline is None or last else _until(store, baseline, as_of),
        last=int(last[1]) if last else None,
        method=method,
        minimum_effect=None if min_effect is None else min_effect / 100,
    )
    if not judged:
        message = f"no results of {candidate} with these conditions; 'bench-db has {candidate}' says what is measured"
        raise UserError(message)
    return judged


def local_verdicts(store: Database, local: Database, commit: str, *, until: int | None = None) -> list[Judged]:
    """The verdict on every series of the results in `local`, held against the history in `store`.

    `until` (unix seconds) leaves out of the history what was committed after it.
    """
    from bench_db.analysis.judge import judge
    from bench_db.query.series import Points

    own = local.points()
    runs = _measured(local, commit, None)["run_key"].to_list()
    rows = own.rows.filter(own.rows["run_key"].is_in(runs))
    if rows.is_empty():
        message = f"{local.uri} has no results of {commit}; did its benchmarks run and publish there?"
        raise UserError(message)
    held = store.points()
    history = Points(series=held.series, rows=held.rows.filter(~held.rows["run_key"].is_in(runs)))
    # Unless told otherwise, a pull request's commit is newer than all it is compared with, whenever it was made.
    end = _END_OF_TIME if until is None else until
    return judge(history.with_points(Points(series=own.series, rows=rows)), runs, until=end)


def _measured(store: Database, commit: str, as_of: str | None) -> pl.DataFrame:
    """The runs of a commit: `run_key` and `dut_timestamp`."""
    from bench_db.query.availability import of_commit

    rows = store.scan(as_of=as_of).filter(of_commit(commit))
    return rows.select("run_key", "dut_timestamp").unique().collect()


def _until(store: Database, baseline: str, as_of: str | None) -> int:
    """The commit time of a baseline, in unix seconds."""
    named = {b.name: b.commit for b in store.baselines()}
    commit = named.get(baseline) or baseline
    times = _measured(store, commit, as_of)["dut_timestamp"].drop_nulls().to_list()
    if not times:
        names = ", ".join(sorted(named)) or "none"
        message = f"--baseline {baseline}: no such baseline, commit with results, or last:N; baselines: {names}"
        raise UserError(message)
    return int(max(times))


def as_json(judged: list[Judged]) -> dict[str, Any]:
    """The comparisons and how often each verdict occurs."""
    from bench_db.report.terminal import counted

    rows = [{"series": j.label, **asdict(j), "series_key": f"{j.series_key:016x}"} for j in judged]
    return {"comparisons": rows, "counts": counted(judged)}


def regressed(judged: list[Judged]) -> bool:
    """Whether any series got worse."""
    return any(j.verdict == "regressed" for j in judged)
