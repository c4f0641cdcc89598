"""The presence of a commit in a store, and the resolution of a text to a commit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from bench_db.errors import UserError
from bench_db.model import Presence
from bench_db.query.selection import Selection, is_sha, of_commit, of_name
from bench_db.store.filters import lance_filter
from bench_db.store.history import excluded_runs, exclusions
from bench_db.store.tables import EXCLUSIONS_TABLE, RESULTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.store.engine import Engine, Snapshot


def presence(
    engine: Engine, commit: str, suites: Sequence[str], test_bed_name: str | None, pr_number: int | None
) -> Presence:
    """Count results and failures of a commit by suite; see `Database.has`."""
    own = pl.col("pr_number").is_null() if pr_number is None else pl.col("pr_number") == pr_number
    asked = of_name(commit) & Selection(test_bed_name=test_bed_name).predicate() & own
    excluded = excluded_runs(exclusions(engine)) if EXCLUSIONS_TABLE.name in engine.present() else ()
    if excluded:
        asked &= ~pl.col("run_key").is_in(sorted(excluded))
    results = engine.open(RESULTS_TABLE)
    # The filter is the complete question, so only the answer is read.
    rows = results.read(("suite", "error"), lance_filter(asked, results.leaves))
    outcomes = Counter(zip(rows["suite"].to_pylist(), rows["error"].is_null().to_pylist(), strict=True))
    measured = {suite: count for (suite, fine), count in sorted(outcomes.items()) if fine}
    failed = {suite: count for (suite, fine), count in sorted(outcomes.items()) if not fine}
    counted = {suite: measured.get(suite, 0) for suite in suites or sorted({*measured, *failed})}
    present = all(counted.values()) if suites else any(counted.values())
    return Presence(commit=commit, present=present, suites=counted, failed=failed)


def measured_commit(engine: Engine, results: Snapshot, text: str) -> str:
    """Return the longest stored sha of the commit that a text abbreviates; raise `UserError` for none or several."""
    wanted = lance_filter(of_commit(text), results.leaves)
    found = results.read(("commit",), wanted)["commit"].unique().to_pylist()
    longest = max(found, key=len, default=None)
    if longest is None:
        hint = "" if is_sha(text) else "; a commit is named by its sha, of 7 digits or more"
        message = f"no results of {text} in {engine.location}; 'bench-db latest' shows what is measured{hint}"
        raise UserError(message)
    others = sorted(commit for commit in found if not longest.startswith(commit))
    if others:
        message = (
            f"{text} means {1 + len(others)} commits: {', '.join([longest, *others][:5])}; write more of its digits"
        )
        raise UserError(message)
    return str(longest)
