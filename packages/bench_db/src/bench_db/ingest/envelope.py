"""Envelopes of text: compression and encodings, which are removed, and other envelopes, which an error names."""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from io import BytesIO
from itertools import islice

from bench_db.errors import UnreadableOutputError
from bench_db.rules import RULES

_MIB = 1 << 20


class BinaryError(UnreadableOutputError):
    """A file with NUL bytes, which no text has; `text` is its content."""

    text: bytes = b""


_GZIP = b"\x1f\x8b"
_PACKED = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"\xfd7zXZ\x00": "xz data",
    b"BZh": "bzip2 data",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x04\x22\x4d\x18": "lz4 data",
    _GZIP: "gzip data inside gzip data",
}
_TAR, _TAR_AT = b"ustar", 257
_MARKS = {  # UTF-32 first: its little-endian mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_HEAD = 1 << 12
# Colours, cursor movements, and the character set selection that some terminals write after a colour.
_CONTROL = re.compile(rb"\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9])")
_BELOW = b"\n" + codecs.BOM_UTF8  # of a file that was appended to another
_FEWEST_NULS = 0.05  # of the high bytes of UTF-16, in a text with JSON syntax or line ends
_CLEARER = 8  # times as many NULs in the high bytes as in the low ones


def unwrapped(raw: bytes, file: str) -> bytes:
    """Return the bytes of the text in a file: decompressed, in UTF-8, without colours of a terminal. Plain text is not copied.

    Raises `UnreadableOutputError` for an archive, for gzip data that is damaged or unpacks to more than
    `RULES.unpacked_mebibytes`, and for damaged UTF-16.
    """
    text = _unpacked(raw, file) if raw.startswith(_GZIP) else raw
    packed = next((what for magic, what in _PACKED.items() if text.startswith(magic)), "")
    if text[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        packed = "a tar archive"
    if packed:
        reason = f"is {packed}, not the output of a benchmark tool. Unpack it and publish the files in it"
        raise UnreadableOutputError(reason, file=file)
    text = _as_utf8(text, file)
    if _BELOW in text:
        text = text.replace(_BELOW, b"\n")
    return _CONTROL.sub(b"", text) if b"\x1b" in text else text


def _unpacked(raw: bytes, file: str) -> bytes:
    most = RULES.unpacked_mebibytes * _MIB
    try:
        text = gzip.GzipFile(fileobj=BytesIO(raw)).read(most + 1)
    except EOFError as error:
        reason = "is gzip data that ends too early. Was the job cancelled, or the upload cut?"
        raise UnreadableOutputError(reason, file=file) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        reason = f"is damaged gzip data: {error}. Compress the output again"
        raise UnreadableOutputError(reason, file=file) from error
    if len(text) > most:
        reason = (
            f"is gzip data that unpacks to more than {RULES.unpacked_mebibytes} MiB."
            " Check that it is the output of a benchmark tool; unpack and split it if it is"
        )
        raise UnreadableOutputError(reason, file=file)
    return text


def _as_utf8(text: bytes, file: str) -> bytes:
    codec, start = _encoding(text)
    if not codec:
        _refuse_nul(text, file)
        return text
    try:
        decoded = memoryview(text)[start:].tobytes().decode(codec)
    except UnicodeDecodeError as error:
        line = text[start : start + error.start].decode(codec, "replace").count("\n") + 1
        reason = f"is damaged {codec.upper()} text: {error.reason}. Was the file cut, or written in two encodings?"
        raise UnreadableOutputError(reason, file=file, line=line) from error
    encoded = decoded.encode()
    _refuse_nul(encoded, file)
    return encoded


def _encoding(text: bytes) -> tuple[str, int]:
    """Return the codec of UTF-16 and UTF-32 text and the length of its byte order mark, ("", 0) for other text."""
    for mark, codec in _MARKS.items():
        if text.startswith(mark):
            return codec, len(mark)
    head = text[:_HEAD]
    if b"\0" not in head[:2] or len(head) < 2:  # noqa: PLR2004 bytes of the first character, which is ASCII
        return "", 0
    low, high = head[::2], head[1::2]
    nuls = low.count(0), high.count(0)
    fewest = _FEWEST_NULS * len(low)
    if head[1] == 0 and nuls[1] > max(fewest, _CLEARER * nuls[0]):
        return "utf-16-le", 0
    return ("utf-16-be", 0) if head[0] == 0 and nuls[0] > max(fewest, _CLEARER * nuls[1]) else ("", 0)


def _refuse_nul(text: bytes, file: str) -> None:
    at = text.find(b"\0")
    if at < 0:
        return
    reason = (
        "contains a NUL byte, so it is no text, or text in two encodings: PowerShell's >> appends UTF-16 to any file."
        " Write the output with one encoding, such as `| Out-File -Encoding utf8`"
    )
    error = BinaryError(reason, file=file, line=text.count(b"\n", 0, at) + 1)
    error.text = text
    raise error


# What systems write in front of each line: times (GitHub, GitLab, Azure, Jenkins, Buildkite, Kubernetes, ts, dmesg), names (gh run
# view --log, act, docker compose), line numbers (cat -n, grep -n) and marks of a quotation.
_TIME = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?Z| ?[-+]\d\d:?\d\d| UTC)?(?: \d\d[OE])?(?: std(?:out|err) [FP])?"
_PREFIX = re.compile(
    rb"^(?:\xef\xbb\xbf)?(?:"
    rb"(?:[^\t\n]+\t[^\t\n]+\t(?:\xef\xbb\xbf)?)?\[?" + _TIME + rb"\]?(?:[ \t]|(?<=\d[OE])\+)"
    rb"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d[ \t]"
    rb"|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?[ \t]"
    rb"|\d{10}(?:\.\d+)?[ \t]"
    rb"|\[? *\d+\.\d{6}\]?[ \t]"
    rb"|[ ]*\d+(?:\t(?=[ ]*[^\d\s]|[ ]*\r?$)|:)"  # no figures of Go behind the tab
    rb"|>(?:[ \t]|\r?$)"
    rb"|\x1b_bk;t=\d+\x07"
    rb"|\[[^\]\n]+\][ \t]+\|[ \t]"
    rb"|[\w.-]+[ \t]+\|[ \t]"
    rb")",
    re.MULTILINE,
)


def prefix(edges: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return the first prefix that a log has in front of its lines, the other lines, and all lines without prefixes.

    Returns None for a text without any such prefix.
    """
    found = _PREFIX.search(edges)
    if found is None:
        return None
    others = b"".join(line for line in edges.splitlines(keepends=True) if not _PREFIX.match(line))
    return found[0].strip(), others, _PREFIX.sub(b"", edges)


_BLANK = " \t\r\n\ufeff"
_OPENING = re.compile(r"^[ \t]*[\[{]", re.MULTILINE)
_WITHIN = re.compile(r"^[^\s\[{][^\n\[{]*[\[{]", re.MULTILINE)
_MOST_TRIED = 100  # lines that could be the first of the JSON
_SEPARATE = "Write the output of each run to a file of its own, and publish all of them"
_ALONE = "Write the JSON alone, with the option of the tool for an output file; `npm run --silent` prints no header"


def json_cause(text: bytes | memoryview) -> tuple[str, int, str] | None:
    """Return why a text around a JSON document is not one: the reason, its line, and the document with what follows.

    Returns None for a text without a JSON document, and for a document with nothing around it. `text` is free of NaN.
    """
    shown = bytes(text).decode("utf-8", "replace")
    start = len(shown) - len(shown.lstrip(_BLANK))
    is_first = shown.startswith(("{", "["), start)
    if is_first and (end := _end(shown, start)):
        return _behind(shown, end)
    within = None if is_first else _WITHIN.search(shown)
    if within and (end := _end(shown, within.end() - 1)) and not shown[end:].strip(_BLANK):
        line = shown.count("\n", 0, within.end()) + 1
        reason = f"other text is in front of the JSON document, in the same line. {_ALONE}"
        return reason, line, shown[within.end() - 1 :]
    for found in islice(_OPENING.finditer(shown), _MOST_TRIED):
        begin = found.end() - 1
        end = 0 if begin == start else _end(shown, begin)
        is_inner = is_first and (found.end() - found.start() > 1 or shown[end:].strip(_BLANK))
        if end and not is_inner:
            line = shown.count("\n", 0, begin) + 1
            return (
                f"the JSON document begins only in line {line}: other text is in front of it. {_ALONE}",
                1,
                shown[begin:],
            )
    return None


def _behind(text: str, end: int) -> tuple[str, int, str] | None:
    rest = text[end:].lstrip(_BLANK)
    if not rest:
        return None
    line = text.count("\n", 0, len(text) - len(rest)) + 1
    if rest.startswith(("{", "[")):
        return f"a second JSON document begins here, behind the first. {_SEPARATE}", line, rest
    return f"text follows the JSON document. {_ALONE}", line, rest


def _end(text: str, start: int) -> int:
    """Return where the JSON document at `start` ends, 0 when there is none with an object in it."""
    try:
        document, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return 0
    has_object = isinstance(document, dict) or any(isinstance(entry, dict) for entry in document)
    return end if has_object else 0
