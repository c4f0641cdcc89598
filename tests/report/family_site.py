"""A site of one benchmark on three test beds, in two formats and five sizes, with a change that two of the beds show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bench_db.model import Baseline, Definition, RecordedCommit
from tests.report.example_site import METADATA, content_of, history, stepped
from tests.report.examples import commit_of, found

if TYPE_CHECKING:
    from bench_db.report.site.contract import SiteContent

BEDS = {"arm-linux": 1.4, "mac-m2": 0.8, "x86-linux": 1.0}
SIZES = (100, 1000, 10_000, 100_000, 1_000_000)
STEP = 200
_POINTS = 300


def family_site() -> SiteContent:
    """The values grow as size to the power 0.9, and differ between test beds by exactly the factors of `BEDS`."""
    frames = [
        _scan(bed, kind, size, seed) for bed in BEDS for kind in ("lance", "parquet") for seed, size in enumerate(SIZES)
    ]
    moved = [frame for frame in frames if "mac" not in frame["test_bed_name"][0] and "lance" in frame["tags_key"][0]]
    findings = [
        found(
            finding_id=f"f{number}",
            series_key=frame["series_key"][0],
            index=STEP,
            commit=commit_of(STEP),
            effect=0.2,
            low=0.18,
            high=0.22,
        )
        for number, frame in enumerate(moved)
    ]
    branches = [
        history("branches", np.full(count, level), branch=branch)
        for branch, level, count in (("main", 100.0, 20), ("release", 110.0, 10))
    ]
    named = [history(f"BM_sort/{n}/threads:4", np.full(5, n * 30.0)) for n in (8, 64, 512)]
    listed = [history(f"test_q.py::test_query[{n}-x]", np.full(5, float(n))) for n in (1, 2, 3)]
    many = [history(f"many/{n}", np.full(3, float(n))) for n in range(1, 71)]
    content = content_of(pl.concat([*frames, *branches, *named, *listed, *many]), METADATA, findings)
    between = commit_of(100)[::-1]  # has no results
    return replace(
        content,
        annotations=[
            Definition(kind="annotation", pattern=commit_of(STEP + 50), value="release 2.0 <b>", at=1),
            Definition(kind="annotation", pattern=between, value="new runner", at=1),
            Definition(kind="annotation", pattern=commit_of(9), value="of another", dut_name="other", at=1),
        ],
        baselines=[
            Baseline(name="main", commit=commit_of(STEP + 60), testbed_name="arm-linux", set_at=1),
            Baseline(name="other", commit=commit_of(STEP + 60), testbed_name="mac-m2", set_at=1),
        ],
        recorded={between: RecordedCommit(dut_name="device", commit=between, time=1_760_000_000 + 100 * 40_000 - 9)},
    )


def _scan(bed: str, kind: str, size: int, seed: int) -> pl.DataFrame:
    level = 300 * BEDS[bed] * size**0.9 * (1.5 if kind == "parquet" else 1.0)
    steps = {STEP: 1.2} if bed != "mac-m2" and kind == "lance" else {}
    medians = stepped(level, _POINTS, steps, seed=seed)
    return history("scan", medians, bed=bed, seed=seed, tags=f"format={kind},size={size}")
