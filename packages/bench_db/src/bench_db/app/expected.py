"""Expected suites without any result: they are reported as failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bench_db.analysis.judge import in_order
from bench_db.errors import UserError
from bench_db.identity import hash63
from bench_db.model import Comparison, Series, Verdict
from bench_db.query.selection import Selection, of_commit
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.store.database import Database

_NOTHING = "no result of this suite arrived; see the log of its job"


def suites_in(texts: Iterable[str]) -> list[str]:
    """Return the names in the output of `bench-db suites`, each once. Raises `UserError` for anything else."""
    try:
        return list(dict.fromkeys(str(suite["name"]) for text in texts for suite in json.loads(text)))
    except (ValueError, TypeError, KeyError) as error:
        message = "`expect` is not the output of 'bench-db suites': a JSON list of suites with their names"
        raise UserError(message) from error


def with_absent(store: Database, judged: list[Comparison], commit: str, suites: Iterable[str]) -> list[Comparison]:
    """Add a failure for each of these suites of which the commit has neither a result nor an error."""
    there = store.rows(("suite",), Selection(everything=True), condition=of_commit(commit))["suite"].to_list()
    return in_order([*judged, *(_absent(suite) for suite in suites if suite not in there)])


def _absent(suite: str) -> Comparison:
    return Comparison(
        series=Series(series_key=hash63([suite]), suite=suite, metric="", units="", direction=Direction.INFO),
        verdict=Verdict.FAILED,
        n_baseline=0,
        n_candidate=0,
        note=_NOTHING,
    )
