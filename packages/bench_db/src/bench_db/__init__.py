"""A columnar warehouse for benchmark results: know whether software got faster or slower, and be right about it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench_db.app.baselines import baseline, baselines, clear_baseline, set_baseline
    from bench_db.app.compare import compare
    from bench_db.app.database import Database, connect
    from bench_db.app.demo import demo
    from bench_db.app.findings import bless_finding, findings, ignore_finding, reopen_finding
    from bench_db.app.gate import check
    from bench_db.app.noise import noise
    from bench_db.app.publish import preview, publish
    from bench_db.app.scan import detect, scan
    from bench_db.app.site import site
    from bench_db.errors import (
        BenchDbError,
        CorruptStoreError,
        NewerStoreWarning,
        PluginError,
        SchemaMismatchError,
        StoreNotFoundError,
        StoreUnavailableError,
        UnreadableOutputError,
        UserError,
    )
    from bench_db.ingest import Provenance, parse, parse_each
    from bench_db.model import (
        Artifact,
        Baseline,
        Change,
        Comparison,
        DutBuild,
        Finding,
        Movement,
        Noise,
        Result,
        Run,
        Series,
        State,
        SummaryValues,
        TestBed,
        Throughput,
        Verdict,
    )
    from bench_db.query.selection import Selection
    from bench_db.summary import summarise
    from bench_db.units import Direction

__all__ = [
    "Artifact",
    "Baseline",
    "BenchDbError",
    "Change",
    "Comparison",
    "CorruptStoreError",
    "Database",
    "Direction",
    "DutBuild",
    "Finding",
    "Movement",
    "NewerStoreWarning",
    "Noise",
    "PluginError",
    "Provenance",
    "Result",
    "Run",
    "SchemaMismatchError",
    "Selection",
    "Series",
    "State",
    "StoreNotFoundError",
    "StoreUnavailableError",
    "SummaryValues",
    "TestBed",
    "Throughput",
    "UnreadableOutputError",
    "UserError",
    "Verdict",
    "baseline",
    "baselines",
    "bless_finding",
    "check",
    "clear_baseline",
    "compare",
    "connect",
    "demo",
    "detect",
    "findings",
    "ignore_finding",
    "noise",
    "parse",
    "parse_each",
    "preview",
    "publish",
    "reopen_finding",
    "scan",
    "set_baseline",
    "site",
    "summarise",
]

# Imported when first used: importing bench_db itself costs nothing, and `bench-db --help` never sees Polars or Lance.
_HOMES = {
    "bench_db.errors": [name for name in __all__ if name.endswith(("Error", "Warning"))],
    "bench_db.app.baselines": ["baseline", "baselines", "clear_baseline", "set_baseline"],
    "bench_db.app.compare": ["compare"],
    "bench_db.app.database": ["Database", "connect"],
    "bench_db.app.findings": ["bless_finding", "findings", "ignore_finding", "reopen_finding"],
    "bench_db.app.gate": ["check"],
    "bench_db.app.noise": ["noise"],
    "bench_db.app.demo": ["demo"],
    "bench_db.app.publish": ["preview", "publish"],
    "bench_db.app.scan": ["detect", "scan"],
    "bench_db.app.site": ["site"],
    "bench_db.ingest": ["Provenance", "parse", "parse_each"],
    "bench_db.model": [
        "Artifact",
        "Baseline",
        "Change",
        "Comparison",
        "DutBuild",
        "Finding",
        "Movement",
        "Noise",
        "Result",
        "Run",
        "Series",
        "State",
        "SummaryValues",
        "TestBed",
        "Throughput",
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
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
