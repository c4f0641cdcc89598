"""Foreign JSON at the door: strictly typed decoding whose errors say file, line, column and JSON path."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest.content import position
from bench_db.ingest.reading import RefusedError, SkipReason

if TYPE_CHECKING:
    from collections.abc import Mapping

Record = dict[str, msgspec.Raw]
Shape = TypeVar("Shape")

_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_OFFSET = re.compile(r" \(byte (\d+)\)")
_PATH = re.compile(r" - at `(.*)`$")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def decode(text: bytes | memoryview, shape: type[Shape], *, file: str, line: int | None = None) -> Shape:
    """`text` as `shape`; `line` is the line of the file that `text` is, None for a whole file. Raises `UnreadableOutputError`.

    Python writes NaN, Infinity and half surrogate pairs, which are not JSON: such a text is read a second time with them
    mended, so that one bad number costs one benchmark and not the file.
    """
    try:
        return msgspec.json.decode(text, type=shape)
    except _FAULTS as error:
        mended = _mended(text)
        if mended is None:
            raise _unreadable(error, text, file, line) from error
    try:
        return msgspec.json.decode(mended, type=shape)
    except _FAULTS as error:
        raise _unreadable(error, mended, file, line) from error


def _mended(text: bytes | memoryview) -> bytes | None:
    """The text with NaN and Infinity as strings of that name and half surrogate pairs as "?"; None when it has neither."""
    whole = bytes(text)
    if not (b"NaN" in whole or b"Infinity" in whole or _SURROGATE.search(whole)):
        return None
    return _TOKEN.sub(lambda token: _as_json(token[0]), whole)


def _as_json(token: bytes) -> bytes:
    if not token.startswith(b'"'):
        return b'"' + token + b'"'
    if not _SURROGATE.search(token):
        return token
    try:
        return msgspec.json.encode(json.loads(token).encode("utf-8", "replace").decode())
    except ValueError:  # not a JSON string: left for the strict reader to refuse
        return token


def _unreadable(error: Exception, text: bytes | memoryview, file: str, line: int | None) -> UnreadableOutputError:
    message = str(error)
    if isinstance(error, RecursionError):
        return UnreadableOutputError("is nested too deeply for the output of a benchmark tool", file=file, line=line)
    if isinstance(error, msgspec.ValidationError):
        path = _PATH.search(message)
        return UnreadableOutputError(_PATH.sub("", message), file=file, line=line, json_path=path[1] if path else "$")
    offset = _OFFSET.search(message)
    row, column = position(text, int(offset[1]) if offset else len(text))
    reason = _OFFSET.sub("", message).removeprefix("JSON is malformed: ") if offset else "the text ends too early"
    return UnreadableOutputError(f"is not valid JSON: {reason}", file=file, line=line or row, column=column)


def part(text: msgspec.Raw | bytes, shape: type[Shape] | msgspec.json.Decoder[Shape], *, at: str) -> Shape:
    """A piece of a decoded text as `shape`; `at` is its JSON path. Raises `RefusedError`: it costs one benchmark."""
    try:
        if isinstance(shape, msgspec.json.Decoder):
            return shape.decode(text)
        return msgspec.json.decode(text, type=shape)
    except _FAULTS as error:
        message = str(error)
        path = _PATH.search(message)
        where = at + (path[1].removeprefix("$") if path else "")
        raise RefusedError(_reason(error, message), f"{_PATH.sub('', message)} at {where}") from error


def _reason(error: Exception, message: str) -> SkipReason:
    if not isinstance(error, msgspec.ValidationError):
        return SkipReason.BROKEN_JSON
    if "out of range" in message:
        return SkipReason.OUT_OF_RANGE
    if "missing required field" in message:
        return SkipReason.MISSING_FIELD
    return SkipReason.NOT_A_NUMBER if re.search("Expected `(int|float)", message) else SkipReason.WRONG_TYPE


def compact(record: Mapping[str, Any]) -> str:
    """JSON text of a record without insignificant white space; raw parts are copied, not decoded."""
    return msgspec.json.format(msgspec.json.encode(record), indent=-1).decode()
