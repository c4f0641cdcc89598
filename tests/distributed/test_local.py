"""Spawned processes as an engine."""

from __future__ import annotations

import gc
import os
import signal
from operator import add, itemgetter
from pathlib import Path

import pytest

from bench_db.distributed.local import Local
from bench_db.errors import EngineError


def killed_once(marker: str) -> str:
    """End the own process by SIGKILL, but not when a file says that this happened before."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def killed() -> None:
    """End the own process by SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


class Large(list[str]):
    """An answer that a garbage collector can find."""


def small_and_large(number: int) -> tuple[int, Large]:
    return number, Large(["large"])


class TestLocal:
    """An answer is an argument of other functions; a lost process runs nothing twice that was done."""

    def test_answers_in_order_and_as_arguments(self) -> None:
        with Local(2) as engine:
            [three] = engine.submit(add, 1, 2)
            low, high = engine.submit(divmod, 17, 5, returns=2)
            [total] = engine.submit(add, three, high)
            [both] = engine.submit(add, total, engine.put(100))
            assert engine.get([both, low, three]) == [105, 3, 3]
            assert engine.get([]) == []

    def test_an_answer_that_nobody_asks_for_again_is_dropped(self) -> None:
        with Local(1) as engine:
            small, large = engine.submit(small_and_large, 3, returns=2)
            [copied] = engine.submit(itemgetter(0), large)
            assert engine.get([small, copied]) == [3, "large"]
            kept = [one for one in gc.get_objects() if type(one) is Large]
            assert len(kept) == 1
            del kept, large
            assert not [one for one in gc.get_objects() if type(one) is Large]
            assert engine.get([small]) == [3]

    def test_an_error_of_a_function(self) -> None:
        with Local(1) as engine:
            [wrong] = engine.submit(itemgetter(3), ())
            with pytest.raises(IndexError):
                engine.get([wrong])

    @pytest.mark.slow
    def test_a_killed_process_is_replaced(self, tmp_path: Path) -> None:
        with Local(2) as engine:
            asked = [engine.submit(add, number, number)[0] for number in range(5)]
            [once] = engine.submit(killed_once, str(tmp_path / "killed"))
            assert engine.get([*asked, once]) == [0, 2, 4, 6, 8, "done"]

    @pytest.mark.slow
    def test_processes_that_always_end_are_an_error(self) -> None:
        with Local(1) as engine:
            with pytest.raises(EngineError, match="local:1: worker processes ended 3 times in a row"):
                engine.get(engine.submit(killed))
            assert engine.get(engine.submit(add, 1, 1)) == [2]
