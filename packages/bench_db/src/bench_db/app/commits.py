"""The recorded commits: list them, show one, and bring them up to date with a clone."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.app.answers import Answer, frame_of
from bench_db.app.baselines import name_of
from bench_db.app.database import on_database
from bench_db.app.runs import Runs, runs
from bench_db.errors import UserError
from bench_db.identity import is_full_sha, same_commit
from bench_db.measure import git
from bench_db.model import RecordedCommit, Sync
from bench_db.query.selection import Selection
from bench_db.report.document import commit_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.model import FrameRow
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf

_MEASURED = ("dut_name", "commit", "dut_timestamp", "branch", "pr_number", "run_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits(Answer):
    """Recorded commits, device after device, in the order of commits."""

    commits: Sequence[RecordedCommit]

    def frame(self) -> pl.DataFrame:
        """Return the commits as a frame, a row each."""
        return frame_of(self.commits, RecordedCommit).drop("key", "replaces")

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"commits": [commit_json(record) for record in self.commits]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced(Answer):
    """What a sync found."""

    sync: Sync

    def frame(self) -> pl.DataFrame:
        """Return a row for each unreachable commit."""
        return pl.DataFrame({"commit": list(self.sync.unreachable)}, {"commit": pl.String})

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return asdict(self.sync)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCommit(Answer):
    """What a store knows of a commit: what is recorded of it for each device, and its runs, excluded ones too."""

    commits: Sequence[RecordedCommit]
    runs: Runs

    def frame(self) -> pl.DataFrame:
        """Return the runs as a frame, a row each."""
        return self.runs.frame()

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"commits": [commit_json(record) for record in self.commits], "runs": self.runs.document["runs"]}


@on_database
def commits(store: Database, *, dut_name: str | None = None, as_of: AsOf | None = None) -> Commits:
    """List what is recorded of the commits of all devices, or of one."""
    return Commits(commits=[record for record in store.commits(as_of) if dut_name in (None, record.dut_name)])


@on_database
def commit(store: Database, name: str, *, clone: str | Path | None = None) -> ShownCommit:
    """Return what is known of a commit: a sha, `HEAD`, a branch or a tag of a clone, or `tag:NAME`.

    Raises `UserError` when it has no results.
    """
    sha = store.measured_commit(name_of(store, name, None if clone is None else Path(clone)))
    recorded = [record for record in store.commits() if same_commit(record.commit, sha)]
    return ShownCommit(commits=recorded, runs=runs(store, commit=sha))


@on_database
def sync_commits(
    store: Database,
    *,
    clone: str | Path = ".",
    dut_name: str | None = None,
    branch: str | None = None,
    at: int | None = None,
) -> Synced:
    """Bring the recorded commits of a repository up to date with a complete clone of it.

    Order, parents and subjects of what was published from shallow clones are completed. A commit that the main branch no longer
    has, because of a force push, is recorded as unreachable, and counts again when it is back. Commits of devices of other
    repositories are left alone. `branch` is the main branch, by default the one that the clone names, else the store. `at` is
    unix seconds, now by default. Raises `UserError` for a shallow clone, one of another repository, and an unknown main branch.
    """
    repository = Path(clone).resolve()
    if git.is_shallow(repository):
        message = (
            f"{repository}: a shallow clone does not show the order of commits; complete it: git fetch --unshallow"
        )
        raise UserError(message)
    work = _Work.of(store, repository, dut_name, branch, int(time.time()) if at is None else at)
    records = list(work.records())
    sync = Sync(
        main_branch=work.main,
        commits=len(work.known),
        changed=store.record_commits(records),
        unreachable=tuple(sorted({record.commit for record in records if record.reachable is False})),
        not_in_clone=len(work.known) - len(records),
    )
    return Synced(sync=sync)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A clone beside the commits that a store knows of it."""

    repository: Path
    known: Sequence[RecordedCommit]
    main: str
    tip: str
    at: int

    @classmethod
    def of(cls, store: Database, repository: Path, dut_name: str | None, branch: str | None, at: int) -> _Work:
        every = [record for record in _measured(store) if dut_name in (None, record.dut_name)]
        there = git.present(repository, {record.commit for record in every})
        devices = {record.dut_name for record in every if record.commit in there}
        if not devices:
            message = (
                f"{repository}: has none of the {len(every)} measured commits; is it a clone of another repository?"
            )
            raise UserError(message)
        known = [record for record in every if record.dut_name in devices]
        stated = [main for dut, main in store.history().main.items() if dut in devices]
        main = branch or git.main_branch(repository) or next(iter(stated), None)
        tip = git.tip_of(repository, main) if main else None
        if main is None or tip is None:
            message = f"{repository}: the main branch ({main or 'unknown'}) is not in this clone; name it as `branch`"
            raise UserError(message)
        return cls(repository=repository, known=known, main=main, tip=tip, at=at)

    def records(self) -> Iterator[RecordedCommit]:
        """Yield what the clone says of each known commit; nothing of one that it may only not have fetched yet."""
        line = {record.commit: record for record in git.line_of(self.repository, self.tip, "")}
        of_main, anywhere = git.reachable(self.repository, self.tip), git.reachable(self.repository)
        current = git.is_current(self.repository, self.main, self.tip)
        there = git.present(self.repository, {record.commit for record in self.known})
        for record in self.known:
            if record.commit in line:
                yield self._stated(record, replace(line[record.commit], reachable=True))
            elif record.commit in there:
                found = git.record_of(self.repository, record.commit, record.dut_name)
                mine = of_main if record.pr_number is None and record.branch in (None, self.main) else anywhere
                yield self._stated(record, replace(found, on_main=False, reachable=record.commit in mine))
            elif current and record.pr_number is None and is_full_sha(record.commit):
                yield self._stated(record, replace(record, on_main=False, reachable=False))

    def _stated(self, known: RecordedCommit, found: RecordedCommit) -> RecordedCommit:
        return replace(
            found,
            dut_name=known.dut_name,
            branch=known.branch,
            pr_number=known.pr_number,
            measured_at=known.measured_at,
            main_branch=self.main,
            recorded_at=self.at,
            source="sync",
        )


def _measured(store: Database) -> list[RecordedCommit]:
    """Return what is recorded of every commit with results, also of those that an older release published without a record."""
    recorded = store.commits()
    names = {(record.dut_name, record.commit) for record in recorded}
    rows = store.rows(_MEASURED, Selection(everything=True)).drop_nulls("commit").sort("run_time")
    others: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows.unique(("dut_name", "commit", "branch", "pr_number"), maintain_order=True).iter_rows(named=True):
        if (row["dut_name"], row["commit"]) not in names:
            others[row["dut_name"], row["commit"]].append(row)
    return [*recorded, *(_as_record(rows) for rows in others.values())]


def _as_record(rows: Sequence[FrameRow]) -> RecordedCommit:
    row = next((row for row in rows if row["pr_number"] is None), rows[0])
    return RecordedCommit(
        dut_name=row["dut_name"],
        commit=row["commit"],
        time=row["dut_timestamp"] or 0,
        branch=row["branch"],
        pr_number=row["pr_number"],
        measured_at=row["run_time"],
    )
