"""A Ray cluster: an engine on its head, or on worker processes of this machine."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Self, cast

import ray
from ray.exceptions import RayError, WorkerCrashedError

from bench_db.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RETRIES = 3


class OnRay:
    """An engine on a Ray cluster. It starts no dashboard and sends no usage statistics."""

    def __init__(self, address: str | None) -> None:
        self._owns = not ray.is_initialized()
        if not self._owns:
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
        except (RayError, OSError, RuntimeError) as error:
            message = f"no Ray cluster answers at {address}; start one with 'ray start --head', or write ray alone"
            raise EngineError(message) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._owns:
            ray.shutdown()

    @property
    def workers(self) -> int:
        """How many CPUs the cluster has."""
        return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def put(self, value: object) -> object:
        """Return a reference of a value in the object store of this machine."""
        return ray.put(value)

    def submit(self, function: Callable[..., object], *arguments: object, returns: int = 1) -> list[object]:
        """Return references of the answer of a function, as `Engine.submit` does."""
        remote: Any = ray.remote(num_returns=returns, max_retries=RETRIES)(_called)
        answer = remote.remote(function, *arguments)
        return [answer] if returns == 1 else list(answer)

    def get(self, handles: Sequence[object]) -> list[object]:
        """Wait for references, and return their values."""
        try:
            return cast("list[object]", ray.get(list(handles)))
        except WorkerCrashedError as error:
            message = f"Ray lost {RETRIES + 1} workers at one part; was their memory short? See the logs of the workers"
            raise EngineError(message) from error


def _called(function: Callable[..., object], *arguments: object) -> object:
    return function(*arguments)
