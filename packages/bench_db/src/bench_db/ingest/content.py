"""The bytes of one published file or directory, read once and hashed once."""

from __future__ import annotations

import codecs
import os
import select
import stat
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from bench_db.errors import InputFileError, UnreadableOutputError
from bench_db.ingest.envelope import unwrapped
from bench_db.rules import RULES

STDIN = Path("-")
_STDIN_NAME, _PIPE_NAME = "stdin", "pipe"
_STDIN_PATHS = {STDIN, Path("/dev/stdin"), Path("/dev/fd/0"), Path("/proc/self/fd/0")}
_NAMELESS = ("pipe:[", "socket:[")  # what Linux gives as the target of /dev/stdin and /dev/fd/63
_SLICE_MILLISECONDS = 50
_BLOCK = 1 << 20
_EDGE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The text of a file, or the bytes of a directory as `files` by their path in it (then `text` is empty).

    `text` is UTF-8, decompressed, without colours of a terminal. `packed_sha256` is that of the file where its bytes are others than those of `text`, else "".
    `outside` are the paths in a directory of links that lead out of it; nothing was read there.
    """

    path: Path
    text: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    packed_sha256: str = ""
    outside: Collection[str] = ()

    def digest(self) -> str:
        """Return the SHA-256 of the file as it is on disk; of a directory, of the sorted paths and contents of `files`."""
        if self.packed_sha256:
            return self.packed_sha256
        if not self.files:
            return sha256(self.text).hexdigest()
        total = sha256()
        for name in sorted(self.files):
            for part in (name.encode("utf-8", "surrogateescape"), self.files[name]):
                total.update(len(part).to_bytes(8, "big") + part)
        return total.hexdigest()

    @property
    def body(self) -> bytes | memoryview:
        """The text without a UTF-8 byte order mark, not copied."""
        return memoryview(self.text)[3:] if self.text.startswith(codecs.BOM_UTF8) else self.text

    @property
    def edges(self) -> bytes:
        """The first and last 64 KiB, which show the format."""
        if len(self.text) <= 2 * _EDGE:
            return bytes(self.body)
        return bytes(self.body[:_EDGE]) + b"\n" + self.text[-_EDGE:]


def file_name(path: Path) -> str:
    """Return the name of a file as a run stores it: `stdin` for standard input, `pipe` for another pipe without a name."""
    name = path.resolve().name
    if path == STDIN or (path in _STDIN_PATHS and name.startswith(_NAMELESS)):
        return _STDIN_NAME
    return _PIPE_NAME if name.startswith(_NAMELESS) else name


def location(path: Path) -> Path:
    """Return the absolute path of a file; standard input and a pipe without a name are in the working directory."""
    is_nameless = path in _STDIN_PATHS or path.resolve().name.startswith(_NAMELESS)
    return Path.cwd() / file_name(path) if is_nameless else path.absolute()


def open_file(path: Path, *, deadline_seconds: float = RULES.input_seconds) -> Content:
    """Return the text of a file, of standard input (`-`) or of a pipe; gzip data, UTF-16 and UTF-32 become UTF-8.

    Raises `InputFileError` when it cannot be opened, or no process opens a pipe for writing within the deadline, and
    `UnreadableOutputError` when it is empty or not text.
    """
    content = open_unchecked(path, deadline_seconds=deadline_seconds)
    _require_utf8(content)
    return content


def open_unchecked(path: Path, *, deadline_seconds: float = RULES.input_seconds) -> Content:
    """Return the text of a file as `open_file` does, which may not be UTF-8."""
    raw = _standard_input() if path == STDIN else _read(path, deadline_seconds)
    shown = Path(_STDIN_NAME) if path == STDIN else path
    is_plain = raw.isascii() and b"\0" not in raw and b"\x1b" not in raw  # as no envelope is
    text = raw if is_plain else unwrapped(raw, str(shown))
    content = Content(path=shown, text=text, packed_sha256="" if text is raw else sha256(raw).hexdigest())
    if not content.edges.strip():
        reason = "is empty; expected the output of a benchmark tool. Did the step fail before it wrote any?"
        raise UnreadableOutputError(reason, file=str(shown))
    return content


def _read(path: Path, deadline_seconds: float) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISFIFO(mode):
            return _piped(path, deadline_seconds)
        if not stat.S_ISREG(mode):
            message = f"{path}: neither a file nor a directory. Name the output of a benchmark tool"
            raise InputFileError(message)
        return path.read_bytes()
    except FileNotFoundError as error:
        message = f"{path}: no such file; run the benchmarks first, or check the path and the name of the file that the tool writes"
        raise InputFileError(message) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        message = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InputFileError(message) from error


def _standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        message = "-: standard input is a terminal or closed. Pipe the output of a benchmark tool into the command"
        raise InputFileError(message)
    return sys.stdin.buffer.read()


def _piped(path: Path, deadline_seconds: float) -> bytes:
    """Read a pipe to its end. A plain open would wait without end for a process that opens it for writing."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as pipe:
        first = _first_bytes(path, pipe.fileno(), deadline_seconds)
        os.set_blocking(pipe.fileno(), True)
        return first + pipe.read()


def _first_bytes(path: Path, descriptor: int, deadline_seconds: float) -> bytes:
    """Wait until a process has opened a pipe for writing, and return what it wrote so far. It may take any time to write."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    give_up = time.monotonic() + deadline_seconds
    while not poll.poll(_SLICE_MILLISECONDS):
        try:
            if first := os.read(descriptor, _EDGE):  # without a writer this is the end of the file
                return first
        except BlockingIOError:
            break
        if time.monotonic() > give_up:
            message = f"{path}: no process opened this pipe for writing within {deadline_seconds:g} s. Start the writer, or name a file"
            raise InputFileError(message)
    return b""


def _require_utf8(content: Content) -> None:
    if content.text.isascii():
        return
    decoder, text = codecs.getincrementaldecoder("utf-8")(), memoryview(content.text)
    for start in range(0, len(text), _BLOCK):  # in blocks: a second copy of the file would double the memory
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(text[start : start + _BLOCK], final=start + _BLOCK >= len(text))
        except UnicodeDecodeError as error:
            line, column = position(content.text, start - pending + error.start)
            reason = f"is not UTF-8 text: {error.reason}. Write it as UTF-8, or convert it, such as with iconv -f latin1 -t utf-8"
            raise UnreadableOutputError(reason, file=str(content.path), line=line, column=column) from error


def position(text: bytes | memoryview, offset: int) -> tuple[int, int]:
    """Return line and column, both 1-based, of a byte offset."""
    before = bytes(text[:offset])
    return before.count(b"\n") + 1, offset - before.rfind(b"\n")
