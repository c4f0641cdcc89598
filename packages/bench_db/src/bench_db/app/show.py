"""One commit: the verdicts of all its series, its findings, what failed, and the range of commits that they may come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.analysis.findings import in_order
from bench_db.app.answers import Answer
from bench_db.app.baselines import LATEST, candidate_of
from bench_db.app.compare import Compared, compare, comparisons_json
from bench_db.app.database import on_database
from bench_db.app.scans import last_scans, scans_json
from bench_db.app.site import commit_url_of
from bench_db.errors import UserError
from bench_db.identity import same_commit
from bench_db.measure import git
from bench_db.model import ChangeKind, Commit, Comparison, Finding, LastScan, RecordedCommit, Series, Verdict
from bench_db.query.selection import Selection, of_name
from bench_db.report.document import commit_json, finding_json
from bench_db.report.links import difference_pattern
from bench_db.report.shown import bisect_command

if TYPE_CHECKING:
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf

_BUILD = ("dut_name", "commit", "branch", "pr_number", "commit_order")
_CHANGED = (Verdict.REGRESSED, Verdict.IMPROVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A benchmark that changed at a commit or before it, and the command that finds the commit by measuring."""

    suite: str
    benchmark_name: str
    metric: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(Answer):
    """A commit against the measured commit `before` it on the same branch; None for the first.

    `recorded` is what is known of the commit for each device. `since` are the commits after `before`, this one included, oldest
    first, and `commits_since` their number; empty and None where neither the clone nor the store has it. `difference_url` shows their
    diff, empty where no CI run names the repository. `series` are the series of the findings by key.
    `scans` has the newest scan of each device that measured the commit.
    """

    commit: str
    recorded: Sequence[RecordedCommit]
    before: str | None
    since: Sequence[Commit]
    commits_since: int | None
    difference_url: str
    compared: Compared
    findings: Sequence[Finding]
    series: Mapping[int, Series]
    suspicions: Sequence[Suspicion]
    scans: Sequence[LastScan]

    @property
    def failed(self) -> list[Comparison]:
        """The series that failed or are missing."""
        return [c for c in self.compared.comparisons if c.verdict in {Verdict.FAILED, Verdict.MISSING}]

    def frame(self) -> pl.DataFrame:
        """Return the verdicts as a frame, a row a series."""
        return self.compared.frame()

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        names = ("commit", "before", "commits_since", "difference_url")
        return {
            "history": self.compared.history,
            **{name: getattr(self, name) for name in names},
            "recorded": [commit_json(record) for record in self.recorded],
            "since": [{"commit": one.sha, "time": one.time, "subject": one.subject} for one in self.since],
            "findings": [finding_json(finding, self.series) for finding in self.findings],
            "scans": scans_json(self.scans),
            "bisect": [
                {"suite": s.suite, "benchmark_name": s.benchmark_name, "metric": s.metric, "command": s.command}
                for s in self.suspicions
            ],
            **comparisons_json(self.compared.comparisons, self.compared.blame, self.compared.threshold_faults),
        }


@on_database
def show(
    store: Database,
    commit: str = LATEST,
    *,
    clone: str | Path = ".",
    commit_url: str = "",
    as_of: AsOf | None = None,
) -> Shown:
    """Show what a commit did: the verdict on every series against the measured commit before it on the same branch.

    `commit` is a sha, `latest` for the newest measured one of the main history, or `HEAD`, a branch or a tag of the `clone`, which also has
    the commits in between. `commit_url` is the address of a commit with `{commit}` for its sha, by default that of the repository whose CI
    published last. Raises `UserError` for a commit without results and for an ambiguous one.
    """
    found = candidate_of(store, commit, Selection(), as_of, Path(clone))
    sha = found.name
    before = _before(store, sha, as_of)
    compared = compare(store, sha, baseline=before, clone=clone, as_of=as_of)
    compared = replace(compared, history=f"{compared.history}{found.about}")
    known = {series.series_key: series for series in (c.series for c in compared.comparisons)}
    findings = in_order(f for f in store.findings(as_of) if f.commit == sha and f.series_key in known)
    records = store.commits(as_of)
    since = () if before is None else _since(Path(clone), before, sha)
    number = len(since) or _counted(records, before, sha)
    pattern = difference_pattern(commit_url or commit_url_of(store, as_of))
    return Shown(
        commit=sha,
        recorded=[record for record in records if same_commit(record.commit, sha)],
        before=before,
        since=since,
        commits_since=number,
        difference_url="" if before is None else pattern.replace("{before}", before).replace("{commit}", sha),
        compared=compared,
        findings=findings,
        series=known,
        suspicions=[] if before is None or number == 1 else _suspicions(before, sha, compared.comparisons, findings),
        scans=[one for one in last_scans(store, as_of=as_of) if one.dut_name in {s.dut_name for s in known.values()}],
    )


def _before(store: Database, sha: str, as_of: AsOf | None) -> str | None:
    """Return the newest commit with results before a commit, of the same branch, or else of the main history."""
    of_sha = of_name(sha) & pl.col("run_key").is_in(store.runs_of(sha, as_of))
    own = store.rows(_BUILD, Selection(everything=True), as_of, condition=of_sha)
    branch, pull = own.select("branch", "pr_number").row(0)
    is_main = store.rows(("run_key",), Selection(), as_of, condition=of_sha).height > 0
    of_branch = Selection(pr_number=pull) if pull is not None else Selection(branch=branch)
    earlier = (
        (pl.col("commit_order") < own["commit_order"].min())
        & pl.col("dut_name").is_in(own["dut_name"].unique().implode())
        & (pl.col("commit") != sha)
    )
    for selection in (Selection(),) if is_main else (of_branch, Selection()):
        rows = store.rows(_BUILD, selection, as_of, condition=pl.col("error").is_null())
        commits = rows.filter(earlier).sort("commit_order", "commit")["commit"]
        if len(commits):
            return str(commits[-1])
    return None


def _since(clone: Path, before: str, sha: str) -> Sequence[Commit]:
    """Return the commits of the range as the clone has them; nothing of a clone that does not have both ends."""
    try:
        return git.history(clone, sha, before)
    except UserError:
        return ()


def _counted(records: Sequence[RecordedCommit], before: str | None, sha: str) -> int | None:
    positions = {record.commit: record.position for record in records}
    here, there = positions.get(sha), positions.get(before or "")
    return None if here is None or there is None or here <= there else here - there


def _suspicions(
    before: str, sha: str, comparisons: Sequence[Comparison], findings: Sequence[Finding]
) -> list[Suspicion]:
    """Return a command for each benchmark whose level changed, the largest change first."""
    found = {finding.series_key: finding.effect for finding in findings if finding.kind == ChangeKind.LEVEL}
    effects: dict[tuple[str, str, str], float] = {}
    for c in comparisons:
        if c.verdict in _CHANGED or c.series.series_key in found:
            name = (c.series.suite, c.series.benchmark_name, c.series.metric)
            effect = c.effect if c.effect is not None else found.get(c.series.series_key)
            effects[name] = max(effects.get(name, 0.0), abs(effect or 0.0))
    ordered = sorted(effects.items(), key=lambda pair: (-pair[1], pair[0]))
    return [
        Suspicion(
            suite=name[0], benchmark_name=name[1], metric=name[2], command=bisect_command(before, sha, name, effect)
        )
        for name, effect in ordered
    ]
