from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.ci.github.client import GitHub
from bench_db.ci.github.commits import _first_parents, of_github
from bench_db.ci.github.records import CommitRecord, CommitText, Parent
from bench_db.ci.github.repository import Repository
from bench_db.schedule.plan import Scope
from tests.support.clocks import Slept
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub


@pytest.fixture
def repository(fake: FakeGitHub, slept: Slept) -> Iterator[Repository]:
    with GitHub(TOKEN, base_url=fake.url, clock=slept.clock()) as github:
        yield Repository(github, REPOSITORY)


def sha(i: int) -> str:
    return f"{i:040x}"


def listed(i: int, *parents: int) -> dict[str, object]:
    committer = {"date": "2026-01-31T00:00:00Z"}
    commit = {"message": f"c{i}", "committer": committer}
    return {"sha": sha(i), "commit": commit, "parents": [{"sha": sha(parent)} for parent in parents]}


class TestOfGithub:
    """The first parents of a branch, and for NEW only as many as needed."""

    def test_a_merged_branch_is_its_merge(self, fake: FakeGitHub, repository: Repository) -> None:
        fake.commits = [listed(5, 3, 4), listed(4, 2), listed(3, 2), listed(2, 1), listed(1)]
        found = of_github(repository, Scope.ALL, "main", lambda _: False)
        assert [commit.sha for commit in found] == [sha(i) for i in (1, 2, 3, 5)]

    def test_a_parent_that_is_listed_before_its_child(self, fake: FakeGitHub, repository: Repository) -> None:
        fake.commits = [listed(5, 3, 4), listed(4, 2), listed(2, 1), listed(3, 2), listed(1)]
        found = of_github(repository, Scope.ALL, "main", lambda _: False)
        assert [commit.sha for commit in found] == [sha(i) for i in (1, 2, 3, 5)]

    def test_new_asks_for_no_more_than_it_needs(self, fake: FakeGitHub, repository: Repository) -> None:
        fake.commits = [listed(i, i - 1) for i in range(1000, 0, -1)]
        found = of_github(repository, Scope.NEW, "main", lambda name: int(name, 16) <= 950)
        assert [commit.sha for commit in found] == [sha(i) for i in range(850, 1001)]
        assert fake.asked("commits") == 2

    def test_an_empty_branch(self, repository: Repository) -> None:
        assert of_github(repository, Scope.ALL, "main", lambda _: False) == []

    @given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.permutations(range(1, n)))))
    def test_the_order_of_a_list_changes_nothing(self, drawn: tuple[int, list[int]]) -> None:
        count, order = drawn
        text = CommitText(message="", committer=None)
        parents = {i: [Parent(sha=sha(i - 1))] for i in range(1, count + 1)}
        records = [CommitRecord(sha=sha(i), commit=text, parents=parents[i]) for i in (count, *order)]
        assert [commit.sha for commit in _first_parents(records)] == [sha(i) for i in range(1, count + 1)]
