"""`bench-db pr`: benchmark pull requests."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench_db.app.planning import connection
from bench_db.cli import output_file, pr_merge
from bench_db.cli.options import common, emit, open_store
from bench_db.errors import UserError
from bench_db.rules import RULES

if TYPE_CHECKING:
    from bench_db.model import Commit
    from bench_db.schedule.config import Config

_CONFIG = click.option("--config", "config_file", metavar="FILE", help="What to measure. [default: bench-db.toml]")


@click.group("pr")
def command() -> None:
    """Benchmark pull requests: understand comments, start runs, merge and compare results, answer. The token is GITHUB_TOKEN.

    Example: bench-db pr merge ./downloaded-artifacts ./merged
    """


command.add_command(pr_merge.command)


@command.command("process-comment")
@click.option("--payload-json", envvar="COMMENT_PAYLOAD", required=True, help="The comment [env: COMMENT_PAYLOAD].")
@click.option("--command-file", type=click.Path(dir_okay=False), default="command.json", show_default=True)
@_CONFIG
@common
def process_comment(
    payload_json: str,
    command_file: str,
    config_file: str | None,
    uri: str | None,  # noqa: ARG001 every verb has --store
    output: str,
) -> None:
    """Understand a comment: a command goes to a file and to GITHUB_OUTPUT, a refusal comes with its answer.

    Only who may write to the repository and the author of the pull request are obeyed.

    Example: bench-db pr process-comment --payload-json "$COMMENT_PAYLOAD"
    """
    import msgspec

    from bench_db.app import comment_command
    from bench_db.ci.github.repository import Repository
    from bench_db.clock import Clock

    config = _config(config_file)
    payload = comment_command.payload_of(payload_json, config)
    with connection(Clock()) as github:
        decided = comment_command.decide(payload, config, Repository(github, payload.repository))
    if decided.order is not None:
        Path(command_file).write_text(json.dumps(msgspec.to_builtins(decided.order), indent=2), encoding="utf-8")
    output_file.write(comment_command.outputs(decided), os.environ)
    emit(output, comment_command.outputs(decided), lambda: decided.text)


@command.command("dispatch")
@click.option("--command-file", type=click.Path(dir_okay=False, exists=True), help="What `process-comment` wrote.")
@click.option("--pr", "pr_number", type=int, help="Instead of a file: the pull request,")
@click.option("--sha", help="its commit,")
@click.option("--pr-repo", metavar="OWNER/NAME", help="and its repository.")
@click.option("--workflow", metavar="FILE", help="The workflow that measures. [default: run-benchmarks.yml]")
@click.option("--workflow-repository", metavar="OWNER/NAME", help="Where it is [env: LANCE_BENCH_REPO].")
@click.option("--ref", help="The branch of the workflow.")
@_CONFIG
@common
def dispatch(
    command_file: str | None,
    pr_number: int | None,
    sha: str | None,
    pr_repo: str | None,
    workflow: str | None,
    workflow_repository: str | None,
    ref: str | None,
    config_file: str | None,
    uri: str | None,  # noqa: ARG001 every verb has --store
    output: str,
) -> None:
    """Start the workflow that measures a pull request.

    Example: bench-db pr dispatch --pr 12 --sha 127847f0c0b1e0a5b9b3c1d2e3f405162738495a --pr-repo owner/name
    """
    from bench_db.app import comment_command
    from bench_db.ci.github.dispatch import start
    from bench_db.cli.schedule import workflow_of
    from bench_db.clock import Clock

    config, clock = _config(config_file), Clock()
    order = comment_command.order_of(command_file, pr_number, sha, pr_repo, config)
    with connection(clock) as github:
        there = workflow_of(github, config, workflow, workflow_repository, ref)
        inputs = comment_command.inputs(order)
        run = start(there, inputs, comment_command.correlation(order, int(clock.now())), clock)
    output_file.write({"run_id": str(run.run_id), "run_url": run.url}, os.environ)
    emit(output, {"run_id": run.run_id, "url": run.url, "inputs": inputs}, lambda: f"started: {run.url}")


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
@common
def comment(
    pr_number: int,
    repo: str | None,
    body: str | None,
    body_file: str | None,
    kind: str,
    config_file: str | None,
    uri: str | None,  # noqa: ARG001 every verb has --store
    output: str,
    *,
    no_update: bool,
) -> None:
    """Write a comment to a pull request, in place of our earlier one of the same kind.

    Example: bench-db pr comment 12 --repo owner/name --body-file report.md
    """
    from bench_db.ci.github import comments
    from bench_db.ci.github.repository import Repository
    from bench_db.clock import Clock

    text = _body(body, body_file)
    name = repo or _config(config_file).project.repository
    with connection(Clock()) as github:
        done = comments.post(Repository(github, name), pr_number, text, comments.Kind(kind), update=not no_update)
    emit(output, {"id": done.id, "url": done.html_url}, lambda: done.html_url)


@command.command("check")
@click.argument("sha")
@click.option("--repo", metavar="OWNER/NAME", help="The repository of the commit.")
@click.option("--name", default="benchmarks", show_default=True, help="What the check is called.")
@click.option("--conclusion", type=click.Choice(["success", "failure", "neutral"]), required=True)
@click.option("--title", default="Benchmarks", show_default=True)
@click.option(
    "--summary-file", type=click.Path(dir_okay=False, exists=True), required=True, help="The report, Markdown."
)
@click.option("--as-status", is_flag=True, help="As a commit status, without the report: for a token that is no app's.")
@_CONFIG
@common
def check(
    sha: str,
    repo: str | None,
    name: str,
    conclusion: str,
    title: str,
    summary_file: str,
    config_file: str | None,
    uri: str | None,  # noqa: ARG001 every verb has --store
    output: str,
    *,
    as_status: bool,
) -> None:
    """Put a verdict on a commit as a check run, in place of our earlier one of the same name. SHA is a full commit id.

    GitHub lets only apps write checks: the token of a workflow, on commits of its own repository. Elsewhere a commit status
    says the same in one line.

    Example: bench-db pr check 127847f0c0b1e0a5b9b3c1d2e3f405162738495a --conclusion failure --summary-file report.md
    """
    from bench_db.ci.environment import ci_provenance
    from bench_db.ci.github import checks
    from bench_db.ci.github.repository import Repository
    from bench_db.clock import Clock

    said: dict[str, Any] = {"conclusion": conclusion, "title": title, "url": ci_provenance().get("run_url")}
    with connection(Clock()) as github:
        there = Repository(github, repo or _config(config_file).project.repository)
        if as_status:
            put = checks.put_status(there, sha, name, **said)
            found = {"id": put.id, "url": put.url}
        else:
            made = checks.put(there, sha, name, **said, summary=Path(summary_file).read_text(encoding="utf-8"))
            found = {"id": made.id, "url": made.html_url}
    emit(output, found, lambda: str(found["url"] or found["id"]))


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
@common
def compare(
    pr_sha: str,
    pr_number: int,
    local_results: str,
    repo: str | None,
    expect: tuple[str, ...],
    report: Path | None,
    uri: str | None,
    output: str,
) -> None:
    """Compare a pull request's own results with the history in the store, and write the comment that says so.

    With --repo GitHub is asked where the pull request leaves its base branch: what was measured after that is no part of the
    baseline. In a workflow, the outputs `conclusion` and `title` are those of the check run.

    Example: bench-db pr compare 1a2b3c4 --pr 7 --local-results merged.lance --repo owner/name --report comment.md
    """
    from bench_db.analysis.judge import counted, plan
    from bench_db.app.compare import comparisons_json, local_verdicts
    from bench_db.app.expected import suites_in, with_absent
    from bench_db.report.markdown import CommentContext, comment, conclusion, headline

    suites = suites_in(expect)
    base = _merge_base(repo, pr_number, pr_sha) if repo else None
    store, local = open_store(uri), open_store(local_results)
    version = str(store.version)
    judged = local_verdicts(store, local, pr_sha, until=base.time if base else None)
    judged = with_absent(local, judged, pr_sha, suites)
    level = "the level since the last change"
    about = CommentContext(
        candidate=pr_sha,
        pull_request=pr_number,
        baseline=f"{level}, up to the merge base {base.sha[: RULES.sha_length]}" if base else level,
        plan=plan("runs"),
        store_version=version,
    )
    counts = counted(judged)
    body = comment(judged, counts, about)
    if report is not None:
        report.write_text(body, encoding="utf-8")
    output_file.write({"conclusion": conclusion(counts), "title": headline(counts)}, os.environ)
    emit(output, {**comparisons_json(judged), "merge_base": base.sha if base else None}, lambda: body)


def _merge_base(repo: str, pr_number: int, sha: str) -> Commit:
    from bench_db.ci.github.commits import merge_base
    from bench_db.ci.github.repository import Repository
    from bench_db.clock import Clock

    with connection(Clock()) as github:
        return merge_base(Repository(github, repo), pr_number, sha)


def _config(config_file: str | None) -> Config:
    from bench_db.schedule.config import FILE, Config, Project, load

    if config_file is None and not Path(FILE).exists():
        return Config(project=Project(name="", repository=os.environ.get("GITHUB_REPOSITORY", "")))
    return load(Path(config_file or FILE))


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
