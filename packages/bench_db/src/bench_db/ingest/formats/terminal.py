"""What a tool printed on a terminal, line by line, as a reader sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Colours and movements of the cursor, and the choice of a character set with which some terminals end a colour.
_CONTROL = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9])")


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line without control sequences; what was overwritten on a terminal is a line of its own."""
    start, number = 0, 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        number += 1
        line = text[start:end].removesuffix("\r")
        if "\x1b" in line:
            line = _CONTROL.sub("", line)
        for part in line.split("\r"):
            yield number, part
        start = end + 1
