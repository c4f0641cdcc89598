"""Escaping of foreign text for the language of a report; every name in a report passes one of these functions."""

from __future__ import annotations

import html
import json
import re

from bench_db.report.text import visible

_MARKDOWN = re.compile(
    r"[&<>\"'`*\[\]\\|~#@!$^]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # an underscore inside a word means nothing
    r"|:(?=//)|(?<=[wW]{3})\."  # what would become a link
)
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",  # \textquotedbl needs the T1 encoding
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "µ": r"\textmu{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{sign: f"{{{sign}}}" for sign in "[*"},  # at the start of a row they would belong to the \\ before it
}
# full-width signs, too: some spreadsheets read them as the ASCII ones
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
# the line separators end a line of JavaScript, and < could end the script element
_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def shortened(text: str, length: int) -> str:
    """Leave out the middle of a text that is longer than `length`."""
    half = (length - 1) // 2
    return text if len(text) <= length else f"{text[:half]}…{text[-half:]}"


def markdown_code(text: str) -> str:
    """Escape text as inline code of GitHub's Markdown, safe in a table cell.

    Written as HTML with character references: a code span cannot hold a pipe after a backslash inside a table, and GitHub turns
    no mention, issue number or emoji inside a code element into anything else.
    """
    return f"<code>{markdown_text(text)}</code>"


def markdown_text(text: str) -> str:
    """Escape text so that no Markdown rule applies to it, on one line. Only `markdown_code` prevents a mention."""
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", visible(text))


def html_text(text: str) -> str:
    """Escape text for an element or a quoted attribute."""
    return html.escape(visible(text), quote=True)


def latex_text(text: str) -> str:
    """Escape text for a LaTeX paragraph or cell; neighbouring hyphens stay hyphens."""
    return "".join(_LATEX.get(letter, letter) for letter in visible(text)).replace("--", "-{}-").replace("--", "-{}-")


def csv_text(text: str) -> str:
    """Escape text so that no spreadsheet takes it for a formula: an apostrophe goes before what would start one."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def script_json(document: object) -> str:
    """Render JSON that is safe in a script and inside a page; lone surrogates are written as escapes.

    Raises `ValueError` for a number that JSON cannot hold.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter, escaped in _SCRIPT.items():
        text = text.replace(letter, escaped)
    return text if text.isascii() else re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
