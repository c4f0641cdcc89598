"""The words of a comment, without quotations, code and hidden text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# In a list, a fence or a quotation follows the markers of the list, or is indented as far as its text.
_ITEMS = r"[ \t]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)*"
_FENCE = re.compile(_ITEMS + r"(`{3,}(?=[^`]*$)|~{3,})")
_QUOTE = re.compile(_ITEMS + ">")
_INDENTED = re.compile(r"( {4}| {0,3}\t)")
_INLINE_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_SPANNING_CODE = re.compile(_INLINE_CODE.pattern, re.DOTALL)
_PARAGRAPH_END = re.compile(r"\n(?=[ \t]*(?:\n|(?:[-+*]|\d{1,9}[.)]|#{1,6})[ \t]))")
_TAG = re.compile(r"<(/?)(pre|code|samp|kbd|q|blockquote|script|style)\b(?:\s*>)?", re.IGNORECASE)
_HIDDEN = "\ufffc"  # separates the text before from the text after


def spoken_lines(body: str) -> Iterator[str]:
    """Yield the lines of a comment without block quotes, code blocks, inline code and HTML comments."""
    text = _without_comments("\n".join(_outside_blocks(body)))
    paragraphs = [_SPANNING_CODE.sub(_HIDDEN, paragraph) for paragraph in _PARAGRAPH_END.split(text)]
    yield from _without_elements("\n".join(paragraphs)).split("\n")


def _outside_blocks(body: str) -> Iterator[str]:
    """Yield the lines outside of fenced and indented code and of quotes; an open HTML comment hides a fence."""
    fence, deepest, commented, after_blank = "", 0, False, True
    for line in re.split(r"\r\n|\r|\n", body):
        if fence:
            closing = line.strip()
            is_end = len(closing) >= len(fence) and set(closing) == {fence[0]}
            if is_end and len(line) - len(line.lstrip()) <= deepest:
                fence = ""
            continue
        if not commented and after_blank and _INDENTED.match(line) and line.strip():
            continue
        opened = None if commented else _FENCE.match(line)
        if opened:
            fence, deepest, after_blank = opened[1], opened.start(1) + 3, True
            continue
        if not commented and _QUOTE.match(line):
            continue
        after_blank = not line.strip()
        yield line
        shown = line if commented else _INLINE_CODE.sub("", line)
        commented = shown.rfind("<!--") > shown.rfind("-->") or (commented and "-->" not in shown)


def _without_comments(text: str) -> str:
    """Remove HTML comments; one that is never closed hides the rest, as it does on the page."""
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


def _without_elements(text: str) -> str:
    """Remove the elements that show code or quote, with their content; one that is never closed hides the rest."""
    parts, at, name, depth = [], 0, "", 0
    for tag in _TAG.finditer(text):
        closes, found = bool(tag[1]), tag[2].lower()
        if not name and not closes:
            parts += [text[at : tag.start()], _HIDDEN]
            name, depth = found, 1
        elif found == name:
            depth += -1 if closes else 1
            if depth == 0:
                name, at = "", tag.end()
    return "".join(parts) + ("" if name else text[at:])
