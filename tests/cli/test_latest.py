from pathlib import Path

from tests.cli.conftest import bench_db
from tests.cli.demo_names import QUERY

ROW = {
    "series_key",
    "commit",
    "version",
    "timestamp",
    "n",
    "min",
    "q1",
    "median",
    "q3",
    "max",
    "mean",
    "standard_deviation",
}


class TestLatest:
    """The newest result of each series, one row per series."""

    def test_rows(self, demo_store: Path) -> None:
        rows = bench_db("latest", "--store", demo_store, "--output", "json").document
        assert len(rows) == 11
        assert all(set(row) >= ROW for row in rows)
        assert {row["commit"][:7] for row in rows if row["dut_name"] == "wordindex"} == {"eccc0fe"}

    def test_selection(self, demo_store: Path) -> None:
        rows = bench_db("latest", "--store", demo_store, "--benchmark", "*query*", "--output", "json").document
        assert [row["benchmark_name"] for row in rows] == [QUERY, QUERY.replace("1", "3")]

    def test_as_of_an_early_version_has_less(self, demo_in_two: Path) -> None:
        words = ("latest", "--store", demo_in_two, "--output", "json")
        assert [len(bench_db(*words, *at).document) for at in (("--as-of", "2"), ())] == [5, 11]

    def test_as_of_a_version_that_never_was(self, demo_store: Path) -> None:
        answer = bench_db("latest", "--store", demo_store, "--as-of", "100000")
        assert answer.code == 2
        assert "no version 100000" in answer.err


class TestRank:
    """`--rank` has an output of its own, as text and as JSON."""

    def test_text_and_json(self, demo_store: Path) -> None:
        ask = ("latest", "--rank", "suite", "--store", demo_store)
        assert "behind the best" in bench_db(*ask).out
        document = bench_db(*ask, "--output", "json").document
        assert {place["state"] for place in document["places"]} <= {"ranked", "missing", "failed", "no direction"}

    def test_refused(self, demo_store: Path) -> None:
        answer = bench_db("latest", "--rank", "suite", "--last", "2", "--store", demo_store)
        assert (answer.code, "--rank has an output of its own" in answer.err) == (2, True)
        none = bench_db("latest", "--rank", "nothing", "--store", demo_store)
        assert (none.code, "--rank: no result has a tag 'nothing'" in none.err) == (2, True)
