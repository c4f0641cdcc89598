"""Suites that were to be measured and of which nothing arrived: they failed, and are not passed over in silence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bench_db.analysis.compare import Verdict
from bench_db.analysis.judge import Judged
from bench_db.errors import UserError
from bench_db.identity import hash63
from bench_db.query.availability import of_commit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.store.database import Database

_NOTHING = "nothing of this suite arrived; the log of its job says why"


def suites_in(texts: Iterable[str]) -> list[str]:
    """The names in what `bench-db suites` gives, each once. `UserError` for anything else."""
    try:
        return list(dict.fromkeys(str(suite["name"]) for text in texts for suite in json.loads(text)))
    except (ValueError, TypeError, KeyError) as error:
        message = "--expect is not what `bench-db suites` gives: a JSON list of suites with their names"
        raise UserError(message) from error


def with_absent(store: Database, judged: list[Judged], commit: str, suites: Iterable[str]) -> list[Judged]:
    """The same, and a failure for each of these suites of which the commit has neither a result nor an error."""
    there = store.scan(["suite", "commit"]).filter(of_commit(commit)).collect()["suite"].to_list()
    return [*judged, *(_absent(suite) for suite in suites if suite not in there)]


def _absent(suite: str) -> Judged:
    return Judged(
        series_key=hash63([suite]),
        label=suite,
        dut_name="",
        testbed_name="",
        suite=suite,
        benchmark_name=suite,
        metric="",
        tags_key="",
        units="",
        direction="info",
        verdict=Verdict.FAILED,
        effect=None,
        low=None,
        high=None,
        p_value=None,
        n_baseline=0,
        n_candidate=0,
        baseline_median=None,
        candidate_median=None,
        note=_NOTHING,
    )
