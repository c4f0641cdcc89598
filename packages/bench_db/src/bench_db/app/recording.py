"""Results from Python: the results and values of a block become one run, published as those of a file are."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat, TypedDict

import msgspec

from bench_db.app.configuration import named
from bench_db.app.publish import details
from bench_db.app.values import encoded
from bench_db.ci.environment import ci_change, ci_provenance
from bench_db.clock import unix_time
from bench_db.derive import checked
from bench_db.errors import BenchDbError, UserError
from bench_db.identity import require_text, tag_texts, tags_key
from bench_db.ingest import Build, Measurement, Provenance, Reading, normalise, origin_of
from bench_db.ingest.numbers import scaled
from bench_db.ingest.rates import as_spelled, metric_of
from bench_db.ingest.reading import RefusedError
from bench_db.store.database import Database
from bench_db.units import NANOSECONDS, RATIO, Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Unpack

    from bench_db.clock import Moment
    from bench_db.model import Published, Run, Samples, TestBed
    from bench_db.query.selection import Tag

# Samples as Python has them: a number, or a list, tuple, array or column of numbers.
Values = SupportsFloat | Iterable[SupportsFloat]
_SOURCE = "record/1"
_FORMAT = _FILE_NAME = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Samples of one metric of a benchmark, with the interval of the measurement where one is known.

    Without a unit the samples are plain numbers. `better` is "lower", "higher" or "info", by default that of the unit: times and
    bytes are better lower, rates higher, and of plain numbers and unknown units neither is better.
    """

    values: Values
    unit: str = ""
    better: str | None = None
    lower: float | None = None
    upper: float | None = None


class Stated(TypedDict, total=False):
    """What is known of a recorded run, as in `Provenance`; times may be datetimes, and tags numbers.

    `run_time` is when it was measured, by default the beginning of the block. `context` is JSON about the whole run, such as its
    parameters. `environment` is that of the CI job, by default `os.environ`: it names the job, its branch and its pull request.
    """

    commit: str | None
    suite: str | None
    tags: Mapping[str, Tag]
    dut_version: str | None
    dut_timestamp: Moment | None
    branch: str | None
    pr_number: int | None
    test_bed: TestBed | None
    test_bed_name: str | None
    checkout: str | Path | None
    run_id: str | None
    run_time: Moment | None
    context: Mapping[str, object]
    environment: Mapping[str, str]
    replace: bool
    keep_leftovers: bool


class Recording:
    """The run of a block: results are added, and values kept, until the block ends."""

    def __init__(self, origin: _Origin) -> None:
        self._origin = origin
        self._measurements: dict[tuple[str, str, str], Measurement] = {}
        self._timed: dict[tuple[str, str], Samples] = {}
        self._values: dict[str, tuple[str, bytes]] = {}
        self._published: Published | None = None
        self._is_open = True

    @property
    def published(self) -> Published:
        """The counts of new and unchanged results, once the block has ended."""
        if self._published is None:
            message = "the run is not published: its block has not ended, or ended by an exception"
            raise UserError(message)
        return self._published

    @property
    def id(self) -> str:
        """The key of the published run as text, which `Database.run` takes."""
        return f"{self.published.run_key:016x}"

    def add(
        self,
        name: str,
        values: Values | None = None,
        *,
        unit: str = "",
        better: str | None = None,
        metric: str | None = None,
        lower: float | None = None,
        upper: float | None = None,
        tags: Mapping[str, Tag] | None = None,
        metrics: Mapping[str, Values | Metric] | None = None,
    ) -> None:
        """Add a benchmark: its samples, and its further metrics, each a `Metric`, or samples without a unit.

        `metric` names what the samples measure, by default after the unit: "time", "memory", "throughput", else "value". Raises
        `UserError` for what is no finite number, and for a metric of a benchmark that was added already.
        """
        require_text("name", name)
        if values is None and not metrics:
            message = f"{name!r}: neither values nor metrics are given"
            raise UserError(message)
        stated: dict[str | None, Metric] = {}
        if values is not None:
            stated[metric] = Metric(values=values, unit=unit, better=better, lower=lower, upper=upper)
        for further, one in (metrics or {}).items():
            stated[further] = one if isinstance(one, Metric) else Metric(values=one)
        texts = tag_texts(tags or {})
        self._require_open()
        self._add([_measurement(name, metric, one, texts) for metric, one in stated.items()])

    @contextmanager
    def timed(
        self, name: str, *, tags: Mapping[str, Tag] | None = None, clock: Callable[[], int] = time.perf_counter_ns
    ) -> Iterator[None]:
        """Add the time of a block as one sample of a benchmark, after those of earlier blocks of the name and the tags.

        A block that raises adds nothing.
        """
        begun = clock()
        yield
        elapsed = clock() - begun
        texts = tag_texts(tags or {})
        key = (name, tags_key(texts))
        if key in self._timed:
            self._require_open()
            self._timed[key].append(elapsed)
            return
        self.add(name, elapsed, unit=NANOSECONDS.name, tags=texts)
        self._timed[key] = self._measurements[(name, "time", key[1])].values

    def keep(self, name: str, value: object, *, kind: str = "") -> None:
        """Keep a value as an artifact of the run: bytes, a text, an array, a table, or what JSON can say, as `put` does.

        It is read now, so that later changes do not count. Raises `UserError` for any other value.
        """
        self._require_open()
        if name in self._values:
            message = f"{name!r} is kept already; give the other value another name"
            raise UserError(message)
        found, content = encoded(name, value)
        self._values[name] = (kind or found, content)

    def _require_open(self) -> None:
        if not self._is_open:
            message = "the block of this run has ended; record another run"
            raise UserError(message)

    def _add(self, measurements: Iterable[Measurement]) -> None:
        added: dict[tuple[str, str, str], Measurement] = {}
        for one in measurements:
            key = (one.benchmark_name, one.metric, tags_key(one.tags))
            if key in self._measurements or key in added:
                message = f"{key[0]!r} ({key[1]}) was added already with these tags; give all its samples at once, or other tags"
                raise UserError(message)
            added[key] = one
        self._measurements |= added

    def _end(self) -> None:
        self._is_open = False

    def _publish(self) -> None:
        if not self._measurements:
            message = "no results were added to the run, so there is nothing to publish"
            raise UserError(message)
        self._published = self._origin.publish(list(self._measurements.values()), self._values)


@contextmanager
def record(store: Database, dut: str | None = None, **stated: Unpack[Stated]) -> Iterator[Recording]:
    """Record the results of a block, and publish them when it ends; a block that raises stores nothing.

    `stated` is what `Stated` lists. What it leaves out is that of the checkout and the bench-db.toml around the working directory,
    as for published files, at the beginning of the block. Raises `UserError` before the block when the build is not known or
    something stated is not valid.
    """
    recording = Recording(_origin(store, dut, **stated))
    try:
        yield recording
    finally:
        recording._end()  # noqa: SLF001 of this module
    recording._publish()  # noqa: SLF001 of this module


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """Where a run comes from, and how it is stored."""

    store: Database
    path: Path
    reading: Reading
    provenance: Provenance
    build: Build
    how: Mapping[str, bool]

    def run_of(self, measurements: list[Measurement]) -> tuple[Run, list[Any]]:
        """Return the run of measurements, and its results."""
        return normalise(
            replace(self.reading, measurements=tuple(measurements)),
            file_name=_FILE_NAME,
            sha256=_digest(measurements),
            format=_FORMAT,
            provenance=self.provenance,
            build=self.build,
        )

    def publish(self, measurements: list[Measurement], values: Mapping[str, tuple[str, bytes]]) -> Published:
        """Store the run, then its values; a call that stops between is continued by the same one."""
        run, results = self.run_of(measurements)
        known = partial(details, run, self.path, self.provenance)
        published = self.store.publish(results, run, commits=known, **self.how)
        if not published.new and not published.unchanged:
            message = f"nothing was stored: {'; '.join(published.notes)}. `keep_leftovers` stores these results, too"
            raise UserError(message)
        key, now = published.run_key, self.provenance.ingested_at
        try:
            for name, (kind, content) in values.items():
                self.store.put_artifact(content, kind=kind, name=name, run=key, added_at=now)
        except BenchDbError as error:
            error.args = (f"{error}. The results are stored, and not all values; the same block continues",)
            raise
        return published


def _origin(
    store: Database,
    dut: str | None,
    *,
    dut_timestamp: Moment | None = None,
    run_time: Moment | None = None,
    tags: Mapping[str, Tag] | None = None,
    context: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    replace: bool = False,
    keep_leftovers: bool = False,
    **stated: Any,
) -> _Origin:
    for name in ("suite", "test_bed_name", "commit", "branch", "dut_version"):
        require_text(name, stated.get(name) or "")
    require_text("dut", dut or "")
    now, job = int(time.time()), os.environ if environment is None else environment
    provenance = Provenance(
        **{
            **ci_provenance(job),
            "change": ci_change(job),
            **{name: value for name, value in stated.items() if value is not None},
            "dut_name": dut,
            "dut_timestamp": unix_time(dut_timestamp, "`dut_timestamp`", now=now),
            "tags": tag_texts(tags or {}),
            "ingested_at": now,
        }
    )
    measured_at = unix_time(run_time, "`run_time`", now=now)
    reading = Reading(
        source=_SOURCE, context=encoded("`context`", context or {})[1].decode(), run_time=measured_at or now
    )
    path = Path.cwd() / _FILE_NAME
    provenance, build = origin_of(path, [reading], named(path, provenance))
    origin = _Origin(
        store=store,
        path=path,
        reading=reading,
        provenance=provenance,
        build=build,
        how={"replace": replace, "keep_leftovers": keep_leftovers},
    )
    store.require_writable()
    run, _ = origin.run_of([])
    checked(run, (), now)
    if run.dut.version == "unknown":
        message = "DUT version could not be determined. Give `commit` or `dut_version`, or `checkout` with the measured source"
        raise UserError(message)
    if run.commit is None and provenance.dut_timestamp is None and run_time is None:
        message = (
            "a run without a commit is known by its version and the time of that: give `dut_timestamp`, or `commit`"
        )
        raise UserError(message)
    return origin


def _measurement(name: str, metric: str | None, stated: Metric, tags: Mapping[str, str]) -> Measurement:
    if not name:
        message = "the name is empty; name the benchmark"
        raise UserError(message)
    at = repr(name) if metric is None else f"{name!r}, metric {metric!r}"
    unit, factor = as_spelled(stated.unit) if stated.unit else (RATIO, 1.0)
    ways = {way.value: way for way in Direction}
    if stated.better not in {None, *ways}:
        message = f"{at}: `better` {stated.better!r} must be one of {', '.join(ways)}"
        raise UserError(message)
    samples, bounds = _numbers(stated.values, at), [stated.lower, stated.upper]
    lower, upper = (None if bound is None else factor * _number(bound, at) for bound in bounds)
    if lower is not None and upper is not None and lower > upper:
        message = f"{at}: `lower` {stated.lower:g} is above `upper` {stated.upper:g}; exchange them"
        raise UserError(message)
    try:
        values = scaled(samples, factor, at=at, signed=unit != NANOSECONDS)
    except RefusedError as error:
        raise UserError(error.detail) from error
    return Measurement(
        benchmark_name=name,
        metric=metric or metric_of(unit),
        units=unit.name,
        direction=ways[stated.better] if stated.better else unit.direction,
        values=values,
        lower=lower,
        upper=upper,
        tags=tags,
    )


def _numbers(values: object, at: str) -> list[float]:
    if isinstance(values, Real) or not isinstance(values, Iterable):
        return [_number(values, at)]
    numbers = [_number(value, at) for value in values]
    if not numbers:
        message = f"{at}: no samples are given"
        raise UserError(message)
    return numbers


def _number(value: object, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        message = f"{at}: {value!r} is no number"
        raise UserError(message)
    try:
        number = float(value)
    except OverflowError as error:
        message = f"{at}: {value:.40} does not fit a float64"
        raise UserError(message) from error
    if not math.isfinite(number):
        message = f"{at}: {value} is not finite"
        raise UserError(message)
    return number


def _digest(measurements: Iterable[Measurement]) -> str:
    """Return the SHA-256 of what was recorded, whatever its order."""
    rows = [
        msgspec.json.encode(
            (
                m.benchmark_name,
                m.metric,
                m.units,
                m.direction,
                sorted(m.tags.items()),
                m.values.tolist(),
                m.lower,
                m.upper,
            )
        )
        for m in measurements
    ]
    return sha256(b"\n".join(sorted(rows))).hexdigest()
