"""The published runs: list them, show one, take one out of every answer and put it back, or remove it for good."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import polars as pl

from bench_db.app.answers import Answer
from bench_db.app.commit_names import sha_of
from bench_db.app.database import on_database, public, with_run
from bench_db.clock import Moment, bounds
from bench_db.errors import UserError
from bench_db.identity import require_text, tag_texts
from bench_db.model import Artifact, Result, Run
from bench_db.query.selection import Selection, glob_pattern, is_sha, no_match, of_commit
from bench_db.report.artifacts import as_json as artifact_json
from bench_db.report.frame import as_json

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.query.selection import Tag
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf

# The columns of `Database.runs` that a list of runs shows.
SHOWN = (
    "run_key",
    "run_id",
    "attempt",
    "file_name",
    "format",
    "dut_name",
    "dut_version",
    "commit",
    "branch",
    "pr_number",
    "test_bed_name",
    "run_time",
    "ingested_at",
    "results",
)


class RunConditions(TypedDict, total=False):
    """The conditions on runs, which must all be true: key or run id, commit, branch, test bed, time of the run, and file name (a glob).

    One result of a run must have all `tags`, as they were stored; the tag `scenario` finds the suite, too.
    """

    runs: Sequence[str] | None
    commit: str | None
    branch: str | None
    tags: Mapping[str, Tag] | None
    test_bed_name: str | None
    since: Moment | None
    until: Moment | None
    file: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs(Answer):
    """Published runs, oldest publish first. `changed` says that they were excluded, included or removed by this call.

    `artifacts` are those that are removed with their runs; null, and not in the document, where that was not asked for.
    """

    rows: pl.DataFrame
    changed: bool = False
    artifacts: Sequence[Artifact] | None = None

    def frame(self) -> pl.DataFrame:
        """Return the runs as a frame: the columns of `Database.runs`, `run` (the key as text), and `excluded`, the reason or null."""
        return self.rows

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        removed = {} if self.artifacts is None else {"artifacts": list(map(artifact_json, self.artifacts))}
        return {"runs": as_json(self.rows.drop("run_key")), "changed": self.changed, **removed}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun(Answer):
    """A published run with its results and artifacts; `excluded` is the reason why it is in no answer, or null."""

    run: Run
    results: Sequence[Result]
    artifacts: Sequence[Artifact]
    excluded: str | None = None
    rows: pl.DataFrame

    @property
    def id(self) -> str:
        """The key of the run as text."""
        return f"{self.run.run_key:016x}"

    def frame(self) -> pl.DataFrame:
        """Return the results as a frame with the columns of `Database.scan`."""
        return self.rows


@on_database
def runs(store: Database, *, excluded: bool | None = None, **conditions: Unpack[RunConditions]) -> Runs:
    """List the published runs, with the reason of those that are excluded; with `excluded` only these, or only the others."""
    found = _chosen(store, conditions)
    if excluded is not None:
        found = found.filter(pl.col("excluded").is_not_null() == excluded)
    return Runs(rows=found)


@on_database
def run_named(store: Database, run: str) -> dict[str, Any]:
    """Return everything the store says of one run: its record, and why it is excluded, null when it is not.

    Raises `UserError` for none or several.
    """
    found = runs(store, runs=(run,)).frame()
    if len(found) > 1:
        message = f"{run!r} names {len(found)} runs: {', '.join(found['run'][:5])}; use the key of one"
        raise UserError(message)
    key = found["run_key"][0]
    (record,) = as_json(public(store.runs().filter(pl.col("run_key") == key).collect()))
    return {**record, "run": found["run"][0], "excluded": found["excluded"][0]}


@on_database
def stored_run(store: Database, run: str) -> StoredRun:
    """Return one run with its results and artifacts. Raises `UserError` for none or several."""
    about = run_named(store, run)
    key = int(about["run"], 16)
    record = store.run_record(key)
    results = store.results_of(record)
    # An index finds the rows of a commit, and runs have none.
    of_commit = {"commit": record.commit} if {result.commit for result in results} == {record.commit} else {}
    return StoredRun(
        run=record,
        results=results,
        artifacts=store.artifacts(run=key),
        excluded=about["excluded"],
        rows=public(store.scan(where={"run_key": key, **of_commit})).collect(),
    )


def no_results(store: Database, chosen: Selection, as_of: AsOf | None = None) -> str:
    """Return why a selection has no results: the conditions that nothing meets, or why no published run has results that count."""
    series, elsewhere = store.latest(as_of=as_of), store.elsewhere(as_of)
    published = set(store.runs(as_of).select("run_key").collect()["run_key"])
    if elsewhere or not (series.is_empty() and published):
        return no_match(chosen, series, elsewhere)
    excluded = published & store.exclusion_reasons().keys()
    found = store.rows(("run_key",), Selection(everything=True), as_of)["run_key"]
    empty = published - excluded - set(found)
    reasons = {
        "excluded ('bench-db run list' says why)": excluded,
        "without results: they are being published, or the store has lost them (publish the files again)": empty,
    }
    shown = ", ".join(f"{len(keys)} {reason}" for reason, keys in reasons.items() if keys)
    return f"none of the published runs ({len(published)}) has results that count: {shown or 'their commits are in no history'}"


def newest_first(rows: pl.DataFrame) -> pl.DataFrame:
    """Sort the rows of runs by the time of the measurement, or of the publish where that is not known."""
    measured = pl.coalesce("run_time", "published_at")
    return rows.sort(measured, "published_at", "run", descending=True, nulls_last=True)


@on_database
def exclude_runs(
    store: Database,
    reason: str,
    *,
    by: str = "",
    at: int | None = None,
    dry_run: bool = False,
    **conditions: Unpack[RunConditions],
) -> Runs:
    """Take runs out of every answer, and keep their rows. With `dry_run` nothing changes.

    Raises `UserError` without a reason or a condition, and when no run satisfies the conditions.
    """
    if not reason.strip():
        message = "`reason`: say why the runs are excluded, for those who look at them later"
        raise UserError(message)
    return _decide(store, conditions, excluded=False, reason=reason, by=by, at=at, dry_run=dry_run)


@on_database
def include_runs(
    store: Database,
    reason: str = "",
    *,
    by: str = "",
    at: int | None = None,
    dry_run: bool = False,
    **conditions: Unpack[RunConditions],
) -> Runs:
    """Put excluded runs back into every answer. Raises `UserError` as `exclude_runs` does."""
    return _decide(store, conditions, excluded=True, reason=reason, by=by, at=at, dry_run=dry_run)


@on_database
def remove_runs(
    store: Database, *, artifacts: bool = False, dry_run: bool = False, **conditions: Unpack[RunConditions]
) -> Runs:
    """Remove runs and their results for good. Versions of the store that have them are cleaned by later maintenance.

    With `artifacts`, what belongs to them goes first: logs, values and other artifacts, but no file that another record names.
    An excluded run that is removed is excluded no more: published again, it is in every answer.
    """
    found = _required(_chosen(store, conditions), conditions)
    keys = set(found["run_key"])
    owned = [one for one in store.artifacts() if one.run_key in keys] if artifacts else None
    if not dry_run:
        store.delete_artifacts(owned or ())
        store.remove_runs(found["run_key"].to_list())
        excluded = found.filter(pl.col("excluded").is_not_null())["run_key"].to_list()
        if excluded:
            store.exclude(excluded, reason="removed", lifted=True, at=int(time.time()), by="")
    return Runs(rows=found, changed=not dry_run, artifacts=owned)


def _decide(
    store: Database,
    conditions: RunConditions,
    *,
    excluded: bool,
    reason: str,
    by: str,
    at: int | None,
    dry_run: bool,
) -> Runs:
    found = _required(_chosen(store, conditions), conditions)
    found = found.filter(pl.col("excluded").is_not_null() == excluded)
    if not dry_run:
        moment = int(time.time()) if at is None else at
        store.exclude(found["run_key"].to_list(), reason=reason, lifted=excluded, at=moment, by=by)
    return Runs(rows=found, changed=not dry_run and not found.is_empty())


def _required(found: pl.DataFrame, conditions: RunConditions) -> pl.DataFrame:
    if not any(conditions.values()):
        message = "say which runs: a run, or the conditions commit, branch, tags, test_bed_name, since, until and file"
        raise UserError(message)
    if found.is_empty():
        message = "no run satisfies these conditions; 'bench-db run list' shows the runs there are"
        raise UserError(message)
    return found


def _chosen(store: Database, conditions: RunConditions) -> pl.DataFrame:
    rows = store.runs().select(SHOWN).filter(*_terms(conditions)).collect()
    if tags := conditions.get("tags"):
        tagged = store.scan().filter(Selection(tags=tag_texts(tags)).predicate()).select("run_key").unique().collect()
        rows = rows.join(tagged, on="run_key", how="semi", maintain_order="left")
    reasons = store.exclusion_reasons()
    excluded = pl.col("run_key").replace_strict(reasons, default=None, return_dtype=pl.String)
    found = with_run(public(rows.with_columns(excluded=excluded)))
    asked = conditions.get("runs") or ()
    return found.filter(_named(found, asked)) if asked else found


def _named(found: pl.DataFrame, asked: Sequence[str]) -> pl.Expr:
    """Select the runs with these keys, beginnings of keys of 7 digits or more, or run ids; `UserError` for an unknown one."""
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        message = f"`runs`: a list of runs is expected, not {asked!r:.100} ({type(asked).__name__})"
        raise UserError(message)
    keys = set[str]()
    for text in asked:
        require_text("runs", text)
        named = pl.col("run_id") == text
        if is_sha(text):  # as short a beginning as of a commit: less of it would name many runs
            named |= pl.col("run").str.starts_with(text.lower())
        matching = found.filter(named)
        if matching.is_empty():
            message = f"no run is called {text!r} under these conditions; 'bench-db run list' shows the runs there are"
            raise UserError(message)
        keys.update(matching["run"])
    return pl.col("run").is_in(sorted(keys))


def _terms(conditions: RunConditions) -> list[pl.Expr]:
    terms = []
    for name in ("branch", "test_bed_name", "file"):
        require_text(name, conditions.get(name) or "")
    if commit := conditions.get("commit"):
        terms.append(of_commit(sha_of(commit)))
    if branch := conditions.get("branch"):
        terms.append(pl.col("branch") == branch)
    if bed := conditions.get("test_bed_name"):
        terms.append(pl.col("test_bed_name") == bed)
    if file := conditions.get("file"):
        terms.append(pl.col("file_name").str.contains(glob_pattern(file)))
    if conditions.get("since") or conditions.get("until"):
        since, until = bounds(conditions.get("since") or None, conditions.get("until") or None)
        made = pl.coalesce("run_time", "ingested_at")
        terms += [] if since is None else [made >= since]
        terms += [] if until is None else [made <= until]
    return terms
