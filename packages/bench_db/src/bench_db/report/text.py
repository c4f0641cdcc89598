"""Text for a terminal: names made harmless, tables aligned, a line for a history."""

from __future__ import annotations

import itertools
import math
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"


def visible(text: str) -> str:
    """Write out every character that would move a cursor or change a colour."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def cells_of(text: str) -> int:
    """Count the columns of a terminal that a text takes: two for a wide East Asian character, none for a combining mark."""
    if text.isascii():
        return len(text)
    marks = sum(unicodedata.category(letter) in {"Mn", "Me"} for letter in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(letter) in {"W", "F"} for letter in text)


def sparkline(values: Sequence[float | None], width: int = 60) -> str:
    """Draw a bar a value, lowest to highest; `·` for null or NaN. More values than `width` are drawn as the median of each bin."""
    binned = _binned([value if value is not None and math.isfinite(value) else None for value in values], width)
    known = [value for value in binned if value is not None]
    if not known:
        return _GAP * len(binned)
    low, high = min(known), max(known)
    step = (high - low) / (len(_BARS) - 1) or 1.0
    return "".join(_GAP if value is None else _BARS[round((value - low) / step)] for value in binned)


def _binned(values: Sequence[float | None], width: int) -> list[float | None]:
    if len(values) <= width:
        return list(values)
    edges = [round(i * len(values) / width) for i in range(width + 1)]
    return [_median(values[a:b]) for a, b in itertools.pairwise(edges)]


def _median(values: Sequence[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[len(known) // 2] if known else None


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Align columns under their headings, nothing cut off; columns named in `right` are aligned to the right."""
    cells = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(cells_of, column)) for column in zip(headings, *cells, strict=True)]
    to_right = [heading in right for heading in headings]
    lines = [_line(headings, widths, to_right), _line(["─" * width for width in widths], widths, to_right)]
    return "\n".join(lines + [_line(row, widths, to_right) for row in cells])


def _line(cells: Sequence[str], widths: Sequence[int], to_right: Sequence[bool]) -> str:
    room = [" " * (width - cells_of(cell)) for cell, width in zip(cells, widths, strict=True)]
    parts = [gap + cell if right else cell + gap for cell, gap, right in zip(cells, room, to_right, strict=True)]
    return "  ".join(parts).rstrip()


def duration(seconds: float) -> str:
    """Render seconds in the two largest units: 8 s, 2 min 5 s, 3 h 20 min."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 seconds of a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 minutes of an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
