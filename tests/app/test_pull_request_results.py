"""Merging what the jobs of a pull request left, and comparing it with the history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bench_db.app.definitions import define
from bench_db.app.pull_request_results import compare, merge, stores_in
from bench_db.errors import UserError
from bench_db.model import Verdict
from bench_db.store.database import connect
from tests.cli.asking import nine_commits
from tests.cli.kinds import BED, publish, sha
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub
from tests.support.histories import DAY, FIRST

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.app.pull_request_results import Compared


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """The stores of two jobs, in directories whose order of creation is not that of their names."""
    for name, value in (("b", 150.0), ("a", 5.0)):
        publish(connect(tmp_path / "jobs" / name, create=True), 9, {name: value}, suite=name)
    (tmp_path / "jobs" / "log").mkdir()
    return tmp_path / "jobs"


class TestMerge:
    """The merged store has the results of all stores, and merging again adds nothing."""

    def test_twice(self, jobs: Path, tmp_path: Path) -> None:
        target = str(tmp_path / "merged")
        first, again = merge(jobs, target), merge(jobs, target)
        assert (first.stores, first.rows, first.new) == (2, 2, 2)
        assert (again.stores, again.rows, again.new) == (2, 2, 0)
        merged = {result.id: result for result in connect(target).results()}
        assert merged == {result.id: result for store in stores_in(jobs) for result in connect(store).results()}

    def test_nothing_makes_no_store(self, tmp_path: Path) -> None:
        assert merge(tmp_path, str(tmp_path / "merged")).stores == 0
        assert not (tmp_path / "merged").exists()

    def test_an_empty_target(self, jobs: Path) -> None:
        with pytest.raises(UserError, match="`target` is empty"):
            merge(jobs, "")

    def test_stores_in(self, jobs: Path) -> None:
        assert stores_in(jobs) == [jobs / "a", jobs / "b"]
        assert stores_in(jobs / "a") == [jobs / "a"]
        assert stores_in(jobs / "log") == []


def compared(tmp_path: Path, fake: FakeGitHub | None = None, **how: object) -> Compared:
    nine_commits(tmp_path / "store")
    publish(connect(tmp_path / "local", create=True), 9, {"f": 150.0})
    given: dict[str, object] = {"repository": REPOSITORY if fake else None} | how
    return compare(
        sha(9),
        uri=str(tmp_path / "store"),
        pr_number=12,
        local_results=str(tmp_path / "local"),
        environment={"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": fake.url} if fake else {},
        **given,  # type: ignore[arg-type]
    )


class TestCompare:
    """The results are compared with the history up to the merge base, and comment and check have the same verdict."""

    def test_slower(self, tmp_path: Path) -> None:
        found = compared(tmp_path)
        (one,) = found.comparisons
        assert (one.verdict, one.candidate_median, one.n_baseline) == (Verdict.REGRESSED, 150.0, 9)
        assert (found.conclusion, found.merge_base) == ("failure", None)
        assert found.frame()["verdict"].to_list() == ["regressed"]
        assert sha(9)[:7] in found.comment

    def test_later_commits_are_no_part_of_the_baseline(
        self, fake: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        date = datetime.fromtimestamp(FIRST + 5 * DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        fake.merge_base = {"sha": sha(5), "commit": {"message": "m", "committer": {"date": date}}, "parents": []}
        found = compared(tmp_path, fake)
        assert found.merge_base is not None
        assert found.merge_base.sha == sha(5)
        assert [one.n_baseline for one in found.comparisons] == [6]
        assert f"merge base {sha(5)[:7]}" in found.comment

    def test_definitions_of_the_history_name_the_results(self, tmp_path: Path) -> None:
        """The store of a pull request has none: a pool, an alias, a direction and a derived metric are those of the history."""
        store = nine_commits(tmp_path / "store")
        define(store, "pool", BED.name)
        define(store, "join", "g", "f")
        define(store, "metric", "double", "time + time")
        local = connect(tmp_path / "local", create=True)
        publish(local, 9, {"g": 150.0}, bed=replace(BED, cpu="another CPU", memory_gb=BED.memory_gb + 1))
        found = compare(
            sha(9), uri=store.uri, pr_number=12, local_results=local.uri, repository=None, environment={}
        ).comparisons
        assert {(one.series.benchmark_name, one.series.metric, one.verdict, one.n_baseline) for one in found} == {
            ("f", "time", Verdict.REGRESSED, 9),
            ("f", "double", Verdict.REGRESSED, 9),
        }
        assert local.definitions() == []

    def test_an_expected_suite_without_results_fails(self, tmp_path: Path) -> None:
        found = compared(tmp_path, expect=['[{"name": "absent"}]'])
        assert [(one.series.suite, one.verdict) for one in found.comparisons if one.series.suite] == [
            ("absent", Verdict.FAILED)
        ]
        assert "absent" in found.comment
