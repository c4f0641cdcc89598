"""The runs of a store as a file store of MLflow, written without it: an experiment a device, a run a published file.

MLflow 3 opens such a directory when MLFLOW_ALLOW_FILE_STORE is true, and `mlflow migrate-filestore` brings it into a database.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from bench_db.identity import hash63
from bench_db.query.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bench_db.app.database import Database
    from bench_db.model import Result, Run

# MLflow takes these in names of metrics; a name is at most 250 characters long, and a file name at most 255 bytes.
_REFUSED = re.compile(r"[^A-Za-z0-9_.\- ]+")
_LONGEST = 60
_BETWEEN_TAGS = re.compile("[=,]")
# JSON leaves these as they are, and a reader of YAML refuses them or breaks the line at them.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
# A part of the name of a metric: of what it is, then its texts.
_Part = tuple[str, ...]
_FINISHED, _FAILED, _LOCAL = 3, 4, 4


def mlflow_files(database: Database, runs: Sequence[Run], directory: Path) -> Iterator[tuple[str, bytes, int]]:
    """Yield the files of a file store: path, content, and the number of results in it.

    A metric is called `suite/benchmark and tags/metric`, the same in every run; its value is the median in the base unit. A name that MLflow or a
    file system does not take as it is has a hash behind it. `artifacts/results.json` of a run has the names as they were published, units,
    directions, statistics and errors. A failed benchmark has no metric.
    """
    alike = _alike(database)
    experiments: dict[str, int] = {}
    for run in runs:
        time = 1000 * (run.run_time or run.dut.timestamp or run.ingested_at)
        own = experiment_id(run.dut.name)
        experiments[run.dut.name] = max(time, experiments.get(run.dut.name, time))
        root, uri = f"{own}/{run.run_key:032x}", (directory / own / f"{run.run_key:032x}").as_uri()
        results = database.results({"run_key": run.run_key})
        failed = bool(results) and all(result.error is not None for result in results)
        yield f"{root}/meta.yaml", _yaml(_of_run(run, own, uri, time, failed=failed)), 0
        for kind, texts in (("tags", _tags(run)), ("params", _params(run))):
            for name, text in texts.items():
                yield f"{root}/{kind}/{name}", text.encode(), 0
        documents = []
        for metric, result in _named(results, alike):
            documents.append(_document(metric, result))
            if metric is not None and result.summary is not None:
                yield f"{root}/metrics/{metric}", f"{time} {result.summary.median!r} 0\n".encode(), 1
        yield f"{root}/artifacts/results.json", json.dumps(documents, indent=1).encode() + b"\n", 0
    for dut, time in experiments.items():
        yield f"{experiment_id(dut)}/meta.yaml", _yaml(_of_experiment(dut, directory, time)), 0


def experiment_id(dut_name: str) -> str:
    """Return the id of the experiment of a device."""
    return str(hash63(("mlflow", dut_name)))


def _of_experiment(dut_name: str, directory: Path, time: int) -> dict[str, object]:
    own = experiment_id(dut_name)
    about: dict[str, object] = {
        "artifact_location": (directory / own).as_uri(),
        "experiment_id": own,
        "name": dut_name or "(none)",
    }
    return {**about, "creation_time": time, "last_update_time": time, "lifecycle_stage": "active"}


def _of_run(run: Run, experiment: str, uri: str, time: int, *, failed: bool) -> dict[str, object]:
    return {
        "artifact_uri": f"{uri}/artifacts",
        "start_time": time,
        "end_time": time,
        "entry_point_name": "",
        "experiment_id": experiment,
        "lifecycle_stage": "active",
        "run_id": f"{run.run_key:032x}",
        "run_name": _run_name(run),
        "source_name": "",
        "source_type": _LOCAL,
        "source_version": "",
        "status": _FAILED if failed else _FINISHED,
        "tags": [],
        "user_id": "",
    }


def _run_name(run: Run) -> str:
    return " ".join(filter(None, (run.dut.version, run.file_name)))


def _tags(run: Run) -> dict[str, str]:
    stated: Mapping[str, object] = {
        "mlflow.runName": _run_name(run),
        "mlflow.source.git.commit": run.commit,
        "mlflow.source.git.branch": run.branch,
        "bench_db.run": f"{run.run_key:016x}",
        "bench_db.run_id": run.run_id,
        "bench_db.format": run.format,
        "bench_db.pr_number": run.pr_number,
    }
    return {name: str(value) for name, value in stated.items() if value not in (None, "")}


def _params(run: Run) -> dict[str, str]:
    bed = run.test_bed
    stated = {
        "dut_version": run.dut.version,
        "test_bed_name": bed.name,
        "cpu": bed.cpu,
        "memory_gb": bed.memory_gb,
        "os": bed.os,
    }
    return {name: str(value) for name, value in stated.items() if value}


def _alike(database: Database) -> set[_Part]:
    """Return the parts of names in the store that would be the same, capitals apart, which some file systems do not keep apart."""
    series = database.store.latest(Selection(everything=True)).select("suite", "benchmark_name", "tags_key", "metric")
    parts = {part for row in series.unique().iter_rows() for part in _parts(*(text or "" for text in row))}
    counts = Counter((part[0], _written(part).casefold()) for part in parts)
    return {part for part in parts if counts[part[0], _written(part).casefold()] > 1}


def _named(results: Iterable[Result], alike: Collection[_Part]) -> Iterator[tuple[str | None, Result]]:
    """Yield each result with the name of its metric, which depends on its series alone; None for a failed one."""
    for result in results:
        if result.error is not None or result.summary is None:
            yield None, result
            continue
        parts = _parts(result.suite, result.benchmark_name, result.tags_key, result.metric)
        yield "/".join(_written(part, is_alike=part in alike) for part in parts), result


def _parts(suite: str, benchmark_name: str, tags_key: str, metric: str) -> tuple[_Part, _Part, _Part]:
    """Return what each part of the name of a metric is of; three parts, so that no metric is a directory of another."""
    return ("suite", suite), ("benchmark", benchmark_name, tags_key), ("metric", metric)


def _written(part: _Part, *, is_alike: bool = False) -> str:
    """Return a part as MLflow and every file system takes it, with a hash behind it where the text alone is not or would be ambiguous."""
    name, *tags = part[1:]
    text = " ".join(filter(None, (name, *(_BETWEEN_TAGS.sub("_", key) for key in tags))))
    safe = _REFUSED.sub("_", text).strip(" .")
    if safe == text and len(safe) <= _LONGEST and not is_alike:
        return safe or "-"
    return f"{safe[:_LONGEST].rstrip(' .')}-{hash63(part):016x}"


def _document(name: str | None, result: Result) -> dict[str, Any]:
    summary = result.summary
    return {
        "mlflow_metric": name,
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


def _yaml(document: Mapping[str, object]) -> bytes:
    """Return a mapping as YAML, whose values are those of JSON.

    Characters are written as they are, because YAML has no pairs of escapes for one beyond U+FFFF.
    """
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in sorted(document.items()))
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", "".join(lines)).encode()
