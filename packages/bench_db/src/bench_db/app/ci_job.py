"""The use case `ci`: what one CI job does with benchmarks: measure or publish, compare, report, comment and gate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.analysis.blame import of_machine
from bench_db.app.backfill import backfill
from bench_db.app.compare import Compared, compare, failing
from bench_db.app.progress import Silent
from bench_db.app.publish import publish
from bench_db.app.pull_requests import comment as post
from bench_db.app.scan import findings_frame, scan
from bench_db.ci.environment import ci_change, ci_provenance
from bench_db.ci.forge import Conclusion
from bench_db.clock import Clock
from bench_db.errors import BaselineNotMeasuredError, ForgeError, UserError
from bench_db.ingest import Provenance
from bench_db.ingest.host import build_of, with_change
from bench_db.measure import git
from bench_db.model import CiChange, Comparison, Finding, Series, State
from bench_db.query.series import series_told_apart
from bench_db.report import markdown
from bench_db.report.document import finding_json
from bench_db.report.escape import markdown_code, markdown_text
from bench_db.report.quantity import percent
from bench_db.rules import RULES
from bench_db.store.database import Database, connect
from bench_db.units import Direction

if TYPE_CHECKING:
    import polars as pl

    from bench_db.app.progress import Progress
    from bench_db.ci.forge import Forge

FAIL_ON = ("regression", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class CiJob:
    """What a job published of a commit, and the verdict. `compared` is None when the store has no results of the commit.

    `failing` are the comparisons that fail the job, `alarms` the new findings of a scan that got worse. `report` is Markdown, `comment_url` empty
    without a comment. `notes` say what was not done, and why.
    """

    candidate: str
    new: int
    compared: Compared | None
    failing: Sequence[Comparison]
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
        judged = Conclusion.NEUTRAL if self.compared is None else Conclusion(markdown.conclusion(self.compared.counts))
        return Conclusion.NEUTRAL if judged is Conclusion.FAILURE else judged

    @property
    def title(self) -> str:
        """The verdict in one line."""
        compared = self.compared
        said = (
            markdown.headline(compared.counts, of_machine(compared.comparisons)) if compared else markdown.headline({})
        )
        alarms = f"; {len(self.alarms)} new in the history" if self.alarms else ""
        return f"{said}{alarms}"

    @property
    def counts(self) -> dict[str, int]:
        """How often each verdict occurs."""
        return {} if self.compared is None else self.compared.counts

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
            "baseline": self.compared.baseline if self.compared else None,
            "new": self.new,
            "counts": self.counts,
            "failing": [f"{c.series.series_key:016x}" for c in self.failing],
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
    baseline: str | None = None,
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
    the verdicts that fail the job. `with_scan` also looks for changes in the main history, and a new finding that got worse fails
    the job. A pull request gets a comment when `environment` has a token; where the forge refuses it, a note says so. `suites`
    are those to measure, or the one suite of the files. Raises `UserError` for an empty address of the store.
    """
    if not uri:
        message = "the address of the store is empty: where do the results go? In a workflow, is the variable or secret that holds it set?"
        raise UserError(message)
    where = Path(checkout or ".")
    change = ci_change(environment)
    build = with_change(build_of(where), where, change)
    job = _Job(
        uri=uri,
        checkout=where,
        candidate=build.commit or "",
        change=change if build.pr_number else None,
        config_file=config_file,
        environment=environment,
        clock=clock,
        notes=[],
    )
    if paths:
        stated = {"dut_name": dut_name, "test_bed_name": test_bed_name, "suite": ",".join(suites) or None}
        about = Provenance(
            **{**ci_provenance(environment), **stated, "checkout": where if checkout else None, "change": change}
        )
        new = publish(uri, *paths, format=format, provenance=about, progress=progress).new
    else:
        new = job.measured(suites, "" if build.pr_number else build.branch or "", test_bed_name, progress)
    store = connect(uri)
    compared = job.compared(store, baseline)
    alarms, series = job.alarms(store) if with_scan else ([], {})
    report = job.report(compared, alarms, series_told_apart(series.values(), store.machines))
    return CiJob(
        candidate=job.candidate,
        new=new,
        compared=compared,
        failing=failing(compared.comparisons, fail_on) if compared else [],
        alarms=alarms,
        series=series,
        report=report,
        comment_url=job.comment(report, forge) if with_comment else "",
        notes=tuple(job.notes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A job: its store, checkout and commit (empty outside of git), and its change, which is None without a pull request."""

    uri: str
    checkout: Path
    candidate: str
    change: CiChange | None
    config_file: str | None
    environment: Mapping[str, str]
    clock: Clock
    notes: list[str]

    @property
    def pull_request(self) -> int | None:
        return self.change.pr_number if self.change else None

    def measured(self, suites: Sequence[str], branch: str, test_bed_name: str | None, progress: Progress) -> int:
        """Measure the suites of bench-db.toml at the candidate, and return how many of them succeeded."""
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
            branch=branch or None,
            test_bed_name=test_bed_name,
            pr_number=self.pull_request,
        )
        self.notes.extend(f"nothing was measured: {one.reason}" for one in done.plan.left_out)
        self.notes.extend(f"{', '.join(attempt.suites)}: {attempt.detail}" for attempt in done.failed)
        return len(done.ended) - len(done.failed)

    def compared(self, store: Database, baseline: str | None) -> Compared | None:
        """Compare the candidate; None when the store has no result of it."""
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
                return compare(store, self.candidate, baseline=f"merge-base:{base}", clone=self.checkout)
            except BaselineNotMeasuredError as error:
                self.notes.append(f"compared with the level of the main history instead of the merge base: {error}")
        return compare(store, self.candidate, baseline=baseline, clone=self.checkout)

    def alarms(self, store: Database) -> tuple[list[Finding], Mapping[int, Series]]:
        """Scan the main history, and return the findings that are new and got worse, with the scanned series by key."""
        known = {finding.id for finding in store.findings(every=True)}
        scanned = scan(store)
        if not scanned.tested:
            self.notes.append(f"the scan tested nothing: a series needs {RULES.detection_runs} runs")
        fresh = [one for one in scanned.findings if one.id not in known and one.state is State.OPEN]
        return [one for one in fresh if _is_worse(one, scanned.series.get(one.series_key))], scanned.series

    def report(self, compared: Compared | None, alarms: Sequence[Finding], series: Mapping[int, Series]) -> str:
        """Return the report: the comment on the comparison, the alarms, and the notes."""
        if compared is None:
            body = "## ❔ No verdict: nothing was compared\n"
        else:
            about = markdown.CommentContext(
                candidate=compared.candidate,
                baseline=compared.baseline,
                pull_request=self.pull_request,
                plan=compared.plan,
                store_version=compared.store_version,
                report_url=str(ci_provenance(self.environment).get("run_url") or ""),
            )
            body = markdown.comment(compared.comparisons, compared.counts, about, compared.blame)
        heading = [f"\n### {len(alarms)} new in the history\n"] if alarms else []
        found = "\n".join([*heading, *(_alarm(one, series.get(one.series_key)) for one in alarms), ""])
        return body + found + "".join(f"\n* {markdown_text(note)}" for note in self.notes) + "\n"

    def comment(self, report: str, forge: Forge | None) -> str:
        """Write the report to the pull request and return the address of the comment; empty without one."""
        number, token = self.pull_request, self.environment.get("GITHUB_TOKEN")
        if not number or not self.change or not (token or forge):
            return ""
        try:
            return post(
                number,
                report,
                repository=self.change.repository,
                environment=self.environment,
                clock=self.clock,
                forge=forge,
            ).url
        except ForgeError as error:
            self.notes.append(f"no comment was written: {error}")
            return ""


def _knows(checkout: Path, branch: str) -> bool:
    """Return whether a checkout has its history and a branch, and so their merge base."""
    names = (branch, f"refs/remotes/origin/{branch}")
    return not git.is_shallow(checkout) and any(git.knows(checkout, name) for name in names)


def _alarm(finding: Finding, series: Series | None) -> str:
    name = markdown_code(series.label if series else finding.id)
    return f"* {name}: {percent(finding.effect)} since {markdown_code((finding.commit or '-')[: RULES.sha_length])}"


def _is_worse(finding: Finding, series: Series | None) -> bool:
    """Return whether a finding is of a change for the worse; one of a series without a direction is not."""
    effect = finding.effect or 0.0
    direction = series.direction if series else None
    return (direction is Direction.LOWER and effect > 0) or (direction is Direction.HIGHER and effect < 0)
