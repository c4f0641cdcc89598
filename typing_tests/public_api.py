"""What a type checker sees of the public API from outside; never run, only checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import assert_type

import polars as pl

import bench_db
from bench_db import (
    Bisection,
    Check,
    Comparison,
    Database,
    Dispatched,
    Finding,
    Metric,
    NamedSuite,
    PairComparison,
    Plan,
    Recording,
    Result,
    Run,
    StoredRun,
    SummaryValues,
    Upgrade,
    Verdict,
)


def opening() -> Database:
    assert_type(bench_db.connect("results"), Database)
    assert_type(bench_db.connect(Path("results"), create=True, single_writer=True), Database)
    bench_db.connect(3)  # type: ignore[arg-type]
    return bench_db.connect("results")


def reading(database: Database) -> None:
    assert_type(database.latest(benchmark="*fib*", test_bed_name="ci", tags={"k": "10"}), pl.DataFrame)
    assert_type(database.trend("fib", last=3, suite="python", as_of=datetime(2026, 1, 1)), pl.DataFrame)  # noqa: DTZ001 types only
    assert_type(database.summary(since=1_780_000_000), pl.DataFrame)
    assert_type(database.summary(since="2 weeks ago", until=datetime(2026, 1, 1)), pl.DataFrame)  # noqa: DTZ001 types only
    database.summary(since=b"2026")  # type: ignore[arg-type]
    assert_type(database.scan(["median"], branch="main"), pl.LazyFrame)
    assert_type(database.runs(pr_number=3), pl.LazyFrame)
    assert_type(database.query("SELECT 1"), pl.DataFrame)
    assert_type(database.results(), list[Result])
    assert_type(database.has("1a2b3c4").present, bool)
    database.latest(testbed_name="ci")  # type: ignore[call-arg]
    database.latest(benchmark=3)  # type: ignore[arg-type]
    database.trend()  # type: ignore[call-arg]


def publishing(database: Database) -> None:
    assert_type(bench_db.publish(database, "a.json", Path("b.json")).new, int)
    assert_type(bench_db.parse("a.json"), tuple[Run, list[Result]])
    assert_type(bench_db.summarise([1.0]), SummaryValues)
    run, results = bench_db.parse("a.json")
    assert_type(database.publish(results, run, replace=True).unchanged, int)


def judging(database: Database) -> None:
    compared = bench_db.compare(database, "1a2b3c4", baseline="main", benchmark="*fib*")
    assert_type(compared.comparisons, Sequence[Comparison])
    assert_type(compared.comparisons[0].verdict, Verdict)
    assert_type(compared.frame(), pl.DataFrame)
    assert_type(bench_db.check("results", threshold=5.0).passed, bool)
    assert_type(bench_db.scan(Path("results"), dry_run=True).findings, Sequence[Finding])
    assert_type(bench_db.findings(database).findings, Sequence[Finding])
    assert_type(bench_db.bless_finding(database, "7deb", note="wanted"), Finding)
    bench_db.compare(database, "1a2b3c4", benchmarks="*fib*")  # type: ignore[call-arg]
    bench_db.compare(3, "1a2b3c4")  # type: ignore[arg-type]


def writing(database: Database) -> None:
    assert_type(bench_db.site(database, "public", title="Benchmarks", suite="python").files, int)
    assert_type(bench_db.demo("demo").database, Database)


def measuring() -> None:
    measured = bench_db.backfill("store", environment={}, clone=Path("clone"), since="2 weeks ago", steps=3)
    assert_type(measured.plan, Plan)
    assert_type(bench_db.schedule_runs("store", environment={}, dry_run=True).started, tuple[Dispatched, ...])
    assert_type(bench_db.bisect("a", "b", benchmark="x", environment={}).bisection, Bisection)
    assert_type(bench_db.pairs("a", "b", control=True, environment={}).comparisons, Sequence[PairComparison])
    assert_type(bench_db.suites(only="python").suites, tuple[NamedSuite, ...])
    assert_type(bench_db.doctor("store").checks, tuple[Check, ...])
    assert_type(bench_db.upgrade("store", dry_run=True), Upgrade)
    bench_db.backfill("store", environment={}, clone=3)  # type: ignore[arg-type]
    bench_db.bisect("a", "b", environment={})  # type: ignore[call-arg]


def recording(database: Database) -> None:
    with database.record("flax", commit="1a2b3c4", suite="train", tags={"batch": 32}) as run:
        assert_type(run, Recording)
        run.add("forward", [1, 2.5], unit="s", metrics={"rate": Metric(values=3, unit="ops/s")}, tags={"amp": True})
        run.add("forward")
        run.add(3)  # type: ignore[arg-type]
        run.add("forward", object())  # type: ignore[arg-type]
        with run.timed("step"):
            run.keep("confusion", b"bytes")
    assert_type(run.id, str)
    database.record("flax", comit="1a2b3c4")  # type: ignore[call-arg]
    assert_type(database.run("1a2b3c4"), StoredRun)
    assert_type(database.list_runs(branch="main", tags={"batch": 32}), pl.DataFrame)
    assert_type(bench_db.availability(database, days=30, suite="io").frame(), pl.DataFrame)
    assert_type(bench_db.rank(database, "framework", metric="rate").frame(), pl.DataFrame)
    assert_type(bench_db.frontier(database, "latency", "rate", by=["framework"], at="latency=3ms").points, pl.DataFrame)
