"""A whole site, a file at a time: only a few shards' points are in memory at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench_db.report.escape import script_json
from bench_db.report.feed import FeedEntry, atom
from bench_db.report.quantity import ladders
from bench_db.report.site import catalogue, pages
from bench_db.report.site.contract import slices
from bench_db.report.site.encode import samples_document, shard_document
from bench_db.report.site.measured import MeasuredCommits, freshness
from bench_db.report.site.shards import Shard, reads, shards
from bench_db.report.text import visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from bench_db.model import Finding
    from bench_db.report.site.contract import SiteContent

File = tuple[str, bytes]
FEED = "feed.xml"
_FEED_ENTRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lists:
    """All series with their shards, the findings, the files of each shard, the builds to compare, and the measured commits."""

    rows: Sequence[tuple[int, catalogue.Row]]
    findings: Sequence[catalogue.Row]
    files: Sequence[tuple[str, str]]
    builds: Mapping[str, Any]
    commits: Sequence[catalogue.Row]


def site(content: SiteContent) -> Iterator[File]:
    """Yield path and bytes of every file. A file comes after those it refers to, and pages last, so a reader never sees half a site."""
    yield from sorted(pages.assets().values())
    by_key: dict[int, list[Finding]] = defaultdict(list)
    for finding in content.findings:
        by_key[finding.series_key].append(finding)
    identities = {one["series_key"]: one for one in content.series.iter_rows(named=True)}
    noises = {one["series_key"]: one for one in content.noise.iter_rows(named=True)}
    rows: list[tuple[int, catalogue.Row]] = []
    found: list[catalogue.Row] = []
    names: list[tuple[str, str]] = []
    builds: list[tuple[Any, dict[str, Any]]] = []
    measured = MeasuredCommits()
    for number, (shard, points) in enumerate(_with_points(content, measured)):
        document, encoded = shard_document(points, by_key)
        data = _script("data", shard.name, f"shard/{shard.name}", document)
        drawn = samples_document(encoded)
        samples = _script("samples", shard.name, f"samples/{shard.name}", drawn) if drawn else ("", b"")
        yield from (file for file in (data, samples) if file[0])
        names.append((data[0], samples[0]))
        builds.append((shard, document["builds"]))
        for one in encoded:
            described = catalogue.row(one, identities[one.key], noises.get(one.key), content.thresholds.get(one.key))
            rows.append((number, described))
            found += catalogue.finding_rows(one, described)
    yield from _entrance(
        content,
        _Lists(
            rows=sorted(rows, key=lambda pair: (pair[1]["label"], pair[1]["test_bed_name"], pair[1]["key"])),
            findings=catalogue.ranked(found),
            files=names,
            builds=catalogue.commits(builds),
            commits=measured.newest_first(content.recorded),
        ),
    )


def _with_points(content: SiteContent, measured: MeasuredCommits) -> Iterator[tuple[Shard, pl.DataFrame]]:
    for together in reads(shards(content.series)):
        points = content.points_of([key for shard in together for key in shard.keys])
        measured.add(points)
        points_of = slices(points)
        yield from ((shard, points_of(shard.keys)) for shard in together)


def _entrance(content: SiteContent, lists: _Lists) -> Iterator[File]:
    """Yield the files that a reader starts from: catalogue, findings, commits and pages."""
    findings, described = lists.findings, [row for _, row in lists.rows]
    catalogue.name_apart(described, findings)
    listed = catalogue.catalogue(lists.rows, lists.files)
    fresh = freshness(lists.commits)
    settings = {"ladders": ladders(), "commitUrl": content.metadata.commit_url, "rules": asdict(RULES)}
    everything = {
        "settings": _script("data", "settings", "settings", settings),
        "catalogue": _script("data", "catalogue", "catalogue", listed),
        "findings": _script("data", "findings", "findings", {"findings": findings}),
        "commits": _script("data", "commits", "commits", lists.builds),
    }
    yield from everything.values()
    yield FEED, _feed(content, findings)
    facts = {
        "counts": catalogue.counts(findings),
        "beds": catalogue.beds(described),
        "total": len(described),
        "points": sum(row["points"] for row in described),
        "failing": sum(row["failing"] for row in described),
        "judged": sum(row["points"] >= RULES.detection_runs for row in described),
        "stale": sum(listed["stale"]),
        "found": len(findings),
        "freshness": fresh,
        "newest": max((one["newest"]["time"] for one in fresh if one["newest"]), default=0),
        "has_noise": any(row["noise"] is not None for row in described),
        "store": visible(content.metadata.store),
    }
    starts = {
        "index.html": ("settings", "findings"),
        "series.html": ("settings", "catalogue"),
        "benchmark.html": ("settings", "catalogue"),
        "compare.html": ("settings", "catalogue", "commits"),
        **({"noise.html": ("settings", "catalogue")} if facts["has_noise"] else {}),
    }
    for name, needed in starts.items():
        yield name, pages.page(name, content.metadata, {script: everything[script][0] for script in needed}, **facts)


def _feed(content: SiteContent, findings: Sequence[catalogue.Row]) -> bytes:
    """Render the findings as Atom; the time of one is that of its commit."""
    record = {visible(finding.id): finding for finding in content.findings}
    entries = [
        FeedEntry(
            finding=record[found["id"]],
            label=found["label"],
            bed=found["bed"],
            direction=found["direction"],
            updated=found["time"],
            href=f"benchmark.html#s={found['key']}&p={found['at']}",
        )
        for found in findings[:_FEED_ENTRIES]
    ]
    metadata = content.metadata
    return atom(entries, feed_id=metadata.store, title=metadata.title, updated=metadata.generated_at, href=FEED)


def _script(folder: str, stem: str, receiver: str, document: Any) -> File:
    content = f"bench.receive({script_json(receiver)},{script_json(document)});\n".encode()
    return pages.named(folder, f"{stem}.js", content), content
