from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given

from bench_db.arrow import to_table
from bench_db.derive import content_key, derive
from bench_db.store.measured import COLUMNS, row_of, rows_in
from bench_db.store.tables import RESULTS_TABLE
from tests.strategies import publications

if TYPE_CHECKING:
    from bench_db.model import Result, Run


@given(publications())
def test_a_stored_row_measured_what_the_record_did(published: tuple[Run, list[Result]]) -> None:
    run, results = derive(*published)
    flat = to_table(results, RESULTS_TABLE.schema).flatten().flatten()
    named = flat.rename_columns(
        [name.rpartition(".")[2] if name.startswith("summary.") else name for name in flat.column_names]
    )
    (batch,) = named.select(COLUMNS).combine_chunks().to_batches()
    expected = [(measured.name, row) for measured, row in map(row_of, results)]
    assert [(name, row) for _, name, row in rows_in(batch)] == expected
    assert content_key(measured for measured, _ in map(row_of, results)) == run.content_key
