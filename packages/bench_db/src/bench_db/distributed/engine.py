"""The seam to processes and machines: an engine runs pure functions, by handles of values that may be on another machine."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from bench_db.errors import MissingExtraError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

FORMS = "local:N, dask, dask:ADDRESS, ray or ray:ADDRESS"
PARTS_A_WORKER = 4  # so that one slow part delays the end by little
_LOCAL = re.compile(r"local:([1-9]\d{0,3})")


class Engine(Protocol):
    """A way to run pure functions elsewhere. A handle stands for a value; as an argument of `submit` it becomes that value.

    `workers` is how many functions can run at the same time. A function may run again when its worker is lost.
    """

    @property
    def workers(self) -> int:
        """How many functions can run at the same time."""

    def put(self, value: object) -> object:
        """Return a handle of a value."""

    def submit(self, function: Callable[..., object], *arguments: object, returns: int = 1) -> list[object]:
        """Return handles of the answer of a function, which returns a tuple when `returns` is not 1."""

    def get(self, handles: Sequence[object]) -> list[object]:
        """Return the values of handles, in order. Raises `EngineError` when workers are lost again and again."""


@contextmanager
def opened(engine: str | Engine) -> Iterator[Engine]:
    """Open the engine that a text names, such as `local:4`, and close it at the end of the block; one that is open stays open.

    `dask` and `ray` without an address start workers on this machine. Raises `UserError` for another text, `MissingExtraError`
    without the package, and `EngineError` for a cluster that cannot be reached.
    """
    if not isinstance(engine, str):
        yield engine
        return
    with _made(engine) as made:
        yield made


def _made(text: str) -> AbstractContextManager[Engine]:
    kind, _, address = text.partition(":")
    local = _LOCAL.fullmatch(text)
    if local:
        from bench_db.distributed.local import Local  # noqa: PLC0415 each engine loads its own packages

        return Local(int(local[1]))
    if kind == "dask" and (address or text == kind):
        with _needed(kind):
            from bench_db.distributed.on_dask import OnDask  # noqa: PLC0415
        return OnDask(address or None)
    if kind == "ray" and (address or text == kind):
        with _needed(kind):
            from bench_db.distributed.on_ray import OnRay  # noqa: PLC0415
        return OnRay(address or None)
    message = f"engine {text!r} is not known; write {FORMS}"
    raise UserError(message)


@contextmanager
def _needed(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingExtraError.of(what=f"the engine {extra}", package=error.name or extra, extra=extra) from error


def parts_for(engine: Engine, series: int) -> int:
    """Return into how many parts to cut so many series."""
    return max(1, min(PARTS_A_WORKER * engine.workers, series))
