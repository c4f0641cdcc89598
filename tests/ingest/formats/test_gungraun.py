from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError
from tests.ingest.support import read

if TYPE_CHECKING:
    from pathlib import Path


PATH = "game::play_group::play"
COUNTS = f"""
running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

{PATH} short:10
  Instructions:                1734|1650            (+5.09090%) [+1.04844x]
  L1 Hits:                     2359|N/A             (*********)
  Estimated Cycles:            2464|2464            (No change)
"""
IAI = """fibonacci_short
  Instructions:                1735 (+1.139138%)
  L1 Accesses:                 2364 (No change)
"""


def summary(metrics: Any = None, *, tool: str = "Callgrind", indent: int | None = None, **fields: Any) -> str:
    """Return a summary of one benchmark as JSON."""
    counts = {"Ir": {"diffs": None, "metrics": {"Left": {"Int": 6}}}} if metrics is None else metrics
    total: dict[str, Any] = {"regressions": [], "summary": {tool: counts} if isinstance(counts, dict) else counts}
    parts = [{"details": {}, "metrics_summary": total["summary"]}]
    profiles = [{"tool": tool, "log_paths": [], "summaries": {"parts": parts, "total": total}}]
    whole = {"baselines": [None, None], "id": "first", "details": "10", "module_path": PATH, "profiles": profiles}
    return json.dumps({**whole, "version": "6", **fields}, indent=indent) + "\n"


class TestText:
    """Each figure of this run is a metric of the benchmark above it."""

    def test_metrics(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", COUNTS)
        assert [(r.benchmark_name, r.metric, r.units, r.direction, list(r.values)) for r in results] == [
            (f"{PATH} short", "instructions", "count", "lower", [1734.0]),
            (f"{PATH} short", "l1-hits", "count", "info", [2359.0]),
            (f"{PATH} short", "estimated-cycles", "count", "lower", [2464.0]),
        ]
        assert json.loads(results[0].metadata) == {"details": "10"}

    def test_a_figure_of_the_earlier_run_alone_is_none_of_this(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", COUNTS.replace("2359|N/A ", "N/A|2359 "))
        assert [r.metric for r in results] == ["instructions", "estimated-cycles"]

    def test_tools(self, tmp_path: Path) -> None:
        first, _, rest = COUNTS.rpartition(" short:10\n")
        tools = f"{first} short:10\n  ======= CALLGRIND =====\n{rest}  ======= DHAT =====\n  Total bytes:   29499|N/A  (***)\n"
        _, results = read(tmp_path / "f", tools)
        assert [(r.metric, r.units) for r in results][-2:] == [
            ("estimated-cycles", "count"),
            ("dhat-total-bytes", "bytes"),
        ]

    def test_a_name_over_several_lines(self, tmp_path: Path) -> None:
        text = COUNTS.replace(" short:10\n", ' short:"two\nlines"\n')
        _, [result, *_] = read(tmp_path / "f", text)
        assert result.benchmark_name == f"{PATH} short"
        assert json.loads(result.metadata) == {"details": '"two\nlines"'}

    def test_rates_are_in_per_cent(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", f"{COUNTS}  L1 Hit Rate:               99.8700|N/A             (*********)\n")
        assert (results[-1].metric, results[-1].units, results[-1].direction) == ("l1-hit-rate", "ratio", "info")
        assert list(results[-1].values) == pytest.approx([0.9987])

    def test_regressions_below_are_no_benchmarks(self, tmp_path: Path) -> None:
        below = f"\nRegressions:\n\n  {PATH} short:\n    Callgrind: Instructions (1650 -> 1734): +5.09090% exceeds limit of +5.0%\n\nIai-Callgrind result: Regressed. 1 regressed\n"
        run, results = read(tmp_path / "f", COUNTS + below)
        assert (len(results), run.skipped) == (3, {})

    def test_iai(self, tmp_path: Path) -> None:
        _, results = read(tmp_path / "f", IAI)
        assert [(r.benchmark_name, r.metric, r.direction, r.values[0]) for r in results] == [
            ("fibonacci_short", "instructions", "lower", 1735.0),
            ("fibonacci_short", "l1-accesses", "info", 2364.0),
        ]


class TestJson:
    """The summaries of all benchmarks are read from between the lines of cargo."""

    @pytest.mark.parametrize("indent", [None, 2])
    def test_a_summary(self, tmp_path: Path, indent: int | None) -> None:
        both = {"Ir": {"diffs": None, "metrics": {"Both": [{"Int": 6}, {"Int": 5}]}}}
        text = f"running 0 tests\n\n{summary(both, indent=indent)}{summary(id=None, indent=indent)}\ntext {{ that follows\n"
        _, results = read(tmp_path / "f", text)
        assert [(r.benchmark_name, r.metric, list(r.values)) for r in results] == [
            (f"{PATH} first", "instructions", [6.0]), (PATH, "instructions", [6.0]),
        ]  # fmt: skip

    def test_text_and_json_give_one_series(self, tmp_path: Path) -> None:
        names = {
            "Ir": "instructions",
            "L1hits": "l1-hits",
            "EstimatedCycles": "estimated-cycles",
            "SysCount": "sys-count",
        }
        counts = {name: {"diffs": None, "metrics": {"Left": {"Int": 1}}} for name in names}
        _, results = read(tmp_path / "f", summary(counts))
        assert [r.metric for r in results] == list(names.values())
        dhat = {"AtTEndBytes": {"diffs": None, "metrics": {"Left": {"Int": 1}}}}
        _, [result] = read(tmp_path / "g", summary(dhat, tool="DHAT"))
        assert (result.metric, result.units) == ("dhat-at-t-end-bytes", "bytes")

    @pytest.mark.parametrize(
        ("metrics", "reason"),
        [
            ({"Ir": {"diffs": None, "metrics": {"Right": {"Int": 6}}}}, "no-statistics"),
            ("None", "no-statistics"),
            ({"Ir": {"diffs": None, "metrics": {"Left": {"Int": "six"}}}}, "not-a-number"),
        ],
    )
    def test_nothing_of_this_run_is_a_skip(self, tmp_path: Path, metrics: Any, reason: str) -> None:
        run, results = read(tmp_path / "f", summary() + summary(metrics, id="second"))
        assert ([r.benchmark_name for r in results], run.skipped) == ([f"{PATH} first"], {reason: 1})

    def test_a_cut_summary_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match=r"f:2: is JSON that ends too early"):
            read(tmp_path / "f", summary() + summary()[:-40])


class TestNothingLost:
    """A benchmark without figures is a skip, and so is one figure that cannot be read."""

    def test_no_figures(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", f"{COUNTS}{PATH} long:30\n\n")
        assert (len(results), run.skipped) == (3, {"no-statistics": 1})
        assert any(note.startswith(f"{PATH} long: skipped") for note in run.notes)

    def test_a_cut_text(self, tmp_path: Path) -> None:
        run, _ = read(tmp_path / "f", f"{COUNTS}{PATH} long:30")
        assert run.skipped == {"no-statistics": 1}

    def test_no_number(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", COUNTS + COUNTS.replace("1734|", "1.7.3|").replace("short", "long"))
        assert [f"{r.benchmark_name.rpartition(' ')[2]} {r.metric}" for r in results] == [
            *("short instructions", "short l1-hits", "short estimated-cycles"),
            *("long l1-hits", "long estimated-cycles"),
        ]
        assert run.skipped == {"not-a-number": 1}
        assert any(note.startswith(f"{PATH} long (instructions): skipped") for note in run.notes)

    def test_no_number_in_a_summary(self, tmp_path: Path) -> None:
        counts = {
            name: {"diffs": None, "metrics": {"Left": {"Int": n}}}
            for name, n in (("Ir", "six"), ("L1hits", 1), ("Dr", None))
        }
        run, results = read(tmp_path / "f", summary(counts))
        assert ([r.metric for r in results], run.skipped) == (["l1-hits"], {"not-a-number": 1})
