"""Criterion's own directory, `target/criterion`: each `new/` in it is the last measurement of one benchmark."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import InputFileError, UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.content import Content
from bench_db.ingest.formats.criterion import throughput_of
from bench_db.ingest.numbers import number, per_iteration
from bench_db.ingest.reading import Measurement, Reading, RefusedError, Skip, SkipReason
from bench_db.model import Throughput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping


SOURCE = "criterion-dir/1"
_PIECES = ("benchmark.json", "estimates.json", "sample.json")
_OUT = "a link out of the directory, which is not followed"


class _Benchmark(msgspec.Struct):
    full_id: str
    throughput: dict[str, msgspec.Raw] | None = None


class _Sample(msgspec.Struct):
    iters: list[float]
    times: list[float]
    sampling_mode: str | None = None


class _Interval(msgspec.Struct):
    lower_bound: float
    upper_bound: float


class _Estimate(msgspec.Struct):
    confidence_interval: _Interval


class _Estimates(msgspec.Struct):
    mean: _Estimate
    slope: _Estimate | None = None


def open_directory(path: Path, older: Collection[Path] = ()) -> Content:
    """Return the files of every measurement below a directory, by their path from their common directory, without the `older` files.

    `base/`, `change/` and `report/` are ignored. Symbolic links to directories are not followed, nor is one to a file outside:
    whoever writes the directory must not choose which files of the machine are published. Paths start at the common directory,
    so that the content is the same whichever parent directory the caller names.
    """
    known = {file.absolute() for file in older}
    found = list(_measured(path, known))
    if not found:
        reason = (
            "no Criterion measurement below it (a directory new/ with benchmark.json, sample.json and estimates.json);"
            " run cargo bench, then name target/criterion"
        )
        raise UnreadableOutputError(reason, file=str(path))
    root = os.path.commonpath(found) if len(found) > 1 else found[0].parent
    pieces = [directory / piece for directory in found for piece in _PIECES]
    outside = [piece for piece in pieces if _leaves(piece, path)]
    linked = [found.relative_to(path.absolute()) for found in _linked(path) if _leaves(found, path)]
    return Content(
        path=path,
        files={
            p.relative_to(root).as_posix(): _bytes(p)
            for p in pieces
            if p.is_file() and p not in outside and p not in known
        },
        outside=[p.as_posix() for p in (*(piece.relative_to(root) for piece in outside), *linked)],
    )


def _leaves(found: Path, directory: Path) -> bool:
    """Return whether a path is a symbolic link out of a directory."""
    target = Path(os.path.realpath(found))  # `resolve` raises for a link to itself
    return found.is_symlink() and not target.is_relative_to(os.path.realpath(directory))


def is_criterion(path: Path) -> bool:
    """Return whether a directory contains a measurement of Criterion."""
    return next(_measured(path), None) is not None


def _measured(path: Path, older: Collection[Path] = ()) -> Iterator[Path]:
    """Yield the directories of measurements of which a file is not `older`."""

    def refuse(error: OSError) -> None:
        message = f"{error.filename}: cannot be read: {error.strerror}"
        raise InputFileError(message) from error

    for name, _, files in os.walk(path.absolute(), onerror=refuse):
        if os.path.basename(name) == "new":  # noqa: PTH119 one a directory
            directory = Path(name)
            if any(directory / piece not in older for piece in _PIECES if piece in files):
                yield directory


def _linked(path: Path) -> Iterator[Path]:
    """Yield the directories below that are symbolic links, except those of Criterion's reports."""
    for name, directories, _ in os.walk(path.absolute()):
        yield from (found for each in directories if each != "report" and (found := Path(name, each)).is_symlink())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise InputFileError(message) from error


def read(content: Content) -> Reading:
    """Read one measurement for each `new/`. One with a missing or broken file is skipped."""
    measurements = []
    linked = [path for path in content.outside if path.rpartition("/")[2] not in _PIECES]
    skips = [Skip(benchmark=path, reason=SkipReason.MISSING_FILE, detail=f"it is {_OUT}") for path in linked]
    known = {*content.files, *content.outside} - {*linked}
    for directory, paths in groupby(sorted(known), key=lambda name: name.rpartition("/")[0]):
        names = list(paths)
        pieces = {n.rpartition("/")[2]: content.files[n].removeprefix(BOM_UTF8) for n in names if n in content.files}
        name = directory.removesuffix("new").rstrip("/") or content.path.name
        try:
            _refuse_links(path.rpartition("/")[2] for path in names if path in content.outside)
            measurements.append(_measurement(pieces))
        except RefusedError as refused:
            skips.append(Skip(benchmark=name, reason=refused.reason, detail=refused.detail))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))


def _refuse_links(names: Iterable[str]) -> None:
    for name in names:
        raise RefusedError(SkipReason.MISSING_FILE, f"{name} is {_OUT}")


def _measurement(pieces: Mapping[str, bytes]) -> Measurement:
    for missing in sorted(set(_PIECES) - set(pieces)):
        raise RefusedError(SkipReason.MISSING_FILE, f"no {missing}")
    benchmark = foreign.part(pieces["benchmark.json"], _Benchmark, at="benchmark.json: $")
    sample = foreign.part(pieces["sample.json"], _Sample, at="sample.json: $")
    estimates = foreign.part(pieces["estimates.json"], _Estimates, at="estimates.json: $")
    if not benchmark.full_id:
        raise RefusedError(SkipReason.NO_NAME, "the full_id is empty")
    values, iterations = per_iteration(sample.times, sample.iters, 1.0)
    interval = (estimates.slope or estimates.mean).confidence_interval
    return Measurement(
        benchmark_name=benchmark.full_id,
        values=values,
        iterations=iterations,
        lower=interval.lower_bound,
        upper=interval.upper_bound,
        throughput=_throughput(benchmark.throughput),
        metadata=_metadata(pieces, sample.sampling_mode),
    )


def _throughput(declared: Mapping[str, msgspec.Raw] | None) -> Throughput | None:
    """Return the throughput in `{"Bytes": 1024}`. Of `{"ElementsAndBytes": {...}}` the bytes; metadata keeps both."""
    for kind, amount in (declared or {}).items():
        at = f"benchmark.json: $.throughput.{kind}"
        if kind == "ElementsAndBytes":
            both = foreign.part(amount, dict[str, float], at=at)
            return throughput_of("bytes", both["bytes"]) if "bytes" in both else None
        multiplier = number(foreign.part(amount, object, at=at), at=at)
        if kind == "BytesDecimal":
            return Throughput(multiplier=multiplier, name="bytes", unit_system="decimal")
        return throughput_of(kind.lower(), multiplier)
    return None


def _metadata(pieces: Mapping[str, bytes], sampling_mode: str | None) -> str:
    benchmark = foreign.part(pieces["benchmark.json"], foreign.Record, at="benchmark.json: $")
    sampling = {"sampling_mode": sampling_mode, "estimates": msgspec.Raw(pieces["estimates.json"])}
    return foreign.compact({**benchmark, **sampling})
