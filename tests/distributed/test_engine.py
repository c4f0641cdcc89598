"""The text that names an engine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bench_db.distributed import opened
from bench_db.distributed.engine import parts_for
from bench_db.distributed.local import Local
from bench_db.errors import MissingExtraError, UserError
from tests.support.engines import Pickling

if TYPE_CHECKING:
    from bench_db.distributed import Engine


class TestOpened:
    """A text opens an engine for a block; an engine passes through."""

    def test_processes(self) -> None:
        with opened("local:3") as engine:
            assert isinstance(engine, Local)
            assert engine.workers == 3

    def test_an_engine_stays_open(self) -> None:
        given: Engine = Pickling()
        with opened(given) as engine:
            assert engine is given

    @pytest.mark.parametrize(
        "text", ["", "local", "local:", "local:0", "local:-1", "local:x", "dask:", "ray:", "spark"]
    )
    def test_another_text(self, text: str) -> None:
        with (
            pytest.raises(UserError, match="is not known; write local:N, dask, dask:ADDRESS, ray or ray:ADDRESS"),
            opened(text),
        ):
            pass

    @pytest.mark.parametrize(("text", "package"), [("dask", "distributed"), ("ray:auto", "ray")])
    def test_a_missing_package(self, text: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, package, None)  # an import of it fails, installed or not
        monkeypatch.delitem(sys.modules, f"bench_db.distributed.on_{text.partition(':')[0]}", raising=False)
        with (
            pytest.raises(MissingExtraError, match=rf"pip install '\./packages/bench_db\[{text.partition(':')[0]}\]'"),
            opened(text),
        ):
            pass


class TestPartsFor:
    """Four parts a worker, at most one a series, at least one."""

    @pytest.mark.parametrize(("series", "parts"), [(0, 1), (5, 5), (1000, 12)])
    def test_number(self, series: int, parts: int) -> None:
        assert parts_for(Pickling(3), series) == parts
