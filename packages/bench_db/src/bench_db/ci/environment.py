"""The provenance of a run, from the environment of its CI job."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_PULL = re.compile(r"refs/pull/(\d+)/")


def ci_provenance(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the fields of `Provenance` that GitHub Actions gives; none outside of it. They identify the job, not the commit."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return {}
    pull = _PULL.match(environment.get("GITHUB_REF", ""))
    server, repository = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_REPOSITORY")
    run_id = environment.get("GITHUB_RUN_ID")
    url = f"{server}/{repository}/actions/runs/{run_id}" if server and repository and run_id else None
    return {
        "run_id": run_id,
        "attempt": int(environment.get("GITHUB_RUN_ATTEMPT") or 1),
        "repository": repository,
        "workflow": environment.get("GITHUB_WORKFLOW"),
        "run_url": url,
        "pr_number": int(pull[1]) if pull else None,
    }
