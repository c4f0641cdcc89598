"""Text for a terminal: escaped names, aligned tables that fit its width, and sparklines."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"
_SPARKLINE_WIDTH = 60
_LEAST_PREFIX = 6
_LEAST_CELLS = 16
_LEAST_OWN = 3
_ELLIPSIS = "…"
# no word ends at the dot of a version or of a file name
_TO_NUMBER = re.compile(r"\d[\d.]*\Z")
_COARSE, _FINE = re.compile(r"[/: ]+|\.(?!(?<=\d\.)\d|[a-z]{1,3}\W)"), re.compile(r"((?!(?<=\d)\.\d)[\W_])+")
_PAINTED = "verdict"
_COLOURS = {"red": "31", "green": "32", "yellow": "33"}

Colour = Literal["red", "green", "yellow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What text is written for: `width` in cells, None for a file or a pipe, and whether colours are wanted."""

    width: int | None = None
    colour: bool = False

    def has_room_for(self, cells: int) -> bool:
        """Return whether a line of so many cells fits."""
        return self.width is None or cells <= self.width

    def painted(self, text: str, colour: Colour | None) -> str:
        """Return text in a colour, where colours are wanted."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if colour and self.colour else text


PLAIN = Screen()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a table is made narrower: columns are named by their headings.

    `names` is the column whose common prefix is written once above the table, and whose texts are shortened last, by what they share. Columns of
    `drop` go group by group, the first group first. Texts of the column `notes` are cut at their end before names are.
    """

    names: str = "benchmark"
    drop: Sequence[Sequence[str]] = ()
    notes: str = ""


NO_FIT = Fit()


def visible(text: str) -> str:
    """Return text with every character escaped that would move a cursor or change a colour."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def cells_of(text: str) -> int:
    """Return how many cells of a terminal a text takes: two for a wide East Asian letter, none for a combining mark."""
    if text.isascii():
        return len(text)
    marks = sum(unicodedata.category(letter) in {"Mn", "Me"} for letter in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(letter) in {"W", "F"} for letter in text)


def sparkline(values: Sequence[float | None], width: int = _SPARKLINE_WIDTH) -> str:
    """Draw a bar a value, and `·` for null or NaN; more values than `width` become the median of each bin."""
    binned = _binned([value if value is not None and math.isfinite(value) else None for value in values], width)
    known = [value for value in binned if value is not None]
    if not known:
        return _GAP * len(binned)
    low, high = min(known), max(known)
    step = (high / 2 - low / 2) / (len(_BARS) - 1) or 1.0  # halves: the range may be wider than a float64
    return "".join(_GAP if value is None else _BARS[round((value / 2 - low / 2) / step)] for value in binned)


def _binned(values: Sequence[float | None], width: int) -> list[float | None]:
    if len(values) <= width:
        return list(values)
    edges = [round(i * len(values) / width) for i in range(width + 1)]
    return [_median(values[a:b]) for a, b in itertools.pairwise(edges)]


def _median(values: Sequence[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[len(known) // 2] if known else None


def sparkline_width(screen: Screen) -> int:
    """Return how many bars a sparkline has on a screen."""
    return min(_SPARKLINE_WIDTH, screen.width or _SPARKLINE_WIDTH)


def table(  # noqa: PLR0913 all but the first two by keyword or seldom
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[str] = (),
    screen: Screen = PLAIN,
    fit: Fit = NO_FIT,
    *,
    colours: Mapping[str, Colour] = {},
) -> str:
    """Return aligned columns under their headings; columns named in `right` are set to the right.

    On a screen with a width, a table that is too wide is made narrower as `fit` describes, with a line for what is left out.
    Cells of the column `verdict` are painted by `colours`.
    """
    columns = {
        heading: [visible(cell) for cell in column]
        for heading, column in zip(headings, zip(*rows, strict=True) if rows else [()] * len(headings), strict=True)
    }
    drawn = _Columns(columns=columns, screen=screen, fit=fit)
    if not drawn.fits:
        drawn.narrow()
    return "\n".join([*drawn.above, *drawn.lines(right, colours), *drawn.below])


@dataclass(slots=True, kw_only=True)
class _Columns:
    """The columns of a table by heading, and the lines above and below it that say what was taken out."""

    columns: dict[str, list[str]]
    screen: Screen
    fit: Fit
    above: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return self.screen.has_room_for(self._width)

    @property
    def _width(self) -> int:
        return sum(self._widths.values()) + 2 * (len(self.columns) - 1)

    @property
    def _widths(self) -> dict[str, int]:
        return {heading: max(map(cells_of, (heading, *cells))) for heading, cells in self.columns.items()}

    def narrow(self) -> None:
        """Write the common prefix once, then common values, then leave columns out, then shorten notes and names."""
        self._take_prefix()
        groups = [[h for h in group if h in self.columns] for group in self.fit.drop]
        for heading in itertools.chain.from_iterable(reversed(groups)):
            if not self.fits:
                self._take_common_value(heading)
        self._drop([[h for h in group if h in self.columns] for group in groups])
        self._shorten(self.fit.notes, at_end=True)
        self._shorten(self.fit.names, at_end=False)

    def _take_prefix(self) -> None:
        names = self.columns.get(self.fit.names, [])
        first, last = min(names, default=""), max(names, default="")
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
        prefix = "".join(letter for letter, _ in same) if len(names) > 1 else ""
        prefix = prefix[: 1 + max(prefix.rfind(separator) for separator in "/:. ")]
        if len(prefix) >= _LEAST_PREFIX and prefix not in names:
            self.columns[self.fit.names] = [name.removeprefix(prefix) for name in names]
            self.above.append(f"every {self.fit.names} begins with {prefix}")

    def _take_common_value(self, heading: str) -> None:
        cells = self.columns[heading]
        if len(cells) > 1 and len(set(cells)) == 1:
            del self.columns[heading]
            self.above.append(f"{heading}: {cells[0] or '-'}")

    def _drop(self, groups: Sequence[Sequence[str]]) -> None:
        dropped: list[str] = []
        for group in groups:
            if self.fits:
                break
            dropped += [heading for heading in group if self.columns.pop(heading, None) is not None]
        if dropped:
            self.below.append(f"not shown: {', '.join(dropped)}; --output json or a pipe shows every column")

    def _shorten(self, heading: str, *, at_end: bool) -> None:
        if self.fits or heading not in self.columns:
            return
        room = max(self._widths[heading] - (self._width - (self.screen.width or 0)), _LEAST_CELLS)
        cells = self.columns[heading]
        self.columns[heading] = [_cut_end(cell, room) for cell in cells] if at_end else distinct_names(cells, room)

    def lines(self, right: Sequence[str], colours: Mapping[str, Colour]) -> list[str]:
        """Return the headings, a rule and the rows."""
        widths = self._widths
        rows = [
            list(self.columns),
            ["─" * width for width in widths.values()],
            *zip(*self.columns.values(), strict=True),
        ]
        return [
            "  ".join(
                self._cell(
                    cell, width, to_right=heading in right, colour=colours.get(cell) if heading == _PAINTED else None
                )
                for cell, (heading, width) in zip(row, widths.items(), strict=True)
            ).rstrip()
            for row in rows
        ]

    def _cell(self, cell: str, width: int, *, to_right: bool, colour: Colour | None) -> str:
        gap, painted = " " * (width - cells_of(cell)), self.screen.painted(cell, colour)
        return gap + painted if to_right else painted + gap


def _cut_end(text: str, cells: int) -> str:
    """Return text of at most so many cells, its end replaced by an ellipsis when it is longer."""
    return text if cells_of(text) <= cells else f"{_start(text, cells - 1)}…"


def _cut_middle(text: str, cells: int) -> str:
    """Return text of at most so many cells, its middle replaced by an ellipsis when it is longer."""
    if cells_of(text) <= cells:
        return text
    start = _start(text, (cells - 1) // 2)
    end = _start(text[::-1], cells - 1 - cells_of(start))[::-1]
    return f"{start}…{end}"


def _start(text: str, cells: int) -> str:
    """Return the longest start of a text that takes at most so many cells."""
    end = 0
    for letter in text:
        cells -= cells_of(letter)
        if cells < 0:
            break
        end += 1
    return text[:end]


def distinct_names(names: Sequence[str], room: int, most: int | None = None) -> list[str]:
    """Shorten names of more than `room` cells by what they share with others, and never where they differ.

    Shared parts become an ellipsis, at separators where that is enough. Of a name that then has more than `most` cells (by default
    `room`), the beginning of each part that differs remains. Different names stay different.
    """
    parts = _parts_of(names, {name for name in names if cells_of(name) > room})
    longest = room if most is None else most
    short = {name: _shortened(parts[name], longest) if name in parts else name for name in names}
    counts = Counter(short.values())
    return [short[name] if counts[short[name]] == 1 else name for name in names]


def _parts_of(names: Sequence[str], wanted: Collection[str]) -> dict[str, list[str]]:
    """Split each of some names where another goes on with another letter, before the number there; of several parts the first begins others, too."""
    if not wanted:
        return {}
    ordered = sorted(set(names))
    same = [_common(one, other) for one, other in itertools.pairwise(ordered)]
    before, after = _minima(same), _minima(same[::-1])[::-1]
    found: dict[str, list[str]] = {}
    for name, left, right in zip(ordered, before, after, strict=False):
        if name in wanted:
            ends = [0, *sorted({_before_number(name, at) for at in {*left, *right} - {len(name)}}), len(name)]
            found[name] = [name[start:end] for start, end in itertools.pairwise(ends)]
    return found


def _before_number(name: str, at: int) -> int:
    """Return where a number or version begins that a place is in or behind, else the place."""
    found = _TO_NUMBER.search(name, 0, at)
    return at if found is None else found.start()


def _common(one: str, other: str) -> int:
    """Return the length of the common prefix."""
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def _minima(same: Sequence[int]) -> list[list[int]]:
    """Return for each place of a sorted list the lengths that its name has in common with the names before it."""
    rising: list[int] = []
    found: list[list[int]] = [[]]
    for length in same:
        while rising and rising[-1] >= length:
            rising.pop()
        rising.append(length)
        found.append(rising.copy())
    return found


def _shortened(parts: Sequence[str], most: int) -> str:
    shared, middle, own = (parts[0], parts[1:-1], parts[-1]) if len(parts) > 1 else ("", (), parts[0])
    coarse, fine = ("".join(_without_inside(part, words) for part in middle) for words in (_COARSE, _FINE))
    start = _ELLIPSIS if shared else ""
    for short in (
        f"{_without_start(shared, _COARSE)}{coarse}{own}",
        f"{_without_start(shared, _FINE)}{fine}{own}",
        f"{start}{fine}{own}",
        f"{start}{fine}{_without_inside(own, _FINE)}",
    ):
        if cells_of(short) <= most:
            return short
    return _beginnings(start, middle, own, most)


def _without_start(part: str, separators: re.Pattern[str]) -> str:
    """Leave out what is before the last word of a text that is the beginning of several names."""
    ends = [found.end() for found in separators.finditer(part)]
    return f"{_ELLIPSIS}{part[ends[-1] :]}" if ends and ends[-1] >= _LEAST_PREFIX else part


def _without_inside(part: str, separators: re.Pattern[str]) -> str:
    """Leave out what is between the first and the last word of a text."""
    ends = [found.end() for found in separators.finditer(part) if found.end() < len(part)]
    return f"{part[: ends[0]]}{_ELLIPSIS}{part[ends[-1] :]}" if ends and ends[-1] - ends[0] >= _LEAST_PREFIX else part


def _beginnings(start: str, middle: Sequence[str], own: str, most: int) -> str:
    """Return as many letters of the beginning of each part as fit, and the beginning and end of the last."""
    letters, head, room = most, "", most
    while letters:
        heads = [part if len(part) <= letters + 1 else f"{part[:letters]}{_ELLIPSIS}" for part in middle]
        head = "".join((start, *heads))
        room = most - cells_of(head)
        if room >= min(cells_of(own), max(letters, _LEAST_OWN)):
            break
        letters -= 1
    return head + _cut_middle(own, max(room, _LEAST_OWN))


def duration(seconds: float) -> str:
    """Return seconds in their two largest units: 8 s, 2 min 5 s, 3 h 20 min."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 seconds of a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 minutes of an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
