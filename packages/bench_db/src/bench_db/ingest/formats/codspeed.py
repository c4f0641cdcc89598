"""The walltime results that CodSpeed's plugins write for its runner, such as pytest-codspeed in `.codspeed/`."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign
from bench_db.ingest.numbers import count, number, stated
from bench_db.ingest.reading import Measurement, Reading, RefusedError, SkipReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

SOURCE = "codspeed/1"
_STATISTICS = {
    "min_ns": "min",
    "q1_ns": "q1",
    "median_ns": "median",
    "q3_ns": "q3",
    "max_ns": "max",
    "mean_ns": "mean",
    "stdev_ns": "standard_deviation",
}
_NULL = msgspec.Raw(b"null")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    benchmarks: list[foreign.Record]
    creator: msgspec.Raw = msgspec.Raw()
    python: msgspec.Raw = msgspec.Raw()
    instrument: msgspec.Raw = msgspec.Raw()


def sniff(edges: bytes) -> bool:
    """Return whether it is an object with a creator and with statistics of rounds in nanoseconds."""
    return b'"creator"' in edges and b'"stdev_ns"' in edges and b'"iter_per_round"' in edges


def read(content: Content) -> Reading:
    """Read the statistics of each benchmark. The file has no samples."""
    top, records = foreign.listing(content.body, "benchmarks", _File, file=str(content.path))
    measurements, skips = foreign.each(records, "$.benchmarks", _name, _measurements)
    return Reading(source=SOURCE, context=foreign.compact(top), measurements=measurements, skips=skips)


def _name(record: foreign.Record, at: str) -> str:
    """Return the uri. Outside a checkout it begins with an absolute path, of which only the file name is kept."""
    uri = foreign.text(foreign.plain(record.get("uri"))) or foreign.text(foreign.plain(record.get("name")))
    if not uri:
        raise RefusedError(SkipReason.NO_NAME, f"neither a uri nor a name at {at}")
    path, mark, rest = uri.partition("::")
    shape = PureWindowsPath if "\\" in path else PurePosixPath
    return f"{shape(path).name}{mark}{rest}" if mark and shape(path).is_absolute() else uri


def _measurements(name: str, record: foreign.Record, at: str) -> Iterator[Measurement]:
    metadata, raw, at = foreign.compact(record), record.get("stats", _NULL), f"{at}.stats"
    if raw == _NULL:
        yield Measurement(benchmark_name=name, error="no statistics in the file", metadata=metadata)
        return
    stats = foreign.part(raw, dict[str, object], at=at)
    figures = {
        ours: number(stats[its], at=f"{at}.{its}") for its, ours in _STATISTICS.items() if stats.get(its) is not None
    }
    summary, n = stated(figures, 1.0, at=at), count(stats.get("rounds")) or 1
    yield Measurement(benchmark_name=name, summary=summary, n=n, metadata=metadata)
