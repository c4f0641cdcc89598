"""The newest scan of each device in a line of text: what it judged, and how far it is behind the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.query.selection import short
from bench_db.report.text import visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import LastScan

NO_SCAN = "no scan is recorded: 'bench-db scan' looks for changes"


def scans_text(scans: Sequence[LastScan]) -> str:
    """Render a line for each device, with its name where there are several; empty for a store without results."""
    return "\n".join(f"{f'{visible(one.dut_name)}: ' if len(scans) > 1 else ''}{scan_words(one)}" for one in scans)


def scan_words(one: LastScan) -> str:
    """Describe the newest scan of a device."""
    if one.scan is None:
        return NO_SCAN
    name = short(one.scan.commit) if one.scan.commit else visible(one.scan.dut_version)
    few = f", {one.scan.too_short:,} with fewer than {RULES.detection_runs} runs" if one.scan.too_short else ""
    return f"last scan: {name}, {behind(one) or 'the newest measured commit'}; {_counted(one.scan.judged, 'series')} judged{few}"


def behind(one: LastScan) -> str:
    """Return how far the newest scan is behind the results; empty when it read all of them."""
    if one.commits_since is None:
        return "a commit that is not in the main history any more"
    if one.commits_since:
        return f"{_counted(one.commits_since, 'measured commit')} ago"
    if one.runs_since:
        return f"{_counted(one.runs_since, 'run')} ago"
    return ""


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 or word.endswith('s') else 's'}"
