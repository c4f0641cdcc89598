"""Complete readings of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.verification import recomputed, verified
from bench_db.errors import UserError
from bench_db.model import Recomputed
from tests.support.engines import Pickling, store_of_nine

if TYPE_CHECKING:
    from pathlib import Path


class TestVerified:
    """An engine finds the same problems; a quick verification takes none."""

    def test_an_engine(self, tmp_path: Path) -> None:
        store = store_of_nine(tmp_path / "store")
        assert verified(store, engine=Pickling()) == verified(store)
        assert verified(store, quick_seed=1).sampled == 45
        with pytest.raises(UserError, match="leave one of them out"):
            verified(store, quick_seed=1, engine="local:1")


class TestRecomputed:
    """One result of nine runs has other statistics; an engine finds the same."""

    def test_counts(self, tmp_path: Path) -> None:
        store = store_of_nine(tmp_path / "store")
        [differing] = [one.id for one in store.results({"benchmark_name": "bench 1"}) if one.dut.version == "1.0.3"]
        expected = Recomputed(results=45, computed=27, differing=1, examples=(differing,))
        assert recomputed(tmp_path / "store") == expected
        assert recomputed(store, engine=Pickling()) == expected
        assert recomputed(store, as_of=store.version - 1).differing == 0
