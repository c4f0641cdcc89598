"""What an adapter returns: measurements in base units, skipped benchmarks, and the origin of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bench_db.model import Samples, SummaryValues, TestBed, Throughput
from bench_db.units import Direction


class SkipReason(StrEnum):
    """Why one benchmark of a good file is left out; a closed set, counted in `Run.skipped`."""

    BROKEN_JSON = "broken-json"
    CONTRADICTION = "contradictory-statistics"
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
    """A benchmark that cannot be read. ingest turns it into a `Skip`; callers of ingest never see it."""

    def __init__(self, reason: SkipReason, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A benchmark that is left out: its name, or its position in the file when it has none, and why."""

    benchmark: str
    reason: SkipReason
    detail: str

    def __str__(self) -> str:
        return f"{self.benchmark}: skipped, {self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One metric of one benchmark. `values` are per iteration in `units`.

    `summary` is set only where the tool's own statistics must be kept; then `n` is the tool's count of samples.
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
    """The content of one file, or of one run in it. `context` is JSON text of everything that is not per benchmark.

    A field is None where the file does not state it; times are unix seconds. `node` is the host name in the file. `test_bed` is
    the machine it describes, under a name that identifies it. `part` names one run of several in a file and `digest` is the
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
