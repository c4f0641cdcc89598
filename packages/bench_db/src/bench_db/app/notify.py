"""Alarms: send findings and failures of suites to receivers, each change of state once, by a ledger of claims and outcomes in the store."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from msgspec import structs

from bench_db.app.answers import Answer, frame_of
from bench_db.app.configuration import configuration
from bench_db.app.database import on_database
from bench_db.app.failed_suites import failed_ranges, gone, is_of_suite, names_of
from bench_db.app.site import commit_url_of
from bench_db.ci import receivers
from bench_db.ci.environment import PUBLIC_API
from bench_db.ci.web import Web, origin
from bench_db.clock import Clock, Moment, unix_time
from bench_db.errors import BenchDbError, DeliveryError, ForgeError, UserError
from bench_db.identity import hash63, is_full_sha
from bench_db.masking import masked, redacted, secrets_of, without_places
from bench_db.model import Finding, Notification, NotificationStep, State
from bench_db.query.selection import Selection, glob_pattern
from bench_db.query.series import identified, series_told_apart
from bench_db.report import alarms
from bench_db.report.alarms import ALARMING, Alarm
from bench_db.rules import RULES
from bench_db.schedule.config import Config, Owner, Receiver
from bench_db.units import is_worse

if TYPE_CHECKING:
    import polars as pl

    from bench_db.model import Series
    from bench_db.store.database import Database

_DAY = 86_400
_ISSUES = ("github", "gitlab")
_PUBLIC_GITLAB = "https://gitlab.com/api/v4"
_NOTE = 300
# An issue takes several requests, and all of them must end before another process may send the message again.
_LONGEST = 60 * RULES.claim_minutes / 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one receiver got: `target` is where, without secrets, `messages` their ids, and `findings` the number of changes of state.

    `waiting` changes are for a later `notify`: of a digest whose day or week is not over, or issues beyond those of one `notify`. `errors` say why a
    message was not taken. `preview` has the texts of a dry run, which sends nothing.
    """

    name: str
    kind: str
    target: str
    messages: tuple[str, ...] = ()
    findings: int = 0
    waiting: int = 0
    errors: tuple[str, ...] = ()
    preview: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified(Answer):
    """What each receiver got, in the order of bench-db.toml."""

    receivers: Sequence[Delivery]
    dry_run: bool

    @property
    def passed(self) -> bool:
        """Whether every receiver took its messages."""
        return not any(one.errors for one in self.receivers)

    def frame(self) -> pl.DataFrame:
        """Return the receivers as a frame, a row each."""
        return frame_of(self.receivers, Delivery)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        told = [
            {**asdict(one), **{name: list(getattr(one, name)) for name in ("messages", "errors", "preview")}}
            for one in self.receivers
        ]
        return {"receivers": told, "passed": self.passed, "dry_run": self.dry_run}


class _Change(NamedTuple):
    """A change of state of a finding, which a receiver gets once: the finding as it is reported, and the key of the record that began the state."""

    finding: Finding
    began: int

    @property
    def identity(self) -> tuple[str, str, int]:
        return self.finding.id, self.finding.state, self.began


@on_database
def notify(
    store: Database,
    *,
    environment: Mapping[str, str],
    config_file: str | None = None,
    config: Config | None = None,
    receivers: Collection[str] = (),
    since: Moment | None = None,
    dry_run: bool = False,
    deadline_seconds: float = RULES.message_seconds,
    clock: Clock = Clock(),  # noqa: B008 frozen
) -> Notified:
    """Tell the receivers of bench-db.toml, or some of them by name, what changed in the findings and which suites fail; each change of state once.

    `environment` has the variables that the receivers name. Findings that were detected before `since`, and not again later, are left out. With `dry_run` nothing is sent or
    recorded. A receiver that fails within `deadline_seconds` a message has its errors in the answer and does not keep others from getting theirs; the
    next `notify` tries again. Raises `UserError` for an unknown receiver.
    """
    if not 0 < deadline_seconds <= _LONGEST:
        message = f"`deadline_seconds` {deadline_seconds:g}: at most {_LONGEST:g}, so that no message is tried when its claim has ended"
        raise UserError(message)
    chosen = config or configuration(config_file)
    known = {one.label: one for one in chosen.notify}
    if unknown := [name for name in receivers if name not in known]:
        message = f"no receiver {unknown[0]!r}; [[notify]] of bench-db.toml declares: {', '.join(known) or 'none'}"
        raise UserError(message)
    first = unix_time(since, "`since`", now=clock.now())
    subject = _Subject(store, chosen)
    told = [
        _Telling(
            subject=subject,
            receiver=one,
            environment=environment,
            clock=clock,
            since=first if first is not None else unix_time(one.since or None, "since"),
            deadline_seconds=deadline_seconds,
        ).told(dry_run=dry_run)
        for name, one in known.items()
        if not receivers or name in receivers
    ]
    return Notified(receivers=told, dry_run=dry_run)


@on_database
def publish_findings(
    store: Database,
    issues: str,
    *,
    environment: Mapping[str, str],
    config_file: str | None = None,
    since: Moment | None = None,
    dry_run: bool = False,
    clock: Clock = Clock(),  # noqa: B008 frozen
) -> Notified:
    """Write an issue for each commit with findings into a repository on GitHub, `issues` (OWNER/NAME), as a receiver of `notify` does.

    A suite that failed has an issue for each range of commits, too.

    A receiver of bench-db.toml for the same repository is used, so that both write the same issues. The other arguments are those of `notify`.
    """
    config = configuration(config_file, issues)
    declared = [one for one in config.notify if one.kind == "github" and _repository(one, config) == issues]
    to = declared[0] if declared else Receiver(kind="github", name=f"github {issues}", repository=issues)
    return notify(
        store,
        environment=environment,
        config=structs.replace(config, notify=[to]),
        since=since,
        dry_run=dry_run,
        clock=clock,
    )


def _repository(receiver: Receiver, config: Config) -> str:
    return receiver.repository or config.project.repository


class _Subject:
    """The findings of a store as messages show them, read once for all receivers."""

    def __init__(self, store: Database, config: Config) -> None:
        self.store, self.config = store, config
        records = store.finding_history()
        found = {record.series_key for record in records}
        named = [one for one in identified(store.latest()) if one.series_key in found]
        self.series: Mapping[int, Series] = series_told_apart(named, store.machines)
        self.commit_url = commit_url_of(store)
        present = {finding.id for finding in store.findings()}
        self.began: dict[str, int] = {}
        self.began_at: dict[str, int] = {}
        self.first_seen: dict[str, int] = {}
        newest: dict[str, Finding] = {}
        for record in records:
            if record.id not in newest or newest[record.id].state is not record.state:
                self.began[record.id], self.began_at[record.id] = record.key, record.at
            self.first_seen.setdefault(record.id, record.at)
            newest[record.id] = record
        self.failures = {one.id: one for one in failed_ranges(store)}
        self.findings = {
            one.id: one
            if one.id in present or one.state not in ALARMING
            else replace(one, state=State.FIXED, note="its commit is no longer in the main history")
            for one in newest.values()
        }
        for identity, failure in self.failures.items():
            self.findings[identity] = failure.finding
            self.began[identity], self.began_at[identity] = failure.change, failure.began
            self.first_seen[identity] = failure.began

    @cached_property
    def has_one_device(self) -> bool:
        """Whether the main history of the store is of one device."""
        return self.store.runs(selection=Selection()).select("dut_name").unique().collect().height <= 1

    def is_worse(self, finding: Finding) -> bool:
        """Return whether a finding is of a change for the worse; one of a series without a direction is not."""
        series = self.series.get(finding.series_key)
        return series is not None and is_worse(finding.effect, series.direction) is True

    def owners(self, findings: Iterable[Finding], kind: str) -> list[str]:
        """Return whom a kind of receiver mentions for some findings."""
        names = {self.series[f.series_key].benchmark_name for f in findings if f.series_key in self.series}
        return [
            owner.mention[kind]
            for owner in self.config.owner
            if kind in owner.mention and any(_owns(owner, name) for name in names)
        ]


def _owns(owner: Owner, name: str) -> bool:
    return any(re.fullmatch(glob_pattern(glob), name) for glob in owner.benchmarks)


class _Past:
    """What a receiver has got, by the ledger."""

    def __init__(self, records: Sequence[Notification]) -> None:
        outcomes = {one.claim: one for one in records if one.step is not NotificationStep.CLAIMED}
        self.newest: dict[tuple[str, str, int], Notification] = {}
        self.state: dict[str, str] = {}
        self.delivered_at = 0
        for one in records:
            if one.step is not NotificationStep.CLAIMED:
                continue
            identity = (one.finding_id, one.state, one.change or 0)
            before = self.newest.get(identity)
            if before is None or before.attempt < one.attempt:
                self.newest[identity] = one
            if (sent := outcomes.get(one.claim)) is not None and sent.step is NotificationStep.DELIVERED:
                self.state[one.finding_id] = one.state
                self.delivered_at = max(self.delivered_at, sent.at)
        self._outcomes = outcomes

    def step(self, identity: tuple[str, str, int]) -> NotificationStep | None:
        """Return the outcome of the newest claim on a change, `CLAIMED` without one, None when nobody claimed it."""
        claim = self.newest.get(identity)
        if claim is None:
            return None
        outcome = self._outcomes.get(claim.claim)
        return NotificationStep.CLAIMED if outcome is None else outcome.step


@dataclass(frozen=True, slots=True, kw_only=True)
class _Telling:
    """The messages to one receiver."""

    subject: _Subject
    receiver: Receiver
    environment: Mapping[str, str]
    clock: Clock
    since: int | None
    deadline_seconds: float

    def told(self, *, dry_run: bool) -> Delivery:
        """Send what the receiver has not got, or only return what that is."""
        past = self._past()
        again, new = self._unanswered(past), self._new(past)
        batches = [] if self._is_held(past) else self._batches(new, past)
        planned = {**again, **{self._message_id(batch, past): batch for batch in batches}}
        waiting = len(new) - sum(map(len, batches))
        about = Delivery(name=self.receiver.label, kind=self.receiver.kind, target=self._target(), waiting=waiting)
        if dry_run:
            texts = tuple(alarms.text(self._alarm(name, batch)) for name, batch in planned.items())
            count = sum(map(len, planned.values()))
            errors = tuple(str(error) for error in [self._unset()] if error)
            return replace(about, messages=tuple(planned), findings=count, preview=texts, errors=errors)
        return self._tried(about, planned, past)

    def _tried(self, about: Delivery, planned: Mapping[str, Sequence[_Change]], past: _Past) -> Delivery:
        """Send messages; once one was tried for long, the rest is left to the next `notify`."""
        began = self.clock.now()
        sent, count, errors = list[str](), 0, list[str]()
        untried = dict(planned)
        for name, batch in planned.items():
            del untried[name]
            try:
                number, note = self._send(name, batch, past)
            except (DeliveryError, ForgeError, UserError) as error:
                errors.append(self._clean(str(error)))
                if not _is_refusal(error) or self.clock.now() - began > self.deadline_seconds / 2:
                    break
                continue
            errors += [note] if note else []
            sent, count = [*sent, *([name] if number else [])], count + number
        waiting = about.waiting + sum(map(len, untried.values()))
        return replace(
            about, messages=tuple(sent), findings=count, waiting=waiting, errors=tuple(dict.fromkeys(errors))
        )

    # -- what there is to send ---------------------------------------------------------------------------------------

    def _past(self) -> _Past:
        own = [one for one in self.subject.store.notifications() if one.receiver == self.receiver.label]
        return _Past(own)

    def _unanswered(self, past: _Past) -> dict[str, list[_Change]]:
        """Return the messages that the receiver may or may not have, and whose process has ended, by id."""
        ended = self.clock.now() - 60 * RULES.claim_minutes
        found: dict[str, list[_Change]] = {}
        for identity, claim in past.newest.items():
            step = past.step(identity)
            is_lost = step is NotificationStep.UNKNOWN or (step is NotificationStep.CLAIMED and claim.at <= ended)
            name = claim.finding_id
            finding = self.subject.findings.get(name) or (gone(name) if is_of_suite(name) else None)
            if is_lost and finding is not None:
                change = _Change(replace(finding, state=State(claim.state)), claim.change or 0)
                found.setdefault(claim.message_id, []).append(change)
        return found

    def _new(self, past: _Past) -> list[_Change]:
        """Return the changes that nobody has claimed, that the receiver refused, or that it got before it got their end."""
        findings = self.subject.findings
        changes = [self._change(finding, past) for finding in findings.values()]
        lost = (
            one for one, told in past.state.items() if one not in findings and told in ALARMING and is_of_suite(one)
        )
        changes += [_Change(gone(one), 0) for one in lost]
        return [change for change in changes if change is not None and self._is_new(change, past)]

    @staticmethod
    def _is_new(change: _Change, past: _Past) -> bool:
        step, finding = past.step(change.identity), change.finding
        if step is not NotificationStep.DELIVERED:
            return step in {None, NotificationStep.REFUSED}
        return (past.state[finding.id] in ALARMING) is not (finding.state in ALARMING)

    def _change(self, finding: Finding, past: _Past) -> _Change | None:
        """Return the change to report to the receiver, None for none: the end of a finding only if it got the beginning."""
        began, told = self._began(finding), past.state.get(finding.id)
        if told is None and not self._is_wanted(finding):
            return None
        change = _Change(finding, began)
        if finding.state not in ALARMING:
            return change if told in ALARMING else None
        back = told is not None and told not in ALARMING
        if back and past.step(change.identity) is NotificationStep.DELIVERED:
            return _Change(replace(finding, state=State.REOPENED), began)
        return change

    def _began(self, finding: Finding) -> int:
        """Return the key of the state of a finding. An issue follows each commit at which a suite fails; a message says that it began or ended."""
        failure = self.subject.failures.get(finding.id)
        if failure is None or self.receiver.kind in _ISSUES:
            return self.subject.began[finding.id]
        return failure.state_change

    def _message_id(self, batch: Sequence[_Change], past: _Past) -> str:
        """Return the identity of a message: its receiver, the changes in it, and for those sent before, how often they were claimed."""
        changes = list[str]()
        for one in (change.identity for change in batch):
            again = [past.newest[one].attempt] if past.step(one) is NotificationStep.DELIVERED else []
            changes.append("/".join(map(str, [*one, *again])))
        return f"{hash63(('message', self.receiver.label, *sorted(changes))):016x}"

    def _is_wanted(self, finding: Finding) -> bool:
        recent = self.since is None or self.subject.began_at[finding.id] >= self.since
        return recent and (self.receiver.changes == "all" or is_of_suite(finding.id) or self.subject.is_worse(finding))

    def _is_held(self, past: _Past) -> bool:
        """Return whether the receiver has had its digest of this day or week (UTC)."""
        if not self.receiver.digest or not past.delivered_at:
            return False
        then, now = (datetime.fromtimestamp(at, UTC) for at in (past.delivered_at, self.clock.now()))
        if self.receiver.digest == "daily":
            return then.date() == now.date()
        return then.isocalendar()[:2] == now.isocalendar()[:2]

    def _batches(self, changes: Sequence[_Change], past: _Past) -> list[list[_Change]]:
        """Return the changes of each message: of an issue those at one commit, the newest first and only some; else as many as fit."""
        if self.receiver.kind not in _ISSUES:
            size = RULES.message_findings
            return [list(changes[start : start + size]) for start in range(0, len(changes), size)]
        groups: dict[str, list[_Change]] = {}
        for change in changes:
            groups.setdefault(_place(change.finding), []).append(change)
        free = [group for place, group in groups.items() if past.step(_lock(place)) is not NotificationStep.CLAIMED]
        began_at = self.subject.began_at
        free.sort(key=lambda group: -max(began_at.get(change.finding.id, 0) for change in group))
        return free[: RULES.message_commits]

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send(self, name: str, batch: Sequence[_Change], past: _Past) -> tuple[int, str]:
        """Claim the changes of a message, send those that nobody else has claimed, and record the outcome.

        Return the number of changes that were sent, and what a mail server refused of it.
        """
        if fault := self._unset():
            raise fault
        claim = f"{hash63((str(os.getpid()), repr(self.clock.now()), repr(self.clock.chance()))):016x}"
        own = self._claimed(name, batch, past, claim)
        if not own:
            return 0, ""
        try:
            page, note = self._deliver(self._alarm(name, own))
        except (DeliveryError, ForgeError, UserError) as error:
            step = NotificationStep.REFUSED if _is_refusal(error) else NotificationStep.UNKNOWN
            self._write(self._record(name, claim, step=step, note=self._clean(str(error))[:_NOTE]))
            raise
        except Exception as error:  # whatever it is, the receiver may have the message
            self._write(self._record(name, claim, step=NotificationStep.UNKNOWN, note=type(error).__name__))
            raise
        self._write(self._record(name, claim, step=NotificationStep.DELIVERED, note=note, reference=page))
        return len(own), note

    def _claimed(self, name: str, batch: Sequence[_Change], past: _Past, claim: str) -> list[_Change]:
        """Claim changes, and return those that this process has; of an issue, none when another process writes it."""
        lock = _lock(_place(batch[0].finding))
        wanted = [*(change.identity for change in batch), *([lock] if self.receiver.kind in _ISSUES else [])]
        about = self._record(name, claim, step=NotificationStep.CLAIMED)
        self._write(*(self._claim(about, identity, past) for identity in wanted))
        written = [one for one in self.subject.store.notifications() if one.claim == claim]
        mine = {(one.finding_id, one.state, one.change or 0) for one in written}
        own = [change for change in batch if change.identity in mine]
        if own and self.receiver.kind in _ISSUES and lock not in mine:
            note = "another process writes the issue"
            self._write(self._record(name, claim, step=NotificationStep.REFUSED, note=note))
            return []
        return own

    @staticmethod
    def _claim(about: Notification, identity: tuple[str, str, int], past: _Past) -> Notification:
        finding_id, state, began = identity
        before = past.newest.get(identity)
        attempt = 1 if before is None else before.attempt + 1
        return replace(about, finding_id=finding_id, state=state, change=began, attempt=attempt)

    def _write(self, *records: Notification) -> None:
        self.subject.store.record_notifications(records)

    def _record(
        self, name: str, claim: str, *, step: NotificationStep, note: str = "", reference: str = ""
    ) -> Notification:
        return Notification(
            receiver=self.receiver.label,
            message_id=name,
            step=step,
            claim=claim,
            at=int(self.clock.now()),
            note=note,
            reference=reference,
        )

    def _alarm(self, name: str, batch: Sequence[_Change]) -> Alarm:
        findings = [change.finding for change in batch if not is_of_suite(change.finding.id)]
        suites = [change.finding for change in batch if is_of_suite(change.finding.id)]
        return Alarm(
            id=name,
            project=self.subject.config.project.name,
            at=int(self.clock.now()),
            findings=findings,
            series=self.subject.series,
            owners=self.subject.owners(findings, self.receiver.kind),
            commit_url=self.subject.commit_url,
            failures=[self._failure(one.id, is_open=one.state in ALARMING) for one in suites],
        )

    def _failure(self, identity: str, *, is_open: bool) -> alarms.SuiteFailure:
        """Return the range of a failed suite as it is reported; of one that the history no longer has, only what its identity says."""
        failure = self.subject.failures.get(identity)
        dut, bed, suite, first = names_of(identity)
        return alarms.SuiteFailure(
            id=identity,
            device=dut,
            bed=bed,
            suite=suite,
            commits=[first] if failure is None else failure.commits,
            until=None if failure is None else failure.until,
            is_open=is_open,
            unmeasured=0 if failure is None else failure.unmeasured,
            is_only_device=self.subject.has_one_device,
            error="" if failure is None else self._public(failure.error),
            commit_url=self.subject.commit_url,
        )

    def _deliver(self, alarm: Alarm) -> tuple[str, str]:
        """Send a message by the protocol of the receiver; return the page of an issue, and what a mail server refused."""
        to, web = self.receiver, self._web()
        if to.kind in _ISSUES:
            return self._put_issue(alarm, web), ""
        if to.kind == "matrix":
            receivers.put_in_room(
                web,
                address=self._address,
                token=self._token,
                room=to.room,
                message_id=alarm.id,
                content=alarms.matrix(alarm),
            )
        elif to.kind == "smtp":
            refused = receivers.send_mail(
                self._address,
                alarms.mail(alarm, to.sender, to.to),
                user=to.user,
                password=self._token,
                clock=self.clock,
                deadline_seconds=self.deadline_seconds,
            )
            return "", f"{refused} were refused" if refused else ""
        else:
            render: Callable[[Alarm], Mapping[str, Any]] = getattr(alarms, to.kind)
            is_idempotent = to.kind == "webhook"
            receivers.post(web, self._address, render(alarm), alarm.id, token=self._token, is_idempotent=is_idempotent)
        return "", ""

    def _put_issue(self, alarm: Alarm, web: Web) -> str:
        """Create or update the issue of a commit: with all its findings that the receiver gets or has got, in their present state."""
        if alarm.failures:
            return self._put_suite_issue(alarm.failures[0], web)
        place = _place(alarm.findings[0])
        told = {*self._past().state, *(finding.id for finding in alarm.findings)}
        findings = [one for one in self.subject.findings.values() if one.id in told and _place(one) == place]
        whole = replace(alarm, findings=findings, owners=self.subject.owners(findings, self.receiver.kind))
        marker = f"<!-- bench-db: findings {place} -->"
        with self._tracker(web) as tracker:
            return receivers.put_issue(
                tracker,
                marker=marker,
                title=alarms.issue_title(whole),
                body=alarms.issue_body(whole, marker),
                is_open=any(finding.state in ALARMING for finding in findings),
                since=max(0, min(self.subject.first_seen[one.id] for one in findings) - _DAY),
            )

    def _put_suite_issue(self, failure: alarms.SuiteFailure, web: Web) -> str:
        """Create or update the issue of the commits at which a suite failed, in its present state."""
        present = self.subject.failures.get(failure.id)
        about = replace(failure, is_open=present is not None and present.is_open)
        marker = f"<!-- bench-db: failures {_suite_place(failure.id)} -->"
        with self._tracker(web) as tracker:
            return receivers.put_issue(
                tracker,
                marker=marker,
                title=about.title,
                body=about.body(marker),
                is_open=about.is_open,
                since=max(0, self.subject.first_seen.get(failure.id, 0) - _DAY),
            )

    @contextmanager
    def _tracker(self, web: Web) -> Iterator[receivers.Tracker]:
        repository = _repository(self.receiver, self.subject.config)
        if self.receiver.kind == "gitlab":
            yield receivers.GitLabIssues(web, repository, self._token, self._address)
            return
        from bench_db.ci.github.client import GitHub  # noqa: PLC0415 httpx imports a command line of its own

        with GitHub(
            self._token, base_url=self._address, clock=self.clock, deadline_seconds=self.deadline_seconds
        ) as github:
            yield receivers.GitHubIssues(github, repository)

    # -- addresses and secrets ---------------------------------------------------------------------------------------

    @property
    def _address(self) -> str:
        to, given = self.receiver, self.environment
        stated = given.get(to.address_env, "").strip() if to.address_env else to.address
        if to.kind == "github":
            return stated or given.get("GITHUB_API_URL") or PUBLIC_API
        return stated or (given.get("CI_API_V4_URL") or _PUBLIC_GITLAB if to.kind == "gitlab" else "")

    @property
    def _token(self) -> str:
        name = self.receiver.token_env or ("GITHUB_TOKEN" if self.receiver.kind == "github" else "")
        return self.environment.get(name, "").strip() if name else ""

    def _unset(self) -> DeliveryError | None:
        """Return the error of a variable that is not set, or has what is no token."""
        to = self.receiver
        token = to.token_env or ("GITHUB_TOKEN" if to.kind == "github" else "")
        missing = [name for name in (to.address_env, token) if name and not self.environment.get(name, "").strip()]
        if not missing and (to.kind == "smtp" or (self._token.isascii() and self._token.isprintable())):
            return None
        if not missing:
            message = f"the variable {token} has characters that no token has; was it copied whole, and nothing else?"
            return DeliveryError(message, is_refusal=True)
        message = f"the variable {missing[0]} is not set; [[notify]] of bench-db.toml names it, and in CI it is a secret of the job"
        return DeliveryError(message, is_refusal=True)

    def _web(self) -> Web:
        secrets = tuple(filter(None, (self._secret_address, self._token)))
        return Web(clock=self.clock, deadline_seconds=self.deadline_seconds, secrets=secrets)

    @property
    def _secret_address(self) -> str:
        return self.environment.get(self.receiver.address_env, "").strip() if self.receiver.address_env else ""

    def _clean(self, message: str) -> str:
        return masked(message, (self._secret_address, self._token, quote(self._token, safe="")))

    def _public(self, text: str) -> str:
        """Return the text of an error as anybody may read it: without credentials and without the places of the machine that measured."""
        return without_places(redacted(masked(self._clean(text), secrets_of(self.environment))))

    def _target(self) -> str:
        """Return where messages go: no path of an address, no whole address of a person."""
        to = self.receiver
        if to.kind in _ISSUES:
            return _repository(to, self.subject.config)
        where = origin(self._address)
        if not where:
            return f"${to.address_env}"
        if to.kind == "smtp":
            return f"{', '.join(map(_hidden, to.to))} by {where}"
        return f"{to.room} on {where}" if to.kind == "matrix" else f"{where}/…"


def _hidden(address: str) -> str:
    """Return a mail address without the name of the person."""
    return f"{address[:1]}…@{address.rpartition('@')[2]}"


def _is_refusal(error: BenchDbError) -> bool:
    """Return whether a receiver certainly does not have a message: an invalid address was never asked."""
    return error.is_refusal if isinstance(error, DeliveryError | ForgeError) else True


def _lock(place: str) -> tuple[str, str, int]:
    """Return the identity that is claimed by the process that writes an issue."""
    return f"issue {place}", "", 0


def _suite_place(identity: str) -> str:
    """Return the identity of the issue of a failed suite."""
    return f"{hash63(('suite', identity)):016x}"


def _place(finding: Finding) -> str:
    """Return the identity of the issue that a finding is in: its commit, or the finding alone."""
    if is_of_suite(finding.id):
        return _suite_place(finding.id)
    if finding.commit and is_full_sha(finding.commit):
        return finding.commit
    return f"{hash63(('issue', finding.commit or finding.id)):016x}"
