from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_db.derive import key_of_series
from bench_db.model import Definition
from bench_db.query.definitions import in_force
from bench_db.query.derived import Derived, faults, unit_fault
from bench_db.query.formula import derived_metric
from bench_db.query.series import IDENTITY, MACHINE, newest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.query.definitions import Definitions

METRICS = {"time": ("nanoseconds", "lower"), "ops": ("count", "higher"), "power": ("W", "lower")}
CPUS = ("x", "y")
# run, benchmark, metric -> value, null for a failed one; a run is of one machine
Values = dict[tuple[int, str, str], float | None]
_VALUES = st.dictionaries(
    st.tuples(st.integers(0, 4), st.sampled_from("fg"), st.sampled_from(list(METRICS))),
    st.sampled_from([0.0, 1.0, 2e9, None, float("inf")]),
    max_size=16,
)


def defined(*records: tuple[str, str], **more: Any) -> Definitions:
    return in_force([Definition(kind="metric", pattern=name, value=value, at=1, **more) for name, value in records])


def _series(benchmark: str, metric: str, cpu: str = "x", **more: Any) -> dict[str, Any]:
    units, direction = METRICS.get(metric, ("W", "lower"))
    row = {"dut_name": "d", "test_bed_name": "b", "suite": "", "benchmark_name": benchmark, "metric": metric}
    row |= {"tags_key": "", "units": units, "direction": direction} | more
    machine = ("b", cpu, "4", "Linux")
    natural = tuple(str(row[name]) for name in ("suite", "benchmark_name", "metric", "tags_key", "units"))
    key = key_of_series(str(row["dut_name"]), machine, natural)
    return {**row, "series_key": key, "test_bed_cpu": cpu, "test_bed_memory_gb": 4, "test_bed_os": "Linux 6"}


def frames(values: Values) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the series and the points of some values; the machine of a run is that of its number."""
    schema: dict[str, Any] = dict.fromkeys((*IDENTITY, *MACHINE), pl.String)
    schema |= {"series_key": pl.Int64, "test_bed_memory_gb": pl.Int32}
    series, rows = {}, []
    for (run, benchmark, metric), value in values.items():
        one = _series(benchmark, metric, CPUS[run % 2])
        series[one["series_key"]] = one
        error = "crashed" if value is None else None
        rows.append((one["series_key"], run, run, run, value, value, 5, error))
    columns = {
        "series_key": pl.Int64,
        "commit_order": pl.Int64,
        "run_time": pl.Int64,
        "run_key": pl.Int64,
        "median": pl.Float64,
        "lower": pl.Float64,
        "n": pl.Int32,
        "error": pl.String,
    }
    points = pl.DataFrame(rows, columns, orient="row")
    known = pl.DataFrame([{name: one[name] for name in schema} for one in series.values()], schema)
    return known, points


def _by_hand(values: Values, formula: Any, operands: Sequence[str]) -> set[tuple[int, str, float | None]]:
    """Return run, benchmark and value of each derived point; null where one failed, or where Python cannot divide."""
    found: set[tuple[int, str, float | None]] = set()
    for run, benchmark in {(run, benchmark) for run, benchmark, _ in values}:
        if not all((run, benchmark, metric) in values for metric in operands):
            continue
        numbers = [values[run, benchmark, metric] for metric in operands]
        if None in numbers or float("inf") in numbers:
            found.add((run, benchmark, None))
            continue
        try:
            found.add((run, benchmark, formula(*numbers)))
        except ZeroDivisionError:
            found.add((run, benchmark, None))
    return found


RATE = defined(("rate", "ops / time"))


def _derived(definitions: Definitions, known: pl.DataFrame, metric: str | None = None) -> Derived:
    return Derived(definitions, known.with_columns(joined=1), pl.lit(value=True), metric)


def _faults(definitions: Definitions, known: pl.DataFrame, rows: pl.DataFrame) -> list[str]:
    return faults(definitions, known, newest(_derived(definitions, known).points(rows)))


class TestDerived:
    """A point is made for each run and benchmark that has every metric; it fails where one of them did or a divisor is 0."""

    @settings(max_examples=80, deadline=None)
    @given(_VALUES)
    def test_points_by_hand(self, values: Values) -> None:
        known, rows = frames(values)
        made = _derived(RATE, known).points(rows)
        found = set(made.select("run_key", "benchmark_name", "median").rows())
        assert found == _by_hand(values, lambda ops, time: ops / (time / 1e9), ("ops", "time"))
        assert len(found) == len(made)
        assert made["error"].is_null().to_list() == made["median"].is_not_null().to_list()

    @settings(max_examples=80, deadline=None)
    @given(_VALUES)
    def test_the_newest_are_the_newest_of_all_points(self, values: Values) -> None:
        definitions = defined(("rate", "ops / time"), ("energy", "power * time"), ("total", "ops / time / power"))
        known, rows = frames(values)
        derived = _derived(definitions, known)
        asked: list[int] = []

        def points_of(keys: Sequence[int]) -> pl.DataFrame:
            asked.extend(keys)
            return rows.filter(pl.col("series_key").is_in(list(keys)))

        found = derived.newest(newest(rows), points_of).sort("series_key")
        assert found.equals(newest(derived.points(rows)).sort("series_key"))
        assert set(asked) <= set(known["series_key"])

    def test_newest_rows_of_one_run_decide_alone(self) -> None:
        known, rows = frames({(0, "f", "ops"): 1.0, (0, "f", "time"): 1.0, (2, "f", "ops"): 4.0, (2, "f", "time"): 2e9})

        def points_of(keys: Sequence[int]) -> pl.DataFrame:
            pytest.fail(f"the points of {keys} were read")

        assert _derived(RATE, known).newest(newest(rows), points_of)["median"].to_list() == [2.0]

    def test_a_point_has_one_value_and_the_identity_of_a_stored_one(self) -> None:
        known, rows = frames({(0, "f", "ops"): 6.0, (0, "f", "time"): 2e9})
        (point,) = _derived(RATE, known).points(rows).to_dicts()
        wanted = _series("f", "rate", units="per_second", direction="higher")
        assert {name: point[name] for name in wanted} == wanted
        assert (point["median"], point["n"], point["lower"], point["error"]) == (3.0, 1, None, None)

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"ops": 1.0, "time": 0.0}, "no finite value of ops / time: time is 0"),
            ({"ops": 0.0, "time": 0.0}, "no finite value of ops / time: time is 0"),
            ({"ops": None, "time": 0.0}, "ops failed: crashed"),
            ({"ops": 1.0, "time": float("inf")}, "time failed: no finite value"),
            ({"ops": 1e308, "time": 1e-9}, "no finite value of ops / time"),
        ],
    )
    def test_the_reason_of_a_failed_point(self, values: dict[str, float | None], said: str) -> None:
        known, rows = frames({(0, "f", metric): value for metric, value in values.items()})
        (point,) = _derived(RATE, known).points(rows).to_dicts()
        assert (point["median"], point["n"], point["error"]) == (None, 0, said)

    def test_a_division_by_0_is_no_number_whatever_follows(self) -> None:
        known, rows = frames({(0, "f", "ops"): 1.0, (0, "f", "time"): 0.0})
        assert _derived(defined(("x", "1 / (ops / time)")), known).points(rows)["median"].to_list() == [None]

    def test_several_results_of_one_metric_in_a_run_are_no_operand(self) -> None:
        known, rows = frames({(0, "f", "ops"): 1.0, (0, "f", "time"): 1e9})
        assert len(_derived(RATE, known).points(pl.concat([rows, rows.head(1)]))) == 0

    def test_a_device_with_a_definition_of_its_own(self) -> None:
        general = Definition(kind="metric", pattern="x", value="ops * 2", at=1)
        own = Definition(kind="metric", pattern="x", value="ops * 3", at=1, dut_name="d")
        known, rows = frames({(0, "f", "ops"): 1.0})
        for records, wanted in (([general], [2.0]), ([general, own], [3.0]), ([own], [3.0])):
            assert _derived(in_force(records), known).points(rows)["median"].to_list() == wanted
        other = Definition(kind="metric", pattern="x", value="ops * 3", at=1, dut_name="e")
        assert not _derived(in_force([other]), known)

    def test_stored_results_of_the_name_are_shown_instead(self) -> None:
        known, rows = frames({(0, "f", "ops"): 1.0, (0, "g", "power"): 1.0, (0, "g", "ops"): 1.0})
        definitions = defined(("power", "ops * 2"))
        stored = known.filter(pl.col("metric") == "power")["series_key"].to_list()
        for shown, benchmarks in (([], {"f", "g"}), (stored, {"f"})):
            derived = Derived(definitions, known.with_columns(joined=1), pl.lit(value=True), None, shown)
            assert set(derived.points(rows)["benchmark_name"]) == benchmarks
            assert set(derived.newest(newest(rows), lambda _: rows)["benchmark_name"]) == benchmarks
        assert _faults(definitions, known, rows) == [
            (
                "metric power: the store has results of this name, too, and a benchmark shows these instead in each history that has some; "
                "define it under another name"
            )
        ]

    def test_a_series_that_joins_several_is_read_whole(self) -> None:
        known, rows = frames({(0, "f", "ops"): 1.0, (2, "f", "ops"): 3.0})
        twice = pl.concat([rows, rows.filter(pl.col("run_key") == 2)])
        definitions = defined(("twice", "ops * 2"))
        derived = Derived(definitions, known.with_columns(joined=2), pl.lit(value=True))
        assert derived.newest(newest(twice), lambda _: twice)["median"].to_list() == [2.0]

    def test_better_is_that_of_a_definition(self) -> None:
        records = [
            Definition(kind="metric", pattern="x", value="ops / time", at=1),
            Definition(kind="better", pattern="x", value="lower", at=1),
        ]
        known, rows = frames({(0, "f", "ops"): 1.0, (0, "f", "time"): 1e9})
        assert _derived(in_force(records), known).points(rows)["direction"].to_list() == ["lower"]


class TestFaults:
    """A derived metric without a series says why, and so does one that some benchmarks lack."""

    @pytest.mark.parametrize(
        ("formula", "said"),
        [
            ("ops / tokens", ["metric x: there are no results of tokens"]),
            ("ops / time", ["metric x: 1 of 2 benchmarks lack one of ops, time"]),
            ("ops / power", ["metric x: no benchmark has ops and power of the same device, test bed and tags"]),
            ("ops * 2", []),
            (
                "ops - time",
                [
                    "metric x: 1 of 2 benchmarks lack one of ops, time",
                    "metric x: count - nanoseconds is no quantity; state the unit of the result",
                ],
            ),
            ("ops ? 2", ["metric x: 'ops ? 2' is no formula of this release"]),
        ],
    )
    def test_each(self, formula: str, said: list[str]) -> None:
        known, rows = frames(
            {(0, "f", "ops"): 1.0, (0, "f", "time"): 1.0, (0, "g", "time"): 1.0, (0, "h", "power"): 1.0}
        )
        definitions = defined(("x", formula))
        assert _faults(definitions, known, rows) == said
        if "no quantity" in str(said):
            assert len(_derived(definitions, known).points(rows)) == 0

    def test_metrics_of_different_runs(self) -> None:
        known, rows = frames({(0, "f", "ops"): 1.0, (2, "f", "time"): 1.0})
        assert _faults(RATE, known, rows) == [
            (
                "metric rate: 1 of 1 benchmarks have no run with one result of ops and of time: "
                "their results are in different files, or a run has several of one"
            )
        ]

    def test_several_results_in_each_run(self) -> None:
        known, rows = frames({(0, "f", "ops"): 1.0})
        assert _faults(defined(("x", "ops * 2")), known, pl.concat([rows, rows])) == [
            "metric x: 1 of 1 benchmarks have no run with one result of ops: a run has several of one"
        ]

    @pytest.mark.parametrize(
        ("formula", "units", "said"),
        [
            ("ops + power", ("count", "W"), None),
            ("ops + power", ("V", "A"), "A + W is no quantity; state the unit of the result"),
            ("power + ops", ("V", "A"), "W + A is no quantity; state the unit of the result"),
            ("power + time", ("V", "W"), None),
        ],
    )
    def test_a_metric_of_two_units_in_one_benchmark(
        self, formula: str, units: tuple[str, str], said: str | None
    ) -> None:
        """A formula fits where it fits one of them, in whatever order they and the benchmarks come."""
        two = {"ops": units, "time": units, "power": ("W",)}
        series = [
            _series(benchmark, metric, units=unit)
            for benchmark in "fgh"
            for metric, each in two.items()
            for unit in each
        ]
        frame = pl.DataFrame(series)
        one = derived_metric("x", formula)
        assert {unit_fault(one, frame.sample(fraction=1, shuffle=True, seed=seed), None) for seed in range(20)} == {
            said
        }
        said_of = [f"metric x: {said}"] if said else []
        for seed in range(20):
            known = frame.sample(fraction=1, shuffle=True, seed=seed)
            found = faults(defined(("x", formula)), known, known.clear())
            assert [text for text in found if "quantity" in text] == said_of
