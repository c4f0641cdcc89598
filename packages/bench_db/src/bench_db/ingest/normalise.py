"""Parse a file into runs and their results. The caller overrides the file, the file overrides defaults."""

from __future__ import annotations

import platform
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db import identity
from bench_db.derive import contradiction, derive, time_fault
from bench_db.errors import InputFileError, UserError
from bench_db.identity import ABBREVIATED_SHA, is_commit_id, same_commit
from bench_db.ingest import host
from bench_db.ingest.content import file_name as name_of
from bench_db.ingest.content import location
from bench_db.ingest.facts import FactsFrom, found, moment_found
from bench_db.ingest.host import Build, build_of, build_of_commit, checkout_around, of_followed, with_change
from bench_db.ingest.reading import Skip, SkipReason, composed, in_bounds, tags_in_bounds
from bench_db.ingest.registry import AUTO, open_path
from bench_db.model import CiChange, DutBuild, Result, Run, SummaryValues, TestBed
from bench_db.rules import RULES
from bench_db.summary import summarise_lists
from bench_db.units import Direction

if TYPE_CHECKING:
    from bench_db.ingest.adapter import Adapter
    from bench_db.ingest.content import Content
    from bench_db.ingest.reading import Measurement, Reading

_GROUP = "group"
UNKNOWN = "unknown"
_BED_CLASSES = ("machine", "name")
_BLOCK = 1 << 17
_LARGE = 1 << 20


_NO_BUILD = Build()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the publisher knows of a file beyond its content; None where unknown.

    `test_bed` replaces the whole test bed, `test_bed_name` only its name, and
    `test_bed_cpu` and the like one attribute; with an attribute, a file that describes no machine gets nothing from this one.
    `directions` are by metric, "" for all other metrics.
    `checkout` is the directory of the measured source; by default the checkout around the file, unless the file names another
    commit. `commit` is a sha, or a name that the checkout resolves, such as `HEAD`, a branch or a tag. `change` is what CI builds,
    and `facts_from` finds in each file what differs between files.
    `measured_at` is the run time of a file that has none; by default that of a file with a `run_id` or a further `attempt` is when it
    is published, because a CI job publishes what it has just measured. A history gets none of it.
    Times are unix seconds.
    """

    dut_name: str | None = None
    dut_version: str | None = None
    dut_timestamp: int | None = None
    test_bed: TestBed | None = None
    test_bed_name: str | None = None
    test_bed_cpu: str | None = None
    test_bed_memory_gb: int | None = None
    test_bed_os: str | None = None
    test_bed_class: str = "machine"
    checkout: Path | None = None
    commit: str | None = None
    branch: str | None = None
    pr_number: int | None = None
    suite: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    directions: Mapping[str, Direction] = field(default_factory=dict)
    run_id: str | None = None
    attempt: int = 1
    repository: str | None = None
    workflow: str | None = None
    run_url: str | None = None
    change: CiChange | None = None
    facts_from: FactsFrom | None = None
    ingested_at: int = 0
    measured_at: int | None = None

    def __post_init__(self) -> None:
        """Accept a checkout that is a text."""
        if self.checkout is not None:
            object.__setattr__(self, "checkout", Path(self.checkout))


_NOTHING = Provenance()


def parse(
    path: str | Path,
    format: str = AUTO,  # noqa: A002 as the flag is called
    *,
    provenance: Provenance = _NOTHING,
    declared: Sequence[Adapter] = (),
) -> tuple[Run, list[Result]]:
    """Read one file, or one Criterion directory, as a run and its results. `ingested_at` defaults to now.

    A benchmark that cannot be read is counted in `run.skipped` and named in `run.notes`. Raises `UserError` when the path
    cannot be opened or contains the runs of several commits, and `UnreadableOutputError` when the content is not of the format.
    """
    run, *others = parse_each(path, format, provenance=provenance, declared=declared)
    if others:
        message = f"{path}: contains a history of {1 + len(others)} runs, not one. Read all with parse_each or bench-db publish"
        raise UserError(message)
    return run


def parse_each(
    path: str | Path,
    format: str = AUTO,  # noqa: A002 as the flag is called
    *,
    provenance: Provenance = _NOTHING,
    declared: Sequence[Adapter] = (),
) -> Iterator[tuple[Run, list[Result]]]:
    """Yield each run of a file, in the order of the file. Only a history contains more than one.

    The path `-` is standard input. `declared` are the formats of a project. A pipe needs a writer within `rules.input_seconds`. For a history, `provenance` must not set what
    differs between its runs: commit, version and their time. Raises as `parse` does.
    """
    yield from Opened(path, format, provenance=provenance, declared=declared).runs()


class Opened:
    """A file that is open and not parsed: its format, its content, and what the caller says of it."""

    def __init__(  # noqa: PLR0913 all but the first two by keyword
        self,
        path: str | Path,
        format: str = AUTO,  # noqa: A002 as the flag is called
        *,
        provenance: Provenance = _NOTHING,
        declared: Sequence[Adapter] = (),
        deadline_seconds: float = RULES.input_seconds,
        builds: Builds | None = None,
        older: Collection[Path] = (),
    ) -> None:
        """Read the bytes of a file; raise as `parse` does for one that cannot be opened. `builds` has those asked for before.

        Of a directory, the `older` files are not read.
        """
        self._path = Path(path)
        self._adapter, content = open_path(
            self._path, format, declared=declared, deadline_seconds=deadline_seconds, older=older
        )
        sources = provenance.facts_from
        self._provenance = provenance if sources is None else _with_facts(content, sources, provenance)
        self._content: Content | None = content
        self._builds = Builds() if builds is None else builds
        self._digest = ""
        self._around: tuple[str, ...] = (content.path.name, *sorted(content.outside))

    @property
    def size(self) -> int:
        """The number of bytes in memory."""
        return 0 if self._content is None else len(self._content.text) + sum(map(len, self._content.files.values()))

    @property
    def digest(self) -> str:
        """The SHA-256 of the file."""
        if not self._digest and self._content is not None:
            self._digest = self._content.digest()
        return self._digest

    def is_input_of(self, run: Run) -> bool:
        """Return whether publishing this file would store a run that is the same as a stored one, as far as its `input_key` says."""
        if run.input_key is None or run.sha256 != self.digest:
            return False
        try:
            provenance = _stated(self._path, self._provenance)
        except UserError:  # parsing raises it, unless it meets another error first
            return False
        # The file names the commit of the run, or names none: either gives another build than a file for which it is wrong.
        checkout = _checkout_of(self._path, provenance)
        builds = (_source(checkout, commit, provenance, self._builds) for commit in (None, run.commit))
        return any(self._key(provenance, build) == run.input_key for build in builds)

    def _key(self, provenance: Provenance, build: Build) -> int | None:
        """Return the hash of what decides which run is stored; None when that needs more than the file and what is stated."""
        if not self._adapter.self_contained:
            return None
        machine = (platform.node(), platform.processor(), platform.machine(), self._builds.machine())
        facts = (
            *(_own_version(), self._adapter.name, self._adapter.source, name_of(self._path), *self._around),
            machine if provenance.test_bed is None else None,
            sorted(provenance.tags.items()),
            sorted(provenance.directions.items()),
            replace(provenance, tags={}, directions={}, **_UNDECISIVE),
            build,
        )
        return identity.hash63(("input", self.digest, *map(repr, facts)))

    def release(self) -> None:
        """Release the content of a file that is not parsed."""
        self._content = None

    def runs(self, *, keyed: bool = False) -> Iterator[tuple[Run, list[Result]]]:
        """Parse the content and yield its runs; the content is released. With `keyed` a single run has its `input_key`."""
        read = self._read()
        readings = read if isinstance(read, tuple) else (read,)
        key = self._key if keyed and len(readings) == 1 and not readings[0].digest else None
        yield from runs_of(
            self._path,
            readings,
            format=self._adapter.name,
            digest=self._digest,
            provenance=self._provenance,
            builds=self._builds,
            key=key,
        )

    def _read(self) -> Reading | tuple[Reading, ...]:
        """Parse the content and hash it beside, because hashing needs no interpreter lock; a thread costs more than to hash a small one."""
        content, self._content = self._content, None
        if content is None:
            message = "the content is parsed once"
            raise ValueError(message)
        if self._digest or (len(content.text) < _LARGE and not content.files):
            self._digest = self._digest or content.digest()
            return self._adapter.read(content)
        with ThreadPoolExecutor(1) as pool:
            digest = pool.submit(content.digest)
            read = self._adapter.read(content)
        self._digest = digest.result()
        return read


# What a run has from its caller that decides nothing: the same measurements of another CI job are the same run.
_UNDECISIVE: dict[str, Any] = {
    **dict.fromkeys(("checkout", "change", "facts_from", "run_id", "repository", "workflow", "run_url", "measured_at")),
    "attempt": 1,
    "ingested_at": 0,
}


class Builds:
    """The machine and the checkouts around files, each examined once: for one publish, during which they stay as they are."""

    def __init__(self) -> None:
        self.machine = cache(host.this_machine)
        self.of = cache(build_of)
        self.of_commit = cache(build_of_commit)
        self.with_change = cache(with_change)
        self.of_followed = cache(of_followed)


def runs_of(  # noqa: PLR0913 all but the first two by keyword
    path: Path,
    readings: Sequence[Reading],
    *,
    format: str,  # noqa: A002 the column's name
    digest: str,
    provenance: Provenance,
    builds: Builds | None = None,
    key: Callable[[Provenance, Build], int | None] | None = None,
) -> Iterator[tuple[Run, list[Result]]]:
    """Yield the run of each reading of a file, with what the caller and the checkout around the file know of it.

    `digest` is the SHA-256 of the file, and `key` returns the `input_key` of its only run.
    """
    stated = [flag for flag, field in _OF_ONE.items() if getattr(provenance, field) is not None]
    if stated and len(readings) > 1:
        message = (
            f"{', '.join(stated)}: {path} contains a history of {len(readings)} runs, each with its own. Leave it out"
        )
        raise InputFileError(message)
    provenance, build = origin_of(path, readings, provenance, builds)
    if len(readings) > 1:
        provenance = replace(provenance, measured_at=None)
    elif provenance.measured_at is None and (provenance.run_id or provenance.attempt > 1):
        provenance = replace(provenance, measured_at=provenance.ingested_at)
    for reading in readings:
        yield normalise(
            reading,
            file_name="#".join(part for part in (name_of(path), reading.part) if part),
            sha256=reading.digest or digest,
            format=format,
            provenance=provenance,
            build=build,
            input_key=None if key is None or _has_refused_time(reading, build) else key(provenance, build),
        )


def origin_of(
    path: Path, readings: Sequence[Reading], provenance: Provenance, builds: Builds | None = None
) -> tuple[Provenance, Build]:
    """Return the provenance with a full commit and the present time, and the build of the checkout around a path.

    Raises `UserError` for facts that are not valid or contradict each other.
    """
    provenance = _stated(path, provenance)
    builds = Builds() if builds is None else builds
    if len(readings) == 1:
        build = _source(_checkout_of(path, provenance), readings[0].commit, provenance, builds)
    else:
        build = _source_of_history(provenance, builds)
    return provenance if provenance.ingested_at else replace(provenance, ingested_at=host.now()), build


def _has_refused_time(reading: Reading, build: Build) -> bool:
    """Return whether a time is not valid; one too far in the future will be some day."""
    times = (reading.run_time, reading.commit_time, build.timestamp)
    return any(time is not None and time_fault(time, host.now()) for time in times)


_OF_ONE = {"--commit": "commit", "--dut-version": "dut_version", "--dut-timestamp": "dut_timestamp"}


def _with_facts(content: Content, sources: FactsFrom, provenance: Provenance) -> Provenance:
    """Return the provenance with the facts that a file has; what is stated for all files precedes them."""
    facts = {}
    if sources.commit and provenance.commit is None:
        facts["commit"] = found(sources.commit, "commit_from", content)
    if sources.branch and provenance.branch is None:
        facts["branch"] = found(sources.branch, "branch_from", content)
    time = None
    if sources.dut_timestamp and provenance.dut_timestamp is None:
        time = moment_found(sources.dut_timestamp, "dut_timestamp_from", content)
    return replace(
        provenance,
        commit=facts.get("commit", provenance.commit),
        branch=facts.get("branch", provenance.branch),
        dut_timestamp=provenance.dut_timestamp if time is None else time,
    )


def _stated(path: Path, provenance: Provenance) -> Provenance:
    """Return the provenance with its commit as a full sha. Raises `UserError` for facts that are not valid or contradict each other."""
    time = provenance.dut_timestamp
    fault = None if time is None else time_fault(time, host.now())
    if fault:
        message = f"`dut_timestamp` {time}: {fault}; give the time of the commit in unix seconds or as a date"
        raise UserError(message)
    if provenance.commit is None:
        return provenance
    checkout = provenance.checkout or checkout_around(location(path)) or checkout_around(Path().absolute())
    commit = host.resolve(provenance.commit, checkout)
    by_name = not same_commit(provenance.commit, commit)  # then it is the checkout of what was measured
    return replace(provenance, commit=commit, checkout=checkout if by_name else provenance.checkout)


def _branch(name: str | None) -> str | None:
    """Return the name of a branch; None for "HEAD" and for "(detached head)", which tools print for a checkout at no branch."""
    plain = (name or "").removeprefix("refs/heads/")
    return plain if plain and plain != "HEAD" and not plain.startswith("(") else None


def _checkout_of(path: Path, provenance: Provenance) -> Path | None:
    """Return the declared checkout, else the one around the file."""
    return provenance.checkout or checkout_around(location(path))


def _source(checkout: Path | None, commit: str | None, provenance: Provenance, builds: Builds) -> Build:
    """Return the measured build: of the checkout of a file, which may name a commit.

    A checkout of another device is not used.
    """
    if checkout is None and _commit_of(provenance):
        checkout = checkout_around(Path().absolute())
    build = builds.of(checkout) if checkout else Build()
    is_device = provenance.checkout is not None or provenance.dut_name in {None, build.name}
    measured = _commit_of(provenance) or _sha_or_none(commit)
    if measured and not same_commit(measured, build.commit):
        named = Build(name=build.name) if provenance.checkout else Build()
        known = builds.of_commit(checkout, build, measured) if checkout and is_device else Build()
        build = known if known.commit else replace(named, commit=measured)
    elif not is_device:
        build = Build()
    elif not measured:
        if build.refusal and provenance.dut_version is None:
            message = f"{checkout}: {build.refusal}. Without it the commit is not known; or state `commit`, or `dut_version` of what has none"
            raise UserError(message)
        return builds.of_followed(build, checkout, provenance.change)
    return builds.with_change(build, checkout, provenance.change)


def _source_of_history(provenance: Provenance, builds: Builds) -> Build:
    """Return the build that all runs of a history have in common: the name of the declared checkout."""
    return Build(name=builds.of(provenance.checkout).name) if provenance.checkout else Build()


def _commit_of(provenance: Provenance) -> str | None:
    return provenance.commit or identity.commit_of_version(provenance.dut_version or "")


def _sha_or_none(text: str | None) -> str | None:
    return text.lower() if text and is_commit_id(text) else None


def normalise(  # noqa: PLR0913 all but the reading by keyword
    reading: Reading,
    *,
    file_name: str,
    sha256: str,
    format: str,  # noqa: A002 the column's name
    provenance: Provenance,
    build: Build = _NO_BUILD,
    input_key: int | None = None,
) -> tuple[Run, list[Result]]:
    """Return the run and its results, derived and ready to publish. Only the last part of `file_name` is kept.

    `build` is the measured checkout; what the caller or the file says overrides it. `input_key` is that of the run.
    """
    if provenance.test_bed_class not in _BED_CLASSES:
        message = f"test bed class {provenance.test_bed_class!r}: must be one of {', '.join(_BED_CLASSES)}"
        raise UserError(message)
    provenance = _spelled(replace(provenance, branch=_branch(provenance.branch)))
    reading, build = _sound(_consistent(reading), provenance, build)
    commit = _commit(reading, provenance, build)
    dut = _dut(reading, provenance, build, commit)
    bed, assumed = _test_bed(reading, provenance)
    run_time = provenance.measured_at if reading.run_time is None else reading.run_time
    within, cut = in_bounds(reading.measurements)
    run = Run(
        run_id=provenance.run_id or reading.run_id,
        attempt=provenance.attempt,
        file_name=re.split(r"[/\\]", file_name)[-1].encode("utf-8", "replace").decode(),
        sha256=sha256,
        format=format,
        dut=dut,
        test_bed=bed,
        test_bed_class=provenance.test_bed_class,
        commit=commit,
        branch=provenance.branch or reading.branch or _branch(build.branch),
        pr_number=build.pr_number if provenance.pr_number is None else provenance.pr_number,
        repository=provenance.repository,
        workflow=provenance.workflow,
        run_url=provenance.run_url,
        context=reading.context,
        run_time=run_time,
        skipped=dict(sorted(Counter(str(skip.reason) for skip in reading.skips).items())),
        notes=(
            *_timing(reading, provenance, dut),
            *_too_late(dut.timestamp, run_time if commit else None),
            *_branch_note(reading, provenance, build),
            *assumed,
            *reading.notes,
            *cut,
            *map(str, reading.skips),
        ),
        ingested_at=provenance.ingested_at,
        bench_db_version=_own_version(),
        merge_commit=build.merge_commit if commit == build.commit else None,
        default_branch=build.default_branch,
        input_key=input_key,
    )
    summarised = _summarised(_kept_apart(within, provenance))
    rows = [_result(run, reading.source, m, summary, provenance) for m, summary in summarised]
    return derive(run, rows, in_place=True)


def _spelled(provenance: Provenance) -> Provenance:
    """Return the names of the caller in NFC, and the tags in their bounds."""
    return replace(
        provenance,
        dut_name=provenance.dut_name and composed(provenance.dut_name),
        test_bed_name=provenance.test_bed_name and composed(provenance.test_bed_name),
        suite=provenance.suite and composed(provenance.suite),
        tags=tags_in_bounds(provenance.tags),
        directions={composed(metric): direction for metric, direction in provenance.directions.items()},
    )


def _consistent(reading: Reading) -> Reading:
    """Return a reading without the measurements whose statistics contradict each other; each becomes a skip."""
    faults = {
        id(m): fault
        for m in reading.measurements
        if m.summary is not None and (fault := contradiction(m.summary, m.n, m.values))
    }
    if not faults:
        return reading
    wrong = [m for m in reading.measurements if id(m) in faults]
    skips = [
        Skip(benchmark=m.benchmark_name, reason=SkipReason.CONTRADICTION, detail=f"{m.metric}: {faults[id(m)]}")
        for m in wrong
    ]
    return replace(
        reading,
        measurements=tuple(m for m in reading.measurements if id(m) not in faults),
        skips=(*reading.skips, *skips),
    )


def _sound(reading: Reading, provenance: Provenance, build: Build) -> tuple[Reading, Build]:
    """Return what a file and a checkout say without what is not valid, and what a caller contradicts, each with a note."""
    notes: list[str] = []
    reading = replace(
        reading,
        run_time=_valid_time(reading.run_time, "time of the run in the file", notes),
        commit_time=_valid_time(reading.commit_time, "time of the commit in the file", notes),
        branch=_branch(reading.branch),
    )
    build = replace(build, timestamp=_valid_time(build.timestamp, "time of the commit in the checkout", notes))
    if reading.commit and not _sha_or_none(reading.commit):
        notes.append(f"the commit in the file, {reading.commit:.40}, is not used: it is not a sha of 7 digits or more")
        reading = replace(reading, commit=None, version=reading.version or reading.commit)
    reading, other = _without_contradictions(reading, provenance, build)
    return replace(reading, notes=(*notes, *other, *reading.notes)), build


def _valid_time(time: int | None, what: str, notes: list[str]) -> int | None:
    fault = None if time is None else time_fault(time, host.now())
    notes += [f"the {what}, {time}, is not used: {fault}"] if fault else []
    return None if fault else time


def _without_contradictions(reading: Reading, provenance: Provenance, build: Build) -> tuple[Reading, list[str]]:
    """Return a reading without the facts that the caller replaces, and a note for each that differs."""
    notes = []
    stated, named = _commit_of(provenance), identity.commit_of_version(reading.version or "")
    if build.merge_commit and same_commit(build.merge_commit, stated or reading.commit or build.merge_commit):
        notes.append(
            f"commit {_short(build.merge_commit)} is a merge that CI made for a pull request; "
            f"stored under the head of the pull request, {_short(build.commit)}"
        )
        if same_commit(reading.commit, build.merge_commit):
            reading = replace(reading, commit=None, commit_time=None)
        if same_commit(named, build.merge_commit):
            reading = replace(reading, version=None)
    elif stated and reading.commit and not same_commit(stated, reading.commit):
        notes.append(f"the commit in the file, {_short(reading.commit)}, is replaced by {_short(stated)}, as stated")
        reading = replace(reading, commit=None, commit_time=None, branch=None)
    if stated and named and not same_commit(stated, named):
        reading = replace(reading, version=None)
    of_version = identity.commit_of_version(provenance.dut_version or "")
    if provenance.commit and of_version and not same_commit(provenance.commit, of_version):
        version = provenance.dut_version
        notes.append(f"the version {version} names another commit than {_short(provenance.commit)}, which is stored")
    for what, mine, its in (
        ("branch", provenance.branch, reading.branch),
        ("time of the commit", provenance.dut_timestamp, reading.commit_time),
        ("version", provenance.dut_version, reading.version),
    ):
        if mine is not None and its is not None and mine != its:
            notes.append(f"the {what} in the file, {its}, is replaced by {mine}, as stated")
    return reading, notes


def _short(commit: str | None) -> str:
    return (commit or "")[: RULES.sha_length]


def _commit(reading: Reading, provenance: Provenance, build: Build) -> str | None:
    """Return the measured commit: of the caller, else of the file, else of the checkout, with as many digits as any of them has."""
    known = (_commit_of(provenance), _sha_or_none(reading.commit), build.commit)
    measured = next(filter(None, known), None)
    if same_commit(measured, build.merge_commit):
        return build.commit
    return max((commit for commit in known if commit and same_commit(commit, measured)), key=len, default=None)


def _dut(reading: Reading, provenance: Provenance, build: Build, commit: str | None) -> DutBuild:
    times = (provenance.dut_timestamp, reading.commit_time, build.timestamp, reading.run_time)
    time = next((time for time in times if time is not None), 0)
    return DutBuild(
        name=provenance.dut_name or composed(build.name or UNKNOWN),
        version=provenance.dut_version
        or reading.version
        or build.version
        or (commit[:ABBREVIATED_SHA] if commit else UNKNOWN),
        timestamp=time,
    )


def _timing(reading: Reading, provenance: Provenance, dut: DutBuild) -> tuple[str, ...]:
    is_stated = reading.commit_time is not None or provenance.dut_timestamp is not None
    by_run = not is_stated and dut.timestamp == reading.run_time
    return ("the commit's time is not known: ordered by when it was measured",) if by_run else ()


def _too_late(committed: int, measured: int | None) -> tuple[str, ...]:
    """Return a note on a commit that is dated after its run began, which the order of commits does not follow."""
    if measured is None or committed <= measured:
        return ()
    dated, began = (f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}" for time in (committed, measured))
    note = f"the commit is dated {dated} UTC, after its run began at {began} UTC, and is ordered as made then"
    return (f"{note}; check --dut-timestamp and the clocks of both machines",)


def _branch_note(reading: Reading, provenance: Provenance, build: Build) -> tuple[str, ...]:
    return () if provenance.branch or reading.branch else build.notes


def _test_bed(reading: Reading, provenance: Provenance) -> tuple[TestBed, tuple[str, ...]]:
    """Return the declared bed, else the one in the file, else this machine, and a note when this machine was assumed.

    A file of this machine, and one that does not describe its machine, get the description of this machine.
    """
    bed, notes = (provenance.test_bed, ()) if provenance.test_bed else _described(reading)
    stated = (provenance.test_bed_cpu, provenance.test_bed_memory_gb, provenance.test_bed_os)
    if stated != (None, None, None):
        if notes:  # nothing in the file, so nothing of this machine either
            bed, notes = TestBed(name=provenance.test_bed_name or UNKNOWN), ()
        cpu, memory_gb, os = stated
        bed = replace(
            bed,
            cpu=bed.cpu if cpu is None else cpu,
            memory_gb=bed.memory_gb if memory_gb is None else memory_gb,
            os=bed.os if os is None else os,
        )
    return replace(bed, name=provenance.test_bed_name or composed(bed.name)), notes


def _described(reading: Reading) -> tuple[TestBed, tuple[str, ...]]:
    here = host.this_machine()
    if reading.test_bed is not None:
        return (here if _is(here, reading.test_bed, reading.node) else reading.test_bed), ()
    if host.is_elsewhere(reading.node):
        note = f"measured on {reading.node}, not on this machine, and the file does not describe it"
        return TestBed(name=UNKNOWN), (f"{note}; state its name and CPU",)
    note = f"the file does not name a machine, so it is assumed to be this one: {here.cpu}, {here.memory_gb} GiB, {here.os}"
    if reading.part:
        return here, (
            f"{note}. Was this history measured elsewhere, as in CI? Give --test-bed-name and --test-bed-cpu",
        )
    return here, (f"{note}; state its name and CPU when it was another",)


def _is(here: TestBed, described: TestBed, node: str | None) -> bool:
    """Return whether a file describes this machine. The host name alone is not enough: virtual machines share names.

    A file without a host name is compared by CPU and family of the operating system.
    """
    if node is None:
        return described.cpu == here.cpu and described.os == here.os.partition(" ")[0]
    cpus = {here.cpu, platform.processor(), platform.machine()}
    return bool(node) and node == platform.node() and described.os == here.os and described.cpu in cpus


def _result(
    run: Run, source: str, measurement: Measurement, summary: SummaryValues | None, provenance: Provenance
) -> Result:
    return Result(
        dut=run.dut,
        test_bed=run.test_bed,
        benchmark_name=measurement.benchmark_name,
        values=measurement.values,
        summary=summary,
        units=measurement.units,
        throughput=measurement.throughput,
        metadata=measurement.metadata,
        timestamp=run.ingested_at,
        commit=run.commit,
        branch=run.branch,
        pr_number=run.pr_number,
        suite=measurement.suite if provenance.suite is None else provenance.suite,
        metric=measurement.metric,
        direction=provenance.directions.get(measurement.metric) or provenance.directions.get("", measurement.direction),
        tags={**measurement.tags, **provenance.tags},
        iterations=measurement.iterations,
        lower=measurement.lower,
        upper=measurement.upper,
        n=measurement.n if summary is measurement.summary else len(measurement.values),
        error=measurement.error,
        run_time=run.run_time,
        source=source,
    )


def _kept_apart(measurements: Sequence[Measurement], provenance: Provenance) -> Iterator[Measurement]:
    """Tag measurements with their suite when one declared suite replaces several that kept them distinct."""
    suites: dict[tuple[object, ...], set[str]] = {}
    if provenance.suite is not None:
        for m in measurements:
            suites.setdefault(_but_suite(m), set()).add(m.suite)
    for m in measurements:
        shared = len(suites.get(_but_suite(m), ())) > 1
        yield replace(m, tags={**m.tags, _GROUP: m.suite}) if shared and m.suite else m


def _but_suite(measurement: Measurement) -> tuple[object, ...]:
    return measurement.benchmark_name, measurement.metric, measurement.units, *sorted(measurement.tags.items())


def _summarised(measurements: Iterable[Measurement]) -> Iterator[tuple[Measurement, SummaryValues | None]]:
    """Yield measurements beside their statistics, in blocks: all samples at once would take five times their memory."""
    block: list[Measurement] = []
    size = 0
    for measurement in measurements:
        block.append(measurement)
        size += len(measurement.values)
        if size >= _BLOCK:
            yield from _with_summaries(block)
            block, size = [], 0
    yield from _with_summaries(block)


def _with_summaries(block: list[Measurement]) -> Iterator[tuple[Measurement, SummaryValues | None]]:
    bare = [m.values for m in block if m.summary is None and m.values]
    summaries = iter(summarise_lists(bare) if bare else ())
    for m in block:
        yield m, m.summary if m.summary or not m.values else next(summaries)


@cache
def _own_version() -> str:
    try:
        return version("bench-db")
    except PackageNotFoundError:
        return ""
