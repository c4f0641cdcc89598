"""Strictly typed decoding of JSON from other tools: errors name file, line, column and JSON path; times and commits are checked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest.content import open_file, position
from bench_db.ingest.envelope import json_cause
from bench_db.ingest.numbers import scaled
from bench_db.ingest.reading import RefusedError, Skip, SkipReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from bench_db.ingest.content import Content
    from bench_db.ingest.reading import Measurement


Record = dict[str, msgspec.Raw]
Records = Sequence[Record | msgspec.Raw]
Shape = TypeVar("Shape")
NO_BENCHMARK = "contains no benchmark. Did the run select any?"

_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_CUT_OFF = "the text ends too early. Was the job cancelled while writing it?"
_OFFSET = re.compile(r" \(byte (\d+)\)")
_PATH = re.compile(r" - at `(.*)`$")
_HEAD = 1 << 12
_WIDEST = 1000  # characters of a line
_LONGEST_COUNT = 20  # digits
# The texts of a document, and the numbers that are not JSON: of Python, of C's printf on Unix and on Windows, and percentages.
_TOKEN = re.compile(
    rb'"(?:[^"\\]|\\.)*"|[-+]?(?:nan\([^()"]*\)|(?:nan|inf(?:inity)?|1\.#(?:inf|ind|qnan|snan)\d*)\b)|-?\d[\d.]*(?:e[-+]?\d+)?%',
    re.DOTALL | re.IGNORECASE,
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def decode(text: bytes | memoryview, shape: type[Shape], *, file: str, line: int | None = None) -> Shape:
    """Decode a text as `shape`. `line` is the line of the file that the text is, None for a whole file.

    Raises `UnreadableOutputError`. Python writes NaN, Infinity and lone surrogates, which are not JSON. Such a text is repaired
    and decoded again, so that one bad number costs one benchmark and not the file.
    """
    try:
        return msgspec.json.decode(text, type=shape)
    except _FAULTS as error:
        repaired = _repaired(text)
        if repaired is None:
            raise _unreadable(error, text, file, line) from error
    try:
        return msgspec.json.decode(repaired, type=shape)
    except _FAULTS as error:
        raise _unreadable(error, repaired, file, line) from error


def _repaired(text: bytes | memoryview) -> bytes | None:
    """Replace numbers that are not JSON by strings and lone surrogates by "?"; return None when the text has neither."""
    whole = bytes(text)
    repaired = _TOKEN.sub(lambda token: _as_json(token[0]), whole)
    return None if repaired == whole else repaired


def _as_json(token: bytes) -> bytes:
    if not token.startswith(b'"'):
        return b'"' + _literal(token) + b'"'
    if not _SURROGATE.search(token):
        return token
    try:
        return msgspec.json.encode(json.loads(token).encode("utf-8", "replace").decode())
    except ValueError:  # not a JSON string: the strict decoder refuses it
        return token


def _literal(token: bytes) -> bytes:
    """Return the name that Python writes for a number that is not finite, and any other token unchanged."""
    word = token.lower()
    if word.endswith(b"%"):
        return token
    if b"inf" not in word:
        return b"NaN"
    return b"-Infinity" if word.startswith(b"-") else b"Infinity"


def _unreadable(error: Exception, text: bytes | memoryview, file: str, line: int | None) -> UnreadableOutputError:
    message = str(error)
    if isinstance(error, RecursionError):
        return UnreadableOutputError("is nested too deeply for the output of a benchmark tool", file=file, line=line)
    is_inner = isinstance(error, msgspec.ValidationError) and _PATH.search(message)
    cause = None if is_inner or line is not None else json_cause(text)
    if cause is not None:
        return UnreadableOutputError(cause[0], file=file, line=cause[1])
    if isinstance(error, msgspec.ValidationError):
        path = _PATH.search(message)
        return UnreadableOutputError(_PATH.sub("", message), file=file, line=line, json_path=path[1] if path else "$")
    offset = _OFFSET.search(message)
    row, column = position(text, int(offset[1]) if offset else len(text))
    reason = _OFFSET.sub("", message).removeprefix("JSON is malformed: ") if offset else _CUT_OFF
    return UnreadableOutputError(f"is not valid JSON: {reason}", file=file, line=line or row, column=column)


def is_cut(text: bytes | memoryview) -> bool:
    """Return whether a text begins as a JSON object or list and ends before its end."""
    if bytes(text[:_HEAD]).lstrip()[:1] not in {b"{", b"["}:
        return False
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except _FAULTS as error:
        return not _OFFSET.search(str(error)) and not isinstance(error, RecursionError | UnicodeDecodeError)
    return False


def part(text: msgspec.Raw | bytes, shape: type[Shape] | msgspec.json.Decoder[Shape], *, at: str) -> Shape:
    """Decode a part of a document as `shape`; `at` is its JSON path. Raises `RefusedError`, which costs one benchmark."""
    try:
        if isinstance(shape, msgspec.json.Decoder):
            return shape.decode(text)
        return msgspec.json.decode(text, type=shape)
    except _FAULTS as error:
        message = str(error)
        path = _PATH.search(message)
        where = at + (path[1].removeprefix("$") if path else "")
        raise RefusedError(_reason(error, message), f"{_PATH.sub('', message)} at {where}") from error


_decoded = msgspec.json.Decoder().decode


def values_of(record: Record, *, at: str) -> dict[str, object]:
    """Return the decoded fields of a record; `at` is its JSON path. Raises `RefusedError` that names the field."""
    try:
        return {name: _decoded(raw) for name, raw in record.items()}
    except _FAULTS:
        return {name: part(raw, object, at=f"{at}.{name}") for name, raw in record.items()}


def _reason(error: Exception, message: str) -> SkipReason:
    if not isinstance(error, msgspec.ValidationError):
        return SkipReason.BROKEN_JSON
    if "out of range" in message:
        return SkipReason.OUT_OF_RANGE
    if "missing required field" in message:
        return SkipReason.MISSING_FIELD
    return SkipReason.NOT_A_NUMBER if re.search("Expected `(int|float)", message) else SkipReason.WRONG_TYPE


def listing(text: bytes | memoryview, name: str, usual: type[msgspec.Struct], *, file: str) -> tuple[Record, Records]:
    """Return the fields of a document beside its list `name`, and the records of that list.

    `usual` has exactly the fields that a document normally has: one pass over the text where it fits, two where it does not.
    A list with an entry that is no object gives its raw entries. Raises `UnreadableOutputError`, also for an empty list.
    """
    records: Records
    try:
        top = msgspec.structs.asdict(msgspec.json.decode(text, type=usual))
        records = top.pop(name)
    except _FAULTS:
        top = decode(text, Record, file=file)
        records = _records(top, name, file)
    if not records:
        raise UnreadableOutputError(NO_BENCHMARK, file=file, json_path=f"$.{name}")
    return {field: raw for field, raw in top.items() if bytes(raw)}, records


def _records(top: Record, name: str, file: str) -> Records:
    at = f"$.{name}"
    if name not in top:
        reason = f"has no list `{name}`"
        raise UnreadableOutputError(reason, file=file, json_path=at)
    listed = top.pop(name)
    try:
        return part(listed, list[Record], at=at)
    except RefusedError:
        try:
            return part(listed, list[msgspec.Raw], at=at)
        except RefusedError as refused:
            reason = refused.detail.removesuffix(f" at {at}")
            raise UnreadableOutputError(reason, file=file, json_path=at) from refused


def fields_of(raw: msgspec.Raw | None, at: str, *, file: str) -> Record:
    """Return the fields of an object that the document needs; `at` is its JSON path. Raises `UnreadableOutputError`."""
    if raw is None:
        reason = "has no such field"
        raise UnreadableOutputError(reason, file=file, json_path=at)
    try:
        return part(raw, Record, at=at)
    except RefusedError as refused:
        raise UnreadableOutputError(refused.detail.removesuffix(f" at {at}"), file=file, json_path=at) from refused


def array(text: bytes | memoryview, *, file: str) -> Records:
    """Return the records of a document that is a list. Raises `UnreadableOutputError`, also for an empty list."""
    records: Records
    try:
        records = msgspec.json.decode(text, type=list[Record])
    except _FAULTS:
        records = decode(text, list[msgspec.Raw], file=file)
    if not records:
        raise UnreadableOutputError(NO_BENCHMARK, file=file, json_path="$")
    return records


def each(
    records: Iterable[Record | msgspec.Raw],
    at: str,
    name_of: Callable[[Record, str], str],
    read: Callable[[str, Record, str], Iterable[Measurement | Skip]],
) -> tuple[tuple[Measurement, ...], tuple[Skip, ...]]:
    """Read each record with `read(benchmark name, record, JSON path)`; `at` is the JSON path of the list.

    A record that `name_of` or `read` refuses becomes a skip.
    """
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    for index, record in enumerate(records):
        benchmark = place = f"{at}[{index}]"
        try:
            fields = part(record, Record, at=place) if isinstance(record, msgspec.Raw) else record
            benchmark = name_of(fields, place)
            add(list(read(benchmark, fields, place)), measurements, skips)
        except RefusedError as refused:
            skips.append(Skip(benchmark=benchmark, reason=refused.reason, detail=refused.detail))
    return tuple(measurements), tuple(skips)


def add(found: Iterable[Measurement | Skip], measurements: list[Measurement], skips: list[Skip]) -> None:
    """Add each metric of a benchmark to the measurements, or to the skips when it alone could not be read."""
    for one in found:
        if isinstance(one, Skip):
            skips.append(one)
        else:
            measurements.append(one)


def further(like: Measurement, values: Sequence[float], factor: float, *, at: str) -> Measurement | Skip:
    """Return a metric beside the first of a benchmark with its samples, or a skip of this metric alone."""
    try:
        return replace(like, values=scaled(values, factor, at=at))
    except RefusedError as refused:
        return skip_of(like, refused)


def skip_of(like: Measurement, refused: RefusedError) -> Skip:
    """Return the skip of one metric of a benchmark, whose other metrics stay."""
    name = f"{like.benchmark_name} ({like.metric})"
    return Skip(benchmark=name, reason=refused.reason, detail=refused.detail)


def plain(raw: msgspec.Raw | None) -> object:
    """Decode a value that describes the file. Return None when it is missing or cannot be decoded.

    Such a value never costs a benchmark.
    """
    try:
        return None if raw is None else part(raw, object, at="$")
    except RefusedError:
        return None


def name_of(record: Record, at: str) -> str:
    """Return the text in the field `name` of a record; `at` is its JSON path. Raises `RefusedError` when it has none."""
    name = plain(record.get("name"))
    if isinstance(name, str) and name:
        return name
    raise RefusedError(SkipReason.NO_NAME, f"no name at {at}")


def fields(raw: msgspec.Raw | None) -> dict[str, object]:
    """Decode an object that describes the file. Return an empty dict when it is missing or no object."""
    value = plain(raw)
    return value if isinstance(value, dict) else {}


def beside(notes: list[str], *paths: Path) -> dict[str, object]:
    """Parse the first file that exists beside a file. An unreadable file adds a note."""
    for path in paths:
        try:
            if path.is_file():
                top = decode(open_file(path).body, Record, file=str(path))
                return {name: plain(raw) for name, raw in top.items()}
        except (OSError, UserError, UnreadableOutputError):
            notes.append(f"{path.name} beside the file cannot be read, and what it says is not used")
    return {}


def texts(record: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    """Return each value as a text: a string unchanged, anything else as its JSON."""
    values = {name: plain(raw) for name, raw in record.items()}
    return {name: v if isinstance(v, str) else bytes(record[name]).decode() for name, v in values.items()}


def compact(record: Mapping[str, object]) -> str:
    """Encode a record as JSON without insignificant white space. Raw parts are copied, not decoded."""
    try:
        return msgspec.json.format(msgspec.json.encode(record), indent=-1).decode()
    except UnicodeDecodeError as error:
        raise RefusedError(SkipReason.BROKEN_JSON, f"is not UTF-8 text: {error.reason}") from error


_IDENTIFIER = re.compile(r"\w[\w.-]{0,63}", re.ASCII)
_UNIX = re.compile(r"\d{9,13}(\.\d{1,9})?", re.ASCII)
_SECONDS_DIGITS = 11
_WRITTEN = re.compile(
    r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})"
    r"(?:[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?)?\s*(Z|UTC|GMT|[-+]\d{2}:?\d{2})?",
    re.ASCII,
)
_UTC = {"Z", "UTC", "GMT"}
_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)


def unix(moment: object) -> int | None:
    """Parse an ISO 8601 time, also with a space for the T. A time without an offset is UTC."""
    try:
        time = datetime.fromisoformat(moment) if isinstance(moment, str) else None
    except ValueError:
        return None
    return None if time is None else int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def moment(text: str) -> int | None:
    """Parse a time in the forms of people and logs: unix time, ISO 8601, `2024.01.31 3:00:00 +0100`, RFC 2822. Without a zone it is UTC."""
    if _UNIX.fullmatch(text):
        return int(float(text)) // (1000 if len(text.partition(".")[0]) > _SECONDS_DIGITS else 1)
    found = _WRITTEN.fullmatch(text)
    if found is None:
        try:
            sent = parsedate_to_datetime(text)
            return int((sent if sent.tzinfo else sent.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError, OSError):
            return None
    year, month, day, hour, minute, second, offset = found.groups()
    clock = f"{int(hour or 0):02}:{minute or '00'}:{second or '00'}"
    zone = "+00:00" if (offset or "Z") in _UTC else offset
    return unix(f"{year}-{int(month):02}-{int(day):02}T{clock}{zone}")


def commit(text: object) -> str | None:
    """Return the hash of a commit, None for any other word: tools outside a checkout write one."""
    return text if isinstance(text, str) and _COMMIT.fullmatch(text) else None


def lines(content: Content) -> list[str]:
    """Return the lines of a text without their ends, each cut to a length that bounds the search in it."""
    return [line.rstrip("\r")[:_WIDEST] for line in bytes(content.body).decode().split("\n")]


def counted(value: int | str, *, at: str) -> int:
    """Return a count of samples as a whole number from 1 that fits an int64. Raises `RefusedError`."""
    if isinstance(value, int) or (value.isascii() and value.isdigit() and len(value) <= _LONGEST_COUNT):
        counts = int(value)
        if 0 < counts < 1 << 63:
            return counts
    raise RefusedError(SkipReason.OUT_OF_RANGE, f"the count of samples is not from 1 to 2^63 at {at}")


def identifier(value: object) -> str:
    """Return an id that could name a file, "" for anything else."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else ""


def text(value: object) -> str:
    """Return a text, "" for anything else."""
    return value if isinstance(value, str) else ""
