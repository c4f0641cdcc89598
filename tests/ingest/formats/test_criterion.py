from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.model import Throughput
from tests.ingest.support import assert_close, criterion_line, read

if TYPE_CHECKING:
    from pathlib import Path

GROUP = '{"reason":"group-complete","group_name":"g","benchmarks":[],"report_directory":"r"}\n'


class TestStream:
    """Each benchmark-complete message is one result, per iteration and in nanoseconds; other messages are ignored."""

    def test_batches_are_divided_by_their_iterations(self, tmp_path: Path) -> None:
        totals = [12.5 * n * 1000 for n in range(1, 11)]
        _, [result] = read(tmp_path / "f", criterion_line(counts=[n * 1000 for n in range(1, 11)], totals=totals))
        assert result.values == [12.5] * 10
        assert result.iterations == tuple(n * 1000 for n in range(1, 11))
        assert_close(
            result.summary,
            dict.fromkeys(("min", "q1", "median", "q3", "max", "mean"), 12.5) | {"standard_deviation": 0},
        )
        assert (result.lower, result.upper, result.source) == (12.0, 18.0, "criterion/1")

    @pytest.mark.parametrize(
        ("unit", "factor"), [("ps", 1e-3), ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)]
    )
    def test_unit_of_the_message_is_honoured(self, tmp_path: Path, unit: str, factor: float) -> None:
        typical = {"lower_bound": 1.0, "upper_bound": 2.0, "unit": unit}
        _, [result] = read(tmp_path / "f", criterion_line(counts=[2], totals=[3.0], unit=unit, typical=typical))
        assert (list(result.values), result.lower, result.upper) == ([1.5 * factor], factor, 2 * factor)

    def test_blank_lines_other_messages_line_ends_and_mark(self, tmp_path: Path) -> None:
        text = (
            "\ufeff"
            + GROUP
            + "\n"
            + criterion_line("a")
            + '{"reason": "compiler-artifact"}\n{"no": "reason"}\n\n'
            + criterion_line("b")
        )
        run, results = read(tmp_path / "f", text.replace("\n", "\r\n").encode())
        assert [r.benchmark_name for r in results] == ["a", "b"]
        assert not run.skipped

    @pytest.mark.parametrize(
        ("throughput", "expected"),
        [
            ([], None),
            (None, None),
            ([{"per_iteration": 1024, "unit": "bytes"}], Throughput(multiplier=1024, name="bytes", unit_system="binary")),
            ([{"per_iteration": 7, "unit": "elements"}, {"per_iteration": 9, "unit": "bytes"}],
             Throughput(multiplier=7, name="elements", unit_system="decimal")),
        ],
    )  # fmt: skip
    def test_throughput_is_the_first(self, tmp_path: Path, throughput: Any, expected: Throughput | None) -> None:
        _, [result] = read(tmp_path / "f", criterion_line(throughput=throughput))
        assert result.throughput == expected
        assert json.loads(result.metadata)["throughput"] == throughput

    def test_metadata_is_the_message_without_its_samples(self, tmp_path: Path) -> None:
        line = criterion_line(change={"unheard": "of"})
        _, [result] = read(tmp_path / "f", line)
        expected = {k: v for k, v in json.loads(line).items() if k not in {"iteration_count", "measured_values"}}
        assert json.loads(result.metadata) == expected

    def test_interval_falls_back_from_typical_to_slope_to_mean(self, tmp_path: Path) -> None:
        mean = {"lower_bound": 1.0, "upper_bound": 2.0, "unit": "us"}
        _, [result] = read(tmp_path / "f", criterion_line(typical=None, mean=mean))
        assert (result.lower, result.upper) == (1000.0, 2000.0)
        _, [result] = read(tmp_path / "f", criterion_line(typical=None, mean=None))
        assert (result.lower, result.upper) == (None, None)

    def test_one_name_twice_is_kept_apart(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", criterion_line("a") + criterion_line("a", totals=[1.0, 2.0]))
        assert len({r.id for r in results}) == 2
        assert results[1].tags == {"ordinal": "2"}
        assert any("occurs again" in note for note in run.notes)


class TestSkips:
    """A well-formed message with invalid contents skips only that benchmark."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            ({"counts": [1]}, "length-mismatch"),
            ({"counts": [], "totals": []}, "no-statistics"),
            ({"counts": [1, 0]}, "zero-iterations"),
            ({"counts": [1, 1.5]}, "zero-iterations"),
            ({"counts": [1, -1]}, "zero-iterations"),
            ({"counts": [1, 2**70]}, "zero-iterations"),
            ({"totals": [1.0, -1.0]}, "negative-time"),
            ({"totals": [1.0, "2"]}, "not-a-number"),
            ({"totals": [1.0, None]}, "not-a-number"),
            ({"totals": [1.0, True]}, "not-a-number"),
            ({"totals": [1.0, [2.0]]}, "not-a-number"),
            ({"totals": [1.0, float("nan")]}, "not-a-number"),
            ({"totals": [1.0, 10**400]}, "out-of-range"),
            ({"totals": [1.0, 1e305], "unit": "s"}, "out-of-range"),
            ({"totals": "fast"}, "wrong-type"),
            ({"unit": "parsecs"}, "unknown-unit"),
            ({"typical": {"lower_bound": 1.0}}, "missing-field"),
            ({"throughput": [{"unit": "bytes"}]}, "missing-field"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, bad: dict[str, Any], reason: str) -> None:
        text = criterion_line("before") + criterion_line("bad", **bad) + criterion_line("after")
        run, results = read(tmp_path / "f", text)
        assert [r.benchmark_name for r in results] == ["before", "after"]
        assert run.skipped == {reason: 1}
        assert [note.split(": ")[:2] for note in run.notes] == [["bad", f"skipped, {reason}"]]

    @pytest.mark.parametrize("name", [5, None, ""])
    def test_without_a_name_the_line_names_it(self, tmp_path: Path, name: Any) -> None:
        run, results = read(tmp_path / "f", GROUP + criterion_line(name))
        assert results == []
        assert run.notes[0].startswith("line 2: skipped, ")

    def test_missing_samples(self, tmp_path: Path) -> None:
        run, _ = read(tmp_path / "f", '{"reason":"benchmark-complete","id":"x"}')
        assert run.skipped == {"missing-field": 1}


class TestRefusals:
    """A file with a line that is not JSON is refused."""

    def test_truncated_last_line(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="the text ends too early") as caught:
            read(tmp_path / "f", criterion_line("a") + criterion_line("b")[:-20])
        assert caught.value.line == 2

    def test_text_between_the_lines(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError) as caught:
            read(tmp_path / "f", criterion_line("a") + "\n{oops}\n")
        assert (caught.value.line, caught.value.column) == (3, 2)

    def test_line_is_no_object(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="Expected `object`") as caught:
            read(tmp_path / "f", criterion_line("a") + "[1]\n")
        assert caught.value.line == 2

    def test_no_benchmark(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="no benchmark-complete message"):
            read(tmp_path / "f", GROUP)
