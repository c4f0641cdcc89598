"""The jobs of CI services, at a detached HEAD: the points of main are main's, and those of anything else are not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import bench_db
from tests.everyday.asking import asked, begun, order, publish, store_of
from tests.support.everyday import BEGIN, HOUR, Repository

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)

SLOW = 0.007

# The variables of a job of main and of one of pull request 12 from the branch idea; SHA is the commit of the job.
JOBS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "buildkite": (
        {
            "BUILDKITE": "true",
            "BUILDKITE_COMMIT": "HEAD",
            "BUILDKITE_BRANCH": "main",
            "BUILDKITE_PULL_REQUEST": "false",
        },
        {"BUILDKITE": "true", "BUILDKITE_COMMIT": "SHA", "BUILDKITE_BRANCH": "idea", "BUILDKITE_PULL_REQUEST": "12"},
    ),
    "circle": (
        {"CIRCLECI": "true", "CIRCLE_SHA1": "SHA", "CIRCLE_BRANCH": "main"},
        {"CIRCLECI": "true", "CIRCLE_SHA1": "SHA", "CIRCLE_BRANCH": "idea", "CIRCLE_PULL_REQUEST": "https://x/pull/12"},
    ),
    "azure": (
        {"TF_BUILD": "True", "BUILD_SOURCEVERSION": "SHA", "BUILD_SOURCEBRANCH": "refs/heads/main"},
        {"TF_BUILD": "True", "BUILD_SOURCEVERSION": "SHA", "BUILD_SOURCEBRANCH": "refs/pull/12/merge"},
    ),
    "bitbucket": (
        {"BITBUCKET_BUILD_NUMBER": "1", "BITBUCKET_COMMIT": "SHA", "BITBUCKET_BRANCH": "main"},
        {"BITBUCKET_BUILD_NUMBER": "2", "BITBUCKET_COMMIT": "SHA", "BITBUCKET_BRANCH": "idea", "BITBUCKET_PR_ID": "12"},
    ),
    "jenkins": (
        {"JENKINS_URL": "x", "GIT_COMMIT": "SHA", "GIT_BRANCH": "origin/main"},
        {"JENKINS_URL": "x", "BRANCH_NAME": "PR-12", "CHANGE_ID": "12", "CHANGE_BRANCH": "idea"},
    ),
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def job(repository: Repository, variables: dict[str, str], mean: float, at: int) -> str:
    """Publish the commit at HEAD from a job that has checked it out without a branch; return its sha."""
    repository.git("checkout", "--quiet", "--detach")
    sha = repository.git("rev-parse", "HEAD")
    given = {name: value.replace("SHA", sha) for name, value in variables.items()}
    publish(repository, repository.measured(mean, at=at), **given)
    return sha


class TestServices:
    """A pull request is not main's history on any service."""

    @pytest.mark.parametrize("service", sorted(JOBS))
    def test_main_and_a_pull_request(self, repository: Repository, service: str) -> None:
        of_main, of_pull_request = JOBS[service]
        repository.commit_at(BEGIN)
        first = job(repository, of_main, 0.001, BEGIN + 60)
        repository.git("checkout", "--quiet", "-b", "idea")
        repository.commit_at(BEGIN + HOUR)
        pulled = job(repository, of_pull_request, SLOW, BEGIN + HOUR + 60)
        assert order(repository) == [first]
        assert order(repository, "--pr", "12") == [pulled]
        runs = asked(repository, "run", "list")["runs"]
        assert [run["commit"] for run in runs if run["pr_number"] == 12] == [pulled]
        assert [run["branch"] for run in runs if run["pr_number"] is None] == ["main"]

    def test_a_target_that_was_merged_into_the_head(self, repository: Repository) -> None:
        """Bitbucket measures a merge that exists only in the job: the commit is the head."""
        repository.commit_at(BEGIN)
        repository.git("checkout", "--quiet", "-b", "idea")
        head = repository.commit_at(BEGIN + HOUR)
        repository.git("checkout", "--quiet", "main")
        (repository.path / "other").write_text("x")
        repository.commit_at(BEGIN + 2 * HOUR)
        repository.git("checkout", "--quiet", "--detach", head)
        repository.git("merge", "--quiet", "-X", "ours", "-m", "merge", "main")
        variables = JOBS["bitbucket"][1] | {"BITBUCKET_COMMIT": head}
        publish(repository, repository.measured(SLOW, at=BEGIN + 3 * HOUR), **variables)
        assert order(repository, "--pr", "12") == [head]


class TestGithub:
    """Jobs whose checkout is not what started them."""

    @staticmethod
    def variables(
        repository: Repository, event_name: str, event: object, ref: str = "refs/heads/main"
    ) -> dict[str, str]:
        path = repository.path.parent / "event.json"
        path.write_text(json.dumps(event))
        sha = repository.git("rev-parse", "main")
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": event_name,
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_REF": ref,
            "GITHUB_SHA": sha,
        }

    @pytest.mark.parametrize(
        ("event_name", "event"),
        [
            ("issue_comment", {"issue": {"number": 12, "pull_request": {"url": "u"}}}),
            ("workflow_dispatch", {"inputs": {"pull_request": "12"}}),
        ],
    )
    @pytest.mark.parametrize("side", ["head", "merge"])
    def test_a_pull_request_that_the_job_checks_out(
        self, repository: Repository, event_name: str, event: object, side: str
    ) -> None:
        """A comment or a person asks for it, and the job is one of main."""
        first = begun(repository, 2)
        repository.git("checkout", "--quiet", "-b", "idea", "HEAD~1")
        head = repository.commit_at(BEGIN + 3 * HOUR)
        repository.git("checkout", "--quiet", "--detach", "main")
        if side == "merge":
            repository.git("merge", "--quiet", "--no-ff", "-X", "ours", "-m", "merge", "idea")
        else:
            repository.git("checkout", "--quiet", head)
        repository.git("update-ref", f"refs/remotes/pull/12/{side}", "HEAD")
        given = self.variables(repository, event_name, event)
        publish(repository, repository.measured(SLOW, at=BEGIN + 4 * HOUR), **given)
        assert order(repository) == first
        assert order(repository, "--pr", "12") == [head]

    def test_the_job_of_a_merged_pull_request(self, repository: Repository) -> None:
        """The event "closed" of a pull request that was merged is at a commit of main."""
        shas = begun(repository, 2)
        shas.append(repository.commit_at(BEGIN + 3 * HOUR))
        pull = {"number": 12, "merged": True, "merge_commit_sha": shas[-1], "head": {"sha": shas[0], "ref": "idea"}}
        event = {"pull_request": {**pull, "base": {"ref": "main"}}}
        repository.git("checkout", "--quiet", "--detach")
        given = self.variables(repository, "pull_request", event)
        publish(repository, repository.measured(0.001, at=BEGIN + 4 * HOUR), **given)
        assert order(repository) == shas

    def test_a_repository_that_was_renamed(self, repository: Repository) -> None:
        """The clone of a job has the name of before; its commit is that of the job."""
        first = begun(repository, 1)
        repository.git("remote", "add", "origin", "https://git.example/owner/new-name.git")
        repository.git("checkout", "--quiet", "--detach")
        pulled = repository.commit_at(BEGIN + 3 * HOUR)
        given = {**self.variables(repository, "pull_request", {}, "refs/pull/12/merge"), "GITHUB_SHA": pulled}
        publish(repository, repository.measured(SLOW, at=BEGIN + 4 * HOUR), GITHUB_REPOSITORY="owner/old-name", **given)
        assert order(repository) == first
        assert order(repository, "--pr", "12") == [pulled]

    def test_an_older_commit_of_main(self, repository: Repository) -> None:
        """A person starts the job for it, and it takes its place in the order of git."""
        shas = begun(repository, 3)
        older = shas.pop(1)
        repository.git("checkout", "--quiet", "--detach", older)
        given = self.variables(repository, "workflow_dispatch", {"inputs": {}})
        publish(repository, repository.measured(0.0011, at=BEGIN + 40 * HOUR), **given)
        assert order(repository) == [shas[0], older, older, shas[1]]
        assert asked(repository, "latest")[0]["commit"] == shas[1]

    def test_a_merge_queue(self, repository: Repository) -> None:
        """What the queue measures is of main once main has it, and what it drops is not."""
        shas = begun(repository, 2)
        queued = []
        for number in (7, 8):
            base = repository.git("rev-parse", "main")
            repository.git("checkout", "--quiet", "--detach", "main")
            queued.append(repository.commit_at(BEGIN + (3 + number) * HOUR))
            ref = f"refs/heads/gh-readonly-queue/main/pr-{number}-{base}"
            event = {"merge_group": {"head_ref": ref, "head_sha": queued[-1], "base_ref": "refs/heads/main"}}
            given = {**self.variables(repository, "merge_group", event, ref), "GITHUB_SHA": queued[-1]}
            publish(repository, repository.measured(0.001, at=BEGIN + (3 + number) * HOUR + 60), **given)
        assert order(repository) == shas
        repository.git("checkout", "--quiet", "-B", "main", queued[0])
        publish(repository, repository.measured(0.0011, at=BEGIN + 20 * HOUR))
        assert order(repository) == [*shas, queued[0], queued[0]]


class TestAnotherOwner:
    """Git reads no checkout of another user, as in a job that runs in a container: its results would be stored without their commit."""

    @pytest.fixture
    def refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")

    @staticmethod
    def said(repository: Repository, *more: object) -> str:
        file = repository.measured(SLOW, at=BEGIN + 4 * HOUR)
        answer = bench_db("publish", file, "--store", store_of(repository), "--test-bed-name", "t", *more)
        assert answer.code == 2, answer.out
        return answer.err

    @pytest.mark.parametrize("more", [(), ("--commit", "HEAD")])
    def test_is_refused_with_what_to_do(
        self, repository: Repository, more: tuple[str, ...], request: pytest.FixtureRequest
    ) -> None:
        first = begun(repository, 1)
        request.getfixturevalue("refused")
        said = self.said(repository, *more)
        assert f"git config --global --add safe.directory {repository.path}" in said
        assert order(repository) == first

    def test_a_commit_that_is_stated_is_enough(self, repository: Repository, request: pytest.FixtureRequest) -> None:
        first = begun(repository, 1)
        request.getfixturevalue("refused")
        more = ("--commit", first[0], "--dut-timestamp", BEGIN)
        publish(repository, repository.measured(0.0011, at=BEGIN + HOUR), *more)
        assert order(repository) == first * 2


class TestFollowing:
    """A job that follows another one publishes the files of that one, from a checkout of the default branch."""

    @staticmethod
    def following(
        repository: Repository, began: str, head: str, branch: str = "idea", owner: str = "owner"
    ) -> dict[str, str]:
        pull = {"number": 12, "head": {"ref": branch, "sha": head}, "base": {"ref": "main"}}
        run = {
            "event": began,
            "head_branch": branch,
            "head_sha": head,
            "head_repository": {"full_name": f"{owner}/proj"},
            "pull_requests": [pull] if (began, owner) == ("pull_request", "owner") else [],
        }
        event = {"workflow_run": run, "repository": {"full_name": "owner/proj", "default_branch": "main"}}
        return TestGithub.variables(repository, "workflow_run", event)

    @pytest.mark.parametrize(
        ("began", "branch", "owner", "asks"),
        [
            ("pull_request", "idea", "owner", ("--pr", "12")),
            ("pull_request", "main", "stranger", ("--branch", "stranger:main")),
            ("push", "idea", "owner", ("--branch", "idea")),
        ],
    )
    @pytest.mark.parametrize("named", [False, True])
    def test_what_another_job_measured(
        self, repository: Repository, began: str, branch: str, owner: str, asks: tuple[str, str], *, named: bool
    ) -> None:
        """It is not main's, whether the file names no commit, or a merge that the clone does not have."""
        first = begun(repository, 2)
        head = "d" * 40
        file = repository.measured(SLOW, at=BEGIN + 4 * HOUR)
        if named:
            document = json.loads(file.read_text())
            document["commit_info"] = {"id": "e" * 40, "time": "2026-01-01T00:00:00+00:00", "branch": "(detached head)"}
            file.write_text(json.dumps(document))
        answer = publish(
            repository, file, "--dut-name", "proj", **self.following(repository, began, head, branch, owner)
        )
        said = " ".join(answer["published"][0]["notes"])
        assert ("whether main has eeeeeeeee is unknown here" if named else "a workflow run of commit ddddddddd") in said
        assert order(repository) == first
        assert order(repository, *asks) == ["e" * 40 if named else head]

    def test_an_older_commit_of_main(self, repository: Repository) -> None:
        """Either commit may be meant, and the job says which one is stored."""
        older, newest = begun(repository, 2)
        answer = publish(
            repository,
            repository.measured(0.0011, at=BEGIN + 4 * HOUR),
            **self.following(repository, "push", older, "main"),
        )
        (note,) = answer["published"][0]["notes"]
        assert note.startswith(f"the job follows a workflow run of commit {older[:9]}, and the results count as those")
        assert order(repository) == [older, newest, newest]

    def test_the_same_commit_of_main(self, repository: Repository) -> None:
        older, newest = begun(repository, 2)
        answer = publish(
            repository,
            repository.measured(0.0011, at=BEGIN + 4 * HOUR),
            **self.following(repository, "schedule", newest, "main"),
        )
        assert not answer["published"][0]["notes"]
        assert order(repository) == [older, newest, newest]


class TestDetached:
    """A complete clone says of a commit at no branch whether main has it."""

    @pytest.fixture
    def clone(self, repository: Repository) -> Repository:
        """Return a clone of a repository with two measured commits on main, and on release/1 a later one without a measurement."""
        begun(repository, 2)
        repository.git("checkout", "--quiet", "-b", "release/1", "HEAD~1")
        repository.commit_at(BEGIN + 9 * HOUR)
        repository.git("tag", "v1.1")
        repository.git("checkout", "--quiet", "main")
        repository.git("clone", "--quiet", repository.path.as_uri(), str(repository.path.parent / "clone"))
        return Repository(repository.path.parent / "clone")

    def test_the_tag_of_a_release_branch(self, clone: Repository) -> None:
        """A backport that is released after main went on is not the newest commit of main."""
        before = order(clone)
        clone.git("checkout", "--quiet", "--force", "v1.1")
        event = {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/tags/v1.1", "GITHUB_SHA": clone.git("rev-parse", "HEAD")}
        publish(clone, clone.measured(SLOW, at=BEGIN + 10 * HOUR), **event)
        assert order(clone) == before
        assert len(order(clone, "--branch", "release/1")) == 1

    def test_a_tag_in_a_shallow_clone(self, repository: Repository) -> None:
        """It does not show whether main has the commit, so the job says that its results count as main's."""
        begun(repository, 1)
        repository.git("tag", "v1.0")
        repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
        shallow = Repository(repository.path.parent / "shallow")
        shallow.git("remote", "add", "origin", repository.path.as_uri())
        shallow.git("fetch", "--quiet", "--depth", "1", "origin", "tag", "v1.0")
        shallow.git("checkout", "--quiet", "--force", "v1.0")
        sha = shallow.git("rev-parse", "HEAD")
        event = {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/tags/v1.0", "GITHUB_SHA": sha}
        answer = publish(shallow, shallow.measured(0.0011, at=BEGIN + HOUR), **event)
        (note,) = answer["published"][0]["notes"]
        assert "the branch is unknown and its results count as the main branch's" in note
        assert order(repository) == [sha, sha]

    def test_a_commit_that_no_branch_has(self, clone: Repository) -> None:
        """Such as a change of jujutsu, which checks out no branch, or an experiment. It counts once it is published from main."""
        before = order(clone)
        clone.git("checkout", "--quiet", "--force", "--detach", "origin/main")
        own = clone.commit_at(BEGIN + 20 * HOUR)
        answer = publish(clone, clone.measured(SLOW, at=BEGIN + 21 * HOUR))
        assert [note for file in answer["published"] for note in file["notes"]] == [
            "the checkout is at no branch, and main does not have its commit: the branch is 'detached', and so no main history; state it"
        ]
        assert order(clone) == before
        assert order(clone, "--branch", "detached") == [own]
        clone.git("checkout", "--quiet", "-B", "main")
        publish(clone, clone.measured(0.0011, at=BEGIN + 22 * HOUR))
        assert order(clone) == [*before, own, own]

    def test_the_tag_of_a_commit_of_main(self, clone: Repository) -> None:
        before = order(clone)
        clone.git("checkout", "--quiet", "--force", before[0])
        publish(clone, clone.measured(0.0011, at=BEGIN + 10 * HOUR))
        assert order(clone) == [before[0], *before]
