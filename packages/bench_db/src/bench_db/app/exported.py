"""What exports in the forms of other tools have in common: the names of metrics, what is stated of a run, and its results as documents."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench_db.identity import hash63
from bench_db.query.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from bench_db.app.database import Database
    from bench_db.model import Result, Run

# MLflow takes all others in names of metrics, and so does W&B; a name is at most 250 characters long, and a file name at most 255 bytes.
_REFUSED = re.compile(r"[^A-Za-z0-9_.\- ]+")
_LONGEST = 60
_BETWEEN_TAGS = re.compile("[=,]")
_SERIES = ("suite", "benchmark_name", "tags_key", "metric")
# A part of the name of a metric: of what it is, then its texts.
Part = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alike:
    """What would have the same name in a store: `series`, as `_SERIES`, with several units; and parts of names, capitals apart."""

    series: frozenset[tuple[str, ...]]
    parts: frozenset[Part]


def run_name(run: Run) -> str:
    """Return the version and the file of a run."""
    return " ".join(filter(None, (run.dut.version, run.file_name)))


def run_params(run: Run) -> dict[str, str | int]:
    """Return the version and the test bed of a run, without what is not known."""
    bed = run.test_bed
    stated: Mapping[str, str | int] = {
        "dut_version": run.dut.version,
        "test_bed_name": bed.name,
        "cpu": bed.cpu,
        "memory_gb": bed.memory_gb,
        "os": bed.os,
    }
    return {name: value for name, value in stated.items() if value}


def alike_in(database: Database) -> Alike:
    """Return what would have the same name among the stored series; some file systems do not keep capitals apart."""
    stored = database.store.scan((*_SERIES, "units"), selection=Selection(everything=True)).unique().collect()
    rows = [tuple(text or "" for text in row) for row in stored.iter_rows()]
    units = Counter(row[:-1] for row in rows)
    series = frozenset(one for one, count in units.items() if count > 1)
    parts = {part for row in rows for part in _parts(row, series)}
    counts = Counter((part[0], _written(part).casefold()) for part in parts)
    return Alike(series, frozenset(part for part in parts if counts[part[0], _written(part).casefold()] > 1))


def named(results: Iterable[Result], alike: Alike) -> Iterator[tuple[str | None, Result]]:
    """Yield each result with the name of its metric, which depends on its series alone; None for a failed one."""
    for result in results:
        if result.error is not None or result.summary is None:
            yield None, result
            continue
        names = _parts([getattr(result, name) or "" for name in (*_SERIES, "units")], alike.series)
        yield "/".join(_written(part, is_alike=part in alike.parts) for part in names), result


def _parts(row: Sequence[str], several: Collection[tuple[str, ...]]) -> tuple[Part, Part, Part]:
    """Return what each part of the name of a metric is of; three parts, so that no metric is a directory of another.

    `row` is a series and its unit, which the name has where the series is one of `several` units.
    """
    suite, benchmark_name, tags_key, metric, units = row
    own = (units,) if units and tuple(row[:-1]) in several else ()
    return ("suite", suite), ("benchmark", benchmark_name, tags_key), ("metric", metric, *own)


def _written(part: Part, *, is_alike: bool = False) -> str:
    """Return a part as MLflow and every file system takes it, with a hash behind it where the text alone is not or would be ambiguous."""
    name, *tags = part[1:]
    text = " ".join(filter(None, (name, *(_BETWEEN_TAGS.sub("_", key) for key in tags))))
    safe = _REFUSED.sub("_", text).strip(" .")
    if safe == text and len(safe) <= _LONGEST and not is_alike:
        return safe or "-"
    return f"{safe[:_LONGEST].rstrip(' .')}-{hash63(part):016x}"


def document(result: Result) -> dict[str, Any]:
    """Return a result with its published names, as JSON."""
    summary = result.summary
    return {
        "suite": result.suite,
        "benchmark_name": result.benchmark_name,
        "metric": result.metric,
        "tags": dict(sorted(result.tags.items())),
        "units": result.units,
        "direction": str(result.direction),
        "n": result.n,
        "median": None if summary is None else summary.median,
        "mean": None if summary is None else summary.mean,
        "standard_deviation": None if summary is None else summary.standard_deviation,
        "error": result.error,
    }
