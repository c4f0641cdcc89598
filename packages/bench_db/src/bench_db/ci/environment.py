"""The provenance of a run, from the environment of its CI job."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from bench_db.model import MAIN_NAMES, CiChange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PUBLIC_API = "https://api.github.com"
_PULL = re.compile(r"refs/pull/(\d+)/")
_BRANCH = "refs/heads/"
# Events of GitHub whose jobs have the secrets of the repository, whoever wrote the code.
PRIVILEGED = frozenset({"pull_request_target", "workflow_run", "issue_comment"})


def ci_provenance(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the fields of `Provenance` that identify a job of a CI service; none outside of a job. No address has a user or password."""
    service = _service(environment)
    if service is None:
        return {}
    job = service.job(environment)
    return job | {"run_url": _USER.sub("", job.get("run_url") or "") or None}


_USER = re.compile(r"(?<=://)[^/]*@")


def ci_change(environment: Mapping[str, str] = os.environ) -> CiChange | None:
    """Return the change that a job of a CI service builds; None outside of a job."""
    service = _service(environment)
    return None if service is None else service.change(environment)


def _github_job(environment: Mapping[str, str]) -> dict[str, Any]:
    server, repository = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_REPOSITORY")
    run_id = environment.get("GITHUB_RUN_ID")
    return {
        "run_id": run_id,
        "attempt": int(environment.get("GITHUB_RUN_ATTEMPT") or 1),
        "repository": repository,
        "workflow": environment.get("GITHUB_WORKFLOW"),
        "run_url": f"{server}/{repository}/actions/runs/{run_id}" if server and repository and run_id else None,
    }


def _github_change(environment: Mapping[str, str]) -> CiChange:
    """Return the change of a GitHub event. The payload of the event has what the variables lack, such as the head of a pull request.

    The job of a pull request that was merged is on its base branch. A comment on a pull request starts a job on the default branch, which
    checks out the pull request by itself.
    """
    event = _payload(environment.get("GITHUB_EVENT_PATH"))
    ref, commit = environment.get("GITHUB_REF", ""), environment.get("GITHUB_SHA") or None
    of_ref = ref.removeprefix(_BRANCH) if ref.startswith(_BRANCH) else None
    default = _text(_object(event, "repository"), "default_branch")
    found = _PULL.match(ref)
    pull, run, issue = _object(event, "pull_request"), _object(event, "workflow_run"), _object(event, "issue")
    pulls = run.get("pull_requests")
    if not pull and run and isinstance(pulls, list) and pulls and isinstance(pulls[0], dict):
        pull = pulls[0]
    of_comment = issue.get("number") if _object(issue, "pull_request") else None
    number = pull.get("number") or (int(found[1]) if found else None) or of_comment
    head, base = _object(pull, "head"), _object(pull, "base")
    merged = pull.get("merged") is True and bool(of_ref or _text(pull, "merge_commit_sha") == commit)
    on_base = merged or environment.get("GITHUB_EVENT_NAME") in PRIVILEGED
    branch = environment.get("GITHUB_HEAD_REF") or _text(head, "ref") or _branch_of_run(event, run)
    return CiChange(
        commit=None if on_base else commit,
        head_commit=_text(head, "sha") or _text(run, "head_sha"),
        base_commit=commit if on_base else _text(base, "sha"),
        branch=branch or (None if on_base or number else of_ref),
        base_branch=environment.get("GITHUB_BASE_REF") or _text(base, "ref") or of_ref,
        default_branch=default,
        pr_number=number if isinstance(number, int) else None,
        of_branch=_is_of_branch(event, run),
        follows=bool(run),
        repository=environment.get("GITHUB_REPOSITORY") or None,
    )


def _branch_of_run(event: Mapping[str, Any], run: Mapping[str, Any]) -> str | None:
    """Return the branch of the workflow run that started this one; as owner:branch in a fork, whose main is not that of the repository."""
    branch, fork = _text(run, "head_branch"), _text(_object(run, "head_repository"), "full_name")
    own = _text(_object(event, "repository"), "full_name")
    return f"{fork.partition('/')[0]}:{branch}" if branch and fork and own and fork != own else branch


def _is_of_branch(event: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    """Return whether the workflow run that started this one is of a branch itself; it names the pull requests that are open from it, too."""
    began, branch = _text(run, "event"), _text(run, "head_branch")
    return (
        bool(branch)
        and not (began or "pull_request").startswith("pull_request")
        and _branch_of_run(event, run) == branch
    )


def _payload(path: str | None) -> dict[str, Any]:
    """Return the payload of the event; empty when there is none or it cannot be read."""
    try:
        payload = json.loads(Path(path).read_bytes()) if path else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def _object(payload: Mapping[str, object], name: str) -> dict[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


def _text(payload: Mapping[str, object], name: str) -> str | None:
    value = payload.get(name)
    return value if isinstance(value, str) and value else None


def _gitlab_job(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        "run_id": environment.get("CI_PIPELINE_ID") or None,
        "repository": environment.get("CI_PROJECT_PATH") or None,
        "workflow": environment.get("CI_PIPELINE_NAME") or environment.get("CI_JOB_NAME") or None,
        "run_url": environment.get("CI_PIPELINE_URL") or None,
    }


def _gitlab_change(environment: Mapping[str, str]) -> CiChange:
    """Return the change of a GitLab pipeline. Only a merged-results pipeline has a source sha of its own."""
    number = environment.get("CI_MERGE_REQUEST_IID", "")
    return CiChange(
        commit=environment.get("CI_COMMIT_SHA") or None,
        head_commit=environment.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or None,
        base_commit=environment.get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA") or None,
        branch=environment.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or environment.get("CI_COMMIT_BRANCH") or None,
        base_branch=environment.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME") or None,
        default_branch=environment.get("CI_DEFAULT_BRANCH") or None,
        pr_number=int(number) if number.isdecimal() else None,
        repository=environment.get("CI_PROJECT_PATH") or None,
    )


def _buildkite_job(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        "run_id": environment.get("BUILDKITE_BUILD_ID") or None,
        "attempt": int(environment.get("BUILDKITE_RETRY_COUNT") or 0) + 1,
        "repository": _path_of(environment.get("BUILDKITE_REPO")),
        "workflow": environment.get("BUILDKITE_PIPELINE_SLUG") or None,
        "run_url": environment.get("BUILDKITE_BUILD_URL") or None,
    }


def _buildkite_change(environment: Mapping[str, str]) -> CiChange:
    """Return the change of a build of Buildkite, which names a tag as the branch, and the newest commit of a branch as HEAD.

    The build of a branch of the repository has the number of the pull request that is open from it.
    """
    number = _number(environment.get("BUILDKITE_PULL_REQUEST"))
    branch, commit = environment.get("BUILDKITE_BRANCH", ""), environment.get("BUILDKITE_COMMIT", "")
    own, source = (_path_of(environment.get(f"BUILDKITE_{name}REPO")) or "" for name in ("", "PULL_REQUEST_"))
    return CiChange(
        commit=(commit if commit != "HEAD" else "") or None,
        branch=(branch if branch != environment.get("BUILDKITE_TAG") else "") or None,
        base_branch=environment.get("BUILDKITE_PULL_REQUEST_BASE_BRANCH") or None,
        default_branch=environment.get("BUILDKITE_PIPELINE_DEFAULT_BRANCH") or None,
        pr_number=number,
        of_branch=number is not None and own.casefold() == source.casefold(),
        repository=own or None,
    )


def _circle_job(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        "run_id": environment.get("CIRCLE_WORKFLOW_ID") or None,
        "repository": _circle_repository(environment),
        "workflow": environment.get("CIRCLE_JOB") or None,
        "run_url": environment.get("CIRCLE_BUILD_URL") or None,
    }


def _circle_repository(environment: Mapping[str, str]) -> str | None:
    parts = environment.get("CIRCLE_PROJECT_USERNAME"), environment.get("CIRCLE_PROJECT_REPONAME")
    return "/".join(filter(None, parts)) or None


def _circle_change(environment: Mapping[str, str]) -> CiChange:
    """Return the change of a job of CircleCI, which has a number of its own in a fork, and else the pull request that is open from its branch.

    A pull request from main into another branch does not make main one.
    """
    branch = environment.get("CIRCLE_BRANCH", "")
    of_fork = _number(environment.get("CIRCLE_PR_NUMBER")) or _number(branch.removeprefix("pull/"))
    opened = None if branch in MAIN_NAMES else _number(environment.get("CIRCLE_PULL_REQUEST", "").rpartition("/")[2])
    return CiChange(
        commit=environment.get("CIRCLE_SHA1") or None,
        branch=branch or None,
        pr_number=of_fork or opened,
        of_branch=of_fork is None and opened is not None,
        repository=_circle_repository(environment),
    )


def _azure_job(environment: Mapping[str, str]) -> dict[str, Any]:
    build, server = environment.get("BUILD_BUILDID"), environment.get("SYSTEM_COLLECTIONURI", "").rstrip("/")
    project = environment.get("SYSTEM_TEAMPROJECT")
    return {
        "run_id": build or None,
        "attempt": int(environment.get("SYSTEM_JOBATTEMPT") or 1),
        "repository": environment.get("BUILD_REPOSITORY_NAME") or None,
        "workflow": environment.get("BUILD_DEFINITIONNAME") or None,
        "run_url": f"{server}/{quote(project)}/_build/results?buildId={build}"
        if server and project and build
        else None,
    }


def _azure_change(environment: Mapping[str, str]) -> CiChange:
    """Return the change of a build of Azure Pipelines, which checks out the merge of a pull request as GitHub does."""
    ref, head = environment.get("BUILD_SOURCEBRANCH", ""), environment.get("SYSTEM_PULLREQUEST_SOURCEBRANCH", "")
    number = _number(environment.get("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER"))
    found = _PULL.match(ref)
    return CiChange(
        commit=environment.get("BUILD_SOURCEVERSION") or None,
        head_commit=environment.get("SYSTEM_PULLREQUEST_SOURCECOMMITID") or None,
        branch=head.removeprefix(_BRANCH) or (ref.removeprefix(_BRANCH) if ref.startswith(_BRANCH) else None),
        base_branch=environment.get("SYSTEM_PULLREQUEST_TARGETBRANCH", "").removeprefix(_BRANCH) or None,
        pr_number=number
        or _number(environment.get("SYSTEM_PULLREQUEST_PULLREQUESTID"))
        or (int(found[1]) if found else None),
        repository=environment.get("BUILD_REPOSITORY_NAME") or None,
    )


def _bitbucket_job(environment: Mapping[str, str]) -> dict[str, Any]:
    number, repository = environment.get("BITBUCKET_BUILD_NUMBER"), environment.get("BITBUCKET_REPO_FULL_NAME")
    origin = environment.get("BITBUCKET_GIT_HTTP_ORIGIN")
    return {
        "run_id": number or None,
        "repository": repository or None,
        "run_url": f"{origin}/pipelines/results/{number}" if origin and number else None,
    }


def _bitbucket_change(environment: Mapping[str, str]) -> CiChange:
    """Return the change of a pipeline of Bitbucket, which merges the target of a pull request into its head."""
    return CiChange(
        head_commit=environment.get("BITBUCKET_COMMIT") or None,
        branch=environment.get("BITBUCKET_BRANCH") or None,
        base_branch=environment.get("BITBUCKET_PR_DESTINATION_BRANCH") or None,
        pr_number=_number(environment.get("BITBUCKET_PR_ID")),
        repository=environment.get("BITBUCKET_REPO_FULL_NAME") or None,
    )


def _jenkins_job(environment: Mapping[str, str]) -> dict[str, Any]:
    job, number = environment.get("JOB_NAME"), environment.get("BUILD_NUMBER")
    return {
        "run_id": f"{job}#{number}" if job and number else None,
        "repository": _path_of(environment.get("GIT_URL")),
        "workflow": job or None,
        "run_url": environment.get("BUILD_URL") or None,
    }


def _jenkins_change(environment: Mapping[str, str]) -> CiChange:
    """Return the change of a build of Jenkins. A multibranch pipeline names the pull request; another one names REMOTE/BRANCH, or a reference."""
    number = _number(environment.get("CHANGE_ID"))
    name = environment.get("BRANCH_NAME") or _REMOTE.sub("", environment.get("GIT_BRANCH", ""))
    is_none = name in {"HEAD", "detached", environment.get("TAG_NAME", "")} or name.startswith("refs/")
    built = None if number or is_none else name or None
    return CiChange(
        commit=environment.get("GIT_COMMIT") or None if number is None else None,
        branch=environment.get("CHANGE_BRANCH") or built,
        base_branch=environment.get("CHANGE_TARGET") or None,
        default_branch=built if environment.get("BRANCH_IS_PRIMARY") == "true" else None,
        pr_number=number,
        repository=_path_of(environment.get("GIT_URL")),
    )


_REMOTE = re.compile(r"^(?:origin/|refs/heads/|refs/remotes/[^/]*/)")


def _number(text: str | None) -> int | None:
    """Return the number of a pull request; None for a text that is none, such as the "false" of some services."""
    return int(text) if text and text.isdecimal() else None


def _path_of(address: str | None) -> str | None:
    """Return owner and name of a repository from the address of its clone: the last two parts of its path, without host, user and password."""
    text = (address or "").strip()
    place = re.split(r"[?#]", text.rpartition("://")[2].rpartition("@")[2])[0]
    host = _HOST_OF_URL if "://" in text else _HOST_AFTER_USER if "@" in text else _HOST
    parts = re.split(r"[/\\]", host.sub("", place, count=1).rstrip("/").removesuffix(".git"))
    return "/".join([part for part in parts if part][-2:]) or None


_HOST_OF_URL = re.compile(r"^[^/]*")
_HOST_AFTER_USER = re.compile(r"^(?:\[[^]]*\]|[^/:]*)[/:]?")  # user@host:path
_HOST = re.compile(r"^(?:\[[^]]*\]|[^/:]*):")  # host:path; a path alone has no host


class _Service(NamedTuple):
    """A CI service: a variable that each of its jobs has, with its value, or "" for any, and what its other variables say."""

    variable: str
    value: str
    job: Callable[[Mapping[str, str]], dict[str, Any]]
    change: Callable[[Mapping[str, str]], CiChange]


_SERVICES = (
    _Service("GITHUB_ACTIONS", "true", _github_job, _github_change),
    _Service("GITLAB_CI", "true", _gitlab_job, _gitlab_change),
    _Service("BUILDKITE", "true", _buildkite_job, _buildkite_change),
    _Service("CIRCLECI", "true", _circle_job, _circle_change),
    _Service("TF_BUILD", "True", _azure_job, _azure_change),
    _Service("BITBUCKET_BUILD_NUMBER", "", _bitbucket_job, _bitbucket_change),
    _Service("JENKINS_URL", "", _jenkins_job, _jenkins_change),
)
SERVICE_VARIABLES = tuple(service.variable for service in _SERVICES)


def _service(environment: Mapping[str, str]) -> _Service | None:
    given = ((service, environment.get(service.variable)) for service in _SERVICES)
    return next((service for service, value in given if value and value == (service.value or value)), None)
