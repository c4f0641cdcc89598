"""asv's results files, `results/MACHINE/COMMIT-ENVIRONMENT.json`, of both layouts, with what asv keeps beside them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import foreign
from bench_db.ingest.host import stable_name
from bench_db.ingest.numbers import count, interval, number, scaled, stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import TestBed
from bench_db.units import COUNT, base_unit, direction_of

if TYPE_CHECKING:
    from bench_db.ingest.content import Content

# The fields of the first layout that describe benchmarks, each by name.
_FACTS = {"benchmark_version": "version", "started_at": "started_at", "ended_at": "ended_at", "duration": "duration"}
_BY_NAME = {*_FACTS, "results", "profiles"}
_STATS = "stats_"
_VERSIONS = (1, 2)  # compared, not looked up: the file may contain an unhashable value
_MOST = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """One benchmark under one choice of its parameters, whose values are texts in Python's notation.

    `value` is None for a failed and "NaN" for a skipped benchmark. `samples` is empty when asv did not record them. `stats`
    are the statistics under asv's names.
    """

    at: str
    parameters: tuple[str, ...]
    value: object
    samples: Sequence[object]
    stats: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A benchmark in a results file; `facts` are its fields beside the results."""

    name: str
    at: str
    raw: msgspec.Raw
    facts: Mapping[str, object]
    columns: Sequence[str]

    def outcomes(self) -> tuple[Mapping[str, object], list[_Outcome]]:
        """Return the facts of the benchmark, and its outcomes in asv's order: the last parameter varies fastest."""
        found = foreign.part(self.raw, object, at=self.at)
        row = _columned(self.columns, found, self.at) if self.columns else _bare(found)
        parameters = foreign.part(msgspec.json.encode(row.get("params") or []), list[list[str]], at=f"{self.at}.params")
        choices = _choices(parameters, self.at)
        result = row.get("result")
        # a benchmark that failed as a whole has no list
        values = _listed(result, len(choices), f"{self.at}.result") if result is not None else [None] * len(choices)
        samples = _listed(row.get("samples"), len(choices), f"{self.at}.samples")
        stats = _listed(row.get("stats"), len(choices), f"{self.at}.stats")
        outcomes = [
            _Outcome(
                at=self.at,
                parameters=choice,
                value=value,
                samples=kept if isinstance(kept, list) else (),
                stats=figures if isinstance(figures, dict) else {},
            )
            for choice, value, kept, figures in zip(choices, values, samples, stats, strict=True)
        ]
        facts = row.get("facts")
        return {**self.facts, **(facts if isinstance(facts, dict) else {})}, outcomes


def _entries(top: foreign.Record, file: str) -> tuple[foreign.Record, list[_Entry]]:
    """Return the fields that describe the run, and the benchmarks. Raises `UnreadableOutputError` for any other file."""
    try:
        results = foreign.part(top.get("results", msgspec.Raw(b"{}")), foreign.Record, at="$.results")
        columns = foreign.part(top.get("result_columns", msgspec.Raw(b"[]")), list[str], at="$.result_columns")
    except RefusedError as refused:
        raise UnreadableOutputError(refused.detail, file=file) from refused
    version = foreign.plain(top.get("version"))
    if version not in _VERSIONS or bool(columns) != (version == _VERSIONS[-1]):
        reason = (
            f"is not a results file of asv of version 1 or 2 (version {version!r:.40}, {len(columns)} result_columns)"
        )
        raise UnreadableOutputError(reason, file=file, json_path="$.version")
    if not results:
        raise UnreadableOutputError(foreign.NO_BENCHMARK, file=file, json_path="$.results")
    facts = {field: foreign.fields(top.get(field)) for field in _FACTS}
    found = [
        _Entry(
            name=name,
            at=f"$.results[{name!r:.100}]",
            raw=raw,
            facts={fact: facts[field][name] for field, fact in _FACTS.items() if name in facts[field]},
            columns=columns,
        )
        for name, raw in results.items()
    ]
    return {field: raw for field, raw in top.items() if field not in _BY_NAME}, found


def _columned(columns: Sequence[str], row: object, at: str) -> dict[str, object]:
    """Return the fields of a benchmark in the second layout: a list of columns without the trailing nulls."""
    if not isinstance(row, list) or len(row) > len(columns):
        raise RefusedError(SkipReason.WRONG_TYPE, f"no list of at most {len(columns)} columns at {at}")
    named = dict(zip(columns, row, strict=False))
    figures = {name.removeprefix(_STATS): column for name, column in named.items() if name.startswith(_STATS)}
    lists = {name: column for name, column in figures.items() if isinstance(column, list)}
    length = max(map(len, lists.values()), default=0)
    stats = [{n: column[i] for n, column in lists.items() if i < len(column)} for i in range(length)]
    kept = {"result", "params", "samples"}
    facts = {n: v for n, v in named.items() if n not in {*kept, "profile"} and not n.startswith(_STATS)}
    return {**{name: named.get(name) for name in kept}, "stats": stats or None, "facts": facts}


def _bare(found: object) -> dict[str, object]:
    """Return the fields of a benchmark in the first layout: an object, or the bare result of one without parameters."""
    return dict(found) if isinstance(found, dict) else {"result": found}


def _choices(parameters: list[list[str]], at: str) -> list[tuple[str, ...]]:
    total = 1
    for values in parameters:
        total *= len(values)
    if total > _MOST:
        raise RefusedError(SkipReason.OUT_OF_RANGE, f"{total} choices of parameters at {at}")
    return list(itertools.product(*parameters))


def _listed(column: object, length: int, at: str) -> list[object]:
    """Return a column as one entry for each choice. Before parameters were lists, the column was the only entry."""
    entries = column if isinstance(column, list) else [column] * (length if column is None else 1)
    if len(entries) != length:
        raise RefusedError(
            SkipReason.LENGTH_MISMATCH, f"{len(entries)} entries for {length} choices of parameters at {at}"
        )
    return entries


SOURCE = "asv/1"
_SNIFF = [re.compile(part) for part in (rb'"commit_hash"\s*:\s*"', rb'"params"\s*:\s*\{', rb'"date"\s*:\s*-?\d')]
# The edges of a long file of the first layout, whose commit is in the middle.
_BEGINS = re.compile(rb'\A\s*\{\s*"(results|benchmark_version)"\s*:\s*\{')
_ENDS = re.compile(rb'"(result|started_at|benchmark_version)"\s*:.*"version"\s*:\s*1\s*\}\s*\Z', re.DOTALL)
_TRACK = "track"
_METRICS = {"time": "time", "timeraw": "time", "memory": "memory", "peakmemory": "peak_rss", _TRACK: _TRACK}
_TYPES = {"mem": "memory", "peakmem": "peakmemory"}  # prefixes of names that differ from the type
_UNIT = "unit"  # of a benchmark without a unit
_UNITS = {"time": "seconds", "timeraw": "seconds", "memory": "bytes", "peakmemory": "bytes"}
_NAN = "NaN"
_PREFIX = re.compile(r"(time|timeraw|mem|peakmem|track)_.|(Time|Timeraw|Mem|PeakMem|Track)[A-Z_].")
_STATISTICS = {"q_25": "q1", "q_75": "q3", "min": "min", "max": "max", "mean": "mean", "std": "standard_deviation"}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?(?:e\+\d+)?)\s*([KMGT]?)(i?B)?\s*", re.IGNORECASE | re.ASCII)
_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """The metric and unit of a benchmark, and the names of its parameters."""

    metric: str
    units: str
    factor: float
    names: Sequence[str]


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with a commit, its date and the parameters of the environment."""
    whole = all(pattern.search(edges) for pattern in _SNIFF)
    return whole or bool(_BEGINS.search(edges) and _ENDS.search(edges))


def read(content: Content) -> Reading:
    """Read each benchmark under each choice of its parameters. The suite is the environment."""
    top = foreign.decode(content.body, foreign.Record, file=str(content.path))
    context, found = _entries(top, str(content.path))
    here, suite = content.path.absolute().parent, _environment(top)
    notes: list[str] = []
    declared = foreign.beside(notes, here.parent / "benchmarks.json", here / "benchmarks.json")
    machine = foreign.beside(notes, here / "machine.json") | foreign.fields(top.get("params"))
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    starts: list[int | None] = []
    for entry in found:
        try:
            facts, outcomes = entry.outcomes()
            kind = _kind(entry.name, declared.get(entry.name), outcomes, entry.at)
        except RefusedError as refused:
            skips.append(Skip(benchmark=entry.name, reason=refused.reason, detail=refused.detail))
            continue
        starts.append(_seconds(facts.get("started_at")))
        for outcome in outcomes:
            try:
                measurements.append(_measurement(entry.name, suite, kind, outcome, foreign.compact(facts)))
            except RefusedError as refused:
                name = f"{entry.name}({', '.join(outcome.parameters)})"
                skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
    return Reading(
        source=SOURCE,
        context=foreign.compact(context),
        measurements=tuple(measurements),
        skips=tuple(skips),
        notes=tuple(notes),
        run_time=min((start for start in starts if start), default=None),
        commit=foreign.commit(foreign.plain(top.get("commit_hash"))),
        commit_time=_seconds(foreign.plain(top.get("date"))),
        node=foreign.text(machine.get("machine")) or None,
        test_bed=test_bed(machine),
    )


def _measurement(name: str, suite: str, kind: _Kind, outcome: _Outcome, metadata: str) -> Measurement:
    """Return all samples where asv recorded them, else its statistics: its result is the median."""
    stats, at = outcome.stats, outcome.at
    lower, upper = _interval(stats, kind.factor)
    about = Measurement(
        benchmark_name=name,
        suite=suite,
        metric=kind.metric,
        units=kind.units,
        direction=direction_of(kind.units),
        tags=dict(zip(kind.names, outcome.parameters, strict=True)),
        metadata=metadata,
    )
    if outcome.value is None or outcome.value == _NAN:
        return replace(about, error="failed" if outcome.value is None else "skipped")
    value, signed = number(outcome.value, at=f"{at}.result"), kind.metric == _TRACK
    numbers = [number(sample, at=f"{at}.samples") for sample in outcome.samples]
    repeat, loops = count(stats.get("repeat")), count(stats.get("number"))
    if (numbers and repeat in {None, len(numbers)}) or not stats:
        values = scaled(numbers or [value], kind.factor, at=at, signed=signed)
        iterations = (loops,) * len(values) if loops else ()
        return replace(about, values=values, iterations=iterations, lower=lower, upper=upper)
    figures = {ours: number(stats[its], at=at) for its, ours in _STATISTICS.items() if stats.get(its) is not None}
    summary = stated({**figures, "median": value}, kind.factor, at=at, signed=signed)
    return replace(about, summary=summary, n=repeat or 1, lower=lower, upper=upper)


def _interval(stats: Mapping[str, object], factor: float) -> tuple[float | None, float | None]:
    """Return the 99 % interval of the median. asv writes infinite bounds for too few samples; these become None."""
    both = stats.get("ci_99")
    first, last = both if isinstance(both, list) and len(both) == 2 else (stats.get("ci_99_a"), stats.get("ci_99_b"))  # noqa: PLR2004 a and b
    return interval(first, last, factor)


def _kind(name: str, declared: object, outcomes: Sequence[_Outcome], at: str) -> _Kind:
    """Find the kind in `benchmarks.json`, else from the prefix of the name, as asv does."""
    known = declared if isinstance(declared, dict) else {}
    kind, unit = foreign.text(known.get("type")), foreign.text(known.get("unit"))
    if kind not in _METRICS:
        found = _PREFIX.match(name.rpartition(".")[2])
        if not found:
            reason = f"neither benchmarks.json nor the name shows the metric at {at}"
            raise RefusedError(SkipReason.UNKNOWN_UNIT, reason)
        prefix = (found[1] or found[2]).lower()
        kind, unit = _TYPES.get(prefix, prefix), ""
    units, factor = _unit(unit or _UNITS.get(kind, _UNIT))
    wanted, names = len(outcomes[0].parameters) if outcomes else 0, known.get("param_names")
    if not (isinstance(names, list) and len({n for n in names if isinstance(n, str)}) == len(names) == wanted):
        names = [f"param{place}" for place in range(1, wanted + 1)]  # asv's names for parameters without a name
    return _Kind(metric=_METRICS[kind], units=units, factor=factor, names=names)


def _unit(spelling: str) -> tuple[str, float]:
    """Return a base unit and its factor. A `track` benchmark may have any unit, which is kept unchanged."""
    try:
        unit, factor = (COUNT, 1.0) if spelling == _UNIT else base_unit(spelling)
    except UserError:
        return spelling, 1.0
    return unit.name, factor


def _environment(top: foreign.Record) -> str:
    """Return the name of the environment; for an old file without one, build it as asv does."""
    name = foreign.text(foreign.plain(top.get("env_name")))
    wanted = foreign.fields(top.get("requirements"))
    parts = (f"{package}{version or ''}" for package, version in sorted(wanted.items()))
    return name or "-".join((f"py{foreign.text(foreign.plain(top.get('python')))}", *parts))


def test_bed(machine: Mapping[str, object]) -> TestBed | None:
    """Return the test bed that asv's description of a machine is of, None without a name."""
    node, system = foreign.text(machine.get("machine")), foreign.text(machine.get("os"))
    if not node:
        return None
    return TestBed(
        name=stable_name(node, system.partition(" ")[0], foreign.text(machine.get("arch"))),
        cpu=foreign.text(machine.get("cpu")),
        memory_gb=_memory_gb(machine.get("ram")),
        os=system,
    )


def _memory_gb(ram: object) -> int:
    """Return whole GiB of a number of bytes, of KiB in old versions, or of a text such as 8.2G; 0 if unknown."""
    found = _SIZE.fullmatch(str(ram)) if type(ram) in {int, float, str} else None
    if not found:
        return 0
    amount, power = float(found[1]), " KMGT".index(found[2].upper() or " ")
    if not power and amount < _GIB:  # no machine has that few bytes
        power = 1
    size = amount * 1024**power / _GIB
    return int(size) if size < 1 << 31 else 0


def _seconds(milliseconds: object) -> int | None:
    return milliseconds // 1000 if type(milliseconds) is int and abs(milliseconds) < 1 << 53 else None
