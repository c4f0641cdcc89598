"""Answers speak of the main history: a pull request, another branch and what a force push took away are not part of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

import bench_db as api
from bench_db.store.tables import COMMITS_TABLE
from tests.cli.conftest import bench_db
from tests.everyday.asking import asked, begun, grown, order, publish, store_of
from tests.support.everyday import BEGIN, HOUR, Repository

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.sample(4)

SLOW, FAST = 7.0, 0.7  # seconds
# 7.0 s as any verb may write it: in nanoseconds, seconds, and as a change of +900 %
_OF_PULL_REQUEST = re.compile(
    r"\b(6\.[89]|7\.[0-2])\d*( ?s\b|e\+?0?9)|\b(6[89]|7[0-2])\d{8}\b|\+(8[5-9]|9[0-4])\d(\.\d+)? ?%"
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


@pytest.fixture(scope="module")
def with_pull_request(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with 24 measured commits on main, and a pull request of 6, ten times as slow, published among them."""
    repository = Repository(tmp_path_factory.mktemp("busy") / "repo")
    grown(repository, 16, FAST)
    repository.git("checkout", "--quiet", "-b", "slow-idea", "HEAD~2")
    grown(repository, 6, SLOW, "--pr", "12", start=20)
    repository.git("checkout", "--quiet", "main")
    grown(repository, 8, FAST, start=30)
    return repository


class TestPullRequest:
    """Case: the runs of a pull request were main's baseline, findings and newest results."""

    @pytest.mark.slow
    def test_the_gate_compares_with_main(self, repository: Repository) -> None:
        begun(repository, 8)
        repository.git("checkout", "--quiet", "-b", "slow-idea", "HEAD~2")
        grown(repository, 6, 0.002, "--pr", "12", start=10)
        repository.git("checkout", "--quiet", "main")
        grown(repository, 4, start=20)
        (worse,) = grown(repository, 1, 0.0013, start=30)
        gate = asked(repository, "check", "--baseline", "last:5", code=1)
        assert (gate["candidate"], gate["passed"], len(gate["failing"])) == (worse, False, 1)
        assert gate["comparisons"][0]["effect"] == pytest.approx(0.3, abs=0.03)

    def test_it_is_compared_with_main(self, with_pull_request: Repository) -> None:
        head = with_pull_request.git("rev-parse", "slow-idea")
        compared = asked(with_pull_request, "compare", head)
        assert [(c["verdict"], round(c["effect"])) for c in compared["comparisons"]] == [("regressed", 9)]
        assert asked(with_pull_request, "compare", "latest", "--pr", "12")["candidate"] == head

    def test_a_fork_may_call_its_branch_main(self, repository: Repository) -> None:
        begun(repository, 6)
        repository.git("checkout", "--quiet", "-b", "idea")
        grown(repository, 3, 0.003, "--pr", "5", "--branch", "main", start=10)
        repository.git("checkout", "--quiet", "main")
        grown(repository, 1, start=20)
        compared = asked(repository, "compare", "latest", "--baseline", "last:5", "--baseline-branch", "main")
        assert [(c["verdict"], c["n_baseline"]) for c in compared["comparisons"]] == [("unchanged", 5)]

    @pytest.mark.parametrize("verb", ["latest", "trend", "summary", "compare", "check", "detect", "noise", "scan"])
    def test_each_verb_says_whose_history(self, with_pull_request: Repository, verb: str) -> None:
        more = {
            "trend": ("*",),
            "detect": ("*",),
            "check": ("--baseline", "level"),
            "compare": ("latest",),
            "scan": ("--dry-run",),
        }.get(verb, ())
        answer = bench_db(verb, *more, "--store", store_of(with_pull_request))
        assert answer.err == "of the main history (branch main)\n"
        in_json = bench_db(verb, *more, "--store", store_of(with_pull_request), "--output", "json")
        said = answer.err if isinstance(in_json.document, list) else f"of {in_json.document['history']}\n"
        assert said == "of the main history (branch main)\n"
        assert in_json.err == (said if isinstance(in_json.document, list) else "")

    def test_a_scan_of_another_history_says_that_it_stores_nothing(self, with_pull_request: Repository) -> None:
        answer = bench_db("scan", "--pr", "12", "--store", store_of(with_pull_request))
        assert answer.err == "of pull request 12; only findings of the main history are stored\n"
        assert asked(with_pull_request, "scan", "--pr", "12")["stored"] is False
        assert asked(with_pull_request, "finding", "list")["findings"] == []

    def test_its_own_points_can_be_asked_for(self, with_pull_request: Repository) -> None:
        assert len(order(with_pull_request)) == 24
        assert len(order(with_pull_request, "--pr", "12")) == 6
        assert len(order(with_pull_request, "--all")) == 30
        assert len(order(with_pull_request, "--branch", "slow-idea")) == 6
        assert (
            asked(with_pull_request, "has", with_pull_request.git("rev-parse", "slow-idea"), code=1)["present"] is False
        )
        assert len(asked(with_pull_request, "query", "select run_key from results", "--all")) == 30

    @pytest.mark.parametrize(
        "words",
        [
            ("latest",),
            ("trend", "*"),
            ("summary",),
            ("summary", "--last", "10"),
            ("scan", "--dry-run"),
            ("detect", "*"),
            ("noise",),
            ("compare", "latest"),
            ("compare", "latest", "--baseline", "last:9"),
            ("compare", "latest", "--markdown"),
            ("compare", "latest", "--all"),
            ("check", "--baseline", "level"),
            ("query", "select * from results"),
            ("query", "select * from runs"),
            ("query", "select * from findings"),
            ("query", "select max(median) from results"),
            ("query", "--filter", "median > 0"),
            ("finding", "list"),
            ("run", "list", "--file", "none*"),
            ("commits", "list"),
        ],
        ids=" ".join,
    )
    @pytest.mark.parametrize("output", ["text", "json"])
    def test_no_verb_shows_its_number(self, with_pull_request: Repository, words: tuple[str, ...], output: str) -> None:
        answer = bench_db(*words, "--store", store_of(with_pull_request), "--output", output)
        assert answer.code == 0, answer.err
        assert not _OF_PULL_REQUEST.search(answer.out), answer.out

    @pytest.mark.slow
    def test_no_page_and_no_feed_shows_its_number(self, with_pull_request: Repository, tmp_path: Path) -> None:
        head = with_pull_request.git("rev-parse", "slow-idea")
        asked(with_pull_request, "site", tmp_path / "site")
        files = [
            file for file in (tmp_path / "site").rglob("*") if file.suffix in {".html", ".js", ".json", ".xml", ".svg"}
        ]
        assert {file.name.partition("-")[0] for file in files if head in file.read_text()} == {
            "pull"
        }  # of its own chart
        feed = bench_db("scan", "--dry-run", "--store", store_of(with_pull_request)).out
        assert head[:9] not in feed

    def test_no_function_gives_its_number(self, with_pull_request: Repository) -> None:
        store = api.connect(store_of(with_pull_request))
        frames = [
            store.latest(),
            store.trend("*"),
            store.summary(),
            store.scan().collect(),
            store.query("select * from results"),
            api.detect(store).frame(),
            api.scan(store, dry_run=True).frame(),
            api.compare(store).frame(),
            api.noise(store).frame(),
        ]
        for frame in frames:
            assert not _OF_PULL_REQUEST.search(json.dumps(frame.to_dicts(), default=str))
        assert len(store.runs().collect()) == 24


class TestForcePush:
    """Case: commits that a force push took away stayed in the history, in findings and baselines."""

    @pytest.mark.slow
    def test_sync_takes_them_out(self, repository: Repository) -> None:
        good = begun(repository, 22)
        bad = grown(repository, 4, 0.004, start=22)
        assert asked(repository, "scan")["findings"]
        repository.git("reset", "--quiet", "--hard", good[-1])
        after = grown(repository, 3, start=30)
        done = asked(repository, "commits", "sync", "--clone", repository.path)
        assert sorted(done["unreachable"]) == sorted(bad)
        assert order(repository) == [*good, *after]
        assert asked(repository, "finding", "list")["findings"] == []
        assert asked(repository, "compare", "latest")["comparisons"][0]["verdict"] == "unchanged"
        assert set(order(repository, "--all")) == {*good, *bad, *after}

    def test_what_comes_back_counts_again(self, repository: Repository) -> None:
        shas = begun(repository, 4)
        repository.git("reset", "--quiet", "--hard", shas[1])
        asked(repository, "commits", "sync", "--clone", repository.path)
        assert order(repository) == shas[:2]
        repository.git("reset", "--quiet", "--hard", shas[3])
        asked(repository, "commits", "sync", "--clone", repository.path)
        assert order(repository) == shas

    def test_a_shallow_clone_is_refused(self, repository: Repository, tmp_path: Path) -> None:
        begun(repository, 3)
        repository.git("clone", "--quiet", "--depth", "1", f"file://{repository.path}", str(tmp_path / "shallow"))
        answer = bench_db("commits", "sync", "--clone", tmp_path / "shallow", "--store", store_of(repository))
        assert (answer.code, "git fetch --unshallow" in answer.err) == (2, True)

    @pytest.mark.slow
    def test_a_clone_that_is_behind_takes_nothing_out(self, repository: Repository, tmp_path: Path) -> None:
        shas = begun(repository, 3)
        repository.git("clone", "--quiet", f"file://{repository.path}", str(tmp_path / "behind"))
        shas += grown(repository, 2, start=5)
        done = asked(repository, "commits", "sync", "--clone", tmp_path / "behind")
        assert (done["unreachable"], done["not_in_clone"]) == ([], 2)
        assert order(repository) == shas


class TestReleaseBranch:
    """A commit of a release branch, measured on its branch and at a detached HEAD, too."""

    @pytest.mark.parametrize(("first", "known_by"), [("branch", "clone"), ("branch", "sync"), ("detached", "sync")])
    def test_what_names_no_branch_is_not_mains(self, repository: Repository, first: str, known_by: str) -> None:
        """A complete clone has shown that main does not have it, and the job of a tag in a shallow clone shows nothing."""
        before = begun(repository, 3)
        repository.git("checkout", "--quiet", "-b", "release/1", "HEAD~2")
        backport = repository.commit_at(BEGIN + 9 * HOUR)
        shallow = Repository(repository.path.parent / "shallow")
        shallow.git("remote", "add", "origin", repository.path.as_uri())
        shallow.git("fetch", "--quiet", "--depth", "1", "origin", "release/1")
        for step in ("branch", "detached") if first == "branch" else ("detached", "branch"):
            words = ("-B", "release/1") if step == "branch" else ("--detach",)
            of_step = repository if step == "branch" and known_by == "clone" else shallow
            of_step.git("checkout", "--quiet", "--force", *words, backport)
            publish(of_step, of_step.measured(SLOW, at=BEGIN + 10 * HOUR))
        if known_by == "sync":
            asked(repository, "commits", "sync", "--clone", repository.path)
        assert order(repository) == before
        assert asked(repository, "latest")[0]["commit"] == before[-1]
        assert order(repository, "--branch", "release/1") == [backport]
        assert [row["commit"] for row in asked(repository, "latest", "--branch", "release/1")] == [backport]
        asked(repository, "store", "optimize")
        assert asked(repository, "latest")[0]["commit"] == before[-1]
        assert [row["commit"] for row in asked(repository, "latest", "--branch", "release/1")] == [backport]


class TestFastForward:
    """A commit measured on its own branch belongs to main once main has it."""

    def test_joined_by_sync(self, repository: Repository) -> None:
        shas = begun(repository, 3)
        repository.git("checkout", "--quiet", "-b", "topic")
        shas += grown(repository, 2, start=5)
        assert order(repository) == shas[:3]
        repository.git("checkout", "--quiet", "main")
        repository.git("merge", "--quiet", "--ff-only", "topic")
        asked(repository, "commits", "sync", "--clone", repository.path)
        assert order(repository) == shas

    @pytest.mark.slow
    @pytest.mark.parametrize("again", ["same bytes", "measured again"])
    def test_seen_again_from_main(self, repository: Repository, again: str) -> None:
        """A known run that is published from main, too, belongs to main without a sync, in either order of arrival."""
        first = begun(repository, 2)
        repository.git("checkout", "--quiet", "-b", "topic")
        topic = repository.commit_at(BEGIN + 5 * HOUR)
        file = repository.measured(0.001, at=BEGIN + 5 * HOUR)
        publish(repository, file)
        assert order(repository) == first
        repository.git("checkout", "--quiet", "main")
        repository.git("merge", "--quiet", "--ff-only", "topic")
        if again == "measured again":
            publish(repository, repository.measured(0.0011, at=BEGIN + 6 * HOUR))
        seen = publish(repository, file)
        assert (seen["new"], seen["unchanged"]) == (0, 1)
        expected = [*first, *([topic] * (1 if again == "same bytes" else 2))]
        assert order(repository) == expected
        versions = []
        for branch in ("topic", "main", "topic"):
            repository.git("checkout", "--quiet", branch)
            publish(repository, file)
            versions.append(api.connect(store_of(repository)).store._engine.open(COMMITS_TABLE).version)
            assert order(repository) == expected
        assert len(set(versions)) == 1

    def test_a_merged_pull_request_is_published_from_main(self, repository: Repository) -> None:
        """The run of a pull request stays one; the same file from main is a run of main."""
        first = begun(repository, 2)
        repository.git("checkout", "--quiet", "-b", "topic")
        topic = repository.commit_at(BEGIN + 5 * HOUR)
        file = repository.measured(0.001, at=BEGIN + 5 * HOUR)
        publish(repository, file, "--pr", "3")
        repository.git("checkout", "--quiet", "main")
        repository.git("merge", "--quiet", "--ff-only", "topic")
        assert publish(repository, file)["new"] == 1
        assert publish(repository, file)["unchanged"] == 1
        assert order(repository) == [*first, topic]
        assert order(repository, "--pr", "3") == [topic]

    @pytest.mark.slow
    def test_a_squashed_pull_request_is_another_commit(self, repository: Repository) -> None:
        first = begun(repository, 2)
        repository.git("checkout", "--quiet", "-b", "topic")
        topic = grown(repository, 2, 0.001, "--pr", "3", start=5)
        repository.git("checkout", "--quiet", "main")
        repository.git("merge", "--quiet", "--squash", "topic")
        squashed = repository.commit_at(BEGIN + 9 * HOUR)
        publish(repository, repository.measured(0.001, at=BEGIN + 9 * HOUR))
        assert order(repository) == [*first, squashed]
        assert order(repository, "--pr", "3") == topic

    @pytest.mark.slow
    def test_a_rebased_branch_is_new_commits(self, repository: Repository) -> None:
        shas = begun(repository, 3)
        repository.git("checkout", "--quiet", "-b", "topic", shas[0])
        grown(repository, 1, 0.005, "--pr", "3", start=5)
        repository.git("checkout", "--quiet", "main")
        picked = repository.commit_at(BEGIN + 9 * HOUR)
        publish(repository, repository.measured(0.001, at=BEGIN + 9 * HOUR))
        assert order(repository) == [*shas, picked]


class TestRenamedMain:
    """The history goes on when the default branch is renamed, as a job of CI says it."""

    @staticmethod
    def job(repository: Repository, branch: str, default: str) -> dict[str, str]:
        event = repository.path.parent / "event.json"
        event.write_text(json.dumps({"repository": {"default_branch": default}}))
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REF": f"refs/heads/{branch}",
            "GITHUB_SHA": repository.git("rev-parse", "HEAD"),
            "GITHUB_EVENT_PATH": str(event),
        }

    def in_ci(self, repository: Repository, branch: str, numbers: range, default: str = "") -> list[str]:
        shas = []
        for number in numbers:
            shas.append(repository.commit_at(BEGIN + number * HOUR))
            publish(
                repository,
                repository.measured(0.001, at=BEGIN + number * HOUR + 60),
                **self.job(repository, branch, default or branch),
            )
        return shas

    def test_it_goes_on(self, repository: Repository) -> None:
        """Another branch stays apart, as before."""
        before = self.in_ci(repository, "main", range(4))
        repository.git("checkout", "--quiet", "-b", "topic")
        grown(repository, 1, SLOW, start=8)
        repository.git("checkout", "--quiet", "main")
        repository.git("branch", "--move", "main", "trunk")
        after = self.in_ci(repository, "trunk", range(10, 13))
        assert order(repository) == [*before, *after]
        assert asked(repository, "latest")[0]["commit"] == after[-1]

    @pytest.mark.slow
    @pytest.mark.parametrize(("old", "beside"), [("main", "topic"), ("master", None), ("develop", "topic")])
    def test_without_remote_and_ci(self, repository: Repository, old: str, beside: str | None) -> None:
        """The log of the branch has its former name."""
        repository.git("symbolic-ref", "HEAD", f"refs/heads/{old}")
        before = grown(repository, 3)
        if beside:
            repository.git("branch", beside)
        repository.git("branch", "--move", old, "trunk")
        after = grown(repository, 2, start=5)
        assert order(repository) == [*before, *after]

    @pytest.mark.slow
    def test_a_topic_before_main_and_after_it_was_renamed(self, repository: Repository) -> None:
        """The branch on which the repository began is main under each of its names."""
        repository.git("symbolic-ref", "HEAD", "refs/heads/trunk")
        before = grown(repository, 1)
        repository.git("checkout", "--quiet", "-b", "topic")
        grown(repository, 3, SLOW, start=2)
        repository.git("checkout", "--quiet", "trunk")
        assert order(repository) == before
        repository.git("branch", "--move", "trunk", "develop")
        after = grown(repository, 2, start=6)
        assert order(repository) == [*before, *after]

    @pytest.mark.slow
    def test_two_branches_that_live_on(self, repository: Repository) -> None:
        """The default branch changes from one to the other and back: each time the history is that of one of them."""
        of_main = self.in_ci(repository, "main", range(3))
        repository.git("checkout", "--quiet", "-b", "develop", of_main[0])
        self.in_ci(repository, "develop", range(4, 6), default="main")
        of_develop = self.in_ci(repository, "develop", range(6, 8))
        repository.git("checkout", "--quiet", "main")
        of_main += self.in_ci(repository, "main", range(8, 10), default="develop")
        assert order(repository)[-2:] == of_develop
        assert not {*of_main[1:]} & {*order(repository)}
        of_main += self.in_ci(repository, "main", range(10, 11))
        assert order(repository) == of_main

    @pytest.mark.slow
    def test_a_stated_branch_has_its_own_alone(self, repository: Repository) -> None:
        self.in_ci(repository, "main", range(2))
        repository.git("checkout", "--quiet", "-b", "release")
        own = self.in_ci(repository, "release", range(3, 5))
        asked(repository, "define", "main", "proj", "release")
        assert order(repository) == own


class TestUnknownMain:
    """Nothing says which branch is the main one: the remote has no HEAD, no branch is called main or master, and there are no logs."""

    @pytest.fixture
    def develop(self, repository: Repository) -> Repository:
        repository.git("symbolic-ref", "HEAD", "refs/heads/develop")
        repository.git("remote", "add", "origin", str(repository.path.parent / "nowhere"))
        repository.git("config", "core.logAllRefUpdates", "false")
        return repository

    def test_a_side_branch_at_its_tip(self, develop: Repository) -> None:
        first = grown(develop, 1)
        develop.git("checkout", "--quiet", "-b", "side")
        publish(develop, develop.measured(0.005, at=BEGIN + 2 * HOUR))
        assert [round(row["median"] / 1e6) for row in asked(develop, "latest")] == [1]
        develop.git("checkout", "--quiet", "develop")
        assert order(develop) == first

    @pytest.mark.slow
    def test_said_while_several_branches_could_be_it(self, develop: Repository) -> None:
        """The branch with most commits is taken, and each answer says so until the branch is stated."""

        def said() -> str:
            return str(asked(develop, "compare", "latest")["history"])

        shas = grown(develop, 2)
        assert said() == "the main history (branch develop)"
        develop.git("checkout", "--quiet", "-b", "side")
        shas += grown(develop, 1, SLOW, start=3)
        assert said() == (
            "the main history (branch develop; assumed for proj, as the branch with most commits: bench-db define main states it)"
        )
        grown(develop, 2, SLOW, start=4)
        assert "branch side; assumed" in said()
        asked(develop, "define", "main", "proj", "develop")
        assert said() == "the main history (branch develop)"
        assert order(develop) == shas[:2]


class TestOtherResultsOnly:
    """A store whose results are all outside the main history says so, and where they are."""

    @pytest.mark.parametrize(
        "words", [("latest",), ("trend", "*"), ("summary",), ("scan",), ("compare", "latest"), ("detect", "*")]
    )
    def test_said(self, repository: Repository, words: tuple[str, ...]) -> None:
        repository.commit_at(BEGIN)
        repository.git("checkout", "--quiet", "-b", "topic")
        grown(repository, 1, start=2)
        grown(repository, 1, 0.001, "--pr", "7", start=3)
        answer = bench_db(*words, "--store", store_of(repository))
        assert "branch topic, pull request 7 (--branch, --pr or --all)" in answer.err + answer.out, answer
