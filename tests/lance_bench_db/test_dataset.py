from pathlib import Path

import pytest

from bench_db.store.database import connect as bench_db_connect
from lance_bench_db.dataset import connect, get_database_uri
from tests.strategies import publication


class TestGetDatabaseUri:
    """The address is LANCE_BENCH_URI; unset or empty, it is a directory in the home."""

    @pytest.mark.parametrize("uri", ["s3://bucket/prefix", "relative/store", "/absolute"])
    def test_of_the_environment(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LANCE_BENCH_URI", uri)
        assert get_database_uri() == uri

    def test_of_the_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("LANCE_BENCH_URI", "")
        assert get_database_uri() == str(tmp_path / ".lance-bench")
        monkeypatch.delenv("LANCE_BENCH_URI")
        assert get_database_uri() == str(tmp_path / ".lance-bench")


class TestConnect:
    """The connection opens the tables of a bench_db store at that address, and the address is read at each call."""

    def test_the_rows_of_a_store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for number, rows in ((1, 2), (2, 3)):
            run, results = publication(number, rows=rows)
            bench_db_connect(tmp_path / f"{rows}", create=True).publish(results, run)
        for rows in (2, 3):
            monkeypatch.setenv("LANCE_BENCH_URI", str(tmp_path / f"{rows}"))
            assert connect().open_table("results").count_rows() == rows
