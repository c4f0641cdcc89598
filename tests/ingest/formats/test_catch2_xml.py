from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import parse
from tests.ingest.support import FIXED, figures, read

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.model import Result

ROOT = 'Catch2TestRun name="x" catch2-version="3.5.4"'
FIGURES = (
    '<mean value="344.5" lowerBound="341" upperBound="349" ci="0.95"/>'
    '<standardDeviation value="1.9e+01" lowerBound="1" upperBound="2" ci="0.95"/>'
)
BENCHMARK = f'<BenchmarkResults name="b" samples="100" iterations="2">{FIGURES}</BenchmarkResults>'


def catch2_xml(*inner: str, root: str = ROOT) -> str:
    body = "".join(inner) or f'<TestCase name="T" tags="[x]">{BENCHMARK}</TestCase>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{body}</{root.split(" ", maxsplit=1)[0]}>\n'


def short(result: Result) -> tuple[str, str, str | None]:
    return result.suite, result.benchmark_name, result.error


class TestReading:
    """The XML report gives the results of the console text, with all digits."""

    @pytest.mark.parametrize("root", [ROOT, 'Catch name="x"'])
    def test_figures(self, tmp_path: Path, root: str) -> None:
        run, [result] = read(tmp_path / "f", catch2_xml(root=root))
        assert (run.format, short(result), result.n, list(result.values)) == ("catch2-xml", ("T", "b", None), 100, [])
        assert (figures(result, "mean", "median", "standard_deviation", "min"), result.lower, result.upper) == (
            [344.5, 344.5, 19, None], 341, 349,
        )  # fmt: skip
        facts = json.loads(result.metadata)
        assert (facts["iterations"], facts["mean"]["ci"]) == ("2", "0.95")
        assert json.loads(run.context)["name"] == "x"

    def test_titles_and_failures(self, tmp_path: Path) -> None:
        failed = '<BenchmarkResults name="{}"><failed message="no &lt;such&gt; index"/></BenchmarkResults>'
        text = catch2_xml(
            '<TestCase name="T">',
            failed.format("a"),
            '<Section name="s &amp; t"><Section name="u">',
            '<BenchmarkResults name="b"><Expression success="false"/></BenchmarkResults>',
            "</Section></Section>",
            failed.format("c"),
            "</TestCase>",
        )
        _, found = read(tmp_path / "f", text)
        assert [short(r) for r in found] == [
            ("T", "a", "no <such> index"), ("T / s & t / u", "b", "the benchmark did not finish"), ("T", "c", "no <such> index"),
        ]  # fmt: skip

    @pytest.mark.parametrize("samples", ["", "many", "0", "-1", "9" * 5000])
    def test_an_odd_number_of_samples_costs_no_benchmark(self, tmp_path: Path, samples: str) -> None:
        _, [result] = read(tmp_path / "f", catch2_xml().replace('samples="100"', f'samples="{samples}"'))
        assert (result.n, figures(result, "mean")) == (1, [344.5])


class TestSkips:
    """An unreadable benchmark is skipped; a document that is not a report is refused."""

    @pytest.mark.parametrize(
        ("old", "new", "reason"),
        [
            ('value="344.5"', 'value="x"', "not-a-number"),
            ('value="344.5"', 'value="nan"', "not-a-number"),
            ('value="344.5"', "", "not-a-number"),
            ('value="344.5"', 'value="1e999"', "out-of-range"),
            ('value="344.5"', 'value="-1"', "negative-time"),
            ('value="1.9e+01"', 'value="?"', "not-a-number"),
            ('name="b"', 'name=""', "no-name"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, old: str, new: str, reason: str) -> None:
        run, [result] = read(tmp_path / "f", catch2_xml(BENCHMARK.replace(old, new), BENCHMARK))
        assert (result.benchmark_name, run.skipped) == ("b", {reason: 1})
        assert "line 2" in run.notes[0]

    def test_an_interval_without_an_end_is_none(self, tmp_path: Path) -> None:
        _, [result] = read(tmp_path / "f", catch2_xml(BENCHMARK.replace('lowerBound="341" ', "")))
        assert (result.lower, result.upper) == (None, None)

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            (catch2_xml()[:-20], "is not valid XML: unclosed token. Was the job cancelled"),
            (f"> npm run bench\n\n{catch2_xml()}", ":1:.*: is not valid XML: .*; other text is in front of the report"),
            (catch2_xml() + catch2_xml(), "; a second report or other text follows the first"),
            (f"{catch2_xml()}\nDone.\n", "; a second report or other text follows the first"),
            (catch2_xml().replace("</TestCase>", ""), ":2:.*: is not valid XML: mismatched tag"),
            (catch2_xml().replace("<Catch2", '<!DOCTYPE x [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><Catch2', 1), "declares a document type"),
            (catch2_xml("<x/>"), "contains no benchmark of Catch2"),
        ],
    )  # fmt: skip
    def test_refused(self, tmp_path: Path, text: str, match: str) -> None:
        (tmp_path / "f").write_text(text)
        with pytest.raises(UnreadableOutputError, match=match):
            parse(tmp_path / "f", "catch2-xml", provenance=FIXED)

    def test_a_report_without_benchmarks_is_not_taken_for_one(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="is in no format"):
            read(tmp_path / "f", catch2_xml('<TestCase name="T"/>'))
