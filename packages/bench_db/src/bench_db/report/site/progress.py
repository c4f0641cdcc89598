"""CSV files of the progress of a run, such as time, memory and share of the work done, as documents of charts."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench_db.errors import CorruptStoreError, UserError
from bench_db.report.site.numbers import evenly, packed
from bench_db.report.text import visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

_POINTS = 1_000
_COLUMNS = 40
_PARTS = 100
# The columns that name the benchmark of a row, and those that say when it was, as lance-bench and others write them.
_NAMES = ("benchmark_name", "benchmark", "name")
_TIMES = ("elapsed_s", "elapsed", "elapsed_ms", "time_s", "time", "timestamp", "t")

Row = dict[str, Any]
UNREAD: Row = {"reason": "its content is damaged or missing; 'bench-db store verify' says more"}
"""The document of a file that could not be read now; a repair, or a storage that answers again, gives it another one."""
Table = dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressFile:
    """A CSV file among the artifacts of a run. `read` returns its bytes; `run` has what is shown of the run."""

    run: Row
    name: str
    sha256: str
    size_bytes: int
    read: Callable[[], bytes]


def progress_document(file: ProgressFile) -> Row:
    """Return the charts of a file: `parts` with their columns of numbers, or the `reason` why there are none, which may pass if it is `UNREAD`.

    Each benchmark is a part, with its rows in the order of the file; `across` is the time, else the number of the row. A column has its
    first, lowest, highest and last number, and evenly chosen ones where there are many. `left_out` names the columns that are not drawn.
    """
    if file.size_bytes > RULES.progress_mebibytes << 20:
        return {"reason": f"it has {file.size_bytes:,} bytes; up to {RULES.progress_mebibytes} MiB are drawn"}
    try:
        return _document(_table(file.read()))
    except _NoProgressError as error:
        return {"reason": str(error)}
    except (CorruptStoreError, UserError):  # their texts have the place of the store
        return UNREAD


class _NoProgressError(Exception):
    """A content that cannot be drawn, with the reason for readers."""


def _table(content: bytes) -> Table:
    """Return the columns of a CSV by name; texts are as they are in the file."""
    if b"\0" in content:
        message = "it has NUL bytes and is no text"
        raise _NoProgressError(message)
    try:
        rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) if row]
    except UnicodeDecodeError as error:
        message = "it is not UTF-8"
        raise _NoProgressError(message) from error
    except csv.Error as error:
        message = f"it is no CSV: {error}"
        raise _NoProgressError(message) from error
    if len(rows) < 2:  # noqa: PLR2004 a header and a row
        message = "it has no rows"
        raise _NoProgressError(message)
    head = rows[0]
    if any(_number(text) is not None for text in head):
        message = "its first line has a number and is no header"
        raise _NoProgressError(message)
    if repeated := [name for name, count in Counter(head).items() if count > 1]:
        message = f"it has several columns {visible(repeated[0])!r}"
        raise _NoProgressError(message)
    uneven = next((number for number, row in enumerate(rows[1:], 2) if len(row) != len(head)), None)
    if uneven is not None:
        message = f"row {uneven} has {len(rows[uneven - 1])} cells and the header {len(head)}"
        raise _NoProgressError(message)
    return dict(zip(head, map(list, zip(*rows[1:], strict=True)), strict=True))


def _document(table: Table) -> Row:
    numbers = {name: [_number(text) for text in texts] for name, texts in table.items()}
    numeric = [name for name in table if _is_numeric(table[name], numbers[name])]
    name = next((one for one in _NAMES if one in table and one not in numeric), None)
    time = next((one for one in _TIMES if one in numeric), None)
    drawn = [one for one in numeric if one != time][:_COLUMNS]
    if not drawn:
        message = "no column has numbers alone" + ("" if time is None else f", beside {visible(time)}")
        raise _NoProgressError(message)
    places: dict[str, list[int]] = {}
    for place, text in enumerate(table[name] if name else [""] * len(table[drawn[0]])):
        places.setdefault(text, []).append(place)
    return {
        "parts": [_part(text, of, numbers, drawn, time) for text, of in list(places.items())[:_PARTS]],
        "parts_left": max(0, len(places) - _PARTS),
        "left_out": [visible(one) for one in table if one not in {*drawn, name, time}],
    }


def _part(
    text: str, places: Sequence[int], numbers: dict[str, list[float | None]], drawn: Sequence[str], time: str | None
) -> Row:
    kept = evenly(len(places), _POINTS).tolist()
    across: list[float | None] = (
        list(range(1, len(places) + 1)) if time is None else [numbers[time][at] for at in places]
    )
    points = sorted(
        ((across[at], places[at]) for at in kept if across[at] is not None), key=lambda pair: pair[0] or 0.0
    )
    return {
        "name": visible(text),
        "time": None if time is None else visible(time),
        "rows": len(places),
        "across": packed(np.array([at for at, _ in points], "<f8")),
        "columns": [
            _column(one, [numbers[one][at] for at in places], [numbers[one][at] for _, at in points]) for one in drawn
        ],
    }


def _column(name: str, values: Sequence[float | None], shown: Sequence[float | None]) -> Row:
    known = [value for value in values if value is not None]
    ends = (known[0], min(known), max(known), known[-1]) if known else None
    numbers = [math.nan if value is None else value for value in shown]
    return {"name": visible(name), "ends": ends, "values": packed(np.array(numbers, "<f8"))}


def _number(text: str) -> float | None:
    """Return a finite number; None for anything else, and for digits with underscores, which are a name."""
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_numeric(texts: Sequence[str], numbers: Sequence[float | None]) -> bool:
    """Return whether a column has a number, and nothing else but empty cells and what is not finite."""
    blank = {"", "nan", "inf", "-inf", "+inf", "null", "none", "na"}
    return any(number is not None for number in numbers) and all(
        number is not None or text.strip().lower() in blank for text, number in zip(texts, numbers, strict=True)
    )
