"""The history that github-action-benchmark keeps: data.js on its pages, or its external JSON file."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.formats import custom_json
from bench_db.ingest.numbers import note_on_texts
from bench_db.ingest.reading import Reading, RefusedError, Skip, SkipReason
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "github-action-benchmark-history/1"
_ASSIGNMENT = re.compile(rb"\A\s*window\.BENCHMARK_DATA\s*=\s*")
_NO_LINE_END = re.compile(rb"[^\r\n]")
_BEHIND = b" \t\r\n;"
_FIELDS = (b'"lastUpdate"', b'"entries"', b'"benches"')
_MILLISECONDS = 1000
# Which way is better where the unit does not say it, by the tool that an entry names; lower for every other tool.
_HIGHER = {"benchmarkjs", "pytest", "customBiggerIsBetter"}
_STATED = {"customBiggerIsBetter", "customSmallerIsBetter"}  # the user has said it: the unit is not asked


class _Entry(msgspec.Struct):
    benches: msgspec.Raw
    commit: dict[str, msgspec.Raw] = {}
    date: int | float | None = None
    tool: str = ""


def sniff(edges: bytes) -> bool:
    """Return whether it assigns `window.BENCHMARK_DATA`, or is an object with a time of update and entries with benches."""
    is_object = edges.lstrip().startswith(b"{") and all(field in edges for field in _FIELDS)
    return is_object or _ASSIGNMENT.match(edges) is not None


def read(content: Content) -> tuple[Reading, ...]:
    """Read a run for each entry of each list, oldest first. The name of the list is the suite."""
    file = str(content.path)
    text = bytes(content.body)
    blank = _ASSIGNMENT.sub(
        lambda found: _NO_LINE_END.sub(b" ", found[0]), text
    )  # an error names the column in the file
    top = foreign.decode(blank.rstrip(_BEHIND), foreign.Record, file=file)
    lists = foreign.fields_of(top.get("entries"), "$.entries", file=file)
    address = foreign.text(foreign.plain(top.get("repoUrl")))
    runs: dict[str, Reading] = {}
    skips: list[Skip] = []
    for suite, listed in lists.items():
        for at, raw in _entries(suite, listed, skips):
            try:
                run = _reading(suite, raw, at, address)
            except RefusedError as refused:
                skips.append(Skip(benchmark=at, reason=refused.reason, detail=refused.detail))
                continue
            skips += () if run.measurements else run.skips
            if run.measurements:
                runs.setdefault(run.digest, run)
    if not runs:
        reason = f"{foreign.NO_BENCHMARK} {skips[0]}" if skips else foreign.NO_BENCHMARK
        raise UnreadableOutputError(reason, file=file)
    first, *others = sorted(runs.values(), key=lambda run: run.run_time or 0)
    return replace(first, skips=(*skips, *first.skips)), *others


def _entries(suite: str, listed: msgspec.Raw, skips: list[Skip]) -> Iterator[tuple[str, msgspec.Raw]]:
    at = f'$.entries["{suite}"]'
    try:
        entries = foreign.part(listed, list[msgspec.Raw], at=at)
    except RefusedError as refused:
        skips.append(Skip(benchmark=suite, reason=refused.reason, detail=refused.detail))
        return
    for index, entry in enumerate(entries):
        yield f"{at}[{index}]", entry


def _reading(suite: str, raw: msgspec.Raw, at: str, address: str) -> Reading:
    """Return the run of one entry. Its digest covers the entry alone: a longer history has the same earlier runs."""
    entry = foreign.part(raw, _Entry, at=at)
    benches = foreign.part(entry.benches, list[msgspec.Raw], at=f"{at}.benches")
    if not benches:
        raise RefusedError(SkipReason.NO_STATISTICS, f"no benchmark in {at}.benches")
    texts: list[str] = []
    measured = partial(custom_json.measurements, partial(_direction, entry.tool), texts)
    measurements, skips = foreign.each(benches, f"{at}.benches", foreign.name_of, measured)
    facts = {name: foreign.text(foreign.plain(value)) for name, value in entry.commit.items()}
    commit = facts.get("id") or None
    subject = facts.get("message", "").partition("\n")[0]  # trailers below it have addresses of people
    kept = {"tool": entry.tool, "repoUrl": address, "message": subject, "url": facts.get("url", "")}
    date = int(entry.date or 0)
    content = [suite, foreign.plain(raw)]
    return Reading(
        source=SOURCE,
        context=foreign.compact({name: value for name, value in kept.items() if value}),
        measurements=tuple(replace(measurement, suite=suite) for measurement in measurements),
        skips=skips,
        notes=note_on_texts(texts),
        run_time=date // _MILLISECONDS or None,
        commit=commit,
        commit_time=foreign.unix(facts.get("timestamp")),
        part=f"{suite}/{commit or ''}@{date}",
        digest=sha256(msgspec.json.encode(content, order="sorted")).hexdigest(),
    )


def _direction(tool: str, of_unit: Direction) -> Direction:
    of_tool = Direction.HIGHER if tool in _HIGHER else Direction.LOWER
    return of_tool if tool in _STATED or of_unit is Direction.INFO else of_unit
