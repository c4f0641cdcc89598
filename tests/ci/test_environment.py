import json
from pathlib import Path

import pytest

from bench_db.ci.environment import ci_change, ci_provenance
from bench_db.model import CiChange

JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "3",
    "GITHUB_REPOSITORY": "owner/name",
    "GITHUB_WORKFLOW": "Benchmarks",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REF": "refs/pull/7/merge",
    "GITHUB_SHA": "a" * 40,
}


class TestCiProvenance:
    """The fields describe the job, never the commit; outside of a job there are none."""

    def test_a_job_of_a_pull_request(self) -> None:
        assert ci_provenance(JOB) == {
            "run_id": "42",
            "attempt": 3,
            "repository": "owner/name",
            "workflow": "Benchmarks",
            "run_url": "https://github.example/owner/name/actions/runs/42",
        }

    @pytest.mark.parametrize("value", ["", "false", "1"])
    def test_outside_of_a_job(self, value: str) -> None:
        assert ci_provenance(JOB | {"GITHUB_ACTIONS": value}) == {}
        assert ci_provenance({}) == {}

    @pytest.mark.parametrize("name", ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"])
    def test_an_incomplete_address_is_none(self, name: str) -> None:
        assert ci_provenance(JOB | {name: ""})["run_url"] is None

    def test_the_first_attempt_needs_no_number(self) -> None:
        assert ci_provenance({"GITHUB_ACTIONS": "true"})["attempt"] == 1

    def test_a_pipeline_of_gitlab(self) -> None:
        assert ci_provenance(PIPELINE) == {
            "run_id": "5",
            "repository": "group/name",
            "workflow": "bench",
            "run_url": "https://ci.example/pipelines/5",
        }


PIPELINE = {
    "GITLAB_CI": "true",
    "CI_PIPELINE_ID": "5",
    "CI_PROJECT_PATH": "group/name",
    "CI_JOB_NAME": "bench",
    "CI_PIPELINE_URL": "https://ci.example/pipelines/5",
    "CI_COMMIT_SHA": "a" * 40,
    "CI_DEFAULT_BRANCH": "main",
}
PULL = {
    "number": 7,
    "head": {"sha": "b" * 40, "ref": "idea"},
    "base": {"sha": "c" * 40, "ref": "main"},
}


class TestGithubChange:
    """The payload of the event names the pull request and its head; the variables are the fallback."""

    def change(self, path: Path, event: object, **environment: str) -> CiChange | None:
        path.write_text(json.dumps(event))
        return ci_change(JOB | {"GITHUB_EVENT_PATH": str(path)} | environment)

    def test_pull_request(self, tmp_path: Path) -> None:
        event = {"pull_request": PULL, "repository": {"default_branch": "trunk"}}
        named = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_HEAD_REF": "idea", "GITHUB_BASE_REF": "main"}
        assert self.change(tmp_path / "event.json", event, **named) == CiChange(
            commit="a" * 40,
            head_commit="b" * 40,
            base_commit="c" * 40,
            branch="idea",
            base_branch="main",
            default_branch="trunk",
            pr_number=7,
            repository="owner/name",
        )

    def test_pull_request_without_a_payload(self) -> None:
        assert ci_change(JOB | {"GITHUB_HEAD_REF": "idea"}) == CiChange(
            commit="a" * 40, branch="idea", pr_number=7, repository="owner/name"
        )

    @pytest.mark.parametrize("ref", ["", "refs/heads/main", "refs/heads/refs/pull/7/merge", "refs/pull/x/merge"])
    def test_a_job_of_no_pull_request(self, ref: str) -> None:
        change = ci_change(JOB | {"GITHUB_REF": ref})
        assert change is not None
        assert change.pr_number is None
        assert change.branch == (ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None)

    def test_a_job_on_the_target_of_a_pull_request_does_not_check_out_its_merge(self, tmp_path: Path) -> None:
        change = self.change(
            tmp_path / "event.json",
            {"pull_request": PULL},
            GITHUB_EVENT_NAME="pull_request_target",
            GITHUB_REF="refs/heads/main",
        )
        assert change is not None
        assert (change.commit, change.head_commit, change.base_commit) == (None, "b" * 40, "a" * 40)
        assert (change.branch, change.pr_number) == ("idea", 7)

    def test_a_workflow_that_follows_another(self, tmp_path: Path) -> None:
        run = {"head_sha": "b" * 40, "head_branch": "idea", "pull_requests": [PULL]}
        change = self.change(
            tmp_path / "event.json",
            {"workflow_run": run},
            GITHUB_EVENT_NAME="workflow_run",
            GITHUB_REF="refs/heads/main",
        )
        assert change is not None
        assert (change.head_commit, change.branch, change.pr_number) == ("b" * 40, "idea", 7)

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"pull_request": 5, "repository": []}', "[" * 100_000])
    def test_a_payload_of_another_form_says_nothing(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "event.json").write_text(text)
        environment = JOB | {"GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
        assert ci_change(environment) == ci_change(JOB)
        assert ci_change(JOB | {"GITHUB_EVENT_PATH": str(tmp_path / "none")}) == ci_change(JOB)


class TestGitlabChange:
    """A pipeline of a merge request knows its source; another one its branch."""

    def test_branch(self) -> None:
        assert ci_change(PIPELINE | {"CI_COMMIT_BRANCH": "idea"}) == CiChange(
            commit="a" * 40, branch="idea", default_branch="main", repository="group/name"
        )

    def test_merge_request(self) -> None:
        request = {
            "CI_MERGE_REQUEST_IID": "12",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "idea",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "b" * 40,
            "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "c" * 40,
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        }
        assert ci_change(PIPELINE | request) == CiChange(
            commit="a" * 40,
            head_commit="b" * 40,
            base_commit="c" * 40,
            branch="idea",
            base_branch="main",
            default_branch="main",
            pr_number=12,
            repository="group/name",
        )

    def test_outside_of_a_job(self) -> None:
        assert ci_change({}) is None
