"""A Ray cluster of two workers as an engine."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING

import pytest

from bench_db.distributed import opened
from bench_db.errors import EngineError
from tests.distributed.test_detection import CASES, scanned
from tests.distributed.test_local import killed, killed_once
from tests.support.clusters import needs_engine
from tests.support.engines import read_anew, store_of_nine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench_db.distributed import Engine
    from bench_db.store.database import Database

pytestmark = [needs_engine("ray", "ray"), pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    with opened("ray") as running:
        yield running
    ray.shutdown()


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return store_of_nine(tmp_path_factory.mktemp("nine") / "store")


class TestOnRay:
    """The answers are those of one process, also when a worker is killed."""

    def test_answers_as_arguments(self, engine: Engine) -> None:
        assert engine.workers == 2
        low, high = engine.submit(divmod, 17, 5, returns=2)
        [total] = engine.submit(add, engine.put(100), high)
        assert engine.get([total, low]) == [102, 3]

    @pytest.mark.parametrize("parts", [1, 2, 7, 64])
    @pytest.mark.parametrize("case", CASES)
    def test_a_scan(self, engine: Engine, case: str, parts: int) -> None:
        given = CASES[case]()
        assert repr(scanned(given, engine, parts)) == repr(scanned(given))

    @pytest.mark.parametrize("parts", [1, 2, 7, 64])
    def test_a_verification_and_statistics_anew(self, engine: Engine, nine: Database, parts: int) -> None:
        assert read_anew(nine, engine, parts) == read_anew(nine)

    def test_a_killed_worker(self, engine: Engine, tmp_path: Path, nine: Database) -> None:
        given = CASES["one component"](8)
        kept = engine.put(5)
        assert engine.get(engine.submit(killed_once, str(tmp_path / "killed"))) == ["done"]
        assert engine.get(engine.submit(add, kept, 1)) == [6]
        assert repr(scanned(given, engine, 7)) == repr(scanned(given))
        assert read_anew(nine, engine, 7) == read_anew(nine)

    def test_workers_that_always_end_are_an_error(self, engine: Engine) -> None:
        with pytest.raises(EngineError, match="lost 4 workers at one part"):
            engine.get(engine.submit(killed))
