"""The measured commits of each device: how many series have a result, and which failed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.masking import redacted
from bench_db.model import Verdict
from bench_db.query.series import label
from bench_db.report.escape import shortened
from bench_db.report.scans import NO_SCAN, scan_words
from bench_db.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench_db.model import LastScan, RecordedCommit

_ERRORS = 5
_ERROR = 200
_BUILD = ("dut_name", "commit", "dut_version")
_RUNS_OF = (*_BUILD, "test_bed_name")
_NAME = ("suite", "benchmark_name", "metric", "tags_key", "test_bed_name")

# The columns of a failure: its build, the names of its series, and what it said.
FAILURE = (*_BUILD, *_NAME, "error")

Row = dict[str, Any]


@dataclass(slots=True)
class MeasuredCommits:
    """The builds of a store, summed up read by read."""

    _sums: list[pl.DataFrame] = field(default_factory=list)
    _failures: list[pl.DataFrame] = field(default_factory=list)

    def add(self, points: pl.DataFrame, runs: pl.DataFrame, series: pl.DataFrame) -> None:
        """Count the points of some series, with the columns of `arrange.NARROW`; `runs` are those of `Arranged`."""
        identity = series.select("series_key", "dut_name", *_NAME)
        # a run is of one build
        counted = runs.group_by("run_key").agg(
            pl.col("first").min().alias("series_key"),
            pl.col("commit", "dut_version", "dut_timestamp", "run_time", "commit_order").first(),
            pl.col("results", "failed", "series").sum(),
        )
        self._sums.append(
            counted.join(identity.select("series_key", "dut_name", "test_bed_name"), on="series_key").select(
                *_RUNS_OF,
                pl.col("dut_timestamp").alias("time"),
                pl.coalesce("run_time", "dut_timestamp").alias("measured"),
                pl.col("commit_order").alias("order"),
                *("results", "failed", "series"),
            )
        )
        failed = points.filter(pl.col("error").is_not_null())
        if len(failed):
            of_build = counted.select("run_key", "commit", "dut_version")
            failed = failed.join(identity, on="series_key").join(of_build, on="run_key", nulls_equal=True)
            first = _first(failed.select(FAILURE))
            self.add_failures(first.with_columns(error=pl.Series(map(_error, first["error"]), dtype=pl.String)))

    def add_failures(self, failures: pl.DataFrame) -> None:
        """Add failures with the columns `FAILURE` and texts as pages show them."""
        self._failures.append(failures)

    @property
    def failures(self) -> pl.DataFrame:
        """The first failures of each build, with the columns `FAILURE`."""
        return _first(pl.concat([pl.DataFrame(schema=dict.fromkeys(FAILURE, pl.String)), *self._failures]))

    def _found(self) -> dict[tuple[str, str, str], Row]:
        """Return the sums and the first failures of each build."""
        if not self._sums:
            return {}
        sums = (
            pl.concat(self._sums)
            .group_by(_BUILD)
            .agg(
                pl.col("time", "order", "measured").max(),
                pl.col("results", "failed", "series").sum(),
                pl.col("test_bed_name").unique().sort().alias("beds"),
            )
        )
        found: dict[tuple[str, str, str], Row] = {}
        for one in sums.with_columns(pl.selectors.numeric().fill_null(0)).iter_rows(named=True):
            found[_build(one)] = {**one, "errors": []}
        for failure in self.failures.iter_rows(named=True):
            found[_build(failure)]["errors"].append(failure)
        return found

    def newest_first(self, recorded: Mapping[str, RecordedCommit]) -> list[Row]:
        """Return the builds as the pages read them.

        `before` is the commit before that has results, the same for all builds of a commit; `recorded` has subjects and positions.
        """
        ordered = sorted(self._found().items(), key=lambda item: (item[1]["order"], item[1]["time"], item[0]))
        measured: defaultdict[str, list[Row]] = defaultdict(list)
        rows = []
        for (dut, commit, version), one in ordered:
            row = _row(dut, commit, version, one, recorded.get(commit))
            row |= _since(row, of_another_commit(row, measured[dut]))
            if row["results"]:
                measured[dut].append(row)
            rows.append(row)
        return rows[::-1]


def _first(failures: pl.DataFrame) -> pl.DataFrame:
    """Return the first failures of each build by the names of their series."""
    return failures.sort(FAILURE).group_by(_BUILD, maintain_order=True).head(_ERRORS).select(FAILURE)


def _build(row: Row) -> tuple[str, str, str]:
    dut, commit, version = (row[name] or "" for name in _BUILD)
    return dut, commit, version


def _row(dut: str, commit: str, version: str, one: Row, recorded: RecordedCommit | None) -> Row:
    return {
        "dut": visible(dut),
        "commit": visible(commit),
        "version": visible(version),
        "subject": visible(recorded.subject) if recorded else "",
        "position": recorded.position if recorded else None,
        "authored": (recorded.author_time or recorded.time or None) if recorded else None,
        **{name: one[name] for name in ("time", "measured", "results", "failed", "series")},
        "beds": [visible(bed or "") for bed in one["beds"]],
        "errors": [
            [visible(label(failed)), visible(failed["test_bed_name"]), failed["error"]] for failed in one["errors"]
        ],
    }


def of_another_commit(row: Row, builds: Sequence[Row]) -> Row | None:
    """Return the last of some builds that is not of the commit of a build; None for none. One without a commit is as a commit of its own."""
    return next((one for one in reversed(builds) if not row["commit"] or one["commit"] != row["commit"]), None)


def _since(row: Row, before: Row | None) -> Row:
    """Return the build before, how many more series it has, and the number of commits since it, this one included; None where it is not known."""
    if before is None:
        return {"before": "", "commits": None, "fewer": 0}
    here, there = row["position"], before["position"]
    return {
        "before": before["commit"],
        "commits": None if here is None or there is None or here <= there else here - there,
        "fewer": max(0, before["series"] - row["series"]),
    }


def _error(text: str) -> str:
    return shortened(visible(" ".join(redacted(text).split())), _ERROR)


def scans_of(fresh: Sequence[Row], scans: Sequence[LastScan]) -> list[LastScan | None]:
    """Return the newest scan of each device of `freshness`, None for a device without one."""
    of_device = {visible(one.dut_name): one for one in scans if one.scan is not None}
    return [of_device.get(device["dut"]) for device in fresh]


_SAID = (
    (Verdict.REGRESSED, "regressed"),
    (Verdict.SUSPECTED, "may have changed"),
    (Verdict.FAILED, "failed"),
    (Verdict.MISSING, "missing"),
    (Verdict.IMPROVED, "improved"),
    (Verdict.UNCHANGED, "unchanged"),
)


def said_of(counts: Mapping[str, int]) -> list[tuple[int, str]]:
    """Return how many series have which verdict, in words, the worst first; empty where nothing was judged."""
    found = [(counts[verdict], words) for verdict, words in _SAID if counts.get(verdict)]
    others = sum(counts.values()) - sum(number for number, _ in found)
    judged = any(counts.get(verdict) for verdict, _ in _SAID if verdict not in {Verdict.FAILED, Verdict.MISSING})
    return [*found, *([(others, "not judged")] if others else [])] if judged else []


def devices_of(
    fresh: Sequence[Row], scans: Sequence[LastScan | None], said: Sequence[Sequence[tuple[int, str]]]
) -> list[Row]:
    """Return each device of `freshness` with its newest scan and the verdicts on its newest commit.

    `judged` is the number of series that the scan judged, 0 without one, `since` the measured commits after it, null where they are not
    known, and `late` the runs up to its newest commit that it did not read.
    """
    return [
        {
            "dut": one["dut"],
            "scan": scan_words(scan) if scan else NO_SCAN,
            "judged": scan.scan.judged if scan and scan.scan else 0,
            "since": scan.commits_since if scan else None,
            "late": (scan.late_runs or 0) if scan else 0,
            "said": words,
        }
        for one, scan, words in zip(fresh, scans, said, strict=True)
    ]


def freshness(commits: Sequence[Row]) -> list[Row]:
    """Return for each device its newest build with results, and the builds since then, which only failed, newest first."""
    devices: dict[str, Row] = {}
    for row in commits:
        known = devices.setdefault(row["dut"], {"dut": row["dut"], "newest": None, "failed": []})
        if known["newest"] is None:
            if row["results"]:
                known["newest"] = row
            else:
                known["failed"].append(row)
    return list(devices.values())
