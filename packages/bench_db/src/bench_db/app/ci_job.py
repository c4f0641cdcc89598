"""The use case `ci`: what one CI job does with benchmarks: measure or publish, compare, report, comment and gate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.analysis.judge import of_machine
from bench_db.app import compare, pairs
from bench_db.app.answers import Answer
from bench_db.app.backfill import backfill
from bench_db.app.baselines import LEVEL
from bench_db.app.configuration import configuration, path_of
from bench_db.app.gate import FLAGGED, Confirming, Gate, check
from bench_db.app.notify import notify
from bench_db.app.pairs import Paired
from bench_db.app.progress import Silent
from bench_db.app.publish import Publication, publish
from bench_db.app.pull_requests import comment as post
from bench_db.app.scan import findings_frame, scan
from bench_db.ci.environment import PRIVILEGED, ci_change, ci_provenance
from bench_db.ci.forge import Conclusion
from bench_db.clock import Clock
from bench_db.errors import BaselineNotMeasuredError, ForgeError, UserError
from bench_db.ingest import Provenance
from bench_db.ingest.host import Build, build_of, default_branch_of_ci, of_followed, with_change
from bench_db.measure import git
from bench_db.model import CiChange, Comparison, Finding, PairComparison, Reason, Series, State
from bench_db.query.series import series_told_apart
from bench_db.report import markdown
from bench_db.report.document import finding_json
from bench_db.report.escape import markdown_code, markdown_text
from bench_db.report.pairs import confirmed_markdown, outcomes_text, pairs_headline, pairs_markdown
from bench_db.report.publish import named_files
from bench_db.report.quantity import percent
from bench_db.rules import RULES
from bench_db.schedule.config import FILE
from bench_db.store.database import Database, connect
from bench_db.units import is_worse

if TYPE_CHECKING:
    import polars as pl

    from bench_db.app.ci_files import Judging
    from bench_db.app.gate import Mode
    from bench_db.app.progress import Progress
    from bench_db.ci.forge import Forge

FAIL_ON = ("regression", "failed")
_ANY_NUMBER = 1 << 30
_REASONS = {Reason.MEASURED: "the store has the results of this commit already"}
FAILING = {**compare.FAILING, **pairs.FAILING}
"""The words that `fail_on` takes. One that a mode has no verdict for fails nothing in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CiJob(Answer):
    """What a job published of a commit, and the verdict. `compared` is None when the store has no results of the commit.

    `paired` has the verdicts of a pull request that was measured in pairs, and `compared` is None then. `failing` are the comparisons that fail the job, `alarms` the new findings of a scan that got worse. `report` is Markdown, `comment_url` empty
    without a comment. `notes` say what was not done, and why.
    """

    candidate: str
    new: int
    compared: Gate | None
    paired: Paired | None
    failing: Sequence[Comparison | PairComparison]
    alarms: Sequence[Finding]
    series: Mapping[int, Series]
    report: str
    comment_url: str
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing fails the job."""
        return not (self.failing or self.alarms)

    @property
    def verdict(self) -> Conclusion:
        """The conclusion: neutral when nothing could be judged, or when what got worse is not to fail the job."""
        if not self.passed:
            return Conclusion.FAILURE
        judged = Conclusion(markdown.conclusion(self.counts))
        return Conclusion.NEUTRAL if judged is Conclusion.FAILURE else judged

    @property
    def title(self) -> str:
        """The verdict in one line."""
        if self.paired is not None:
            said = pairs_headline(self.counts)
        else:
            said = markdown.headline(self.counts, of_machine(self.compared.comparisons) if self.compared else 0)
            said += outcomes_text(self.compared.confirmed if self.compared else None)
        alarms = f"; {len(self.alarms)} new in the history" if self.alarms else ""
        return f"{said}{alarms}"

    @property
    def counts(self) -> dict[str, int]:
        """How often each verdict occurs."""
        judged = self.paired or self.compared
        return {} if judged is None else judged.counts

    def frame(self) -> pl.DataFrame:
        """Return the alarms of the scan as a frame, a row each."""
        return findings_frame(self.alarms, self.series)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {
            "verdict": str(self.verdict),
            "title": self.title,
            "passed": self.passed,
            "candidate": self.candidate,
            "baseline": self.paired.base if self.paired else self.compared.baseline if self.compared else None,
            "new": self.new,
            "counts": self.counts,
            "failing": [f"{c.series.series_key:016x}" for c in self.failing],
            "confirmed": self.compared.confirmed.document if self.compared and self.compared.confirmed else None,
            "pairs": self.paired.document if self.paired else None,
            "alarms": [finding_json(finding, self.series) for finding in self.alarms],
            "comment_url": self.comment_url,
            "notes": list(self.notes),
        }


def ci_job(
    uri: str,
    *paths: str | Path,
    format: str = "auto",  # noqa: A002 as the flag is called
    checkout: str | Path | None = None,
    dut_name: str | None = None,
    test_bed_name: str | None = None,
    suites: Sequence[str] = (),
    config_file: str | None = None,
    mode: Judging = "history",
    baseline: str | None = None,
    confirm: Mode | None = None,
    fail_on: Collection[str] = FAIL_ON,
    with_scan: bool = False,
    with_comment: bool = True,
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    progress: Progress = Silent(),  # noqa: B008 without state
    forge: Forge | None = None,
) -> CiJob:
    """Publish files, or measure the suites of bench-db.toml where none is given, and judge the commit of the checkout.

    `checkout` is the working directory by default, and for files the checkout around each. The commit is compared with `baseline`:
    by default a pull request with the commit where it left its base branch, and any other with the level before it. `fail_on` has
    the verdicts that fail the job. With the `mode` `pairs` a pull request is not compared with the history: its commit and its merge
    base are measured in alternation on this machine, as `[pairs]` of bench-db.toml says. Otherwise series that got worse are measured
    again in pairs before the job fails, as `confirm` says, by default bench-db.toml. `with_scan` also looks for changes in the main history, and a new finding that got worse fails
    the job; outside of a pull request the receivers of bench-db.toml then get their messages, and one that fails is a note. A pull request gets a comment when `environment` has a token; where the forge refuses it, a note says so. `suites`
    are those to measure, or the one suite of the files. Raises `UserError` for an empty address of the store, and in pairs for a
    checkout without the merge base.
    """
    if unknown := sorted(set(fail_on) - set(FAILING)):
        message = f"`fail_on`: {unknown[0]!r} is no verdict to fail on; it takes {', '.join(FAILING)}"
        raise UserError(message)
    if mode == "pairs" and paths:
        message = "pairs measure the suites of bench-db.toml: leave out the files, or the mode"
        raise UserError(message)
    if not uri:
        message = "the address of the store is empty: where do the results go? In a workflow, is the variable or secret that holds it set?"
        raise UserError(message)
    where = Path(checkout or ".")
    change = ci_change(environment)
    build = (of_followed if paths else with_change)(build_of(where), where, change)
    job = _Job(
        uri=uri,
        checkout=where,
        candidate=build.commit or "",
        pull_request=build.pr_number,
        change=_change_of(build, change, where),
        config_file=config_file,
        environment=environment,
        clock=clock,
        notes=list(build.notes),
    )
    paired = job.paired(suites, test_bed_name, progress) if mode == "pairs" and job.pull_request else None
    if paired:
        new = sum(run.new for run in paired.published or ())
    elif paths:
        stated = {"dut_name": dut_name, "test_bed_name": test_bed_name, "suite": ",".join(suites) or None}
        about = Provenance(
            **{**ci_provenance(environment), **stated, "checkout": where if checkout else None, "change": change}
        )
        done = publish(uri, *paths, format=format, provenance=about, progress=progress)
        new = done.new
        job.notes.extend(_not_stored(done, job.notes))
    else:
        new = job.measured(suites, None if build.pr_number else build.branch or "", test_bed_name, progress)
    store = connect(uri)
    confirming = None if paired else job.confirming(confirm, progress, elsewhere=bool(paths))
    compared = None if paired else job.compared(store, baseline, confirming)
    alarms, series = job.alarms(store) if with_scan else ([], {})
    body = pairs_markdown(paired.comparisons, paired.control, paired.context) if paired else job.body(compared)
    if with_scan:
        job.notify(store)
    report = job.report(body, alarms, series_told_apart(series.values(), store.machines))
    return CiJob(
        candidate=job.candidate,
        new=new,
        compared=compared,
        paired=paired,
        failing=_failing(paired, compared, fail_on),
        alarms=alarms,
        series=series,
        report=report,
        comment_url=job.comment(report, forge) if with_comment else "",
        notes=tuple(job.notes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A job: its store, checkout and commit (empty outside of git), and the pull request whose commit that is.

    `change` is the change of CI, with its number; None without a pull request, and for one of another repository than that of the job.
    """

    uri: str
    checkout: Path
    candidate: str
    pull_request: int | None
    change: CiChange | None
    config_file: str | None
    environment: Mapping[str, str]
    clock: Clock
    notes: list[str]

    def measured(self, suites: Sequence[str], branch: str | None, test_bed_name: str | None, progress: Progress) -> int:
        """Measure the suites of bench-db.toml at the candidate, and return how many of them succeeded; an empty branch is unknown."""
        if not self.candidate:
            message = f"{self.checkout}: not a git checkout with a commit; give files to publish, or check out what is measured"
            raise UserError(message)
        done = backfill(
            self.uri,
            environment=self.environment,
            clock=self.clock,
            progress=progress,
            config_file=self.config_file,
            range=self.candidate,
            clone=self.checkout,
            suites=tuple(suites),
            branch=branch,
            test_bed_name=test_bed_name,
            pr_number=self.pull_request,
            retry_partial=True,  # a job is run again because of what failed
            max_attempts=_ANY_NUMBER,
        )
        self.notes.extend(f"nothing was measured: {_REASONS.get(one.reason, one.reason)}" for one in done.plan.left_out)
        self.notes.extend(f"{', '.join(attempt.suites)}: {attempt.detail}" for attempt in done.failed)
        return len(done.ended) - len(done.failed)

    def paired(self, suites: Sequence[str], test_bed_name: str | None, progress: Progress) -> Paired:
        """Measure the candidate and its merge base in alternation, and store the answer."""
        branch = self.change.base_branch if self.change else None
        tip = git.tip_of(self.checkout, branch) if branch and not git.is_shallow(self.checkout) else None
        if tip is None:
            message = f"pairs need the merge base: the checkout is shallow or lacks {branch or 'the base branch'} (actions/checkout: fetch-depth: 0)"
            raise UserError(message)
        store = connect(self.uri, create=True)
        store.require_writable()  # an error now costs no measurement
        found = pairs.pairs(
            f"{tip}...",
            self.candidate,
            suites=suites,
            config_file=self.config_file,
            test_bed_name=test_bed_name,
            database=store,
            clone=self.checkout,
            environment=self.environment,
            clock=self.clock,
            progress=progress,
        )
        return pairs.publish_pairs(store, found, clone=self.checkout)

    def confirming(self, mode: Mode | None, progress: Progress, *, elsewhere: bool) -> Confirming | None:
        """Return how series that got worse are measured again; None where they cannot be, because this machine is not a fresh one."""
        if not elsewhere and (mode or configuration(self.config_file).pairs.confirm) == "fresh":
            return None
        return Confirming(
            mode=mode or "configured",
            environment=self.environment,
            config_file=self.config_file,
            clone=self.checkout,
            clock=self.clock,
            progress=progress,
        )

    def compared(self, store: Database, baseline: str | None, confirming: Confirming | None) -> Gate | None:
        """Compare the candidate; None when the store has no result of it.

        A note says where it was not measured, and when what is flagged cannot be measured again here.
        """
        found = self._compared(store, baseline, confirming)
        if found and found.unmeasured:
            self.notes.append(found.unmeasured)
        if found and confirming is None and compare.failing(found.comparisons, FLAGGED):
            self.notes.append(
                "nothing was measured again: this machine measured the commit; call `bench-db check --confirm fresh` in a job of its own"
            )
        return found

    def _compared(self, store: Database, baseline: str | None, confirming: Confirming | None) -> Gate | None:
        if not self.candidate or not store.runs_of(self.candidate):
            self.notes.append(
                f"not compared: the store has no results of the commit {self.candidate or 'of this job, which is unknown'}"
            )
            return None
        base = self.change.base_branch if self.change else None
        if baseline is None and base and not _knows(self.checkout, base):
            self.notes.append(
                f"compared with the level of the main history instead of the merge base: the checkout is shallow or lacks {base} "
                "(actions/checkout: fetch-depth: 0)"
            )
        elif baseline is None and base:
            try:
                return check(
                    store,
                    self.candidate,
                    baseline=f"merge-base:{base}",
                    clone=self.checkout,
                    confirming=confirming,
                )
            except BaselineNotMeasuredError as error:
                self.notes.append(f"compared with the level of the main history instead of the merge base: {error}")
        return check(store, self.candidate, baseline=baseline or LEVEL, clone=self.checkout, confirming=confirming)

    def alarms(self, store: Database) -> tuple[list[Finding], Mapping[int, Series]]:
        """Scan the main history, and return the findings that are new and got worse, with the scanned series by key."""
        known = {finding.id for finding in store.findings(every=True)}
        scanned = scan(store)
        if not scanned.tested:
            self.notes.append(f"the scan tested nothing: a series needs {RULES.detection_runs} runs")
        fresh = [one for one in scanned.findings if one.id not in known and one.state is State.OPEN]
        known_series = scanned.series
        worse = [
            one
            for one in fresh
            if (series := known_series.get(one.series_key)) and is_worse(one.effect, series.direction)
        ]
        return worse, known_series

    def notify(self, store: Database) -> None:
        """Send what scans found to the receivers of bench-db.toml; a job of a pull request leaves that to those of the main branch."""
        if self.pull_request or not path_of(self.config_file).exists() or not configuration(self.config_file).notify:
            return
        if self.environment.get("GITHUB_EVENT_NAME") in PRIVILEGED:
            self.notes.append(
                f"no message was sent: a job of this event has secrets, and {FILE} may be that of a pull request; call `bench-db notify`"
            )
            return
        told = notify(store, environment=self.environment, config_file=self.config_file, clock=self.clock)
        for one in told.receivers:
            self.notes.extend(f"{one.name}: no message was sent: {error}" for error in one.errors)
            if one.findings:
                changes = "1 change of a finding" if one.findings == 1 else f"{one.findings:,} changes of findings"
                self.notes.append(f"{one.name} received {changes}")

    def body(self, compared: Gate | None) -> str:
        """Return the comment on the comparison."""
        if compared is None:
            return "## ❔ No verdict: nothing was compared\n"
        about = markdown.CommentContext(
            candidate=compared.candidate,
            baseline=compared.baseline,
            pull_request=self.pull_request,
            plan=compared.plan,
            store_version=compared.store_version,
            report_url=str(ci_provenance(self.environment).get("run_url") or ""),
            site=self.site(),
            outcomes=outcomes_text(compared.confirmed),
        )
        again = confirmed_markdown(compared.confirmed) if compared.confirmed else ""
        return markdown.comment(compared.comparisons, compared.counts, about, compared.blame, again)

    def site(self) -> str:
        """Return the address of the site that bench-db.toml states; none in a job with secrets that may run the file of a pull request."""
        if not path_of(self.config_file).exists() or self.environment.get("GITHUB_EVENT_NAME") in PRIVILEGED:
            return ""
        return configuration(self.config_file).project.site

    def report(self, body: str, alarms: Sequence[Finding], series: Mapping[int, Series]) -> str:
        """Return the report: the comment, the alarms, and the notes."""
        heading = [f"\n### {len(alarms)} new in the history\n"] if alarms else []
        found = "\n".join([*heading, *(_alarm(one, series.get(one.series_key)) for one in alarms), ""])
        return body + found + "".join(f"\n* {markdown_text(note)}" for note in self.notes) + "\n"

    def comment(self, report: str, forge: Forge | None) -> str:
        """Write the report to the pull request and return the address of the comment; empty without one."""
        token = self.environment.get("GITHUB_TOKEN")
        if self.change is None or self.change.pr_number is None or not (token or forge):
            return ""
        try:
            return post(
                self.change.pr_number,
                report,
                repository=self.change.repository,
                environment=self.environment,
                clock=self.clock,
                forge=forge,
            ).url
        except ForgeError as error:
            self.notes.append(f"no comment was written: {error}")
            return ""


def _change_of(build: Build, change: CiChange | None, checkout: Path) -> CiChange | None:
    """Return the change of a pull request, of which a job of another event is given no number: it has checked out its reference."""
    if not build.pr_number or change is None or change.pr_number is not None:
        return change if build.pr_number else None
    return replace(change, pr_number=build.pr_number) if default_branch_of_ci(checkout, change) else None


# of files; they are in the comment on a pull request, too
_MOST_NOTES = 20


def _not_stored(done: Publication, known: Collection[str]) -> list[str]:
    """Return notes on what files have and the store does not: skipped results, and files of directories that are no output."""
    of_files = ((file.path, note) for file in done.files if any(file.skipped.values()) for note in file.notes)
    notes = [f"{path}: {note}" for path, note in of_files if note not in known]
    more = [f"... and {len(notes) - _MOST_NOTES:,} more such notes"] if len(notes) > _MOST_NOTES else []
    passed = [f"passed over, as they show no such format: {named_files(done.passed_over)}"] if done.passed_over else []
    return [*notes[:_MOST_NOTES], *more, *passed]


def _failing(
    paired: Paired | None, compared: Gate | None, fail_on: Collection[str]
) -> Sequence[Comparison | PairComparison]:
    """Return what fails the job, by the words that this kind of verdict has."""
    if paired:
        return pairs.failing(paired.comparisons, [word for word in fail_on if word in pairs.FAILING])
    words = [word for word in fail_on if word in compare.FAILING]
    return compare.failing(compared.comparisons, words) if compared else []


def _knows(checkout: Path, branch: str) -> bool:
    """Return whether a checkout has its history and a branch, and so their merge base."""
    names = (branch, f"refs/remotes/origin/{branch}")
    return not git.is_shallow(checkout) and any(git.knows(checkout, name) for name in names)


def _alarm(finding: Finding, series: Series | None) -> str:
    name = markdown_code(series.label if series else finding.id)
    return f"* {name}: {percent(finding.effect)} since {markdown_code((finding.commit or '-')[: RULES.sha_length])}"
