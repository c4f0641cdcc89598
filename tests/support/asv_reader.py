# /// script
# requires-python = ">=3.11"
# dependencies = ["asv==0.6.6"]
# ///
"""What asv itself finds in a directory of results, as JSON; run as a script in an environment of its own, which pins asv."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

from asv.benchmarks import Benchmarks
from asv.commands.compare import Compare
from asv.commands.publish import Publish
from asv.config import Config
from asv.results import Results, iter_results, iter_results_paths


def read(configuration: str) -> dict[str, object]:
    """Return the values and repeats of each file, the benchmarks, what `asv compare` says of two commits, and the graphs of `asv publish`."""
    conf = Config.load(configuration)
    benchmarks = Benchmarks.load(conf)
    loaded = {}
    for root, name, machine in iter_results_paths(conf.results_dir):
        path = Path(root, name)
        results = Results.load(str(path), machine_name=machine)
        loaded[str(path.relative_to(conf.results_dir))] = {
            key: (
                results.get_result_value(key, results.get_result_params(key)),
                [one.get("repeat") for one in stats] if (stats := results._stats[key]) else None,
            )
            for key in results.get_result_keys(benchmarks)
        }
    first, second = sorted({one.commit_hash for one in iter_results(conf.results_dir)})
    with contextlib.redirect_stdout(io.StringIO()) as compared:
        Compare.run(conf, first, second, machine="gpu-1", factor=1.1)
    Publish.run(conf, pull=False)
    html = Path(conf.html_dir)
    graphs = {
        str(path.relative_to(html)): json.loads(path.read_text())
        for path in (html / "graphs").rglob("*.json")
        if "summary" not in path.parts
    }
    return {"loaded": loaded, "benchmarks": list(benchmarks), "graphs": graphs, "compared": compared.getvalue()}


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()) as log:
        found = read(sys.argv[1])
    json.dump({**found, "log": log.getvalue()}, sys.stdout)
