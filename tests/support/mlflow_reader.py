# /// script
# requires-python = ">=3.11"
# dependencies = ["mlflow-skinny==3.17.2"]
# ///
"""What MLflow itself finds in a file store, as JSON; run as a script in an environment of its own, which pins MLflow."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient


def read(directory: str) -> dict[str, object]:
    """Return every experiment with its runs, and the history of each metric."""
    client = MlflowClient(tracking_uri=Path(directory).absolute().as_uri())
    found: dict[str, object] = {}
    for experiment in client.search_experiments(view_type=ViewType.ALL):
        runs = {}
        for run in client.search_runs([experiment.experiment_id]):
            runs[run.info.run_id] = {
                "status": run.info.status,
                "name": run.info.run_name,
                "start_time": run.info.start_time,
                "metrics": run.data.metrics,
                "history": {
                    name: [
                        (one.timestamp, one.value, one.step) for one in client.get_metric_history(run.info.run_id, name)
                    ]
                    for name in run.data.metrics
                },
                "params": run.data.params,
                "tags": run.data.tags,
                "artifacts": [one.path for one in client.list_artifacts(run.info.run_id)],
            }
        found[experiment.name] = runs
    return found


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout)
