"""The list of all series with what their row shows, and the findings with the stretch of history around each."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from bench_db.analysis.compare import relative
from bench_db.analysis.renames import Named, change_between, successors
from bench_db.model import Cause, State
from bench_db.query.series import label
from bench_db.report.site.commits import page_name
from bench_db.report.site.numbers import packed, sparkline, unpacked
from bench_db.report.site.parts import kin_of
from bench_db.report.text import cells_of, distinct_names, visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench_db.query.thresholds import Threshold
    from bench_db.report.site.encode import EncodedSeries
    from bench_db.report.site.shards import Group

STANDING = frozenset({State.OPEN, State.REOPENED})
_AROUND = 30
_NAME, _LONGEST_NAME, _SUITE, _LONGEST_SUITE = 48, 80, 20, 32  # two lines of a list hold the longest on every screen
_FACETS = ("dut_name", "test_bed_name", "suite", "metric", "units", "direction")
_NAMES = {"dut_name": "dut", "test_bed_name": "bed"}

Row = dict[str, Any]


def row(one: EncodedSeries, identity: Row, noise: Row | None, threshold: Threshold | None = None) -> Row:
    """Return the row of a series in the index; `change` is its newest point against the median of `rules.level_most_runs` before.

    `few` says that these are fewer than a verdict needs. `where` is empty where the name of the test bed is enough for readers. `level` and `first` are typical values at its end and at its start,
    `kin` is that of `parts.kin_of`, and `order` and `began` the places of its newest and its oldest commit in the order of commits.
    """
    medians = one.points["median"].to_numpy()
    known = medians[np.isfinite(medians)]
    failing = one.points["error"][-1] is not None
    latest = float(known[-1]) if known.size and not failing else None
    before = float(np.median(known[-RULES.level_most_runs - 1 : -1])) if known.size > 1 else None
    standing = [finding for finding in one.findings if finding["state"] in STANDING]
    return {
        **{name: identity[name] for name in _FACETS},
        "key": f"{one.key:016x}",
        "label": visible(label(identity)),
        "name": "",
        "where": "",
        "latest": _short(latest),
        "change": _short(relative(latest - before, before, latest, logarithmic=False))
        if before and latest is not None
        else None,
        "points": len(medians),
        "few": int(known.size <= RULES.baseline_runs),
        "time": one.points["dut_timestamp"][-1] or 0,
        "order": one.points["commit_order"][-1],
        "began": one.points["commit_order"][0],
        "benchmark": identity["benchmark_name"],
        "kin": kin_of(identity["suite"], identity["benchmark_name"]),
        "tags": identity["tags_key"] or "",
        "level": before if before is not None else latest,
        "first": float(np.median(known[: RULES.level_most_runs])) if known.size else None,
        "spark": sparkline(medians),
        "worse": sum(finding["worse"] is True for finding in standing),
        "better": sum(finding["worse"] is False for finding in standing),
        "failing": failing,
        "noise": _noise(noise),
        "threshold": None if threshold is None else [threshold.relative, threshold.absolute, visible(threshold.text)],
    }


def current(rows: Sequence[tuple[int, Row]]) -> list[tuple[int, Row]]:
    """Return the rows without those of series that only ever failed, and whose suite has been measured since.

    Of the others `stale` says whether their suite has a newer commit, which their newest result, a failure too, is not of.
    """
    newest = _newest([row for _, row in rows])
    for _, one in rows:
        one["stale"] = one["order"] < newest[group_of(one)]
    return [(file, one) for file, one in rows if not (one["stale"] and one["first"] is None)]


def natural(label: str) -> tuple[str | tuple[int, str], ...]:
    """Return the key that sorts a label for readers: its numbers by value, and letters without their case."""
    parts = re.split(r"0*([0-9]+)", label.casefold())
    return tuple((len(part), part) if place % 2 else part for place, part in enumerate(parts))


def failing(rows: Iterable[Row]) -> int:
    """Return the number of series whose result at the newest commit of their suite is a failure."""
    return sum(one["failing"] and not one["stale"] for one in rows)


def _newest(rows: Iterable[Row]) -> dict[tuple[str, str, str], int]:
    found: dict[tuple[str, str, str], int] = {}
    for one in rows:
        found[group_of(one)] = max(found.get(group_of(one), one["order"]), one["order"])
    return found


def name_apart(rows: Sequence[Row], findings: Iterable[Row]) -> None:
    """Set the short `name` of series and of findings, which is empty where the label is short enough.

    The suite is shortened by itself, and left out where all series are of one.
    """
    suites = sorted({visible(one["suite"]) for one in rows})
    of_suite = dict(zip(suites, distinct_names(suites, _SUITE, _LONGEST_SUITE), strict=True)) if len(suites) > 1 else {}
    parts = {one["label"]: _suite_apart(one["label"], visible(one["suite"])) for one in rows}
    rests = sorted({rest for _, rest in parts.values()})
    of_rest = dict(zip(rests, distinct_names(rests, _NAME, _LONGEST_NAME), strict=True))
    for one in (*rows, *findings):
        suite, rest = parts[one["label"]]
        start = f"{of_suite[suite]}: " if suite in of_suite and rest != one["label"] else ""
        one["name"] = "" if cells_of(one["label"]) <= _NAME else f"{start}{of_rest[rest]}"


def _suite_apart(text: str, suite: str) -> tuple[str, str]:
    """Split a label into its suite and the rest."""
    return suite, text.removeprefix(f"{suite}: ")


def place_apart(rows: Iterable[Row], findings: Iterable[Row], beds: Mapping[int, str]) -> None:
    """Set `where` of the series, and of the findings of those, that `beds` has: the test bed for readers, by the key of a series."""
    texts = {f"{key:016x}": visible(bed) for key, bed in beds.items()}
    for one in (*rows, *findings):
        one["where"] = texts.get(one["key"], one["where"])


def _noise(noise: Row | None) -> list[float | bool | None] | None:
    if noise is None:
        return None
    return [noise[name] for name in ("spread", "smallest_effect", "autocorrelated", "runs_needed")]


def catalogue(rows: Sequence[tuple[int, Row]], files: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """Return all rows of `current`, a list a column, repeated texts once; `files` are each shard's data, samples ("" for none) and builds.

    There is a column `where` only if it says of a series more than the name of its test bed.
    """
    apart = ("where",) if any(row["where"] for _, row in rows) else ()
    facets = {name: sorted({row[name] for _, row in rows}) for name in (*_FACETS, "tags", *apart)}
    place = {name: {text: number for number, text in enumerate(texts)} for name, texts in facets.items()}
    columns = {_NAMES.get(name, name): [place[name][one[name]] for _, one in rows] for name in facets}
    plain = (
        *("key", "label", "name", "points", "few", "time", "spark"),
        *("worse", "better", "noise", "threshold", "latest", "change"),
    )
    return {
        "facets": {_NAMES.get(name, name): [visible(text) for text in texts] for name, texts in facets.items()},
        "files": [list(paths) for paths in files],
        **columns,
        **{name: [one[name] for _, one in rows] for name in plain},
        "failing": [int(one["failing"]) for _, one in rows],
        "stale": [int(one["stale"]) for _, one in rows],
        "heirs": _heirs([one for _, one in rows]),
        "file": [file for file, _ in rows],
    }


def _heirs(rows: Sequence[Row]) -> list[tuple[int, int, str]]:
    """Place of a series that ended, of the one it may go on as, and what changed between them."""
    oldest: dict[tuple[str, str, str], int] = {}
    for one in rows:
        oldest[group_of(one)] = min(oldest.get(group_of(one), one["began"]), one["began"])
    stale = [i for i, one in enumerate(rows) if one["stale"]]
    later = [i for i, one in enumerate(rows) if one["began"] > oldest[group_of(one)]]
    if not (stale and later):
        return []
    ended = {i: _named(i, rows[i], "level", "order") for i in stale}
    began = {i: _named(i, rows[i], "first", "began") for i in later}
    found = successors(ended.values(), began.values())
    return [(old, new, visible(change_between(ended[old], began[new]))) for old, new in sorted(found.items())]


def _named(place: int, one: Row, level: str, at: str) -> Named:
    return Named(
        key=place,
        group=group_of(one),
        benchmark=one["benchmark"],
        metric=one["metric"],
        tags=one["tags"],
        units=one["units"],
        level=one[level],
        at=one[at],
    )


def group_of(one: Row) -> tuple[str, str, str]:
    """Return the device, the test bed and the suite of a row."""
    return one["dut_name"], one["test_bed_name"], one["suite"]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def finding_rows(document: Row, described: Row) -> Iterable[Row]:
    """Yield each finding of the document of a series with its name and the medians around it; `here` is its place among them."""
    medians = unpacked(document["median"])
    for finding in document["findings"]:
        start = max(0, finding["at"] - _AROUND)
        excerpt = medians[start : finding["at"] + _AROUND]
        series = {name: described[name] for name in ("key", "label", "name", "units", "direction")}
        bed = visible(described["test_bed_name"])
        page = page_name(finding["commit"]) if finding["commit"] else ""
        yield {
            **finding,
            **series,
            "bed": bed,
            "where": bed,
            "page": page,
            "excerpt": packed(excerpt),
            "here": finding["at"] - start,
        }


def ranked(findings: Iterable[Row]) -> list[Row]:
    """Standing findings first, then worse ones, then the newest, then the largest."""
    order = {str(state): number for number, state in enumerate(State)}
    return sorted(
        findings,
        key=lambda f: (
            f["state"] not in STANDING,
            f["worse"] is not True,
            -f["time"],
            -abs(f["effect"] or 0.0),
            order[f["state"]],
            f["id"],
        ),
    )


def counts(findings: Sequence[Row]) -> Mapping[str, int]:
    """Count the current findings that are worse, better or neither, and those of each state.

    `common` of them move with a whole run, and `machine` of the worse ones moved with the machine or the tool chain. Both are
    counted as worse, better or neither, too.
    """
    standing = [finding for finding in findings if finding["state"] in STANDING]
    ways = Counter({True: "worse", False: "better", None: "moved"}[f["worse"]] for f in standing)
    states = Counter(finding["state"] for finding in findings)
    machine = sum(f["worse"] is True and f["cause"] == Cause.MACHINE for f in standing)
    return Counter(ways + Counter(common=sum(1 for f in standing if f["common"]), machine=machine) + states)


def beds(rows: Sequence[Row]) -> list[Row]:
    """Return each test bed with the number of its series, when it was last measured, and how noisy it is at the median."""
    held: dict[str, list[Row]] = defaultdict(list)
    for one in rows:
        held[one["test_bed_name"]].append(one)
    return [_bed(name, held[name]) for name in sorted(held)]


def _bed(name: str, rows: Sequence[Row]) -> Row:
    noise = [one["noise"] for one in rows if one["noise"] is not None]
    return {
        "name": visible(name),
        "series": len(rows),
        "failing": failing(rows),
        "time": max(one["time"] for one in rows),
        "spread": _middle([figures[0] for figures in noise]),
        "smallest_effect": _middle([figures[1] for figures in noise]),
        "autocorrelated": sum(figures[2] is True for figures in noise),
    }


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def commits(groups: Sequence[tuple[Group, Row]]) -> Row:
    """Return every build with the groups (device, test bed, suite) that measured it, newest first, for choosing two to compare."""
    names = sorted(group for group, _ in groups)
    place = {group: number for number, group in enumerate(names)}
    measured: dict[tuple[str, str, int], set[int]] = defaultdict(set)
    for group, builds in groups:
        for build in zip(builds["commit"], builds["version"], builds["time"], strict=True):
            measured[build].add(place[group])
    ordered = sorted(measured, key=lambda build: (-build[2], build[0], build[1]))
    return {
        "groups": [[visible(text) for text in group] for group in names],
        "builds": [[*build, sorted(measured[build])] for build in ordered],
    }
