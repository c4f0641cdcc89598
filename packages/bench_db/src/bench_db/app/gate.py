"""The gate: whether a candidate passes against a baseline, which then moves to it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench_db.analysis.judge import plan
from bench_db.app.baselines import LATEST, USUAL, BaselineQuery, candidate_of, resolve, usual
from bench_db.app.compare import (
    Compared,
    comparisons_json,
    failing,
    history_of,
    threshold_faults,
    unmeasured_text,
    verdicts,
    with_causes,
)
from bench_db.app.database import on_database
from bench_db.app.progress import Progress, Silent
from bench_db.clock import Clock
from bench_db.errors import UserError
from bench_db.model import Comparison, Confirmation, Outcome
from bench_db.query.selection import Conditions, Selection, selection_of
from bench_db.query.thresholds import Thresholds
from bench_db.report.document import record_json

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Unpack

    from bench_db.app.baselines import BaselineRuns
    from bench_db.store.database import Database

# A run without a number, NaN included, always fails the gate.
ALWAYS = ("regression", "failed")
FLAGGED = ("regression", "suspected")
"""What a confirmation measures again."""
Mode = Literal["off", "same", "fresh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirming:
    """How the flagged series of a check are measured again: the commands of bench-db.toml run in pairs of processes, in `environment`.

    `mode` is `same` on the machine of the candidate, `fresh` on another one, `off`, or `configured` for `[pairs] confirm` of
    bench-db.toml. `budget_minutes` is that of bench-db.toml when None; the `seed` of the order comes from the clock.
    """

    mode: Mode | Literal["configured"]
    environment: Mapping[str, str]
    config_file: str | None = None
    clone: str | Path = "."
    work_dir: str | Path = ".bench-db"
    budget_minutes: float | None = None
    seed: int | None = None
    clock: Clock = Clock()  # noqa: RUF009 frozen
    progress: Progress = Silent()  # noqa: RUF009 without state


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The outcome of measuring the flagged series of a check again, in the order of `Outcome`.

    `mode` is `same` for the machine of the candidate, whose own bias is not excluded, and `fresh` for another one. `base` and `head` are
    the commits, empty when the check names none. `rounds` and `seconds` are those of the pairs.
    """

    mode: Mode
    base: str
    head: str
    rounds: int = 0
    seconds: float = 0.0
    confirmations: Sequence[Confirmation]

    @property
    def counts(self) -> dict[str, int]:
        """How often each outcome occurs."""
        found = Counter(c.outcome for c in self.confirmations)
        return {str(outcome): found[outcome] for outcome in Outcome if found[outcome]}

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        about = {name: getattr(self, name) for name in ("mode", "base", "head", "rounds", "seconds", "counts")}
        return {**about, "confirmations": [record_json(c) for c in self.confirmations]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate(Compared):
    """The outcome of a check: the comparison of every series, and those that fail it.

    `threshold` is in percent, and None where the test of `method` decided. `moved` says that the baseline is now the candidate.
    `confirmed` has the outcome of measuring flagged series again, None when that was not asked for or nothing was flagged.
    """

    threshold: float | None
    failing: Sequence[Comparison]
    moved: bool = False
    confirmed: Confirmed | None = None

    @property
    def passed(self) -> bool:
        """Whether no series fails the check."""
        return not self.failing

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        names = ("passed", "history", "candidate", "baseline", "baseline_commits", "method", "threshold", "moved")
        keys = [f"{c.series.series_key:016x}" for c in self.failing]
        about = {name: getattr(self, name) for name in names}
        again = None if self.confirmed is None else self.confirmed.document
        compared = comparisons_json(self.comparisons, self.blame, self.threshold_faults)
        return {**about, "failing": keys, "confirmed": again, **compared}


@on_database
def check(
    store: Database,
    candidate: str = LATEST,
    *,
    baseline: str | None = None,
    threshold: float | None = None,
    method: str = "runs",
    min_effect: float | None = None,
    fail_on: Collection[str] = (),
    baseline_branch: str | None = None,
    clone: str | Path = ".",
    set_baseline: bool = False,
    set_by: str = "check",
    confirming: Confirming | None = None,
    selection: Selection | None = None,
    **conditions: Unpack[Conditions],
) -> Gate:
    """Check the results of a commit against a baseline, by default of the newest measured commit.

    Without `baseline` it is the one named main if that is set, else the level since the last change.
    A series fails that got worse, or whose runs gave no number; `fail_on` adds `suspected`, `missing` or `insufficient`. With `threshold`,
    in percent, a series got worse when its median moved by more than that from the baseline's own runs, in exact arithmetic.
    Else the comparison of runs decides, from `min_effect` percent. `set_baseline` moves the baseline to a commit that
    passes without a suspected regression. With `confirming` the series that got worse, and the suspected ones, are measured again in
    pairs with the commit of the baseline: confirmed ones fail, those not confirmed pass, and an undecided one stays what it is.
    Raises `UserError` when nothing is measured, when the newest commit could be of several projects, and for a baseline that is not set.
    """
    if threshold is not None and (min_effect is not None or method != "runs"):
        message = "`threshold` is a method of its own: leave out `method` and `min_effect`"
        raise UserError(message)
    chosen = selection_of(selection, conditions)
    version, commit = str(store.version), candidate_of(store, candidate, chosen, clone=Path(clone)).sole()
    query = BaselineQuery(
        candidate=commit,
        what=baseline,
        chosen=chosen,
        branch=baseline_branch,
        clone=Path(clone),
        alone=threshold is not None,
    )
    if not baseline:
        query = replace(query, what=usual(store, query))
    runs = resolve(store, query)
    if set_baseline and not runs.pointers:
        message = (
            f"`set_baseline`: {query.what} is no named baseline; set one first: bench-db baseline set {USUAL} COMMIT"
        )
        raise UserError(message)
    method, least = (method, min_effect) if threshold is None else ("threshold", threshold)
    judged, lacking = verdicts(store, query, runs=runs, method=method, min_effect=least)
    confirmed = None
    if confirming is not None and (flagged := failing(judged, FLAGGED)):
        from bench_db.app.confirm import applied, baseline_commit, confirm, flagged_of  # noqa: PLC0415 a check that passes needs no measuring

        base = baseline_commit(store, runs, query)
        asked = flagged_of(
            flagged,
            minimum_effect=None if least is None else least / 100,
            thresholds=Thresholds(store.definitions()),
        )
        confirmed = confirm(asked, base, commit, confirming)
        judged = judged if confirmed is None else applied(judged, confirmed)
    comparisons, blame = with_causes(store, judged)
    failed = failing(comparisons, {*ALWAYS, *fail_on})
    moved = set_baseline and not failed and not failing(comparisons, ["suspected"])
    moved = moved and _move(store, runs, commit, set_by)
    return Gate(
        history=history_of(store, query, lacking),
        unmeasured=unmeasured_text(query, lacking),
        candidate=commit,
        baseline=runs.about,
        baseline_commits=runs.commits,
        method=method,
        plan=plan(method, None if least is None else least / 100),
        store_version=version,
        threshold=threshold,
        comparisons=comparisons,
        blame=blame,
        threshold_faults=threshold_faults(store),
        failing=failed,
        moved=moved,
        confirmed=confirmed,
    )


def _move(store: Database, runs: BaselineRuns, commit: str, by: str) -> bool:
    """Move the baselines that were compared with; return False if somebody has moved one of them since it was read."""
    at = int(time.time())
    moved = [
        store.set_baseline(replace(pointer, key=0, commit=commit, set_at=at, set_by=by, replaces=pointer.key))
        for pointer in runs.pointers
    ]
    return all(pointer.commit == commit for pointer in moved)
