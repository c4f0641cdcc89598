"""What scans have read and judged of each device, and what has been published since."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from bench_db.app.database import on_database
from bench_db.model import LastScan, ScanRecord
from bench_db.query.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench_db.analysis.histories import Histories
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf

_RUN = ("run_key", "dut_name", "commit", "dut_version", "dut_timestamp", "run_time")


class _Build(NamedTuple):
    commit: str | None
    dut_version: str


class Extent(NamedTuple):
    """The main history of a device: its number of runs, and that of each build in the order of commits."""

    runs: int
    builds: dict[_Build, int]

    @property
    def newest(self) -> _Build:
        """The build of the newest commit."""
        return next(reversed(self.builds))


def extents(store: Database, as_of: AsOf | None = None) -> dict[str, Extent]:
    """Return the extent of the main history of each device, by the name that definitions give it."""
    past = store.history(as_of)
    rows = past.ordered(store.runs(as_of, Selection()).select(_RUN).collect()).sort("commit_order", "run_time")
    names = {name: past.definitions.device(name) if past.definitions else name for name in rows["dut_name"].unique()}
    found: dict[str, Extent] = {}
    for (dut,), of_dut in rows.with_columns(pl.col("dut_name").replace(names)).group_by("dut_name"):
        builds = Counter(_build(*row) for row in of_dut.select("commit", "dut_version").iter_rows())
        found[str(dut)] = Extent(len(of_dut), builds)
    return dict(sorted(found.items()))


def _build(commit: str | None, version: str) -> _Build:
    """Return a build: its commit, or its version where there is none."""
    return _Build(commit, "" if commit else version)


def records_of(
    of: Histories,
    *,
    judged: Iterable[bool],
    extent: Mapping[str, Extent],
    chosen: Selection,
    rate: float,
    profile: str,
    store_version: int,
    at: int,
) -> list[ScanRecord]:
    """Return the record of a scan for each device whose series it read; `judged` has a value a series."""
    counts: dict[str, list[int]] = {}
    for series, long_enough in zip(of.series, judged, strict=True):
        counts.setdefault(series.dut_name, [0, 0])[0 if long_enough else 1] += 1
    return [
        ScanRecord(
            dut_name=dut,
            commit=extent[dut].newest.commit,
            dut_version=extent[dut].newest.dut_version,
            runs=extent[dut].runs,
            store_version=store_version,
            judged=long_enough,
            too_short=too_short,
            profile=profile,
            rate=rate,
            part=part_of(chosen),
            at=at,
        )
        for dut, (long_enough, too_short) in sorted(counts.items())
        if dut in extent  # damage can leave results without their runs
    ]


def part_of(chosen: Selection) -> str:
    """Return the conditions of a selection in words; one of a device alone is no part, because a record is of a device."""
    stated = {f.name: getattr(chosen, f.name) for f in fields(chosen) if f.name != "dut_name"}
    plain = {f.name: getattr(Selection(), f.name) for f in fields(chosen)}
    return ", ".join(f"{name}={value}" for name, value in stated.items() if value != plain[name])


@on_database
def last_scans(store: Database, *, as_of: AsOf | None = None) -> list[LastScan]:
    """Return the newest scan of the whole main history of each device, and how much has been published since, by device."""
    newest = {record.dut_name: record for record in store.scans(as_of) if not record.part}
    return [_since(dut, newest.get(dut), extent) for dut, extent in extents(store, as_of).items()]


def _since(dut: str, scan: ScanRecord | None, extent: Extent) -> LastScan:
    if scan is None:
        return LastScan(dut_name=dut, scan=None, commits_since=None, runs_since=None, late_runs=None)
    last = _Build(scan.commit, scan.dut_version)
    known = list(extent.builds).index(last) + 1 if last in extent.builds else None
    return LastScan(
        dut_name=dut,
        scan=scan,
        commits_since=None if known is None else len(extent.builds) - known,
        runs_since=max(0, extent.runs - scan.runs),
        late_runs=None if known is None else max(0, sum(list(extent.builds.values())[:known]) - scan.runs),
    )


def scans_json(scans: Iterable[LastScan]) -> list[dict[str, Any]]:
    """Return the newest scan of each device as JSON objects."""
    return [
        {**asdict(one), "scan": None if one.scan is None else {n: v for n, v in asdict(one.scan).items() if n != "key"}}
        for one in scans
    ]
