from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.expected import suites_in, with_absent
from bench_db.errors import UserError
from bench_db.model import Verdict
from bench_db.store.database import connect
from tests.cli.kinds import publish, sha

if TYPE_CHECKING:
    from pathlib import Path


class TestSuitesIn:
    """The names of all texts are returned once each, in their order; other JSON is an error."""

    def test_names(self) -> None:
        assert suites_in(['[{"name": "b"}, {"name": "a", "kind": "rust"}]', '[{"name": "b"}, {"name": "c"}]']) == [
            "b",
            "a",
            "c",
        ]
        assert suites_in([]) == suites_in(["[]"]) == []

    @pytest.mark.parametrize("text", ["", "7", '["a"]', '[{"suite": "a"}]'])
    def test_not_suites(self, text: str) -> None:
        with pytest.raises(UserError, match="`expect` is not the output of 'bench-db suites'"):
            suites_in([text])


class TestWithAbsent:
    """A suite fails when the commit has neither a result nor an error of it."""

    def test_only_the_absent_one_fails(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        publish(store, 1, {"f": 1.0}, suite="measured")
        publish(store, 1, {"f": "broken"}, suite="broken")
        publish(store, 2, {"f": 1.0}, suite="elsewhere")
        added = with_absent(store, [], sha(1), ["measured", "broken", "elsewhere", "absent"])
        assert [(one.series.suite, one.verdict) for one in added] == [
            ("absent", Verdict.FAILED),
            ("elsewhere", Verdict.FAILED),
        ]
        assert len({one.series.series_key for one in added}) == 2
        assert all("see the log of its job" in one.note for one in added)

    def test_what_was_judged_stays(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        publish(store, 1, {"f": 1.0}, suite="measured")
        judged = with_absent(store, [], sha(1), ["absent"])
        assert with_absent(store, judged, sha(1), ["measured"]) == judged
