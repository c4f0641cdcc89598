"""Processes of this machine. They are spawned: Lance is not safe in a forked process."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Self, cast
from weakref import WeakSet

from bench_db.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MOST_LOSSES = 3  # times in a row that workers may end before the engine gives up


class _Task:
    """A function with its arguments, until it is done. Its handles get the answer, each its own part, and those dropped before get none."""

    def __init__(self, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self.function, self.arguments = function, arguments
        self.handles: WeakSet[_Handle] = WeakSet()
        self.is_done = False

    def finish(self, answer: object) -> None:
        self.is_done, self.arguments = True, ()
        for handle in self.handles:
            handle.value = answer if handle.item is None else cast("tuple[object, ...]", answer)[handle.item]

    def inputs(self) -> Iterator[_Task]:
        return (one.task for one in self.arguments if isinstance(one, _Handle))


class _Handle:
    """One answer of a task: all of it, or the `item` of a tuple."""

    def __init__(self, task: _Task, item: int | None) -> None:
        self.task, self.item = task, item
        self.value: object = None
        task.handles.add(self)


class Local:
    """An engine of spawned processes. A function starts when its answer is asked for, and again when its process was killed.

    The driver keeps the answers that some handle refers to.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool = self._new_pool()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return self._workers

    @property
    def process_ids(self) -> list[int]:
        """The ids of the processes that run now; a process starts with the first function it is needed for."""
        return sorted(self._pool._processes or ())  # noqa: SLF001 the pool has no other way to name them

    def put(self, value: object) -> object:
        """Return the value itself: it is sent with each function."""
        return value

    def submit(self, function: Callable[..., object], *arguments: object, returns: int = 1) -> list[object]:
        """Return handles of the answer of a function, as `Engine.submit` does."""
        task = _Task(function, arguments)
        return [_Handle(task, None)] if returns == 1 else [_Handle(task, item) for item in range(returns)]

    def get(self, handles: Sequence[object]) -> list[object]:
        """Run what the handles need, and return their values."""
        known = [cast("_Handle", handle) for handle in handles]
        self._run(_unfinished(handle.task for handle in known))
        return [handle.value for handle in known]

    def _run(self, tasks: list[_Task]) -> None:
        """Run tasks; those whose process was lost run again in new processes."""
        running: dict[Future[object], _Task] = {}
        losses = 0
        while tasks or running:
            waiting = []
            for task in tasks:
                if not all(one.is_done for one in task.inputs()) or (future := self._started(task)) is None:
                    waiting.append(task)
                else:
                    running[future] = task
            tasks = waiting
            ended = wait(running, return_when=FIRST_COMPLETED).done if running else set()
            lost = not running
            for future in ended:
                task = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    tasks.append(task)
                    lost = True
                else:
                    task.finish(future.result())
                    losses = 0
            if lost:
                losses += 1
                tasks += running.values()
                running.clear()
                self._replace(losses)

    def _started(self, task: _Task) -> Future[object] | None:
        """Start a task; None when the processes are lost."""
        arguments = (one.value if isinstance(one, _Handle) else one for one in task.arguments)
        try:
            return self._pool.submit(task.function, *arguments)
        except BrokenProcessPool:
            return None

    def _replace(self, losses: int) -> None:
        """Start new processes in place of lost ones. Raises `EngineError` when that happened too often."""
        self._pool.shutdown(cancel_futures=True)
        if losses >= MOST_LOSSES:
            message = (
                f"local:{self._workers}: worker processes ended {losses} times in a row before one part was done. Was memory short?"
                " Use fewer workers. In a script, call bench_db below `if __name__ == '__main__':`, because workers import it."
            )
            raise EngineError(message)
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._workers, mp_context=multiprocessing.get_context("spawn"))


def _unfinished(tasks: Iterator[_Task]) -> list[_Task]:
    """Return the tasks without an answer that some tasks need, themselves included, each after those that it needs."""
    found: dict[_Task, None] = {}

    def visit(task: _Task) -> None:
        if not task.is_done and task not in found:
            for needed in task.inputs():
                visit(needed)
            found[task] = None

    for task in tasks:
        visit(task)
    return list(found)
