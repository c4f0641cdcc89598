"""The commits of a site: the list of them, a page for each that has findings or failures, and what one page shows of any other."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bench_db.analysis.by_commit import by_commit
from bench_db.identity import hash63
from bench_db.model import ChangeKind
from bench_db.report.links import difference_pattern
from bench_db.report.shown import bisect_command
from bench_db.report.site.measured import of_another_commit
from bench_db.report.terminal import beds_words, moved_words
from bench_db.report.text import visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bench_db.model import Baseline, Definition, Finding, RecordedCommit, Series

_SHA = re.compile(r"[0-9a-f]{7,64}")
_ROWS = 500
MOST_COMMITS = 1000
"""Newest commits that the list shows."""

Row = dict[str, Any]


def page_name(commit: str) -> str:
    """Return the path of the page of a commit: with its sha, or with a digest where its name is none."""
    return f"commit-{commit if _SHA.fullmatch(commit) else f'{hash63([commit]):016x}'}.html"


def with_findings(rows: Sequence[Row], findings: Sequence[Finding], series: Mapping[int, Series]) -> list[Row]:
    """Return the rows of measured commits, newest first, with what moved at each and its own page, "" for one with neither findings nor failures.

    `address` is that page, else the one that shows any commit, "" for a build without a commit. `before_page` and `after_page` are the
    addresses of the commits of the device with results before and after it, "" for none. Findings of series (by key) that the site does
    not have are left out.
    """
    of_device: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.series_key in series:
            of_device[visible(series[finding.series_key].dut_name)].append(finding)
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for dut, found in of_device.items():
        for one in by_commit(found, series):
            words = {"state": one.state.value, "words": moved_words(one), "beds": visible(beds_words(one))}
            groups[dut, visible(one.commit or "")].append(words)
    found_rows = [_with_page(row, groups.get((row["dut"], row["commit"]), [])) for row in rows]
    addresses = {(row["dut"], row["commit"]): row["address"] for row in reversed(found_rows)}
    newer: defaultdict[str, list[Row]] = defaultdict(list)
    for row in found_rows:
        row["before_page"] = addresses.get((row["dut"], row["before"]), "")
        after = of_another_commit(row, newer[row["dut"]])
        row["after_page"] = after["address"] if after else ""
        if row["results"]:
            newer[row["dut"]].append(row)
    return found_rows


def measured_document(rows: Sequence[Row], devices: Sequence[Row]) -> Row:
    """Return the measured commits, newest first, as the page that shows any of them reads them.

    `devices` are as `measured.devices_of` gives them. `before` is the place of the commit with results before, -1 for none; that of its
    newest build where it has several.
    """
    place: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows):
        place.setdefault((row["dut"], row["commit"]), number)
    device = {one["dut"]: number for number, one in enumerate(devices)}
    before = [place[row["dut"], row["before"]] if row["before"] else -1 for row in rows]
    return {
        "devices": devices,
        "dut": [device[row["dut"]] for row in rows],
        "time": [row["authored"] or row["time"] for row in rows],
        "before": before,
        "page": {str(number): row["page"] for number, row in enumerate(rows) if row["page"]},
        "notes": {str(number): row["notes"] for number, row in enumerate(rows) if row["notes"]},
        **{name: [row[name] for row in rows] for name in ("commit", "subject", "commits", "series", "fewer")},
    }


def _with_page(row: Row, groups: Sequence[Row]) -> Row:
    has_page = bool(row["commit"] and (groups or row["failed"]))
    page = page_name(row["commit"]) if has_page else ""
    shared = f"commit.html#commit={quote(row['commit'], safe='')}" if row["commit"] else ""
    return {**row, "groups": groups, "page": page, "address": page or shared}


def annotate(rows: Iterable[Row], annotations: Iterable[Definition]) -> None:
    """Set the `notes` of rows: the texts about their commit and device."""
    texts: dict[str, list[Definition]] = defaultdict(list)
    for one in annotations:
        texts[visible(one.pattern)].append(one)
    for row in rows:
        of_device = (one for one in texts[row["commit"]] if one.dut_name is None or visible(one.dut_name) == row["dut"])
        row["notes"] = [visible(one.value) for one in of_device]


def marks(
    records: Iterable[Definition], baselines: Iterable[Baseline], recorded: Mapping[str, RecordedCommit]
) -> list[Row]:
    """Return annotations, and baselines of a sha, as charts read them; a device or test bed "" is any.

    `time` is that of the commit where it is recorded, else 0.
    """
    of_annotations = [(one.pattern, one.value, one.dut_name, None) for one in records]
    of_baselines = [
        (one.commit, f"baseline {one.name}", one.dut_name, one.testbed_name)
        for one in baselines
        if one.commit and _SHA.fullmatch(one.commit)
    ]
    return [
        {
            "commit": visible(commit),
            "text": visible(text),
            "dut": visible(dut or ""),
            "bed": visible(bed or ""),
            "time": recorded[commit].time if commit in recorded else 0,
        }
        for commit, text, dut, bed in of_annotations + of_baselines
    ]


def pages_of(
    rows: Iterable[Row], found: Iterable[Row], series: Mapping[int, Series], commit_url: str
) -> Iterator[tuple[str, Row]]:
    """Yield the path and the facts of each page. `found` are the findings as `catalogue.finding_rows` gives them."""
    by_page: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["page"]:
            by_page[row["page"]].append(row)
    findings: dict[str, list[Row]] = defaultdict(list)
    for finding in found:
        findings[finding["page"]].append(finding)
    for path, builds in by_page.items():
        yield path, _facts(builds, findings[path], series, commit_url)


def _facts(builds: Sequence[Row], found: Sequence[Row], series: Mapping[int, Series], commit_url: str) -> Row:
    commit = builds[0]["commit"]
    beds = sorted({finding["where"] for finding in found})
    with_finding = {(visible(series[int(one["key"], 16)].dut_name), one["bed"]) for one in found}
    cells: dict[tuple[str, str], dict[str, list[Row]]] = defaultdict(lambda: {bed: [] for bed in beds})
    for finding in sorted(found, key=lambda f: -abs(f["effect"] or 0.0)):
        cells[finding["name"] or finding["label"], finding["label"]][finding["where"]].append(finding)
    commands = _commands(builds, found, series)
    return {
        "commit": commit,
        "builds": [
            {
                **row,
                "difference": _address(difference_pattern(commit_url), row),
                "others": [bed for bed in row["beds"] if (row["dut"], bed) not in with_finding],
            }
            for row in builds
        ],
        "address": _address(commit_url, builds[0]),
        "bed_names": beds,
        "benchmarks": list(cells.items())[:_ROWS],
        "left": max(0, len(cells) - _ROWS),
        "causes": list(dict.fromkeys(finding["because"] for finding in found if finding["because"])),
        "commands": commands[: RULES.comment_rows],
        "more_commands": max(0, len(commands) - RULES.comment_rows),
    }


def _address(pattern: str, row: Row) -> str:
    """Return the address that a pattern gives; empty where it is none, and where the pattern needs a commit before that there is not."""
    if not pattern.startswith("https://") or ("{before}" in pattern and not row["before"]):
        return ""
    return pattern.replace("{before}", quote(row["before"])).replace("{commit}", quote(row["commit"]))


def _commands(builds: Sequence[Row], found: Sequence[Row], series: Mapping[int, Series]) -> list[str]:
    """Return the command for each benchmark whose level moved, where several commits may have moved it; the largest change first."""
    ranges = {row["dut"]: row for row in builds if row["before"] and row["commits"] != 1}
    commands: dict[tuple[str, ...], str] = {}
    of_level = (finding for finding in found if finding["kind"] == ChangeKind.LEVEL)
    for finding in sorted(of_level, key=lambda f: -abs(f["effect"] or 0.0)):
        one = series[int(finding["key"], 16)]
        row = ranges.get(visible(one.dut_name))
        name = (one.suite, one.benchmark_name, one.metric)
        if row is not None and (one.dut_name, *name) not in commands:
            command = bisect_command(row["before"], row["commit"], name, abs(finding["effect"] or 0.0))
            commands[one.dut_name, *name] = visible(command)
    return list(commands.values())
