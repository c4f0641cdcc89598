"""A small site with every kind of series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bench_db.identity import hash63
from bench_db.model import Cause
from bench_db.query.series import COLUMNS, IDENTITY
from bench_db.report.site.arrange import NARROW, POINTS, Arranged, arranged
from bench_db.report.site.build import Site
from bench_db.report.site.contract import SiteContent, SiteMetadata, slices
from tests.report.examples import HOSTILE, commit_of, found, last_scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench_db.model import Finding
    from bench_db.report.site.contract import PointsOf

METADATA = SiteMetadata(
    store="s3://bucket/benchmarks",
    version="41",
    generated_at=1_780_000_000,
    title="Benchmarks of example",
    commit_url="https://example.org/project/commit/{commit}",
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """The files of an earlier build, by path."""

    files: Mapping[str, bytes]

    def kept(self, path: str) -> bytes | None:
        return self.files.get(path)

    def named(self, stem: str) -> bytes | None:
        return next((body for path, body in self.files.items() if path.rpartition("-")[0] == stem), None)


def content_of(
    points: pl.DataFrame,
    metadata: SiteMetadata = METADATA,
    findings: Sequence[Finding] = (),
    noise: pl.DataFrame | None = None,
) -> SiteContent:
    """The content of a frame with the points of all series, all of which a scan has judged."""
    series = points.select(IDENTITY).unique("series_key", maintain_order=True)
    points_of = slices(points)
    also = [name for name in points.columns if name == "values"]
    content = SiteContent(
        series=series,
        points_of=lambda keys, columns: points_of(keys).select(*columns, *(also if columns == POINTS else ())),
        metadata=metadata,
        findings=findings,
        scans=(last_scan(),),
    )
    if also:
        content = replace(content, samples_of=lambda some: some["values"])
    if noise is None:
        return content
    return replace(content, noise_of=lambda some, _: noise.join(some.select("series_key"), on="series_key", how="semi"))


def site(content: SiteContent) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a new site."""
    for path, body in Site(content).files():
        assert body is not None
        yield path, body


def arranged_points(points: pl.DataFrame) -> tuple[Arranged, pl.DataFrame]:
    """Arrange the points of a frame, and put them in order."""
    series = points.select(IDENTITY).unique("series_key")
    found = arranged(points.select(NARROW), reading(points), series)
    return found, found.ordered(points)


def reading(points: pl.DataFrame) -> PointsOf:
    """Return what reads columns of the points of some series from a frame of points."""
    of = slices(points)
    return lambda keys, columns: of(keys).select(columns)


def history(
    name: str,
    medians: np.ndarray,
    *,
    suite: str = "io",
    bed: str = "runner-large",
    units: str = "nanoseconds",
    direction: str = "lower",
    metric: str = "time",
    samples: int = 0,
    first_commit: int = 0,
    seed: int = 0,
    tags: str = "",
    branch: str = "main",
) -> pl.DataFrame:
    """A series of these medians, a commit each; NaN is a failure."""
    rng = np.random.default_rng(seed)
    count = len(medians)
    key = hash63(["device", bed, suite, name, metric, units, *([tags] if tags else [])])
    spread = np.abs(medians) * 0.008 * (1 + rng.random(count))
    failed = np.isnan(medians)
    numbers = np.arange(first_commit, first_commit + count)
    times = 1_760_000_000 + numbers * 40_000
    columns: dict[str, object] = {
        "series_key": [key] * count,
        "dut_name": ["device"] * count,
        "test_bed_name": [bed] * count,
        "suite": [suite] * count,
        "benchmark_name": [name] * count,
        "metric": [metric] * count,
        "tags_key": [tags] * count,
        "units": [units] * count,
        "direction": [direction] * count,
        "commit": [commit_of(int(n)) for n in numbers],
        "branch": [branch] * count,
        "dut_version": [f"1.{n // 50}.{n % 50}+{commit_of(int(n))[:7]}" for n in numbers],
        "commit_order": times,
        "dut_timestamp": times,
        "run_time": times + 600,
        "timestamp": times + 700,
        "run_key": numbers + hash63([bed, branch]) % 2**31 * 10_000,  # a run is of one test bed and branch
        "n": np.where(failed, 0, max(samples, 20)),
        "min": medians - 2 * spread,
        "q1": medians - spread,
        "median": medians,
        "q3": medians + 1.3 * spread,
        "max": medians + 3 * spread,
        "mean": medians,
        "standard_deviation": spread,
        "lower": [None] * count,
        "upper": [None] * count,
        "error": [f"exit code 1 in {name[:20]}\n{'= ' * 500}\nNameError: x" if f else None for f in failed],
    }
    frame = pl.DataFrame(columns, schema_overrides={"lower": pl.Float64, "upper": pl.Float64, "error": pl.String})
    frame = frame.with_columns(pl.col("min", "q1", "median", "q3", "max", "mean", "standard_deviation").fill_nan(None))
    if samples:
        values = [
            None if f else (m + s * rng.standard_normal(samples)).tolist()
            for m, s, f in zip(medians, spread, failed, strict=True)
        ]
        frame = frame.with_columns(pl.Series("values", values, dtype=pl.List(pl.Float64)))
    else:
        frame = frame.with_columns(pl.lit(None, dtype=pl.List(pl.Float64)).alias("values"))
    return frame.select(*COLUMNS, "commit_order", "values")


def stepped(level: float, points: int, steps: dict[int, float], *, noise: float = 0.015, seed: int = 0) -> np.ndarray:
    """A noisy level that changes by a factor at each step."""
    rng = np.random.default_rng(seed)
    factors = np.ones(points)
    for at, factor in steps.items():
        factors[at:] *= factor
    medians: np.ndarray = level * factors * np.exp(noise * rng.standard_normal(points))
    return medians


def site_content() -> SiteContent:
    """Every kind of series once: steps both ways, blessed, provisional, failing, stale, constant, short, and hostile names."""
    failing = stepped(3e4, 120, {}, seed=5)
    failing[[40, 41, 119]] = np.nan
    frames = [
        history("decode_batch/rows=1000", stepped(1.43e6, 300, {120: 1.10, 240: 0.93}, seed=1), samples=56),
        history("encode_batch/rows=1000", stepped(9.1e5, 300, {200: 1.07}, noise=0.01, seed=2), samples=30),
        history("scan/filter=selective", stepped(7.7e3, 300, {287: 1.24}, noise=0.03, seed=3)),
        history("peak_memory", stepped(3.2e9, 200, {150: 0.8}, noise=0.004, seed=4), metric="memory", units="bytes"),
        history(
            "recall@10",
            stepped(0.96, 200, {170: 0.97}, noise=0.002, seed=6),
            suite="search",
            units="recall",
            direction="higher",
        ),
        history("flaky", failing),
        history("stale", stepped(5e3, 80, {}, seed=7)),
        history("constant", np.full(50, 128.0), first_commit=250),
        history("single", np.array([4.2e4]), first_commit=299),
        *(history(f"suite-wide/{i}", stepped(1e3 * (i + 1), 300, {260: 1.12}, seed=20 + i)) for i in range(6)),
        *(
            history(name, stepped(2e3, 60, {30: 1.3}, seed=40), suite="hostile", first_commit=240)
            for name in HOSTILE.values()
        ),
        *(
            history("decode_batch/rows=1000", stepped(2.1e6, 260, {}, seed=60 + i), bed=bed)
            for i, bed in enumerate(["runner-arm", "laptop"])
        ),
    ]
    points = pl.concat(frames)
    keys = {
        (name, bed): key
        for key, name, bed in points.select("series_key", "benchmark_name", "test_bed_name")
        .unique(maintain_order=True)
        .iter_rows()
    }

    def at(name: str) -> int:
        return int(keys[name, "runner-large"])

    findings = (
        found(
            finding_id="f-decode-1",
            series_key=at("decode_batch/rows=1000"),
            index=120,
            commit=commit_of(120),
            effect=0.101,
            low=0.094,
            high=0.108,
            state="blessed",
        ),
        found(
            finding_id="f-decode-2",
            series_key=at("decode_batch/rows=1000"),
            index=240,
            commit=commit_of(240),
            effect=-0.071,
            low=-0.078,
            high=-0.063,
        ),
        found(
            finding_id="f-encode",
            series_key=at("encode_batch/rows=1000"),
            index=200,
            commit=commit_of(200),
            effect=0.069,
            low=0.064,
            high=0.074,
        ),
        found(
            finding_id="f-scan",
            series_key=at("scan/filter=selective"),
            index=287,
            commit=commit_of(287),
            effect=0.242,
            low=0.2,
            high=0.285,
            provisional=True,
        ),
        found(
            finding_id="f-memory",
            series_key=at("peak_memory"),
            index=150,
            commit=commit_of(150),
            effect=-0.2,
            low=-0.205,
            high=-0.196,
        ),
        found(
            finding_id="f-recall",
            series_key=at("recall@10"),
            index=170,
            commit=commit_of(170),
            effect=-0.03,
            low=-0.033,
            high=-0.027,
            state="reopened",
        ),
        found(
            finding_id="f-fixed",
            series_key=at("scan/filter=selective"),
            index=100,
            commit=commit_of(100),
            effect=0.03,
            state="fixed",
        ),
        found(
            finding_id="f-ignored", series_key=at("flaky"), index=60, commit=commit_of(60), effect=0.02, state="ignored"
        ),
        *(
            found(
                finding_id=f"f-common-{i}",
                series_key=at(f"suite-wide/{i}"),
                index=260,
                commit=commit_of(260),
                effect=0.12 + i / 1000,
                common_mode="runner-large from 3 September",
                cause=Cause.MACHINE,
                evidence=(
                    "6 of 6 benchmarks moved on runner-large",
                    "runner-small measured the same commit and did not move",
                ),
            )
            for i in range(6)
        ),
        *(
            found(
                finding_id=f"f-{kind}",
                series_key=at(name),
                index=30,
                commit=commit_of(270),
                effect=0.3,
                low=0.28,
                high=0.33,
            )
            for kind, name in HOSTILE.items()
        ),
    )
    noise = pl.DataFrame(
        {
            "series_key": list(keys.values()),
            "spread": [0.012 + 0.001 * i for i in range(len(keys))],
            "smallest_effect": [0.021 + 0.001 * i for i in range(len(keys))],
            "autocorrelated": [i % 5 == 1 for i in range(len(keys))],
            "runs_needed": [8 + i for i in range(len(keys))],
        }
    )
    return content_of(points, METADATA, findings, noise)
