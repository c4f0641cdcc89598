"""Units of two parts."""

import pytest

from bench_db.errors import UserError
from bench_db.ingest import rates
from bench_db.ingest.reading import RefusedError, SkipReason
from bench_db.units import BYTES, BYTES_PER_SECOND, COUNT, NANOSECONDS, PER_SECOND, Direction, Unit


class TestMeasured:
    """A number of a spelling, times its factor, is the same quantity in the base unit."""

    @pytest.mark.parametrize(
        ("spelling", "unit", "factor"),
        [
            ("us", NANOSECONDS, 1e3),
            ("min", NANOSECONDS, 60e9),
            ("ns/op", NANOSECONDS, 1.0),
            ("ms/iter", NANOSECONDS, 1e6),
            ("B/op", BYTES, 1.0),
            ("KiB/op", BYTES, 1024.0),
            ("kB", BYTES, 1000.0),
            ("allocs/op", COUNT, 1.0),
            ("ops/s", PER_SECOND, 1.0),
            ("ops/us", PER_SECOND, 1e6),
            ("requests / sec", PER_SECOND, 1.0),
            ("MB/s", BYTES_PER_SECOND, 1e6),
            ("MiB/s", BYTES_PER_SECOND, 2.0**20),
            ("rows/min", PER_SECOND, 1 / 60),
        ],
    )
    def test_units(self, spelling: str, unit: Unit, factor: float) -> None:
        found, by = rates.measured(spelling)
        assert found == unit
        assert by == pytest.approx(factor)

    @pytest.mark.parametrize("spelling", ["parsecs", "ops/MB", "ms/s", "ns/parsec", "/", ""])
    def test_no_unit(self, spelling: str) -> None:
        with pytest.raises(UserError):
            rates.measured(spelling)


class TestUnknown:
    """An unknown unit costs the benchmark where a format requires one, and is a unit of its own name elsewhere."""

    def test_required(self) -> None:
        with pytest.raises(RefusedError, match=r"unit 'ms/s' at \$\[0\]") as raised:
            rates.required("ms/s", at="$[0]")
        assert raised.value.reason is SkipReason.UNKNOWN_UNIT

    def test_as_spelled(self) -> None:
        unit = Unit(name="Furlongs", sign="Furlongs", direction=Direction.INFO)
        assert rates.as_spelled("Furlongs") == (unit, 1.0)

    def test_a_known_unit_has_its_own_direction(self) -> None:
        assert rates.as_spelled("ops/ms") == (PER_SECOND, 1e3)
        assert rates.required("ops/ms", at="$") == (PER_SECOND, 1e3)


class TestMetricOf:
    """A unit that measures one thing names its metric."""

    @pytest.mark.parametrize(
        ("spelling", "metric"),
        [("ms", "time"), ("KiB", "memory"), ("MB/s", "throughput"), ("ops/s", "throughput"), ("allocs", "count"),
         ("recall", "value"), ("points", "value")],
    )  # fmt: skip
    def test_metrics(self, spelling: str, metric: str) -> None:
        assert rates.metric_of(rates.as_spelled(spelling)[0]) == metric


class TestSuffixed:
    """The name of a field states its unit by its suffix, which is no part of the metric unless it says what is counted."""

    @pytest.mark.parametrize(
        ("field", "metric", "units", "factor"),
        [
            ("p99_ns", "p99", "nanoseconds", 1),
            ("p99_us", "p99", "nanoseconds", 1e3),
            ("p99_\u00b5s", "p99", "nanoseconds", 1e3),
            ("p99_\u03bcs", "p99", "nanoseconds", 1e3),
            ("p99_ms", "p99", "nanoseconds", 1e6),
            ("p99_MS", "p99", "nanoseconds", 1e6),
            ("p99_s", "p99", "nanoseconds", 1e9),
            ("p99_sec", "p99", "nanoseconds", 1e9),
            ("wall_seconds", "wall", "nanoseconds", 1e9),
            ("wall_milliseconds", "wall", "nanoseconds", 1e6),
            ("wall_nanoseconds", "wall", "nanoseconds", 1),
            ("size_bytes", "size", "bytes", 1),
            ("peak_rss_kb", "peak_rss", "bytes", 1e3),
            ("peak_rss_MiB", "peak_rss", "bytes", 2**20),
            ("read_mb_per_s", "read", "bytes_per_second", 1e6),
            ("tokens_per_second", "tokens_per_second", "per_second", 1),
            ("items_s_per_s", "items_s_per_s", "per_second", 1),
            ("ops_per_ns", "ops_per_s", "per_second", 1e9),
            ("items_per_us", "items_per_s", "per_second", 1e6),
            ("items_per_\u00b5s", "items_per_s", "per_second", 1e6),
            ("items_per_\u03bcs", "items_per_s", "per_second", 1e6),
            ("ops_per_ms", "ops_per_s", "per_second", 1e3),
            ("Ops_Per_MS", "Ops_per_s", "per_second", 1e3),
            ("ops_per_sec", "ops_per_sec", "per_second", 1),
            ("tokens_per_min", "tokens_per_s", "per_second", pytest.approx(1 / 60)),
            ("stats.ops_per_ms", "stats.ops_per_s", "per_second", 1e3),
            ("bytes_per_ns", "bytes_per_s", "bytes_per_second", 1e9),
            ("bytes_per_second", "bytes_per_second", "bytes_per_second", 1),
            ("mb_per_s", "bytes_per_s", "bytes_per_second", 1e6),
            ("gb_per_sec", "bytes_per_s", "bytes_per_second", 1e9),
            ("KiB_per_ms", "bytes_per_s", "bytes_per_second", 1024e3),
            ("disk.mb_per_s", "disk.bytes_per_s", "bytes_per_second", 1e6),
            ("read_mb_per_ms", "read", "bytes_per_second", 1e9),
            ("disk.read_mib_per_min", "disk.read", "bytes_per_second", pytest.approx(2**20 / 60)),
            ("supper_ms", "supper", "nanoseconds", 1e6),
            ("per_op_ms", "per_op", "nanoseconds", 1e6),
        ],
    )
    def test_stated(self, field: str, metric: str, units: str, factor: float) -> None:
        found = rates.suffixed(field)
        assert found is not None
        assert (found[0], found[1].name, found[2]) == (metric, units, factor)

    @pytest.mark.parametrize("field", ["", "ms", "_ms", "p99", "latency_min", "p99ms", "wall_millisecond", "tp"])
    def test_none(self, field: str) -> None:
        assert rates.suffixed(field) is None

    @pytest.mark.parametrize(
        "field",
        ["time_per_mb", "reads_per_kb", "ns_per_bytes", "Cost_Per_GB", "time_per_seconds", "ops_per_milliseconds",
         "ns_per_op", "mb_per_op", "per_ms", "a.per_ms", "a.reads_per_kb", "rows_per_hour"],
    )  # fmt: skip
    def test_a_ratio_that_is_no_rate(self, field: str) -> None:
        """What is counted for each unit of a suffix is not in that unit."""
        assert rates.suffixed(field) is None
