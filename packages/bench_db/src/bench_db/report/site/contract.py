"""What a site is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from bench_db.model import Baseline, Definition, Finding, LastScan, RecordedCommit
from bench_db.query.availability import no_days
from bench_db.query.frontier import BY, CONFIGURATION
from bench_db.query.thresholds import Threshold
from bench_db.report.site.progress import ProgressFile
from bench_db.report.site.pulls import NO_PULLS

PointsOf = Callable[[Sequence[int], Sequence[str]], pl.DataFrame]
SamplesOf = Callable[[pl.DataFrame], pl.Series]
NoiseOf = Callable[[pl.DataFrame, bool], pl.DataFrame]

# The columns of the newest results of all series.
NEWEST: Mapping[str, type[pl.DataType]] = {
    "series_key": pl.Int64,
    **dict.fromkeys((*CONFIGURATION, "metric", "units", "direction"), pl.String),
    "median": pl.Float64,
    **dict.fromkeys(("commit", "dut_version"), pl.String),
    "dut_timestamp": pl.Int64,
    **dict.fromkeys(("configuration", "build"), pl.UInt32),
}
NOISE = ("series_key", "spread", "smallest_effect", "autocorrelated", "runs_needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteMetadata:
    """What the pages say of themselves.

    `store` is shown to everybody and holds no secret. `generated_at` (unix seconds) is the time of the data rather than of the
    clock where a rebuild without news shall change no file. `now` (unix seconds) is the clock, which the badge alone uses. `commit_url` links a commit: `{commit}` stands for the sha.
    `history` says in words whose history the points are of, and `is_of_main` whether it is the main one, which scans read.
    """

    store: str
    version: str
    generated_at: int
    title: str = "Benchmarks"
    commit_url: str = ""
    now: int = 0
    history: str = ""
    is_of_main: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierView:
    """What the page of the frontier shows first: two metrics, "" for those that the results give, and the parts of a group."""

    x: str = ""
    y: str = ""
    by: Sequence[str] = BY


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteContent:
    """Series, their points, and what the analyses say of them.

    `series` has a row a series with the columns of `query.series.IDENTITY`. `points_of` gives columns of all points of some
    series, in any order; with the columns of `arrange.POINTS` it may give further ones. `samples_of` gives the list of raw samples of each of some
    points, null or empty for one whose samples are not shown. `noise_of` has the columns `NOISE` for the series of some points:
    relative run-to-run spread, smallest relative effect the history can show, whether neighbouring runs are alike, and how many
    runs would show the effect that is asked for; all may be null. It gets whether commits have several runs of a group.
    `made_by` names everything else that decides what a series' files are, such as the release: files of another one are made again.
    `recorded` has what is recorded of commits, by sha. `thresholds` has those that definitions state, by series key. `charts` are globs
    of the benchmarks that get a chart as a picture. `annotations` are the definitions of that kind, and `baselines` those
    that are set. `scans` has the newest scan of each device, empty for another history than the main one.
    `beds` has the test bed of a series for readers, by series key: with the device or the machine where series are alike but for it;
    of one that it does not have, the name of the test bed is enough.
    `newest` are the newest results of all series with their configurations and builds, as `query.frontier.located` gives them, with the
    columns `NEWEST`; `frontier` is what the page of frontiers shows of them first.
    `progress` are the CSV files of runs, those of the newest run first.
    `availability` returns the days with results, as `query.availability.by_day` gives them.
    `newer` gives columns of the points that an earlier build in the same directory has not read, None where it has read others
    than those that count now.
    `verdicts` returns the number of each verdict on the newest commit with results of a device, by its name, against the level before it;
    empty for another history than the main one. `pulls` has the results of pull requests, with the columns `report.site.pulls.PULLS`: the chart of their
    series shows them, and nothing else of the site does.
    """

    series: pl.DataFrame
    points_of: PointsOf
    metadata: SiteMetadata
    findings: Sequence[Finding] = ()
    charts: Sequence[str] = ()
    annotations: Sequence[Definition] = ()
    baselines: Sequence[Baseline] = ()
    scans: Sequence[LastScan] = ()
    verdicts: Callable[[], Mapping[str, Mapping[str, int]]] = dict
    beds: Mapping[int, str] = field(default_factory=dict)
    pulls: pl.DataFrame = field(default_factory=lambda: NO_PULLS)
    newest: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NEWEST))
    frontier: FrontierView = FrontierView()
    progress: Sequence[ProgressFile] = ()
    availability: Callable[[], pl.DataFrame] = no_days
    newer: Callable[[Sequence[str]], pl.DataFrame | None] = lambda columns: None  # noqa: ARG005
    recorded: Mapping[str, RecordedCommit] = field(default_factory=dict)
    thresholds: Mapping[int, Threshold] = field(default_factory=dict)
    samples_of: SamplesOf = lambda points: pl.repeat(None, len(points), dtype=pl.List(pl.Float64), eager=True)
    noise_of: NoiseOf = lambda points, repeated: pl.DataFrame(schema=dict.fromkeys(NOISE, pl.Null))  # noqa: ARG005
    made_by: str = ""


def slices(points: pl.DataFrame) -> Callable[[Sequence[int]], pl.DataFrame]:
    """Look-ups that copy nothing: the frame is sorted once and a series is a slice of it."""
    ordered = points.sort("series_key", maintain_order=True)
    bounds = ordered.select(pl.col("series_key").rle()).unnest("series_key")
    start = bounds["len"].cum_sum() - bounds["len"]
    place = dict(zip(bounds["value"], zip(start, bounds["len"], strict=True), strict=True))

    def points_of(keys: Sequence[int]) -> pl.DataFrame:
        known = [ordered.slice(*place[key]) for key in keys if key in place]
        return pl.concat(known) if known else ordered.clear()

    return points_of
