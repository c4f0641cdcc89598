"""The records of bench_db: the rows of a store, and the answers of use cases."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Self, TypeVar

from bench_db.units import Direction

SCHEMA_VERSION = 1
# The usual names of a main branch, where nothing else names one.
MAIN_NAMES = ("main", "master")


class Storage(NamedTuple):
    """The Arrow type name and nullability of a field whose Python type does not determine them."""

    arrow: str
    nullable: bool = True


Int16 = Annotated[int, Storage("int16")]
Int32 = Annotated[int, Storage("int32")]
Key = Annotated[int, Storage("int64", nullable=False)]

# What frames and JSON give: their schema has the types of the values, and Python does not.
FrameRow = Mapping[str, Any]
JsonObject = Mapping[str, Any]


if TYPE_CHECKING:
    _FloatArray = array[float]
else:
    _FloatArray = array  # takes no parameter before Python 3.12


class Samples(_FloatArray):
    """Per-iteration values in a base unit, as a float64 array; it equals any sequence of the same numbers."""

    __hash__ = None

    def __new__(cls, values: Iterable[float] = ()) -> Self:
        """Copy the values."""
        return super().__new__(cls, "d", values)  # type: ignore[return-value]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, array):
            return super().__eq__(other)
        if isinstance(other, Sequence):
            return self.tolist() == list(other)
        return NotImplemented

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"Samples([{shown}{', ...' if len(self) > 3 else ''}], n={len(self)})"  # noqa: PLR2004


@dataclass(frozen=True, slots=True, kw_only=True)
class TestBed:
    """The machine on which a run was measured.

    `memory_gb` is a whole number of GiB, 0 when unknown; `os` is system and release. `created_at` is the unix time of the
    first description of the bed, 0 when unknown; it is not part of the identity.
    """

    __test__: ClassVar[bool] = False  # pytest must not collect this class, although its name starts with Test

    name: str
    cpu: str = ""
    memory_gb: Int32 = 0
    os: str = ""
    created_at: int = 0

    @property
    def os_family(self) -> str:
        """The operating system without its release, because a kernel update does not make another test bed."""
        return self.os.split(" ", 1)[0]

    def class_parts(self, *, by_name_alone: bool = False) -> tuple[str, ...]:
        """Return the test bed class; all results of a series have the same one."""
        if by_name_alone:
            return (self.name,)
        return (self.name, self.cpu, str(self.memory_gb), self.os_family)


@dataclass(frozen=True, slots=True, kw_only=True)
class DutBuild:
    """The measured build of a device under test; `timestamp` is the commit time in unix seconds, 0 when unknown."""

    name: str
    version: str
    timestamp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryValues:
    """Statistics of the values of one result, in its unit; `bench_db.summary` has the formulas.

    When a tool reports statistics and no samples, the statistics it omits are null. A single central figure becomes both
    `median` and `mean`, because runs are compared by their median.
    """

    min: float | None = None
    q1: float | None = None
    median: float
    q3: float | None = None
    max: float | None = None
    mean: float
    standard_deviation: float | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what `pickle` needs, as `Result` does: each result has one."""
        return _summary_of, _STATISTICS_OF(self)


_STATISTICS_OF = attrgetter(*(one.name for one in fields(SummaryValues)))
_STATISTICS_PUTS = tuple(getattr(SummaryValues, one.name).__set__ for one in fields(SummaryValues))


def _summary_of(*values: float | None) -> SummaryValues:
    summary = object.__new__(SummaryValues)
    for put, value in zip(_STATISTICS_PUTS, values, strict=True):
        put(summary, value)
    return summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Work per iteration: `multiplier` times `name` (bytes, elements); `unit_system` is "binary" or "decimal"."""

    multiplier: float
    name: str
    unit_system: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of one benchmark in one run; the first ten fields are those of a lance-bench row, in the same order.

    `values` are per iteration in `units`, empty when the tool reports only statistics or the benchmark failed. `n` is the
    number of samples behind `summary`. Exactly one of `summary` and `error` is null. `lower` and `upper` are the interval
    that the tool reports; `iterations` are counts per sample, empty when the tool reports none. Times are unix seconds.
    """

    id: str = ""
    dut: DutBuild
    test_bed: TestBed
    benchmark_name: str
    values: Samples = field(default_factory=Samples)
    summary: SummaryValues | None = None
    units: str = "nanoseconds"
    throughput: Throughput | None = None
    metadata: str = "{}"
    timestamp: int = 0
    run_key: Key = 0
    series_key: Key = 0
    commit: str | None = None
    branch: str | None = None
    pr_number: Int32 | None = None
    suite: str = ""
    metric: str = "time"
    direction: Direction = Direction.LOWER
    tags: Mapping[str, str] = field(default_factory=dict)
    tags_key: str = ""
    iterations: tuple[int, ...] = ()
    lower: float | None = None
    upper: float | None = None
    n: int = 0
    error: str | None = None
    run_time: int | None = None
    source: str = ""
    schema_version: Int16 = SCHEMA_VERSION
    values_hash: int | None = None

    def __post_init__(self) -> None:
        given: Sequence[float] = self.values
        if not isinstance(given, Samples):  # accept any sequence of numbers
            object.__setattr__(self, "values", Samples(given))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what `pickle` and `copy` need; dataclasses with slots look up the fields of each record again."""
        return _result_of, _VALUES_OF(self)


_VALUES_OF = attrgetter(*(one.name for one in fields(Result)))
_PUTS = tuple(getattr(Result, one.name).__set__ for one in fields(Result))


def _result_of(*values: object) -> Result:
    """Return the record that has these values, which are those of another one, in the order of the fields."""
    result = object.__new__(Result)
    for put, value in zip(_PUTS, values, strict=True):
        put(result, value)
    return result


def copied(result: Result) -> Result:
    """Return a copy of a record, in two thirds of the time of `copy.copy`."""
    return _result_of(*_VALUES_OF(result))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One published file (or one Criterion directory), and what all its results have in common.

    `content_key` identifies the measurements whatever the bytes of the file, and `run_key` the measurements of one commit of a
    device on a test bed (see `derive`); releases before `content_key` left it null. `run_id` and `attempt` are provenance; they
    group the files of one CI run. `input_key` is a hash of the bytes of the file and of everything else that decides what a
    publish of it stores; null where some of that cannot be determined without parsing it, and for results that were
    changed after parsing. `context` is the tool's description of itself and its machine, as one JSON text. `skipped`
    counts skipped benchmarks by reason, and `notes` names each. `test_bed_class` is "machine" or "name": the attributes that
    form the test bed class. `merge_commit` is the merge of a pull request that CI built when `commit` is the head of that pull
    request, and `default_branch` the default branch of the repository. `pair_id` names the pairs that measured the run, and `pair_side`
    is its `PairSide`; both are null for a run measured by itself. Times are unix seconds. Null means unknown.
    """

    run_key: Key = 0
    run_id: str = ""
    attempt: Int32 = 1
    file_name: str
    sha256: str
    format: str
    dut: DutBuild
    test_bed: TestBed
    test_bed_class: str = "machine"
    commit: str | None = None
    branch: str | None = None
    pr_number: Int32 | None = None
    repository: str | None = None
    workflow: str | None = None
    run_url: str | None = None
    context: str = "{}"
    run_time: int | None = None
    results: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ingested_at: int = 0
    bench_db_version: str = ""
    schema_version: Int16 = SCHEMA_VERSION
    merge_commit: str | None = None
    default_branch: str | None = None
    content_key: int | None = None
    pair_id: str | None = None
    pair_side: str | None = None
    input_key: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CiChange:
    """The change that a CI job builds; None where the job does not give a value.

    `commit` is the commit that the job checks out by default. In the job of a pull request it may be a merge that exists only
    there: `head_commit` and `branch` are then those of the author, `base_commit` and `base_branch` those of the target. `of_branch`
    is true where the job is one of `branch` in the repository itself, and `pr_number` a pull request that is open from it. `follows` is
    true where the job was started by the end of another one, of `head_commit`, and itself begins at `base_commit`.
    """

    commit: str | None = None
    head_commit: str | None = None
    base_commit: str | None = None
    branch: str | None = None
    base_branch: str | None = None
    default_branch: str | None = None
    pr_number: int | None = None
    of_branch: bool = False
    follows: bool = False
    repository: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit; `time` is the committer time in unix seconds, and `parents` are full shas, first parent first."""

    sha: str
    time: int
    parents: tuple[str, ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Target:
    """One thing to measure of a commit: a suite on a test bed. An empty name means any."""

    suite: str = ""
    test_bed: str = ""

    def __str__(self) -> str:
        bed = f" on {self.test_bed}" if self.test_bed else ""
        return f"{self.suite or 'everything'}{bed}"

    def covers(self, suite: str, test_bed: str) -> bool:
        """Return whether a result of this suite and test bed is a result of this target."""
        return self.suite in ("", suite) and self.test_bed in ("", test_bed)


class Reason(StrEnum):
    """The reason why a plan measures a commit, or leaves it out."""

    NOT_MEASURED = "not measured"
    INCOMPLETE = "measured in part"
    FAILED_BEFORE = "failed before"
    MEASURED = "measured"
    IN_FLIGHT = "being measured now"
    GIVEN_UP = "failed too often"
    FAILED_KEPT = "failed before, and failures are not tried again"
    NOT_NEW = "older than the newest measured commit"
    NEVER_MEASURED = "never measured, and only existing ones were asked for"
    OUT_OF_TIME = "outside the dates asked for"
    NOT_CHOSEN = "between two chosen commits"
    OVER_LIMIT = "more than one plan may hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One commit to measure, its targets and the reason."""

    commit: Commit
    targets: tuple[Target, ...]
    reason: Reason
    attempt: int = 1

    @property
    def suites(self) -> tuple[str, ...]:
        """Suites to measure, each once; empty for all."""
        return tuple(dict.fromkeys(target.suite for target in self.targets if target.suite))

    @property
    def explanation(self) -> str:
        """The reason with the targets and the attempt, such as "failed before: python on ci (attempt 2)"."""
        wanted = ", ".join(map(str, self.targets))
        again = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        return f"{self.reason}: {wanted}{again}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One commit that a plan leaves out, and the reason."""

    commit: Commit
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The commits to measure, in order. Every commit of the range is either a step or left out.

    `incomplete` are commits with failures that the plan does not try again, oldest first.
    """

    steps: tuple[Step, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    incomplete: tuple[Commit, ...] = ()


class AttemptState(StrEnum):
    """The state of one attempt to measure a commit. DISPATCHING and STARTED are open, all others are final."""

    DISPATCHING = "dispatching"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    LOST = "lost"

    @property
    def is_open(self) -> bool:
        """Whether the attempt may still be running."""
        return self in (AttemptState.DISPATCHING, AttemptState.STARTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One event of an attempt to measure a commit. `at` and `started_at` are unix seconds; no suites means all.

    `kept` is the number of results that a suite wrote before it failed, and that are stored.
    """

    commit: str
    state: AttemptState
    at: int
    started_at: int = 0
    attempt: int = 1
    suites: tuple[str, ...] = ()
    correlation: str = ""
    run_id: int | None = None
    url: str = ""
    detail: str = ""
    kept: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request to measure a pull request. No kinds means all; `suites` are of the one kind that is named."""

    commit_sha: str
    pr_number: int
    pr_repo: str
    kinds: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    user: str = ""


class Side(StrEnum):
    """The end of a bisection that a commit resembles."""

    GOOD = "as the good commit"
    BAD = "as the bad commit"
    UNSURE = "neither, within the noise"
    UNMEASURABLE = "cannot be measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The side of one commit after `rounds` measurements; `typical` is the median of their medians."""

    commit: Commit
    side: Side
    rounds: int
    typical: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisection:
    """The commits that may contain a change, oldest first, and the measurements of each commit.

    `suspects` has one commit when the change is found, and several when noise or failures hide it.
    """

    suspects: tuple[Commit, ...]
    looks: tuple[Look, ...]

    @property
    def found(self) -> Commit | None:
        """The commit of the change."""
        return self.suspects[0] if len(self.suspects) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One setting of a named pointer to the commit that candidates are compared with; the newest of a name and scope applies.

    The scope is a device, a test bed and a branch, null for any. A pointer without a commit clears the name. `commit` may also be
    `version:` with a version, or `run:` with keys of runs, for results without commits. A setting with `replaces` applies only if
    the record with that key was the newest when it was written; null applies always.
    """

    key: Key = 0
    name: str
    commit: str | None
    dut_name: str | None = None
    testbed_name: str | None = None
    branch: str | None = None
    set_at: int
    set_by: str = ""
    replaces: int | None = None


class Figure(StrEnum):
    """The statistic of the samples of a run by which a series is judged."""

    MINIMUM = "min"
    LOWER_QUARTILE = "q1"
    MEDIAN = "median"
    UPPER_QUARTILE = "q3"
    MAXIMUM = "max"


class State(StrEnum):
    """The state of a finding, in the order of reports."""

    OPEN = "open"
    REOPENED = "reopened"
    BLESSED = "blessed"
    FIXED = "fixed"
    IGNORED = "ignored"


class Cause(StrEnum):
    """The cause of a change, as far as there is evidence for one. It never takes a change out of a count or a gate."""

    CODE = "code"
    MACHINE = "machine"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedBenchmarks:
    """The benchmarks of a suite that moved on one test bed at one commit, and how many were measured.

    `whole_run` says that these are so many that the whole run moved.
    """

    test_bed_name: str
    moved: int
    measured: int
    whole_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """The cause of the changes of a device and suite at one commit, the evidence for it, and the benchmarks of each test bed.

    `machine` stands for the machine or the tool chain. Each text of `evidence` is one observation, or what is missing.
    """

    dut_name: str
    suite: str
    cause: Cause
    evidence: tuple[str, ...]
    test_beds: tuple[MovedBenchmarks, ...]


class ChangeKind(StrEnum):
    """What changed in a series: its level, its spread from run to run, or the share of its slow runs."""

    LEVEL = "level"
    SPREAD = "spread"
    MODES = "modes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One record of a change of a series; the newest record of an id applies.

    `index` is the 0-based position of the first point of the new level, and `commit` is the commit of that point. `effect`,
    `low` and `high` are relative (0.08 is +8 %). `common_mode` names the run when the change is
    part of a movement of the whole run. `cause` and the texts of `evidence` are those of the newest scan; `cause` is null in
    records of releases that did not look for it. A record with `replaces` applies only if the record with that key was the newest
    of the id when it was written, 0 if there was none; null applies always. `confirmed_by` is the `pair_id` of stored pairs that found the
    change, too, at its commit; null without. A finding that is `provisional` and fixed was withdrawn: later runs did not confirm it.
    A `kind` of spread or modes has no effect and no interval, is neither worse nor better, and states what was `before` and is `after`: the
    noise from run to run, or the share of the worse of two modes (of the upper one where neither is worse). Both are null of a level.
    """

    key: Key = 0
    id: str
    series_key: int
    commit: str | None
    index: int
    effect: float | None
    low: float | None
    high: float | None
    p_value: float | None
    provisional: bool
    common_mode: str | None = None
    state: State = State.OPEN
    at: int
    by: str = ""
    note: str = ""
    cause: Cause | None = None
    evidence: tuple[str, ...] = ()
    figure: Figure = Figure.MEDIAN
    replaces: int | None = None
    confirmed_by: str | None = None
    kind: ChangeKind = ChangeKind.LEVEL
    before: float | None = None
    after: float | None = None

    @property
    def is_withdrawn(self) -> bool:
        """Whether later runs took a provisional change back: it was never a change, so nobody fixed it."""
        return self.provisional and self.state == State.FIXED

    @property
    def is_unsettled(self) -> bool:
        """Whether later runs will confirm or withdraw the change."""
        return self.provisional and self.state in {State.OPEN, State.REOPENED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRecord:
    """One record of a scan of the main history of a device: what it read, and how many series it judged.

    `commit` is the newest commit that the scan read, null when that build has only `dut_version`. `runs` is the number of runs of the
    device's main history, and `store_version` the version of the results. `judged` series had enough runs, `too_short` ones had not. `part`
    names the conditions of a scan of a part of the series or of the time, empty for all.
    """

    key: Key = 0
    dut_name: str
    commit: str | None
    dut_version: str
    runs: int
    store_version: int
    judged: int
    too_short: int
    profile: str
    rate: float
    part: str = ""
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastScan:
    """The newest scan of the whole main history of a device, and what has been published since; a null `scan` for none.

    `commits_since` counts the measured commits after the newest one of the scan, and `runs_since` the further runs of the device, of whatever
    commit; `late_runs` are those of them that are not of a later commit, as of a backfill. All are null without a scan, and `commits_since`
    and `late_runs` also when the commit is not in the main history any more.
    """

    dut_name: str
    scan: ScanRecord | None
    commits_since: int | None
    runs_since: int | None
    late_runs: int | None

    @property
    def is_current(self) -> bool:
        """Whether the scan read everything that the main history has, and judged a series."""
        return self.scan is not None and self.scan.judged > 0 and self.commits_since == 0 and self.runs_since == 0


FAILURE = "bench-db-failure/1"
"""The source of the row of a suite that failed as a whole or in part."""


class NotificationStep(StrEnum):
    """What a record of the notifications is about."""

    CLAIMED = "claimed"
    DELIVERED = "delivered"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One record of a message to a receiver: a claim on one change of state of a finding, or the outcome of the claims of a message.

    `step` is `claimed`, written before the message is sent, or its outcome: `delivered`, `unknown` (the receiver may have it) or
    `refused` (it does not). `claim` identifies the process that sends. `state` is the one that the finding `finding_id` came into, and `change` the
    key of the record with which it did; an outcome has neither. `attempt` counts the claims on the same change. `reference` is the address
    of an issue. `note` says why an outcome is not `delivered`. No record has the address of a receiver or a token.
    """

    key: Key = 0
    receiver: str
    message_id: str
    step: NotificationStep
    claim: str
    at: int
    finding_id: str = ""
    state: str = ""
    change: int | None = None
    attempt: int = 1
    reference: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFindings:
    """The findings in one state at one commit: the ids, and how many are for the worse, for the better and neither.

    Of those that are neither, `spread` and `modes` are the numbers of findings of these kinds.
    `worse_effect` and `better_effect` are the medians of their relative changes, null for none, and where some rise and others fall.
    `units` are those of their series.
    """

    commit: str | None
    state: State
    ids: tuple[str, ...]
    worse: int
    better: int
    neither: int
    worse_effect: float | None
    better_effect: float | None
    spread: int = 0
    modes: int = 0
    test_bed_names: tuple[str, ...]
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file stored beside the results, and its run or commit. A file of several runs or commits has one record for each.

    `uri` is the path inside the store, derived from `sha256`. `kind` is "log", "profile", "raw output" or any other word.
    `added_at` is the unix time of the first upload.
    """

    key: Key = 0
    sha256: str = ""
    uri: str = ""
    size_bytes: int = 0
    kind: str
    name: str
    run_key: int | None = None
    commit: str | None = None
    added_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedMigration:
    """A migration of a store, the release that applied it, and the number of changed rows."""

    key: Key = 0
    name: str
    rows: int = 0
    applied_at: int
    bench_db_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCommit:
    """What one record of the table `commits` states of a commit of a device; a later record completes an earlier one.

    `position` is the number of commits on the line of first parents that ends with the commit, `ancestors` the number of all commits
    that it contains, itself included; both are null where the clone does not show them all. `parents` are full shas, first parent
    first, empty when unknown. `time`, `author_time`, `measured_at` (the run time of its first result) and `recorded_at`
    are unix seconds. `branch` and `pr_number` are those of the run that recorded it, `main_branch` is the default branch as CI or the
    clone names it. `on_main` states whether the commit is on the first-parent line of the main branch, `reachable` whether a sync has
    found it in the history; both are null when unknown. `source` is publish, backfill, sync or forge. `replaces` is the key of
    the record before it, null for the first. `tree` is git's id of the content of the commit, null when
    unknown: a squash merge has that of the head of its pull request, unless main changed in between.
    """

    key: Key = 0
    dut_name: str
    commit: str
    time: int = 0
    position: int | None = None
    parents: tuple[str, ...] = ()
    author_time: int | None = None
    subject: str = ""
    branch: str | None = None
    pr_number: Int32 | None = None
    main_branch: str | None = None
    on_main: bool | None = None
    reachable: bool | None = None
    measured_at: int | None = None
    recorded_at: int = 0
    source: str = "publish"
    replaces: int | None = None
    ancestors: int | None = None
    tree: str | None = None

    @property
    def parent(self) -> str | None:
        """The first parent; None when it is unknown, and for a root."""
        return self.parents[0] if self.parents else None

    @property
    def merged(self) -> tuple[str, ...]:
        """The other parents of a merge; empty when they are unknown, and for a commit that is none."""
        return self.parents[1:]


class CommitFacts(NamedTuple):
    """The columns of a `RecordedCommit` that decide the order, without the cost of a whole record."""

    dut_name: str
    commit: str
    time: int
    position: int | None
    parent: str | None
    branch: str | None
    pr_number: int | None
    main_branch: str | None
    on_main: bool | None
    reachable: bool | None
    measured_at: int | None
    recorded_at: int
    ancestors: int | None
    merged: Sequence[str] = ()


Recorded = TypeVar("Recorded", RecordedCommit, CommitFacts)


def completed(earlier: Recorded, later: Recorded) -> Recorded:
    """Return what two records state of a commit of a device: a fact of the later one, or else of the earlier one.

    A commit that main has had stays one of main, whatever pull request or branch measured it too.
    """
    of_main = earlier if earlier.pr_number is None and later.pr_number is not None else later
    branch, on_main = _branch_and_line(earlier, later, of_main)
    measured = [time for time in (earlier.measured_at, later.measured_at) if time is not None]
    changes: dict[str, Any] = {
        "time": later.time or earlier.time,
        "position": earlier.position if later.position is None else later.position,
        "ancestors": earlier.ancestors if later.ancestors is None else later.ancestors,
        "branch": branch,
        "pr_number": of_main.pr_number,
        "main_branch": later.main_branch or earlier.main_branch,
        "on_main": on_main,
        "reachable": earlier.reachable if later.reachable is None else later.reachable,
        "measured_at": min(measured, default=None),
    }
    if isinstance(later, CommitFacts):
        known = later if later.parent else earlier
        return later._replace(parent=known.parent, merged=known.merged, **changes)
    return replace(
        later,
        parents=later.parents or earlier.parents,
        author_time=later.author_time or earlier.author_time,
        subject=later.subject or earlier.subject,
        tree=later.tree or earlier.tree,
        **changes,
    )


def _branch_and_line(earlier: Recorded, later: Recorded, of_main: Recorded) -> tuple[str | None, bool | None]:
    """Return the branch of a commit, and whether it is on the line of main.

    A commit that was published from main and from another branch is on the line of main. Its branch is then the other one, because
    the results that were stored with that branch are main's by the line alone.
    """
    on_main = earlier.on_main if later.on_main is None else later.on_main
    main = later.main_branch or earlier.main_branch
    if main is not None and earlier.pr_number is None and later.pr_number is None and later.branch is not None:
        if later.branch == main and earlier.branch not in {None, main}:
            return earlier.branch, True
        if earlier.branch == main and later.branch != main:
            return later.branch, earlier.on_main is not False
    if main is None and earlier.branch is not None and earlier.pr_number is None and later.pr_number is None:
        return earlier.branch, on_main  # nothing says that the branch that saw the commit later is the main one
    return of_main.branch if of_main.branch is not None else earlier.branch, on_main


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """One record that takes a run out of every answer, or with `lifted` puts it back; the newest record of a run applies.

    `replaces` is the key of the record before it, null for the first. `at` is unix seconds.
    """

    key: Key = 0
    run_key: int
    reason: str = ""
    lifted: bool = False
    at: int
    by: str = ""
    replaces: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """What a sync of the recorded commits with a clone found.

    `commits` were compared, and `changed` records written. `unreachable` are full shas that the history no longer has, and
    `not_in_clone` counts commits that the clone does not have and that stay as they were. `main_branch` is null when unknown.
    """

    main_branch: str | None
    commits: int
    changed: int
    unreachable: tuple[str, ...] = ()
    not_in_clone: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One record of a definition, which is applied when results are read; the newest record of a kind, field and pattern applies.

    `kind` says what it does:
    - `alias`: the `field` (test_bed, dut, suite, benchmark, metric) reads as `value` where it matches `pattern`, a glob. A suite with
      the value `*` reads as the only suite in which a series of the same names exists.
    - `join`: the benchmark `pattern` continues as `value`.
    - `pool`: the machines of the test beds that match `pattern` are one, whatever their CPU, memory and system.
    - `better`: `value` (lower, higher or info) is the direction of the metrics that match `pattern`.
    - `main`: `value` is the main branch of the devices that match `pattern`.
    - `ignore`: the benchmarks that match `pattern` are in no answer.
    - `threshold`: `value`, such as `5% and 2ms`, is the smallest change that counts in the series that match all of `pattern`, which are
      words such as `benchmark=parse* metric=time suite=io tag.size=1?`.
    - `metric`: `pattern` is a metric that the formula in `value`, such as `tok_s / power; unit=tokens/J; better=higher`, computes from
      other metrics of the same run, benchmark and tags.
    - `annotation`: `value` is a text about the commit `pattern`, a full sha, which charts show at that commit.

    `dut_name` limits it to one device, null for any. `at` is unix seconds. `lifted` ends the definition. `replaces` is the key of the
    record before it, null for the first.
    """

    key: Key = 0
    kind: str
    field: str = ""
    pattern: str
    value: str = ""
    dut_name: str | None = None
    at: int
    by: str = ""
    note: str = ""
    lifted: bool = False
    replaces: int | None = None


class Verdict(StrEnum):
    """The outcome of a comparison of one series, in the order of reports."""

    REGRESSED = "regressed"
    SUSPECTED = "suspected"
    IMPROVED = "improved"
    FAILED = "failed"
    MISSING = "missing"
    INSUFFICIENT = "insufficient"
    NEW = "new"
    UNCHANGED = "unchanged"


def series_label(suite: str | None, benchmark_name: str, metric: str, tags_key: str | None) -> str:
    """Return the name that reports show of a series: suite and benchmark, then metric and tags where they say something.

    Without a benchmark name it is the suite that is meant.
    """
    if not benchmark_name:
        return suite or ""
    before = f"{suite}: " if suite else ""
    other = "" if metric == "time" else f" {metric}"
    tags = f" {{{tags_key}}}" if tags_key else ""
    return f"{before}{benchmark_name}{other}{tags}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The identity of a series: all results of one benchmark, metric and tags of one device on one class of test bed.

    The default is an unnamed series: numbers that come from no store.
    """

    series_key: int = 0
    dut_name: str = ""
    test_bed_name: str = ""
    suite: str = ""
    benchmark_name: str = ""
    metric: str = "time"
    tags_key: str = ""
    units: str = "nanoseconds"
    direction: Direction = Direction.LOWER

    @property
    def label(self) -> str:
        """The name that reports show."""
        return series_label(self.suite, self.benchmark_name, self.metric, self.tags_key)


UNNAMED = Series()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The verdict on one series, with its numbers.

    `effect` is the change of the measured number relative to the baseline (+0.1 is 10 % more); the direction does not change its
    sign. `low` and `high` are the ends of its interval, 99 % by default. These and `p_value` are null without a test: for
    insufficient, missing, new and failed. `suspected` is a significant change, for better or worse, that one run shows. `figure` is the statistic of each run that was compared, `baseline_value` and `candidate_value`
    are its medians over the runs, or with several candidate runs its means: geometric means, unless a value is not above 0. `significant` means that the change passes the test and the minimum effect, also with
    direction `info`, which is never improved or regressed. Medians are in base units, null without a result. `note` has the
    error, the missing runs, or the name under which a series may continue; `renamed_from` is the earlier benchmark name of a new
    series, as far as names tell. `cause` is null for a series that did not change. `threshold` is the smallest change that counts and where it
    is stated, empty where it is the default.
    """

    series: Series = UNNAMED
    verdict: Verdict
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    n_baseline: int
    n_candidate: int
    baseline_median: float | None = None
    candidate_median: float | None = None
    figure: Figure = Figure.MEDIAN
    baseline_value: float | None = None
    candidate_value: float | None = None
    significant: bool = False
    note: str = ""
    renamed_from: str | None = None
    cause: Cause | None = None
    threshold: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether the candidate differs from the baseline; a suspected change need not."""
        return self.significant or self.verdict in {Verdict.REGRESSED, Verdict.IMPROVED}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanChange:
    """The geometric mean of the changes of the benchmarks of a suite in one metric.

    `effect` is relative (+0.1 is 10 % more), `low` and `high` are the ends of its 99 % interval, null with one benchmark; all are null without one.
    `benchmarks` took part, a name with its tags each. `missing` have a baseline and no result of the candidate, `new` the reverse, and
    `not_positive` have a value that is not above 0, which has no ratio.
    """

    dut_name: str
    test_bed_name: str
    suite: str
    metric: str
    units: str
    direction: Direction
    effect: float | None
    low: float | None
    high: float | None
    benchmarks: int
    missing: int = 0
    new: int = 0
    not_positive: int = 0


class PairSide(StrEnum):
    """One of the builds measured in pairs; the control is the base again, in a work tree of its own.

    The names are equally long, so that the paths of the work trees are, too.
    """

    BASE = "base"
    HEAD = "head"
    CONTROL = "same"


class PairVerdict(StrEnum):
    """The outcome of a series measured in pairs, in the order of reports."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    SUSPECTED = "suspected"
    FAILED = "failed"
    MISSING = "missing"
    NEW = "new"
    UNDECIDED = "undecided"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairComparison:
    """The verdict on one series measured in pairs, with its numbers.

    `effect` is the change of head relative to base, `low` and `high` are the ends of its interval of at least 95 %; these and
    `p_value` are null without two rounds. `figure` is the statistic of each process that was compared; `base_value` and
    `head_value` are its medians over the rounds in base units, null without a result. `median_effect` is the change of the median,
    null where the figure is the median. `rounds` counts the rounds with both sides, and `dropped` those that lack one. `needed` is
    the number of further rounds that would tell, null when the verdict is known or `rules.pair_most_needed` do not suffice.
    `threshold` is the smallest change that counts and where it is stated, empty for the default.
    """

    series: Series = UNNAMED
    verdict: PairVerdict
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    figure: Figure = Figure.MEDIAN
    base_value: float | None = None
    head_value: float | None = None
    median_effect: float | None = None
    rounds: int = 0
    dropped: int = 0
    needed: int | None = None
    threshold: str = ""
    note: str = ""


class Outcome(StrEnum):
    """The outcome of measuring a flagged series again, in the order of reports."""

    CONFIRMED = "confirmed"
    UNDECIDED = "undecided"
    NOT_CONFIRMED = "not confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The outcome of measuring a flagged series again, in pairs, with the numbers of the check beside those of the pairs.

    `flagged` and `flagged_effect` are of the check. `effect` is the change in the pairs alone, `low` and `high` are the ends of its
    interval of at least 95 %; these are null without two rounds. `base_value` and `head_value` are medians over the rounds by `figure`.
    `reason` says why a series is undecided.
    """

    series: Series = UNNAMED
    outcome: Outcome
    flagged: Verdict
    flagged_effect: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    figure: Figure = Figure.MEDIAN
    base_value: float | None = None
    head_value: float | None = None
    rounds: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRecord:
    """The stored verdict of one series measured in pairs, as `PairComparison` describes its numbers.

    `pair_id` is that of the runs of the same pairs. `base` and `head` are full shas. `at` is when measuring ended, in unix seconds.
    `series_key` is 0 for a suite without a result.
    """

    key: Key = 0
    pair_id: str
    at: int
    base: str
    head: str
    seed: int
    series_key: int = 0
    dut_name: str = ""
    test_bed_name: str = ""
    suite: str = ""
    benchmark_name: str = ""
    metric: str = "time"
    tags_key: str = ""
    units: str = "nanoseconds"
    direction: Direction = Direction.LOWER
    verdict: PairVerdict
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    figure: Figure = Figure.MEDIAN
    base_value: float | None = None
    head_value: float | None = None
    rounds: int = 0
    dropped: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRun:
    """What storing one suite of a side of pairs did: results added, results that were stored before, and results not stored.

    `commit` is the commit of the stored run, null when it has none. `left_out` counts results of the base whose commit has a point
    of their series already.
    """

    side: PairSide
    suite: str
    commit: str | None
    new: int = 0
    unchanged: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of level of a series: the point at `index`, of `commit`, is the first of the new level.

    `id` is that of its finding in a scan. `effect` is the change relative to the level before (+0.1 is 10 % more), `low`
    and `high` its 95 % interval. `p_value` is corrected for the choice of the point among those tested and for autocorrelation. A
    change is `provisional` while fewer points than `rules.provisional_runs` lie at its level, itself included. `figure` is the statistic of
    each run in which it was found.
    """

    series: Series = UNNAMED
    id: str = ""
    commit: str | None = None
    index: int
    effect: float
    low: float
    high: float
    p_value: float
    provisional: bool
    figure: Figure = Figure.MEDIAN


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeChange:
    """A change of the spread or of the modes of a series from the point at `index` on.

    `kind` is never level; `before` and `after` are as in `Finding`. `p_value` is corrected for the choice of the point and for
    autocorrelation.
    """

    index: int
    kind: ChangeKind
    before: float
    after: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A run in which many series moved by `effect`; `series` is their number, `lasting` means a change of level.

    A positive effect means higher times and lower rates by the inverse factor. `run` is the 0-based index of the run in a scan,
    and `commit` is its commit. Of `measured` benchmarks of the run on the test bed, `benchmarks` moved. `cause` and `evidence` are as
    in `Blame`.
    """

    run: int
    commit: str | None = None
    effect: float
    series: int
    lasting: bool
    test_bed_name: str = ""
    benchmarks: int = 0
    measured: int = 0
    cause: Cause = Cause.UNKNOWN
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise of one series at its current level; null when its history is too short.

    `spread` between runs and `smallest_effect` that one more run can show are relative. `autocorrelated` says that neighbouring
    runs are alike. `runs_needed` is how many candidate runs would show a change of 5 %, null too when 100 would not.
    """

    series: Series = UNNAMED
    spread: float | None
    smallest_effect: float | None
    autocorrelated: bool | None
    runs_needed: int | None
    figure: Figure = Figure.MEDIAN


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """One published run: results added, results that were stored before, results removed, and benchmarks skipped by reason.

    `failed` counts the added results of benchmarks that failed; `new` counts the others. `part` names a run of a file that holds a history, and is empty for a whole file.
    """

    path: str
    part: str = ""
    format: str
    run_id: str
    new: int
    failed: int = 0
    unchanged: int
    replaced: int
    skipped: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableFile:
    """A file that was not published; `error` names it, the fault and the next step."""

    path: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What putting a file did: its record as stored, and whether it is new."""

    artifact: Artifact
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The artifacts that were deleted, or would be when not `changed`, and the files of which no other artifact has the content."""

    artifacts: tuple[Artifact, ...]
    files: int
    size_bytes: int
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: its name, whether it passed, and its result or what to do."""

    name: str
    passed: bool
    finding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """One file of an export: its rows, its size, and the sha256 of its content."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """Something of a damaged store that a salvage leaves out: its table, its name, and why.

    The name is that of a file inside the store, a row, or a run with its id, key and file.
    """

    table: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """The result of an export: files by name, number of contents of artifacts, and contents missing in the store.

    `passed_over` is what a salvage left out of it. `left_out` is the number of results of the chosen runs that have no value in the form
    of another tool, such as failed ones, and in that of asv those without a commit.
    """

    files: dict[str, TableFile]
    artifacts: int
    missing: tuple[str, ...]
    passed_over: tuple[PassedOver, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """One table: rows, fragments, bytes of its data files, newest version, and the indexed columns.

    `bytes_on_disk` are those of all its files: data, indexes and manifests of every version that is kept.
    """

    name: str
    rows: int
    fragments: int
    bytes: int
    bytes_on_disk: int
    version: int
    indexes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionInfo:
    """The history projection: its levels, the results whose points it has, those it does not have yet, and bytes of its files."""

    levels: int
    rows: int
    rows_outside: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """A store: its tables, its tags with their versions, whether maintenance is due, its migrations, and its projection.

    `migrations` are the names of the applied ones; `pending` are the changes that `store migrate` makes. `projection` is null when
    no result is in it, so that histories are read from the results.
    """

    uri: str
    tables: tuple[TableInfo, ...]
    tags: dict[str, int]
    maintenance_due: bool
    migrations: tuple[str, ...]
    pending: tuple[str, ...]
    projection: ProjectionInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """What maintenance did: fragments before and after in the results, versions removed in all tables, series known.

    `not_cleaned` says why old versions were not removed; it is empty when they were.
    """

    fragments_before: int
    fragments_after: int
    versions_removed: int
    bytes_removed: int
    series: int
    not_cleaned: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What going back to a `version` of the results changes: the numbers of runs and results that leave, and of those that return.

    `runs_reverted` counts the runs that were replaced since, and get their former record and rows. `changed` is true when something
    was changed, and false for a preview.
    """

    version: int
    runs_removed: int
    results_removed: int
    runs_returned: int
    results_returned: int
    runs_reverted: int
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreChange:
    """A change that a store needs: its name, its description, and the number of rows it changes."""

    name: str
    description: str
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """The results and failures of a commit per suite; `present` means that every requested suite has results."""

    commit: str
    present: bool
    suites: dict[str, int]
    failed: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The result of publishing one run: rows added, rows unchanged, and removed rows of an earlier run.

    `skipped` counts benchmarks by the reason for which they were left out, and `notes` names each.
    """

    run_key: int
    new: int
    unchanged: int
    replaced: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Row counts of one table: in the source, and added."""

    rows: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The result of a copy into a store, by table; `files` is the number of written artifacts.

    `replaced` and `differing` are keys of runs that both stores have with different rows: the former were replaced, the latter
    were not changed. `missing` are contents of artifacts that the source lacks, and `passed_over` is what a salvage left out.
    """

    tables: dict[str, Moved]
    files: int
    replaced: tuple[int, ...] = ()
    differing: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One kind of damage: where, how often, the first example, and the keys of the runs that suffer, as far as they are known.

    `kind` says what it is and what to do. `harmless` means that no number is lost.
    """

    kind: str
    table: str
    count: int
    example: str
    harmless: bool = False
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of a verification; `sound` means that no problem was found that loses or changes a number.

    A quick one compares some rows alone with their checksums, `sampled` in number and chosen by `seed`, and says in `unchecked`
    what it did not look at; both numbers are null for a complete one.
    """

    rows: int
    runs: int
    problems: tuple[Problem, ...]
    sampled: int | None = None
    seed: int | None = None
    unchecked: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether every number is undamaged."""
        return all(problem.harmless for problem in self.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """The result of computing all statistics again: results in all, those with all their samples, and those that are stored otherwise.

    `examples` are the ids of up to ten of the latter.
    """

    results: int
    computed: int
    differing: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What an upgrade does, or did: rows before and after, and how many rows each change touches.

    `series` continue when their device, test bed name, benchmark, metric and unit stay the same: `definitions`, of which these are
    new, do without the CPU, memory and suite that lance-bench did not store.
    """

    needed: bool
    rows_before: int
    rows_after: int
    runs: int
    columns_added: tuple[str, ...]
    criterion_repaired: int
    units_unified: int
    commits_parsed: int
    copies_collapsed: int
    cpus_unknown: int
    series: int
    definitions: int
