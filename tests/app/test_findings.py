from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import bench_db as api
from bench_db import State, UserError
from bench_db.model import Finding
from bench_db.store.database import Database, connect
from tests.cli.asking import AT
from tests.cli.kinds import publish, sha

if TYPE_CHECKING:
    from pathlib import Path


class TestFindings:
    """People decide about findings; a later decision is the newest state."""

    def test_decisions(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        publish(store, 1, {"f": 1.0})
        (key,) = store.latest()["series_key"]
        numbers = {"effect": 0.1, "low": 0.0, "high": 0.2, "p_value": 0.01, "provisional": False}
        store.record_findings([Finding(id="abc", series_key=key, commit=sha(1), index=0, at=AT, **numbers)])  # type: ignore[arg-type]
        assert api.bless_finding(store, "a", note="larger cache", by="me").state is State.BLESSED
        assert [f.state for f in api.findings(store, states=["blessed"]).findings] == [State.BLESSED]
        assert api.ignore_finding(store, "abc").at == AT + 2
        assert api.reopen_finding(store, "abc").state is State.REOPENED
        answer = api.findings(store)
        assert [row["state"] for row in answer.document["findings"]] == ["reopened"]
        assert answer.frame()["benchmark_name"].to_list() == ["f"]
        assert api.findings(store, states=["open"]).frame().is_empty()

    def test_unknown(self, store: Database) -> None:
        with pytest.raises(UserError, match="no finding with an id that begins with 'x'"):
            api.bless_finding(store, "x")
        with pytest.raises(UserError, match="`states`: 'opened' is no state"):
            api.findings(store, states=["opened"])
