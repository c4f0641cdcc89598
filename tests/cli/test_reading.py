"""The reading verbs on a store of real measurements."""

from pathlib import Path

import pytest

from tests.cli.conftest import bench_db

QUERY = "benchmarks/test_speed.py::test_query[1]"
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
SLOW_COMMIT = "110aa08"


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

    def test_as_of_an_early_version_has_less(self, demo_store: Path) -> None:
        rows = bench_db("latest", "--store", demo_store, "--as-of", "3", "--output", "json").document
        assert len(rows) == 5

    def test_as_of_a_version_that_never_was(self, demo_store: Path) -> None:
        answer = bench_db("latest", "--store", demo_store, "--as-of", "100000")
        assert answer.code == 2
        assert "no version 100000" in answer.err


class TestTrend:
    """One series, oldest commit first."""

    def test_order_and_step(self, demo_store: Path) -> None:
        rows = bench_db("trend", QUERY, "--store", demo_store, "--output", "json").document
        times = [row["timestamp"] for row in rows]
        assert len(rows) == 38
        assert times == sorted(times)
        at = next(i for i, row in enumerate(rows) if row["commit"].startswith(SLOW_COMMIT))
        assert min(row["median"] for row in rows[at:]) > max(row["median"] for row in rows[:at])

    def test_last_keeps_the_newest(self, demo_store: Path) -> None:
        rows = bench_db("trend", QUERY, "--store", demo_store, "--last", "2", "--output", "json").document
        assert [row["commit"][:7] for row in rows] == ["56971e3", "eccc0fe"]

    def test_text_has_a_sparkline(self, demo_store: Path) -> None:
        answer = bench_db("trend", QUERY, "--store", demo_store, "--last", "20")
        assert "20 points" in answer.out
        assert "█" in answer.out

    def test_a_misspelt_name_is_helped(self, demo_store: Path) -> None:
        answer = bench_db("trend", "test_qerry[1]", "--store", demo_store)
        assert answer.code == 2
        assert answer.out == ""
        assert "test_query" in answer.err


class TestSummary:
    """Each run counts once, by its median."""

    def test_counts_runs(self, demo_store: Path) -> None:
        rows = bench_db("summary", "--store", demo_store, "--output", "json").document
        assert {row["dut_name"]: row["n"] for row in rows} == {"wordindex": 38, "bytescan": 10}
        assert all(row["min"] <= row["q1"] <= row["median"] <= row["q3"] <= row["max"] for row in rows)

    def test_since_counts_fewer(self, demo_store: Path) -> None:
        rows = bench_db(
            "summary", "--store", demo_store, "--dut-name", "wordindex", "--since", "2026-02-01", "--output", "json"
        ).document
        assert {row["n"] for row in rows} == {11}


class TestHas:
    """Exit code 0 for a measured commit, 1 for any other."""

    @pytest.mark.parametrize(
        ("commit", "code"), [(SLOW_COMMIT, 0), ("d3f1e3210ac78e0f095f7dc191e4375f697ef42e", 0), ("0" * 40, 1)]
    )
    def test_exit_code(self, demo_store: Path, commit: str, code: int) -> None:
        answer = bench_db("has", commit, "--store", demo_store, "--output", "json")
        assert answer.code == code
        assert answer.document["present"] == (code == 0)

    def test_a_suite_nobody_measured(self, demo_store: Path) -> None:
        answer = bench_db("has", SLOW_COMMIT, "--suite", "nope", "--store", demo_store, "--output", "json")
        assert (answer.code, answer.document["suites"]) == (1, {"nope": 0})


class TestQuery:
    """SQL over results and runs, with no access to other data of the machine."""

    def test_group_by(self, demo_store: Path) -> None:
        sql = "SELECT dut_name, COUNT(*) AS n FROM results GROUP BY dut_name ORDER BY dut_name"
        assert bench_db("query", sql, "--store", demo_store, "--output", "json").document == [
            {"dut_name": "bytescan", "n": 60},
            {"dut_name": "wordindex", "n": 190},
        ]

    def test_filter(self, demo_store: Path) -> None:
        rows = bench_db(
            "query",
            "--filter",
            f"benchmark_name = '{QUERY}' AND median > 3e6",
            "--store",
            demo_store,
            "--output",
            "json",
        ).document
        assert len(rows) == 14
        assert len(rows[0]["values"]) == 15

    @pytest.mark.parametrize(
        "sql",
        ["SELECT nothing FROM results", "SELEC 1", "SELECT * FROM read_csv('/etc/passwd')", "DROP TABLE results", ""],
    )
    def test_what_cannot_be_run(self, demo_store: Path, sql: str) -> None:
        answer = bench_db("query", sql, "--store", demo_store)
        assert answer.code == 2
        assert "root:" not in answer.out + answer.err
        assert "Traceback" not in answer.err
        assert "Resolved plan" not in answer.err


class TestNames:
    """The error for a branch name differs from that for a commit without results."""

    @pytest.mark.parametrize(
        ("name", "told"), [("HEAD", True), ("1a2b3c", True), ("1a2b3c4", False), ("A" * 40, False)]
    )
    def test_what_is_no_sha(self, demo_store: Path, name: str, told: bool) -> None:  # noqa: FBT001 a column
        answers = [bench_db(verb, name, "--store", demo_store) for verb in ("has", "compare")]
        assert [answer.code for answer in answers] == [1, 2]
        assert ["named by its sha" in answer.err for answer in answers] == [told, told]


class TestNoStore:
    """Reading a missing store creates none, and the error says how to."""

    @pytest.mark.parametrize(
        "verb", [["latest"], ["summary"], ["trend", "x"], ["has", "abc1234"], ["query", "SELECT 1"], ["store", "info"]]
    )
    def test_exit_code_3(self, tmp_path: Path, verb: list[str]) -> None:
        answer = bench_db(*verb, "--store", tmp_path / "nowhere")
        assert answer.code == 3
        assert "bench-db store init" in answer.err
        assert not (tmp_path / "nowhere").exists()

    @pytest.mark.parametrize("name", ["file", "file/below"])
    def test_a_file_is_no_store(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").write_text("")
        for verb in (["latest"], ["baseline", "list"]):
            answer = bench_db(*verb, "--store", tmp_path / name)
            assert (answer.code, answer.out) == (3, "")
            assert "is a file, or below one, and a store is a directory" in answer.err

    def test_the_environment_names_the_store(self, tmp_path: Path, demo_store: Path) -> None:
        assert bench_db("latest", BENCH_DB_URI=str(demo_store), LANCE_BENCH_URI=str(tmp_path)).code == 0
        assert bench_db("latest", LANCE_BENCH_URI=str(demo_store)).code == 0
        assert str(tmp_path) in bench_db("latest", HOME=str(tmp_path)).err
