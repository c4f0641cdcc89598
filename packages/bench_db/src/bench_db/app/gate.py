"""The gate: a candidate held against a baseline, whether it passes, and the baseline moved when it does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.analysis.judge import Judged
from bench_db.app import baselines
from bench_db.app.comparing import as_json, fails, verdicts
from bench_db.errors import UserError
from bench_db.query.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Collection

    from bench_db.store.database import Database

# A run that gave no number, NaN too, is never as good as one that did.
ALWAYS = ("regression", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a check found: the comparison of every series, and those that fail it.

    `baseline` says in words what `candidate`, a full commit, was held against, `baseline_commits` what commits that names.
    `threshold` is in percent and None where the test of `method` decided. `moved` says that the baseline is now the candidate.
    """

    candidate: str
    baseline: str
    baseline_commits: tuple[str, ...]
    method: str
    threshold: float | None
    comparisons: Sequence[Judged]
    failing: Sequence[Judged]
    moved: bool = False

    @property
    def passed(self) -> bool:
        """Whether no series fails the check."""
        return not self.failing

    @property
    def document(self) -> dict[str, Any]:
        """The gate as JSON."""
        plain = ("candidate", "baseline", "baseline_commits", "method", "threshold", "moved")
        about = {name: getattr(self, name) for name in plain}
        failing = [f"{j.series_key:016x}" for j in self.failing]
        return {"passed": self.passed, **about, "failing": failing, **as_json(list(self.comparisons))}


def check(
    store: Database,
    candidate: str = baselines.LATEST,
    *,
    baseline: str = "main",
    threshold: float | None = None,
    method: str = "runs",
    min_effect: float | None = None,
    fail_on: Collection[str] = (),
    selection: Selection = Selection(),  # noqa: B008 frozen
    baseline_branch: str | None = None,
    clone: str | Path = ".",
    set_baseline: bool = False,
    set_by: str = "check",
) -> Gate:
    """Hold the results of a commit against a baseline, by default the newest measured commit against the one named main.

    A series fails that got worse, or whose runs gave no number; `fail_on` adds `missing` or `insufficient`. With `threshold`,
    in percent, a series got worse when its median moved by more than that from the baseline's own runs, in exact arithmetic;
    else the comparison of runs decides, from `min_effect` percent. `set_baseline` points the baseline at a commit that passes.
    Raises `UserError` when nothing is measured, or the baseline is not set.
    """
    if threshold is not None and (min_effect is not None or method != "runs"):
        message = "--threshold is a method of its own: leave out --method and --min-effect"
        raise UserError(message)
    commit = baselines.candidate_of(store, candidate, selection)
    asked = baselines.Asked(
        candidate=commit,
        what=baseline,
        chosen=selection,
        branch=baseline_branch,
        clone=Path(clone),
        alone=threshold is not None,
    )
    held = baselines.held(store, asked)
    if set_baseline and not held.pointers:
        message = f"--set-baseline: {baseline} is no named baseline; set one first: bench-db baseline set main COMMIT"
        raise UserError(message)
    method, least = (method, min_effect) if threshold is None else ("threshold", threshold)
    judged = verdicts(store, commit, held=held, method=method, min_effect=least, chosen=selection)
    failing = fails(judged, {*ALWAYS, *fail_on})
    moved = set_baseline and not failing
    if moved:
        for pointer in held.pointers:
            store.set_baseline(replace(pointer, key=0, commit=commit, set_at=int(time.time()), set_by=set_by))
    return Gate(
        candidate=commit,
        baseline=held.about,
        baseline_commits=held.commits,
        method=method,
        threshold=threshold,
        comparisons=judged,
        failing=failing,
        moved=moved,
    )
