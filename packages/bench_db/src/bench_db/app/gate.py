"""The gate: whether a candidate passes against a baseline, which then moves to it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.analysis.judge import plan
from bench_db.app.baselines import LATEST, BaselineQuery, candidate_of, resolve
from bench_db.app.compare import Compared, comparisons_json, failing, threshold_faults, verdicts, with_causes
from bench_db.app.database import on_database
from bench_db.errors import UserError
from bench_db.model import Comparison
from bench_db.query.selection import Conditions, Selection, selection_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Unpack

    from bench_db.app.baselines import BaselineRuns
    from bench_db.store.database import Database

# A run without a number, NaN included, always fails the gate.
ALWAYS = ("regression", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate(Compared):
    """The outcome of a check: the comparison of every series, and those that fail it.

    `threshold` is in percent, and None where the test of `method` decided. `moved` says that the baseline is now the candidate.
    """

    threshold: float | None
    failing: Sequence[Comparison]
    moved: bool = False

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
        return {**about, "failing": keys, **comparisons_json(self.comparisons, self.blame, self.threshold_faults)}


@on_database
def check(
    store: Database,
    candidate: str = LATEST,
    *,
    baseline: str = "main",
    threshold: float | None = None,
    method: str = "runs",
    min_effect: float | None = None,
    fail_on: Collection[str] = (),
    baseline_branch: str | None = None,
    clone: str | Path = ".",
    set_baseline: bool = False,
    set_by: str = "check",
    selection: Selection | None = None,
    **conditions: Unpack[Conditions],
) -> Gate:
    """Check the results of a commit against a baseline, by default the newest measured commit against the one named main.

    A series fails that got worse, or whose runs gave no number; `fail_on` adds `suspected`, `missing` or `insufficient`. With `threshold`,
    in percent, a series got worse when its median moved by more than that from the baseline's own runs, in exact arithmetic.
    Else the comparison of runs decides, from `min_effect` percent. `set_baseline` moves the baseline to a commit that
    passes without a suspected regression.
    Raises `UserError` when nothing is measured, or the baseline is not set.
    """
    if threshold is not None and (min_effect is not None or method != "runs"):
        message = "`threshold` is a method of its own: leave out `method` and `min_effect`"
        raise UserError(message)
    chosen = selection_of(selection, conditions)
    version, commit = str(store.version), candidate_of(store, candidate, chosen, clone=Path(clone))
    chosen = replace(chosen, pr_number=None)  # a pull request is compared with the main history
    query = BaselineQuery(
        candidate=commit,
        what=baseline,
        chosen=chosen,
        branch=baseline_branch,
        clone=Path(clone),
        alone=threshold is not None,
    )
    runs = resolve(store, query)
    if set_baseline and not runs.pointers:
        message = f"`set_baseline`: {baseline} is no named baseline; set one first: bench-db baseline set main COMMIT"
        raise UserError(message)
    method, least = (method, min_effect) if threshold is None else ("threshold", threshold)
    judged = verdicts(store, commit, runs=runs, method=method, min_effect=least, chosen=chosen)
    comparisons, blame = with_causes(store, judged)
    failed = failing(comparisons, {*ALWAYS, *fail_on})
    moved = set_baseline and not failed and not failing(comparisons, ["suspected"])
    moved = moved and _move(store, runs, commit, set_by)
    return Gate(
        history=store.history().about(chosen),
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
    )


def _move(store: Database, runs: BaselineRuns, commit: str, by: str) -> bool:
    """Move the baselines that were compared with; return False if somebody has moved one of them since it was read."""
    at = int(time.time())
    moved = [
        store.set_baseline(replace(pointer, key=0, commit=commit, set_at=at, set_by=by, replaces=pointer.key))
        for pointer in runs.pointers
    ]
    return all(pointer.commit == commit for pointer in moved)
