from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import bench_db as api
from bench_db.errors import UserError
from bench_db.store.database import connect
from tests.cli.kinds import entry

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db import RunDifference
    from bench_db.store.database import Database


def published(store: Database, number: int, context: Any, **changed: Any) -> str:
    """Publish a run with a context of its tool, and return its key as text."""
    run, results, *_ = entry(number, {"f": 100.0 + number})
    text = context if isinstance(context, str) else json.dumps(context)
    done = store.publish(results, replace(run, context=text, **changed))
    return f"{done.run_key:016x}"


def differing(found: RunDifference) -> dict[str, tuple[str | None, str | None]]:
    return {fact.name: (fact.a, fact.b) for fact in found.differing}


@pytest.fixture
def store(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


class TestDiffRuns:
    """What differs between the environments of two runs is shown; what they measured and when is no environment."""

    def test_equal(self, store: Database) -> None:
        a, b = (published(store, n, {"cpu": {"flags": ["avx"]}, "datetime": f"day {n}"}) for n in range(2))
        found = api.diff_runs(store, a, b)
        assert (found.a, found.b, found.differing) == (a, b, [])
        assert {fact.name for fact in found.facts} >= {"context.cpu.flags", "test_bed_cpu", "test_bed_name", "format"}

    def test_a_context(self, store: Database) -> None:
        one = {"python": "3.11", "cpu": {"count": 2, "flags": ["avx", "sse"]}, "only": True, "same": 1, "order": [1, 2]}
        two = {"python": "3.12", "cpu": {"count": 4, "flags": ["sse", "amx"]}, "same": 1, "order": [2, 1]}
        found = api.diff_runs(store, published(store, 1, one), published(store, 2, two, format="other"))
        assert differing(found) == {
            "context.cpu.count": ("2", "4"),
            "context.cpu.flags": ("avx", "amx"),
            "context.only": ("true", None),
            "context.order": ("1, 2", "2, 1"),  # the parts are the same, the order is not
            "context.python": ("3.11", "3.12"),
            "format": ("x", "other"),
        }

    def test_values_of_two_types(self, store: Database) -> None:
        one = {"turbo": True, "n": "1", "list": [1, "x"], "same": [True]}
        two = {"turbo": 1, "n": 1, "list": ["1", "x"], "same": [True]}
        assert differing(api.diff_runs(store, published(store, 1, one), published(store, 2, two))) == {
            "context.turbo": ("true", "1"),
            "context.n": ('"1"', "1"),
            "context.list": ('[1, "x"]', '["1", "x"]'),
        }

    def test_a_key_with_a_dot(self, store: Database) -> None:
        one, two = ({"a.b": 1, "a": {"b": n}, 'x"': {"y": n}} for n in (2, 3))
        assert differing(api.diff_runs(store, published(store, 1, one), published(store, 2, two))) == {
            "context.a.b": ("2", "3"),
            'context."x\\"".y': ("2", "3"),
        }

    @pytest.mark.parametrize("context", ["not JSON", "[1]", "{}", '"text"', "null"])
    def test_any_context(self, store: Database, context: str) -> None:
        found = api.diff_runs(store, published(store, 1, context), published(store, 2, {"a": 1}))
        assert differing(found)["context.a"] == (None, "1")

    def test_frame_and_document(self, store: Database) -> None:
        found = api.diff_runs(store, published(store, 1, {}), published(store, 2, {"a": None, "b": [1]}))
        assert found.frame().filter("differs").rows() == [("context.b", None, "1", True)]
        assert len(found.document["facts"]) == found.frame().height

    def test_no_such_run(self, store: Database) -> None:
        with pytest.raises(UserError, match=r"no run is called 'f{16}'"):
            api.diff_runs(store, published(store, 1, {}), "f" * 16)
