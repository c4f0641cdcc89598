import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench_db import Provenance, parse
from bench_db.rules import RULES
from bench_db.store.database import connect
from bench_db.store.publish import Entry
from tests.cli.commands import bench_db, document
from tests.cli.kinds import publish_all
from tests.support.actions.machine import commands
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, github_server

pytestmark = pytest.mark.few(1)

PULL, BASE = "f" * 40, "ba5e" * 10
DAY = 86_400


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with github_server() as state:
        yield state


def measured(store: Path, commit: str, day: int, seconds: float, name: str = "test_a", *, suite: str = "") -> None:
    """Publish one run of one benchmark of a commit of a day, at so many seconds."""
    run, results, *_ = entry(store.parent, commit, day, seconds, name, suite=suite)
    connect(store, create=True).publish(results, run)


def entry(directory: Path, commit: str, day: int, seconds: float, name: str = "test_a", *, suite: str = "") -> Entry:
    """Read the run from a file in a directory."""
    stats = {"min": seconds, "q1": seconds, "median": seconds, "q3": seconds, "max": seconds, "mean": seconds}
    benchmark = {"fullname": name, "name": name, "stats": {**stats, "stddev": 0, "rounds": 1, "data": [seconds]}}
    file = directory / "results.json"
    file.write_text(json.dumps({"machine_info": {"node": "ci"}, "commit_info": {}, "benchmarks": [benchmark]}))
    known = Provenance(
        commit=commit,
        dut_name="lib",
        dut_version=commit[:7],
        dut_timestamp=day * DAY,
        test_bed_name="ci",
        suite=suite or None,
    )
    return Entry(*parse(file, provenance=known))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six commits at 1 s, the last of them the merge base; after it the main branch became twice as slow."""
    store = tmp_path_factory.mktemp("made") / "store"
    days = [(BASE if day == 6 else f"{day:040x}", day, 1.0 if day <= 6 else 2.0) for day in range(1, 27)]
    publish_all(connect(store, create=True), [entry(store.parent, *day) for day in days])
    return store


@pytest.fixture
def history(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "store")


def compared(directory: Path, *more: str, **environment: str) -> Any:
    options = ("--pr", "12", "--local-results", "local", "--store", "store", "--report", "report.md", *more)
    answer = bench_db("pr", "compare", PULL, *options, "--output", "json", cwd=directory, **environment)
    return document(answer)


def known_to(fake: FakeGitHub, date: str = "1970-01-07T00:00:00Z") -> dict[str, str]:
    """A GitHub that knows the merge base, and the way to it."""
    commit = {"message": "base", "committer": {"date": date}}
    fake.merge_base = {"sha": BASE, "commit": commit, "parents": []}
    return {"GITHUB_API_URL": fake.url, "GITHUB_TOKEN": TOKEN}


@pytest.mark.usefixtures("history")
class TestMergeBase:
    """A pull request is held against what was before it, and not against what others did since."""

    def test_without_it_others_work_counts(self, tmp_path: Path) -> None:
        measured(tmp_path / "local", PULL, 40, 1.0)
        assert compared(tmp_path)["counts"] == {"improved": 1}

    def test_what_came_after_it_is_no_baseline(self, fake: FakeGitHub, tmp_path: Path) -> None:
        measured(tmp_path / "local", PULL, 40, 1.0)
        found = compared(tmp_path, "--repo", REPOSITORY, **known_to(fake))
        assert (found["counts"], found["merge_base"]) == ({"unchanged": 1}, BASE)
        assert found["comparisons"][0]["n_baseline"] == 6
        assert f"up to the merge base {BASE[: RULES.sha_length]}" in (tmp_path / "report.md").read_text()

    def test_its_own_runs_in_the_store_are_no_baseline(self, tmp_path: Path) -> None:
        for number in range(8):
            measured(tmp_path / "store", PULL, 40, 3.0 + number / 1000)
        measured(tmp_path / "local", PULL, 40, 3.0)
        (row,) = compared(tmp_path)["comparisons"]
        assert (row["verdict"], row["n_baseline"], row["baseline_median"]) == ("regressed", 20, 2e9)

    def test_a_merge_base_before_all_history(self, fake: FakeGitHub, tmp_path: Path) -> None:
        measured(tmp_path / "local", PULL, 40, 1.0)
        found = compared(tmp_path, "--repo", REPOSITORY, **known_to(fake, "1970-01-01T00:00:00Z"))
        assert found["counts"] == {"new": 1}

    def test_a_base_branch_of_any_name(self, fake: FakeGitHub, tmp_path: Path) -> None:
        measured(tmp_path / "local", PULL, 40, 2.0)
        fake.base = "feature/$(touch pwned)?x=../../../user#`a`"
        found = compared(tmp_path, "--repo", REPOSITORY, **known_to(fake))
        assert found["counts"] == {"regressed": 1}

    def test_without_a_token_or_an_answer(self, fake: FakeGitHub, tmp_path: Path) -> None:
        measured(tmp_path / "local", PULL, 40, 1.0)
        options = ("--pr", "12", "--local-results", "local", "--store", "store", "--repo", REPOSITORY)
        assert bench_db("pr", "compare", PULL, *options, cwd=tmp_path).returncode == 2
        environment = {**known_to(fake), "GITHUB_TOKEN": TOKEN}
        fake.merge_base = {}
        assert bench_db("pr", "compare", PULL, *options, cwd=tmp_path, **environment).returncode == 3


class TestOutputs:
    """In a workflow the verdict goes to the step that makes the check of it."""

    @pytest.mark.parametrize(
        ("seconds", "name", "conclusion", "sign"),
        [
            (2.0, "test_a", "failure", "⚠️ 1 benchmark regressed"),
            (1.0, "test_a", "success", "✅ No change in 1 benchmark"),
            (0.5, "test_a", "success", "🚀 1 benchmark improved, none regressed"),
            (1.0, "test_b", "neutral", "❔ No verdict: there is not enough to compare with"),
        ],
    )
    def test_verdicts(  # noqa: PLR0917 a case and the fixtures it needs
        self, seconds: float, name: str, conclusion: str, sign: str, fake: FakeGitHub, tmp_path: Path
    ) -> None:
        for day in range(1, 7) if name == "test_a" else ():
            measured(tmp_path / "store", f"{day:040x}", day, 1.0)
        connect(tmp_path / "store", create=True)
        measured(tmp_path / "local", PULL, 40, seconds, name)
        compared(tmp_path, "--repo", REPOSITORY, **known_to(fake), GITHUB_OUTPUT=str(tmp_path / "out"))
        assert commands((tmp_path / "out").read_text()) == {"conclusion": conclusion, "title": sign}

    @pytest.mark.parametrize(
        ("suites", "conclusion", "sign"),
        [
            (["python"], "success", "✅ No change in 1 benchmark"),
            (["python", "rust/io"], "failure", "❌ 1 benchmark failed, none of 1 judged regressed"),
        ],
    )
    def test_a_suite_that_left_nothing_failed(
        self, suites: list[str], conclusion: str, sign: str, tmp_path: Path
    ) -> None:
        for day in range(1, 7):
            measured(tmp_path / "store", f"{day:040x}", day, 1.0, suite="python")
        measured(tmp_path / "local", PULL, 40, 1.0, suite="python")
        given = [flag for name in suites for flag in ("--expect", json.dumps([{"name": name, "kind": "other"}]))]
        compared(tmp_path, *given, "--expect", "[]", GITHUB_OUTPUT=str(tmp_path / "out"))
        assert commands((tmp_path / "out").read_text()) == {"conclusion": conclusion, "title": sign}
        assert ("<code>rust/io</code>" in (tmp_path / "report.md").read_text()) is ("rust/io" in suites)

    @pytest.mark.parametrize("text", ["", "rust/io", "{}x", '["rust/io"]', "[{}]", "7"])
    def test_expectations_that_are_none(self, text: str, tmp_path: Path) -> None:
        options = ("--pr", "12", "--local-results", "local", "--expect", text, "--store", "store")
        answer = bench_db("pr", "compare", PULL, *options, cwd=tmp_path)
        assert (answer.returncode, "--expect is not the output of" in answer.stderr) == (2, True)

    def test_results_of_another_commit_are_none(self, tmp_path: Path) -> None:
        connect(tmp_path / "store", create=True)
        measured(tmp_path / "local", "e" * 40, 20, 1.0)
        options = ("--pr", "12", "--local-results", "local", "--store", "store")
        assert bench_db("pr", "compare", PULL, *options, cwd=tmp_path).returncode == 2


class TestCheck:
    """The verdict is put on the commit, once."""

    def check(self, fake: FakeGitHub, directory: Path, sha: str) -> subprocess.CompletedProcess[str]:
        options = ("--repo", REPOSITORY, "--conclusion", "failure", "--title", "t", "--summary-file", "report.md")
        (directory / "report.md").write_text("the report")
        more = {"GITHUB_API_URL": fake.url, "GITHUB_TOKEN": TOKEN}
        return bench_db("pr", "check", sha, *options, "--output", "json", cwd=directory, **more)

    def test_twice_is_once(self, fake: FakeGitHub, tmp_path: Path) -> None:
        assert document(self.check(fake, tmp_path, PULL)) == document(self.check(fake, tmp_path, PULL))
        assert [(check["head_sha"], check["output"]["summary"]) for check in fake.checks] == [(PULL, "the report")]

    def test_an_abbreviated_sha_is_refused(self, fake: FakeGitHub, tmp_path: Path) -> None:
        assert self.check(fake, tmp_path, PULL[:7]).returncode == 2


def test_the_mean_of_several_benchmarks(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for day, factor in ((1, 1.0), (2, 1.1)):
        for number in range(3):
            measured(store, f"{day}" * 40, day, factor * (number + 1), f"test_{number}", suite="io")
    measured(store, "1" * 40, 1, 1.0, "test_gone", suite="io")
    ask = ("compare", "2" * 40, "--store", store)
    line = "mean of io, time in nanoseconds, on ci: +10.0 % (+10.0 to +10.0), worse, 3 benchmarks; left out: 1 missing"
    assert line in bench_db(*ask, "--mean", cwd=tmp_path).stdout.splitlines()
    assert "mean of" not in bench_db(*ask, cwd=tmp_path).stdout
    refused = bench_db(*ask, "--mean", "--table", "csv", cwd=tmp_path)
    assert (refused.returncode, "--mean: a table has comparisons alone" in refused.stderr) == (2, True)
    assert "left out: 1 missing" in bench_db(*ask, "--mean", "--markdown", cwd=tmp_path).stdout
    (mean,) = document(bench_db(*ask, "--output", "json", cwd=tmp_path))["means"]
    assert (mean["suite"], mean["benchmarks"], mean["missing"], mean["new"]) == ("io", 3, 1, 0)
    assert mean["effect"] == pytest.approx(0.1)
