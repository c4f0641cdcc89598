"""What an adapter gives: measurements in base units, the benchmarks it had to skip, and what the file says of its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bench_db.model import Samples, SummaryValues, TestBed, Throughput
from bench_db.units import Direction


class SkipReason(StrEnum):
    """Why one benchmark of an otherwise good file is left out; a closed set, counted in `Run.skipped`."""

    BROKEN_JSON = "broken-json"
    LENGTH_MISMATCH = "length-mismatch"
    MISSING_FIELD = "missing-field"
    MISSING_FILE = "missing-file"
    NEGATIVE_TIME = "negative-time"
    NO_NAME = "no-name"
    NO_STATISTICS = "no-statistics"
    NOT_A_NUMBER = "not-a-number"
    NOT_FINITE = "not-finite"
    OUT_OF_RANGE = "out-of-range"
    UNKNOWN_UNIT = "unknown-unit"
    WRONG_TYPE = "wrong-type"
    ZERO_ITERATIONS = "zero-iterations"


class RefusedError(Exception):
    """One benchmark cannot be read; always turned into a `Skip`, never seen outside ingest."""

    def __init__(self, reason: SkipReason, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A benchmark left out: its name, or its place in the file when it has none, and why."""

    benchmark: str
    reason: SkipReason
    detail: str

    def __str__(self) -> str:
        return f"{self.benchmark}: skipped, {self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One metric of one benchmark. `values` are per iteration in `units`.

    `summary` is set only when the tool's own statistics must be kept, and then `n` is the tool's count of samples.
    `metadata` is the tool's record as JSON text, without its raw samples. With `error` set there are no values.
    """

    benchmark_name: str
    suite: str = ""
    metric: str = "time"
    units: str = "nanoseconds"
    direction: Direction = Direction.LOWER
    values: Samples = field(default_factory=Samples)
    iterations: tuple[int, ...] = ()
    summary: SummaryValues | None = None
    n: int = 0
    lower: float | None = None
    upper: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    throughput: Throughput | None = None
    metadata: str = "{}"
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that one file says, or the part of it that is a run of its own. `context` is JSON text of everything that is not per benchmark.

    What the file does not say is None; times are unix seconds. `node` is the host name as the file has it, `test_bed` the
    machine it describes under a name fit to identify it. `part` names a part among those of its file and `digest` is the
    SHA-256 of its content; both are empty for a whole file.
    """

    source: str
    context: str = "{}"
    measurements: tuple[Measurement, ...] = ()
    skips: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()
    run_time: int | None = None
    commit: str | None = None
    branch: str | None = None
    version: str | None = None
    commit_time: int | None = None
    node: str | None = None
    test_bed: TestBed | None = None
    part: str = ""
    digest: str = ""
