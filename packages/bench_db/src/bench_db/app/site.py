"""The static site of a store."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, replace
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from bench_db.analysis.histories import histories, observations
from bench_db.analysis.noise import noise
from bench_db.app.compare import counts_of
from bench_db.app.configuration import configuration, path_of
from bench_db.app.database import on_database
from bench_db.app.progress import SILENT
from bench_db.app.scans import last_scans
from bench_db.app.tree import Tree
from bench_db.app.values import content_of
from bench_db.errors import UserError
from bench_db.query.definitions import ANNOTATION
from bench_db.query.frontier import BY, located
from bench_db.query.history import Seen
from bench_db.query.selection import Selection, nearest, selection_of
from bench_db.query.series import HISTORY, IDENTITY, Points, beds_apart, last_points
from bench_db.query.thresholds import Thresholds
from bench_db.report.links import commit_pattern
from bench_db.report.site.arrange import POINTS
from bench_db.report.site.build import Site
from bench_db.report.site.contract import NEWEST, FrontierView, SiteContent, SiteMetadata
from bench_db.report.site.progress import ProgressFile
from bench_db.report.site.pulls import NO_PULLS, PULLS
from bench_db.report.text import visible
from bench_db.rules import RULES
from bench_db.store.publish import rarely_searched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from bench_db.app.progress import Progress
    from bench_db.app.tree import Written
    from bench_db.query.selection import Conditions
    from bench_db.store import database as stores
    from bench_db.store.versions import AsOf

TITLE = "Benchmarks"
SAMPLES = 60
# The files of the package that decide what a site is.
_OF_CODE = frozenset({".py", ".j2", ".js", ".css", ".svg", ".txt"})


@on_database
def site(
    store: stores.Database,
    out: str | Path,
    *,
    title: str = "",
    commit_url: str = "",
    samples: int = SAMPLES,
    charts: Sequence[str] = (),
    at: int | None = None,
    as_of: AsOf | None = None,
    selection: Selection | None = None,
    progress: Progress = SILENT,
    **conditions: Unpack[Conditions],
) -> Written:
    """Write a static site into a directory, which a browser opens as files; only what changed is written.

    `title` is what the pages are called, by default as `title_of` says.
    `commit_url` links a commit, with `{commit}` for its sha; by default it is that of the repository whose CI published last. `samples` is how many of the newest points show raw samples. `charts` are globs of
    benchmarks that get a picture of each series, `chart-KEY.svg`, beside `badge.svg`. `at` is the present in unix seconds, by which the
    badge tells whether results are stale. Raises `UserError` for a directory that has an index.html of something else.
    """
    chosen = selection_of(selection, conditions)
    now, tree = int(time.time()) if at is None else at, Tree(Path(out))
    with rarely_searched(), store.one_look():  # points and their samples are of one version
        asked = (title, commit_url, samples, tuple(charts), chosen, not now)
        noted, made_by = _note_of(tree.note), "" if as_of else made_by_of(store, asked)
        before = store.state  # "" where it is known to be damaged, and then everything is read
        is_like = bool(made_by and before) and noted.made_by == made_by
        is_same = is_like and before == noted.state and noted.first <= now <= noted.last
        if is_same and (known := tree.unchanged()) is not None:
            return known
        content = site_content(store, chosen, title=title, commit_url=commit_url, samples=samples, as_of=as_of)
        refuse_unmatched(charts, content.series["benchmark_name"].unique().to_list())
        content = replace(
            content,
            charts=charts,
            metadata=replace(content.metadata, now=now),
            newer=lambda columns: store.rows_beyond(noted.seen, columns, chosen) if is_like else None,
        )
        made = Site(content)

        def note() -> str:
            if not (
                made_by and before and made.lasts and store.state
            ):  # damage that was found meanwhile is to be said again
                return ""
            first, last = made.lasts
            note = _Note(made_by=made_by, state=before, first=first, last=last, seen=store.seen())
            return msgspec.json.encode(note).decode()

        return tree.write(
            made.files(tree, lambda done, total: progress(done, total, "making files of series")),
            note,
        )


class _Note(msgspec.Struct):
    """What a site was made by, the state of its store, the first and the last second of the clock that give the same one, and the results that it has read."""

    made_by: str
    state: str
    first: int
    last: int
    seen: Seen


def _note_of(text: str) -> _Note:
    """Return the note with which a build has ended; one that fits nothing where there is none, or that of another release."""
    try:
        return msgspec.json.decode(text, type=_Note)
    except msgspec.MsgspecError:
        return _Note(made_by="", state="", first=0, last=0, seen=Seen())


def made_by_of(store: stores.Database, asked: tuple[object, ...]) -> str:
    """Return a digest of all that a site with some arguments is made from but the stored rows and the clock."""
    file, package = path_of(None), Path(__file__).parents[1]
    releases = (sys.version, *(version(name) for name in ("jinja2", "msgspec", "numpy", "polars")))
    parts = sha256(repr((store.uri, asked, releases, asdict(RULES))).encode())
    parts.update(file.read_bytes() if file.exists() else b"")
    for path in sorted(path for path in package.rglob("*") if path.suffix in _OF_CODE):
        parts.update(path.read_bytes())
    return parts.hexdigest()


def refuse_unmatched(charts: Sequence[str], names: Sequence[str]) -> None:
    """Raise `UserError` for a glob of charts that matches no name of a benchmark."""
    for glob in charts:
        if not any(fnmatchcase(name, glob) for name in names):
            near = ", ".join(nearest(glob, names))
            message = f"`charts`: {glob!r} matches no benchmark{f'; the nearest are {near}' if near else ''}"
            raise UserError(message)


def site_content(
    store: stores.Database,
    chosen: Selection,
    *,
    title: str = "",
    commit_url: str = "",
    samples: int = SAMPLES,
    as_of: AsOf | None = None,
) -> SiteContent:
    """Return the selected series of a store with their findings and noise; points are read as they are needed."""

    def points_of(keys: Sequence[int], columns: Sequence[str]) -> pl.DataFrame:
        also = ("_rowid",) if columns == POINTS else ()  # for the samples
        return store.rows((*columns, *also), chosen, as_of, keys=keys)

    def samples_of(points: pl.DataFrame) -> pl.Series:
        # samples are most of a store: only those of the points that show them are read
        kept = points.lazy().select("series_key", "_rowid").drop_nulls()  # a derived point has no row
        newest = last_points(kept, samples).select("_rowid").sort("_rowid").collect()
        found = newest.hstack(store.samples(newest["_rowid"].to_list(), as_of))
        return points.select("_rowid").join(found, on="_rowid", how="left", maintain_order="left")["values"]

    def noise_of(rows: pl.DataFrame, repeated: bool) -> pl.DataFrame:  # noqa: FBT001 as the contract of a site
        points = Points(series=series, rows=rows.select(HISTORY))
        return noise(histories(observations(points) if repeated else points))

    newest = store.latest(chosen, as_of)
    series = newest.select(IDENTITY)
    definitions = store.definitions(as_of)
    return SiteContent(
        series=series,
        newest=located(newest, lambda keys: store.machines(keys, as_of)).select(list(NEWEST)),
        frontier=frontier_view(),
        availability=lambda: store.availability(chosen, as_of),
        progress=progress_files(store, chosen, as_of),
        points_of=points_of,
        metadata=SiteMetadata(
            store=store.uri if "://" in store.uri else Path(store.uri).name,  # the path of a directory is private
            version="" if as_of is None else str(as_of),
            generated_at=store.runs(as_of).select(pl.col("ingested_at").max()).collect().item() or 0,
            title=title or title_of(store, series["dut_name"].unique().to_list(), as_of),
            commit_url=commit_url or commit_url_of(store, as_of),
            history=visible(store.history(as_of).about(chosen)),
            is_of_main=chosen.is_of_main,
        ),
        findings=store.findings(),
        scans=last_scans(store, as_of=as_of) if chosen.is_of_main else (),
        # after the noise of many series, which loads the machine code that judges them, too
        verdicts=lambda: newest_verdicts(store, newest, chosen, as_of) if chosen.is_of_main else {},
        recorded={record.commit: record for record in store.commits(as_of)},
        thresholds=Thresholds(definitions).by_key(series),
        baselines=store.baselines(as_of=as_of),
        beds=beds_apart(series, lambda keys: store.machines(keys, as_of)),
        pulls=pulls_of(store, series, chosen, as_of),
        annotations=[record for record in definitions if record.kind == ANNOTATION],
        samples_of=samples_of,
        noise_of=noise_of,
        made_by=f"bench-db {version('bench-db')}, {samples} samples",
    )


def pulls_of(
    store: stores.Database, series: pl.DataFrame, chosen: Selection, as_of: AsOf | None = None
) -> pl.DataFrame:
    """Return the results of all pull requests in some series, with the columns `PULLS`; none for another history than the main one."""
    if not chosen.is_of_main:
        return NO_PULLS
    every, of_pull = replace(chosen, everything=True), pl.col("pr_number").is_not_null()
    if store.runs(as_of).filter(of_pull).head(1).collect().is_empty():
        return NO_PULLS
    # most points of a store are of no pull request, so two narrow columns say first which series have any
    found = store.rows(("series_key",), every, as_of, keys=series["series_key"].to_list(), condition=of_pull)
    keys = found["series_key"].unique().to_list()
    return store.rows(PULLS, every, as_of, keys=keys, condition=of_pull) if keys else NO_PULLS


def newest_verdicts(
    store: stores.Database, newest: pl.DataFrame, chosen: Selection, as_of: AsOf | None = None
) -> dict[str, dict[str, int]]:
    """Return the number of each verdict on the newest commit with results of each device, against the level before it.

    `newest` are the newest results of all series.
    """
    measured = newest.filter(pl.col("error").is_null() & pl.col("commit").is_not_null()).sort("commit_order", "commit")
    commits = dict(measured.group_by("dut_name", maintain_order=True).agg(pl.col("commit").last()).iter_rows())
    at = as_of.isoformat() if isinstance(as_of, datetime) else None if as_of is None else str(as_of)
    found: dict[str, dict[str, int]] = {}
    for commit in sorted(set(commits.values())):
        count = counts_of(store, commit, as_of=at, selection=chosen)
        for device in (name for name, own in commits.items() if own == commit):
            found[visible(device)] = count(device)
    return found


def title_of(store: stores.Database, devices: Sequence[str], as_of: AsOf | None = None) -> str:
    """Return what a site is called by the name of its project, which bench-db.toml, the newest run of CI or the only one of the `devices` gives."""
    file = path_of(None)
    if file.exists() and (name := configuration(None).project.name) in devices:
        return f"{name} benchmarks"
    runs = store.runs(as_of).select("repository", "ingested_at").drop_nulls().sort("ingested_at", descending=True)
    repositories = runs.head(1).collect()["repository"].to_list()
    names = [repository.rpartition("/")[2] for repository in repositories] or devices
    return f"{names[0]} benchmarks" if len(names) == 1 and names[0] else TITLE


def frontier_view() -> FrontierView:
    """Return what the page of the frontier shows first, as `[site]` of bench-db.toml says."""
    if not path_of(None).exists():
        return FrontierView()
    stated = configuration(None).site
    by = BY if stated.frontier_by is None else tuple(stated.frontier_by)
    return FrontierView(x=stated.frontier_x, y=stated.frontier_y, by=by)


def progress_files(store: stores.Database, chosen: Selection, as_of: AsOf | None = None) -> list[ProgressFile]:
    """Return the CSV artifacts of the selected runs, those of the newest run first; their contents are read when they are needed."""
    found = [one for one in store.artifacts() if one.run_key is not None and one.name.lower().endswith(".csv")]
    if not found:
        return []
    runs = store.runs(as_of, chosen).filter(pl.col("run_key").is_in([one.run_key for one in found])).collect()
    about: dict[int | None, dict[str, Any]] = {
        row["run_key"]: {
            "key": f"{row['run_key']:016x}",
            "commit": visible(row["commit"] or ""),
            "dut": visible(row["dut_name"] or ""),
            "bed": visible(row["test_bed_name"] or ""),
            "time": row["run_time"] or row["dut_timestamp"] or 0,
        }
        for row in runs.iter_rows(named=True)
    }
    listed = [one for one in found if one.run_key in about]
    listed.sort(key=lambda one: (-about[one.run_key]["time"], one.run_key or 0, one.name, one.sha256))
    return [
        ProgressFile(
            run=about[one.run_key],
            name=one.name,
            sha256=one.sha256,
            size_bytes=one.size_bytes,
            read=partial(content_of, store, one),
        )
        for one in listed
    ]


def commit_url_of(store: stores.Database, as_of: AsOf | None = None) -> str:
    """Return the pattern of the address of a commit, as the newest run of CI gives it; empty when none does."""
    columns = ("repository", "run_url", "ingested_at")
    runs = store.runs(as_of).select(columns).drop_nulls().sort("ingested_at", descending=True).head(1).collect()
    return next((commit_pattern(repository, url) for repository, url, _ in runs.iter_rows()), "")
