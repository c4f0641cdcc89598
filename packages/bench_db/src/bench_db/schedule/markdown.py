"""What somebody says in a comment, without what they quote, show as code or hide."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_QUOTE = re.compile(r" {0,3}>")
_INDENTED = re.compile(r"( {4}| {0,3}\t)")
_INLINE_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_ELEMENT = re.compile(r"<(pre|code|blockquote|script|style)\b.*?(</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_HIDDEN = "\ufffc"  # keeps what stood before and after apart


def spoken_lines(body: str) -> Iterator[str]:
    """The lines of a comment that its author says: no block quotes, code blocks, inline code or HTML comments."""
    text = _without_comments("\n".join(_outside_blocks(body)))
    for line in _ELEMENT.sub(_HIDDEN, text).split("\n"):
        yield _INLINE_CODE.sub(_HIDDEN, line)


def _outside_blocks(body: str) -> Iterator[str]:
    """Lines outside of fenced and indented code and of quotes; an HTML comment that is open hides a fence."""
    fence, commented, after_blank = "", False, True
    for line in re.split(r"\r\n|\r|\n", body):
        if fence:
            closing = line.strip()
            if len(closing) >= len(fence) and set(closing) == {fence[0]}:
                fence = ""
            continue
        opened = None if commented else _FENCE.match(line)
        if opened:
            fence, after_blank = opened[1], True
            continue
        if not commented and (_QUOTE.match(line) or (after_blank and _INDENTED.match(line) and line.strip())):
            continue
        after_blank = not line.strip()
        yield line
        shown = line if commented else _INLINE_CODE.sub("", line)
        commented = shown.rfind("<!--") > shown.rfind("-->") or (commented and "-->" not in shown)


def _without_comments(text: str) -> str:
    """Text without HTML comments; one that is never closed hides the rest, as it does on the page."""
    parts, at = [], 0
    code = [found.span() for found in _INLINE_CODE.finditer(text) if "\n" not in found[0]]
    while (start := text.find("<!--", at)) >= 0:
        inside = next((end for begin, end in code if begin < start < end), None)
        if inside is not None:
            parts.append(text[at:inside])
            at = inside
            continue
        end = text.find("-->", start + 4)
        parts.append(text[at:start] + _HIDDEN)
        at = len(text) if end < 0 else end + 3
    return "".join(parts) + text[at:]
