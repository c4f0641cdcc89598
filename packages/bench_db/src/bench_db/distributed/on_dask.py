"""A Dask cluster: an engine on its scheduler, or on worker processes of this machine."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Self, cast

from distributed import Client, KilledWorker, LocalCluster

from bench_db.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RETRIES = 3
SECONDS = 30  # to reach a scheduler


class OnDask:
    """An engine on a Dask cluster. Values are sent within tasks, never scattered: a lost worker would lose scattered data."""

    def __init__(self, address: str | None) -> None:
        self._cluster = None if address else LocalCluster(dashboard_address=None, threads_per_worker=1)
        try:
            self._client = Client(self._cluster or address, timeout=SECONDS)
        except OSError as error:
            message = f"no Dask scheduler answers at {address} within {SECONDS} s; start one with 'dask scheduler', or write dask alone"
            raise EngineError(message) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    @property
    def workers(self) -> int:
        """How many threads all workers have."""
        return max(1, sum(cast("dict[str, int]", self._client.nthreads()).values()))

    def put(self, value: object) -> object:
        """Return a future of a value, which the scheduler can send again."""
        return self._submit(_same, value)

    def submit(self, function: Callable[..., object], *arguments: object, returns: int = 1) -> list[object]:
        """Return futures of the answer of a function, as `Engine.submit` does."""
        answer = self._submit(function, *arguments)
        return [answer] if returns == 1 else [self._submit(itemgetter(item), answer) for item in range(returns)]

    def get(self, handles: Sequence[object]) -> list[object]:
        """Wait for futures, and return their values."""
        try:
            return cast("list[object]", self._client.gather(list(handles)))
        except KilledWorker as error:
            message = (
                f"Dask lost {RETRIES + 1} workers at one part; was their memory short? See the logs of the workers"
            )
            raise EngineError(message) from error

    def _submit(self, function: Callable[..., object], *arguments: object) -> Any:
        return self._client.submit(function, *arguments, pure=False, retries=RETRIES)


def _same(value: object) -> object:
    return value
