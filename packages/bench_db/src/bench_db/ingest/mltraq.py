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
from pyarrow import ipc

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

_URL = re.compile(r"file:///((?:[\w.-]+/)*[\w.-]+)", re.ASCII)
_LARGEST = RULES.unpacked_mebibytes << 20
_TOO_LARGE = f"larger than {RULES.unpacked_mebibytes:,} MiB"
_PARTS = 1 << 20  # of a value that repeats its parts
_KIND = "DATAPAK-0"
_FEATHER = b"ARROW1"
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
    tables are tables, sets and tuples are lists, and times and ids are texts. Sets and keys have only texts, bytes and numbers. A file that was written without serialisation is
    bytes. Raises `UserError` for a text that is no address or leads out of the directory, and `UnreadableOutputError` for a file
    that is missing or damaged, or has anything but values.
    """
    return _Reader(Path(directory)).value(url)


class _Reader:
    """Reads values. An address in a value is followed once; the limits are for everything that is read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._spare = _LARGEST  # bytes that compressed content may still grow by
        self._parts, self._room = 0, _PARTS
        self._open: set[Path] = set()
        self._read: dict[Path, tuple[Any, int]] = {}

    def value(self, url: str) -> Any:
        """Return the value at an address."""
        path = self._path(url)
        key = path.resolve()
        if key in self._open:
            reason = "contains its own address"
            raise UnreadableOutputError(reason, file=str(path))
        if key in self._read:
            value, parts = self._read[key]
            self._count(parts)
            return value
        before = self._parts
        value = self._content(path, key)
        self._read[key] = value, self._parts - before
        return value

    def _content(self, path: Path, key: Path) -> Any:
        content = _content(path)
        if not content.startswith((_STREAM, _PACKED)):
            return content
        self._open.add(key)
        try:
            unpacked = self._unpacked(content)
            self._room += len(unpacked)
            return self._decoded(_loaded(unpacked))
        except _FAULTS as error:
            reason = f"is no file of mltraq's data store, or is damaged: {type(error).__name__}: {error}"
            raise UnreadableOutputError(reason, file=str(path)) from error
        finally:
            self._open.discard(key)

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

    def _unpacked(self, content: bytes) -> bytes:
        if not content.startswith(_PACKED):
            return content
        stream = zlib.decompressobj()
        unpacked = stream.decompress(content[len(_PACKED) :], self._spare + 1)
        if not stream.eof:
            message = f"the compressed value ends too early, or is {_TOO_LARGE}"
            raise ValueError(message)
        self._grow(len(unpacked))
        return unpacked

    def _grow(self, size: int) -> None:
        """Take so many unpacked bytes from what may be unpacked."""
        self._spare -= size
        if self._spare < 0:
            message = f"what is compressed is {_TOO_LARGE}"
            raise ValueError(message)

    def _count(self, parts: int) -> None:
        """Count parts of values. Each takes at least a byte of its file, so many more than the bytes refer to each other."""
        self._parts += parts
        if self._parts > self._room:
            message = "it repeats its own parts"
            raise ValueError(message)

    def _decoded(self, value: object) -> Any:
        self._count(1)
        if isinstance(value, dict):
            kind = value.get(_KIND)
            return self._special(kind, value["value"]) if kind else {k: self._decoded(v) for k, v in value.items()}
        return [self._decoded(one) for one in value] if isinstance(value, list | tuple | set) else value

    def _special(self, kind: object, value: Any) -> Any:
        if not isinstance(kind, str):
            message = f"unknown kind of the type {type(kind).__name__}"
            raise ValueError(message)  # noqa: TRY004 damaged content, as every other
        if kind == "numpy.ndarray-0":
            return self._array(value)
        if kind == "pyarrow.Table-0":
            return self._table(value)
        if kind in _TABLES:
            return pl.from_arrow(self._table(value))
        if kind == "numpy.datetime64-0":
            return str(np.datetime64(value, "us"))
        if kind in _STORES:
            return self.value(value)
        if kind in _INNER | _TEXTS:
            return self._decoded(value)
        message = f"unknown kind {kind!r:.60}"
        raise ValueError(message)

    def _array(self, content: bytes) -> object:
        self._count(len(content))
        array = np.load(io.BytesIO(content), allow_pickle=False)
        if not isinstance(array, np.ndarray):
            message = "it has an array that is no NPY file"
            raise ValueError(message)  # noqa: TRY004 damaged content, as every other
        return array

    def _table(self, content: bytes) -> pa.Table:
        """Return the table of a Feather file, which is a stream of messages after its first 8 bytes."""
        self._count(len(content))
        if not content.startswith(_FEATHER):
            message = "it has a table that is no Feather file of version 2"
            raise ValueError(message)
        stream = pa.py_buffer(content).slice(8)
        for message in ipc.MessageReader.open_stream(stream):
            self._grow(_unpacked_bytes(message))
        table = ipc.open_stream(stream).read_all()
        table.validate(full=True)  # damaged offsets would be read outside of the buffers
        return table


def _unpacked_bytes(message: ipc.Message) -> int:
    """Return how many bytes the compressed buffers of a message unpack to, without unpacking them. PyArrow has no limit for that.

    The message is a FlatBuffer by the schemas Message.fbs and Schema.fbs of Arrow; each compressed buffer starts with its length.
    """
    about, body = message.metadata.to_pybytes(), message.body
    if message.type not in {"record batch", "dictionary"} or body is None:
        return 0
    batch = _follow(about, _field(about, _follow(about, 0), 2))
    if message.type == "dictionary":
        batch = _follow(about, _field(about, batch, 1))
    buffers, is_compressed = _field(about, batch, 2), _field(about, batch, 3)
    if not buffers or not is_compressed:
        return 0
    start = _follow(about, buffers)
    places = np.frombuffer(about, "<i8", 2 * _number(about, start, 4), start + 4).reshape(-1, 2)
    packed = memoryview(body)
    return sum(max(_number(packed, int(at), 8, signed=True), 0) for at, size in places if size > 0)


def _field(table: bytes, at: int, index: int) -> int:
    """Return the place of a field of the FlatBuffers table at `at`, 0 for a field that is not set."""
    fields = at - _number(table, at, 4, signed=True)
    entry = 4 + 2 * index
    offset = _number(table, fields + entry, 2) if entry < _number(table, fields, 2) else 0
    return at + offset if offset else 0


def _follow(table: bytes, at: int) -> int:
    return at + _number(table, at, 4)


def _number(content: bytes | memoryview, at: int, size: int, *, signed: bool = False) -> int:
    if not 0 <= at <= len(content) - size:
        message = "it has a table with an offset outside of it"
        raise ValueError(message)
    return int.from_bytes(content[at : at + size], "little", signed=signed)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            reason = f"is {_TOO_LARGE}"
            raise UnreadableOutputError(reason, file=str(path))
        return path.read_bytes()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}; name the directory of the data store"
        raise UnreadableOutputError(reason, file=str(path)) from error


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
            self._container(dict).update(zip(_scalars(values[::2]), values[1::2], strict=True))
        elif name == "ADDITEMS":
            self._container(set).update(_scalars(values))
        else:
            self.stack[-1].extend(values)

    def _container(self, shape: type) -> Any:
        if not isinstance(self.stack[-1], shape):
            message = f"it sets items of a {type(self.stack[-1]).__name__} that is no {shape.__name__}"
            raise ValueError(message)  # noqa: TRY004 damaged content, as every other
        return self.stack[-1]


def _scalars(values: list[object]) -> list[object]:
    """Return values that have no parts; raise `ValueError` for others: the hash of a tuple that repeats its parts takes exponential time."""
    for value in values:
        if not isinstance(value, str | bytes | int | float | None):
            message = f"a set or a key has a {type(value).__name__}; only texts, bytes and numbers are read there"
            raise ValueError(message)  # noqa: TRY004 damaged content, as every other
    return values
