"""Baselines: set, show, list and clear named ones, and resolve any kind to the runs that a candidate is compared with."""

from __future__ import annotations

import re
import shlex
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import polars as pl

from bench_db.app.answers import Answer, frame_of
from bench_db.app.commit_names import sha_of
from bench_db.app.configuration import load
from bench_db.app.database import on_database
from bench_db.app.runs import no_results, runs
from bench_db.errors import BaselineNotMeasuredError, UserError
from bench_db.identity import ABBREVIATED_SHA, require_text
from bench_db.measure import git
from bench_db.model import Baseline
from bench_db.query.baseline import PLACE, by_place, holding, newest_build_of_each
from bench_db.query.selection import RUN, VERSION, Selection, natural_key, nearest, of_name, short
from bench_db.report.document import baseline_json
from bench_db.rules import RULES
from bench_db.schedule.config import FILE
from bench_db.schedule.plan import abbreviates
from bench_db.store.ledger import scope_of
from bench_db.store.versions import AsOf

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Unpack

    from bench_db.store.database import Database

LATEST, LEVEL, MERGE_BASE, TAG = "latest", "level", "merge-base:", "tag:"
USUAL = "main"
"""The name of the baseline that a check uses where none is stated."""
_LAST = re.compile(r"last:([1-9]\d{0,5})")
_RESERVED = re.compile(
    rf"{LATEST}|{LEVEL}|last:.*|{MERGE_BASE}.*|{VERSION}.*|{RUN}.*|{TAG}.*|[0-9a-f]{{7,64}}", re.DOTALL | re.IGNORECASE
)
_BUILD = ("dut_name", "dut_version", "test_bed_name", "suite", "branch", "commit", "commit_order", "run_key")


class Scope(TypedDict, total=False):
    """The scope of a baseline: the device, test bed and branch that it is set for, None for any."""

    dut_name: str | None
    test_bed_name: str | None
    branch: str | None


class _StoredScope(TypedDict):
    dut_name: str | None
    testbed_name: str | None
    branch: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is compared: a full commit, `version:` with a version, or `run:` with the keys of runs.

    Projects that share a store have a newest commit each. `others` has those of the devices of other projects, the newest first, where
    neither the conditions nor the clone say which project is meant.
    """

    name: str
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """What a description of the compared history adds about the others, nothing without any."""
        return f", not of others: {self._newest}" if self.others else ""

    @property
    def _newest(self) -> str:
        return ", ".join(f"the newest of {device} is {short(name)}" for device, name in self.others.items())

    def sole(self) -> str:
        """Return its name. Raises `UserError` where the newest of another project could be meant as well."""
        if not self.others:
            return self.name
        message = (
            f"this store has several projects, and the working directory is a clone of none: the newest is {short(self.name)}, and "
            f"{self._newest}; choose a device with `dut_name`, or name a commit"
        )
        raise UserError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRuns:
    """The runs that a candidate is compared with: of each series its level, or the newest `last`, of those that `until` selects.

    `until` is None for all before the candidate. `about` describes the baseline. `commits` are those that a name points at,
    `pointers` the settings of it that were used. `branches` are those whose runs it uses besides the main history. `of_main` says that
    its commits are of the main history, whatever branch chose the candidate.
    """

    about: str
    until: pl.Expr | None = None
    last: int | None = None
    commits: tuple[str, ...] = ()
    pointers: tuple[Baseline, ...] = ()
    branches: tuple[str, ...] = ()
    of_main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineQuery:
    """A candidate, and the baseline that it is compared with.

    `chosen` are the conditions that chose the candidate: of a branch or a pull request, only its runs are the candidate's. `what` is None or `level` for the level since the last change. `branch` uses only the runs of one branch, and `clone` has the
    ancestry. With `alone` a commit means its own runs (without any, those of the newest commit before it), else the history up to
    it.
    """

    candidate: str
    what: str | None
    chosen: Selection
    clone: Path
    branch: str | None = None
    alone: bool = False
    as_of: AsOf | None = None

    def compared(self, found: BaselineRuns) -> Selection:
        """Return the conditions on a baseline: without the pull request that chose the candidate, and its branch if the baseline has one."""
        chosen = replace(self.chosen, pr_number=None)
        return replace(chosen, branch=None) if found.of_main or self.branch is not None else chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines(Answer):
    """Settings of baselines, by name and scope, or of one name from the oldest to the newest."""

    baselines: Sequence[Baseline]

    def frame(self) -> pl.DataFrame:
        """Return the settings as a frame, a row each."""
        return frame_of(self.baselines, Baseline).drop("key", "replaces").rename({"testbed_name": "test_bed_name"})

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"baselines": [baseline_json(pointer) for pointer in self.baselines]}


@on_database
def baselines(store: Database, name: str | None = None, *, history: bool = False) -> Baselines:
    """List the baselines that are set, all or those of a `name`; with `history` every setting there was, oldest first.

    Raises `UserError` for a name that has none.
    """
    found = [pointer for pointer in store.baselines(history=history) if name in (None, pointer.name)]
    if name is not None:
        _refuse_unknown(name, found)
    return Baselines(baselines=found)


@on_database
def baseline(store: Database, name: str, **scope: Unpack[Scope]) -> Baseline:
    """Return the setting of a baseline that is used in a scope; without one, the only setting of that name.

    Raises `UserError` when there is none, or when the name is set for several scopes and none is given.
    """
    named = [pointer for pointer in store.baselines() if pointer.name == name]
    used = store.baseline(name, **scope)
    shown = named if not any(scope.values()) and len(named) == 1 else [b for b in (used,) if b is not None]
    if named and not shown:
        message = f"baseline {name!r} is set for {'; '.join(map(scope_text, named))}: name one of these scopes"
        raise UserError(message)
    _refuse_unknown(name, shown)
    return shown[0]


@on_database
def set_baseline(
    store: Database, name: str, commit: str = LATEST, *, by: str = "", at: int | None = None, **scope: Unpack[Scope]
) -> Baseline:
    """Point a baseline at a commit that has results; the record as it was written.

    The scope is a device, a test bed and a branch, all by default. Where several scopes apply, the narrowest is used. A scope of all
    devices that another project in the store has set already becomes that of the commit's device. `at` is unix seconds, now by default.
    Raises `UserError` when the commit has no results, or several such devices, or the name cannot be one.
    """
    stored = _stored(scope)
    chosen = Selection(dut_name=stored["dut_name"], test_bed_name=stored["testbed_name"])
    if chosen != Selection() and store.latest(chosen).is_empty():
        message = "there are no results of this device and test bed; 'bench-db latest' lists what there is"
        raise UserError(message)
    full = candidate_of(store, commit, replace(chosen, branch=stored["branch"])).sole()
    setting = Baseline(name=checked_name(name), commit=full, set_at=_now(at), set_by=by, **stored)
    return store.set_baseline(_beside_others(store, setting))


def _beside_others(store: Database, setting: Baseline) -> Baseline:
    """Narrow a setting for all devices to that of its commit, where it would replace the setting of another project.

    A device with a narrowed setting keeps one while the store has other projects, because that is used in place of one for all devices.
    Raises `UserError` for a commit of several devices.
    """
    alike = [b for b in store.baselines() if scope_of(replace(b, dut_name=None)) == scope_of(setting)]
    if setting.dut_name is not None or not alike:
        return setting
    own = sorted(_devices(store, str(setting.commit)))
    before = next((b for b in alike if b.dut_name is None), None)
    measured = set() if before is None else _devices(store, str(before.commit))
    is_foreign = bool(own) and not any(_is_for(store, measured, device) for device in own)
    is_narrowed = any(b.dut_name in own for b in alike)
    if not is_foreign and not (is_narrowed and len(_projects(store, store.latest()["dut_name"].unique(), None)) > 1):
        return setting
    if len(own) > 1:
        message = (
            f"baseline {setting.name!r} is set by another project of this store, or for one device; "
            f"state one of the devices of {short(str(setting.commit))} with --dut-name: {', '.join(own)}"
        )
        raise UserError(message)
    return replace(setting, dut_name=own[0])


@on_database
def clear_baseline(
    store: Database, name: str, *, by: str = "", at: int | None = None, **scope: Unpack[Scope]
) -> Baseline:
    """Clear a baseline, as it is set for exactly this scope; its history is kept. Raises `UserError` when it is not set."""
    cleared = Baseline(name=name, commit=None, set_at=_now(at), set_by=by, **_stored(scope))
    _refuse_unknown(name, [b for b in store.baselines() if scope_of(b) == scope_of(cleared)])
    return store.set_baseline(cleared)


def _stored(scope: Scope) -> _StoredScope:
    return _StoredScope(
        dut_name=scope.get("dut_name"), testbed_name=scope.get("test_bed_name"), branch=scope.get("branch")
    )


def _refuse_unknown(name: str, found: Sequence[Baseline]) -> None:
    if not found:
        message = f"there is no baseline {name!r} of this scope; 'bench-db baseline list' shows those there are"
        raise UserError(message)


def _now(at: int | None) -> int:
    return int(time.time()) if at is None else at


def candidate_of(
    store: Database, text: str, chosen: Selection, as_of: AsOf | None = None, clone: Path | None = None
) -> Candidate:
    """Return what a text names: a full commit, `version:` with a version, or `run:` with the keys of runs.

    `latest` is the newest commit that is measured, or the newest version of a device whose results name no commit; where projects share a store,
    that of the project that the clone is of. `run:` takes a run id or a key, `tag:` a tag of the clone, and any other name is looked
    up in the clone. Raises `UserError` when nothing is measured.
    """
    if text != LATEST:
        return Candidate(name=_measured(store, text, clone, as_of))
    order = (pl.col("commit").is_not_null(), "commit_order", "run_time", "commit")
    found = store.latest(chosen, as_of).sort(order, descending=True)
    if found.is_empty():
        message = f"there is no result of any commit: {no_results(store, chosen, as_of)}"
        raise UserError(message)
    builds = found.unique("dut_name", keep="first", maintain_order=True)
    names = pl.coalesce("commit", VERSION + pl.col("dut_version"))
    newest: dict[str, str] = dict(builds.select("dut_name", names).iter_rows())
    if len(set(newest.values())) > 1:
        return _of_one_project(newest, _projects(store, newest, as_of), clone or Path())
    return Candidate(name=next(iter(newest.values())))


def _of_one_project(newest: Mapping[str, str], projects: Sequence[Collection[str]], clone: Path) -> Candidate:
    """Return the newest build of the project that the clone is of; where it is of none, the newest of all, and what others have."""
    meant = projects if len(projects) == 1 else _of_clone(projects, newest, clone)
    first = next(device for device in newest if not meant or device in meant[0])
    own = next(devices for devices in projects if first in devices)
    others = {} if meant else {device: name for device, name in newest.items() if device not in own}
    return Candidate(name=newest[first], others=others)


def _of_clone(projects: Sequence[Collection[str]], newest: Mapping[str, str], clone: Path) -> Sequence[Collection[str]]:
    """Return the project that a clone has the newest commits of, else the one with its name; none outside of any clone."""
    if not any((directory / ".git").exists() for directory in (clone, *clone.absolute().parents)):
        return ()
    known = [devices for devices in projects if any(git.knows(clone, newest[device]) for device in devices)]
    return known if len(known) == 1 else [devices for devices in projects if _device_of(clone) in devices]


def _projects(store: Database, devices: Iterable[str], as_of: AsOf | None) -> list[set[str]]:
    """Divide devices into those that have recorded commits in common."""
    of_commit: dict[str, set[str]] = defaultdict(set)
    for record in store.commits(as_of):
        of_commit[record.commit].add(record.dut_name)
    projects = [{device} for device in devices]
    for together in of_commit.values():
        joined = [devices for devices in projects if devices & together]
        if len(joined) > 1:
            others = [devices for devices in projects if not devices & together]
            projects = [*others, set[str]().union(*joined)]
    return projects


def _device_of(clone: Path) -> str | None:
    """Return the name of the project of a clone: that of its bench-db.toml, else of its manifest."""
    from bench_db.ingest import manifest_of  # noqa: PLC0415 all formats, which no comparison reads, are a tenth of its imports

    file = clone / FILE
    return load(file).project.name if file.is_file() else manifest_of(clone)[0]


def name_of(store: Database, text: str, clone: Path | None = None) -> str:
    """Return what a text names, whether or not it is measured: a sha, `version:` with a version, or `run:` with the keys of runs.

    Raises `UserError` for an unknown or excluded run, and for a tag that the clone does not have.
    """
    require_text("commit", text)
    if text.startswith(RUN):
        found = runs(store, runs=[text.removeprefix(RUN)], excluded=False).frame()["run"]
        if found.is_empty():
            message = f"{text}: this run is excluded; 'bench-db run include' puts it back"
            raise UserError(message)
        return f"{RUN}{','.join(sorted(found))}"
    if text.startswith(TAG):
        return git.resolve(clone or Path(), f"refs/tags/{text.removeprefix(TAG)}")
    return text if text.startswith(VERSION) else sha_of(text, clone)


def _measured(store: Database, text: str, clone: Path | None, as_of: AsOf | None) -> str:
    """Return what a text names, as `name_of` does, if it is measured. Raises `UserError` for what has no results."""
    require_text("commit", text)
    if text.startswith(VERSION):
        if store.runs_of(text, as_of):
            return text
        known = store.runs(as_of).select("dut_version").unique().collect()["dut_version"]
        near = ", ".join(nearest(text.removeprefix(VERSION), known))
        message = f"no results of {text}; {f'the nearest versions are {near}' if near else 'publish some first'}"
        raise UserError(message)
    return store.measured_commit(name_of(store, text, clone), as_of)


def _about(name: str) -> str:
    return f"commit {short(name)}" if short(name) != name else name.replace(":", " ", 1)


def checked_name(name: str) -> str:
    """Return a name that a baseline may have; `UserError` for one that means something else, or that cannot be typed."""
    require_text("baseline", name)
    if _RESERVED.fullmatch(name) or not name.strip() or not name.isprintable():
        message = (
            f"{name!r} cannot be the name of a baseline: it reads as a commit, a keyword or nothing; such as: main"
        )
        raise UserError(message)
    return name


def resolve(store: Database, query: BaselineQuery) -> BaselineRuns:
    """Resolve a baseline to its runs. Raises `UserError` when it has none."""
    if query.what in (None, LEVEL):
        return _of_branch(store, BaselineRuns(about="the level since the last change"), query)
    require_text("baseline", query.what)
    if last := _LAST.fullmatch(query.what):
        return _of_branch(store, BaselineRuns(about=f"the newest {last[1]} runs before it", last=int(last[1])), query)
    found = _merge_base(store, query) if query.what.startswith(MERGE_BASE) else _named(store, query)
    narrowed = _of_branch(store, replace(found, of_main=_is_of_main(store, query, found.commits)), query)
    return _alone(store, narrowed, query) if query.alone else narrowed


def runs_of_candidate(store: Database, query: BaselineQuery) -> list[int]:
    """Return the keys of the candidate's runs; of a branch or a pull request that chose it only its own, which may be none."""
    return store.runs_of(query.candidate, query.as_of, query.chosen)


def of_candidate(store: Database, query: BaselineQuery) -> pl.Expr:
    """Select the rows of the candidate's runs. By its name an index finds them; runs have none, and all rows would be read."""
    return of_name(query.candidate) & pl.col("run_key").is_in(runs_of_candidate(store, query))


def beside_main(store: Database, query: BaselineQuery, found: BaselineRuns) -> pl.Expr:
    """Select what a comparison uses besides the main history: the candidate's runs, and those of the commits and branches of the baseline."""
    named = [run for commit in found.commits for run in store.runs_of(commit, query.as_of)]
    runs = pl.col("run_key").is_in(sorted({*runs_of_candidate(store, query), *named}))
    if not found.branches:
        return runs
    return runs | _of_branches(store, query, found.branches)


def _of_branches(store: Database, query: BaselineQuery, branches: Sequence[str]) -> pl.Expr:
    """Select the results of some branches.

    A pull request from a fork may have a branch of the same name, even that of main. A candidate of the branch may be such a pull request
    itself, and then its own results count, too.
    """
    past = store.history(query.as_of)
    counted = pl.col("pr_number").is_null()
    if query.chosen.branch is not None:
        counted |= past.counts(Selection(branch=query.chosen.branch))
    elif query.chosen.pr_number is not None:
        of_fork = pl.col("branch").is_in(sorted(set(past.main.values())))
        counted |= ~of_fork & past.counts(Selection(pr_number=query.chosen.pr_number))
    return counted & pl.col("branch").is_in(list(branches))


def _is_of_main(store: Database, query: BaselineQuery, commits: Sequence[str]) -> bool:
    """Return whether a candidate of another branch is compared with commits of the main history."""
    past, branch = store.history(query.as_of), query.chosen.branch
    if branch is None or branch in set(past.main.values()):
        return False
    named = reduce(or_, map(of_name, commits))
    return not store.rows(("run_key",), Selection(), query.as_of, condition=named).is_empty()


def _builds(
    store: Database, query: BaselineQuery, condition: pl.Expr, beside: pl.Expr, chosen: Selection
) -> pl.DataFrame:
    """Return the builds of the chosen rows that a condition keeps, with where they were measured."""
    return store.rows(_BUILD, chosen, query.as_of, condition=condition, beside=beside).unique()


def _ours(store: Database, query: BaselineQuery) -> pl.DataFrame:
    own = of_candidate(store, query)
    found = _builds(store, query, own, own, replace(query.chosen, branch=None, pr_number=None))
    if found.is_empty():
        message = f"no results of {query.candidate} with these conditions; 'bench-db has {query.candidate}' says what is measured"
        raise UserError(message)
    return found


def _of_branch(store: Database, found: BaselineRuns, query: BaselineQuery) -> BaselineRuns:
    """Narrow to the runs of one branch, and those of the named commits, whatever their branch.

    Raises `UserError` for a branch without results: nothing would be judged.
    """
    if query.branch is None:
        return found
    of_it = _of_branches(store, query, [query.branch])
    if store.rows(("run_key",), Selection(everything=True), query.as_of, condition=of_it).is_empty():
        there = ", ".join(sorted(store.elsewhere(query.as_of), key=natural_key)[: RULES.nearest_names])
        message = (
            f"`baseline_branch`: no results of branch {query.branch!r} outside pull requests; there are results of: {there}. "
            "Without it, a pull request is compared with the main history"
        )
        raise UserError(message)
    until = _before(_ours(store, query)) if found.until is None else found.until
    wanted = pl.col("branch") == query.branch
    for commit in found.commits:
        wanted |= of_name(commit)
    about = f"{found.about}, of branch {query.branch}"
    return replace(found, until=until & wanted, about=about, branches=(query.branch,))


def _before(ours: pl.DataFrame) -> pl.Expr:
    """Select the rows before the candidate's own, on each device and test bed."""
    orders = ours.group_by(PLACE).agg(pl.col("commit_order").min()).iter_rows()
    return by_place({(dut, bed): pl.col("commit_order") <= order for dut, bed, order in orders})


def _named(store: Database, query: BaselineQuery) -> BaselineRuns:
    """Resolve a commit, or a named baseline, to the history up to it on each device and test bed."""
    name = str(query.what)
    known = store.baselines(as_of=query.as_of)
    named = [pointer for pointer in known if pointer.name == name]
    if not named:
        commit = _commit(store, query, known)
        about = "the runs before it" if commit == query.candidate and not query.alone else _about(commit)
        return BaselineRuns(about=about, until=_up_to(store, query, commit), commits=(commit,))
    fitting = _fitting(store, query, named)
    used = {place: pointer for place, pointer in fitting.items() if pointer is not None}
    if not used:
        device, _ = next(iter(fitting))
        scopes = "; ".join(sorted(f"{scope_text(pointer)} ({_short(pointer)})" for pointer in named))
        message = (
            f"baseline {name!r} is set for {scopes}, and {short(query.candidate)} was measured on none of these, or is of another project; "
            f"set it for what it was measured on: bench-db baseline set {name} COMMIT --dut-name {shlex.quote(device)}"
        )
        raise UserError(message)
    history = {pointer: _history_of(store, query, pointer) for pointer in dict.fromkeys(used.values())}
    everywhere = len(history) == 1 and len(used) == len(fitting)
    return BaselineRuns(
        about=", ".join(f"{name} ({_short(p)}{_for(p)})" for p in history),
        until=next(iter(history.values())) if everywhere else by_place({at: history[p] for at, p in used.items()}),
        commits=tuple(dict.fromkeys(str(p.commit) for p in history)),
        pointers=tuple(history),
        branches=tuple(dict.fromkeys(p.branch for p in history if p.branch is not None)),
    )


def usual(store: Database, query: BaselineQuery) -> str:
    """Return what a candidate is compared with by default: `main`, where that is set for what was measured, else the level."""
    named = [pointer for pointer in store.baselines(as_of=query.as_of) if pointer.name == USUAL]
    return USUAL if named and any(_fitting(store, query, named).values()) else LEVEL


def _fitting(
    store: Database, query: BaselineQuery, named: Sequence[Baseline]
) -> dict[tuple[str, str], Baseline | None]:
    """Return the setting that applies to the candidate on each device and test bed where it was measured."""
    ours = list(_ours(store, query).group_by(PLACE).agg("branch").sort(PLACE).iter_rows())
    measured = {str(pointer.commit): _devices(store, str(pointer.commit), query.as_of) for pointer in named}
    of_device = {
        dut: [pointer for pointer in named if _is_for(store, measured[str(pointer.commit)], dut, query.as_of)]
        for dut in dict.fromkeys(dut for dut, _, _ in ours)
    }
    return {(dut, bed): holding(of_device[dut], (dut, bed), set(branches)) for dut, bed, branches in ours}


def _devices(store: Database, commit: str, as_of: AsOf | None = None) -> set[str]:
    """Return the devices of which a commit has results."""
    rows = store.rows(("dut_name",), Selection(everything=True), as_of, condition=of_name(commit))
    return set(rows["dut_name"])


def _is_for(store: Database, measured: set[str], device: str, as_of: AsOf | None = None) -> bool:
    """Return whether a setting may apply to a device: its commit is measured in the project of the device, or of no device at all."""
    if not measured or device in measured:
        return True
    return any(device in one and measured & one for one in _projects(store, {device, *measured}, as_of))


def _commit(store: Database, query: BaselineQuery, known: Iterable[Baseline]) -> str:
    try:
        return _measured(store, str(query.what), query.clone, query.as_of)
    except UserError as error:
        names = ", ".join(sorted({pointer.name for pointer in known})) or "none are set"
        message = (
            f"`baseline` {query.what}: no such baseline ({names}), and {error}. Set one: "
            "bench-db baseline set NAME COMMIT; or use a commit, version:V, run:ID, tag:NAME, last:N, merge-base:BRANCH or level"
        )
        raise UserError(message) from error


def _history_of(store: Database, query: BaselineQuery, pointer: Baseline) -> pl.Expr:
    """Select the rows up to a pointer's commit; only its branch when that is its scope, besides the commit's own."""
    commit = str(pointer.commit)
    until = _up_to(store, query, commit)
    return until if pointer.branch is None else until & ((pl.col("branch") == pointer.branch) | of_name(commit))


def _up_to(store: Database, query: BaselineQuery, commit: str) -> pl.Expr:
    """Select the history up to a commit; of a version and of runs, their own rows alone."""
    everything = Selection(everything=True)
    of_it = store.rows(("commit_order",), everything, query.as_of, condition=of_name(commit))
    order = of_it["commit_order"].to_numpy().max(initial=-1)
    if of_it.is_empty():
        message = f"baseline {query.what!r} is at {commit}, which has no results any more; set it again: bench-db baseline set"
        raise UserError(message)
    if commit.startswith((VERSION, RUN)):
        return of_name(commit)
    until: pl.Expr = pl.col("commit_order") <= int(order)
    return until


def _merge_base(store: Database, query: BaselineQuery) -> BaselineRuns:
    """Resolve the commit where the candidate left a branch to its measured history, along first parents, without the candidate."""
    branch = str(query.what).removeprefix(MERGE_BASE)
    try:
        base = git.merge_base(query.clone, query.candidate, _branch_of(query.clone, branch))
    except UserError as error:
        message = f"`baseline` {query.what}: {error}"
        raise UserError(message) from error
    line = [sha for sha in git.ancestors(query.clone, base) if not abbreviates(query.candidate, sha)]
    stored = store.rows(("commit",), Selection(everything=True), query.as_of)["commit"].drop_nulls().unique()
    by_start: dict[str, list[str]] = {}
    for commit in stored:
        by_start.setdefault(commit[:ABBREVIATED_SHA], []).append(commit)
    near = ((sha, by_start.get(sha[:ABBREVIATED_SHA], ())) for sha in line)
    measured = [commit for sha, some in near for commit in some if abbreviates(commit, sha)]
    if not measured:
        cut = "; the clone is shallow: git fetch --unshallow shows more" if git.is_shallow(query.clone) else ""
        message = (
            f"neither {base[: RULES.sha_length]}, the merge base of {short(query.candidate)} and {branch}, nor any commit before it has "
            f"results here; measure it: bench-db backfill --range {base[: RULES.sha_length]}{cut}"
        )
        raise BaselineNotMeasuredError(message)
    nearest = measured[0][: RULES.sha_length]
    instead = "" if base.startswith(nearest) else f", measured last at {nearest}"
    return BaselineRuns(
        about=f"the merge base with {branch} ({base[: RULES.sha_length]}{instead})",
        until=pl.col("commit").is_in(measured),
        commits=(measured[0],),
    )


def _branch_of(clone: Path, branch: str) -> str:
    """Resolve a branch in a clone. A checkout of a pull request in CI has main only as origin/main."""
    for name in (branch, f"refs/remotes/origin/{branch}"):
        try:
            return git.resolve(clone, name)
        except UserError:
            continue
    return git.resolve(clone, branch)


def _alone(store: Database, found: BaselineRuns, query: BaselineQuery) -> BaselineRuns:
    """Narrow the history of a commit to the newest commit of each device, test bed and suite."""
    if found.until is None:
        return found
    others = ~of_name(query.candidate).fill_null(value=False)
    builds = _builds(store, query, others, beside_main(store, query, found), query.compared(found)).filter(found.until)
    return replace(found, until=newest_build_of_each(builds, reduce(or_, map(of_name, found.commits))))


def scope_text(pointer: Baseline) -> str:
    """Describe the scope of a pointer."""
    parts = {"device": pointer.dut_name, "test bed": pointer.testbed_name, "branch": pointer.branch}
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None) or "everything"


def _short(pointer: Baseline) -> str:
    return short(str(pointer.commit))


def _for(pointer: Baseline) -> str:
    scope = scope_text(pointer)
    return "" if scope == "everything" else f" for {scope}"
