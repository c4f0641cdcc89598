"""Pictures for a README: the state of the newest results as a badge, and the history of a series as a chart."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from bench_db.model import State
from bench_db.report.escape import html_text, shortened
from bench_db.report.quantity import SPEEDS, quantity
from bench_db.report.rows import when
from bench_db.report.scans import behind
from bench_db.report.text import cells_of, visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench_db.report.site.encode import EncodedSeries

Row = dict[str, Any]
_FINE, _BAD, _UNKNOWN = "#2e7d32", "#b0440a", "#5f656c"
_DAY = 86_400
_LETTER, _PAD = 7, 10
_WIDTH, _HEIGHT, _TOP, _BOTTOM, _SIDE = 480, 140, 30, 22, 10
_POINTS = 240
_NAME = 60
_TONES = {True: "#b0440a", False: "#1766a6", None: "#1d2125"}


def state(facts: Row, findings: Iterable[Row], now: int) -> tuple[str, str]:
    """Return what the badge says, and its colour. It is green only where the newest results are recent and a scan has judged them.

    `facts` are those of the front page, `findings` as `catalogue.finding_rows` gives them. `now` is unix seconds.
    """
    worse = [f for f in findings if f["worse"] is True and f["state"] in {State.OPEN, State.REOPENED}]
    failed = sum(len(one["failed"]) for one in facts["freshness"])
    measured = [one["newest"]["measured"] for one in facts["freshness"] if one["newest"]]
    stale = is_stale(max(measured, default=0), now)
    if not measured:
        return "no results", _UNKNOWN
    if worse:
        word = "slower" if {f["units"] for f in worse} <= SPEEDS else "worse"
        return f"{len(worse):,} {word}{', stale' if stale else ''}", _BAD
    if facts["regressed"] and not stale:
        return f"{facts['regressed']:,} worse at the newest commit", _BAD
    if stale:
        return f"stale since {when(max(measured))[:10]}", _UNKNOWN
    if failed or facts["failing"]:
        return (
            f"{failed:,} newest commit{'' if failed == 1 else 's'} failed"
            if failed
            else f"{facts['failing']:,} failing",
            _BAD,
        )
    return _judged(facts)


def is_stale(measured: int, now: int) -> bool:
    """Return whether the newest results, by the unix seconds of their measurement, are too old for a green badge."""
    return now - measured > RULES.badge_days * _DAY


def lasting(measured: Iterable[int], now: int) -> tuple[int, int]:
    """Return the first and the last unix second of the time around `now` in which `is_stale` says the same of each measurement."""
    ends = [at + RULES.badge_days * _DAY for at in measured]
    return max((end + 1 for end in ends if end < now), default=0), min(
        (end for end in ends if end >= now), default=sys.maxsize
    )


def _judged(facts: Row) -> tuple[str, str]:
    """Return how many of the series are judged and current, where no finding and no failure says more, and how late the newest scan is."""
    judged, scans = facts["current"], facts["scans"]
    if not judged or None in scans or not any(one.scan.judged for one in scans):
        return "unknown", _UNKNOWN
    late = [one for one in scans if one.scan.judged and not one.is_current]
    if late:
        return f"last scan: {behind(max(late, key=lambda one: one.commits_since or 0))}", _UNKNOWN
    return ("fine" if judged == facts["total"] else f"fine, {judged:,} of {facts['total']:,} judged"), _FINE


def badge(name: str, message: str, colour: str) -> bytes:
    """Render a badge as SVG."""
    left, right = (cells_of(text) * _LETTER + 2 * _PAD for text in (name, message))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{html_text(f"{name}: {message}")}">',
        f"<title>{html_text(f'{name}: {message}')}</title>",
        f'<rect width="{left}" height="20" fill="#3a4750"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/>',
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">',
        _centred(name, left / 2, left - 2 * _PAD),
        _centred(message, left + right / 2, right - 2 * _PAD),
        "</g></svg>\n",
    ]
    return "".join(parts).encode()


def _centred(text: str, middle: float, width: int) -> str:
    return f'<text x="{middle:g}" y="14" text-anchor="middle" textLength="{width}">{html_text(text)}</text>'


def chart(one: EncodedSeries, label: str, units: str) -> bytes:
    """Render the history of a series as SVG, with a dashed line at each change that is not fixed or ignored."""
    shown = [finding for finding in one.findings if finding["state"] not in {"fixed", "ignored"}]
    medians, times = one.points["median"].to_numpy().astype(float), one.points["dut_timestamp"].to_list()
    last = "failed" if one.points["error"][-1] is not None else quantity(float(medians[-1]), units)
    changes = [(finding["at"], finding["worse"]) for finding in shown]
    return history(label, last, medians, times, units, changes)


def history(  # noqa: PLR0913, PLR0917 the parts of one picture
    label: str,
    last: str,
    medians: np.ndarray,
    times: Sequence[int | None],
    units: str,
    changes: Iterable[tuple[int, bool | None]],
) -> bytes:
    """Render medians in commit order as SVG; `last` is beside the label in the title.

    `times` are unix seconds, a point each. `changes` have the point that a dashed line is at, and whether it is one for the worse.
    """
    places = np.unique(np.linspace(0, len(medians) - 1, min(len(medians), _POINTS)).round().astype(int))
    known = medians[np.isfinite(medians)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    title = f"{shortened(visible(label), _NAME)}: {last}"
    ends = [when(times[at] or 0)[:10] for at in (0, -1)]
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{html_text(title)}">',
        f"<title>{html_text(visible(label))}</title>",
        f'<rect x=".5" y=".5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" rx="6" fill="#fff" stroke="#cfcac2"/>',
        '<g font-family="system-ui,sans-serif" font-size="11" fill="#5f656c">',
        f'<text x="{_SIDE}" y="18" font-size="12" fill="#1d2125">{html_text(title)}</text>',
        f'<text x="{_SIDE}" y="{_HEIGHT - 7}">{ends[0]}</text>',
        f'<text x="{_WIDTH - _SIDE}" y="{_HEIGHT - 7}" text-anchor="end">{ends[1]}</text>',
        f'<text x="{_WIDTH / 2:g}" y="{_HEIGHT - 7}" text-anchor="middle">{html_text(_range(low, high, units))}</text></g>',
        *(_change(at, len(medians), _TONES[worse]) for at, worse in changes),
        *_lines(medians, places, low, high),
        "</svg>\n",
    ]
    return "".join(body).encode()


def _range(low: float, high: float, units: str) -> str:
    return f"{quantity(low, units)} to {quantity(high, units)}"


def _across(at: int, count: int) -> float:
    return _SIDE + (at + 0.5) / count * (_WIDTH - 2 * _SIDE)


def _change(at: int, count: int, tone: str) -> str:
    x = _across(at, count)
    return f'<path d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="{tone}" stroke-dasharray="4 3"/>'


def _lines(medians: np.ndarray, places: np.ndarray, low: float, high: float) -> Sequence[str]:
    """Return a line for each stretch without a gap, and a dot for a point between two gaps."""
    room = _HEIGHT - _TOP - _BOTTOM
    found: list[list[str]] = [[]]
    for at in places.tolist():
        if not np.isfinite(medians[at]):
            found.append([])
            continue
        share = (medians[at] - low) / (high - low) if high > low else 0.5
        found[-1].append(f"{_across(at, len(medians)):.1f} {_TOP + (1 - share) * room:.1f}")
    stretches = [f"M{'L'.join(points if len(points) > 1 else points * 2)}" for points in found if points]
    return [f'<path d="{"".join(stretches)}" fill="none" stroke="#3a4750" stroke-width="1.5" stroke-linecap="round"/>']
