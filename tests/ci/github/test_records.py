from typing import Any

import msgspec
import pytest

from bench_db.ci.github.records import UNFINISHED, Comment, CommitRecord, WorkflowRun, WorkflowRuns

RUN: dict[str, Any] = {
    "id": 30433642,
    "status": "completed",
    "conclusion": "success",
    "html_url": "https://github.test/runs/30433642",
    "event": "workflow_dispatch",
    "created_at": "2026-01-31T00:00:00Z",
}


def run(**changes: object) -> WorkflowRun:
    return msgspec.convert(RUN | changes, WorkflowRun)


class TestIsFinished:
    """A run has ended in every status but those of a run that waits or runs."""

    @pytest.mark.parametrize("status", sorted(UNFINISHED))
    def test_unfinished(self, status: str) -> None:
        assert not run(status=status, conclusion=None).is_finished

    @pytest.mark.parametrize("status", ["completed", "success", "failure", "cancelled", "timed_out"])
    def test_finished(self, status: str) -> None:
        assert run(status=status).is_finished


class TestFields:
    """A field that bench_db does not use is ignored; a used one that is missing is an error that names it."""

    def test_more_fields_and_absent_optional_ones(self) -> None:
        found = run(actor={"login": "a"}, repository=None)
        assert (found, found.display_title) == (run(), "")

    @pytest.mark.parametrize("name", RUN)
    def test_a_missing_field(self, name: str) -> None:
        page = {"workflow_runs": [{key: value for key, value in RUN.items() if key != name}]}
        with pytest.raises(msgspec.ValidationError, match=rf"`{name}`.*workflow_runs"):
            msgspec.convert(page, WorkflowRuns)

    def test_a_null_where_github_has_one(self) -> None:
        comment = msgspec.convert({"id": 1, "html_url": "u", "user": None, "body": None}, Comment)
        assert (comment.user, comment.body) == (None, None)
        commit = msgspec.convert({"sha": "a", "commit": {"message": "m", "committer": None}}, CommitRecord)
        assert (commit.commit.committer, commit.parents) == (None, [])
