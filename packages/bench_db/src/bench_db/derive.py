"""What a run and its results get before they are stored: checks, base units, keys, statistics and checksums.

The same content always gives the same fields. A contradiction is refused before anything is stored.
"""

from __future__ import annotations

from dataclasses import astuple, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash

from bench_db import identity
from bench_db.arrow import values_hash
from bench_db.clock import FINER_UNITS
from bench_db.errors import UserError
from bench_db.identity import is_commit_id
from bench_db.model import ChangeKind, Result, Samples, copied
from bench_db.summary import summarise_lists
from bench_db.units import BASE_UNITS, Direction, base_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from bench_db.model import (
        AppliedMigration,
        Artifact,
        Baseline,
        Definition,
        Exclusion,
        Finding,
        Notification,
        PairRecord,
        RecordedCommit,
        Run,
        ScanRecord,
        SummaryValues,
        TestBed,
    )

ORDINAL_TAG = "ordinal"
# The columns of a result, by their flat names, that identify it inside a run, in the order of `measured`.
NATURAL = ("suite", "benchmark_name", "metric", "tags_key", "units")
# The columns, by their flat names, that say what was measured, in the order of `fact_of`.
STATISTICS = ("min", "q1", "median", "q3", "max", "mean", "standard_deviation", "lower", "upper")
FACTS = ("values_hash", "n", "error", *STATISTICS)
# Tools print statistics with three digits or more, each rounded on its own.
_ROUNDING = 0.005
_SHARED = ("commit", "branch", "pr_number")
_FURTHEST_SECONDS = 366 * 86_400
_DIRECTIONS = frozenset(way.value for way in Direction)


class Measured(NamedTuple):
    """What one row measured, as two unsigned 64-bit hashes: of its name, and of its samples, statistics or error."""

    name: int
    fact: int


class Derived(list[Result]):
    """Results with every derived field set, and the run with which they were derived."""

    def __init__(self, run: Run, results: Iterable[Result]) -> None:
        super().__init__(results)
        self._run = run
        self._results = tuple(self)

    def are_current(self, run: Run) -> bool:
        """Return whether these are the same records as derived with this run, with unchanged tags and samples."""
        return (
            run == self._run
            and len(self) == len(self._results)
            and all(result is derived for result, derived in zip(self, self._results, strict=True))
            and all(result.values_hash == _values_hash(result) for result in self)
            and all(result.tags_key == identity.tags_key(result.tags) for result in self)
        )


def derive(run: Run, results: Sequence[Result], *, in_place: bool = False) -> tuple[Run, Derived]:
    """Return the run and its results with every derived field set; return derived results unchanged.

    With `in_place` nobody else has the results, and most are filled without a copy. Otherwise these may not be the results of the
    file, and the run has no `input_key`. A missing summary is computed from the values. When two results of one file have the same natural key, the second gets
    the tag `ordinal` (2, 3, ...) and the run's notes name it. A run without an id gets its key as id. Raises `UserError` for a
    derived record with changed samples and an unchanged summary.
    """
    if isinstance(results, Derived) and results.are_current(run):
        return run, results
    notes: list[str] = []
    apart = list(_kept_apart(_summarised(results), notes))
    checksums = [_values_hash(result) for result, _ in apart]
    if not in_place:
        _refuse_changed(apart, checksums)
    known = set(run.notes)
    fresh = tuple(note for note in notes if note not in known)
    facts = [_measured(result, name, sum_) for (result, name), sum_ in zip(apart, checksums, strict=True)]
    key = run.input_key if in_place else None
    run = replace(run, content_key=content_key(facts), input_key=key, results=len(apart), notes=run.notes + fresh)
    run = with_key(run, run_key(run))
    of_others = set[int]() if in_place else set(map(id, results))
    fills = (_filled_copy if id(result) in of_others else _filled for result, _ in apart)
    return run, Derived(run, [fill(run, *pair, sum_) for fill, pair, sum_ in zip(fills, apart, checksums, strict=True)])


def with_key(run: Run, key: int) -> Run:
    """Return the run with a key, which is also its id when it has none."""
    return replace(run, run_key=key, run_id=run.run_id or f"{key:016x}")


def rekeyed(run: Run, results: Sequence[Result], key: int) -> tuple[Run, Sequence[Result]]:
    """Return a derived run and its results with the key of the run that is already stored, and the ids that follow from it."""
    if run.run_key == key:
        return run, results
    moved = [replace(r, run_key=key, id=_id(key, _natural(r).joined)) for r in results]
    return replace(run, run_key=key, input_key=None), moved


def content_key(rows: Iterable[Measured]) -> int:
    """Return the identity of the measurements of a run: a 63-bit hash of its rows in any order."""
    return identity.hash63(("content", *(f"{name:016x}{fact:016x}" for name, fact in sorted(rows))))


def measured(result: Result) -> Measured:
    """Return what a result measured, for `content_key`."""
    return _measured(result, _natural(result), _values_hash(result))


def _measured(result: Result, natural: _Natural, checksum: int | None) -> Measured:
    name = _name_of(natural.joined)
    if checksum is not None:
        return Measured(name, fact_of(checksum, result.n, None))
    stated = (getattr(result.summary, column, None) for column in STATISTICS[:-2])
    return Measured(name, fact_of(None, result.n, result.error, *stated, result.lower, result.upper))


def name_of(natural: Iterable[str]) -> int:
    """Return the hash of the natural key of a row: its columns `NATURAL`."""
    return _name_of(identity.injective(natural))


def _name_of(joined: str) -> int:
    return xxhash.xxh3_64_intdigest(joined.encode("utf-8", "surrogatepass"))


def fact_of(checksum: int | None, n: int, error: str | None, *stated: float | None) -> int:
    """Return the hash of what a row measured, from its columns `FACTS`: its samples, else its statistics or its error."""
    if checksum is not None:
        text = f"samples {checksum} {n}"
    elif error is not None:
        text = f"error {error}"
    else:
        text = f"statistics {n} {' '.join('-' if number is None else repr(float(number)) for number in stated)}"
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def run_key(run: Run) -> int:
    """Return the identity of a run: its content, device, commit (else version and time), test bed name and pull request.

    CI's run id and attempt are no part of it.
    """
    return identity.hash63(("run of content", str(run.content_key), *place_of(run)))


def place_of(run: Run) -> tuple[str, ...]:
    """Return what a run with the same measurements shares when it is the same run: all of `run_key` except the content."""
    dut = run.dut
    build = ("version", dut.version, str(dut.timestamp)) if run.commit is None else ("commit", run.commit)
    pull_request = "" if run.pr_number is None else str(run.pr_number)
    return (dut.name, *build, run.test_bed.name, pull_request)


def baseline_key(baseline: Baseline) -> int:
    """Return the identity of one baseline record."""
    scope = (baseline.dut_name, baseline.testbed_name, baseline.branch, baseline.commit)
    parts = (str(part is None) + (part or "") for part in scope)
    return identity.hash63(
        ("baseline", baseline.name, str(baseline.set_at), baseline.set_by, *parts, *_of(baseline.replaces))
    )


def finding_key(finding: Finding) -> int:
    """Return the identity of one record of a finding."""
    return identity.hash63(
        ("finding", finding.id, finding.state, str(finding.at), finding.by, finding.note, *_of(finding.replaces))
    )


def _of(replaces: int | None) -> tuple[str, ...]:
    """Return what a condition adds to the identity of a record: nothing without one, so that keys of earlier releases stay."""
    return () if replaces is None else (str(replaces),)


def commit_key(record: RecordedCommit) -> int:
    """Return the identity of one record of a commit: all that it states."""
    return identity.hash63(("commit", *(repr(value) for value in astuple(replace(record, key=0)))))


def definition_key(record: Definition) -> int:
    """Return the identity of one record of a definition."""
    return identity.hash63(("definition", *(repr(value) for value in astuple(replace(record, key=0)))))


def exclusion_key(record: Exclusion) -> int:
    """Return the identity of one record of an exclusion."""
    return identity.hash63(("exclusion", *(repr(value) for value in astuple(replace(record, key=0)))))


def notification_key(record: Notification) -> int:
    """Return the identity of one record of a message: of a claim its receiver, change and attempt, so that two processes claim it once."""
    if record.finding_id:
        change = (record.receiver, record.finding_id, record.state, str(record.change), str(record.attempt))
        return identity.hash63(("notification", *change))
    return identity.hash63(("outcome", record.receiver, record.message_id, record.claim))


def scan_key(record: ScanRecord) -> int:
    """Return the identity of one record of a scan: all that it states."""
    return identity.hash63(("scan", *(repr(value) for value in astuple(replace(record, key=0)))))


def pair_key(record: PairRecord) -> int:
    """Return the identity of one verdict of pairs: the pairs and the series, or the suite without a result."""
    return identity.hash63(("pair", record.pair_id, str(record.series_key), record.suite, record.benchmark_name))


def pair_id(base: str, head: str, *, seed: int, began: int, test_bed_name: str) -> str:
    """Return the identity of pairs: their commits, the seed of the order, when they began and where."""
    return f"{identity.hash63(('pairs', base, head, str(seed), str(began), test_bed_name)):016x}"


def migration_key(applied: AppliedMigration) -> int:
    """Return the identity of one record of a migration."""
    return identity.hash63(("migration", applied.name, str(applied.applied_at), applied.bench_db_version))


def artifact_key(artifact: Artifact) -> int:
    """Return the identity of one artifact record: its content, kind, name, run and commit."""
    owners = (
        "" if artifact.run_key is None else str(artifact.run_key),
        str(artifact.commit is None),
        artifact.commit or "",
    )
    return identity.hash63(("artifact", artifact.sha256, artifact.kind, artifact.name, *owners))


def finding_id(series: int, commit: str | None, kind: ChangeKind = ChangeKind.LEVEL) -> str:
    """Return the identity of a finding: its series, the commit at which it was first detected, and what changed."""
    kinds = () if kind is ChangeKind.LEVEL else (kind.value,)  # the ids of earlier releases stay
    return f"{identity.hash63(('change', str(series), commit or '', *kinds)):016x}"


def series_key(result: Result, *, by_name_alone: bool = False) -> int:
    """Return the identity of the series of a result."""
    return _series_key(result, _natural(result).joined, by_name_alone=by_name_alone)


def _series_key(result: Result, natural: str, *, by_name_alone: bool) -> int:
    of_bed = _series_of(result.dut.name, result.test_bed.class_parts(by_name_alone=by_name_alone))
    return identity.hash63_of(of_bed + natural)


@lru_cache(maxsize=64)
def _series_of(dut_name: str, test_bed_class: tuple[str, ...]) -> str:
    return identity.injective(("series", dut_name, str(len(test_bed_class)), *test_bed_class))


def key_of_series(dut_name: str, test_bed_class: tuple[str, ...], natural: tuple[str, ...]) -> int:
    """Return the identity of a series: its device, test bed class, and suite, benchmark, metric, tags key and units."""
    return identity.hash63_of(_series_of(dut_name, test_bed_class) + identity.injective(natural))


class _Natural(NamedTuple):
    """What identifies a result inside its run: the key of its tags, and its columns `NATURAL` joined by `identity.injective`."""

    tags_key: str
    joined: str


def _natural(result: Result) -> _Natural:
    key = identity.tags_key(result.tags)
    return _Natural(key, identity.injective((result.suite, result.benchmark_name, result.metric, key, result.units)))


def _kept_apart(results: Iterable[Result], notes: list[str]) -> Iterator[tuple[Result, _Natural]]:
    taken: set[str] = set()
    last: dict[str, int] = {}  # a file may repeat one key on every line: count on from the last ordinal
    for result in results:
        natural = key = _natural(result)
        ordinal, apart = last.get(natural.joined, 1), result
        while key.joined in taken:
            ordinal += 1
            apart = replace(result, tags={**result.tags, ORDINAL_TAG: str(ordinal)})
            key = _natural(apart)
        taken.add(key.joined)
        last[natural.joined] = ordinal
        if apart is not result:
            tag = f"{ORDINAL_TAG}={ordinal}"
            notes.append(f"{result.benchmark_name}: occurs again in the file, kept apart by the tag {tag}")
        yield apart, key


def _summarised(results: Sequence[Result]) -> Iterator[Result]:
    bare = [r for r in results if r.summary is None and r.error is None and len(r.values)]
    summaries = iter(summarise_lists([r.values for r in bare]) if bare else ())
    for result in results:
        if result.summary is None and result.error is None and len(result.values):
            summarised = copied(result)  # dataclasses.replace takes three times as long
            for name, value in (("summary", next(summaries)), ("n", len(result.values)), ("values_hash", None)):
                _PUT[name](summarised, value)
            yield summarised
        else:
            yield result


def _refuse_changed(results: Iterable[tuple[Result, _Natural]], checksums: Iterable[int | None]) -> None:
    for (result, _), checksum in zip(results, checksums, strict=True):
        if result.summary and result.values_hash not in (None, checksum):
            message = (
                f"{result.benchmark_name!r}: its samples changed after its statistics were computed; make a new record with "
                "dataclasses.replace(result, values=..., summary=None)"
            )
            raise UserError(message)


def _filled_copy(run: Run, result: Result, natural: _Natural, checksum: int | None) -> Result:
    return _filled(run, copied(result), natural, checksum)


# What sets the derived fields of a record, which has slots.
_DERIVED = ("id", "run_key", "series_key", "tags_key", "values_hash", "summary", "n")
_PUT = {name: getattr(Result, name).__set__ for name in _DERIVED}


def _filled(run: Run, result: Result, natural: _Natural, checksum: int | None) -> Result:
    """Set the derived fields of a record that nobody else has: a copy takes half as long again."""
    _PUT["id"](result, _id(run.run_key, natural.joined))
    _PUT["run_key"](result, run.run_key)
    _PUT["series_key"](result, _series_key(result, natural.joined, by_name_alone=run.test_bed_class == "name"))
    _PUT["tags_key"](result, natural.tags_key)
    _PUT["values_hash"](result, checksum)
    return result


def _id(key: int, natural: str) -> str:
    return identity.content_id_of(identity.injective((str(key),)) + natural)


def is_as_derived(result: Result) -> bool:
    """Return whether the id, the keys and the statistics of a stored result are those that follow from its other fields."""
    natural = _natural(result)
    keys = {_series_key(result, natural.joined, by_name_alone=alone) for alone in (False, True)}
    return (
        result.tags_key == natural.tags_key
        and result.id == _id(result.run_key, natural.joined)
        and result.series_key in keys
        and contradiction(result.summary, result.n, result.values) is None
    )


def _values_hash(result: Result) -> int | None:
    return values_hash(result.values) if len(result.values) else None


# The columns of stored results that `rows_in` reads.
MEASURED = ("run_key", *NATURAL, *FACTS)


class Row(NamedTuple):
    """What one stored or new row measured: the hash of it, whether its samples are known, and its count and extremes."""

    fact: int
    sampled: bool
    n: int
    low: float | None
    high: float | None

    def agrees(self, other: Row) -> bool:
        """Return whether both are the same measurement: all the same, or one of them without samples and the extremes equal."""
        if self.fact == other.fact:
            return True
        extremes = (self.n, self.low, self.high)
        is_stated = not (self.sampled and other.sampled) and None not in extremes
        return is_stated and extremes == (other.n, other.low, other.high)


def rows_in(batch: pa.RecordBatch) -> Iterator[tuple[int, int, Row]]:
    """Yield run key, name and measurement of each row of a batch with `MEASURED`."""
    keys = batch.column("run_key").to_pylist()
    naturals = zip(*(batch.column(name).to_pylist() for name in NATURAL), strict=True)
    facts = zip(*(batch.column(name).to_pylist() for name in FACTS), strict=True)
    low, high = FACTS.index("min"), FACTS.index("max")
    names: dict[tuple[str, ...], int] = {}
    for key, natural, fact in zip(keys, naturals, facts, strict=True):
        if natural not in names:
            names[natural] = name_of(natural)
        row = Row(fact_of(*fact), fact[0] is not None, fact[1], fact[low], fact[high])
        yield key, names[natural], row


def row_of(result: Result) -> tuple[Measured, Row]:
    """Return the hashes of a derived result, and its measurement."""
    found, summary = measured(result), result.summary
    extremes = (None, None) if summary is None else (summary.min, summary.max)
    return found, Row(found.fact, bool(len(result.values)), result.n, *extremes)


def time_fault(seconds: int, now: float) -> str | None:
    """Return why unix seconds are not the time of a result, which lies between 1970 and a year from now; None when they are."""
    for least, unit, divisor in FINER_UNITS:
        if seconds >= least:
            return f"these are {unit}; in unix seconds it is {seconds // divisor}"
    if seconds < 0:
        return "it is before 1970"
    return (
        f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ} is more than a year from now"
        if seconds > now + _FURTHEST_SECONDS
        else None
    )


def checked(run: Run, results: Sequence[Result], now: float) -> tuple[Run, Sequence[Result]]:
    """Return a run and its results with base units, and with the commit, branch and pull request of the run in each result.

    Records that need no change are returned as they are. `now` is unix seconds. Raises `UserError` that names the field and what
    to do for a time, commit, branch, pull request, direction, tag or statistic that is not valid, an empty `sha256`, and a result of another
    device, test bed, commit, branch or pull request than its run.
    """
    for reason in _faults_of_run(run, now):
        message = f"run {run.file_name!r}: {reason}"
        raise UserError(message)
    for name in _SHARED:
        values = {getattr(result, name) for result in results} - {None}
        if getattr(run, name) is None and len(values) > 1:
            message = f"run {run.file_name!r}: its results have several values of `{name}`, {sorted(values)[:3]}; publish a run for each"
            raise UserError(message)
    rows = [_checked(run, result, now) for result in results]
    unchanged = all(row is result for row, result in zip(rows, results, strict=True))
    return run, results if unchanged else rows


def _faults_of_run(run: Run, now: float) -> Iterator[str]:
    """Yield what is wrong with a run: the field, its value and what to do."""
    if not run.sha256:
        yield "`sha256` is empty; give the SHA-256 of what was published, such as hashlib.sha256(content).hexdigest()"
    times = {"dut.timestamp": run.dut.timestamp, "run_time": run.run_time, "ingested_at": run.ingested_at}
    yield from _faults_of_times({**times, "test_bed.created_at": run.test_bed.created_at}, now)
    if run.commit is not None and not _is_stored_commit(run.commit):
        yield f"`commit` {run.commit!r} is not a commit id; give the full sha in lower case, as 'git rev-parse' prints it"
    if run.branch == "HEAD":
        yield "`branch` 'HEAD' is what git prints for a checkout at no branch; give the name of the branch, or None"
    if run.pr_number is not None and run.pr_number < 1:
        yield f"`pr_number` {run.pr_number} is not the number of a pull request; give 1 or more, or None"


def _faults_of_times(times: dict[str, int | None], now: float) -> Iterator[str]:
    for name, seconds in times.items():
        if seconds and (fault := time_fault(seconds, now)):
            yield f"`{name}` {seconds}: {fault}; give unix seconds between 1970 and a year from now"


def _is_stored_commit(text: str) -> bool:
    return is_commit_id(text) and text == text.lower()


def _checked(run: Run, result: Result, now: float) -> Result:
    for reason in _faults(run, result, now):
        message = f"{result.benchmark_name!r}: {reason}"
        raise UserError(message)
    changes: dict[str, Any] = {
        name: value for name in _SHARED if getattr(result, name) is None and (value := getattr(run, name)) is not None
    }
    direction = Direction(result.direction)
    if direction is not result.direction:  # a text, such as "lower"
        changes["direction"] = direction
    if result.units not in BASE_UNITS:
        changes |= _in_base_unit(result)
    return replace(result, **changes) if changes else result


def _faults(run: Run, result: Result, now: float) -> Iterator[str]:
    """Yield what is wrong with a result of a run: the field, its value and what to do."""
    if result.dut is not run.dut and result.dut != run.dut:
        yield f"`dut` {result.dut} is not that of its run, {run.dut}; publish a run for each build"
    if result.test_bed != run.test_bed and _undated(result.test_bed) != _undated(run.test_bed):
        yield f"`test_bed` {result.test_bed.name!r} is not that of its run, {run.test_bed}; publish a run for each test bed"
    yield from _faults_of_shared(run, result)
    if (result.timestamp, result.run_time) != (run.ingested_at, run.run_time):
        yield from _faults_of_times({"timestamp": result.timestamp, "run_time": result.run_time}, now)
    if result.direction not in _DIRECTIONS:
        yield f"`direction` {result.direction!r} must be one of {', '.join(Direction)}"
    if result.tags and not all(isinstance(word, str) for tag in result.tags.items() for word in tag):
        yield f"`tags` {dict(result.tags)!r:.200} have a name or a value that is no text; write numbers as texts"
    if result.error is None and (fault := contradiction(result.summary, result.n, result.values)):
        yield f"`summary` contradicts itself: {fault}; correct it, or leave it out to have it computed from the values"
    if result.lower is not None and result.upper is not None and result.lower > result.upper:
        yield f"`lower` {result.lower:g} is above `upper` {result.upper:g}; exchange them"


def _faults_of_shared(run: Run, result: Result) -> Iterator[str]:
    for name in _SHARED:
        its, ours = getattr(result, name), getattr(run, name)
        if its is ours:  # checked with the run
            continue
        if its is not None and ours is not None and its != ours:
            yield f"`{name}` {its!r} is not that of its run, {ours!r}; publish a run for each"
        elif name == "commit" and its is not None and not _is_stored_commit(its):
            yield f"`commit` {its!r} is not a commit id; give the full sha in lower case, as 'git rev-parse' prints it"


def _undated(bed: TestBed) -> TestBed:
    """Return a test bed without the time of its description, which is not part of its identity."""
    return replace(bed, created_at=0)


def contradiction(summary: SummaryValues | None, n: int, values: Sequence[float]) -> str | None:
    """Return how statistics contradict each other or the number of values; None when they do not, or there are none.

    Differences that come from rounding to three digits are not a contradiction. A median that equals the mean may stand for a tool's
    single central figure, which can lie outside the quartiles.
    """
    if summary is None:
        return None
    if n and n < len(values):
        return f"n is {n}, but there are {len(values)} values"
    if summary.standard_deviation is not None and summary.standard_deviation < 0:
        return f"the standard deviation {summary.standard_deviation:g} is negative"
    if _is_in_order(summary):
        return None
    middle = () if summary.median == summary.mean else ("median",)
    for names in (("min", "q1", *middle, "q3", "max"), ("min", "mean", "max")):
        known = [(name, number) for name in names if (number := getattr(summary, name)) is not None]
        for (less, low), (more, high) in pairwise(known):
            if low > high and low - high > _ROUNDING * max(abs(low), abs(high)):
                return f"{less} {low:g} is above {more} {high:g}"
    return None


def _is_in_order(s: SummaryValues) -> bool:
    """Return whether each statistic is there and in its place, as of most results; to find which one is not takes ten times as long."""
    try:
        return s.min <= s.q1 <= s.median <= s.q3 <= s.max and s.min <= s.mean <= s.max  # type: ignore[operator]
    except TypeError:  # one of them is not known
        return False


def _in_base_unit(result: Result) -> dict[str, Any]:
    """Return the fields of a result that change when its unit becomes a base unit; none for a unit that bench_db does not know."""
    try:
        unit, factor = base_unit(result.units)
    except UserError:
        return {}
    scaled: dict[str, Any] = {"units": unit.name}
    if factor != 1:
        scaled |= {name: factor * bound for name in ("lower", "upper") if (bound := getattr(result, name)) is not None}
        scaled |= {"values": Samples(factor * value for value in result.values), "values_hash": None}
    if factor != 1 and result.summary is not None:
        numbers = {
            name: factor * number
            for name in ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")
            if (number := getattr(result.summary, name)) is not None
        }
        scaled["summary"] = replace(result.summary, **numbers)
    return scaled
