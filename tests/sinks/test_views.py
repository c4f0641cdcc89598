from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bench_db.app.database import Database
from bench_db.app.mirror import mirror
from tests.sinks.stores import several_histories
from tests.strategies import publication

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres_server import Postgres

SCHEMA = "views"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Database:
    made = Database(several_histories(tmp_path_factory.mktemp("views") / "store"))
    mirror(made, postgres.address(), schema=SCHEMA)
    return made


def asked(postgres: Postgres, query: str, like: pl.DataFrame) -> pl.DataFrame:
    """Return an answer of the server in the columns and types of a frame."""
    rows: list[dict[str, Any]] = postgres.rows(query)
    found = pl.DataFrame(rows, infer_schema_length=None)
    return found.select(like.columns).cast(like.schema)


class TestViews:
    """SQL on a mirror gives the answers of bench_db."""

    def test_latest(self, database: Database, postgres: Postgres) -> None:
        ours = database.latest()
        assert ours["stale"].any()
        theirs = asked(postgres, f"SELECT * FROM {SCHEMA}.latest", ours)
        assert_frame_equal(theirs.sort("series_key"), ours.sort("series_key"))

    def test_summary(self, database: Database, postgres: Postgres) -> None:
        ours = database.summary()
        assert 0 in ours["n"]  # a series of failures alone
        theirs = asked(postgres, f"SELECT * FROM {SCHEMA}.series", ours)
        assert_frame_equal(theirs.sort("series_key"), ours.sort("series_key"), rel_tol=1e-13)

    def test_trend(self, database: Database, postgres: Postgres) -> None:
        ours = database.trend("*")
        assert 0 < ours["change"].null_count() < len(ours)
        order = 'benchmark_name, test_bed_name, series_key, "index"'
        theirs = asked(postgres, f"SELECT * FROM {SCHEMA}.trend ORDER BY {order}", ours)
        assert_frame_equal(theirs, ours)

    def test_tags(self, tmp_path: Path, postgres: Postgres) -> None:
        """Rows are chosen by the value of a tag, as `--tag` does."""
        made = several_histories(tmp_path / "store")
        run, results = publication(30)
        made.publish([replace(one, tags={"k": f"{place}"}) for place, one in enumerate(results)], run)
        mirror(made, postgres.address(), schema="tagged")
        ours = Database(made).latest(tags={"k": "1"})["series_key"].to_list()
        assert len(ours) == 1
        for view in ("latest", "series", "trend"):
            theirs = postgres.rows(f"SELECT series_key FROM tagged.{view} WHERE tags->>'k' = '1'")
            assert [row["series_key"] for row in theirs] == ours

    def test_a_query_over_the_results_of_any_branch(self, database: Database, postgres: Postgres) -> None:
        rows = database.scan(["run_key", "median", "benchmark_name"], everything=True)
        shown = rows.filter(pl.col("benchmark_name") != "bench 0")  # which a definition ignores
        ours = shown.group_by("run_key").agg(pl.len(), pl.col("median").sum()).sort("run_key").collect()
        theirs = postgres.rows(
            "SELECT run_key, count(*) AS len, coalesce(sum(median), 0) AS median"
            f" FROM {SCHEMA}.results GROUP BY 1 ORDER BY 1"
        )
        assert theirs == ours.to_dicts()
