"""A small valid file of every format, for tests of all formats."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tests.ingest.formats.test_asv import asv_file
from tests.ingest.formats.test_benchmark_data import data_js, history_entry
from tests.ingest.formats.test_benchmark_ips import IPS
from tests.ingest.formats.test_benchmarkdotnet import dotnet_file
from tests.ingest.formats.test_benchmarkjs import RATES
from tests.ingest.formats.test_calibrax import calibrax_run
from tests.ingest.formats.test_cargo_bench import CRITERION, LIBTEST
from tests.ingest.formats.test_catch2 import catch2_text
from tests.ingest.formats.test_catch2_xml import catch2_xml
from tests.ingest.formats.test_codspeed import codspeed_file
from tests.ingest.formats.test_custom_json import custom_file
from tests.ingest.formats.test_dart import RUN_TIMES
from tests.ingest.formats.test_deno import deno_file
from tests.ingest.formats.test_divan import LEAF
from tests.ingest.formats.test_go import go_events
from tests.ingest.formats.test_google_benchmark import google_file
from tests.ingest.formats.test_gungraun import COUNTS, summary
from tests.ingest.formats.test_hyperfine import hyperfine_file
from tests.ingest.formats.test_jmh import jmh_file
from tests.ingest.formats.test_julia import julia_file
from tests.ingest.formats.test_lnt import lnt_report
from tests.ingest.formats.test_metalab import metalab_run
from tests.ingest.formats.test_mitata import mitata_file
from tests.ingest.formats.test_nanobench import nanobench_file
from tests.ingest.formats.test_otava import otava_file
from tests.ingest.formats.test_pyperf import pyperf_suite
from tests.ingest.formats.test_ruby_benchmark import TABLE
from tests.ingest.formats.test_values_ns import entry, results_file
from tests.ingest.formats.test_vitest import vitest_5, vitest_file, vitest_module, vitest_task
from tests.ingest.support import criterion_line, pytest_benchmark, pytest_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.model import Result


# selected only by name: the files are those of github-action-benchmark
NAMED = ("customBiggerIsBetter", "customSmallerIsBetter")
RECALL = "IVF1,PQ2: refine=3, recall@4=0.5\n"
SAMPLES = {
    "asv": asv_file(),
    "cargo-bench": LIBTEST,
    "codspeed": codspeed_file(),
    "criterion": criterion_line(),
    "benchmark-ips": IPS,
    "benchmarkdotnet": dotnet_file(),
    "benchmarkjs": RATES,
    "bmf": '{"a": {"latency": {"value": 1.5, "lower_value": 1, "upper_value": 2}}}',
    "calibrax": calibrax_run(),
    "catch2": catch2_text(),
    "catch2-xml": catch2_xml(),
    "dart": RUN_TIMES,
    "deno": deno_file(),
    "divan": LEAF,
    "github-action-benchmark": custom_file(),
    "go": "BenchmarkA-8 \t 100\t 12.5 ns/op\n",
    "google-benchmark": google_file(),
    "gungraun": COUNTS,
    "hyperfine": hyperfine_file(),
    "jmh": jmh_file(),
    "julia": julia_file(),
    "lnt": lnt_report(),
    "github-action-benchmark-history": data_js(history_entry()),
    "metalab": metalab_run(),
    "mitata": mitata_file(),
    "nanobench": nanobench_file(),
    "otava": otava_file(),
    "pyperf": pyperf_suite(),
    "pytest-benchmark": pytest_file(pytest_benchmark()),
    "ruby-benchmark": TABLE,
    "values-ns": results_file(entry()),
    "vitest": vitest_file(),
    "dbpedia": RECALL,
}
# other layouts of formats that have several
LAYOUTS = [
    asv_file({"time_x": {"result": [1.0], "params": [["1"]]}}, 1),
    vitest_5(vitest_module(vitest_task())),
    CRITERION,
    summary(),
    go_events(("BenchmarkA-8 \t 100\t 12.5 ns/op\n", "a")).splitlines()[1],
]


def containers(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every object and list of a document with each of its keys or indexes."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in list(inner):
        yield value, key
        yield from containers(part)


def stated_by(result: Result) -> Iterator[float]:
    """Yield every number of a result that is not null; a store accepts only finite ones."""
    figures = dataclasses.astuple(result.summary) if result.summary else ()
    speed = result.throughput.multiplier if result.throughput else None
    yield from (
        number for number in (*result.values, *figures, result.lower, result.upper, speed) if number is not None
    )
