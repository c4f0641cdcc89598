from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

import bench_db as api
from bench_db.app.database import Database
from bench_db.errors import UserError
from bench_db.query.selection import Selection
from bench_db.store.database import connect
from tests.app.test_charts import rows_of
from tests.cli.commands import bench_db
from tests.cli.kinds import entry, publish_all, sha

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store import database as stores


class TestTrend:
    """The answer has the rows of `Database.trend`, and says whose history they are."""

    def test_rows(self, stepped: stores.Database) -> None:
        answer = api.trend(stepped, "f", last=3)
        assert answer.frame().equals(Database(stepped).trend("f", last=3))
        assert answer.history == "the main history (branch main)"

    def test_conditions(self, stepped: stores.Database) -> None:
        assert api.trend(stepped, "*", metric="nothing").frame().is_empty()
        assert api.trend(stepped, "f", branch="x").history == "branch x"


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> stores.Database:
    """Four commits of f, one of g; pull request 7 measured f at two commits and the new h, 8 measured f."""
    made = connect(tmp_path_factory.mktemp("pulled") / "store", create=True)
    publish_all(
        made, [entry(number, {"f": 100.0 + 10 * number, **({"g": 5.0} if number == 0 else {})}) for number in range(4)]
    )
    for number, pull, values in ((2, 7, {"f": 260.0, "h": 1.0}), (9, 7, {"f": 195.0}), (9, 8, {"f": 1.0})):
        run, results, *_ = entry(number, values, commit=sha(100 * pull + number))
        made.publish([replace(one, pr_number=pull) for one in results], replace(run, pr_number=pull))
    return made


class TestPullRequest:
    """The points of a pull request follow those of main, and are compared with main alone."""

    def test_after_the_history(self, pulled: stores.Database) -> None:
        rows = (
            Database(pulled)
            .trend("*", with_pr=7)
            .select("benchmark_name", "index", "median", "change", "change_since_first", "pr_number")
        )
        f = rows.filter(benchmark_name="f")
        assert f["pr_number"].to_list() == [None] * 4 + [7, 7]
        assert f["index"].to_list() == list(range(6))
        assert f["change"].to_list()[4:] == pytest.approx([1.0, 0.5])
        assert f["change_since_first"].to_list()[4:] == pytest.approx([1.6, 0.95])
        assert rows.filter(benchmark_name="h")["change"].to_list() == [None]
        assert rows["benchmark_name"].to_list() == ["f"] * 6 + ["g", "h"]

    def test_the_history_stays_as_it_is(self, pulled: stores.Database) -> None:
        both = Database(pulled).trend("*", with_pr=7, values=True)
        own = both.filter(pl.col("pr_number").is_null()).drop("pr_number")
        assert own.equals(Database(pulled).trend("*", values=True))
        assert both.drop_nulls("pr_number")["values"].to_list() == [[260.0], [195.0], [1.0]]

    def test_last_counts_points_of_main(self, pulled: stores.Database) -> None:
        rows = Database(pulled).trend("f", with_pr=7, last=2)
        assert rows["median"].to_list() == [120.0, 130.0, 260.0, 195.0]

    def test_of_main_alone(self, pulled: stores.Database) -> None:
        with pytest.raises(UserError, match="`with_pr` adds a pull request to the main history"):
            pulled.trend("f", Selection(everything=True), with_pr=7)

    def test_on_a_chart(self, pulled: stores.Database) -> None:
        lines = [row["line"] for row in rows_of(api.trend(pulled, "f", with_pr=7).plot().to_dict())]
        assert lines == ["f"] * 4 + ["f, pull request 7"] * 2

    def test_as_text(self, pulled: stores.Database, tmp_path: Path) -> None:
        answer = bench_db("trend", "f", "--with-pr", "7", "--store", pulled.uri, cwd=tmp_path)
        assert answer.returncode == 0, answer.stderr
        assert "4 points, 100.0 ns to 130.0 ns, +30.0 %, and 2 of pull request 7" in answer.stdout
        assert [line.split()[-1] for line in answer.stdout.splitlines() if "260.0 ns" in line] == ["#7"]
        assert "with pull request 7" in answer.stdout + answer.stderr

    def test_as_a_spreadsheet(self, pulled: stores.Database, tmp_path: Path) -> None:
        answer = bench_db("trend", "f", "--with-pr", "7", "--table", "csv", "--store", pulled.uri, cwd=tmp_path)
        rows = csv.DictReader(answer.stdout.splitlines())
        assert [row["pull request"] for row in rows] == ["-", "-", "-", "-", "7", "7"]

    def test_one_without_results(self, pulled: stores.Database, tmp_path: Path) -> None:
        answer = bench_db("trend", "f", "--with-pr", "99", "--store", pulled.uri, cwd=tmp_path)
        assert answer.returncode == 2
        assert answer.stdout == ""
        assert "there are results of: branch main, pull request 7, pull request 8" in answer.stderr
