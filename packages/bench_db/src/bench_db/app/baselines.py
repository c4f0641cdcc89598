"""What `--baseline` means: a named baseline, a commit, last:N, merge-base:BRANCH or level, as the runs it stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from bench_db.errors import UserError
from bench_db.measure import git
from bench_db.model import Baseline
from bench_db.query.availability import of_commit
from bench_db.query.baseline import PLACE, by_place, holding, newest_build_of_each
from bench_db.query.selection import Selection
from bench_db.schedule import evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.store.database import Database

LATEST, LEVEL, MERGE_BASE = "latest", "level", "merge-base:"
_LAST = re.compile(r"last:([1-9]\d{0,5})")
_RESERVED = re.compile(rf"{LATEST}|{LEVEL}|last:.*|{MERGE_BASE}.*|[0-9a-f]{{7,64}}", re.DOTALL | re.IGNORECASE)
_BUILD = ("dut_name", "test_bed_name", "suite", "branch", "commit", "dut_timestamp")
_SHA = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The runs that a candidate is held against: of each series its level, or the newest `last`, of those that `until` selects.

    `until` is None for all before the candidate. `about` says it in words. `commits` are those a name stood for, `pointers` the
    settings of it that were used.
    """

    about: str
    until: pl.Expr | None = None
    last: int | None = None
    commits: tuple[str, ...] = ()
    pointers: tuple[Baseline, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A candidate, and what it shall be held against.

    `what` is None or `level` for the level since the last change. `branch` keeps the runs of one branch, and `clone` knows
    the ancestry. With `alone` a commit stands for its own runs (where it has none, for those of the newest before it), else for
    the history up to it.
    """

    candidate: str
    what: str | None
    chosen: Selection
    clone: Path
    branch: str | None = None
    alone: bool = False
    as_of: str | None = None


def candidate_of(store: Database, text: str, chosen: Selection, as_of: str | None = None) -> str:
    """The full commit a text means, `latest` being the newest one measured; `UserError` when there is none."""
    if text != LATEST:
        return store.measured_commit(text, as_of)
    commits = store.latest(chosen, as_of).drop_nulls("commit").sort("dut_timestamp", "run_time", "commit")["commit"]
    if commits.is_empty():
        message = "there is no result of any commit with these conditions; 'bench-db publish' adds some"
        raise UserError(message)
    return str(commits[-1])


def checked_name(name: str) -> str:
    """A name a baseline may have; `UserError` for one that means something else, or that cannot be typed."""
    if _RESERVED.fullmatch(name) or not name.strip() or not name.isprintable():
        message = (
            f"{name!r} cannot be the name of a baseline: it reads as a commit, a keyword or nothing; such as: main"
        )
        raise UserError(message)
    return name


def held(store: Database, asked: Asked) -> Held:
    """The runs a baseline stands for; `UserError` when it stands for none, with what to do."""
    if asked.what in (None, LEVEL):
        return _of_branch(store, Held(about="the level since the last change"), asked)
    if last := _LAST.fullmatch(asked.what):
        return _of_branch(store, Held(about=f"the newest {last[1]} runs before it", last=int(last[1])), asked)
    found = _merge_base(store, asked) if asked.what.startswith(MERGE_BASE) else _named(store, asked)
    narrowed = _of_branch(store, found, asked)
    return _alone(store, narrowed, asked) if asked.alone else narrowed


def _builds(store: Database, asked: Asked, condition: pl.Expr) -> pl.DataFrame:
    """What was measured where, of the chosen rows that a condition keeps."""
    predicate = asked.chosen.predicate() & condition
    needed = {*_BUILD, *predicate.meta.root_names()}
    return store.scan(sorted(needed), as_of=asked.as_of).filter(predicate).select(_BUILD).unique().collect()


def _ours(store: Database, asked: Asked) -> pl.DataFrame:
    found = _builds(store, asked, of_commit(asked.candidate))
    if found.is_empty():
        message = f"no results of {asked.candidate} with these conditions; 'bench-db has {asked.candidate}' says what is measured"
        raise UserError(message)
    return found


def _of_branch(store: Database, found: Held, asked: Asked) -> Held:
    """The runs of one branch alone, and those of the commits that were named, on whatever branch they are."""
    if asked.branch is None:
        return found
    until = _before(_ours(store, asked)) if found.until is None else found.until
    wanted = pl.col("branch") == asked.branch
    for commit in found.commits:
        wanted |= of_commit(commit)
    return replace(found, until=until & wanted, about=f"{found.about}, of branch {asked.branch}")


def _before(ours: pl.DataFrame) -> pl.Expr:
    """Rows before the candidate's own, on each device and test bed."""
    times = ours.group_by(PLACE).agg(pl.col("dut_timestamp").min()).iter_rows()
    return by_place({(dut, bed): pl.col("dut_timestamp") <= time for dut, bed, time in times})


def _named(store: Database, asked: Asked) -> Held:
    """The history up to a commit, or up to that of a named baseline, as each device and test bed has it."""
    name = str(asked.what)
    known = store.baselines(as_of=asked.as_of)
    named = [pointer for pointer in known if pointer.name == name]
    if not named:
        commit = _commit(store, asked, known)
        return Held(about=f"commit {commit[:_SHA]}", until=_up_to(store, asked, commit), commits=(commit,))
    ours = _ours(store, asked).group_by(PLACE).agg("branch").sort(PLACE).iter_rows()
    fitting = {(dut, bed): holding(named, (dut, bed), set(branches)) for dut, bed, branches in ours}
    used = {place: pointer for place, pointer in fitting.items() if pointer is not None}
    if not used:
        scopes = "; ".join(sorted(scope_text(pointer) for pointer in named))
        message = (
            f"baseline {name!r} is set for {scopes}, and {asked.candidate[:_SHA]} was measured on none of these; "
            f"set it for what it was measured on: bench-db baseline set {name} COMMIT"
        )
        raise UserError(message)
    history = {pointer: _history_of(store, asked, pointer) for pointer in dict.fromkeys(used.values())}
    everywhere = len(history) == 1 and len(used) == len(fitting)
    return Held(
        about=", ".join(f"{name} ({_short(p)}{_for(p)})" for p in history),
        until=next(iter(history.values())) if everywhere else by_place({at: history[p] for at, p in used.items()}),
        commits=tuple(dict.fromkeys(str(p.commit) for p in history)),
        pointers=tuple(history),
    )


def _commit(store: Database, asked: Asked, known: Iterable[Baseline]) -> str:
    try:
        return store.measured_commit(str(asked.what), asked.as_of)
    except UserError as error:
        names = ", ".join(sorted({pointer.name for pointer in known})) or "none are set"
        message = (
            f"--baseline {asked.what}: no such baseline ({names}), and {error}. Set one: "
            "bench-db baseline set NAME COMMIT; or use a commit, last:N, merge-base:BRANCH or level"
        )
        raise UserError(message) from error


def _history_of(store: Database, asked: Asked, pointer: Baseline) -> pl.Expr:
    """The rows up to a pointer's commit; of its branch alone when that is its scope, besides the commit's own."""
    commit = str(pointer.commit)
    until = _up_to(store, asked, commit)
    return until if pointer.branch is None else until & ((pl.col("branch") == pointer.branch) | of_commit(commit))


def _up_to(store: Database, asked: Asked, commit: str) -> pl.Expr:
    of_it = store.scan(("commit", "dut_timestamp"), as_of=asked.as_of).filter(of_commit(commit))
    time = of_it.select(pl.col("dut_timestamp").max()).collect().item()
    if time is None:
        message = f"baseline {asked.what!r} is at {commit}, which has no results any more; set it again: bench-db baseline set"
        raise UserError(message)
    until: pl.Expr = pl.col("dut_timestamp") <= time
    return until


def _merge_base(store: Database, asked: Asked) -> Held:
    """The measured history of the commit where the candidate left a branch, along first parents, without the candidate."""
    branch = str(asked.what).removeprefix(MERGE_BASE)
    try:
        base = git.merge_base(asked.clone, asked.candidate, _branch_of(asked.clone, branch))
    except UserError as error:
        message = f"--baseline {asked.what}: {error}"
        raise UserError(message) from error
    line = [sha for sha in git.ancestors(asked.clone, base) if not evidence.abbreviates(asked.candidate, sha)]
    stored = (
        store.scan(("commit",), as_of=asked.as_of).select(pl.col("commit").drop_nulls().unique()).collect()["commit"]
    )
    by_start: dict[str, list[str]] = {}
    for commit in stored:
        by_start.setdefault(commit[: evidence.SHORTEST], []).append(commit)
    near = ((sha, by_start.get(sha[: evidence.SHORTEST], ())) for sha in line)
    measured = [commit for sha, some in near for commit in some if evidence.abbreviates(commit, sha)]
    if not measured:
        cut = "; the clone is shallow: git fetch --unshallow shows more" if git.is_shallow(asked.clone) else ""
        message = (
            f"neither {base[:_SHA]}, the merge base of {asked.candidate[:_SHA]} and {branch}, nor any commit before it has "
            f"results here; measure it: bench-db backfill --range {base[:_SHA]}{cut}"
        )
        raise UserError(message)
    nearest = measured[0][:_SHA]
    instead = "" if base.startswith(nearest) else f", measured last at {nearest}"
    return Held(
        about=f"the merge base with {branch} ({base[:_SHA]}{instead})",
        until=pl.col("commit").is_in(measured),
        commits=(measured[0],),
    )


def _branch_of(clone: Path, branch: str) -> str:
    """A branch as this clone calls it: one that CI has checked out from a pull request knows main as origin/main alone."""
    for name in (branch, f"refs/remotes/origin/{branch}"):
        try:
            return git.resolve(clone, name)
        except UserError:
            continue
    return git.resolve(clone, branch)


def _alone(store: Database, found: Held, asked: Asked) -> Held:
    """Of the history a commit stands for, the newest commit of each device, test bed and suite."""
    if found.until is None:
        return found
    builds = _builds(store, asked, ~of_commit(asked.candidate).fill_null(value=False) & found.until)
    return replace(found, until=newest_build_of_each(builds, reduce(or_, map(of_commit, found.commits))))


def scope_text(pointer: Baseline) -> str:
    """What a pointer is for, in words."""
    parts = {"device": pointer.dut_name, "test bed": pointer.testbed_name, "branch": pointer.branch}
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None) or "everything"


def _short(pointer: Baseline) -> str:
    return str(pointer.commit)[:_SHA]


def _for(pointer: Baseline) -> str:
    scope = scope_text(pointer)
    return "" if scope == "everything" else f" for {scope}"
