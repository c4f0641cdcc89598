"""A run that should not have been published is taken out of every answer, put back, or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import bench_db as api
from tests.cli.conftest import bench_db
from tests.everyday.asking import asked, begun, grown, order, publish, store_of
from tests.support.everyday import BEGIN, HOUR, Repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def keys(repository: Repository, *more: object) -> list[str]:
    return [run["run"] for run in asked(repository, "run", "list", *more)["runs"]]


class TestExclude:
    """An excluded run is in no answer, and its rows are kept."""

    def test_a_bad_run(self, repository: Repository) -> None:
        good = begun(repository, 8)
        (bad,) = grown(repository, 1, 0.004, start=20)
        assert asked(repository, "compare", "latest")["comparisons"][0]["verdict"] == "regressed"
        previewed = asked(repository, "run", "exclude", "--commit", bad, "--reason", "overheated", "--dry-run")
        assert ([run["commit"] for run in previewed["runs"]], previewed["changed"]) == ([bad], False)
        assert order(repository) == [*good, bad]

        done = asked(repository, "run", "exclude", "--commit", bad[:12], "--reason", "overheated")
        assert done["changed"] is True
        assert order(repository) == good
        assert order(repository, "--all") == good
        assert asked(repository, "latest")[0]["commit"] == good[-1]
        assert asked(repository, "summary")[0]["n"] == 8
        assert asked(repository, "compare", "latest")["candidate"] == good[-1]
        assert asked(repository, "has", bad, code=1)["present"] is False
        assert len(asked(repository, "query", "select * from results")) == 8
        assert asked(repository, "store", "verify")["sound"] is True
        listed = asked(repository, "run", "list", "--excluded")["runs"]
        assert [(run["commit"], run["excluded"]) for run in listed] == [(bad, "overheated")]

        asked(repository, "run", "include", "--commit", bad)
        assert order(repository) == [*good, bad]
        assert keys(repository, "--excluded") == []

    def test_a_commit_by_its_name_in_the_clone(self, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        begun(repository, 2)
        monkeypatch.chdir(repository.path)
        assert [run["commit"] for run in asked(repository, "run", "list", "--commit", "HEAD")["runs"]] == [
            order(repository)[-1]
        ]
        asked(repository, "run", "exclude", "--commit", "main~1", "--reason", "overheated")
        assert len(order(repository)) == 1

    def test_after_maintenance_and_in_a_copy(self, repository: Repository, tmp_path: Path) -> None:
        good = begun(repository, 3)
        (bad,) = grown(repository, 1, start=5)
        asked(repository, "store", "optimize")
        asked(repository, "run", "exclude", "--commit", bad, "--reason", "wrong machine")
        assert order(repository) == good
        asked(repository, "store", "optimize")
        assert asked(repository, "latest")[0]["commit"] == good[-1]
        assert bench_db("store", "copy", store_of(repository), tmp_path / "copy").code == 0
        answer = bench_db("trend", "*", "--store", tmp_path / "copy", "--output", "json")
        assert [row["commit"] for row in answer.document] == good

    def test_published_again_it_stays_out(self, repository: Repository) -> None:
        good = begun(repository, 2)
        bad = repository.commit_at(BEGIN + 5 * HOUR)
        file = repository.measured(0.004, at=BEGIN + 5 * HOUR)
        publish(repository, file)
        asked(repository, "run", "exclude", "--file", file.name, "--commit", bad, "--reason", "typo")
        publish(repository, file)
        assert order(repository) == good

    def test_by_key_file_and_time(self, repository: Repository) -> None:
        shas = begun(repository, 4)
        first, *_ = keys(repository)
        asked(repository, "run", "exclude", first, "--reason", "x")
        assert order(repository) == shas[1:]
        asked(repository, "run", "exclude", "--test-bed-name", "t", "--until", "2023-11-14T23:59", "--reason", "x")
        assert order(repository) == shas[2:]
        assert asked(repository, "run", "show", first)["excluded"] == "x"

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--reason", "x"), "say which runs"),
            (("feedfee", "--reason", "x"), "no run is called 'feedfee'"),
            (("--commit", "feedfee", "--reason", "x"), "no run satisfies these conditions"),
            (("--commit", "feedfee", "--reason", " "), "say why"),
        ],
    )
    def test_refused(self, repository: Repository, words: tuple[str, ...], said: str) -> None:
        begun(repository, 1)
        answer = bench_db("run", "exclude", *words, "--store", store_of(repository))
        assert (answer.code, said in answer.err) == (2, True), answer.err

    def test_from_python(self, repository: Repository) -> None:
        shas = begun(repository, 3)
        store = api.connect(store_of(repository))
        assert api.runs(store).frame()["commit"].to_list() == shas
        api.exclude_runs(store, "slow disk", commit=shas[0])
        assert store.trend("*")["commit"].to_list() == shas[1:]
        api.include_runs(store, commit=shas[0])
        assert store.trend("*")["commit"].to_list() == shas


class TestRemove:
    """A removed run is gone, after a preview."""

    def test_after_a_preview(self, repository: Repository) -> None:
        shas = begun(repository, 3)
        shown = asked(repository, "run", "remove", "--commit", shas[1])
        assert (len(shown["runs"]), shown["changed"], order(repository)) == (1, False, shas)
        asked(repository, "run", "remove", "--commit", shas[1], "--yes")
        assert order(repository) == [shas[0], shas[2]]
        assert len(keys(repository)) == 2
        assert asked(repository, "store", "verify")["sound"] is True

    def test_it_can_be_published_again(self, repository: Repository) -> None:
        sha = repository.commit_at(BEGIN)
        file = repository.measured(0.001, at=BEGIN)
        publish(repository, file)
        asked(repository, "run", "remove", "--commit", sha, "--yes")
        assert publish(repository, file)["new"] == 1
        assert order(repository) == [sha]


class TestReplaceInAMatrix:
    """Case: the jobs of a matrix share a run id and the name of their file, and `--replace` of one took out the others."""

    def test_a_job_replaces_its_own_run(self, repository: Repository) -> None:
        repository.commit_at(BEGIN)
        jobs = [("ubuntu", "core"), ("ubuntu", "io"), ("macos", "core")]
        file = repository.measured(0.001, at=BEGIN).with_name("results.json")

        def job(number: int, mean: float, attempt: int) -> tuple[int, int]:
            repository.measured(mean, at=BEGIN + 60 * number).rename(file)
            bed, suite = jobs[number]
            more = ("--suite", suite, "--test-bed-name", bed, "--run-id", "4711", "--attempt", attempt, "--replace")
            (done,) = publish(repository, file, *more)["published"]
            return done["new"], done["replaced"]

        assert [job(number, 0.001 + number / 1e5, 1) for number in range(3)] == [(1, 0)] * 3
        assert job(1, 0.002, 2) == (1, 1)
        rows = {(row["test_bed_name"], row["suite"]): row["median"] for row in asked(repository, "latest")}
        assert rows.keys() == set(jobs)
        assert [rows[of] > 1.5e6 for of in jobs] == [False, True, False]
        assert len(keys(repository)) == 3
