"""The JSON of `deno bench --json`, version 1: a list of benchmarks with statistics in nanoseconds."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from bench_db.ingest import foreign
from bench_db.ingest.numbers import stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "deno/1"
_SNIFF = re.compile(rb'"runtime"\s*:\s*"Deno/')
_LONGEST = 500  # characters of an error


class _File(msgspec.Struct, forbid_unknown_fields=True):
    benches: list[foreign.Record]
    version: msgspec.Raw = msgspec.Raw()
    runtime: msgspec.Raw = msgspec.Raw()
    cpu: msgspec.Raw = msgspec.Raw()


class _Stats(msgspec.Struct):
    n: int
    min: float | None = None
    max: float | None = None
    avg: float | None = None
    p75: float | None = None


class _Failure(msgspec.Struct, rename="camel"):
    exception_message: str = ""
    message: str = ""


class _Outcome(msgspec.Struct):
    ok: _Stats | None = None
    failed: _Failure | None = None


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with Deno as its runtime and a list of benches."""
    return b'"benches"' in edges and _SNIFF.search(edges) is not None


def read(content: Content) -> Reading:
    """Read each benchmark's mean, extremes and third quartile; the file has no samples and no median. A failed one is an error."""
    top, records = foreign.listing(content.body, "benches", _File, file=str(content.path))
    measurements, skips = foreign.each(records, "$.benches", _name, _measurements)
    return Reading(source=SOURCE, context=foreign.compact(top), measurements=measurements, skips=skips)


def _name(record: foreign.Record, at: str) -> str:
    """Return file, group and name, joined as in the names of files of tests: two files may have benchmarks of one name."""
    file = PurePosixPath(unquote(urlsplit(foreign.text(foreign.plain(record.get("origin")))).path)).name
    group = foreign.text(foreign.plain(record.get("group")))
    return " > ".join(part for part in (file, group, foreign.name_of(record, at)) if part)


def _measurements(name: str, record: foreign.Record, at: str) -> Iterator[Measurement]:
    outcomes = foreign.part(record.get("results", msgspec.Raw(b"[]")), list[_Outcome], at=f"{at}.results")
    metadata = foreign.compact({field: raw for field, raw in record.items() if field != "results"})
    if not outcomes:
        raise RefusedError(SkipReason.NO_STATISTICS, f"no entry in {at}.results")
    for index, outcome in enumerate(outcomes):
        place = f"{at}.results[{index}]"
        if outcome.ok is None:
            failure = outcome.failed or _Failure()
            error = failure.exception_message or failure.message or "failed without a message"
            yield Measurement(benchmark_name=name, error=error[:_LONGEST], metadata=metadata)
            continue
        ok = outcome.ok
        figures = {"mean": ok.avg, "min": ok.min, "q3": ok.p75, "max": ok.max}
        n = foreign.counted(ok.n, at=f"{place}.ok.n")
        yield Measurement(benchmark_name=name, summary=stated(figures, 1.0, at=f"{place}.ok"), n=n, metadata=metadata)
