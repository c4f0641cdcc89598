"""The presence of a commit in a store, and the resolution of a text to a commit."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from bench_db.errors import UserError
from bench_db.model import Presence
from bench_db.query.selection import RUN, VERSION, is_sha, run_keys, spellings
from bench_db.store import history
from bench_db.store.filters import condition, identifier, literal
from bench_db.store.tables import RESULTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.store.engine import Engine


def presence(
    engine: Engine, commit: str, suites: Sequence[str], test_bed_name: str | None, pr_number: int | None
) -> Presence:
    """Count results and failures of a commit by suite; see `Database.has`."""
    excluded = history.excluded(engine)
    # An index finds the rows of a name, and Lance takes longer for further conditions than it takes to read their columns.
    further = {"test_bed_name": test_bed_name is not None, "run_key": bool(excluded)}
    columns = ("suite", "error", "pr_number", *(name for name, is_asked in further.items() if is_asked))
    rows = engine.open(RESULTS_TABLE).read(columns, _of_name(commit))
    asked = [pc.is_null(rows["pr_number"]) if pr_number is None else pc.equal(rows["pr_number"], pr_number)]
    if test_bed_name is not None:
        asked.append(pc.equal(rows["test_bed_name"], test_bed_name))
    if excluded:
        asked.append(pc.invert(pc.is_in(rows["run_key"], pa.array(excluded, pa.int64()))))
    rows = rows.filter(reduce(pc.and_, asked))
    outcomes = Counter(zip(rows["suite"].to_pylist(), rows["error"].is_null().to_pylist(), strict=True))
    measured = {suite: count for (suite, fine), count in sorted(outcomes.items()) if fine}
    failed = {suite: count for (suite, fine), count in sorted(outcomes.items()) if not fine}
    counted = {suite: measured.get(suite, 0) for suite in suites or sorted({*measured, *failed})}
    present = all(counted.values()) if suites else any(counted.values())
    return Presence(commit=commit, present=present, suites=counted, failed=failed)


def _of_name(name: str) -> str:
    """Return the filter of `query.selection.of_name`, without an expression of Polars, whose import takes longer than a look-up."""
    if name.startswith(VERSION):
        return condition(RESULTS_TABLE.leaves["dut_version"], name.removeprefix(VERSION))
    if name.startswith(RUN):
        return condition("run_key", run_keys(name))
    texts, longer = spellings(name)
    named = condition("commit", texts if len(texts) > 1 else texts[0])
    if longer is None:
        return named
    column, (first, end) = identifier("commit"), map(literal, longer)
    return f"({named} OR ({column} >= {first} AND {column} < {end}))"


def measured_commit(engine: Engine, text: str, found: Sequence[str]) -> str:
    """Return the longest of the stored shas that `query.selection.of_commit` found for a text; raise `UserError` for none or those of several commits."""
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
    return longest
