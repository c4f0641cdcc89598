"""Kernels in two forms: plain Python, which starts at once, and machine code, which pays for its compiler in long work only."""

from __future__ import annotations

import logging
import math
import warnings
from array import array
from collections.abc import Callable
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

from bench_db.errors import SlowWarning

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Codes = np.ndarray[Any, np.dtype[np.int32]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Function = TypeVar("Function", bound=Callable[..., Any])
Given = ParamSpec("Given")
Answer = TypeVar("Answer")
# The compiled modules: the kernels and their imports from this package.
SOURCES = ("*_kernel.py", "constants.py", "student.py", "jit.py")
_COMPILER = Lock()
_LOG = logging.getLogger(__name__)
# Seconds of an idle core: to load Numba and cached machine code, and of a call that somebody may want to shorten.
_LOADING, _SLOW = 0.2, 10.0
_LARGEST_LOG = math.log(np.finfo(np.float64).max)
_LARGEST_STEP = 700.0
_PARTS: list[Callable[..., Any]] = []
_REPLACED: list[tuple[Callable[..., Any], Callable[..., Any]]] = []


def compiled(function: Function) -> Function:
    """Mark a function that kernels call: machine code contains it, and releases the GIL and divides as NumPy does."""
    _PARTS.append(function)
    return function


def compiled_as(machine: Function) -> Callable[[Function], Function]:
    """Mark a function that runs as it is in plain Python, and as the equal function `machine` in machine code."""

    def mark(function: Function) -> Function:
        _REPLACED.append((function, machine))
        return function

    return mark


def _empty(count: int) -> Floats:
    return np.empty(count)


def _full(count: int, value: float) -> Floats:
    return np.full(count, value)


def _zeros(count: int) -> Ints:
    return np.zeros(count, np.int64)


# A view of memory reads and writes Python numbers three times as fast as an array reads and writes NumPy's.
@compiled_as(_empty)
def floats(count: int) -> Floats:
    """Return `count` float64 numbers of any value."""
    return filled(count, 0.0)


@compiled_as(_full)
def filled(count: int, value: float) -> Floats:
    """Return `count` times a float64 number."""
    return cast("Floats", memoryview(array("d", [value]) * count))


@compiled_as(_zeros)
def integers(count: int) -> Ints:
    """Return `count` times the int64 number 0."""
    return cast("Ints", memoryview(array("q", [0]) * count))


@compiled
def divided(a: float, b: float) -> float:
    """Return a / b, infinity or NaN where b is 0."""
    if b != 0.0:
        return a / b
    return math.nan if a == 0.0 else a * math.inf


@compiled
def exp(x: float) -> float:
    """Return e^x, infinity where that is too large."""
    return math.inf if x > _LARGEST_LOG else math.exp(x)


@compiled
def expm1(x: float) -> float:
    """Return e^x - 1, at most about 1e304: a relative change is a number in percent, too."""
    return math.expm1(min(x, _LARGEST_STEP))


class Kernel(Generic[Given, Answer]):
    """An entry point into compiled modules. A call decides by its work whether the compiler is worth its time.

    `entry` takes a number and returns the function that closes over it, for `source_digest`. `work` estimates the seconds that a
    call takes in plain Python, and `compilation` is how many the compiler takes. Both forms return equal arrays.
    """

    def __init__(
        self, entry: Callable[[int], Callable[Given, Answer]], work: Callable[..., float], compilation: float
    ) -> None:
        self._entry, self._work, self._compilation = entry, work, compilation
        self._plain = entry(0)
        self._spent = 0.0
        self._machine_code: Callable[Given, Answer] | None = None

    def __call__(self, *arguments: Given.args, **named: Given.kwargs) -> Answer:
        """Call the kernel in the form that suits its arguments."""
        return self.form(*arguments, **named)(*arguments, **named)

    def form(self, *arguments: Given.args, **named: Given.kwargs) -> Callable[Given, Answer]:
        """Return the form for a call with these arguments, or for several calls that share its work."""
        work = self._work(*arguments, **named)
        with _COMPILER:
            if self._machine_code is None and work > _LOADING and find_spec("numba") is not None:
                code = _machine_code(self._entry)
                if self._spent + work > self._compilation or _is_loaded(code, arguments):
                    self._machine_code = code
            if self._machine_code is not None:
                return self._machine_code
            self._spent += work
        if work > _SLOW:
            warnings.warn(
                f"this takes {work:.0f} s or more without Numba, and a tenth of that with it; install 'bench-db[verdicts]'",
                SlowWarning,
                stacklevel=2,
            )
        return self.plain

    def plain(self, *arguments: Given.args, **named: Given.kwargs) -> Answer:
        """Call the kernel in plain Python."""
        plain = cast("Callable[..., Any]", self._plain)
        views = (a.data if isinstance(a, np.ndarray) else a for a in arguments)
        return cast("Answer", _arrays(plain(*views, **named)))

    def machine(self, *arguments: Given.args, **named: Given.kwargs) -> Answer:
        """Call the kernel as machine code, and compile it if Numba's cache has none."""
        with _COMPILER:
            self._machine_code = self._machine_code or _machine_code(self._entry)
        return self._machine_code(*arguments, **named)


def _arrays(answer: object) -> Any:
    return tuple(map(np.asarray, answer)) if isinstance(answer, tuple) else np.asarray(answer)


def _register() -> None:
    """Let Numba compile the functions of the kernels that are imported by now."""
    from numba.extending import overload, register_jitable  # noqa: PLC0415 takes half a second

    while _PARTS:
        register_jitable(nogil=True, error_model="numpy")(_PARTS.pop())
    while _REPLACED:
        function, machine = _REPLACED.pop()
        overload(function, jit_options={"nogil": True, "error_model": "numpy"}, strict=False)(_returning(machine))


def _returning(function: Function) -> Callable[..., Function]:
    return lambda *_: function


def _machine_code(entry: Callable[[int], Function]) -> Any:
    """Return an entry point that Numba compiles at its first call, or loads from its cache on disk."""
    from numba import njit  # noqa: PLC0415

    _register()
    code: Any = njit(cache=True, nogil=True, error_model="numpy")(entry(source_digest()))
    cache = _cache_of(code)
    cache.load_overload = _sound(cache)
    return code


def _cache_of(code: Any) -> Any:
    return code._cache  # noqa: SLF001 Numba has no public way to look into it


def _sound(cache: Any) -> Callable[..., Any]:
    """Return how to load from a cache of Numba, which is emptied when a file of it is cut: Numba would fail at every call."""
    load = cache.load_overload

    def loaded(types: object, context: object) -> Any:
        prepared = _without_registries(context)  # a fault of it is none of the cache
        try:
            return load(types, prepared)
        except (OSError, MemoryError):  # it could not be read, so nothing says that it is cut
            raise
        except Exception as error:  # noqa: BLE001 unpickling raises anything
            _LOG.warning("the cache of machine code is damaged and compiled again: %s: %s", type(error).__name__, error)
            cache.flush()
            return None

    return loaded


def _without_registries(context: object) -> object:
    """Return the context in which Numba loads machine code, without what only its compiler needs: the functions that it can compile.

    To collect these takes 0.4 s, five times as long as to load the machine code. A release of Numba that has its memory of arrays
    elsewhere collects them.
    """
    try:
        from numba.core.runtime.nrt import rtsys  # noqa: PLC0415
    except ImportError:
        return context
    rtsys.initialize(context)
    return _Prepared(context)


class _Prepared:
    """A context that is ready."""

    def __init__(self, context: object) -> None:
        self._context = context

    def refresh(self) -> None:
        """Do nothing."""

    def __getattr__(self, name: str) -> Any:
        """Return everything else as the context has it."""
        return getattr(self._context, name)


def _is_loaded(code: Any, arguments: tuple[object, ...]) -> bool:
    """Load machine code from Numba's cache on disk. Return whether it has any for this source, machine and types."""
    from numba import typeof  # noqa: PLC0415

    if not any(Path(_cache_of(code).cache_path).glob("*.nbi")):  # to ask Numba takes a time that few calls save
        return False
    types = tuple(map(typeof, arguments))
    found = _cache_of(code).load_overload(types, code.targetctx)
    if found is None:
        return False
    code.add_overload(found)
    return True


def source_digest() -> int:
    """Return a 63-bit hash of the source of every compiled module.

    The cache of Numba checks only the file of the entry point. With a wheel whose files have equal time stamps it would use the
    machine code of the previous version. An entry point that closes over this number does not.
    """
    digest = blake2b(digest_size=8)
    for path in sorted(path for pattern in SOURCES for path in Path(__file__).parent.glob(pattern)):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest(), "big") >> 1
