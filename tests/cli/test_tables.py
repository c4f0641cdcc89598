"""Results by tags and suite, histories with their intervals, and the same figures as LaTeX, HTML and CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bench_db import Direction, DutBuild, Result, Run, Selection
from bench_db.model import Samples
from bench_db.store.database import Database, connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import BED, entry, publish_all, sha
from tests.ingest.support import pytest_benchmark, pytest_file
from tests.support.histories import DAY, FIRST

if TYPE_CHECKING:
    from pathlib import Path

FRAMEWORKS = {"flax": 100.0, "torch": 120.0}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Five commits of two suites, each benchmark under two frameworks; throughput has an interval that the tool states."""
    made = connect(tmp_path_factory.mktemp("store"), create=True)
    for number in range(1, 6):
        dut = DutBuild(name="d", version=f"1+{sha(number)[:7]}", timestamp=FIRST + DAY * number)
        for suite in ("training", "inference"):
            run = Run(
                file_name=suite,
                sha256=f"{suite}{number}",
                format="x",
                dut=dut,
                test_bed=BED,
                run_id=f"{suite}-{number}",
            )
            base = Result(dut=dut, test_bed=BED, benchmark_name="fwd", suite=suite, commit=sha(number))
            rows = []
            for framework, level in FRAMEWORKS.items():
                tagged = replace(base, tags={"framework": framework, "bs": "32"})
                rows += [
                    replace(tagged, values=Samples([level + number])),
                    replace(
                        tagged,
                        metric="throughput",
                        units="per_second",
                        direction=Direction.HIGHER,
                        values=Samples([level * number]),
                        lower=level * number - 1,
                        upper=level * number + 1,
                    ),
                ]
            made.publish(rows if suite == "training" or number > 3 else rows[:2], run)
    return made


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


class TestQuery:
    """Results and runs are found by tags and by suite, all of which must hold."""

    def test_runs_by_tags_and_suite(self, store: Database) -> None:
        def found(**conditions: Any) -> list[str]:
            return sorted(store.runs(selection=Selection(**conditions)).collect()["run_id"])

        training, inference = ([f"{suite}-{n}" for n in range(1, 6)] for suite in ("training", "inference"))
        assert found() == sorted(training + inference)
        assert found(tags={"framework": "flax"}) == sorted(training + inference)
        assert found(tags={"framework": "flax"}, suite="training") == training
        assert found(tags={"framework": "torch"}, suite="inference") == inference[3:]
        assert found(tags={"framework": "torch", "bs": "64"}) == []
        assert found(tags={"framework": "fla"}) == []

    def test_results_by_tag_and_suite(self, store: Database) -> None:
        words = ("latest", "--tag", "framework=flax", "--tag", "bs=32", "--suite", "inference", "--metric", "time")
        (row,) = bench_db(*words, "--store", store.uri, "--output", "json").document
        assert (row["suite"], row["tags"], row["median"]) == ("inference", {"framework": "flax", "bs": "32"}, 105.0)


class TestTrend:
    """The newest points of a series, oldest first, with the interval that the tool stated."""

    def test_method(self, store: Database) -> None:
        chosen = Selection(metric="throughput", tags={"framework": "flax"}, suite="training")
        points = store.trend("fwd", chosen, last=3)
        assert points["commit"].to_list() == [sha(3), sha(4), sha(5)]
        assert points["median"].to_list() == [300.0, 400.0, 500.0]
        assert points["lower"].to_list() == [299.0, 399.0, 499.0]
        assert points["upper"].to_list() == [301.0, 401.0, 501.0]
        assert points["dut_timestamp"].is_sorted()

    def test_command(self, store: Database) -> None:
        words = (
            "trend",
            "fwd",
            "--metric",
            "throughput",
            "--tag",
            "framework=flax",
            "--suite",
            "training",
            "--last",
            3,
        )
        rows = bench_db(*words, "--store", store.uri, "--output", "json").document
        assert [(row["commit"], row["lower"], row["upper"]) for row in rows] == [
            (sha(3), 299.0, 301.0),
            (sha(4), 399.0, 401.0),
            (sha(5), 499.0, 501.0),
        ]
        lines = bench_db(*words, "--store", store.uri).out.splitlines()
        assert lines[2].split()[-2:] == ["interval", "change"]
        assert "299.0 /s to 301.0 /s" in lines[4]

    def test_without_an_interval(self, store: Database) -> None:
        assert "interval" not in bench_db("trend", "fwd", "--metric", "time", "--store", store.uri).out


class TestTable:
    """`--table` writes what a verb shows for a paper, a page or a spreadsheet."""

    @pytest.mark.parametrize("words", [("latest",), ("summary",), ("trend", "fwd"), ("compare", sha(5))])
    @pytest.mark.parametrize(
        ("table", "start"),
        [("latex", "\\begin{tabular}"), ("html", "<table>"), ("csv", "benchmark,test bed,")],
    )
    def test_every_verb(self, store: Database, words: tuple[str, ...], table: str, start: str) -> None:
        answer = bench_db(*words, "--table", table, "--store", store.uri)
        assert (answer.code, answer.err) == (0, "of the main history\n")
        assert answer.out.startswith(start)
        assert "training: fwd" in answer.out

    def test_a_spreadsheet_has_every_statistic_at_full_precision(self, store: Database) -> None:
        words = (
            "trend",
            "fwd",
            "--suite",
            "training",
            "--tag",
            "framework=flax",
            "--table",
            "csv",
            "--store",
            store.uri,
        )
        rows = cells(bench_db(*words).out)
        time = [row for row in rows if "throughput" not in row["benchmark"]]
        assert [row["commit"] for row in time] == [sha(n) for n in range(1, 6)]
        assert [float(row["median"]) for row in time] == [101.0, 102.0, 103.0, 104.0, 105.0]
        assert {row["unit"] for row in rows} == {"nanoseconds", "per_second"}
        assert {"min", "q1", "q3", "max", "mean", "standard_deviation", "lower", "upper", "n"} <= rows[0].keys()

    def test_a_comparison_as_figures(self, store: Database) -> None:
        rows = cells(bench_db("compare", sha(5), "--suite", "training", "--table", "csv", "--store", store.uri).out)
        assert {row["verdict"] for row in rows} == {"insufficient"}
        assert rows[0]["note"] == "a verdict needs 5 runs of the baseline"
        assert (rows[0]["runs before"], rows[0]["runs after"]) == ("4", "1")

    def test_across_a_tag_the_best_stands_out(self, store: Database) -> None:
        words = ("latest", "--suite", "training", "--across", "framework", "--store", store.uri, "--table")
        rows = cells(bench_db(*words, "csv").out)
        assert [(row["benchmark"], row["flax"], row["torch"]) for row in rows] == [
            ("training: fwd throughput {bs=32}", "500.0", "600.0"),
            ("training: fwd {bs=32}", "105.0", "125.0"),
        ]
        page = bench_db(*words, "html").out
        assert "<td><strong>105.0 ns</strong></td><td>125.0 ns</td>" in page
        assert "<td>500.0 /s</td><td><strong>600.0 /s</strong></td>" in page

    def test_across_suites_with_one_missing(self, store: Database) -> None:
        words = ("latest", "--metric", "throughput", "--across", "suite", "--table", "csv", "--store", store.uri)
        rows = cells(bench_db(*words).out)
        assert {row["inference [per_second]"] for row in rows} == {"500.0", "600.0"}

    def test_across_needs_a_table(self, store: Database) -> None:
        answer = bench_db("latest", "--across", "framework", "--store", store.uri)
        assert (answer.code, "--table" in answer.err) == (2, True)


class TestSeveralTestBeds:
    """Where a name is not enough, each row says its test bed."""

    @pytest.fixture
    def beds(self, tmp_path: Path) -> Database:
        made = connect(tmp_path / "store", create=True)
        entries = []
        for number in range(8):
            for name in ("ci-1", "ci-2"):
                value = 200.0 if (number, name) == (7, "ci-2") else 100.0
                entries.append(entry(number, {"f": value}, bed=replace(BED, name=name)))
        publish_all(made, entries)
        return made

    @pytest.mark.parametrize(
        ("flags", "shown"),
        [
            ((), "regressed  f          ci-2"),
            (("--markdown",), "| <code>f</code> on <code>ci-2</code> | 100.0 ns"),
            (("--table", "latex"), "f & ci-2 & \\textbf{100.0 ns} & 200.0 ns"),
        ],
    )
    def test_shown(self, beds: Database, flags: tuple[str, ...], shown: str) -> None:
        assert shown in bench_db("compare", "latest", *flags, "--store", beds.uri).out

    def test_one_alone_is_not(self, beds: Database) -> None:
        out = bench_db("compare", "latest", "--test-bed-name", "ci-2", "--store", beds.uri).out
        assert "test bed" not in out


class TestSkippedWhenPublished:
    """A benchmark whose figures publishing refused has failed: NaN does not get past the gate by not being stored."""

    def test_nan_in_a_file(self, tmp_path: Path) -> None:
        where = ("--store", tmp_path / "store", "--test-bed-name", "ci", "--dut-name", "d")
        for number in range(8):
            stats = {"median": float("nan"), "mean": float("nan")} if number == 7 else {}
            file = tmp_path / f"{number}.json"
            records = pytest_benchmark("t.py::good"), pytest_benchmark("t.py::bad", data=None, **stats)
            file.write_text(pytest_file(*records, number=number))
            words = (
                "--commit",
                sha(number),
                "--dut-version",
                f"1+{sha(number)[:7]}",
                "--dut-timestamp",
                FIRST + number,
            )
            assert bench_db("publish", file, *where, *words).code == 0
        store = ("--store", tmp_path / "store")
        answer = bench_db("check", "--baseline", "level", *store, "--output", "json")
        rows = {row["series"]: row for row in answer.document["comparisons"]}
        assert (answer.code, rows["t.py::bad"]["verdict"], rows["t.py::good"]["verdict"]) == (1, "failed", "unchanged")
        assert rows["t.py::bad"]["note"].startswith("skipped, not-finite: NaN at $.benchmarks[1].stats.")
        assert json.dumps(answer.document)
