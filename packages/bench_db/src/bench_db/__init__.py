"""A columnar warehouse for benchmark results: know whether software got faster or slower, and be right about it."""

from __future__ import annotations

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench_db.app.availability import availability
    from bench_db.app.backfill import backfill
    from bench_db.app.baselines import baseline, baselines, clear_baseline, set_baseline
    from bench_db.app.bisect import bisect
    from bench_db.app.ci_job import ci_job
    from bench_db.app.commits import commit, commits, sync_commits
    from bench_db.app.compare import compare
    from bench_db.app.database import Database, connect
    from bench_db.app.definitions import annotate, define, definitions, sync_definitions, unmapped
    from bench_db.app.demo import demo
    from bench_db.app.doctor import doctor
    from bench_db.app.findings import bless_finding, findings, ignore_finding, reopen_finding
    from bench_db.app.formats import formats, try_format
    from bench_db.app.frontier import frontier
    from bench_db.app.gate import Confirmed, Confirming, check
    from bench_db.app.init import init
    from bench_db.app.mirror import Mirrored, MirroredTable, mirror
    from bench_db.app.noise import noise
    from bench_db.app.notify import Delivery, Notified, notify, publish_findings
    from bench_db.app.pairs import pairs, publish_pairs
    from bench_db.app.places import Address, FilePlace, Place, S3Place, place
    from bench_db.app.publish import preview, publish
    from bench_db.app.ranks import rank
    from bench_db.app.recording import Metric, Recording
    from bench_db.app.run_difference import Fact, RunDifference, diff_runs
    from bench_db.app.runs import StoredRun, exclude_runs, include_runs, remove_runs, runs
    from bench_db.app.scan import detect, scan
    from bench_db.app.scans import last_scans
    from bench_db.app.schedule import Dispatched, schedule_runs
    from bench_db.app.show import show
    from bench_db.app.site import site
    from bench_db.app.suites import NamedSuite, suites
    from bench_db.app.trend import Trend, trend
    from bench_db.app.values import StoredValues, address_of
    from bench_db.compat.upgrade import upgrade
    from bench_db.errors import (
        BenchDbError,
        CorruptStoreError,
        DamagedStoreWarning,
        NewerStoreWarning,
        PluginError,
        SchemaMismatchError,
        SlowWarning,
        StoreNotFoundError,
        StoreUnavailableError,
        UnreadableOutputError,
        UserError,
    )
    from bench_db.ingest import Provenance, parse, parse_each
    from bench_db.ingest.mltraq import read_mltraq
    from bench_db.model import (
        Artifact,
        Attempt,
        AttemptState,
        Baseline,
        Bisection,
        Blame,
        Cause,
        Change,
        Check,
        Commit,
        CommitFindings,
        Comparison,
        Confirmation,
        Definition,
        Deleted,
        DutBuild,
        Exclusion,
        Finding,
        LastScan,
        LeftOut,
        Look,
        MeanChange,
        MovedBenchmarks,
        Movement,
        Noise,
        Outcome,
        PairComparison,
        PairRun,
        PairSide,
        PairVerdict,
        Plan,
        Reason,
        RecordedCommit,
        Result,
        Run,
        ScanRecord,
        Series,
        Side,
        State,
        Step,
        SummaryValues,
        Sync,
        Target,
        TestBed,
        Throughput,
        Upgrade,
        Verdict,
    )
    from bench_db.query.selection import Selection
    from bench_db.summary import summarise
    from bench_db.units import Direction

__all__ = [
    "Address",
    "Artifact",
    "Attempt",
    "AttemptState",
    "Baseline",
    "BenchDbError",
    "Bisection",
    "Blame",
    "Cause",
    "Change",
    "Check",
    "Commit",
    "CommitFindings",
    "Comparison",
    "Confirmation",
    "Confirmed",
    "Confirming",
    "CorruptStoreError",
    "DamagedStoreWarning",
    "Database",
    "Definition",
    "Deleted",
    "Delivery",
    "Direction",
    "Dispatched",
    "DutBuild",
    "Exclusion",
    "Fact",
    "FilePlace",
    "Finding",
    "LastScan",
    "LeftOut",
    "Look",
    "MeanChange",
    "Metric",
    "Mirrored",
    "MirroredTable",
    "MovedBenchmarks",
    "Movement",
    "NamedSuite",
    "NewerStoreWarning",
    "Noise",
    "Notified",
    "Outcome",
    "PairComparison",
    "PairRun",
    "PairSide",
    "PairVerdict",
    "Place",
    "Plan",
    "PluginError",
    "Provenance",
    "Reason",
    "RecordedCommit",
    "Recording",
    "Result",
    "Run",
    "RunDifference",
    "S3Place",
    "ScanRecord",
    "SchemaMismatchError",
    "Selection",
    "Series",
    "Side",
    "SlowWarning",
    "State",
    "Step",
    "StoreNotFoundError",
    "StoreUnavailableError",
    "StoredRun",
    "StoredValues",
    "SummaryValues",
    "Sync",
    "Target",
    "TestBed",
    "Throughput",
    "Trend",
    "UnreadableOutputError",
    "Upgrade",
    "UserError",
    "Verdict",
    "address_of",
    "annotate",
    "availability",
    "backfill",
    "baseline",
    "baselines",
    "bisect",
    "bless_finding",
    "check",
    "ci_job",
    "clear_baseline",
    "commit",
    "commits",
    "compare",
    "connect",
    "define",
    "definitions",
    "demo",
    "detect",
    "diff_runs",
    "doctor",
    "exclude_runs",
    "findings",
    "formats",
    "frontier",
    "ignore_finding",
    "include_runs",
    "init",
    "last_scans",
    "mirror",
    "noise",
    "notify",
    "pairs",
    "parse",
    "parse_each",
    "place",
    "preview",
    "publish",
    "publish_findings",
    "publish_pairs",
    "rank",
    "read_mltraq",
    "remove_runs",
    "reopen_finding",
    "runs",
    "scan",
    "schedule_runs",
    "set_baseline",
    "show",
    "site",
    "suites",
    "summarise",
    "sync_commits",
    "sync_definitions",
    "trend",
    "try_format",
    "unmapped",
    "upgrade",
]

# Imported when first used: importing bench_db itself costs nothing, and `bench-db --help` never sees Polars or Lance.
_HOMES = {
    "bench_db.errors": [name for name in __all__ if name.endswith(("Error", "Warning"))],
    "bench_db.app.availability": ["availability"],
    "bench_db.app.backfill": ["backfill"],
    "bench_db.app.baselines": ["baseline", "baselines", "clear_baseline", "set_baseline"],
    "bench_db.app.bisect": ["bisect"],
    "bench_db.app.ci_job": ["ci_job"],
    "bench_db.app.commits": ["commit", "commits", "sync_commits"],
    "bench_db.app.compare": ["compare"],
    "bench_db.app.database": ["Database", "connect"],
    "bench_db.app.definitions": ["annotate", "define", "definitions", "sync_definitions", "unmapped"],
    "bench_db.app.doctor": ["doctor"],
    "bench_db.app.findings": ["bless_finding", "findings", "ignore_finding", "reopen_finding"],
    "bench_db.app.formats": ["formats", "try_format"],
    "bench_db.app.frontier": ["frontier"],
    "bench_db.app.gate": ["Confirmed", "Confirming", "check"],
    "bench_db.app.mirror": ["Mirrored", "MirroredTable", "mirror"],
    "bench_db.app.init": ["init"],
    "bench_db.app.noise": ["noise"],
    "bench_db.app.notify": ["Notified", "Delivery", "notify", "publish_findings"],
    "bench_db.app.pairs": ["pairs", "publish_pairs"],
    "bench_db.app.places": ["Address", "FilePlace", "Place", "S3Place", "place"],
    "bench_db.app.demo": ["demo"],
    "bench_db.app.publish": ["preview", "publish"],
    "bench_db.app.ranks": ["rank"],
    "bench_db.app.recording": ["Metric", "Recording"],
    "bench_db.app.run_difference": ["Fact", "RunDifference", "diff_runs"],
    "bench_db.app.runs": ["StoredRun", "exclude_runs", "include_runs", "remove_runs", "runs"],
    "bench_db.app.scan": ["detect", "scan"],
    "bench_db.app.scans": ["last_scans"],
    "bench_db.app.schedule": ["Dispatched", "schedule_runs"],
    "bench_db.app.show": ["show"],
    "bench_db.app.site": ["site"],
    "bench_db.app.suites": ["NamedSuite", "suites"],
    "bench_db.app.trend": ["Trend", "trend"],
    "bench_db.app.values": ["StoredValues", "address_of"],
    "bench_db.compat.upgrade": ["upgrade"],
    "bench_db.ingest": ["Provenance", "parse", "parse_each"],
    "bench_db.ingest.mltraq": ["read_mltraq"],
    "bench_db.model": [
        "Artifact",
        "Attempt",
        "AttemptState",
        "Baseline",
        "Bisection",
        "Blame",
        "Cause",
        "Change",
        "Check",
        "Commit",
        "CommitFindings",
        "Comparison",
        "Confirmation",
        "Definition",
        "Deleted",
        "DutBuild",
        "Exclusion",
        "Finding",
        "LastScan",
        "LeftOut",
        "Look",
        "MeanChange",
        "MovedBenchmarks",
        "Movement",
        "Noise",
        "Outcome",
        "PairComparison",
        "PairRun",
        "PairSide",
        "PairVerdict",
        "Plan",
        "Reason",
        "RecordedCommit",
        "Result",
        "Run",
        "ScanRecord",
        "Series",
        "Side",
        "State",
        "Step",
        "SummaryValues",
        "Sync",
        "Target",
        "TestBed",
        "Throughput",
        "Upgrade",
        "Verdict",
    ],
    "bench_db.query.selection": ["Selection"],
    "bench_db.summary": ["summarise"],
    "bench_db.units": ["Direction"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        message = f"module 'bench_db' has no attribute {name!r}"
        raise AttributeError(message)
    public = getattr(import_module(_HOME_OF[name]), name)
    if not isinstance(public, FunctionType):
        return public
    from bench_db.app.arguments import guarded

    call = guarded(public)
    call.__module__ = __name__  # where pickle finds it
    return call


def __dir__() -> list[str]:
    return sorted(__all__)
