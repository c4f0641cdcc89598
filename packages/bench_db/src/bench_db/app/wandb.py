"""The runs of a store as offline runs of Weights & Biases, written without it; `wandb sync` uploads them.

A file of a run is a log of records: a head, then blocks of 32 KiB with parts of records, each with its checksum. A record is a
message of Protocol Buffers; the numbers of its fields are those of wandb_internal.proto.
"""

from __future__ import annotations

import json
import re
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zlib import crc32

from bench_db.app.exported import alike_in, document, named, run_name, run_params
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bench_db.app.database import Database
    from bench_db.model import Run

_HEAD = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
_BLOCK, _PART_HEAD = 32_768, struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
# The fields of a record, and below them those of its message.
_HISTORY, _SUMMARY, _FILES, _METRIC, _RUN, _EXIT, _HEADER = 2, 3, 6, 12, 17, 18, 21
_GOALS = {Direction.LOWER: 1, Direction.HIGHER: 2, Direction.INFO: 0}
_AT_THE_END = 1
# What a name of a project and a tag of W&B cannot have, and how long they can be.
_REFUSED = re.compile(r"[/\\#?%:\x00-\x1f]+")
_LONGEST_PROJECT, _LONGEST_TAG = 128, 64
_RESULTS = "results.json"
_Value = int | str | bytes


def wandb_files(database: Database, runs: Sequence[Run], directory: Path) -> Iterator[tuple[str, bytes, int]]:  # noqa: ARG001
    """Yield the files of offline runs: path, content, and the number of results in it.

    A project is a device, and a run a published file. A metric is called `suite/benchmark and tags/metric`, the same in every run, with
    its unit behind it where that alone tells two series apart; its value is the median in the base unit, and its goal the direction.
    `results.json` of a run has the names as they were published, units, statistics and errors. A failed benchmark has no metric.
    """
    alike = alike_in(database)
    for run in runs:
        own = f"{run.run_key:016x}"
        time = run.run_time or run.dut.timestamp or run.ingested_at
        root = f"offline-run-{datetime.fromtimestamp(time, UTC):%Y%m%d_%H%M%S}-{own}"
        results = database.store.results_of(run)
        failed = bool(results) and all(result.error is not None for result in results)
        values: dict[str, float] = {}
        goals: dict[str, Direction] = {}
        documents = []
        for metric, result in named(results, alike):
            documents.append({"wandb_metric": metric, **document(result)})
            if metric is not None and result.summary is not None:
                values[metric], goals[metric] = result.summary.median, result.direction
        yield f"{root}/run-{own}.wandb", _log(_records(run, time, values, goals, failed=failed)), len(values)
        yield f"{root}/files/{_RESULTS}", json.dumps(documents, indent=1).encode() + b"\n", 0


def _records(
    run: Run, time: int, values: Mapping[str, float], goals: Mapping[str, Direction], *, failed: bool
) -> Iterator[bytes]:
    """Yield the records of a run without their numbers: all values are of one step, which is the summary, too."""
    yield _field(_HEADER, _field(1, _field(1, "bench_db")))
    yield _field(_RUN, _of_run(run, time))
    for name, goal in goals.items():
        yield _field(_METRIC, _field(1, name), _field(6, _field(3, 1)), _field(8, _GOALS[goal]))
    own = {"_step": 0, "_runtime": 0, "_timestamp": time}
    items = [_item(2, name, value) for name, value in {**values, **own}.items()]
    if values:
        yield _field(_HISTORY, *items, _field(2, b""))
    yield _field(_SUMMARY, *items)
    yield _field(_FILES, _field(1, _field(1, _RESULTS), _field(2, _AT_THE_END)))
    yield _field(_EXIT, _field(1, int(failed)), _field(2, 0))


def _of_run(run: Run, time: int) -> bytes:
    project = _REFUSED.sub("_", run.dut.name)[:_LONGEST_PROJECT].strip() or "none"
    config: dict[str, object] = {
        **run_params(run),
        "bench_db_run": f"{run.run_key:016x}",
        "run_id": run.run_id,
        "format": run.format,
    }
    config |= {"branch": run.branch, "pr_number": run.pr_number}
    stated = {name: value for name, value in config.items() if value not in (None, "")}
    tags = [tag for tag in (run.branch, run.format) if tag and len(tag) <= _LONGEST_TAG]
    return b"".join(
        (
            _field(1, f"{run.run_key:016x}"),
            _field(3, project),
            _field(4, *(_item(1, name, value) for name, value in stated.items())),
            _field(8, run_name(run)),
            *(_field(10, tag) for tag in tags),
            _field(13, run.test_bed.name),
            _field(17, _field(1, time)),
            _field(21, _field(2, run.commit)) if run.commit else b"",
        )
    )


def _item(key: int, name: str, value: object) -> bytes:
    """Return an item of a configuration, a history or a summary; `key` is the number of the field of its name."""
    return _field(1, _field(key, name), _field(16, json.dumps(value)))


def _field(number: int, *parts: _Value) -> bytes:
    """Return a field of a message: an integer, or the bytes of its parts with their length."""
    if len(parts) == 1 and isinstance(parts[0], int):
        return _varint(number << 3) + _varint(parts[0])
    content = b"".join(
        part.encode(errors="replace") if isinstance(part, str) else part for part in parts if not isinstance(part, int)
    )
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Return a whole number that is not negative, 7 bits a byte."""
    done = bytearray()
    while value > 0x7F:  # noqa: PLR2004 7 bits
        done.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*done, value))


def _log(records: Iterable[bytes]) -> bytes:
    """Return a log of records, which are numbered from 1."""
    log = bytearray(_HEAD)
    for number, record in enumerate(records, 1):
        content = _field(1, number) + record
        kind = _FIRST
        while True:
            room = _BLOCK - len(log) % _BLOCK
            if room < _PART_HEAD.size:
                log += bytes(room)
                continue
            part, content = content[: room - _PART_HEAD.size], content[room - _PART_HEAD.size :]
            kind = kind if content else _LAST if kind == _MIDDLE else _WHOLE
            log += _PART_HEAD.pack(crc32(part, crc32(bytes((kind,)))), len(part), kind) + part
            if not content:
                break
            kind = _MIDDLE
    return bytes(log)
