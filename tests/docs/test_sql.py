from __future__ import annotations

import re
from pathlib import Path

import pytest

import bench_db
from bench_db.app.database import TIMES
from tests.cli.conftest import demo_once

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TABLES = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> bench_db.Database:
    return bench_db.connect(demo_once(tmp_path_factory))


class TestSql:
    """Every example of docs/sql.md runs and gives rows; the page lists every table, with its times."""

    @pytest.mark.parametrize("text", EXAMPLES)
    def test_examples_run(self, demo: bench_db.Database, text: str) -> None:
        assert not demo.query(text).is_empty()

    def test_every_table_is_listed(self, demo: bench_db.Database) -> None:
        with pytest.raises(bench_db.UserError) as caught:
            demo.query("SELECT * FROM nowhere")
        assert set(str(caught.value).partition("the tables are ")[2].split(", ")) == TABLES.keys()

    @pytest.mark.parametrize("table", TABLES)
    def test_times(self, demo: bench_db.Database, table: str) -> None:
        columns = demo.query(f"SELECT * FROM {table} LIMIT 1").columns
        times = {name for name in columns if name in TIMES.values()}
        assert times == set(re.findall(r"`(\w+)`", TABLES[table]))
