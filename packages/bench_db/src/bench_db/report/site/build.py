"""A whole site, a file at a time: the points of some groups are in memory at once, and shards that are there already are kept."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import polars as pl

from bench_db.model import Series, Verdict
from bench_db.query import availability
from bench_db.query.series import identified, label
from bench_db.report.escape import script_json
from bench_db.report.feed import FeedCommit, FeedEntry, atom
from bench_db.report.links import difference_pattern
from bench_db.report.quantity import ladders, percent
from bench_db.report.site import catalogue, commits, pages
from bench_db.report.site.arrange import NARROW, POINTS, arranged, noise_keys
from bench_db.report.site.availability import days_document
from bench_db.report.site.badge import badge, chart, is_stale, lasting, state
from bench_db.report.site.contract import slices
from bench_db.report.site.encode import builds_document, encoded
from bench_db.report.site.frontier import frontiers
from bench_db.report.site.manifest import digest as digest_of
from bench_db.report.site.measured import MeasuredCommits, devices_of, freshness, said_of, scans_of
from bench_db.report.site.numbers import Strips
from bench_db.report.site.parts import parts_of
from bench_db.report.site.progress import UNREAD, progress_document
from bench_db.report.site.pulls import newest_pulls, pull_document
from bench_db.report.site.shards import Group, Shard, reads, shards, stem_of
from bench_db.report.site.tally import Tally, days_of, known_of, tally_of
from bench_db.report.terminal import finding_text
from bench_db.report.text import visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bench_db.model import Finding
    from bench_db.report.site.arrange import Arranged
    from bench_db.report.site.contract import SiteContent
    from bench_db.report.site.frontier import Frontiers
    from bench_db.report.site.progress import ProgressFile

File = tuple[str, bytes]
Kept = tuple[str, bytes | None]
FEED = "feed.xml"
_FEED_ENTRIES = 200
# A part of the digest of each shard: increase it when the same points get other files.
_FORMAT = 6
# Of a row that an earlier build has written, the name of its JSON.
_JSON = "json"
_KEY = "key"
_SHARDS_AT_ONCE = 128
_TALLY = "tally"
_NEWER = tuple(dict.fromkeys((*NARROW, *availability.COLUMNS)))
_OF_SHARD = re.compile(r"(?:data|samples)/[0-9a-f]{16}-(?!series-|frontier-|rows-)|chart-")


class EarlierFiles(Protocol):
    """The files that an earlier build of the same directory wrote and that have not changed since."""

    def kept(self, path: str) -> bytes | None:
        """Return the bytes of a file; None when it is not one of them."""

    def named(self, stem: str) -> bytes | None:
        """Return the bytes of the file whose path is `stem`, a hyphen, a digest and a suffix; None when there is none."""


class _NoFiles:
    def kept(self, path: str) -> None:
        """Return None."""

    def named(self, stem: str) -> None:
        """Return None."""


NO_FILES: EarlierFiles = _NoFiles()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lists:
    """All series with their shards, the findings and their series, the files of each shard, the builds to compare, and the measured commits.

    `measured` is when each group measured its newest commit (unix seconds), `days` those with results, `progress` the path of the document
    of each CSV file by sha256.
    """

    rows: Sequence[tuple[int, catalogue.Row]]
    findings: Sequence[catalogue.Row]
    files: Sequence[tuple[str, str, str]]
    builds: Mapping[str, Any]
    commits: Sequence[catalogue.Row]
    moved: Mapping[int, Series]
    measured: Mapping[Group, int]
    days: pl.DataFrame
    progress: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A series in the files of its shard: its row of `rows`, and the JSON of its document and of its samples, None without any."""

    row: catalogue.Row
    data: str
    samples: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Missing:
    """A shard whose files are to be made: the digest of each series, and those `known` from the earlier files of the shard."""

    shard: Shard
    digest: str
    sums: Mapping[int, str]
    known: Mapping[int, _Encoded]

    @property
    def keys(self) -> list[int]:
        """The series that have changed."""
        return [key for key in self.shard.keys if key not in self.known]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """The files of a shard, and the row of `rows` of each of its series."""

    shard: Shard
    digest: str
    files: Sequence[Kept]
    series: Sequence[catalogue.Row]

    @property
    def paths(self) -> tuple[str, str]:
        """The paths of its data and of its samples, "" without samples."""
        return _path("data", self.shard, self.digest), (
            _path("samples", self.shard, self.digest) if any(one["samples"] for one in self.series) else ""
        )


class Site:
    """The files of a site.

    The name of a shard has a digest of what the shard is made from, so a shard whose file is there already is not made again, and of
    another only the series that have changed. `rows` of each group has these digests, which no page reads.
    """

    def __init__(self, content: SiteContent) -> None:
        self._content = content
        self._shards = shards(content.series)
        self._identities = {one["series_key"]: one for one in content.series.iter_rows(named=True)}
        self._of_identity = dict(zip(content.series["series_key"], content.series.hash_rows(seed=0), strict=True))
        self._findings: dict[int, list[Finding]] = defaultdict(list)
        for finding in content.findings:
            self._findings[finding.series_key].append(finding)
        self._measured: list[int] = []
        self._is_unread = False
        # hashes of rows are stable within a release of Polars
        self._made_by = digest_of(repr((_FORMAT, pl.__version__, content.made_by, asdict(RULES))).encode())

    def files(
        self, earlier: EarlierFiles = NO_FILES, progress: Callable[[int, int], None] = lambda _done, _all: None
    ) -> Iterator[Kept]:
        """Yield path and bytes of every file; None for the bytes of a shard whose file an `earlier` build has made.

        A file comes after those it refers to, and pages last, so a reader never sees half a site. `progress` is
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
        newer = self._newer(earlier, measured)
        read: list[Arranged] = []
        for together in reads(self._shards):
            one_read = self._read(together, measured) if newer is None else newer[0].of({s.group for s in together})
            read.append(one_read)
            documents = {group: builds_document(of_group) for group, of_group in one_read.builds.items()}
            scripts = {group: _builds_script(group, document) for group, document in documents.items()}
            builds += documents.items()
            of_groups |= one_read.measured
            yield from scripts.values()
            of_rows: dict[Group, list[tuple[int, catalogue.Row]]] = {group: [] for group in documents}
            for made in self._made(together, one_read, earlier):
                yield from made.files
                number = place[made.shard.name]
                for one in made.series:
                    rows.append((number, one["about"]))
                    found += one["findings"]
                    of_rows[made.shard.group].append((number, one))
                names[number] = (*made.paths, scripts[made.shard.group][0])
                progress(len(rows), len(content.series))
            yield from (_rows_script(group, listed) for group, listed in of_rows.items())
        days = content.availability() if newer is None else newer[1]
        tally = Tally(known=known_of(read), failures=measured.failures, days=days)
        yield _script("data", _TALLY, _TALLY, tally.document(self._made_by))
        of_progress: dict[str, str] = {}
        yield from self._progress(earlier, of_progress)
        listed = measured.newest_first(content.recorded)
        self._measured = [*of_groups.values(), *(one["measured"] for one in listed)]
        of_findings = content.series.filter(pl.col("series_key").is_in(list(self._findings)))
        moved = {one.series_key: one for one in identified(of_findings)}
        yield from _entrance(
            content,
            _Lists(
                rows=sorted(
                    catalogue.current(rows),
                    key=lambda pair: (catalogue.natural(pair[1]["label"]), pair[1]["test_bed_name"], pair[1]["key"]),
                ),
                findings=catalogue.ranked(found),
                files=names,
                builds=catalogue.commits(builds),
                commits=commits.with_findings(listed, content.findings, moved),
                moved=moved,
                measured=of_groups,
                days=days,
                progress=of_progress,
            ),
        )

    @property
    def lasts(self) -> tuple[int, int] | None:
        """The first and the last unix second of the clock that give the files of `files`, once all are made; None if one could not be read."""
        return None if self._is_unread else lasting(self._measured, self._content.metadata.now)

    def file(self, path: str) -> bytes:
        """Return the bytes of one file by its path; of a shard only its group is read. Raises `KeyError` for a path that there is not."""
        asset = dict(pages.assets().values()).get(path)
        if asset is not None:
            return asset
        if not _OF_SHARD.match(path):
            return self._entrance_files[path]
        of_group = [
            one for one in self._shards if f"/{one.stem}-" in path or path in map(_chart_path, self._wanted(one.keys))
        ]
        if not of_group:
            raise KeyError(path)
        wanted = [
            one for one in of_group if f"/{one.name}-" in path or path in map(_chart_path, self._wanted(one.keys))
        ]
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
        for made in self._made(wanted, one_read, NO_FILES):
            yield from ((path, body) for path, body in made.files if body is not None)

    def _newer(self, earlier: EarlierFiles, measured: MeasuredCommits) -> tuple[Arranged, pl.DataFrame] | None:
        """Arrange the points of all groups from the tally of an earlier build and the points since, and return them with the days with results.

        None where there is no such tally, or where the newer points change what it has of the others.
        """
        content, script = self._content, earlier.named(f"data/{_TALLY}")
        tally = None if script is None else tally_of(_json_of(script), self._made_by)
        points = None if tally is None else content.newer(_NEWER)
        if tally is None or points is None:
            return None
        narrow = points.select(NARROW)
        found = arranged(narrow, content.points_of, content.series, tally.known)
        if not found.is_sound:
            return None
        measured.add_failures(tally.failures)
        measured.add(narrow, found.runs, content.series)
        return found, days_of(tally.days, availability.by_day(points, content.series))

    def _read(self, together: Sequence[Shard], measured: MeasuredCommits) -> Arranged:
        content, keys = self._content, [key for shard in together for key in shard.keys]
        narrow, series = content.points_of(keys, NARROW), content.series.filter(pl.col("series_key").is_in(keys))
        found = arranged(narrow, content.points_of, series)
        measured.add(narrow, found.runs, series)
        return found

    def _made(self, together: Sequence[Shard], points: Arranged, earlier: EarlierFiles) -> Iterator[_Made]:
        """Yield the shards of some groups, those that are kept first."""
        known = {
            group: _known_rows(earlier.named(_rows_stem(group))) for group in {shard.group: None for shard in together}
        }
        missing: list[_Missing] = []
        for shard in together:
            sums = {key: self._sum(key, points) for key in shard.keys}
            digest = digest_of(repr(sums).encode())[: RULES.digest_length]
            of_group = known[shard.group]
            same = {
                key: of_group[name]
                for key, sum_ in sums.items()
                if (name := f"{key:016x}") in of_group and of_group[name]["sum"] == sum_
            }
            made = self._kept(shard, digest, same, earlier)
            if made is None:
                missing.append(self._missing(shard, digest, sums, same, earlier))
            else:
                yield made
        if not missing:
            return
        keys = [key for one in missing for key in one.keys]
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
            of_batch = pl.col("series_key").is_in([key for one in batch for key in one.keys])
            yield from self._encoded(batch, points.ordered(rows.filter(of_batch)), noises)

    def _progress(self, earlier: EarlierFiles, paths: dict[str, str]) -> Iterator[Kept]:
        """Yield the documents of CSV files and set their `paths`; one that is there already is not read again, unless it could not be read."""
        for file in self._content.progress:
            path = _progress_path(file)
            document = None if earlier.kept(path) is not None else progress_document(file)
            if document is UNREAD:
                path = _progress_path(file, "unread")
                self._is_unread = True
            paths[file.sha256] = path
            yield path, None if document is None else _received(_progress_receiver(file), document)

    def _sum(self, key: int, points: Arranged) -> str:
        """Return a digest of everything that what a site has of a series is made from."""
        made_from = (
            self._of_identity[key],
            points.sums.get(key),
            self._findings.get(key),
            self._content.thresholds.get(key),
        )
        return digest_of(repr((self._made_by, made_from)).encode())[: RULES.digest_length]

    def _kept(
        self, shard: Shard, digest: str, same: Mapping[int, catalogue.Row], earlier: EarlierFiles
    ) -> _Made | None:
        """Return a shard whose files are there; None when one is not. `same` are its series that have not changed."""
        if len(same) < len(shard.keys):
            return None
        made = _Made(shard=shard, digest=digest, files=(), series=list(same.values()))
        paths = [path for path in (*made.paths, *map(_chart_path, self._wanted(shard.keys))) if path]
        if any(earlier.kept(path) is None for path in paths):
            return None
        return replace(made, files=[(path, None) for path in paths])

    def _missing(
        self,
        shard: Shard,
        digest: str,
        sums: Mapping[int, str],
        same: Mapping[int, catalogue.Row],
        earlier: EarlierFiles,
    ) -> _Missing:
        """Return what is to be made of a shard, with the documents of the series that have not changed from its earlier files."""
        data, samples = (
            _raw_series(earlier.named(f"{folder}/{shard.name}")) if same else {} for folder in ("data", "samples")
        )
        known = {
            key: _Encoded(one, data[name], samples.get(name))
            for key, one in same.items()
            if (name := f"{key:016x}") in data
            and one["samples"] == (name in samples)
            and not (self._is_wanted(key) and earlier.kept(_chart_path(key)) is None)
        }
        return _Missing(shard=shard, digest=digest, sums=sums, known=known)

    def _wanted(self, keys: Iterable[int]) -> Iterator[int]:
        return (key for key in keys if self._is_wanted(key))

    def _is_wanted(self, key: int) -> bool:
        name = self._identities[key]["benchmark_name"]
        return any(fnmatchcase(name, glob) for glob in self._content.charts)

    def _encoded(
        self, missing: Sequence[_Missing], ordered: pl.DataFrame, noises: Mapping[int, catalogue.Row]
    ) -> Iterator[_Made]:
        """Yield shards from the points of their series that have changed, as `Arranged.ordered` gives them."""
        content = self._content
        points_of, strips = slices(ordered), Strips(content.samples_of(ordered))
        starts = dict(ordered.with_row_index("at").group_by("series_key").agg(pl.col("at").first()).iter_rows())
        for one_shard in missing:
            series: dict[int, _Encoded] = {}
            charts: list[Kept] = []
            for key in one_shard.shard.keys:
                known = one_shard.known.get(key)
                if known is not None:
                    series[key] = known
                    charts += [(_chart_path(wanted), None) for wanted in self._wanted([key])]
                    continue
                identity, of_series = self._identities[key], points_of([key])
                one = encoded(of_series, identity["direction"], self._findings.get(key, ()), identity["units"])
                about = catalogue.row(one, identity, noises.get(key), content.thresholds.get(key))
                drawn = strips.of(starts[key], starts[key] + len(of_series))
                series[key] = _Encoded(
                    {
                        "sum": one_shard.sums[key],
                        "samples": bool(drawn),
                        "about": about,
                        "findings": list(catalogue.finding_rows(one.document, about)),
                    },
                    script_json(one.document),
                    script_json(drawn) if drawn else None,
                )
                if self._is_wanted(key):
                    charts.append((_chart_path(key), chart(one, label(identity), identity["units"])))
            yield _made_of(one_shard, series, charts)


def _made_of(missing: _Missing, series: Mapping[int, _Encoded], charts: Sequence[Kept]) -> _Made:
    shard = missing.shard
    made = _Made(shard=shard, digest=missing.digest, files=(), series=[one.row for one in series.values()])
    data, sampled = made.paths
    files: list[Kept] = [(data, _of_series(f"shard/{shard.name}", {key: one.data for key, one in series.items()}))]
    if sampled:
        drawn = {key: one.samples for key, one in series.items() if one.samples is not None}
        files.append((sampled, _of_series(f"samples/{shard.name}", drawn)))
    return replace(made, files=[*files, *charts])


def _chart_path(key: int) -> str:
    return f"chart-{key:016x}.svg"


def _of_series(receiver: str, documents: Mapping[int, str]) -> bytes:
    """Render the data script of a shard from the JSON of its series."""
    listed = ",".join(f'"{key:016x}":{document}' for key, document in documents.items())
    return f'bench.receive({script_json(receiver)},{{"series":{{{listed}}}}});\n'.encode()


def _raw_series(script: bytes | None) -> dict[str, str]:
    """Return the JSON of each series of a data script that `_of_series` has rendered; none without a script."""
    if script is None:
        return {}
    found = msgspec.json.decode(_json_of(script), type=dict[str, dict[str, msgspec.Raw]])["series"]
    return {key: bytes(document).decode() for key, document in found.items()}


def _path(folder: str, shard: Shard, digest: str) -> str:
    return f"{folder}/{shard.name}-{digest}.js"


def _rows_stem(group: Group) -> str:
    return f"data/{stem_of(group)}-rows"


def _rows_script(group: Group, rows: Iterable[tuple[int, catalogue.Row]]) -> File:
    """Return the file of what the lists of the site have of the series of a group, in the order of its shards."""
    listed = {one["about"][_KEY]: one for _, one in sorted(rows, key=lambda pair: (pair[0], pair[1]["about"][_KEY]))}
    texts = (f'"{key}":{one[_JSON] if _JSON in one else _row_json(one)}' for key, one in listed.items())
    return _script_of("data", *_named(stem_of(group), "rows"), f"{{{','.join(texts)}}}")


def _row_json(row: catalogue.Row) -> str:
    """Render what the lists have of a series without its key, which names it in the file."""
    return script_json({**row, "about": {name: value for name, value in row["about"].items() if name != _KEY}})


def _known_rows(script: bytes | None) -> dict[str, catalogue.Row]:
    """Return what an earlier build has written with `_rows_script`, by the key of the series, each with its JSON; nothing without it."""
    if script is None:
        return {}
    known = msgspec.json.decode(_json_of(script), type=dict[str, msgspec.Raw])
    rows = {key: {**msgspec.json.decode(row), _JSON: bytes(row).decode()} for key, row in known.items()}
    for key, row in rows.items():
        row["about"][_KEY] = key
    return rows


def _json_of(script: bytes) -> bytes:
    """Return the document of a data script as JSON."""
    return script[script.index(b",") + 1 : script.rindex(b");")]


def _builds_script(group: Group, document: catalogue.Row) -> File:
    return _script("data", *_named(stem_of(group), "builds"), document)


def _named(stem: str, name: str) -> tuple[str, str]:
    """Return the name of a data script that a page loads when it needs it, and how the script calls itself."""
    return f"{stem}-{name}", f"shard/{stem}-{name}"


def _entrance(content: SiteContent, lists: _Lists) -> Iterator[File]:
    """Yield the files that a reader starts from: catalogue, findings, commits and pages."""
    findings, described = lists.findings, [row for _, row in lists.rows]
    catalogue.name_apart(described, findings)
    catalogue.place_apart(described, findings, content.beds)
    have_pages = {row["page"] for row in lists.commits}
    for finding in findings:  # the results at its commit may have been taken out
        finding["page"] = finding["page"] if finding["page"] in have_pages else ""
    subjects = {row["commit"]: row["subject"] for row in lists.commits if row["groups"] and row["subject"]}
    commits.annotate(lists.commits, content.annotations)
    listed = catalogue.catalogue(lists.rows, lists.files)
    parts = parts_of(listed, described)
    fresh = freshness(lists.commits)
    now = content.metadata.now or content.metadata.generated_at
    beds = catalogue.beds(described)
    settings = {
        "ladders": ladders(),
        "commitUrl": content.metadata.commit_url,
        "differenceUrl": difference_pattern(content.metadata.commit_url),
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
    days = days_document(lists.days)
    scans = scans_of(fresh, content.scans)
    verdicts = content.verdicts()
    said = [said_of(verdicts.get(one["dut"], {})) for one in fresh]
    everything = {
        "places": _script("data", "places", "places", places),
        "settings": _script("data", "settings", "settings", settings),
        "catalogue": _script("data", "catalogue", "catalogue", listed),
        "findings": _script("data", "findings", "findings", {"findings": findings, "subjects": subjects}),
        "commits": _script("data", "commits", "commits", builds),
        "measured": _script(
            "data", "measured", "measured", commits.measured_document(lists.commits, devices_of(fresh, scans, said))
        ),
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
        "scans": scans,
        "said": said,
        "regressed": sum(verdicts.get(one["dut"], {}).get(Verdict.REGRESSED, 0) for one in fresh),
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
        "commit.html": ("settings", "commits", "measured"),
        "frontier.html": ("settings", "frontier"),
        "availability.html": ("availability",),
        "progress.html": ("settings", "progress"),
        "noise.html": ("settings", "catalogue"),
    }
    shown_in_menu = {"benchmark.html", "commit.html", *dict(facts["menu"])}
    starts = {name: needed for name, needed in starts.items() if name in shown_in_menu}
    shown = {"menu": facts["menu"], "store": facts["store"]}
    for path, about in commits.pages_of(lists.commits, findings, lists.moved, content.metadata.commit_url):
        yield path, pages.page("moved.html", content.metadata, {}, **shown, **about)
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


def _script(folder: str, stem: str, receiver: str, document: object) -> File:
    return _script_of(folder, stem, receiver, script_json(document))


def _script_of(folder: str, stem: str, receiver: str, text: str) -> File:
    """Return the file of a data script from the JSON of its document."""
    content = _received_text(receiver, text)
    return pages.named(folder, f"{stem}.js", content), content


def _received(receiver: str, document: object) -> bytes:
    """Render a data script, which hands a document to the page."""
    return _received_text(receiver, script_json(document))


def _received_text(receiver: str, text: str) -> bytes:
    return f"bench.receive({script_json(receiver)},{text});\n".encode()
