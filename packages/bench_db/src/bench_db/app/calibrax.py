"""The runs of a store as a store of calibrax: `runs/ID.json`, the definitions of all metrics, and the baseline."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from bench_db.app.database import on_database
from bench_db.app.runs import runs as chosen
from bench_db.errors import UserError
from bench_db.model import Export, Result, Run, TableFile
from bench_db.store import atomic

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf

NAME = "calibrax"
_CONFIG, _MAIN, _MANIFEST = "config.json", "baselines/main.json", "bench-db.json"
_OURS = {"runs", "baselines", _CONFIG, _MANIFEST}
_KIND = "bench_db export for calibrax"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_FILE = re.compile(rf"runs/{_ID.pattern}\.json|{re.escape(_MAIN)}|{re.escape(_CONFIG)}", re.ASCII)
_BASELINE = "main"


class _Manifest(msgspec.Struct):
    kind: str
    files: list[str]


@on_database
def export_calibrax(
    store: Database,
    directory: Path,
    *,
    runs: Collection[int | str] = (),
    salvage: bool = False,
    as_of: AsOf | None = None,
) -> Export:
    """Write the runs of a store, all or some, as a store that calibrax opens; the same rows give the same files.

    The unit of a metric is its base unit, and its value the median. Excluded runs, failed benchmarks and artifacts have no place
    there. A run that came from calibrax keeps its id. `bench-db.json` lists the files: those of an earlier export are replaced or
    removed. Raises `UserError` for a directory with files that bench-db did not write, and for `as_of` and `salvage`: the runs are
    written as they are now, and of a sound store.
    """
    if salvage:
        message = "`salvage`: the format calibrax is of a sound store; export what is sound as parquet, import that and export the copy"
        raise UserError(message)
    if as_of is not None:
        message = "`as_of`: the format calibrax is of the store as it is now; export that version as parquet"
        raise UserError(message)
    found = chosen(store, excluded=False, runs=[run if isinstance(run, str) else f"{run:016x}" for run in runs])
    records = {key: store.run_record(key) for key in found.frame()["run_key"]}
    ids = _ids(records.values())
    baseline = _baseline(store, records)
    names = {_CONFIG, *(f"runs/{own}.json" for own in ids.values()), *([_MAIN] if baseline is not None else [])}
    files: dict[str, TableFile] = {}
    defined: dict[str, object] = {}
    try:
        earlier = _earlier(directory, names)
        for name in ("runs", "baselines"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        atomic.write(
            directory / _MANIFEST, [_manifest(earlier | names)]
        )  # before the files: an unfinished export is known
        for key, run in records.items():
            document, rows = _run(run, ids[key], store.results_of(run))
            defined |= document["metric_defs"]
            written = _json(document)
            for name in (f"runs/{ids[key]}.json", *([_MAIN] if key == baseline else [])):
                files[name] = _write(directory / name, written, rows if name != _MAIN else 1)
        files[_CONFIG] = _write(directory / _CONFIG, _json({"metric_defs": defined}), len(defined))
        for name in earlier - names:
            (directory / name).unlink(missing_ok=True)
        atomic.write(directory / _MANIFEST, [_manifest(names)])
    except OSError as error:
        message = f"{directory}: cannot be written: {error.strerror or error}"
        raise UserError(message) from error
    return Export(files=files, artifacts=0, missing=())


def _earlier(directory: Path, names: Collection[str]) -> set[str]:
    """Return the names of the files of an earlier export in the directory.

    Raises `UserError` for a directory with anything else, and for a file of calibrax's own that has one of `names`.
    """
    present = sorted(path.name for path in directory.iterdir()) if directory.exists() else []
    other = next((name for name in present if name not in _OURS), None)
    if other is not None:
        message = (
            f"{directory} holds other files, such as {other!r}; choose an empty directory, or that of an earlier export"
        )
        raise UserError(message)
    if _MANIFEST not in present:
        own = next((name for name in present if name == _CONFIG or any((directory / name).iterdir())), None)
        if own is not None:
            message = (
                f"{directory} holds {own!r} and no {_MANIFEST}, so bench-db did not write it; choose an empty directory"
            )
            raise UserError(message)
        return set()
    earlier = _listed(directory / _MANIFEST)
    added = next((name for name in sorted(names) if name not in earlier and (directory / name).exists()), None)
    if added is not None:
        message = f"{directory / added} is not of an earlier export; move it away, or choose an empty directory"
        raise UserError(message)
    return earlier


def _listed(path: Path) -> set[str]:
    """Return the names in the manifest of an export; raise `UserError` for one that is damaged or leads elsewhere."""
    message = f"{path} is no list of exported files; choose an empty directory"
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(message) from error
    if manifest.kind != _KIND or not all(_FILE.fullmatch(name) for name in manifest.files):
        raise UserError(message)
    return set(manifest.files)


def _manifest(names: Iterable[str]) -> bytes:
    return _json(_Manifest(kind=_KIND, files=sorted(names)))


def _ids(runs: Iterable[Run]) -> dict[int, str]:
    """Return the id of each run by its key: that of calibrax, or the key where there is none or two runs have the same."""
    ids: dict[int, str] = {}
    for run in runs:
        context = msgspec.json.decode(run.context)
        own = context.get("id") if isinstance(context, dict) and run.format == NAME else None
        is_usable = isinstance(own, str) and _ID.fullmatch(own) and own not in ids.values()
        ids[run.run_key] = str(own) if is_usable else f"{run.run_key:016x}"
    return ids


def _write(path: Path, content: bytes, rows: int) -> TableFile:
    atomic.write(path, [content])
    return TableFile(rows=rows, bytes=len(content), sha256=sha256(content).hexdigest())


def _json(document: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _run(run: Run, own: str, results: Iterable[Result]) -> tuple[dict[str, Any], int]:
    """Return the document of a run with the id `own`, and how many results are in it."""
    context = msgspec.json.decode(run.context)
    time = datetime.fromtimestamp(run.run_time or run.dut.timestamp or run.ingested_at, UTC)
    points, definitions, rows = _points(results)
    bed = {
        "machine": run.test_bed.name,
        "cpu": run.test_bed.cpu,
        "memory_gb": run.test_bed.memory_gb,
        "os": run.test_bed.os,
    }
    document = {
        "id": own,
        "timestamp": time.replace(tzinfo=None).isoformat(),  # calibrax cannot sort times with and without an offset
        "commit": run.commit,
        "branch": run.branch,
        "environment": bed,
        "metadata": {"dut": run.dut.name, "version": run.dut.version, "format": run.format, "context": context},
        "metric_defs": definitions,
        "points": points,
    }
    return document, rows


def _points(results: Iterable[Result]) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]], int]:
    """Return a point for each suite, name and set of tags; the definitions of their metrics; and the number of metrics."""
    points: dict[tuple[object, ...], dict[str, Any]] = {}
    names: dict[str, tuple[str, str]] = {}
    rows = 0
    for result in results:
        if result.error is not None or result.summary is None:
            continue
        tags = dict(sorted(result.tags.items()))
        key = (result.suite, result.benchmark_name, *tags.items())
        point = {"name": result.benchmark_name, "scenario": result.suite, "tags": tags, "metrics": {}}
        kind = (result.units, str(result.direction))
        metric = result.metric
        if names.setdefault(metric, kind) != kind:  # a definition of calibrax has one unit and one direction
            metric = f"{metric} ({', '.join(kind)})"
            names[metric] = kind
        points.setdefault(key, point)["metrics"][metric] = _metric(result)
        rows += 1
    definitions = {name: _definition(name, *kind) for name, kind in sorted(names.items())}
    return list(points.values()), definitions, rows


def _metric(result: Result) -> dict[str, object]:
    found = {
        "value": result.summary.median if result.summary else None,
        "lower": result.lower,
        "upper": result.upper,
        "samples": list(result.values) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _definition(name: str, unit: str, direction: str) -> dict[str, str]:
    about = {"name": name, "unit": unit, "direction": direction}
    return {**about, "group": "", "priority": "secondary", "description": ""}


def _baseline(store: Database, written: Collection[int]) -> int | None:
    """Return the newest written run of the baseline `main`, None without one."""
    pointers = sorted((p for p in store.baselines() if p.name == _BASELINE and p.commit), key=lambda p: p.set_at)
    keys = store.runs_of(pointers[-1].commit or "") if pointers else []
    return next((key for key in reversed(list(written)) if key in keys), None)
