"""The ranges of commits at which a suite failed, each of which is an issue of its own, or a message when it begins and ends."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import polars as pl

from bench_db.identity import hash63
from bench_db.model import FAILURE, Finding, State
from bench_db.query.selection import Selection
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from bench_db.store.database import Database

_OF = ("dut_name", "test_bed_name", "suite")
_PREFIX = "suite "


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRange:
    """Neighbouring measured commits, oldest first, at which a suite failed on a test bed; `until` is the first later one at which it did not.

    `unmeasured` is the number of newer measured commits of the device without the suite and the test bed, 0 for fewer than
    `rules.recent_commits`: one of them has another name then, or is no more. `error` is that of the newest commit, which ends with the last lines of its log. `began` is when the first failure was published, `at`
    when the newest result of the range was, both in unix seconds. `named` is an earlier identity, which it keeps.
    """

    dut_name: str
    test_bed_name: str
    suite: str
    commits: tuple[str, ...]
    until: str | None
    unmeasured: int
    error: str
    began: int
    at: int
    named: str = ""

    @property
    def id(self) -> str:
        """The identity of the range: what failed, and the first commit; of one that grew, the commit that was the first when it was sent."""
        return self.named or self._named(self.commits[0])

    def _named(self, commit: str) -> str:
        return _PREFIX + json.dumps([self.dut_name, self.test_bed_name, self.suite, commit])

    def named_as(self, known: Mapping[str, int]) -> FailedRange:
        """Return the range under the identity that was sent first, of those of its commits that are `known` with their place."""
        sent = [one for one in map(self._named, self.commits) if one in known]
        return replace(self, named=min(sent, key=known.__getitem__)) if sent else self

    @property
    def change(self) -> int:
        """A number that changes with the first and the newest commit of the range and with its end."""
        return hash63([self._named(self.commits[0]), self._end, self.commits[-1]])

    @property
    def state_change(self) -> int:
        """A number that changes with the end of the range alone, however many commits it has."""
        return hash63([self._end])

    @property
    def _end(self) -> str:
        return self.until or ("unmeasured" if self.unmeasured else "")

    @property
    def is_open(self) -> bool:
        """Whether the suite is measured on the test bed, and has not succeeded since."""
        return self.until is None and not self.unmeasured

    @property
    def finding(self) -> Finding:
        """The range as a finding without a series, for the ledger of messages."""
        return _finding(self.id, self.commits[0], State.OPEN if self.is_open else State.FIXED, self.at)


def _finding(identity: str, commit: str, state: State, at: int) -> Finding:
    return Finding(
        id=identity,
        series_key=0,
        commit=commit,
        index=0,
        effect=None,
        low=None,
        high=None,
        p_value=None,
        provisional=False,
        state=state,
        at=at,
    )


def is_of_suite(identity: str) -> bool:
    """Return whether the identity of a finding is that of a range of commits of a failed suite."""
    return identity.startswith(_PREFIX)


def names_of(identity: str) -> tuple[str, str, str, str]:
    """Return the device, the test bed, the suite and the first commit in the identity of a range."""
    dut, bed, suite, commit = json.loads(identity.removeprefix(_PREFIX))
    return dut, bed, suite, commit


def gone(identity: str) -> Finding:
    """Return the end of a range that the history no longer has: its failures were excluded, or an earlier commit failed, too."""
    return _finding(identity, names_of(identity)[3], State.FIXED, 0)


def failed_ranges(store: Database) -> list[FailedRange]:
    """Return the ranges of commits of the main history at which a suite of `backfill` or `ci` failed, in whole or in part.

    A range that grows keeps the identity under which a message about one of its commits was sent.
    """
    own = Selection()
    failed = store.scan(where={"source": FAILURE}, selection=own).select(_OF).unique().collect()
    if failed.is_empty():
        return []
    rows = store.scan(selection=own).filter(
        pl.col("suite").is_in(failed["suite"].unique().to_list()) & pl.col("commit").is_not_null()
    )
    is_failure = pl.col("source") == FAILURE
    commits = (
        store.history()
        .ordered(
            rows.select(*_OF, "commit", "dut_timestamp", "run_time", "timestamp", "source", "error")
            .join(failed.lazy(), on=_OF, how="semi", nulls_equal=True)
            .group_by(*_OF, "commit")
            .agg(
                pl.col("dut_timestamp", "timestamp").max(),
                is_failure.any().alias("failed"),
                pl.col("error").filter(is_failure).sort_by(pl.col("run_time").filter(is_failure)).last(),
                pl.col("run_time").min(),
            )
            .collect()
        )
        .sort(*_OF, "commit_order", "commit", nulls_last=False)
    )
    builds = _commits(store, commits["dut_name"].unique().to_list())
    known: dict[str, int] = {}
    for one in store.notifications():
        if is_of_suite(one.finding_id):
            known.setdefault(one.finding_id, len(known))
    ranges = (one for part in commits.partition_by(_OF) for one in _ranges(part, builds[part["dut_name"][0]]))
    return [one.named_as(known) for one in ranges]


def _commits(store: Database, devices: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the places of the measured commits of the main history of some devices, in the order of commits."""
    runs = store.runs(selection=Selection()).filter(pl.col("dut_name").is_in(devices) & pl.col("commit").is_not_null())
    of_commits = runs.group_by("dut_name", "commit").agg(pl.col("dut_timestamp").max(), pl.col("run_time").min())
    ordered = store.history().ordered(of_commits.collect())
    return {str(dut): of["commit_order"].sort().to_numpy() for (dut,), of in ordered.group_by("dut_name")}


def _ranges(commits: pl.DataFrame, measured: np.ndarray) -> Iterator[FailedRange]:
    """Yield the ranges of one suite, oldest first; `measured` are the places of the commits of its device."""
    newer = int((measured > commits["commit_order"][-1]).sum())
    unmeasured = newer if newer >= RULES.recent_commits else 0
    rows = list(commits.iter_rows(named=True))
    groups = [(failed, list(group)) for failed, group in groupby(rows, key=lambda row: row["failed"])]
    for place, (failed, group) in enumerate(groups):
        if failed:
            after = groups[place + 1][1][0] if place + 1 < len(groups) else None
            yield FailedRange(
                **{name: group[0][name] or "" for name in _OF},
                commits=tuple(row["commit"] for row in group),
                until=None if after is None else after["commit"],
                unmeasured=unmeasured if after is None else 0,
                error=group[-1]["error"] or "",
                began=min(row["timestamp"] for row in group),
                at=max(row["timestamp"] for row in (*group, *([after] if after else []))),
            )
