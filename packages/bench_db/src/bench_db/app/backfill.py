"""The use case `backfill`: plan, measure and publish the commits of a range, on this machine or through a forge."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Unpack

import polars as pl

from bench_db.app.answers import Answer
from bench_db.app.configuration import configuration, formats_of, root_of
from bench_db.app.planning import Planner, workflow_of
from bench_db.app.progress import Progress, Silent
from bench_db.app.publish import known_of_commit
from bench_db.ci import forge as forges
from bench_db.ci.environment import ci_change, ci_provenance
from bench_db.ci.forge import Forge, Workflow
from bench_db.clock import Clock
from bench_db.errors import ForgeError, PluginError, StoreNotFoundError, UnreadableOutputError, UserError
from bench_db.identity import ABBREVIATED_SHA
from bench_db.ingest import (
    AUTO,
    Adapter,
    Measurement,
    Opened,
    Provenance,
    Reading,
    adapter_named,
    default_branch_of_ci,
    find,
    manifest_of,
    normalise,
    this_machine,
)
from bench_db.masking import cleaned, masked, redacted, secrets_of
from bench_db.measure import git, runner
from bench_db.measure.journal import Journal, Outbox, Pending
from bench_db.model import FAILURE, Attempt, AttemptState, Plan, Reason, Result, Run, Step, Target
from bench_db.query.selection import Selection
from bench_db.report.plans import ended_document, plan_document
from bench_db.report.publish import named_files
from bench_db.report.text import duration, visible
from bench_db.rules import RULES
from bench_db.schedule.config import FILE, Config, toml_path
from bench_db.schedule.inputs import correlation_of, of_step
from bench_db.schedule.plan import Evidence, Known
from bench_db.store.database import Database, connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench_db.app.parameters import Backfilling
    from bench_db.ci.forge import Started
    from bench_db.measure.runner import Measured
    from bench_db.model import Commit, Published

LOCAL = "local"
_CONSECUTIVE_FAULTS = 3
# Why a plan leaves out a commit that has results, or one before it.
_MEASURED = frozenset({Reason.MEASURED, Reason.NOT_NEW})
_POLL_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled(Answer):
    """A plan and the attempts that ended, in the order of their ends; `stopped` says why it ended early, else empty."""

    plan: Plan
    ended: tuple[Attempt, ...] = ()
    seconds: float = 0.0
    stopped: str = ""

    @property
    def failed(self) -> list[Attempt]:
        """The attempts that did not succeed."""
        return [attempt for attempt in self.ended if attempt.state is not AttemptState.SUCCEEDED]

    @property
    def given_up(self) -> list[Commit]:
        """The commits that are not tried again and that no measured commit of the range follows, oldest first."""
        reasons = [out.reason for out in self.plan.left_out]
        measured = max((i for i, reason in enumerate(reasons) if reason in _MEASURED), default=-1)
        newer = self.plan.left_out[measured + 1 :]
        return [out.commit for out in newer if out.reason is Reason.GIVEN_UP]

    @property
    def is_fruitless(self) -> bool:
        """Whether nothing of what was tried could be measured, or nothing was tried because the newest commits are given up."""
        if self.ended:
            return all(attempt in self.failed and not attempt.kept for attempt in self.ended)
        return bool(self.given_up) and not self.plan.steps

    @property
    def is_incomplete(self) -> bool:
        """Whether a commit of the range failed, in part or altogether, now or before."""
        return bool(self.failed or self.plan.incomplete)

    @property
    def document(self) -> dict[str, object]:
        """The answer as JSON."""
        return {**plan_document(self.plan), "ended": ended_document(self.ended), "stopped": self.stopped}

    def frame(self) -> pl.DataFrame:
        """Return a row an attempt."""
        text = dict.fromkeys(("commit", "state", "detail", "url"), pl.String())
        rows = [(e.commit, str(e.state), e.detail, e.url, list(e.suites)) for e in self.ended]
        return pl.DataFrame(rows, {**text, "suites": pl.List(pl.String())}, orient="row")


def backfill(
    uri: str | Path,
    *,
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    progress: Progress = Silent(),  # noqa: B008 without state
    forge: Forge | None = None,
    **parameters: Unpack[Backfilling],
) -> Backfilled:
    """Measure the commits of a range that are not measured yet, and publish to the store `uri`.

    The engine `local`, which is the default, makes a git work tree per commit and runs the commands of bench-db.toml in `environment`; any other
    engine is a forge, which starts a workflow per commit and waits for it. It stops when the first commits all fail in set-up in
    the same way, unless `keep_going`. Call it again to resume. Raises `UserError`, or `ForgeError` when the forge refuses.
    """
    began, engine = clock.now(), parameters.get("engine") or LOCAL
    config = configuration(parameters.get("config_file"), parameters.get("repository"))
    planner = Planner(
        wanted=parameters,
        config=config,
        environment=environment,
        test_bed=this_machine().name if engine == LOCAL else "",
        default_range="ALL",
        note=progress.say,
        clock=clock,
    )
    journal = Path(parameters.get("work_dir") or ".bench-db").resolve() / f"{engine}.jsonl"
    answer = (
        _here(str(uri), planner, journal, parameters, clock, progress)
        if engine == LOCAL
        else _there(str(uri), planner, journal, parameters, clock, progress, forge)
    )
    return replace(answer, seconds=clock.now() - began)


def _here(  # noqa: PLR0917 what `backfill` knows
    uri: str, planner: Planner, journal: Path, parameters: Backfilling, clock: Clock, progress: Progress
) -> Backfilled:
    pull_request = parameters.get("pr_number")
    local = _Local(uri=uri, planner=planner, file=journal, pr_number=pull_request, clock=clock, progress=progress)
    if parameters.get("dry_run"):
        return local.planned()
    return local.carried_out(keep_going=parameters.get("keep_going", False))


def _there(  # noqa: PLR0917 what `backfill` knows
    uri: str,
    planner: Planner,
    journal: Path,
    parameters: Backfilling,
    clock: Clock,
    progress: Progress,
    forge: Forge | None,
) -> Backfilled:
    config, environment = planner.config, planner.environment
    pace = Pace(
        parallel=parameters.get("parallel") or config.schedule.parallel,
        timeout_seconds=60 * (parameters.get("timeout_minutes") or config.schedule.timeout_minutes),
        poll_seconds=parameters.get("poll_seconds") or _POLL_SECONDS,
    )
    with forge or forges.connect(parameters.get("engine") or LOCAL, environment, clock) as there:
        workflow = workflow_of(parameters, config, environment)
        remote = Remote(
            forge=there, workflow=workflow, planner=planner, journal=Journal(journal), clock=clock, pace=pace
        )
        return remote.backfill(uri, progress, dry_run=parameters.get("dry_run", False))


def evidence_of(
    store: Database, pr_number: int | None = None, dut_name: str = "", commit: str | None = None
) -> tuple[Evidence, ...]:
    """Return the numbers of results and failures by commit, suite and test bed, of a pull request or of none.

    A series failed when no later result of it at the commit is a success. With `dut_name` and `commit` of one device or commit alone.
    """
    success, time = pl.col("error").is_null(), pl.col("run_time")
    own = _of_change(pr_number) & pl.col("commit").is_not_null()
    if dut_name:
        own &= pl.col("dut_name").is_in(_names_of(store, dut_name))
    rows = (
        store.scan(where={"commit": commit} if commit else None, selection=Selection(everything=True))
        .filter(own)
        .group_by("commit", "suite", "test_bed_name", "series_key")
        .agg(
            success.sum().alias("results"),
            # a run whose time is not known may be the later one
            time.fill_null(_LATER).filter(success).max().alias("measured"),
            time.fill_null(0).filter(~success).max().alias("failed"),
        )
        .with_columns(
            failures=pl.col("failed").is_not_null() & ~(pl.col("measured") >= pl.col("failed")).fill_null(value=False)
        )
        .group_by("commit", "suite", "test_bed_name")
        .agg(pl.col("results", "failures").sum())
        .collect()
    )
    return tuple(
        Evidence(commit=commit, suite=suite or "", test_bed=bed or "", results=results, failures=failures)
        for commit, suite, bed, results, failures in rows.iter_rows()
    )


def _without_places(text: str, outputs: Sequence[Path]) -> str:
    """Return an error with the names of files in place of their paths, which are of this machine and of one attempt."""
    for path in outputs:
        text = text.replace(str(path), path.name)
    return text


_LATER = 1 << 62


def _of_change(pr_number: int | None) -> pl.Expr:
    return pl.col("pr_number").is_null() if pr_number is None else pl.col("pr_number") == pr_number


def _names_of(store: Database, dut_name: str) -> list[str]:
    """Return the name of a device, and the one under which a definition reads it."""
    definitions = store.history().definitions
    return [dut_name] if definitions is None else [dut_name, definitions.device(dut_name)]


def evidence_in(uri: str, pr_number: int | None = None, dut_name: str = "") -> tuple[Evidence, ...]:
    """Return the evidence of a store; empty when there is no store yet, which the first publish creates."""
    try:
        return evidence_of(connect(uri), pr_number, dut_name)
    except StoreNotFoundError:
        return ()


# -- on this machine ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Local:
    """A backfill on this machine; `file` is the journal."""

    uri: str
    planner: Planner
    file: Path
    pr_number: int | None
    clock: Clock
    progress: Progress

    def planned(self) -> Backfilled:
        return Backfilled(plan=self._plan(Journal(self.file)))

    def carried_out(self, *, keep_going: bool) -> Backfilled:
        """Wait until no other process measures here, then make the plan and carry it out."""
        config, wanted = self.planner.config, self.planner.wanted
        check_suites(config)
        repository, home = Path(wanted.get("clone") or ".").resolve(), self.file.parent
        outbox = Outbox(home / "measured")
        with git.alone(repository, home, self.clock) as locks:
            journal = Journal(self.file)
            outbox.tidy()
            ended = [] if outbox.is_empty else self._publish_pending(self._delivery(outbox), journal)
            plan = self._plan(journal)
            if not plan.steps:
                return Backfilled(plan=plan, ended=tuple(ended))
            bench = runner.Bench(
                repository=repository,
                home=home,
                root=root_of(wanted.get("config_file")),
                suites=config.suite,
                environment=self.planner.environment,
                clock=self.clock,
                secrets=config.secret_variables,
            )
            delivery = self._delivery(outbox)
            work = _Work(
                plan=plan,
                delivery=delivery,
                journal=journal,
                progress=self.progress,
                clock=self.clock,
                ended=ended,
                may_stop=not keep_going,
                retry_partial=self.planner.wanted.get("retry_partial", False),
                version=delivery.store.version,
            )
            try:
                runner.run(work.steps(), bench, locks, work.deliver)
            except (KeyboardInterrupt, SystemExit):
                self.progress.say(f"stopped after {work.done} of {work.jobs}; the same command goes on from here")
                raise
        return Backfilled(plan=plan, ended=tuple(work.ended), stopped=work.stopped)

    def _plan(self, journal: Journal) -> Plan:
        # a success is published, to some store, and counts as no attempt
        evidence = evidence_in(self.uri, self.pr_number, self.planner.config.project.name)
        return self.planner.plan(Known(evidence=evidence, attempts=journal.failures), None)

    def _delivery(self, outbox: Outbox) -> Delivery:
        environment, project = self.planner.environment, self.planner.config.project
        clone = Path(self.planner.wanted.get("clone") or ".").resolve()
        branch = self.planner.wanted.get("branch")
        return Delivery(
            store=connect(self.uri, create=True),
            clone=clone,
            outbox=outbox,
            config=self.planner.config,
            test_bed=self.planner.bed,
            branch=project.main_branch if branch is None else branch or None,
            default_branch=default_branch_of_ci(clone, ci_change(environment)) or project.branch or None,
            pr_number=self.pr_number,
            ci=ci_provenance(environment),
            secrets=secrets_of(environment),
            say=self.progress.say,
        )

    def _publish_pending(self, delivery: Delivery, journal: Journal) -> list[Attempt]:
        """Publish what an earlier call measured for this store and could not publish."""
        ended = []
        for pending in delivery.outbox.of_store(delivery.store.uri):
            ended.append(settle(pending, delivery, journal, self.clock))
            line = f"{pending.commit[: RULES.sha_length]}  {pending.suite}  measured by an earlier call, published now"
            self.progress.say(visible(line))
        return ended


def settle(pending: Pending, delivery: Delivery, journal: Journal, clock: Clock) -> Attempt:
    """Publish a pending suite, record it in the journal and remove it from the outbox."""
    delivery.keep_log(pending)
    error, kept = delivery.publish(pending)
    attempt = Attempt(
        commit=pending.commit,
        state=AttemptState.FAILED if error else AttemptState.SUCCEEDED,
        at=int(clock.now()),
        started_at=pending.began,
        attempt=pending.attempt,
        suites=(pending.suite,),
        detail=error or "",
        kept=kept if error else 0,
        url=pending.log,
    )
    journal.add(attempt)
    delivery.outbox.remove(pending)
    return attempt


def check_suites(config: Config) -> None:
    """Raise an error for a configuration without suites, and for an unknown format, before anything is measured."""
    if not config.suite:
        message = f"{FILE} has no suite; say what to measure in a table [suite.NAME] (docs/how-to/start.md shows one)"
        raise UserError(message)
    declared = formats_of(config)
    for name, suite in config.suite.items():
        try:
            if suite.format != AUTO:
                adapter_named(suite.format, declared)
        except (PluginError, UserError) as error:
            path = toml_path("suite", name, "format")
            raise UnreadableOutputError(str(error), file=FILE, json_path=path) from error


@dataclass(kw_only=True)
class _Work:
    """A plan being carried out; `ended` grows, and `stopped` says why the rest is not tried."""

    plan: Plan
    delivery: Delivery
    journal: Journal
    progress: Progress
    clock: Clock
    ended: list[Attempt]
    may_stop: bool
    retry_partial: bool
    version: int
    """The version of the store up to which the plan knows its results."""
    done: int = 0
    stopped: str = ""
    setups: dict[str, list[tuple[str, int, str] | None]] = field(default_factory=dict)
    """By commit, in the order they were measured: the set-up failure of each suite, None for a suite without one."""

    @property
    def jobs(self) -> int:
        return sum(len(self.suites(step)) for step in self.plan.steps)

    def suites(self, step: Step) -> tuple[str, ...]:
        return step.suites or tuple(self.delivery.config.suite)

    def steps(self) -> Iterator[Step]:
        """Yield the steps of the plan, without what another machine has measured since the plan was made."""
        for number, step in enumerate(self.plan.steps):
            if self.may_stop and (failure := same_setup_failure(list(self.setups.values()))):
                self.stopped = _stopped(failure, len(self.setups), len(self.plan.steps) - number)
                return
            sha, rest = step.commit.sha, self._unmeasured(step)
            for name in set(self.suites(step)).difference(rest):
                self.done += 1
                self.progress.say(f"{sha[: RULES.sha_length]}  {name}  measured by somebody else meanwhile")
            if rest:
                self.progress(self.done, self.jobs, f"{sha[: RULES.sha_length]} {step.commit.subject[:40]}")
                yield replace(step, targets=tuple(target for target in step.targets if target.suite in ("", *rest)))

    def _unmeasured(self, step: Step) -> list[str]:
        """Return the suites of a step without a result; the store is asked only when another writer changed it."""
        suites, store, delivery = list(self.suites(step)), self.delivery.store, self.delivery
        version = store.version
        if version == self.version:
            return suites
        self.version = version
        sha, targets = step.commit.sha, [Target(suite=name, test_bed=delivery.test_bed) for name in suites]
        known = Known(evidence=evidence_of(store, delivery.pr_number, delivery.config.project.name, sha))
        measured = known.standing([sha], targets, retry_partial=self.retry_partial)[sha].measured
        return [target.suite for target in targets if target not in measured]

    def deliver(self, measured: Measured) -> None:
        """Publish the outcome of a suite and record it in the journal."""
        attempt = next(step.attempt for step in self.plan.steps if step.commit == measured.commit)
        pending = self.delivery.accept(measured, attempt)
        before = self.delivery.store.version
        entry = settle(pending, self.delivery, self.journal, self.clock)
        if before == self.version and self.delivery.store.version == before + 1:  # our own commit and no other
            self.version = before + 1
        self.ended.append(entry)
        self.setups.setdefault(measured.commit.sha, []).append(_setup_failure(measured))
        self.done += 1
        outcome = f"failed: {entry.detail.splitlines()[0]}" if entry.detail else "measured"
        took = f"{duration(measured.seconds)}, {self.done} of {self.jobs}"
        self.progress.say(visible(f"{entry.commit[: RULES.sha_length]}  {measured.suite}  {outcome}  {took}"))
        self.progress(self.done, self.jobs)


_SetupFailure = tuple[str, int, str]
"""The suite, the number of its set-up command, and the error without commit ids, paths and numbers."""
_VARYING = re.compile(r"\S*/\S*|\b[0-9a-f]{7,40}\b|\d+")


def _setup_failure(measured: Measured) -> _SetupFailure | None:
    if measured.failed_setup is None:
        return None
    return measured.suite, measured.failed_setup, " ".join(_VARYING.sub("", measured.error or "").split())


def same_setup_failure(commits: Sequence[Sequence[_SetupFailure | None]]) -> _SetupFailure | None:
    """Return the set-up failure that the first commits have in common, once there are enough of them to stop.

    Commits count when no suite came past its set-up, and all their failures are equal.
    """
    first = commits[: RULES.same_setup_failures]
    if len(commits) != RULES.same_setup_failures or any(tuple(failures) != tuple(first[0]) for failures in first):
        return None
    return None if None in first[0] else first[0][0]


def _stopped(failure: _SetupFailure, tried: int, left: int) -> str:
    suite, number, _ = failure
    return (
        f"the first {tried} commits failed in the same way, in set-up command {number + 1} of suite.{suite}; "
        f"{left} commits were not tried. Correct suite.{suite}.setup in {FILE} and run the same command again, "
        "which goes on from here, or set `keep_going`"
    )


# -- from output files to the store ------------------------------------------------------------------------------------


# Fields of `Provenance` under the names that an outbox of release 0.1 has.
_RENAMED = {"testbed_name": "test_bed_name", "testbed_class": "test_bed_class"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where measured suites go, and under which names; `ci` holds the fields of `Provenance` that the CI job gives.

    `default_branch` is the one that CI names, else the one that bench-db.toml states; None where neither does. `secrets` are masked in the
    errors of suites, which end with the last lines of their log.
    """

    store: Database
    clone: Path
    outbox: Outbox
    config: Config
    test_bed: str
    branch: str | None
    default_branch: str | None = None
    pr_number: int | None = None
    ci: Mapping[str, Any] = field(default_factory=dict)
    secrets: Collection[str] = field(default=(), repr=False)
    say: Callable[[str], None]
    said: set[str] = field(default_factory=set)
    """What was said of the output files of a suite; of another commit it is not said again."""

    def accept(self, measured: Measured, attempt: int) -> Pending:
        """Copy an outcome to the outbox: whatever happens before it is published, it need not be measured again."""
        pending = Pending(
            key=f"{measured.began}-{measured.commit.sha}-{sha256(measured.suite.encode()).hexdigest()[:16]}",
            store=self.store.uri,
            commit=measured.commit.sha,
            suite=measured.suite,
            format=self.config.suite[measured.suite].format,
            attempt=attempt,
            began=measured.began,
            seconds=measured.seconds,
            log=str(measured.log),
            error=measured.error and redacted(masked(measured.error, self.secrets)),
            provenance=self._provenance(measured),
        )
        return self.outbox.put(pending, measured.written)

    def keep_log(self, pending: Pending) -> None:
        """Store the log, without secrets, as an artifact of its commit. A log that was deleted meanwhile is no error."""
        if not Path(pending.log).is_file():
            return
        where = {"kind": "log", "commit": pending.commit, "name": f"{pending.suite}.log"}
        # bytes that are no UTF-8, and line ends, stay as they are
        how: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
        with TemporaryDirectory() as directory:
            kept = Path(directory) / "log"
            with Path(pending.log).open(**how) as log, kept.open("w", **how) as target:
                target.writelines(cleaned(log, self.secrets))
            self.store.put_artifact(kept, **where, added_at=pending.began)

    def publish(self, pending: Pending) -> tuple[str | None, int]:
        """Publish the results and the error of a pending suite; return the error, None when it succeeded, and the number of results."""
        stated = {_RENAMED.get(name, name): value for name, value in pending.provenance.items()}
        # the attempts at a suite have an order by their time, also of a tool that gives none
        error, provenance = pending.error, Provenance(**stated, measured_at=pending.began)
        outputs, kept = [self.outbox.directory / path for path in pending.outputs], 0
        # of a benchmark that failed, whatever can be read; of one that succeeded, all or nothing
        say = partial(say_once, self.said, self.say, pending.suite)
        for together in [outputs] if error is None else [[path] for path in outputs]:
            try:
                written = runner.Written(tuple(together))
                for run, results in readings(written, provenance, pending.format, formats_of(self.config), say):
                    self._store(run, results)
                    kept += len(results)
            except (UnreadableOutputError, UserError) as refused:
                error = error or _without_places(str(refused), outputs)
        failed: int | None = None
        if error is not None:
            if kept:
                what, *tail = error.splitlines()
                error = "\n".join((f"{what}; results it wrote before are kept: {kept}", *tail))
            failed = self._store(*failure(pending, error, provenance)).run_key
        if pending.attempt > 1:
            self._replace_failures(pending, failed)
        return error, kept

    def _store(self, run: Run, results: Sequence[Result]) -> Published:
        run = replace(run, default_branch=self.default_branch or run.default_branch)
        return self.store.publish(results, run, commits=partial(known_of_commit, self.clone, run))

    def _replace_failures(self, pending: Pending, failed: int | None) -> None:
        """Exclude the failures of earlier attempts at a suite of a commit: this one says how it is now, `failed` if it failed."""
        known = self.store.scan(
            where={"commit": pending.commit, "source": FAILURE}, selection=Selection(everything=True)
        )
        own = _of_change(self.pr_number) & pl.col("dut_name").is_in(_names_of(self.store, self.config.project.name))
        of_suite = (pl.col("suite") == pending.suite) & (pl.col("test_bed_name") == self.test_bed)
        earlier = known.filter(own, of_suite, pl.col("run_time") <= pending.began).select("run_key").collect()
        change = partial(self.store.exclude, at=pending.began, by="bench-db")
        reason = f"replaced by attempt {pending.attempt}"
        if keys := [key for key in earlier["run_key"].to_list() if key != failed]:
            change(keys, reason=reason, lifted=False)
        if failed in self.store.exclusion_reasons():  # the same error as of an attempt that was replaced since
            change([failed], reason=reason, lifted=True)

    def _provenance(self, measured: Measured) -> dict[str, Any]:
        """Return the known fields of the provenance."""
        stated = {
            "dut_name": self.config.project.name,
            "dut_version": version_of(measured),
            "dut_timestamp": measured.commit.time,
            "test_bed_name": self.test_bed,
            "commit": measured.commit.sha,
            "branch": self.branch,
            "suite": measured.suite,
            "pr_number": self.pr_number,
        }
        return {**self.ci, **{name: value for name, value in stated.items() if value is not None}}


def version_of(measured: Measured) -> str:
    """Return the version in the manifest and the commit, not what git says of the tree: measured code may change it."""
    _, number = manifest_of(measured.checkout)
    return "+".join(filter(None, [number, measured.commit.sha[:ABBREVIATED_SHA]]))


def readings(
    written: runner.Written,
    provenance: Provenance,
    format_name: str,
    declared: Sequence[Adapter],
    say: Callable[[str], None],
) -> list[tuple[Run, list[Result]]]:
    """Parse what a suite wrote, and leave out files without a result. Raise an error when none has one.

    Of a directory what the benchmark wrote is read, but no link: measured code made it. In one that is not Criterion's, as `.codspeed` is,
    these are the files of the format; `say` is called with the names of others and of links.
    """
    files, unreadable = list[Path](), list[str]()
    for path in written.outputs:
        found = find(path, format_name, declared=declared)
        links = [] if [*found.readable] == [path] else _links(path)
        ignored = written.older.union(links)
        unreadable += [one.error for one in found.unreadable if Path(one.path) not in ignored]
        files += [file for file in found.readable if file not in ignored]
        of_no_format = [file for file in found.passed_over if file not in ignored]
        shown = "no format that bench_db knows" if format_name == AUTO else f"no {format_name}"
        for why, some in ((f"they show {shown}", of_no_format), ("links are not followed", links)):
            if named := [file.relative_to(path).as_posix() for file in some if file not in written.older]:
                say(f"{path.name}: passed over, as {why}: {named_files(named)}")
    read = list[tuple[Run, list[Result]]]()
    for path in files:
        try:
            opened = Opened(path, format_name, provenance=provenance, declared=declared, older=written.older)
            read += opened.runs()
        except UnreadableOutputError as error:
            unreadable.append(str(error))
    if unreadable:
        raise UserError("; ".join(unreadable))
    full = [(run, results) for run, results in read if results]
    if not full:
        reason = "no benchmark in it could be read"
        raise UnreadableOutputError(reason, file=", ".join(path.name for path in files or written.outputs))
    return full


def say_once(said: set[str], say: Callable[[str], None], suite: str, line: str) -> None:
    """Say a line about the outputs of a suite, unless it was said: the next commit or round has the same."""
    if (named := f"{suite}: {line}") not in said:
        said.add(named)
        say(visible(named))


def _links(directory: Path) -> list[Path]:
    """Return the symbolic links below a directory, without hidden ones."""
    links = (path for path in sorted(directory.rglob("*")) if path.is_symlink())
    return [path for path in links if not any(part.startswith(".") for part in path.relative_to(directory).parts)]


def failure(pending: Pending, error: str, provenance: Provenance) -> tuple[Run, list[Result]]:
    """Return a run with one row under the name of the suite, with the error. The digest of its log identifies the run."""
    message = error[: RULES.error_length]
    reading = Reading(
        source=FAILURE,
        measurements=(Measurement(benchmark_name=pending.suite, suite=pending.suite, error=message),),
        run_time=pending.began,
    )
    log = Path(pending.log)
    with log.open("rb") as file:
        digest = file_digest(file, "sha256")
    digest.update(f"# began {pending.began}\n".encode())
    return normalise(
        reading,
        file_name=log.name,
        sha256=digest.hexdigest(),
        format="bench-db-failure",
        provenance=provenance,
    )


# -- through a forge ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many runs at once, how long one may take, and how often to look."""

    parallel: int = 1
    timeout_seconds: float = 6 * 3600.0
    poll_seconds: float = _POLL_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A backfill through a forge: some runs at a time, each with a timeout, resumed after a kill."""

    forge: Forge
    workflow: Workflow
    planner: Planner
    journal: Journal
    clock: Clock
    pace: Pace

    def backfill(self, uri: str, progress: Progress, *, dry_run: bool) -> Backfilled:
        """Make the plan and carry it out. A store that cannot be read, or does not exist, is an error: nothing starts."""
        if not dry_run:
            self.resume()
        waited_for = (entry.commit for entry in self.journal.open)
        known = Known(
            evidence=evidence_of(connect(uri)),
            in_flight=self.forge.in_flight(self.workflow).union(waited_for),
            # a run that succeeded and left nothing in the store counts as an attempt too
            attempts=self.journal.attempts,
        )
        plan = self.planner.plan(known, self.forge)
        ended = [] if dry_run else self.run(plan.steps, progress)
        return Backfilled(plan=plan, ended=tuple(ended))

    def resume(self) -> list[Attempt]:
        """Return the attempts of an interrupted backfill that still run; record those that never began or are gone."""
        for entry in self.journal.open:
            if entry.state is AttemptState.DISPATCHING:
                found = self.forge.find(replace(self.workflow, patience_seconds=0), entry.correlation, entry.at)
                if found is None:
                    self._note(entry, AttemptState.LOST, "interrupted before it was dispatched")
                else:
                    self.journal.add(self._as_started(entry, found))
        return self.journal.open

    def run(self, steps: Sequence[Step], progress: Progress = Silent()) -> list[Attempt]:  # noqa: B008 without state
        """Return the ends of every step and of every resumed attempt, in the order they ended.

        A commit that fails does not stop the others. Raises `ForgeError` when the forge refuses, and after three faults in a row.
        """
        active = {entry.commit: entry for entry in self.resume()}
        waiting = deque(step for step in steps if step.commit.sha not in active)
        total, ended, faults = len(active) + len(waiting), list[Attempt](), 0
        while active or waiting:
            progress(len(ended), total)
            while waiting and len(active) < self.pace.parallel:
                entry = self._begin(waiting.popleft(), may_fail=faults + 1 < _CONSECUTIVE_FAULTS)
                faults = 0 if entry.state.is_open else faults + 1
                if entry.state.is_open:
                    active[entry.commit] = entry
                else:
                    ended.append(entry)
            for entry in list(self._ended(list(active.values()))):
                del active[entry.commit]
                ended.append(entry)
            if active and not (waiting and len(active) < self.pace.parallel):
                self.clock.sleep(self.pace.poll_seconds)
        progress(total, total)
        return ended

    def _begin(self, step: Step, *, may_fail: bool) -> Attempt:
        at = int(self.clock.now())
        entry = self.journal.add(
            Attempt(
                commit=step.commit.sha,
                state=AttemptState.DISPATCHING,
                at=at,
                started_at=at,
                attempt=step.attempt,
                suites=step.suites,
                correlation=correlation_of(step, at),
            )
        )
        try:
            started = self.forge.dispatch(self.workflow, of_step(step, self.planner.config), entry.correlation)
        except ForgeError as error:
            failed = self._note(entry, AttemptState.FAILED, str(error))
            if error.is_refusal or not may_fail:
                raise
            return failed
        return self.journal.add(self._as_started(entry, started))

    def _ended(self, active: list[Attempt]) -> Iterator[Attempt]:
        """Yield the attempts that have ended by now, and record their ends."""
        for entry in active:
            run = None if entry.run_id is None else self.forge.run(self.workflow, entry.run_id)
            seconds = self.clock.now() - entry.started_at
            if run is None and seconds <= self.workflow.patience_seconds:
                continue  # a new run may not be visible yet
            if run is None:
                yield self._note(entry, AttemptState.LOST, "the run is gone")
            elif run.is_finished:
                state = AttemptState.SUCCEEDED if run.is_success else AttemptState.FAILED
                yield self._note(entry, state, run.detail)
            elif seconds > self.pace.timeout_seconds:
                waited = f"{run.status} for more than {self.pace.timeout_seconds / 60:.0f} minutes"
                yield self._note(entry, AttemptState.TIMED_OUT, waited)

    def _note(self, entry: Attempt, state: AttemptState, detail: str) -> Attempt:
        return self.journal.add(replace(entry, state=state, at=int(self.clock.now()), detail=detail))

    def _as_started(self, entry: Attempt, started: Started) -> Attempt:
        at = int(self.clock.now())
        return replace(entry, state=AttemptState.STARTED, at=at, run_id=started.run_id, url=started.url)
