from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

import bench_db as api
from bench_db.app.schemas import schemas
from bench_db.errors import UserError
from bench_db.report.availability import availability_text
from bench_db.report.document import DOCUMENT_VERSION
from tests.cli.kinds import entry, publish_all

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db import Database
    from bench_db.app.availability import Availability


@pytest.fixture
def store(tmp_path: Path) -> Database:
    store = api.connect(tmp_path / "store", create=True)
    runs = [
        entry(0, {"f": 1.0, "g": 1.0}, suite="io"),
        entry(2, {"f": 1.0, "g": "crashed"}, suite="io"),
        entry(3, {"f": "crashed"}, suite="io"),
        entry(3, {"f": 1.0}, suite="cpu"),
        entry(4, {"f": 1.0}, suite="cpu", branch="topic"),
    ]
    publish_all(store.store, runs)
    return store


def _text(found: Availability) -> str:
    return availability_text(found.days, found.first, found.last)


class TestAvailability:
    """Each device, test bed and suite has its days, of the history that is asked for."""

    def test_days(self, store: Database) -> None:
        found = api.availability(store)
        first = found.first
        assert isinstance(first, date)
        assert [(row[2], (row[3] - first).days, *row[4:]) for row in found.frame().rows()] == [
            ("cpu", 3, 1, 0),
            ("io", 0, 2, 0),
            ("io", 2, 2, 1),
            ("io", 3, 1, 1),
        ]
        assert api.availability(store, branch="topic").frame()["results"].to_list() == [1]
        assert api.availability(store, days=2).frame()["suite"].to_list() == ["cpu", "io", "io"]
        assert api.availability(store, suite="cpu").frame().height == 1

    def test_derived_metrics_are_no_results(self, store: Database) -> None:
        before = api.availability(store).frame()
        api.define(store, "metric", "double", "time * 2")
        assert api.availability(store).frame().equals(before)

    def test_a_derived_metric_has_no_days(self, store: Database) -> None:
        api.define(store, "metric", "double", "time * 2")
        with pytest.raises(UserError, match=r"`metric`: 'double' is derived \(time \* 2\), and .* stored results only"):
            api.availability(store, metric="double")
        assert api.availability(store, metric="none").frame().is_empty()

    @pytest.mark.parametrize("days", [4, 60, 800_000, 99_999_999_999])
    def test_more_days_than_there_are(self, store: Database, days: int) -> None:
        every = api.availability(store)
        found = api.availability(store, days=days)
        assert (found.first, found.last, found.frame().height) == (every.first, every.last, 4)

    @pytest.mark.parametrize(
        ("days", "message"), [(0, r"`days`: .* give 1 or more"), (-1, r"`days`: a whole number is expected, not -1")]
    )
    def test_no_days(self, store: Database, days: int, message: str) -> None:
        with pytest.raises(UserError, match=message):
            api.availability(store, days=days)

    def test_names_are_those_of_definitions(self, store: Database) -> None:
        api.define(store, "alias", "cpu", "io", field="suite")
        assert api.availability(store).frame()["results"].to_list() == [2, 2, 2]

    def test_text(self, store: Database) -> None:
        lines = _text(api.availability(store)).splitlines()
        assert [line.split()[2:5] for line in lines[2:4]] == [["cpu", "···█", "1"], ["io", "█·▒x", "3"]]
        assert lines[-1].startswith("░▒▓█ few to many")

    def test_without_results(self, tmp_path: Path) -> None:
        empty = api.availability(api.connect(tmp_path / "empty", create=True))
        assert (empty.first, empty.last, empty.document["rows"]) == (None, None, [])
        assert _text(empty) == "no results"

    def test_the_document_is_that_of_its_schema(self, store: Database) -> None:
        found = {"schema_version": DOCUMENT_VERSION, **api.availability(store).document}
        assert (
            list(Draft202012Validator(schemas()["store-availability"]).iter_errors(json.loads(json.dumps(found)))) == []
        )
