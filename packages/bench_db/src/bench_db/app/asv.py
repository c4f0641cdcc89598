"""The runs of a store as results of asv, written without it: `results/MACHINE/COMMIT-ENVIRONMENT.json` and what is beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5
from itertools import product
from math import inf, nan, nextafter, prod
from operator import ne
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bench_db.identity import hash63, tags_key
from bench_db.ingest.formats.asv import test_bed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from bench_db.app.database import Database
    from bench_db.model import Result, Run

_NAME = "asv"
_TYPES = {"time": "time", "memory": "memory", "peak_rss": "peakmemory"}  # by metric; any other is tracked
_TRACK = "track"
_PREFIXES = {"memory": "mem", "peakmemory": "peakmem"}  # of names, where the type is another word
_NANOSECONDS, _SECOND = "nanoseconds", 1e9
_UNITS = {_NANOSECONDS: "seconds", "count": "unit"}
_MACHINE = ("machine", "os", "arch", "cpu", "num_cpu", "ram")
_FACTS = ("version", "started_at", "duration")
_STATISTICS = ("ci_99_a", "ci_99_b", "q_25", "q_75", "number", "repeat")
_COLUMNS = ["result", "params", *_FACTS, *(f"stats_{name}" for name in _STATISTICS), "samples", "profile"]
_LONGEST = 127  # bytes of what is part of the name of a file; asv has a hash for a longer environment
_DEFAULT = "default"  # the environment of results without a suite
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_Choice = tuple[str, ...]


class _Series(NamedTuple):
    """What is one benchmark of asv, with the sorted names of its tags; `is_own` where asv itself measured it."""

    is_own: bool
    name: str
    metric: str
    units: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Benchmark:
    """A benchmark of `benchmarks.json`; tags that are no grid are folded into one parameter, and `tags` is None."""

    about: Mapping[str, Any]
    tags: Sequence[str] | None

    def choice(self, result: Result) -> _Choice:
        """Return the values of the parameters of a result."""
        return (tags_key(result.tags),) if self.tags is None else tuple(result.tags[tag] for tag in self.tags)


def asv_files(database: Database, runs: Sequence[Run], directory: Path) -> Iterator[tuple[str, bytes, int]]:  # noqa: ARG001
    """Yield the files of a directory of results: path, content, and the number of results in it.

    There is a file for a commit, a machine and a suite, which is the environment; of a benchmark measured several times there it has
    the newest result. Results that asv measured keep their names, and others get one of its kind. A value is the median, a time in seconds.
    Runs without a commit have no place there.
    """
    newest = sorted(runs, key=lambda run: (run.run_time or run.ingested_at, run.ingested_at, run.run_key), reverse=True)
    builds: dict[tuple[str, ...], list[Run]] = {}
    for run in newest:
        if run.commit:
            builds.setdefault((run.dut.name, run.commit, *_class_of(run)), []).append(run)
    machines = _machines(run for same in builds.values() for run in same)
    benchmarks = _benchmarks(database, [run for run in newest if run.commit])
    has_devices = len({dut for dut, *_ in builds}) > 1
    paths: set[str] = set()
    for key, same in builds.items():
        files: dict[str, tuple[Run, dict[_Series, dict[_Choice, Result]]]] = {}
        for run in same:
            for result in database.store.results_of(run):
                series = _series(run, result)
                of_suite = files.setdefault(result.suite, (run, {}))[1].setdefault(series, {})
                of_suite.setdefault(benchmarks[series].choice(result), result)
        for suite, (run, found) in files.items():
            machine = machines[_class_of(run)]
            name = _apart(f"{machine['machine']}/{run.commit:.8}-{_environment(suite)}", paths, (*key, suite))
            device = {"device": run.dut.name} if has_devices else {}
            document = _document(run, suite, {**device, **machine})
            document["results"] = {benchmarks[one].about["name"]: _row(one, run, rows) for one, rows in found.items()}
            content = json.dumps({**document, "durations": {}, "version": 2}).encode()
            yield f"results/{name}.json", content, sum(map(len, found.values()))
    for machine in machines.values():
        yield f"results/{machine['machine']}/machine.json", _indented({**machine, "version": 1}), 0
    declared = {one.about["name"]: one.about for one in benchmarks.values()}
    yield "results/benchmarks.json", _indented({**declared, "version": 2}), 0


def _class_of(run: Run) -> tuple[str, ...]:
    return run.test_bed.class_parts(by_name_alone=run.test_bed_class == "name")


def _machines(runs: Iterator[Run]) -> dict[tuple[str, ...], dict[str, str]]:
    """Return what `machine.json` has of each test bed class, of its newest run."""
    machines: dict[tuple[str, ...], dict[str, str]] = {}
    taken: set[str] = set()
    for run in runs:
        if _class_of(run) in machines:
            continue
        bed, stated = run.test_bed, _stated(run, "params")
        name = _apart(_REFUSED.sub("_", bed.name).strip(" .") or "none", taken, _class_of(run))
        ram = f"{bed.memory_gb}GiB" if bed.memory_gb else ""
        read = test_bed(stated)
        known = stated if read is not None and read.class_parts() == bed.class_parts() else {"ram": ram}
        mine = {"machine": name, "os": bed.os, "cpu": bed.cpu}
        machines[_class_of(run)] = {key: mine.get(key, str(known.get(key, ""))) for key in _MACHINE}
    return machines


def _benchmarks(database: Database, runs: Sequence[Run]) -> dict[_Series, _Benchmark]:
    """Return the benchmark of each series; its version is that of the newest run."""
    choices: dict[_Series, dict[_Choice, None]] = {}
    versions: dict[_Series, object] = {}
    for run in runs:
        for result in database.store.results_of(run):
            series = _series(run, result)
            versions.setdefault(series, _facts(result)["version"] if series.is_own else None)
            choices.setdefault(series, {})[tuple(result.tags[tag] for tag in series.tags)] = None
    taken = {"version"}  # the name of another field of the document
    found: dict[_Series, _Benchmark] = {}
    for series in sorted(choices, key=lambda one: not one.is_own):
        # the order of tags is not stored, but in asv's order of results the last parameter varies fastest
        columns = list(zip(*choices[series], strict=True))
        by_changes = sorted(zip(columns, series.tags, strict=True), key=lambda one: sum(map(ne, one[0], one[0][1:])))
        tags, axes = [tag for _, tag in by_changes], [list(dict.fromkeys(column)) for column, _ in by_changes]
        is_grid = series.is_own or prod(map(len, axes)) == len(choices[series])
        if not is_grid:
            axes = [[tags_key(dict(zip(series.tags, choice, strict=True))) for choice in choices[series]]]
        about = {
            "code": "",
            "name": _apart(series.name if series.is_own else _name(series), taken, series[1:4] + series.tags, fold=str),
            "param_names": tags if is_grid else ["tags"],
            "params": axes,
            "type": _TYPES.get(series.metric, _TRACK),
            "unit": _UNITS.get(series.units, series.units),
        }
        version = {"version": versions[series]} if versions[series] else {}
        found[series] = _Benchmark(about=about | version, tags=tags if is_grid else None)
    return found


def _series(run: Run, result: Result) -> _Series:
    tags = tuple(sorted(result.tags))
    return _Series(run.format == _NAME, result.benchmark_name, result.metric, result.units, tags)


def _name(series: _Series) -> str:
    """Return a name of the kind that asv has, such as `time_decode` and `track_decode_loss`, for a benchmark of another tool."""
    kind = _TYPES.get(series.metric, _TRACK)
    words = (_PREFIXES.get(kind, kind), series.name, "" if series.metric in _TYPES else series.metric)
    name = "_".join(filter(None, (re.sub(r"\W+", "_", word).strip("_") for word in words)))
    cut = name.encode()[:_LONGEST].decode(errors="ignore")  # it is the name of a file in the pages of asv
    return name if cut == name else f"{cut}_{hash63(series[1:4] + series.tags):016x}"


def _apart(text: str, taken: set[str], parts: Collection[str], *, fold: Callable[[str], str] = str.casefold) -> str:
    """Return a text with a hash of what it is of behind it where it is taken; some file systems do not keep capitals apart."""
    own = f"{text}_{hash63(parts):016x}" if fold(text) in taken else text
    taken.add(fold(own))
    return own


def _environment(suite: str) -> str:
    """Return the part of a file name that asv has for an environment."""
    own = suite if len(suite.encode()) <= _LONGEST else f"env-{md5(suite.encode(), usedforsecurity=False).hexdigest()}"
    return _REFUSED.sub("_", own or _DEFAULT)


def _document(run: Run, suite: str, machine: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a results file before its results; `params` and `env_vars` keep the graphs of asv apart."""
    context = _context(run)
    params = _stated(run, "params") if run.format == _NAME else {"suite": suite}
    return {
        "commit_hash": run.commit,
        "env_name": suite or _DEFAULT,
        "date": 1000 * (run.dut.timestamp or run.run_time or run.ingested_at),
        "params": {**params, **machine},
        "python": context.get("python", ""),
        "requirements": _stated(run, "requirements"),
        "env_vars": _stated(run, "env_vars"),
        "result_columns": _COLUMNS,
    }


def _context(run: Run) -> dict[str, Any]:
    """Return the fields of the file that asv wrote, none of another tool."""
    context = msgspec.json.decode(run.context) if run.format == _NAME else {}
    return context if isinstance(context, dict) else {}


def _stated(run: Run, name: str) -> dict[str, Any]:
    stated = _context(run).get(name)
    return stated if isinstance(stated, dict) else {}


def _facts(result: Result) -> dict[str, Any]:
    """Return the version, start and duration that asv stated of a benchmark."""
    facts = msgspec.json.decode(result.metadata)
    return {name: facts.get(name) if isinstance(facts, dict) else None for name in _FACTS}


def _row(series: _Series, run: Run, results: Mapping[_Choice, Result]) -> list[object]:
    """Return the columns of a benchmark in a file. A combination of parameters that was not measured there is skipped, as NaN."""
    axes = [list(dict.fromkeys(values)) for values in zip(*results, strict=True)]
    ordered = [results.get(choice) for choice in product(*axes)]
    measured = [one if one is not None and one.summary is not None else None for one in ordered]
    facts = {"started_at": run.run_time and 1000 * run.run_time}
    # asv has no statistics of what it runs once
    is_single = all(len(one.values) == 1 and not one.iterations for one in measured if one is not None)
    statistics = [None if one is None or is_single else _statistics(series, one) for one in measured]
    samples = [None if one is None or is_single else [_scaled(v, one) for v in one.values] or None for one in measured]
    columns: dict[str, Any] = {
        "result": [_value(one) for one in ordered],
        **(_facts(next(iter(results.values()))) if series.is_own else facts),
        **{f"stats_{name}": [one and one[name] for one in statistics] for name in _STATISTICS},
        "samples": samples,
    }
    row = [None if _is_empty(columns.get(name)) else columns[name] for name in _COLUMNS]
    row[_COLUMNS.index("params")] = axes
    while row[-1] is None:
        row.pop()
    return row


def _is_empty(column: object) -> bool:
    return column is None or (isinstance(column, list) and all(entry is None for entry in column))


def _statistics(series: _Series, result: Result) -> dict[str, float | None] | None:
    """Return the statistics of a result, None where one is unknown that `asv compare` needs.

    asv has infinite bounds for an unknown interval. That of another tool is of another level.
    """
    summary, loops = result.summary, set(result.iterations)
    if summary is None or summary.q1 is None or summary.q3 is None:
        return None
    is_known = series.is_own and result.lower is not None and result.upper is not None
    bounds = (result.lower, result.upper) if is_known else (-inf, inf)
    numbers = [one and _scaled(one, result) for one in (*bounds, summary.q1, summary.q3)]
    return dict(zip(_STATISTICS, (*numbers, loops.pop() if len(loops) == 1 else None, result.n), strict=True))


def _value(result: Result | None) -> float | None:
    if result is None or result.error == "skipped":
        return nan
    return None if result.summary is None else _scaled(result.summary.median, result)


def _scaled(value: float, result: Result) -> float:
    return _seconds(value) if result.units == _NANOSECONDS else value


def _seconds(value: float) -> float:
    """Return nanoseconds as the shortest number of seconds that is read as exactly these nanoseconds, where there is one."""
    seconds = value / _SECOND
    near = (seconds, nextafter(seconds, inf), nextafter(seconds, -inf))
    return min((one for one in near if one * _SECOND == value), key=lambda one: len(repr(one)), default=seconds)


def _indented(document: object) -> bytes:
    return json.dumps(document, indent=4, sort_keys=True).encode()
