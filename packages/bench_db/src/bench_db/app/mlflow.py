"""The runs of a store as a file store of MLflow, written without it: an experiment a device, a run a published file.

MLflow 3 opens such a directory when MLFLOW_ALLOW_FILE_STORE is true, and `mlflow migrate-filestore` brings it into a database.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from bench_db.app.exported import alike_in, document, named, run_name, run_params
from bench_db.identity import hash63

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bench_db.app.database import Database
    from bench_db.model import Run

# JSON leaves these as they are, and a reader of YAML refuses them or breaks the line at them.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_FINISHED, _FAILED, _LOCAL = 3, 4, 4


def mlflow_files(database: Database, runs: Sequence[Run], directory: Path) -> Iterator[tuple[str, bytes, int]]:
    """Yield the files of a file store: path, content, and the number of results in it.

    A metric is called `suite/benchmark and tags/metric`, the same in every run, with its unit behind it where that alone tells two series
    apart; its value is the median in the base unit. A name that MLflow or a
    file system does not take as it is has a hash behind it. `artifacts/results.json` of a run has the names as they were published, units,
    directions, statistics and errors. A failed benchmark has no metric.
    """
    alike = alike_in(database)
    experiments: dict[str, int] = {}
    for run in runs:
        time = 1000 * (run.run_time or run.dut.timestamp or run.ingested_at)
        own = experiment_id(run.dut.name)
        experiments[run.dut.name] = max(time, experiments.get(run.dut.name, time))
        root, uri = f"{own}/{run.run_key:032x}", (directory / own / f"{run.run_key:032x}").as_uri()
        results = database.store.results_of(run)
        failed = bool(results) and all(result.error is not None for result in results)
        yield f"{root}/meta.yaml", _yaml(_of_run(run, own, uri, time, failed=failed)), 0
        for kind, texts in (("tags", _tags(run)), ("params", run_params(run))):
            for name, text in texts.items():
                yield f"{root}/{kind}/{name}", str(text).encode(), 0
        documents = []
        for metric, result in named(results, alike):
            documents.append({"mlflow_metric": metric, **document(result)})
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
        "run_name": run_name(run),
        "source_name": "",
        "source_type": _LOCAL,
        "source_version": "",
        "status": _FAILED if failed else _FINISHED,
        "tags": [],
        "user_id": "",
    }


def _tags(run: Run) -> dict[str, str]:
    stated: Mapping[str, object] = {
        "mlflow.runName": run_name(run),
        "mlflow.source.git.commit": run.commit,
        "mlflow.source.git.branch": run.branch,
        "bench_db.run": f"{run.run_key:016x}",
        "bench_db.run_id": run.run_id,
        "bench_db.format": run.format,
        "bench_db.pr_number": run.pr_number,
    }
    return {name: str(value) for name, value in stated.items() if value not in (None, "")}


def _yaml(document: Mapping[str, object]) -> bytes:
    """Return a mapping as YAML, whose values are those of JSON.

    Characters are written as they are, because YAML has no pairs of escapes for one beyond U+FFFF.
    """
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in sorted(document.items()))
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", "".join(lines)).encode()
