"""The bytes of one published file or directory, read once and hashed once."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from bench_db.errors import UnreadableOutputError, UserError

_BLOCK = 1 << 20
_EDGE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The bytes of a file as `text`, or of a directory as `files` by their path in it (then `text` is empty)."""

    path: Path
    text: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)

    def digest(self) -> str:
        """Return the SHA-256 of the file as it is on disk; of a directory, of the sorted paths and contents of `files`."""
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


def open_file(path: Path) -> Content:
    """Return the content of a file of UTF-8 text.

    Raises `UserError` when it cannot be opened, `UnreadableOutputError` when it is empty or not text.
    """
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            message = f"{path}: neither a file nor a directory. Name the output of a benchmark tool"
            raise UserError(message)
        content = Content(path=path, text=path.read_bytes())
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        message = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UserError(message) from error
    if not content.edges.strip():
        reason = "is empty; expected the output of a benchmark tool. Did the step fail before it wrote any?"
        raise UnreadableOutputError(reason, file=str(path))
    _require_utf8(content)
    return content


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
            reason = f"is not UTF-8 text: {error.reason}"
            raise UnreadableOutputError(reason, file=str(content.path), line=line, column=column) from error


def position(text: bytes | memoryview, offset: int) -> tuple[int, int]:
    """Return line and column, both 1-based, of a byte offset."""
    before = bytes(text[:offset])
    return before.count(b"\n") + 1, offset - before.rfind(b"\n")
