# /// script
# requires-python = ">=3.11"
# dependencies = ["calibrax==0.1.1"]
# [tool.uv]
# override-dependencies = ["jax; python_version < '3'", "jaxlib; python_version < '3'", "flax; python_version < '3'"]
# ///
"""What calibrax itself finds in a store, as JSON; run as a script in an environment of its own, which pins calibrax."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path


def without_jax() -> None:
    """Let the modules of a store be imported without the `__init__` of their packages, which need JAX for other things."""
    spec = importlib.util.find_spec("calibrax")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    [root] = spec.submodule_search_locations
    for name in ("calibrax", "calibrax.core"):
        package = types.ModuleType(name)
        package.__path__ = [str(Path(root, *name.split(".")[1:]))]
        sys.modules[name] = package


def read(directory: str) -> dict[str, object]:
    """Return the runs of a store, newest first, its baseline, a trend of each metric of each point."""
    without_jax()
    from calibrax.storage.store import Store

    store = Store(Path(directory))
    runs = store.list_runs()
    baseline = store.get_baseline()
    points = [(point, metric) for run in runs for point in run.points for metric in point.metrics]
    trends = {
        f"{point.name}/{metric}/{json.dumps(point.tags, sort_keys=True)}": [
            (one.run_id, one.value, one.lower, one.upper, one.commit)
            for one in store.extract_trend(metric=metric, point_name=point.name, tags=point.tags).points
        ]
        for point, metric in points
    }
    return {
        "runs": [run.to_dict() for run in runs],
        "loaded": [store.load(run.id).to_dict() == run.to_dict() for run in runs],
        "baseline": None if baseline is None else baseline.id,
        "trends": trends,
    }


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout, default=str)
