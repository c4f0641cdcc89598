"""Compilation of Python functions to machine code."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Function = TypeVar("Function", bound=Callable[..., Any])
# The compiled modules: the kernels and their imports from this package.
SOURCES = ("*_kernel.py", "constants.py", "student.py", "jit.py")


def compiled(function: Function) -> Function:
    """Compile a function that releases the GIL and divides as NumPy does, as part of its caller."""
    return cast("Function", njit(nogil=True, error_model="numpy")(function))


def cached(function: Function) -> Function:
    """Compile an entry point and cache its machine code on disk, with everything it calls."""
    return cast("Function", njit(nogil=True, error_model="numpy", cache=True)(function))


def source_digest() -> int:
    """Return a 63-bit hash of the source of every compiled module.

    The cache of Numba checks only the file of the entry point. With a wheel whose files have equal time stamps it would use the
    machine code of the previous version. An entry point that closes over this number does not.
    """
    digest = blake2b(digest_size=8)
    for path in sorted(path for pattern in SOURCES for path in Path(__file__).parent.glob(pattern)):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest(), "big") >> 1
