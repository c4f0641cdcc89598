"""Values in the data store of mltraq, by their address. Its files are decoded without `pickle`, so that none of them can run code."""

from __future__ import annotations

import io
import re
import zlib
from pathlib import Path
from pickletools import genops
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import feather

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

_URL = re.compile(r"file:///((?:[\w.-]+/)*[\w.-]+)", re.ASCII)
_LARGEST = RULES.unpacked_mebibytes << 20
_KIND = "DATAPAK-0"
_STREAM, _PACKED = b"\x80\x05", b"C01"
_TABLES = {"pandas.DataFrame-0", "pandas.Series-0"}
_STORES = {"mltraq.DataStore-0", "mltraq.ArchiveStore-0"}
_INNER = {"mltraq.Bunch-0", "mltraq.Sequence-0"}
_TEXTS = {"uuid.UUID-0", "mltraq.Archive-0"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: Mapping[str, type] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
_LITERAL = re.compile(r"BININT[12]?|LONG[14]|BINFLOAT|(?:SHORT_)?BIN(?:UNICODE|BYTES)8?")
# The steps that take values from the stack, and how many; None for all since a mark.
_ENDS = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "TUPLE": None, "APPEND": 1, "APPENDS": None}
_ENDS |= {"SETITEM": 2, "SETITEMS": None, "ADDITEMS": None}
# What damaged content raises.
_FAULTS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
    zlib.error,
    pa.ArrowException,
    pl.exceptions.PanicException,
)


def read_mltraq(url: str, directory: str | Path = "mltraq.datastore") -> Any:
    """Return the value at an address of mltraq's data store, whose files are in `directory`.

    The values of a `DataStore` are a dictionary. Arrays are NumPy arrays, pandas objects and sequences are Polars frames, Arrow
    tables are tables, sets and tuples are lists, and times and ids are texts. A file that was written without serialisation is
    bytes. Raises `UserError` for a text that is no address or leads out of the directory, and `UnreadableOutputError` for a file
    that is missing or damaged, or has anything but values.
    """
    return _Reader(Path(directory)).value(url)


class _Reader:
    """Reads values; an address in a value is followed, once."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._room = directory, 0
        self._open: set[str] = set()

    def value(self, url: str) -> Any:
        """Return the value at an address."""
        path = self._path(url)
        if url in self._open:
            reason = "contains its own address"
            raise UnreadableOutputError(reason, file=str(path))
        content = _content(path)
        if not content.startswith((_STREAM, _PACKED)):
            return content
        before = self._room
        self._open.add(url)
        try:
            unpacked = _unpacked(content)
            self._room = len(unpacked)
            return self._decoded(_loaded(unpacked))
        except _FAULTS as error:
            reason = f"is no file of mltraq's data store, or is damaged: {type(error).__name__}: {error}"
            raise UnreadableOutputError(reason, file=str(path)) from error
        finally:
            self._open.discard(url)
            self._room = before

    def _path(self, url: str) -> Path:
        found = _URL.fullmatch(url)
        if found is None or ".." in found[1].split("/"):
            message = f"{url!r:.100} is no address in a data store of mltraq, such as file:///5a7d.../91c0..."
            raise UserError(message)
        path = self._directory / found[1]
        if not path.resolve().is_relative_to(self._directory.resolve()):
            message = f"{url!r:.100} leads out of the data store by a link"
            raise UserError(message)
        return path

    def _decoded(self, value: object) -> Any:
        self._room -= 1
        if self._room < 0:  # a part of a value takes at least a byte, so these refer to each other
            message = "it repeats its own parts"
            raise ValueError(message)
        if isinstance(value, dict):
            kind = value.get(_KIND)
            return self._special(str(kind), value["value"]) if kind else {k: self._decoded(v) for k, v in value.items()}
        if isinstance(value, set):
            return [self._decoded(one) for one in sorted(value, key=repr)]
        return [self._decoded(one) for one in value] if isinstance(value, list | tuple) else value

    def _special(self, kind: str, value: Any) -> Any:
        if kind == "numpy.ndarray-0":
            return np.load(io.BytesIO(value), allow_pickle=False)
        if kind == "pyarrow.Table-0":
            return _table(value)
        if kind in _TABLES:
            return pl.from_arrow(_table(value))
        if kind == "numpy.datetime64-0":
            return str(np.datetime64(value, "us"))
        if kind in _STORES:
            return self.value(value)
        if kind in _INNER | _TEXTS:
            return self._decoded(value)
        message = f"unknown kind {kind!r:.60}"
        raise ValueError(message)


def _table(content: bytes) -> pa.Table:
    table = feather.read_table(pa.BufferReader(content))
    table.validate(full=True)  # damaged offsets would be read outside of the buffers
    return table


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            reason = f"is larger than {RULES.unpacked_mebibytes:,} MiB"
            raise UnreadableOutputError(reason, file=str(path))
        return path.read_bytes()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}; name the directory of the data store"
        raise UnreadableOutputError(reason, file=str(path)) from error


def _unpacked(content: bytes) -> bytes:
    if not content.startswith(_PACKED):
        return content
    stream = zlib.decompressobj()
    unpacked = stream.decompress(content[len(_PACKED) :], _LARGEST)
    if not stream.eof:
        message = f"the compressed value ends too early, or is larger than {RULES.unpacked_mebibytes:,} MiB"
        raise ValueError(message)
    return unpacked


def _loaded(content: bytes) -> object:
    """Return the value of a stream of pickle's protocol 5 that has only literals and containers; raise `ValueError` for any other step."""
    machine = _Machine()
    for step, argument, _ in genops(content):
        if step.name == "STOP":
            return machine.stack.pop()
        machine.take(step.name, argument)
    message = "it has no end"
    raise ValueError(message)


class _Machine:
    """The stack that the steps of a stream build values on, and the values that later steps may repeat."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: list[object] = []

    def take(self, name: str, argument: object) -> None:
        """Do one step."""
        if _LITERAL.fullmatch(name):
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name == "MARK":
            self._marks.append(len(self.stack))
        elif name == "MEMOIZE":
            self._memo.append(self.stack[-1])
        elif name in {"BINGET", "LONG_BINGET"}:
            self.stack.append(self._memo[int(str(argument))])
        elif name in _ENDS:
            self._end(name)
        elif name not in {"PROTO", "FRAME"}:
            message = f"the step {name} may run code"
            raise ValueError(message)

    def _end(self, name: str) -> None:
        """Take the newest values from the stack, and make a tuple of them or add them to the container below."""
        count = _ENDS[name]
        start = self._marks.pop() if count is None else len(self.stack) - count
        values = self.stack[start:]
        del self.stack[start:]
        if name.startswith("TUPLE"):
            self.stack.append(tuple(values))
        elif name.startswith("SETITEM"):
            self.stack[-1].update(zip(values[::2], values[1::2], strict=True))
        elif name == "ADDITEMS":
            self.stack[-1].update(values)
        else:
            self.stack[-1].extend(values)
