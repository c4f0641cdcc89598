"""The provenance of a run, from the environment of its CI job."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.model import CiChange

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLIC_API = "https://api.github.com"
_PULL = re.compile(r"refs/pull/(\d+)/")
_BRANCH = "refs/heads/"
# Events of GitHub whose jobs have the secrets of the repository, whoever wrote the code.
PRIVILEGED = frozenset({"pull_request_target", "workflow_run", "issue_comment"})


def ci_provenance(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the fields of `Provenance` that identify a job of GitHub Actions or GitLab CI; none outside of a job."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return _github_job(environment)
    return _gitlab_job(environment) if environment.get("GITLAB_CI") == "true" else {}


def ci_change(environment: Mapping[str, str] = os.environ) -> CiChange | None:
    """Return the change that a job of GitHub Actions or GitLab CI builds; None outside of a job."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return _github_change(environment)
    return _gitlab_change(environment) if environment.get("GITLAB_CI") == "true" else None


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
    """Return the change of a GitHub event. The payload of the event has what the variables lack, such as the head of a pull request."""
    event = _payload(environment.get("GITHUB_EVENT_PATH"))
    ref, commit = environment.get("GITHUB_REF", ""), environment.get("GITHUB_SHA") or None
    found = _PULL.match(ref)
    pull, run = _object(event, "pull_request"), _object(event, "workflow_run")
    pulls = run.get("pull_requests")
    if not pull and run and isinstance(pulls, list) and pulls and isinstance(pulls[0], dict):
        pull = pulls[0]
    number = pull.get("number") or (int(found[1]) if found else None)
    head, base = _object(pull, "head"), _object(pull, "base")
    on_base = environment.get("GITHUB_EVENT_NAME") in {"pull_request_target", "workflow_run"}
    of_ref = ref.removeprefix(_BRANCH) if ref.startswith(_BRANCH) else None
    branch = environment.get("GITHUB_HEAD_REF") or _text(head, "ref") or _text(run, "head_branch")
    return CiChange(
        commit=None if on_base else commit,
        head_commit=_text(head, "sha") or _text(run, "head_sha"),
        base_commit=commit if on_base else _text(base, "sha"),
        branch=branch or (None if on_base or number else of_ref),
        base_branch=environment.get("GITHUB_BASE_REF") or _text(base, "ref") or of_ref,
        default_branch=_text(_object(event, "repository"), "default_branch"),
        pr_number=number if isinstance(number, int) else None,
        repository=environment.get("GITHUB_REPOSITORY") or None,
    )


def _payload(path: str | None) -> dict[str, Any]:
    """Return the payload of the event; empty when there is none or it cannot be read."""
    try:
        payload = json.loads(Path(path).read_bytes()) if path else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def _object(payload: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


def _text(payload: Mapping[str, Any], name: str) -> str | None:
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
