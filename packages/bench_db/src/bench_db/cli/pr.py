"""`bench-db pr`: benchmark pull requests."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench_db.app.parameters import Dispatching
from bench_db.cli import output_file
from bench_db.cli.options import common, declared, default_uri, emit, screen, storeless
from bench_db.cli.progress import Lines, leave_when_asked
from bench_db.errors import UserError

if TYPE_CHECKING:
    from typing import Unpack

_CONFIG = click.option("--config", "config_file", metavar="FILE", help="What to measure. [default: bench-db.toml]")


@click.group("pr")
def command() -> None:
    """Benchmark pull requests: process comments, start runs, merge and compare results, answer. For GitHub the token is GITHUB_TOKEN.

    Example: bench-db pr merge ./downloaded-artifacts ./merged
    """


@command.command("process-comment")
@click.option("--payload-json", envvar="COMMENT_PAYLOAD", required=True, help="The comment [env: COMMENT_PAYLOAD].")
@click.option("--command-file", type=click.Path(dir_okay=False), default="command.json", show_default=True)
@_CONFIG
@storeless
def process_comment(
    payload_json: str,
    command_file: str,
    config_file: str | None,
    output: str,
) -> None:
    """Understand a comment: a command goes to a file and to GITHUB_OUTPUT, a refusal comes with its answer.

    Only users who may write to the repository and the author of the pull request are obeyed.

    Example: bench-db pr process-comment --payload-json "$COMMENT_PAYLOAD"
    """
    from bench_db.app import pull_requests

    decided = pull_requests.process_comment(payload_json, config_file=config_file, environment=os.environ)
    if decided.document is not None:
        Path(command_file).write_text(json.dumps(decided.document, indent=2), encoding="utf-8")
    output_file.write(decided.outputs, os.environ)
    emit(output, decided.outputs, lambda: decided.text)


@command.command("dispatch")
@click.option("--command-file", type=click.Path(dir_okay=False, exists=True), help="What `process-comment` wrote.")
@click.option("--pr", "pr_number", type=int, help="Instead of a file: the pull request,")
@click.option("--sha", help="its commit,")
@click.option("--pr-repo", metavar="OWNER/NAME", help="and its repository.")
@declared(Dispatching)
@_CONFIG
@storeless
def dispatch(
    command_file: str | None,
    pr_number: int | None,
    sha: str | None,
    pr_repo: str | None,
    config_file: str | None,
    output: str,
    **where: Unpack[Dispatching],
) -> None:
    """Start the workflow that measures a pull request.

    Example: bench-db pr dispatch --pr 12 --sha 127847f0c0b1e0a5b9b3c1d2e3f405162738495a --pr-repo owner/name
    """
    from bench_db.app import pull_requests

    done = pull_requests.dispatch(
        command_file=command_file,
        pr_number=pr_number,
        sha=sha,
        pr_repo=pr_repo,
        config_file=config_file,
        environment=os.environ,
        **where,
    )
    run = done.run
    output_file.write({"run_id": str(run.run_id), "run_url": run.url}, os.environ)
    emit(output, {"run_id": run.run_id, "url": run.url, "inputs": done.inputs}, lambda: f"started: {run.url}")


@command.command("merge")
@click.argument("results_dir", type=click.Path(file_okay=False, exists=True))
@click.argument("target", metavar="OUTPUT")
@storeless
def merge(results_dir: str, target: str, output: str) -> None:
    """Merge the stores in the sub-directories of a directory into the store OUTPUT. Doing it again adds nothing.

    Example: bench-db pr merge ./downloaded-artifacts s3://bucket/benchmarks
    """
    from bench_db.app import pull_request_results

    done = pull_request_results.merge(results_dir, target)
    found = f"Found {done.stores} Lance tables to merge"
    text = f"{found}\nMerged {done.rows} rows into {target} ({done.new} new)" if done.stores else found
    emit(output, {"stores": done.stores, "rows": done.rows, "new": done.new}, lambda: text)


@command.command("comment")
@click.argument("pr_number", type=int)
@click.option("--repo", metavar="OWNER/NAME", help="The repository of the pull request.")
@click.option("--body", envvar="COMMENT_BODY", help="The text [env: COMMENT_BODY],")
@click.option("--body-file", type=click.Path(dir_okay=False), help="or the file it is in; else standard input is read.")
@click.option(
    "--kind", type=click.Choice(["report", "acknowledgement", "refusal"]), default="report", show_default=True
)
@click.option("--no-update", is_flag=True, help="Write a new comment even when there is one of this kind.")
@_CONFIG
@storeless
def comment(
    pr_number: int,
    repo: str | None,
    body: str | None,
    body_file: str | None,
    kind: str,
    config_file: str | None,
    output: str,
    *,
    no_update: bool,
) -> None:
    """Write a comment to a pull request, in place of our earlier one of the same kind.

    Example: bench-db pr comment 12 --repo owner/name --body-file report.md
    """
    from bench_db.app import pull_requests

    done = pull_requests.comment(
        pr_number,
        _body(body, body_file),
        repository=repo,
        kind=kind,
        update=not no_update,
        config_file=config_file,
        environment=os.environ,
    )
    emit(output, {"id": done.id, "url": done.url}, lambda: done.url)


@command.command("check")
@click.argument("sha")
@click.option("--repo", metavar="OWNER/NAME", help="The repository of the commit.")
@click.option("--name", default="benchmarks", show_default=True, help="What the check is called.")
@click.option("--conclusion", type=click.Choice(["success", "failure", "neutral"]), required=True)
@click.option("--title", default="Benchmarks", show_default=True)
@click.option(
    "--summary-file",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    required=True,
    help="The report, Markdown.",
)
@click.option("--as-status", is_flag=True, help="As a commit status, without the report: for a token that is no app's.")
@_CONFIG
@storeless
def check(
    sha: str,
    repo: str | None,
    name: str,
    conclusion: str,
    title: str,
    summary_file: Path,
    config_file: str | None,
    output: str,
    *,
    as_status: bool,
) -> None:
    """Put a verdict on a commit as a check run, in place of our earlier one of the same name. SHA is a full commit id.

    GitHub lets only apps write checks: the token of a workflow, on commits of its own repository. Elsewhere a commit status
    says the same in one line.

    Example: bench-db pr check 127847f0c0b1e0a5b9b3c1d2e3f405162738495a --conclusion failure --summary-file report.md
    """
    from bench_db.app import pull_requests

    done = pull_requests.check(
        sha,
        conclusion=conclusion,
        summary=summary_file.read_text(encoding="utf-8"),
        repository=repo,
        name=name,
        title=title,
        as_status=as_status,
        config_file=config_file,
        environment=os.environ,
    )
    emit(output, {"id": done.id, "url": done.url}, lambda: done.url or str(done.id))


@command.command("compare")
@click.argument("pr_sha")
@click.option("--pr", "pr_number", type=int, required=True, help="The pull request's number, for the report.")
@click.option("--local-results", required=True, metavar="STORE", help="Where the pull request's own results are.")
@click.option("--repo", metavar="OWNER/NAME", help="Its repository: the history then ends at the merge base.")
@click.option(
    "--expect",
    metavar="JSON",
    multiple=True,
    help="Suites, as `bench-db suites` gives them; one that left nothing failed.",
)
@click.option("--report", "report", type=click.Path(dir_okay=False, path_type=Path), help="Write the comment here.")
@click.option(
    "--flagged",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what `pr confirm` is to measure again here, if there is any and [pairs] confirm of bench-db.toml asks for it.",
)
@click.option(
    "--outcomes",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What `pr confirm` wrote: only what pairs confirm regressed. A missing file decides nothing.",
)
@common
def compare(
    pr_sha: str,
    pr_number: int,
    local_results: str,
    repo: str | None,
    expect: tuple[str, ...],
    report: Path | None,
    flagged: Path | None,
    outcomes: Path | None,
    uri: str | None,
    output: str,
) -> None:
    """Compare the results of a pull request with the history in the store, and write the comment about it.

    With --repo GitHub is asked where the pull request leaves its base branch: later commits are no part of the baseline.
    In a workflow, the outputs `conclusion` and `title` are those of the check run; with --flagged, `flagged` is true when it wrote its file.

    Example: bench-db pr compare 1a2b3c4 --pr 7 --local-results merged.lance --repo owner/name --report comment.md
    """
    from bench_db.app import pull_request_results

    found = pull_request_results.compare(
        pr_sha,
        uri=uri or default_uri(),
        pr_number=pr_number,
        local_results=local_results,
        repository=repo,
        expect=expect,
        outcomes=outcomes,
        environment=os.environ,
    )
    if report is not None:
        report.write_text(found.comment, encoding="utf-8")
    asked = {} if flagged is None else {"flagged": str(found.flagged_to(flagged)).lower()}
    output_file.write({"conclusion": found.conclusion, "title": found.title, **asked}, os.environ)
    emit(output, lambda: found.document, lambda: found.comment)


@command.command("confirm")
@click.argument("flagged", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--outcomes",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="Write the outcomes here, for `pr compare`.",
)
@click.option("--config", "config_file", metavar="FILE", default="bench-db.toml", show_default=True)
@click.option("--work-dir", metavar="DIR", default=".bench-db", show_default=True, help="Work trees and logs.")
@click.option(
    "--clone",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    show_default=True,
    help="The local clone with both commits.",
)
@storeless
def confirm(flagged: Path, outcomes: Path, config_file: str, work_dir: str, clone: Path, output: str) -> None:
    """Measure the series in FILE, which `pr compare --flagged` wrote, again in pairs with the merge base of the pull request.

    This runs the code of the pull request and needs no store, so a job without secrets can do it. `budget_minutes` of [pairs] bounds it.
    What cannot be measured is undecided, with the reason, and the exit code is 0.

    Example: bench-db pr confirm flagged.json --clone ./measured --outcomes outcomes.json
    """
    from bench_db.app.confirm import confirm_handed_over, hand_over
    from bench_db.app.gate import Confirming
    from bench_db.report.pairs import confirmed_text

    leave_when_asked()
    how = Confirming(
        mode="off",
        environment=os.environ,
        config_file=config_file,
        clone=clone,
        work_dir=work_dir,
        progress=Lines(),
    )
    found = confirm_handed_over(flagged, how)
    hand_over(found, outcomes)
    emit(output, lambda: found.document, lambda: confirmed_text(found, screen()))


def _body(body: str | None, body_file: str | None) -> str:
    if body is not None and body_file is not None:
        message = "give --body or --body-file, not both"
        raise UserError(message)
    if body_file is None:
        return sys.stdin.read() if body is None else body
    try:
        return Path(body_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{body_file}: cannot be read: {error}"
        raise UserError(message) from error
