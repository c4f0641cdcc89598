"""A whole site, a file at a time: only a few shards' points are in memory at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.model import Series
from bench_db.query.series import identified, label
from bench_db.report.cause import finding_text
from bench_db.report.escape import script_json
from bench_db.report.feed import FeedCommit, FeedEntry, atom
from bench_db.report.quantity import ladders, percent
from bench_db.report.site import catalogue, commits, pages
from bench_db.report.site.badge import badge, chart, state
from bench_db.report.site.contract import slices
from bench_db.report.site.encode import samples_document, shard_document
from bench_db.report.site.measured import MeasuredCommits, freshness, scans_of
from bench_db.report.site.shards import Shard, reads, shards
from bench_db.report.text import visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.model import Finding
    from bench_db.report.site.contract import SiteContent

File = tuple[str, bytes]
FEED = "feed.xml"
_FEED_ENTRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lists:
    """All series with their shards, the findings and their series, the files of each shard, the builds to compare, and the measured commits."""

    rows: Sequence[tuple[int, catalogue.Row]]
    findings: Sequence[catalogue.Row]
    files: Sequence[tuple[str, str]]
    builds: Mapping[str, Any]
    commits: Sequence[catalogue.Row]
    moved: Mapping[int, Series]


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
            if content.charts and _is_wanted(identities[one.key]["benchmark_name"], content.charts):
                yield f"chart-{one.key:016x}.svg", chart(one, label(identities[one.key]), identities[one.key]["units"])
            described = catalogue.row(one, identities[one.key], noises.get(one.key), content.thresholds.get(one.key))
            rows.append((number, described))
            found += catalogue.finding_rows(one, described)
    of_findings = content.series.filter(pl.col("series_key").is_in(list(by_key)))
    moved = {one.series_key: one for one in identified(of_findings)}
    yield from _entrance(
        content,
        _Lists(
            rows=sorted(
                catalogue.current(rows), key=lambda pair: (pair[1]["label"], pair[1]["test_bed_name"], pair[1]["key"])
            ),
            findings=catalogue.ranked(found),
            files=names,
            builds=catalogue.commits(builds),
            commits=commits.with_findings(measured.newest_first(content.recorded), content.findings, moved),
            moved=moved,
        ),
    )


def _is_wanted(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


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
    have_pages = {row["page"] for row in lists.commits}
    for finding in findings:  # the results at its commit may have been taken out
        finding["page"] = finding["page"] if finding["page"] in have_pages else ""
    commits.annotate(lists.commits, content.annotations)
    listed = catalogue.catalogue(lists.rows, lists.files)
    fresh = freshness(lists.commits)
    beds = catalogue.beds(described)
    settings = {
        "ladders": ladders(),
        "commitUrl": content.metadata.commit_url,
        "rules": asdict(RULES),
        "beds": len(beds),
        "annotations": commits.marks(content.annotations, content.baselines, content.recorded),
    }
    everything = {
        "settings": _script("data", "settings", "settings", settings),
        "catalogue": _script("data", "catalogue", "catalogue", listed),
        "findings": _script("data", "findings", "findings", {"findings": findings}),
        "commits": _script("data", "commits", "commits", lists.builds),
    }
    yield from everything.values()
    yield FEED, _feed(content, findings, lists.commits)
    facts = {
        "counts": catalogue.counts(findings),
        "beds": beds,
        "total": len(described),
        "points": sum(row["points"] for row in described),
        "failing": catalogue.failing(described),
        "judged": sum(row["points"] >= RULES.detection_runs for row in described),
        "stale": sum(listed["stale"]),
        "current": sum(
            row["points"] >= RULES.detection_runs and not old
            for row, old in zip(described, listed["stale"], strict=True)
        ),
        "scans": scans_of(fresh, content.scans),
        "freshness": fresh,
        "listed": lists.commits[: commits.MOST_COMMITS],
        "left_out": max(0, len(lists.commits) - commits.MOST_COMMITS),
        "devices": len(fresh),
        "newest": max((one["newest"]["time"] for one in fresh if one["newest"]), default=0),
        "has_noise": any(row["noise"] is not None for row in described),
        "store": visible(content.metadata.store),
    }
    message = state(facts, findings, content.metadata.now or content.metadata.generated_at)
    yield "badge.svg", badge("benchmarks", *message)
    starts = {
        "index.html": ("settings", "findings"),
        "series.html": ("settings", "catalogue"),
        "benchmark.html": ("settings", "catalogue"),
        "compare.html": ("settings", "catalogue", "commits"),
        "commits.html": (),
        **({"noise.html": ("settings", "catalogue")} if facts["has_noise"] else {}),
    }
    shown = {"has_noise": facts["has_noise"], "store": facts["store"]}
    for path, about in commits.pages_of(lists.commits, findings, lists.moved, content.metadata.commit_url):
        yield path, pages.page("commit.html", content.metadata, {}, **shown, **about)
    for name, needed in starts.items():
        yield name, pages.page(name, content.metadata, {script: everything[script][0] for script in needed}, **facts)


def _feed(content: SiteContent, findings: Sequence[catalogue.Row], builds: Sequence[catalogue.Row]) -> bytes:
    """Render the findings as Atom, those of one commit as one entry; the time of one is that of its commit."""
    record = {visible(finding.id): finding for finding in content.findings}
    of_page: dict[str, list[catalogue.Row]] = defaultdict(list)
    for found in findings:
        of_page[found["page"] or found["id"]].append(found)
    groups = {row["page"]: (row["commit"], row["groups"]) for row in reversed(builds) if row["groups"]}
    entries = [
        _feed_entry(record, several[0]) if len(several) == 1 else _feed_commit(*groups[page], several, record)
        for page, several in list(of_page.items())[:_FEED_ENTRIES]
    ]
    metadata = content.metadata
    return atom(entries, feed_id=metadata.store, title=metadata.title, updated=metadata.generated_at, href=FEED)


def _feed_entry(record: Mapping[str, Finding], found: catalogue.Row) -> FeedEntry:
    return FeedEntry(
        finding=record[found["id"]],
        label=found["label"],
        bed=found["bed"],
        direction=found["direction"],
        updated=found["time"],
        href=f"benchmark.html#s={found['key']}&p={found['at']}",
    )


def _feed_commit(
    commit: str, groups: Sequence[catalogue.Row], findings: Sequence[catalogue.Row], record: Mapping[str, Finding]
) -> FeedCommit:
    return FeedCommit(
        commit=commit,
        moved="; ".join(f"{group['words']}, {group['beds']} ({group['state']})" for group in groups),
        states=sorted({found["state"] for found in findings}),
        lines=[f"{found['label']} on {found['bed']}: {percent(found['effect'])}" for found in findings],
        causes=list(filter(None, dict.fromkeys(finding_text(record[found["id"]]) for found in findings))),
        updated=findings[0]["time"],
        href=findings[0]["page"],
    )


def _script(folder: str, stem: str, receiver: str, document: Any) -> File:
    content = f"bench.receive({script_json(receiver)},{script_json(document)});\n".encode()
    return pages.named(folder, f"{stem}.js", content), content
