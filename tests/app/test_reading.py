from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.reading import latest
from bench_db.query.selection import Selection
from bench_db.store.database import Database, connect
from tests.cli.kinds import entry, publish, publish_all

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Series f, g and h that end at commits 3, 1 and 2, and k of another suite that ends at 0."""
    made = connect(tmp_path_factory.mktemp("latest") / "store", create=True)
    publish_all(
        made,
        [
            entry(number, {name: float(number) for name in names})
            for number, names in enumerate(["fgh", "fgh", "fh", "f"])
        ],
    )
    publish(made, 0, {"k": 5.0}, suite="other")
    return made


class TestLatest:
    """One row a series, its newest; a series is stale when another of its suite has a newer commit."""

    def test_newest_of_each(self, store: Database) -> None:
        rows = latest(store)
        assert dict(rows.select("benchmark_name", "median").iter_rows()) == {"f": 3.0, "g": 1.0, "h": 2.0, "k": 5.0}

    def test_stale(self, store: Database) -> None:
        stale = dict(latest(store).select("benchmark_name", "stale").iter_rows())
        assert stale == {"f": False, "g": True, "h": True, "k": False}

    def test_what_is_not_selected_counts_for_stale(self, store: Database) -> None:
        rows = latest(store, Selection(benchmark="g"))
        assert rows.select("benchmark_name", "stale").rows() == [("g", True)]

    @pytest.mark.parametrize(("last", "names"), [(0, []), (1, ["f"]), (2, ["f", "h"]), (9, ["f", "g", "h", "k"])])
    def test_last_are_those_with_the_newest_commits(self, last: int, names: list[str], store: Database) -> None:
        assert sorted(latest(store, last=last)["benchmark_name"]) == names

    def test_an_early_version_has_less(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        publish(made, 0, {"f": 1.0})
        before = made.version
        publish(made, 1, {"f": 2.0})
        assert (latest(made, as_of=before)["median"][0], latest(made)["median"][0]) == (1.0, 2.0)
