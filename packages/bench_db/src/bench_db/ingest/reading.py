"""What an adapter returns: measurements in base units, skipped benchmarks, and the origin of the file; and its bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from unicodedata import normalize

import msgspec

from bench_db.model import Samples, SummaryValues, TestBed, Throughput
from bench_db.rules import RULES
from bench_db.units import Direction

_DIGITS = 16  # of the digest that keeps cut tags distinct
_SHARE = 8  # the longest value of a cut record is this part of the bound
_SHOWN = 100  # characters of a cut text
_RESERVED = 200  # characters for the list of fields that are left out
_CUT = "(cut)"


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
    the machine it describes, under a name that identifies it. `run_id` is the tool's own id of the run, empty for none. `part`
    names one run of several in a file and `digest` is the SHA-256 of its content; both are empty for a whole file.
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
    run_id: str = ""
    part: str = ""
    digest: str = ""


def composed(text: str) -> str:
    """Return a name in Unicode NFC: macOS and some tools write é as two characters."""
    return text if text.isascii() else normalize("NFC", text)


def _tag(text: str) -> str:
    """Return a part of a tag in NFC; one longer than `RULES.tag_length` is cut and ends with a digest of the whole text."""
    whole = composed(text)
    if len(whole) <= RULES.tag_length:
        return whole
    digest = sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{whole[: RULES.tag_length - _DIGITS - 4]}... {digest}"


def tags_in_bounds(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags with names and values in NFC and in bounds."""
    return {_tag(name): _tag(value) for name, value in tags.items()}


def in_bounds(measurements: Sequence[Measurement]) -> tuple[list[Measurement], tuple[str, ...]]:
    """Return measurements with names in NFC, tags and metadata in bounds, and a note for each kind of cut."""
    kept: list[Measurement] = []
    tagged: list[str] = []
    records: list[str] = []
    for measurement in measurements:
        m = measurement
        texts = (m.benchmark_name, m.suite, m.metric, m.units, *m.tags, *m.tags.values())
        is_long = any(len(text) > RULES.tag_length for tag in m.tags.items() for text in tag)
        if is_long or not all(map(str.isascii, texts)):
            m = replace(
                m,
                benchmark_name=composed(m.benchmark_name),
                suite=composed(m.suite),
                metric=composed(m.metric),
                units=composed(m.units),
                tags=tags_in_bounds(m.tags),
            )
            tagged += [m.benchmark_name] if is_long else []
        if len(m.metadata) > RULES.metadata_length:
            m = replace(m, metadata=shortened(m.metadata, RULES.metadata_length))
            records.append(m.benchmark_name)
        kept.append(m)
    return kept, (
        *_note(tagged, f"a tag is longer than {RULES.tag_length:,} characters and was cut; it ends with a digest"),
        *_note(
            records,
            f"the tool's own record is longer than {RULES.metadata_length:,} characters; its largest values were cut",
        ),
    )


def _note(names: Sequence[str], what: str) -> tuple[str, ...]:
    return (f"{len(names)} results, first {names[0][:_SHOWN]}: {what}",) if names else ()


def shortened(metadata: str, most: int) -> str:
    """Return the JSON of a record within a number of characters: its largest values are replaced by their sizes."""
    try:
        record = msgspec.json.decode(metadata, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return _json({_CUT: f"{len(metadata):,} characters"})
    kept: dict[str, msgspec.Raw] = {}
    left: list[str] = []
    room = most - _RESERVED
    for name, raw in record.items():
        text = bytes(raw).decode()
        if len(text) > most // _SHARE:
            text = _json(_reduced(msgspec.json.decode(raw), most // _SHARE))
        room -= len(name) + len(text) + len('"":,')
        if room < 0:
            left.append(name)
            room += len(name) + len(text) + len('"":,')
        else:
            kept[name] = msgspec.Raw(text.encode())
    if left:
        kept[_CUT] = msgspec.Raw(msgspec.json.encode(f"{len(left):,} fields: {', '.join(left)}"[:_SHOWN]))
    return _json(kept)


def _reduced(value: object, most: int) -> object:
    size = len(_json(value))
    if size <= most:
        return value
    if isinstance(value, str):
        return f"{value[:_SHOWN]}... {_CUT} {len(value):,} characters"
    if isinstance(value, dict):
        fields = {name: _reduced(inner, most // 2) for name, inner in value.items()}
        if len(_json(fields)) <= most:
            return fields
    return f"{_CUT} {len(value) if isinstance(value, dict | list) else 1:,} entries, {size:,} characters"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
