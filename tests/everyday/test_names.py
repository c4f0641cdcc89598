"""Definitions give names when results are read: a renamed benchmark continues, a pool of machines is one, a typo is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import bench_db
from tests.everyday.asking import asked, begun, grown, order, publish, store_of
from tests.support.everyday import BEGIN, HOUR, Repository

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)

OLD, NEW = "tests/test_q.py::test_old", "tests/test_q.py::test_new"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def measure(
    repository: Repository, count: int, mean: float, *more: object, start: int = 0, **facts: object
) -> list[str]:
    shas = []
    for number in range(start, start + count):
        shas.append(repository.commit_at(BEGIN + number * HOUR))
        file = repository.measured(mean, at=BEGIN + number * HOUR + 60, **facts)  # type: ignore[arg-type]
        publish(repository, file, *more)
    return shas


class TestJoin:
    """A renamed benchmark continues its history, and a regression behind the new name is found."""

    @pytest.mark.slow
    def test_the_gate_sees_through_the_rename(self, repository: Repository) -> None:
        shas = measure(repository, 6, 0.001, names=("test_old", "test_other"))
        shas += measure(repository, 1, 0.004, start=6, names=("test_new", "test_other"))
        compared = asked(repository, "compare", "latest")
        verdicts = {c["benchmark_name"]: c["verdict"] for c in compared["comparisons"]}
        assert (verdicts[OLD], verdicts[NEW]) == ("missing", "new")

        asked(repository, "define", "join", OLD, NEW)
        compared = asked(repository, "compare", "latest")
        verdicts = {c["benchmark_name"]: c["verdict"] for c in compared["comparisons"]}
        assert verdicts == {NEW: "regressed", "tests/test_q.py::test_other": "regressed"}
        assert [row["commit"] for row in asked(repository, "trend", NEW)] == shas
        assert len({row["benchmark_name"] for row in asked(repository, "latest")}) == 2
        assert [row["n"] for row in asked(repository, "summary", "--benchmark", "*new")] == [7]
        assert bench_db("trend", OLD, "--store", store_of(repository)).code == 2
        asked(repository, "site", repository.path.parent / "site")

        asked(repository, "define", "end", "join", OLD)
        assert [row["commit"] for row in asked(repository, "trend", NEW)] == shas[6:]

    @pytest.mark.parametrize("mean", [0.001, 0.004])
    @pytest.mark.parametrize("commits", [1, 2, 4])
    def test_the_command_is_proposed(self, repository: Repository, commits: int, mean: float) -> None:
        measure(repository, 6, 0.001, names=("test_old", "test_other"))
        measure(repository, commits, mean, start=6, names=("test_new", "test_other"))
        for verb in (("compare", "latest"), ("check", "--baseline", "last:5")):
            answer = bench_db(*verb, "--store", store_of(repository))
            assert f"bench-db define join {OLD} {NEW}" in answer.out

    @pytest.mark.slow
    def test_a_young_benchmark_that_was_measured_beside_the_missing_one_is_another(
        self, repository: Repository
    ) -> None:
        measure(repository, 6, 0.001, names=("test_old", "test_other"))
        measure(repository, 1, 0.001, start=6, names=("test_old", "test_new", "test_other"))
        measure(repository, 1, 0.001, start=7, names=("test_new", "test_other"))
        answer = bench_db("compare", "latest", "--store", store_of(repository))
        assert "missing" in answer.out
        assert "define join" not in answer.out


class TestPool:
    """Machines of one name can be one test bed."""

    @pytest.mark.parametrize("verb", [("compare", "latest"), ("check", "--baseline", "last:10")])
    def test_why_there_is_no_verdict(self, repository: Repository, verb: tuple[str, ...]) -> None:
        for number, cpu in enumerate("AABC"):
            measure(repository, 1, 0.001, start=number, cpu=f"Vendor {cpu}")
        notes = [(c["verdict"], c["note"]) for c in asked(repository, *verb)["comparisons"]]
        why = "measured on another machine of the test bed t: its CPU, memory or system differs"
        few = "no verdict: without history of this machine it needs 8 benchmarks with a level on one other machine, and 0 have one"
        assert notes == [("missing", why), ("missing", why), ("new", f"{few}; {why}")]
        measure(repository, 1, 0.001, start=4, cpu="Vendor B")
        notes = [(c["verdict"], c["note"]) for c in asked(repository, *verb)["comparisons"]]
        assert notes[-1] == ("insufficient", f"{why}; a verdict needs 5 runs of the baseline")

    @pytest.mark.parametrize(
        "words",
        [
            ("latest",),
            ("summary",),
            ("trend", "*"),
            ("detect", "*"),
            ("compare", "latest", "--all"),
            ("compare", "latest", "--all", "--markdown"),
            ("check", "--baseline", "last:10"),
        ],
    )
    def test_its_machines_are_told_apart(self, repository: Repository, words: tuple[str, ...]) -> None:
        measure(repository, 6, 0.001, cpu="Vendor A")
        measure(repository, 1, 0.002, start=6, cpu="Vendor B")
        said = bench_db(*words, "--store", store_of(repository)).out
        assert ("t (Vendor A)" in said, "t (Vendor B)" in said, "GiB" in said) == (True, True, False), said

    def test_one_series(self, repository: Repository) -> None:
        shas = measure(repository, 3, 0.001, cpu="Vendor A") + measure(repository, 3, 0.001, start=3, cpu="Vendor B")
        assert len(asked(repository, "latest")) == 2
        asked(repository, "define", "pool", "t")
        assert len(asked(repository, "latest")) == 1
        assert order(repository) == shas
        (row,) = asked(repository, "summary")
        assert row["n"] == 6


class TestAlias:
    """A typo in a name is mended without rewriting what is stored."""

    def test_a_test_bed(self, repository: Repository) -> None:
        shas = measure(repository, 2, 0.001) + measure(repository, 2, 0.001, "--test-bed-name", "tt", start=2)
        asked(repository, "define", "alias", "test_bed", "tt", "t")
        assert order(repository) == shas
        assert {row["test_bed_name"] for row in asked(repository, "latest")} == {"t"}
        assert len(asked(repository, "trend", "*", "--test-bed-name", "t")) == 4

    def test_ignored_and_better(self, repository: Repository) -> None:
        measure(repository, 2, 0.001, names=("test_a", "test_b"))
        asked(repository, "define", "ignore", "*test_b")
        assert [row["benchmark_name"] for row in asked(repository, "latest")] == ["tests/test_q.py::test_a"]
        asked(repository, "define", "better", "time", "higher")
        assert asked(repository, "latest")[0]["direction"] == "higher"

    def test_the_main_branch(self, repository: Repository) -> None:
        shas = begun(repository, 2)
        repository.git("checkout", "--quiet", "-b", "release")
        release = grown(repository, 1, start=5)
        assert order(repository) == shas
        asked(repository, "define", "main", "proj", "release")
        assert order(repository) == release

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("join", "a", "a"), "is no new name"),
            (("alias", "test_bed", "a", " "), "is no new name"),
            (("end", "join", "a"), "there is no definition join of 'a' to end"),
        ],
    )
    def test_refused(self, repository: Repository, words: tuple[str, ...], said: str) -> None:
        begun(repository, 1)
        answer = bench_db("define", *words, "--store", store_of(repository))
        assert (answer.code, said in answer.err) == (2, True), answer.err
