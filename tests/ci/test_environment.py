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

    def test_a_workflow_that_follows_one_of_a_fork(self, tmp_path: Path) -> None:
        """GitHub names no pull request of a fork there, and the branch of the fork may be called main."""
        run = {
            "head_sha": "b" * 40,
            "head_branch": "main",
            "head_repository": {"full_name": "stranger/name"},
            "pull_requests": [],
        }
        event = {"workflow_run": run, "repository": {"full_name": "owner/name", "default_branch": "main"}}
        named = {"GITHUB_EVENT_NAME": "workflow_run", "GITHUB_REF": "refs/heads/main"}
        change = self.change(tmp_path / "event.json", event, **named)
        assert change is not None
        assert (change.head_commit, change.branch, change.pr_number) == ("b" * 40, "stranger:main", None)
        run["head_repository"] = {"full_name": "owner/name"}
        change = self.change(tmp_path / "event.json", event, **named)
        assert change is not None
        assert change.branch == "main"

    @pytest.mark.parametrize(("event", "own"), [("push", True), ("pull_request", False), (None, False)])
    def test_a_workflow_that_follows_a_push_to_a_branch_with_a_pull_request(
        self, tmp_path: Path, event: str | None, *, own: bool
    ) -> None:
        """GitHub lists each pull request that is open from the branch, whatever began the run."""
        run = {"event": event, "head_sha": "b" * 40, "head_branch": "idea", "pull_requests": [PULL]}
        named = {"GITHUB_EVENT_NAME": "workflow_run", "GITHUB_REF": "refs/heads/main"}
        change = self.change(tmp_path / "event.json", {"workflow_run": run}, **named)
        assert change is not None
        assert (change.pr_number, change.of_branch) == (7, own)

    @pytest.mark.parametrize("ref", ["refs/heads/main", "refs/pull/7/merge"])
    def test_a_merged_pull_request(self, tmp_path: Path, ref: str) -> None:
        """The job of the event "closed" is at the commit that main has, and may check out the head."""
        event = {"pull_request": PULL | {"merged": True, "merge_commit_sha": "a" * 40}}
        named = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_HEAD_REF": "idea", "GITHUB_REF": ref}
        assert self.change(tmp_path / "event.json", event, **named) == CiChange(
            head_commit="b" * 40,
            base_commit="a" * 40,
            branch="idea",
            base_branch="main",
            pr_number=7,
            repository="owner/name",
        )

    def test_a_comment_on_a_pull_request(self, tmp_path: Path) -> None:
        """The job starts on the default branch, and what else it checks out is of the pull request."""
        named = {"GITHUB_EVENT_NAME": "issue_comment", "GITHUB_REF": "refs/heads/main"}
        change = self.change(tmp_path / "event.json", {"issue": {"number": 7, "pull_request": {"url": "u"}}}, **named)
        assert change is not None
        assert (change.commit, change.base_commit, change.base_branch) == (None, "a" * 40, "main")
        assert (change.branch, change.pr_number) == (None, 7)
        change = self.change(tmp_path / "event.json", {"issue": {"number": 7}}, **named)
        assert change is not None
        assert change.pr_number is None

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


BUILDKITE = {
    "BUILDKITE": "true",
    "BUILDKITE_BUILD_ID": "b-1",
    "BUILDKITE_BUILD_URL": "https://ci.example/b/7",
    "BUILDKITE_RETRY_COUNT": "1",
    "BUILDKITE_PIPELINE_SLUG": "bench",
    "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "trunk",
    "BUILDKITE_REPO": "https://user:secret@git.example/owner/name.git",
    "BUILDKITE_COMMIT": "a" * 40,
    "BUILDKITE_BRANCH": "trunk",
    "BUILDKITE_PULL_REQUEST": "false",
}
CIRCLE = {
    "CIRCLECI": "true",
    "CIRCLE_WORKFLOW_ID": "w-1",
    "CIRCLE_JOB": "bench",
    "CIRCLE_BUILD_URL": "https://ci.example/c/7",
    "CIRCLE_PROJECT_USERNAME": "owner",
    "CIRCLE_PROJECT_REPONAME": "name",
    "CIRCLE_SHA1": "a" * 40,
    "CIRCLE_BRANCH": "main",
}
AZURE = {
    "TF_BUILD": "True",
    "BUILD_BUILDID": "9",
    "BUILD_DEFINITIONNAME": "bench",
    "BUILD_REPOSITORY_NAME": "owner/name",
    "BUILD_SOURCEVERSION": "a" * 40,
    "BUILD_SOURCEBRANCH": "refs/heads/main",
    "SYSTEM_COLLECTIONURI": "https://ci.example/org/",
    "SYSTEM_TEAMPROJECT": "a project",
    "SYSTEM_JOBATTEMPT": "2",
}
BITBUCKET = {
    "BITBUCKET_BUILD_NUMBER": "5",
    "BITBUCKET_REPO_FULL_NAME": "owner/name",
    "BITBUCKET_GIT_HTTP_ORIGIN": "https://git.example/owner/name",
    "BITBUCKET_COMMIT": "a" * 40,
    "BITBUCKET_BRANCH": "main",
}
JENKINS = {
    "JENKINS_URL": "https://ci.example/",
    "JOB_NAME": "bench/main",
    "BUILD_NUMBER": "3",
    "BUILD_URL": "https://ci.example/job/3/",
    "GIT_URL": "git@git.example:owner/name.git",
    "GIT_COMMIT": "a" * 40,
}
BUILDKITE_PULL = BUILDKITE | {"BUILDKITE_PULL_REQUEST": "9"}
CIRCLE_PULL = CIRCLE | {"CIRCLE_PULL_REQUEST": "https://git.example/owner/name/pull/9"}


class TestOtherServices:
    """The variables of each service name the job, the branch and the pull request; an address gives its last two parts alone."""

    @pytest.mark.parametrize(
        ("job", "expected"),
        [
            (BUILDKITE, {"run_id": "b-1", "attempt": 2, "workflow": "bench", "run_url": "https://ci.example/b/7"}),
            (CIRCLE, {"run_id": "w-1", "workflow": "bench", "run_url": "https://ci.example/c/7"}),
            (
                AZURE,
                {
                    "run_id": "9",
                    "attempt": 2,
                    "workflow": "bench",
                    "run_url": "https://ci.example/org/a%20project/_build/results?buildId=9",
                },
            ),
            (BITBUCKET, {"run_id": "5", "run_url": "https://git.example/owner/name/pipelines/results/5"}),
            (JENKINS, {"run_id": "bench/main#3", "workflow": "bench/main", "run_url": "https://ci.example/job/3/"}),
        ],
        ids=["buildkite", "circle", "azure", "bitbucket", "jenkins"],
    )
    def test_a_job(self, job: dict[str, str], expected: dict[str, object]) -> None:
        assert ci_provenance(job) == {"repository": "owner/name"} | expected

    @pytest.mark.parametrize(
        ("job", "branch", "number"),
        [
            (BUILDKITE, "trunk", None),
            (BUILDKITE | {"BUILDKITE_BRANCH": "idea", "BUILDKITE_PULL_REQUEST": "12"}, "idea", 12),
            (BUILDKITE | {"BUILDKITE_BRANCH": "v1", "BUILDKITE_TAG": "v1"}, None, None),
            (CIRCLE, "main", None),
            (CIRCLE | {"CIRCLE_PULL_REQUEST": "https://git.example/o/n/pull/4"}, "main", None),
            (CIRCLE | {"CIRCLE_BRANCH": "idea", "CIRCLE_PULL_REQUEST": "https://git.example/o/n/pull/4"}, "idea", 4),
            (CIRCLE | {"CIRCLE_BRANCH": "pull/12", "CIRCLE_PR_NUMBER": "12"}, "pull/12", 12),
            (CIRCLE | {"CIRCLE_BRANCH": "", "CIRCLE_TAG": "v1"}, None, None),
            (AZURE, "main", None),
            (AZURE | {"BUILD_SOURCEBRANCH": "refs/pull/12/merge"}, None, 12),
            (
                AZURE
                | {
                    "BUILD_SOURCEBRANCH": "refs/pull/12/merge",
                    "SYSTEM_PULLREQUEST_PULLREQUESTID": "12",
                    "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/idea",
                },
                "idea",
                12,
            ),
            (AZURE | {"BUILD_SOURCEBRANCH": "refs/tags/v1"}, None, None),
            (BITBUCKET, "main", None),
            (BITBUCKET | {"BITBUCKET_BRANCH": "idea", "BITBUCKET_PR_ID": "12"}, "idea", 12),
            (JENKINS | {"GIT_BRANCH": "origin/main"}, "main", None),
            (JENKINS | {"GIT_BRANCH": "refs/heads/origin/idea"}, "origin/idea", None),
            (JENKINS | {"GIT_BRANCH": "refs/remotes/upstream/my/idea"}, "my/idea", None),
            (JENKINS | {"GIT_BRANCH": "refs/tags/v1"}, None, None),
            (JENKINS | {"GIT_BRANCH": "detached"}, None, None),
            (JENKINS | {"BRANCH_NAME": "main", "BRANCH_IS_PRIMARY": "true"}, "main", None),
            (JENKINS | {"BRANCH_NAME": "v1", "TAG_NAME": "v1"}, None, None),
            (JENKINS | {"BRANCH_NAME": "PR-12", "CHANGE_ID": "12", "CHANGE_BRANCH": "idea"}, "idea", 12),
        ],
    )
    def test_branch_and_pull_request(self, job: dict[str, str], branch: str | None, number: int | None) -> None:
        change = ci_change(job)
        assert change is not None
        assert (change.branch, change.pr_number, change.repository) == (branch, number, "owner/name")

    @pytest.mark.parametrize(
        ("job", "own"),
        [
            (BUILDKITE_PULL | {"BUILDKITE_PULL_REQUEST_REPO": "git://git.example/Owner/name.git"}, True),
            (BUILDKITE_PULL | {"BUILDKITE_PULL_REQUEST_REPO": "git://git.example/stranger/name.git"}, False),
            (BUILDKITE_PULL, False),
            (CIRCLE_PULL | {"CIRCLE_BRANCH": "develop"}, True),
            (CIRCLE_PULL | {"CIRCLE_BRANCH": "pull/9"}, False),
            (CIRCLE_PULL | {"CIRCLE_BRANCH": "develop", "CIRCLE_PR_NUMBER": "9"}, False),
        ],
        ids=["buildkite", "buildkite-fork", "buildkite-unknown", "circle", "circle-fork", "circle-fork-number"],
    )
    def test_an_open_pull_request_of_a_branch_that_is_built_by_itself(self, job: dict[str, str], *, own: bool) -> None:
        change = ci_change(job)
        assert change is not None
        assert (change.pr_number, change.of_branch) == (9, own)

    def test_the_default_branch(self) -> None:
        named = [ci_change(BUILDKITE), ci_change(JENKINS | {"BRANCH_NAME": "trunk", "BRANCH_IS_PRIMARY": "true"})]
        assert [change.default_branch for change in named if change] == ["trunk", "trunk"]

    @pytest.mark.parametrize(
        ("address", "path"),
        [
            ("https://ci:SECRET@git.example/name.git", "name"),
            ("https://SECRET@git.example/name.git", "name"),
            ("https://ci:SECRET@git.example:8443/name/", "name"),
            ("https://ci:SE/CRET@git.example/group/owner/name", "owner/name"),
            ("https://ci:SE://CRET@git.example/owner/name", "owner/name"),
            ("https://ci:SE#CRET@git.example/name", "name"),
            ("https://ci:SECRET@git.example", None),
            ("https://git.example/owner/name.git?token=SECRET", "owner/name"),
            ("ci:SECRET@git.example/name.git", "name"),
            ("SECRET@git.example:name.git", "name"),
            ("SECRET@git.example", None),
            ("ssh://git@git.example:2222/owner/name.git", "owner/name"),
            ("git@[::1]:owner/name.git", "owner/name"),
            ("git.example:name", "name"),
            ("file:///owner/name.git", "owner/name"),
            ("owner/name", "owner/name"),
            (r"C:\git\name", "git/name"),
            ("", None),
        ],
    )
    def test_an_address_without_its_secrets(self, address: str, path: str | None) -> None:
        for job in (BUILDKITE | {"BUILDKITE_REPO": address}, JENKINS | {"GIT_URL": address}):
            change = ci_change(job)
            assert change is not None
            assert (ci_provenance(job)["repository"], change.repository) == (path, path)

    @pytest.mark.parametrize(
        "job",
        [
            JENKINS | {"BUILD_URL": "https://ci:SECRET@ci.example/job/3/"},
            BITBUCKET | {"BITBUCKET_GIT_HTTP_ORIGIN": "https://SECRET@ci.example/job/3"},
            AZURE | {"SYSTEM_COLLECTIONURI": "https://SECRET@ci.example/job/3"},
        ],
        ids=["jenkins", "bitbucket", "azure"],
    )
    def test_an_address_of_a_run_without_its_secrets(self, job: dict[str, str]) -> None:
        assert ci_provenance(job)["run_url"].startswith("https://ci.example/job/3")

    @pytest.mark.parametrize("job", [{"BUILDKITE": "false"}, {"CIRCLECI": ""}, {"TF_BUILD": "1"}, {"JENKINS_URL": ""}])
    def test_outside_of_a_job(self, job: dict[str, str]) -> None:
        assert (ci_change(job), ci_provenance(job)) == (None, {})
