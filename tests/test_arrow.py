from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.arrow import (
    RESULTS,
    ROW_CHECKSUM,
    RUNS,
    conform,
    from_table,
    row_checksums,
    samples_of,
    to_table,
    values_hash,
)
from bench_db.derive import derive
from bench_db.model import Result, Run, Samples, SummaryValues, Throughput
from bench_db.store.tables import RUNS_TABLE
from tests.strategies import publication, publications, samples
from tests.support.campaigns import examples

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

# Copied from the description of the table of lance-bench, and not derived from the records.
SEED = pa.schema(
    [
        ("id", pa.string()),
        ("dut", pa.struct([("name", pa.string()), ("version", pa.string()), ("timestamp", pa.int64())])),
        (
            "test_bed",
            pa.struct(
                [
                    ("name", pa.string()),
                    ("cpu", pa.string()),
                    ("memory_gb", pa.int32()),
                    ("os", pa.string()),
                    ("created_at", pa.int64()),
                ]
            ),
        ),
        ("benchmark_name", pa.string()),
        ("values", pa.list_(pa.float64())),
        (
            "summary",
            pa.struct(
                [(name, pa.float64()) for name in ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")]
            ),
        ),
        ("units", pa.string()),
        (
            "throughput",
            pa.struct([("multiplier", pa.float64()), ("name", pa.string()), ("unit_system", pa.string())]),
        ),
        ("metadata", pa.string()),
        ("timestamp", pa.int64()),
    ]
)


class TestSchema:
    """The ten columns of lance-bench are first and unchanged; runs are merged by their key, which is never null."""

    def test_the_seed_s_columns_come_first_with_its_names_types_and_order(self) -> None:
        first = pa.schema(list(RESULTS)[: len(SEED)])
        assert first.names == SEED.names
        assert first.types == SEED.types
        assert [field.nullable for field in first] == [True] * len(SEED)

    def test_added_columns_are_flat(self) -> None:
        assert not any(pa.types.is_struct(field.type) for field in list(RESULTS)[len(SEED) :])

    @pytest.mark.parametrize("schema", [RESULTS, RUNS])
    def test_the_run_key_alone_is_the_key_of_merges(self, schema: Any) -> None:
        marked = {
            field.name
            for field in schema
            if (field.metadata or {}).get(b"lance-schema:unenforced-primary-key") == b"true"
        }
        assert marked == {"run_key"}
        assert schema.field("run_key").type == pa.int64()
        assert not schema.field("run_key").nullable

    def test_the_added_columns_have_the_types_of_the_contract(self) -> None:
        expected = {
            "series_key": pa.int64(),
            "commit": pa.string(),
            "pr_number": pa.int32(),
            "tags": pa.map_(pa.string(), pa.string()),
            "iterations": pa.list_(pa.int64()),
            "lower": pa.float64(),
            "n": pa.int64(),
            "error": pa.string(),
            "values_hash": pa.int64(),
        }
        assert {name: RESULTS.field(name).type for name in expected} == expected


class TestRoundTrip:
    """Records survive the conversion to a table and back: every null, empty list and text."""

    @given(publications())
    def test_results(self, published: tuple[Run, list[Result]]) -> None:
        results = published[1]
        assert from_table(to_table(results, RESULTS), Result) == results

    @given(publications())
    def test_derived_results_and_runs(self, published: tuple[Run, list[Result]]) -> None:
        run, results = derive(*published)
        assert from_table(to_table([run], RUNS), Run) == [run]
        assert from_table(to_table(results, RESULTS), Result) == results

    @given(publications(), publications(), st.data())
    def test_a_part_of_a_table_of_several_chunks(
        self, first: tuple[Run, list[Result]], second: tuple[Run, list[Result]], data: DataObject
    ) -> None:
        results = first[1] + second[1]
        table = pa.concat_tables([to_table(first[1], RESULTS), to_table(second[1], RESULTS)])
        start = data.draw(st.integers(0, len(results)))
        assert from_table(table.slice(start, 2), Result) == results[start : start + 2]

    def test_nothing_is_an_empty_table(self) -> None:
        assert to_table([], RESULTS).schema == RESULTS
        assert from_table(to_table([], RESULTS), Result) == []

    def test_columns_the_table_lacks_take_their_defaults(self) -> None:
        run, results = publication(1)
        seed_only = to_table(results, RESULTS).select(SEED.names)
        back = from_table(seed_only, Result)
        assert [row.values for row in back] == [row.values for row in results]
        assert {(row.commit, row.metric, row.run_key) for row in back} == {(None, "time", 0)}
        assert run.commit is not None

    def test_null_values_are_no_values(self) -> None:
        table = to_table(publication(1, rows=1)[1], RESULTS)
        at = table.schema.get_field_index("values")
        nulled = table.set_column(at, "values", pa.array([None], pa.list_(pa.float64())))
        assert from_table(nulled, Result)[0].values == Samples()


class TestValuesHash:
    """The checksum covers the bytes: any flipped bit changes it, equal values agree, and it fits the column."""

    @examples("flips", 50, full=10_000)
    @given(samples(min_size=1), st.data())
    def test_any_flipped_bit_shows(self, values: Samples, data: DataObject) -> None:
        raw = bytearray(values.tobytes())
        bit = data.draw(st.integers(0, 8 * len(raw) - 1))
        raw[bit // 8] ^= 1 << bit % 8
        flipped = Samples()
        flipped.frombytes(bytes(raw))
        assert values_hash(flipped) != values_hash(values)

    @given(samples())
    def test_equal_values_agree(self, values: Samples) -> None:
        assert values_hash(samples_of(np.array(values))) == values_hash(values)
        assert -(2**63) <= values_hash(values) < 2**63

    def test_it_never_changes(self) -> None:
        assert values_hash(Samples([1.0, 2.0, 4.0])) == 4_380_814_348_044_431_313


class TestOlder:
    """Rows without a column read as rows with null in it, and a record has the default of a field that cannot be None."""

    @pytest.mark.parametrize("column", ["branch", "metric", "direction", "tags", "iterations", "values", "n", "suite"])
    def test_a_column_that_is_missing(self, column: str) -> None:
        _, results = derive(*publication(1))
        older = to_table(results, RESULTS).drop_columns(column)
        filled = conform(older, RESULTS)
        assert filled.schema.equals(RESULTS, check_metadata=True)
        assert filled[column].null_count == 3
        assert from_table(filled, Result) == from_table(older, Result)
        default = getattr(Result(dut=results[0].dut, test_bed=results[0].test_bed, benchmark_name=""), column)
        assert [getattr(result, column) for result in from_table(filled, Result)] == [default] * 3

    def test_a_batch(self) -> None:
        _, results = derive(*publication(1))
        [batch] = to_table(results, RESULTS).select(["id", "n"]).to_batches()
        schema = pa.schema([RESULTS.field(name) for name in ("n", "error", "id")])
        assert conform(batch, schema).to_pydict() == {"n": [3] * 3, "error": [None] * 3, "id": [r.id for r in results]}


class TestRowChecksums:
    """A checksum depends on every value of its row that is not null, and on nothing else."""

    @given(publications())
    def test_alone_as_among_others(self, published: tuple[Run, list[Result]]) -> None:
        rows = to_table(published[1], RESULTS)
        sums = row_checksums(rows)
        times = 1100 // len(rows)
        many = pa.concat_tables([rows] * times).combine_chunks()
        assert row_checksums(many).to_pylist() == sums.to_pylist() * times
        for at in range(len(rows)):
            assert row_checksums(rows.slice(at, 1)).to_pylist() == [sums[at].as_py()]
        assert row_checksums(rows.select(sorted(rows.schema.names))).equals(sums)
        assert row_checksums(rows.append_column("later", pa.nulls(len(rows), pa.int32()))).equals(sums)

    @pytest.mark.parametrize("name", [name for name in RESULTS.names if name not in {"values", "values_hash"}])
    def test_every_column_counts(self, name: str) -> None:
        run, results = publication(1, rows=2)
        _, [one, other] = derive(run, [replace(result, **_FULL) for result in results])  # type: ignore[arg-type]
        rows, changed = (
            to_table([replace(one, **{name: value})], RESULTS) for value in (getattr(one, name), _other(one, name))
        )
        assert rows[name].null_count == 0
        assert row_checksums(rows) != row_checksums(changed)
        assert row_checksums(to_table([other], RESULTS)) != row_checksums(rows)

    def test_the_order_of_a_list_counts(self) -> None:
        lists = [[1, 2], [2, 1], [], [0], [0, 0], [1, 2]]
        first, *others = row_checksums(pa.table({"iterations": pa.array(lists, pa.list_(pa.int64()))})).to_pylist()
        assert len({first, *others}) == len(lists) - 1
        assert others[-1] == first

    def test_rows_of_a_table_have_it(self) -> None:
        run, _ = publication(1)
        [stored] = to_table([run], RUNS_TABLE.schema)[ROW_CHECKSUM].to_pylist()
        assert [stored] == row_checksums(to_table([run], RUNS)).to_pylist()


_FULL = {
    "summary": SummaryValues(min=1, q1=2, median=3, q3=4, max=5, mean=3, standard_deviation=1),
    "throughput": Throughput(multiplier=1.0, name="requests", unit_system="decimal"),
    "n": 9,
    "pr_number": 1,
    "branch": "main",
    "tags": {"a": "b"},
    "iterations": (1, 2),
    "lower": 1.0,
    "upper": 2.0,
    "run_time": 5,
    "error": "out of memory",
}


def _other(result: Result, name: str) -> Any:
    """Return another value of a field: one leaf of a record differs."""
    value = getattr(result, name)
    if is_dataclass(value):
        field = fields(value)[-1].name
        return replace(value, **{field: _changed(getattr(value, field))})  # type: ignore[type-var]
    return _changed(value)


def _changed(value: Any) -> Any:
    if isinstance(value, dict):
        return {**value, "a": "c"}
    if isinstance(value, tuple):
        return value[::-1]
    return f"{value}x" if isinstance(value, str) else value + 1
