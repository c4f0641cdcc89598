from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.ingest import ADAPTERS, Provenance, detect, parse
from tests.ingest.support import DATA

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.model import Result

READINGS = [path for path in sorted(DATA.rglob("*.golden.json")) if "results" in json.loads(path.read_text())]
# not those of the checkout around the files
_ELSEWHERE = Provenance(ingested_at=1, dut_name="measured")
# defaults of a result in a golden reading
_USUAL: dict[str, Any] = {
    "suite": "",
    "metric": "time",
    "units": "nanoseconds",
    "direction": "lower",
    "tags": {},
    "error": None,
}
_NUMBERS = ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")


def close(number: float | None) -> Any:
    return number if number is None else pytest.approx(number, rel=1e-12, abs=1e-9)


class TestRecorded:
    """Each recorded output gives the results of an independent reader, in the format named by its directory."""

    @pytest.mark.parametrize("reading", READINGS, ids=lambda path: str(path.relative_to(DATA)))
    def test_reading(self, reading: Path) -> None:
        golden = json.loads(reading.read_text())
        run, results = parse(reading.with_name(golden["file"]), provenance=_ELSEWHERE)
        assert run.format == reading.relative_to(DATA).parts[0]
        assert run.skipped == golden.get("skipped", {})
        for field in {"run_time", "commit", "branch"} & set(golden):
            assert getattr(run, field) == golden[field]
        assert golden.get("dut_timestamp", run.dut.timestamp) == run.dut.timestamp
        bed = golden.get("test_bed", {})
        assert {field: getattr(run.test_bed, field) for field in bed} == bed
        assert [r.benchmark_name for r in results] == [expected["name"] for expected in golden["results"]]
        for result, expected in zip(results, golden["results"], strict=True):
            self.matches(result, _USUAL | expected)

    @staticmethod
    def matches(result: Result, expected: dict[str, Any]) -> None:
        assert {name: getattr(result, name) for name in _USUAL} == {name: expected[name] for name in _USUAL}
        assert (result.n, len(result.values)) == (expected["n"], expected["values"])
        assert list(result.iterations) == expected.get("iterations", [])
        for name in ("lower", "upper"):
            assert getattr(result, name) == close(expected.get(name))
        for name in _NUMBERS:
            assert result.summary is None or getattr(result.summary, name) == close(expected[name]), name

    def test_every_recorded_file_shows_one_format(self) -> None:
        single = {adapter.name for adapter in ADAPTERS if adapter.sniff}
        for reading in DATA.rglob("*golden.json"):
            output = reading.with_name(json.loads(reading.read_text()).get("file", "."))
            if output.is_file():
                assert detect(output).name in single
                assert detect(output).name == output.relative_to(DATA).parts[0]
