"""Machine code from Python functions: the one place that says how."""

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
# What machine code is made from: the kernels and what they import from here.
SOURCES = ("*_kernel.py", "constants.py", "student.py", "jit.py")


def compiled(function: Function) -> Function:
    """Compile a function to machine code that releases the GIL and divides as NumPy does; its callers compile it."""
    return cast("Function", njit(nogil=True, error_model="numpy")(function))


def cached(function: Function) -> Function:
    """Compile an entry point and cache its machine code on disk, with that of everything it calls."""
    return cast("Function", njit(nogil=True, error_model="numpy", cache=True)(function))


def source_digest() -> int:
    """63 bits over the source of every module that machine code is made from.

    Numba's cache looks only at the file of the entry point. A wheel whose files all carry one time stamp would otherwise go
    on using the machine code of the version before; an entry point that closes over this number does not.
    """
    digest = blake2b(digest_size=8)
    for path in sorted(path for pattern in SOURCES for path in Path(__file__).parent.glob(pattern)):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest(), "big") >> 1
