"""A whole site, a file at a time: the points of some groups are in memory at once, and shards that are there already are kept."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from bench_db.model import Series, Verdict
from bench_db.query.series import identified, label
from bench_db.report.escape import script_json
from bench_db.report.feed import FeedCommit, FeedEntry, atom
from bench_db.report.quantity import ladders, percent
from bench_db.report.site import catalogue, commits, pages
from bench_db.report.site.arrange import NARROW, POINTS, arranged, noise_keys, runs_of
from bench_db.report.site.availability import days_document
from bench_db.report.site.badge import badge, chart, is_stale, state
from bench_db.report.site.contract import slices
from bench_db.report.site.encode import builds_document, encoded
from bench_db.report.site.frontier import frontiers
from bench_db.report.site.manifest import digest as digest_of
from bench_db.report.site.measured import MeasuredCommits, freshness, said_of, scans_of
from bench_db.report.site.numbers import Strips
from bench_db.report.site.parts import parts_of
from bench_db.report.site.progress import UNREAD, progress_document
from bench_db.report.site.pulls import newest_pulls, pull_document
from bench_db.report.site.shards import Group, Shard, reads, shards, stem_of
from bench_db.report.terminal import finding_text
from bench_db.report.text import visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.model import Finding
    from bench_db.report.site.arrange import Arranged
    from bench_db.report.site.contract import SiteContent
    from bench_db.report.site.frontier import Frontiers
    from bench_db.report.site.progress import ProgressFile

File = tuple[str, bytes]
Kept = tuple[str, bytes | None]
KeptFile = Callable[[str], bytes | None]
FEED = "feed.xml"
_FEED_ENTRIES = 200
# A part of the digest of each shard: increase it when the same points get other files.
_FORMAT = 3
_SHARDS_AT_ONCE = 128
_OF_SHARD = re.compile(r"(?:data|samples)/[0-9a-f]{16}-(?!series-|frontier-)|chart-")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lists:
    """All series with their shards, the findings and their series, the files of each shard, the builds to compare, and the measured commits.

    `measured` is when each group measured its newest commit (unix seconds), `progress` the path of the document of each CSV file by sha256.
    """

    rows: Sequence[tuple[int, catalogue.Row]]
    findings: Sequence[catalogue.Row]
    files: Sequence[tuple[str, str, str]]
    builds: Mapping[str, Any]
    commits: Sequence[catalogue.Row]
    moved: Mapping[int, Series]
    measured: Mapping[Group, int]
    progress: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """The files of a shard, the document of its data file, and whether it has a file of samples."""

    shard: Shard
    digest: str
    files: Sequence[Kept]
    document: catalogue.Row

    @property
    def paths(self) -> tuple[str, str]:
        """The paths of its data and of its samples, "" without samples."""
        return _path("data", self.shard, self.digest), (
            _path("samples", self.shard, self.digest) if self.document["samples"] else ""
        )


class Site:
    """The files of a site.

    The name of a shard has a digest of what the shard is made from, so a shard whose file is there already is not made again.
    """

    def __init__(self, content: SiteContent) -> None:
        self._content = content
        self._shards = shards(content.series)
        self._identities = {one["series_key"]: one for one in content.series.iter_rows(named=True)}
        self._findings: dict[int, list[Finding]] = defaultdict(list)
        for finding in content.findings:
            self._findings[finding.series_key].append(finding)
        # hashes of rows are stable within a release of Polars
        self._made_by = (_FORMAT, pl.__version__, content.made_by, asdict(RULES))

    def files(
        self, kept: KeptFile = lambda _path: None, progress: Callable[[int, int], None] = lambda _done, _all: None
    ) -> Iterator[Kept]:
        """Yield path and bytes of every file; None for the bytes of a shard whose file is `kept`.

        `kept` returns the bytes of a file that an earlier build of the same directory wrote, None when it is not there or has
        changed since. A file comes after those it refers to, and pages last, so a reader never sees half a site. `progress` is
        called with the number of series that are done, and that of all.
        """
        content = self._content
        yield from sorted(pages.assets().values())
        measured = MeasuredCommits()
        rows: list[tuple[int, catalogue.Row]] = []
        found: list[catalogue.Row] = []
        names = [("", "", "")] * len(self._shards)
        place = {shard.name: number for number, shard in enumerate(self._shards)}
        builds: list[tuple[Group, catalogue.Row]] = []
        of_groups: dict[Group, int] = {}
        for together in reads(self._shards):
            one_read = self._read(together, measured)
            documents = {group: builds_document(of_group) for group, of_group in one_read.builds.items()}
            scripts = {group: _builds_script(group, document) for group, document in documents.items()}
            builds += documents.items()
            of_groups |= one_read.measured
            yield from scripts.values()
            for made in self._made(together, one_read, kept):
                yield from made.files
                for document in made.document["series"].values():
                    rows.append((place[made.shard.name], document["about"]))
                    found += catalogue.finding_rows(document, document["about"])
                names[place[made.shard.name]] = (*made.paths, scripts[made.shard.group][0])
                progress(len(rows), len(content.series))
        of_progress: dict[str, str] = {}
        yield from self._progress(kept, of_progress)
        of_findings = content.series.filter(pl.col("series_key").is_in(list(self._findings)))
        moved = {one.series_key: one for one in identified(of_findings)}
        yield from _entrance(
            content,
            _Lists(
                rows=sorted(
                    catalogue.current(rows),
                    key=lambda pair: (pair[1]["label"], pair[1]["test_bed_name"], pair[1]["key"]),
                ),
                findings=catalogue.ranked(found),
                files=names,
                builds=catalogue.commits(builds),
                commits=commits.with_findings(measured.newest_first(content.recorded), content.findings, moved),
                moved=moved,
                measured=of_groups,
                progress=of_progress,
            ),
        )

    def file(self, path: str) -> bytes:
        """Return the bytes of one file by its path; of a shard only its group is read. Raises `KeyError` for a path that there is not."""
        asset = dict(pages.assets().values()).get(path)
        if asset is not None:
            return asset
        if not _OF_SHARD.match(path):
            return self._entrance_files[path]
        of_group = [one for one in self._shards if f"/{one.stem}-" in path or path in self._charts(one)]
        if not of_group:
            raise KeyError(path)
        wanted = [one for one in of_group if f"/{one.name}-" in path or path in self._charts(one)]
        return dict(self._of_group(of_group[0].group, wanted))[path]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The paths of all files."""
        return tuple(path for path, _ in self.files())

    @cached_property
    def _entrance_files(self) -> dict[str, bytes]:
        return {path: body for path, body in self.files() if body is not None and not _OF_SHARD.match(path)}

    def _of_group(self, group: Group, wanted: Sequence[Shard]) -> Iterator[File]:
        one_read = self._read([one for one in self._shards if one.group == group], MeasuredCommits())
        yield _builds_script(group, builds_document(one_read.builds[group]))
        for made in self._made(wanted, one_read, lambda _path: None):
            yield from ((path, body) for path, body in made.files if body is not None)

    def _read(self, together: Sequence[Shard], measured: MeasuredCommits) -> Arranged:
        content, keys = self._content, [key for shard in together for key in shard.keys]
        narrow, series = content.points_of(keys, NARROW), content.series.filter(pl.col("series_key").is_in(keys))
        runs = runs_of(narrow, content.points_of)
        measured.add(narrow, runs, series)
        return arranged(narrow, runs, series)

    def _made(self, together: Sequence[Shard], points: Arranged, kept: KeptFile) -> Iterator[_Made]:
        """Yield the shards of some groups, those that are kept first."""
        missing: list[tuple[Shard, str]] = []
        for shard in together:
            digest = self._digest(shard, points)
            made = self._kept(shard, digest, kept)
            if made is None:
                missing.append((shard, digest))
            else:
                yield made
        if not missing:
            return
        keys = [key for shard, _ in missing for key in shard.keys]
        places = points.places
        single, several = noise_keys(keys, places, points.repeated)
        rows = self._content.points_of(sorted({*keys, *several}), POINTS)
        noises = {
            one["series_key"]: one
            for of_noise, repeated in ((single, False), (several, True))
            if of_noise
            for one in self._content.noise_of(rows.filter(pl.col("series_key").is_in(of_noise)), repeated).iter_rows(
                named=True
            )
        }
        for start in range(0, len(missing), _SHARDS_AT_ONCE):
            batch = missing[start : start + _SHARDS_AT_ONCE]
            of_batch = pl.col("series_key").is_in([key for shard, _ in batch for key in shard.keys])
            yield from self._encoded(batch, points.ordered(rows.filter(of_batch)), noises)

    def _progress(self, kept: KeptFile, paths: dict[str, str]) -> Iterator[Kept]:
        """Yield the documents of CSV files and set their `paths`; one that is there already is not read again, unless it could not be read."""
        for file in self._content.progress:
            path = _progress_path(file)
            document = None if kept(path) is not None else progress_document(file)
            if document is UNREAD:
                path = _progress_path(file, "unread")
            paths[file.sha256] = path
            yield path, None if document is None else _received(_progress_receiver(file), document)

    def _digest(self, shard: Shard, points: Arranged) -> str:
        """Return a digest of everything that the files of a shard are made from."""
        content = self._content
        of_series = [
            (
                tuple(self._identities[key].items()),
                points.sums.get(key),
                self._findings.get(key),
                content.thresholds.get(key),
            )
            for key in shard.keys
        ]
        return digest_of(repr((self._made_by, of_series)).encode())[: RULES.digest_length]

    def _kept(self, shard: Shard, digest: str, kept: KeptFile) -> _Made | None:
        """Return a shard whose files are there; None when one is not."""
        body = kept(_path("data", shard, digest))
        if body is None:
            return None
        made = _Made(shard=shard, digest=digest, files=(), document=_document(body))
        paths = [path for path in (*made.paths, *self._charts(shard)) if path]
        if any(kept(path) is None for path in paths[1:]):
            return None
        return replace(made, files=[(path, None) for path in paths])

    def _charts(self, shard: Shard) -> list[str]:
        wanted = (key for key in shard.keys if self._is_wanted(key))
        return [f"chart-{key:016x}.svg" for key in wanted]

    def _is_wanted(self, key: int) -> bool:
        name = self._identities[key]["benchmark_name"]
        return any(fnmatchcase(name, glob) for glob in self._content.charts)

    def _encoded(
        self, missing: Sequence[tuple[Shard, str]], ordered: pl.DataFrame, noises: Mapping[int, catalogue.Row]
    ) -> Iterator[_Made]:
        """Yield shards from their points, as `Arranged.ordered` gives them."""
        content = self._content
        points_of, strips = slices(ordered), Strips(content.samples_of(ordered))
        starts = dict(ordered.with_row_index("at").group_by("series_key").agg(pl.col("at").first()).iter_rows())
        for shard, digest in missing:
            series: dict[str, Any] = {}
            samples: dict[str, Any] = {}
            charts: list[File] = []
            for key in shard.keys:
                identity, of_series = self._identities[key], points_of([key])
                one = encoded(of_series, identity["direction"], self._findings.get(key, ()), identity["units"])
                about = catalogue.row(one, identity, noises.get(key), content.thresholds.get(key))
                series[f"{key:016x}"] = {**one.document, "about": about}
                drawn = strips.of(starts[key], starts[key] + len(of_series))
                if drawn:
                    samples[f"{key:016x}"] = drawn
                if self._is_wanted(key):
                    charts.append((f"chart-{key:016x}.svg", chart(one, label(identity), identity["units"])))
            document = {"series": series, "samples": bool(samples)}
            made = _Made(shard=shard, digest=digest, files=(), document=document)
            data, sampled = made.paths
            files = [(data, _received(f"shard/{shard.name}", document))]
            if sampled:
                files.append((sampled, _received(f"samples/{shard.name}", {"series": samples})))
            yield replace(made, files=[*files, *charts])


def _path(folder: str, shard: Shard, digest: str) -> str:
    return f"{folder}/{shard.name}-{digest}.js"


def _builds_script(group: Group, document: catalogue.Row) -> File:
    return _script("data", *_named(stem_of(group), "builds"), document)


def _named(stem: str, name: str) -> tuple[str, str]:
    """Return the name of a data script that a page loads when it needs it, and how the script calls itself."""
    return f"{stem}-{name}", f"shard/{stem}-{name}"


def _document(script: bytes) -> catalogue.Row:
    """Return the document of a data script."""
    text = script.decode()
    document: catalogue.Row = msgspec.json.decode(text[text.index(",") + 1 : text.rindex(");")])
    return document


def _entrance(content: SiteContent, lists: _Lists) -> Iterator[File]:
    """Yield the files that a reader starts from: catalogue, findings, commits and pages."""
    findings, described = lists.findings, [row for _, row in lists.rows]
    catalogue.name_apart(described, findings)
    catalogue.place_apart(described, findings, content.beds)
    have_pages = {row["page"] for row in lists.commits}
    for finding in findings:  # the results at its commit may have been taken out
        finding["page"] = finding["page"] if finding["page"] in have_pages else ""
    commits.annotate(lists.commits, content.annotations)
    listed = catalogue.catalogue(lists.rows, lists.files)
    parts = parts_of(listed, described)
    fresh = freshness(lists.commits)
    now = content.metadata.now or content.metadata.generated_at
    beds = catalogue.beds(described)
    settings = {
        "ladders": ladders(),
        "commitUrl": content.metadata.commit_url,
        "rules": asdict(RULES),
        "beds": len(beds),
        "annotations": commits.marks(content.annotations, content.baselines, content.recorded),
    }
    groups = {
        group: _script("data", *_named(stem_of(group), "series"), part) for group, part in parts.of_groups.items()
    }
    kin = [_script("data", *_named("kin", f"{number:x}"), part) for number, part in enumerate(parts.kin)]
    finds = {prefix: _script("data", *_named("find", prefix), part) for prefix, part in parts.finds.items()}
    pulls = {
        number: _script("data", *_named("pull", str(number)), pull_document(content.pulls.filter(pr_number=number)))
        for number in newest_pulls(content.pulls, RULES.site_pull_requests)
    }
    yield from (*groups.values(), *kin, *finds.values(), *pulls.values())
    places = {
        "digits": parts.digits,
        "finds": {prefix: path for prefix, (path, _) in finds.items()},
        "kin": [path for path, _ in kin],
    }
    builds = {
        **lists.builds,
        "parts": [groups[group][0] for group in sorted(groups)],
        "sizes": [len(parts.of_groups[group]["key"]) for group in sorted(groups)],
    }
    frontier_files, frontier = _frontier(frontiers(content.newest, content.frontier))
    yield from frontier_files
    days = days_document(content.availability)
    everything = {
        "places": _script("data", "places", "places", places),
        "settings": _script("data", "settings", "settings", settings),
        "catalogue": _script("data", "catalogue", "catalogue", listed),
        "findings": _script("data", "findings", "findings", {"findings": findings}),
        "commits": _script("data", "commits", "commits", builds),
        "pulls": _script("data", "pulls", "pulls", [[number, path] for number, (path, _) in pulls.items()]),
        **frontier,
        **(
            {"progress": _script("data", "progress", "progress", _runs_document(content.progress, lists.progress))}
            if content.progress
            else {}
        ),
        **({} if days is None else {"availability": _script("data", "availability", "availability", days)}),
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
            row["points"] >= RULES.detection_runs
            and not row["stale"]
            and not is_stale(lists.measured[catalogue.group_of(row)], now)
            for row in described
        ),
        "scans": scans_of(fresh, content.scans),
        "verdicts": (verdicts := [content.verdicts.get(one["dut"], {}) for one in fresh]),
        "said": [said_of(one) for one in verdicts],
        "regressed": sum(one.get(Verdict.REGRESSED, 0) for one in verdicts),
        "freshness": fresh,
        "listed": lists.commits[: commits.MOST_COMMITS],
        "left_out": max(0, len(lists.commits) - commits.MOST_COMMITS),
        "devices": len(fresh),
        "newest": max((one["newest"]["time"] for one in fresh if one["newest"]), default=0),
        "has_noise": any(row["noise"] is not None for row in described),
        "store": visible(content.metadata.store),
    }
    facts["menu"] = pages.menu(
        with_frontier=bool(frontier),
        with_availability=days is not None,
        with_progress=bool(content.progress),
        with_noise=facts["has_noise"],
    )
    message = state(facts, findings, now)
    yield "badge.svg", badge("benchmarks", *message)
    starts = {
        "index.html": ("settings", "findings"),
        "series.html": ("settings", "catalogue"),
        "benchmark.html": ("settings", "places", "pulls"),
        "compare.html": ("settings", "commits"),
        "commits.html": (),
        "frontier.html": ("settings", "frontier"),
        "availability.html": ("availability",),
        "progress.html": ("settings", "progress"),
        "noise.html": ("settings", "catalogue"),
    }
    starts = {
        name: needed for name, needed in starts.items() if name == "benchmark.html" or name in dict(facts["menu"])
    }
    shown = {"menu": facts["menu"], "store": facts["store"]}
    for path, about in commits.pages_of(lists.commits, findings, lists.moved, content.metadata.commit_url):
        yield path, pages.page("commit.html", content.metadata, {}, **shown, **about)
    for name, needed in starts.items():
        yield name, pages.page(name, content.metadata, {script: everything[script][0] for script in needed}, **facts)


def _frontier(found: Frontiers | None) -> tuple[Sequence[File], Mapping[str, File]]:
    """Return the data scripts of the groups with a frontier, and the one that names them; none without a frontier."""
    if found is None:
        return (), {}
    scripts = {
        group: (axes, _script("data", *_named(stem_of(group), "frontier"), document))
        for group, (axes, document) in found.of_groups.items()
    }
    about = {
        "axes": found.axes,
        "groups": [(path, axes) for axes, (path, _) in scripts.values()],
        "tags": found.tags,
        "first": found.first,
        "by": found.by,
        "missing": found.missing,
    }
    return [script for _, script in scripts.values()], {"frontier": _script("data", "frontier", "frontier", about)}


def _progress_path(file: ProgressFile, *state: str) -> str:
    made_by = digest_of(repr((_FORMAT, asdict(RULES), *state)).encode())[: RULES.digest_length]
    return f"data/progress-{file.sha256}-{made_by}.js"


def _progress_receiver(file: ProgressFile) -> str:
    return f"shard/progress-{file.sha256}"


def _runs_document(files: Sequence[ProgressFile], paths: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the runs with CSV files, in their order, and the path of the document of each file, which `paths` has by sha256."""
    runs: dict[str, Any] = {}
    for file in files:
        listed = runs.setdefault(file.run["key"], {**file.run, "files": []})
        listed["files"].append(
            {"name": visible(file.name), "sha": file.sha256[: RULES.digest_length], "path": paths[file.sha256]}
        )
    return {"runs": list(runs.values())}


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
        bed=found["where"],
        direction=found["direction"],
        units=found["units"],
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
        lines=[
            f"{found['label']} on {found['where']}: {found['what'] or percent(found['effect'])}" for found in findings
        ],
        causes=list(filter(None, dict.fromkeys(finding_text(record[found["id"]]) for found in findings))),
        updated=findings[0]["time"],
        href=findings[0]["page"],
    )


def _script(folder: str, stem: str, receiver: str, document: Any) -> File:
    content = _received(receiver, document)
    return pages.named(folder, f"{stem}.js", content), content


def _received(receiver: str, document: Any) -> bytes:
    """Render a data script, which hands a document to the page."""
    return f"bench.receive({script_json(receiver)},{script_json(document)});\n".encode()
