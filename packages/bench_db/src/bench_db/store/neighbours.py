"""Series of the same benchmarks and device on other test beds or in other suites, which a new run may have been meant to continue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.errors import CorruptStoreError, SchemaMismatchError, StoreNotFoundError
from bench_db.store.filters import condition, filter_text
from bench_db.store.tables import RESULTS_TABLE, SERIES_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import Result
    from bench_db.store.engine import Engine

_NAMES = 10
_PLACE = ("test_bed_name", "suite")


def neighbours(engine: Engine, results: Sequence[Result]) -> list[tuple[str, str]]:
    """Return test bed and suite of other series of these benchmarks; none when one of the series of the results exists already.

    `results` are derived. Only the first few benchmarks are looked up, in the rollup where there is one: the answer is advice, and
    must not delay a publish.
    """
    first = list({result.benchmark_name: result for result in results}.values())[:_NAMES]
    if not first or not engine.exists(RESULTS_TABLE):
        return []
    own = condition("series_key", [result.series_key for result in first])
    where = {"dut_name": first[0].dut.name, "benchmark_name": [result.benchmark_name for result in first]}
    columns = ("series_key", *_PLACE)
    try:
        known = engine.open(SERIES_TABLE).read(columns, filter_text(where, SERIES_TABLE.leaves))
    except (StoreNotFoundError, CorruptStoreError, SchemaMismatchError):
        known = engine.open(RESULTS_TABLE).read(columns, filter_text(where, RESULTS_TABLE.leaves))
    if {result.series_key for result in first} & set(known["series_key"].to_pylist()):
        return []
    others = set(zip(*(known[name].to_pylist() for name in _PLACE), strict=True))
    return sorted(others) if others and not engine.count(RESULTS_TABLE, own) else []
