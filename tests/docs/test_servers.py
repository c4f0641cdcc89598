"""docs/servers.md, followed from top to bottom on a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from adbc_driver_postgresql import dbapi

import bench_db
from tests.cli.conftest import bench_db as run_command
from tests.sinks.stores import TABLES
from tests.support.workers import made_once

if TYPE_CHECKING:
    from tests.support.postgres_server import Postgres

PAGE = (Path(__file__).parents[2] / "docs" / "servers.md").read_text("utf-8")
_BLOCK = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
# The macro of Grafana, and what Grafana makes of it.
_FILTER = re.compile(r"\$__timeFilter\(([\w.]+)\)")


def _asked(address: str, statements: str) -> list[dict[str, Any]]:
    """Run statements and return the rows of the last one."""
    rows: list[dict[str, Any]] = []
    with closing(dbapi.connect(address, autocommit=True)) as connection, connection.cursor() as cursor:
        for statement in filter(str.strip, statements.split(";\n")):
            cursor.execute(_FILTER.sub(r"\1 BETWEEN '2000-01-01' AND '2100-01-01'", statement))
            rows = cursor.fetch_arrow_table().to_pylist()
    return rows


def _typed(lines: str, directory: Path, postgres: Postgres) -> subprocess.CompletedProcess[str]:
    """Run lines of a shell as a newcomer does in an empty directory, where bench-db is installed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(directory), "PGPORT": str(postgres.port)}
    ready = re.sub(r"^pip .*\n", "", lines, flags=re.MULTILINE)
    done = subprocess.run(
        ["bash", "-ec", ready], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


class TestServers:
    """A newcomer who follows the page has a mirror, a user who reads it, and panels with rows."""

    @pytest.mark.slow
    def test_top_to_bottom(self, tmp_path: Path, postgres: Postgres) -> None:
        users, grants, *panels = _BLOCK.findall(PAGE)
        _asked(postgres.address(), users)
        make, check, _delta = _SHELL.findall(PAGE)
        [shown] = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        assert _typed(make, tmp_path, postgres).stdout == shown
        checked = _typed(f"export BENCH_DB_URI=demo/store PGPASSWORD='choose one'\n{check}", tmp_path, postgres)
        assert checked.stdout.count("schema bench_db of postgresql://bench_writer@localhost/metrics") == 2
        writer = postgres.address("metrics", user="bench_writer", password="choose one")
        _asked(writer, grants)
        reader = postgres.address("metrics", user="grafana", password="choose another")
        answers = [_asked(reader, panel) for panel in panels]
        assert len(answers) == 8
        empty = [panel for panel, rows in zip(panels, answers, strict=True) if not rows]
        assert all("error IS NOT NULL" in panel for panel in empty)
        for write in (
            "DELETE FROM bench_db.results",
            "UPDATE bench_db.runs SET branch = 'x'",
            "DROP VIEW bench_db.latest",
        ):
            with pytest.raises(dbapi.Error, match=r"permission denied|must be owner"):
                _asked(reader, write)

    def test_delta_tables(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        demo = made_once(tmp_path_factory, "demo_of_servers", bench_db.demo) / "store"
        monkeypatch.chdir(tmp_path)
        [_, command, _in_a_bucket] = re.findall(r"^(?:pip|bench-db) .*delta.*$", PAGE, re.MULTILINE)
        answer = run_command(*command.partition("#")[0].split()[1:], "--store", demo)
        assert answer.code == 0, answer.err
        [block] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        names: dict[str, Any] = {}
        exec(block, names)
        newest, ours = names["newest"].collect(), bench_db.connect(demo).latest()
        assert dict(newest.select("series_key", "median").iter_rows()) == dict(
            ours.select("series_key", "median").iter_rows()
        )
        assert "benchmark_name" in capsys.readouterr().out

    def test_every_table_is_listed(self) -> None:
        assert [name for name in (*TABLES, "latest", "series", "trend", "mirror") if f"`{name}`" not in PAGE] == []
