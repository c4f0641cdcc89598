from __future__ import annotations

import gc
import json
import re
import tomllib
from math import inf
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import (
    Adapter,
    Content,
    Measurement,
    Reading,
    adapter_named,
    declared_formats,
    detect,
    find,
    parse,
    parse_each,
)
from bench_db.ingest.declared import adapters, unmapped_in
from bench_db.ingest.registry import open_path
from bench_db.model import Samples
from bench_db.schedule.config import formats
from bench_db.schedule.declaration import Field, Format, Measure, RunFacts, Version
from bench_db.units import Direction
from tests.cli.conftest import bench_db
from tests.ingest.formats.test_custom_json import custom_file
from tests.ingest.samples import SAMPLES
from tests.ingest.support import FIXED, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import Result, Run

INFERENCE = """
[alias.gpu]
"h100*" = "h100"
"h200*" = "h200"
[alias.model]
gptoss = "gptoss120b"
[alias.framework]
trtllm = "trt"

[format.inference]
name = "{model}/{framework}/{metric}"
suite = "serve"
tags = ["gpu", "precision", "spec_method", "isl", "osl", "conc", "prefill_tp", "decode_tp", "prefill_ep", "decode_ep"]
ignore = ["num_*", "*_workers", "*_dp_attention"]
[format.inference.fields]
gpu = { field = "hw", lower = true, alias = "gpu" }
model = { field = ["infmax_model_prefix", "model_prefix", "model"], lower = true, alias = "model" }
framework = { lower = true, alias = "framework" }
precision = { lower = true }
spec_method = { lower = true, default = "none" }
[format.inference.metrics]
tput_per_gpu = { unit = "tokens/s/gpu", better = "higher" }
median_intvty = { unit = "tokens/s/user", better = "higher" }
"*_ttft" = { unit = "s" }
"*" = {}
[format.inference.version.v2]
has = ["prefill_tp"]
[format.inference.version.v1]
has = ["tp"]
[format.inference.version.v1.fields]
prefill_tp = { field = "tp" }
decode_tp = { field = "tp" }
prefill_ep = { field = "ep" }
decode_ep = { field = "ep" }
"""
SERVED: dict[str, Any] = {
    "hw": "H100-trt",
    "infmax_model_prefix": "gptoss",
    "framework": "TRTLLM",
    "precision": "FP4",
    "isl": 1024,
    "osl": 1024,
    "conc": 16,
    "image": "example/serve:1",
    "tput_per_gpu": 812.5,
    "median_ttft": 0.125,
    "p99_ttft": 0.5,
    "median_intvty": 45.25,
    "median_e2el": 20.5,
}
V1 = SERVED | {"tp": 8, "ep": 1, "dp_attention": False}
V2 = SERVED | {
    **{f"{side}_{key}": value for side in ("prefill", "decode") for key, value in (("tp", 8), ("ep", 1))},
    "prefill_dp_attention": False,
    "decode_dp_attention": False,
    "prefill_num_workers": 1,
    "decode_num_workers": 1,
    "num_prefill_gpu": 8,
    "num_decode_gpu": 8,
}
MINIMAL = '[format.mine]\nname = "{name}"\nmetrics = ["*_ms"]\n'


def declared(text: str) -> tuple[Adapter, ...]:
    return declared_formats(formats(tomllib.loads(text), "bench-db.toml"))


def read(path: Path, text: str, content: object, name: str = "mine") -> tuple[Run, list[Result]]:
    """Parse a content, JSON unless it is a text, by the one format that a declaration has."""
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return parse(path, name, provenance=FIXED, declared=declared(text))


def shown(results: Sequence[Result]) -> list[tuple[str, str, list[float]]]:
    return [(result.benchmark_name, result.metric, list(result.values)) for result in results]


class TestVersions:
    """Both versions of one artifact are the same series: presence tells them apart, and the first that fits is named."""

    @pytest.mark.parametrize(("row", "version"), [(V1, "v1"), (V2, "v2")], ids=["v1", "v2"])
    def test_an_artifact_of_inference(self, tmp_path: Path, row: dict[str, Any], version: str) -> None:
        (tmp_path / "results.json").write_text(json.dumps([row]))
        run, results = parse(tmp_path / "results.json", provenance=FIXED, declared=declared(INFERENCE))
        assert (run.format, run.skipped, run.notes) == ("inference", {}, (f"read as inference {version} (1 row)",))
        found = {r.metric: (r.benchmark_name, r.units, str(r.direction), list(r.values)) for r in results}
        assert found == {
            "tput_per_gpu": ("gptoss120b/trt/tput_per_gpu", "tokens/s/gpu", "higher", [812.5]),
            "median_intvty": ("gptoss120b/trt/median_intvty", "tokens/s/user", "higher", [45.25]),
            "median_ttft": ("gptoss120b/trt/median_ttft", "nanoseconds", "lower", [0.125e9]),
            "p99_ttft": ("gptoss120b/trt/p99_ttft", "nanoseconds", "lower", [0.5e9]),
            "median_e2el": ("gptoss120b/trt/median_e2el", "ratio", "info", [20.5]),
        }
        [tags] = {tuple(r.tags.items()) for r in results}
        assert dict(tags) == {
            "gpu": "h100",
            "precision": "fp4",
            "spec_method": "none",
            "isl": "1024",
            "osl": "1024",
            "conc": "16",
            "prefill_tp": "8",
            "decode_tp": "8",
            "prefill_ep": "1",
            "decode_ep": "1",
        }
        assert {r.suite for r in results} == {"serve"}

    def test_both_are_the_same_series(self, tmp_path: Path) -> None:
        old, new = (read(tmp_path / "f", INFERENCE, [row], "inference")[1] for row in (V1, V2))
        assert sorted(r.series_key for r in old) == sorted(r.series_key for r in new)
        assert len({r.series_key for r in old}) == 5

    def test_versions_in_one_file(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", INFERENCE, [V1, V2, V2, {"hw": "H100"}], "inference")
        assert run.notes[0] == "read as inference v2 (2 rows), v1 (1 row)"
        assert run.skipped == {"missing-field": 1}
        assert (
            "$[3]: skipped, missing-field: has the fields of no version, prefill_tp (v2) or tp (v1), at $[3]"
            in run.notes
        )
        assert len(results) == 15

    def test_names_that_no_table_has_are_counted(self, tmp_path: Path) -> None:
        rows = [V1 | {"hw": hw} for hw in ("B999", "b999", "h200-nb", "MI7", "h100")]
        run, results = read(tmp_path / "f", INFERENCE, rows, "inference")
        assert "2 names not in [alias.gpu]: b999 (2 rows), mi7 (1 row)" in run.notes
        assert json.loads(run.context) == {"unmapped": {"gpu": {"b999": 2, "mi7": 1}}}
        assert {r.tags["gpu"] for r in results} == {"b999", "h200", "mi7", "h100"}


class TestUnmappedIn:
    """The context of a run says which names no table had; anything else under that word says nothing."""

    @pytest.mark.parametrize("context", ["{}", '{"unmapped": 5}', '{"unmapped": {"gpu": ["x"]}}', "[]", ""])
    def test_nothing(self, context: str) -> None:
        assert unmapped_in(context) == {}

    def test_names(self) -> None:
        assert unmapped_in('{"sha": "x", "unmapped": {"gpu": {"b999": 2}}}') == {"gpu": {"b999": 2}}


class TestLayouts:
    """Rows are at a path of a document, on the lines of a file, or below the head of a table; all give the same results."""

    ROWS = ({"name": "a", "t_ms": 1.5}, {"name": "é", "t_ms": 2})
    EXPECTED = (("a", "t", [1.5e6]), ("é", "t", [2e6]))

    @pytest.mark.parametrize(
        ("keys", "content"),
        [
            ("", ROWS),
            ('rows = "results"\n', {"sha": "x", "results": ROWS}),
            ('rows = "results[*]"\n', {"sha": "x", "results": ROWS}),
            ('rows = "$.a.results[*]"\n', {"a": {"results": ROWS}}),
            ('rows = "suites[*].cases"\n', {"suites": [{"cases": [row]} for row in ROWS]}),
            ('rows = "suites[*].cases[*]"\n', {"suites": {"x": {"cases": ROWS}, "y": {"cases": []}}}),
            ('layout = "json-lines"\n', "\n".join(map(json.dumps, ROWS)) + "\n\n"),
            ('layout = "csv"\n', "name,t_ms\na,1.5\né,2\n"),
            ('layout = "csv"\n', "\n\ufeffname;t_ms\n"[1:] + "\na; 1.5 \n\né;2\n"),
            ('layout = "csv"\n', "t_ms\tname\n1.5\ta\n2\t\u00e9"),
            ('layout = "csv"\ndelimiter = "|"\n', "name|t_ms\r\na|1.5\r\né|2\r\n"),
        ],
    )
    def test_the_same_results(self, tmp_path: Path, keys: str, content: object) -> None:
        run, results = read(tmp_path / "f", MINIMAL + keys, content)
        assert tuple(shown(results)) == self.EXPECTED
        assert run.skipped == {}

    def test_one_object_is_one_row(self, tmp_path: Path) -> None:
        """The JSON of lance's distributed IVF-PQ benchmark is a single object with the times of its phases."""
        text = """
[format.distributed-ivf-pq]
has = ["num_shards", "total_ms"]
name = "distributed_ivf_pq/{metric}"
metrics = ["*_ms"]
tags = ["num_shards", "rows", "distance"]
"""
        phases = {
            "train_ivf_ms": 1520.5,
            "train_pq_ms": 310,
            "build_shards_ms": 8800.25,
            "merge_ms": 402,
            "total_ms": 11032.75,
        }
        document = {"num_shards": 8, "rows": 1_000_000, "distance": "l2", **phases}
        (tmp_path / "f").write_text(json.dumps(document))
        run, results = parse(tmp_path / "f", provenance=FIXED, declared=declared(text))
        assert shown(results) == [
            (f"distributed_ivf_pq/{name.removesuffix('_ms')}", name.removesuffix("_ms"), [value * 1e6])
            for name, value in phases.items()
        ]
        assert [dict(r.tags) for r in results] == 5 * [{"num_shards": "8", "rows": "1000000", "distance": "l2"}]
        assert (run.format, run.context) == ("distributed-ivf-pq", "{}")

    def test_the_rest_of_the_document_is_the_context(self, tmp_path: Path) -> None:
        document = {"sha": "x", "machine": {"os": "l"}, "results": [{"name": "a", "t_ms": 1, "raw": [1], "note": "n"}]}
        run, [result] = read(tmp_path / "f", MINIMAL + 'rows = "results"\n', document)
        assert json.loads(run.context) == {"sha": "x", "machine": {"os": "l"}}
        assert json.loads(result.metadata) == {"name": "a", "raw": [1], "note": "n"}

    def test_keys_and_what_is_around_a_row(self, tmp_path: Path) -> None:
        text = """
[format.mine]
rows = "suites[*].cases[*]"
name = "{$.suites[*].title}/{$key}"
metrics = { value = { unit = "{$.unit}" } }
tags = { host = "{$.machine[\\"host name\\"]}", first = "{$.sizes[0]}" }
"""
        cases = [{"title": "io", "cases": {"read": 1, "write": [2, 3]}}, {"title": "cpu", "cases": [4]}]
        document = {"unit": "us", "machine": {"host name": "h"}, "sizes": [7, 8], "suites": cases}
        run, results = read(tmp_path / "f", text, document)
        assert shown(results) == [
            ("io/read", "value", [1e3]),
            ("io/write", "value", [2e3, 3e3]),
            ("cpu/0", "value", [4e3]),
        ]
        assert [dict(r.tags) for r in results] == 3 * [{"first": "7", "host": "h"}]
        assert run.skipped == {}

    @pytest.mark.parametrize(
        ("keys", "content", "error"),
        [
            (
                'rows = "results"\n',
                {"result": []},
                r"f: is not there; `rows` of the declaration is its path at \$.results",
            ),
            ('rows = "results[*]"\n', {"results": 5}, r"f: is no list of rows at \$.results"),
            ("", [], r"contains no benchmark"),
            ('layout = "csv"\n', "name,t_ms\n", r"contains no benchmark"),
            ('layout = "csv"\n', "name,t_ms,name\na,1,b\n", r"f:1: has several columns named 'name'"),
            (
                'layout = "json-lines"\n',
                '{"name": "a", "t_ms": 1}\n{"name"',
                r"f:2:8: is not valid JSON|f:2.*too early",
            ),
            ("", '[{"name": "a", "t_ms": 1}', "too early"),
        ],
    )
    def test_a_file_of_another_shape(self, tmp_path: Path, keys: str, content: object, error: str) -> None:
        with pytest.raises(UnreadableOutputError, match=error):
            read(tmp_path / "f", MINIMAL + keys, content)

    def test_an_element_without_rows_is_skipped(self, tmp_path: Path) -> None:
        document = {"suites": [{"cases": [{"name": "a", "t_ms": 1}]}, {"other": []}, 5]}
        run, results = read(tmp_path / "f", MINIMAL + 'rows = "suites[*].cases[*]"\n', document)
        assert (shown(results), run.skipped) == ([("a", "t", [1e6])], {"wrong-type": 2})
        assert any("$.suites[1]: skipped, wrong-type: $.suites[1].cases is not there" in note for note in run.notes)


class TestNumbers:
    """A number is finite and in a base unit; any other value is skipped with its row and field."""

    @pytest.mark.parametrize(
        ("value", "reason", "detail"),
        [
            ("fast", "not-a-number", "'fast' at $[1].t_ms"),
            (None, "not-a-number", "None at $[1].t_ms"),
            (True, "not-a-number", "True at $[1].t_ms"),
            ({}, "not-a-number", "{} at $[1].t_ms"),
            ([], "no-statistics", "an empty list at $[1].t_ms"),
            ([1, None], "not-a-number", "None at $[1].t_ms[1]"),
            ([1, [2]], "not-a-number", "[2] at $[1].t_ms[1]"),
            ([1, True], "not-a-number", "True at $[1].t_ms[1]"),
            (float("nan"), "not-finite", "NaN at $[1].t_ms"),
            ([1, float("-inf")], "not-finite", "-Infinity at $[1].t_ms[1]"),
            (-1, "negative-time", "$[1].t_ms"),
            (1e305, "out-of-range", "$[1].t_ms"),
            (10**400, "out-of-range", "$[1].t_ms"),
        ],
    )
    def test_refused(self, tmp_path: Path, value: object, reason: str, detail: str) -> None:
        rows = [{"name": "a", "t_ms": 1}, {"name": "b", "t_ms": value, "u_ms": 1}]
        run, results = read(tmp_path / "f", MINIMAL, rows)
        assert shown(results) == [("a", "t", [1e6]), ("b", "u", [1e6])]
        assert run.skipped == {reason: 1}
        [note] = [note for note in run.notes if note.startswith("b (t): skipped")]
        assert detail in note

    def test_texts_are_numbers_with_a_note(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", MINIMAL, [{"name": "a", "t_ms": "1.5"}])
        assert shown(results) == [("a", "t", [1.5e6])]
        assert any("is a text" in note for note in run.notes)

    @pytest.mark.parametrize(
        ("field", "measure", "expected"),
        [
            ("p99_us", "{}", ("p99", "nanoseconds", "lower", 2e3)),
            ("rss_mb", "{}", ("rss", "bytes", "lower", 2e6)),
            ("rss_MiB", "{}", ("rss", "bytes", "lower", 2 * 2**20)),
            ("tokens_per_s", "{}", ("tokens_per_s", "per_second", "higher", 2)),
            ("read_gb_per_second", "{}", ("read", "bytes_per_second", "higher", 2e9)),
            ("ops_per_ms", "{}", ("ops_per_s", "per_second", "higher", 2e3)),
            ("mb_per_s", "{}", ("bytes_per_s", "bytes_per_second", "higher", 2e6)),
            ("reads_per_kb", "{}", ("reads_per_kb", "ratio", "info", 2)),
            ("score", "{}", ("score", "ratio", "info", 2)),
            ("score", '{ better = "higher" }', ("score", "ratio", "higher", 2)),
            ("recall", '{ unit = "recall" }', ("recall", "recall", "higher", 2)),
            ("p99_us", '{ unit = "ms" }', ("p99_us", "nanoseconds", "lower", 2e6)),
            ("p99_us", '{ metric = "time", better = "info" }', ("time", "nanoseconds", "info", 2e3)),
            ("cost", '{ unit = "USD/h" }', ("cost", "USD/h", "info", 2)),
            ("latency_min", "{}", ("latency_min", "ratio", "info", 2)),
            ("a.b", '{ unit = "ns" }', ("a.b", "nanoseconds", "lower", 2)),
        ],
    )
    def test_unit_metric_and_direction(
        self, tmp_path: Path, field: str, measure: str, expected: tuple[str, str, str, float]
    ) -> None:
        text = f'[format.mine]\nname = "n"\nmetrics = {{ "{field}" = {measure} }}\n'
        _, [result] = read(tmp_path / "f", text, [{field: 2}])
        assert (result.metric, result.units, str(result.direction), result.values[0]) == expected

    def test_long_tables(self, tmp_path: Path) -> None:
        text = """
[format.mine]
layout = "csv"
name = "{test}"
metrics = { value = { metric = "{metric}", unit = "{unit}" } }
repeated = "samples"
"""
        table = "test,metric,value,unit\na,time,1,ms\na,peak,3,MB\na,time,2,ms\nb,time,4,\n"
        _, results = read(tmp_path / "f", text, table)
        assert [(*one, r.units) for one, r in zip(shown(results), results, strict=True)] == [
            ("a", "time", [1e6, 2e6], "nanoseconds"),
            ("a", "peak", [3e6], "bytes"),
        ]

    def test_inner_fields(self, tmp_path: Path) -> None:
        text = '[format.mine]\nname = "{run.name}"\nmetrics = ["stats.*_ms", "runs[0].ms", "host.load"]\n'
        row = {
            "run": {"name": "a"},
            "stats": {"mean_ms": 1, "raw_ms": [1, 2], "n": 3},
            "runs": [{"ms": 5}],
            "host": {"load": 1},
        }
        _, results = read(tmp_path / "f", text, [row])
        assert shown(results) == [
            ("a", "runs[0].ms", [5]),
            ("a", "host.load", [1]),
            ("a", "stats.mean", [1e6]),
            ("a", "stats.raw", [1e6, 2e6]),
        ]
        rest = {"run": {"name": "a"}, "stats": {"n": 3}, "runs": [{"ms": 5}], "host": {}}
        assert json.loads(results[0].metadata) == rest

    def test_rows_whose_inner_fields_are_of_another_object(self, tmp_path: Path) -> None:
        """An inner field of the same name in another object is a metric of its own, whatever the rows before it had."""
        text = '[format.mine]\nname = "{name}"\nmetrics = ["a.*_ms", "b.*_ms"]\n'
        rows = [{"name": "x", "a": {"t_ms": 1}, "b": None}, {"name": "y", "a": None, "b": {"t_ms": 2}}]
        _, results = read(tmp_path / "f", text, rows)
        assert shown(results) == [("x", "a.t", [1e6]), ("y", "b.t", [2e6])]

    @pytest.mark.parametrize("name", ["p99.9_ms", "lat[0]_ms", "lat]_ms", ".x_ms", "$.x_ms", "[*]_ms"])
    @pytest.mark.parametrize(
        ("pattern", "home"),
        [("*_ms", ()), ("stats.*_ms", ("stats",)), ("a.b.*_ms", ("a", "b")), ("a.b.*_ms", ("a.b",))],
    )
    def test_a_name_in_the_file_is_no_path(
        self, tmp_path: Path, name: str, pattern: str, home: tuple[str, ...]
    ) -> None:
        """A pattern takes any name of a field as it is: only the paths of the declaration are parsed."""
        row: dict[str, Any] = {name: 9, "mean_ms": 1, "n": 3}
        rest: dict[str, Any] = {"n": 3}
        for outer in reversed(home):
            row, rest = {outer: row}, {outer: rest}
        text = f'[format.mine]\nname = "{{name}}"\nmetrics = ["{pattern}"]\n'
        run, results = read(tmp_path / "f", text, [{"name": "x"} | row])
        prefix = "".join(f"{outer}." for outer in home)
        assert shown(results) == [("x", prefix + name[:-3], [9e6]), ("x", f"{prefix}mean", [1e6])]
        assert run.skipped == {}
        assert json.loads(results[0].metadata) == {"name": "x"} | rest

    def test_one_name_in_two_places(self, tmp_path: Path) -> None:
        """A name with a dot and an inner field that is written the same are both read."""
        text = '[format.mine]\nname = "{name}"\nmetrics = ["*_ms", "a.*_ms"]\n'
        _, results = read(tmp_path / "f", text, [{"name": "x", "a.t_ms": 1, "a": {"t_ms": 2, "n": 3}}])
        assert shown(results) == [("x", "a.t", [1e6]), ("x", "a.t", [2e6])]
        assert json.loads(results[0].metadata) == {"name": "x", "a": {"n": 3}}

    def test_a_declared_path_is_not_matched_again(self, tmp_path: Path) -> None:
        text = (
            '[format.mine]\nname = "n"\n[format.mine.metrics]\n"a.t_ms" = { unit = "s" }\n"*_ms" = {}\n"a.*_ms" = {}\n'
        )
        _, results = read(tmp_path / "f", text, [{"a.t_ms": 1}, {"a": {"t_ms": 2}}])
        assert shown(results) == [("n", "a.t_ms", [1e9]), ("n", "a.t_ms", [2e9])]

    def test_all_fields_of_numbers(self, tmp_path: Path) -> None:
        text = '[format.mine]\nname = "{name}"\nmetrics = ["*"]\ntags = ["size"]\nignore = ["seed*"]\n'
        rows = [
            {"name": "a", "size": 5, "x": 1, "y": [1, 2], "image": "i", "seed_1": 3, "on": True, "p_ms": None},
            {"name": "b", "size": 5, "x": "broken", "y": [3]},
        ]
        run, results = read(tmp_path / "f", text, rows)
        assert shown(results) == [("a", "x", [1]), ("a", "y", [1, 2]), ("b", "y", [3])]
        assert run.skipped == {"not-a-number": 1}
        assert "x: 1 row without a number in this field, the first at $[1]" in run.notes

    def test_fields_made_of_others(self, tmp_path: Path) -> None:
        """One field of the row may be several metrics; `*` does not take it again."""
        text = MINIMAL.replace('["*_ms"]', '["left", "right", "*"]') + "".join(
            f"[format.mine.fields.{side}]\nfield = ['{side}_n', 'n']\n" for side in ("left", "right")
        )
        rows = [{"name": "a", "n": 8}, {"name": "b", "n": 1, "left_n": 2.5, "right_n": [3, 4], "x": 5}]
        _, results = read(tmp_path / "f", text, rows)
        assert shown(results) == [
            ("a", "left", [8]),
            ("a", "right", [8]),
            ("b", "left", [2.5]),
            ("b", "right", [3, 4]),
            ("b", "x", [5]),
        ]

    def test_optional_fields(self, tmp_path: Path) -> None:
        text = '[format.mine]\nname = "{name}"\nmetrics = { a_ms = {}, b_ms = { optional = true } }\n'
        rows = [{"name": "x", "a_ms": 1}, {"name": "y", "a_ms": 1, "b_ms": None}, {"name": "z", "b_ms": 2}]
        run, results = read(tmp_path / "f", text, rows)
        assert shown(results) == [("x", "a", [1e6]), ("y", "a", [1e6]), ("z", "b", [2e6])]
        assert run.skipped == {"missing-field": 1}
        assert "z (a): skipped, missing-field: no field 'a_ms' at $[2]" in run.notes


class TestFields:
    """A name or a tag that a row does not have costs the row; one that no row has is a mistake of the declaration."""

    def test_a_row_without_a_field(self, tmp_path: Path) -> None:
        run, results = read(tmp_path / "f", MINIMAL, [{"name": "a", "t_ms": 1}, {"t_ms": 1}, {"name": "", "t_ms": 1}])
        assert shown(results) == [("a", "t", [1e6])]
        assert run.skipped == {"missing-field": 1, "no-name": 1}
        assert "$[1]: skipped, missing-field: no field 'name' at $[1]" in run.notes

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            (
                MINIMAL.replace("{name}", "{nmae}"),
                r"no row has the field 'nmae', which \[format.mine\] names; nearest: name",
            ),
            (MINIMAL + 'tags = ["size"]\n', r"the field 'size', .* its fields are: name, t_ms, u\. Correct"),
            (MINIMAL.replace("*_ms", "wall_ms"), "the field 'wall_ms'"),
        ],
    )
    def test_a_field_that_no_row_has(self, tmp_path: Path, text: str, error: str) -> None:
        with pytest.raises(UnreadableOutputError, match=error):
            read(tmp_path / "f", text, [{"name": "a", "t_ms": 1, "u": 1}, {"name": "b", "t_ms": 1, "u": 1}])

    @pytest.mark.parametrize(
        ("value", "text"),
        [(16, "16"), (16.0, "16"), (1.5, "1.5"), (True, "true"), ("É", "É"), ([1, 2], "[1,2]"), (2**63, str(2**63))],
    )
    def test_texts_of_values(self, tmp_path: Path, value: object, text: str) -> None:
        _, [result] = read(tmp_path / "f", MINIMAL + 'tags = ["size"]\n', [{"name": "a", "t_ms": 1, "size": value}])
        assert dict(result.tags) == {"size": text}

    def test_defaults_sources_and_aliases(self, tmp_path: Path) -> None:
        text = """
[alias.host]
"ci-*" = "ci"
old = "new"
[format.mine]
name = "{{{name}}}"
metrics = ["*_ms"]
tags = { host = "{host}", other = "{other}", kind = "bench" }
fields.host = { field = ["machine", "node"], lower = true, alias = "host", default = "none" }
fields.other = { default = "-" }
"""
        hosts: list[dict[str, Any]] = [
            {"machine": "CI-7"},
            {"machine": None, "node": "Old"},
            {"node": "new"},
            {},
            {"node": "x", "other": 1},
        ]
        run, results = read(tmp_path / "f", text, [{"name": "a", "t_ms": 1, **host} for host in hosts])
        tags = [dict(r.tags) for r in results]
        assert [tag["host"] for tag in tags] == ["ci", "new", "new", "none", "x"]
        assert [tag["other"] for tag in tags] == ["-", "-", "-", "-", "1"]
        assert {(tag["kind"], r.benchmark_name) for tag, r in zip(tags, results, strict=True)} == {("bench", "{a}")}
        assert json.loads(run.context) == {"unmapped": {"host": {"x": 1}}}


class TestRuns:
    """Rows with another commit are another run; times and the rest come from fields."""

    TEXT = (
        MINIMAL
        + """
layout = "csv"
[format.mine.run]
commit = "{sha}"
time = "{at}"
branch = "{branch}"
"""
    )

    def test_a_history(self, tmp_path: Path) -> None:
        shas = [f"{number:040x}" for number in (1, 2)]
        lines = [
            f"a,1.5,{shas[0]},2026-01-31T12:00:00Z,main",
            f"b,2,{shas[1]},1780000000,main",
            f"b,3,{shas[0]},1769861000,main",
        ]
        (tmp_path / "f").write_text("\n".join(["name,t_ms,sha,at,branch", *lines]))
        runs = list(parse_each(tmp_path / "f", "mine", provenance=FIXED_FOR_HISTORY, declared=declared(self.TEXT)))
        assert [(run.commit, run.branch, run.run_time, shown(results)) for run, results in runs] == [
            (shas[0], "main", 1769860800, [("a", "t", [1.5e6]), ("b", "t", [3e6])]),
            (shas[1], "main", 1780000000, [("b", "t", [2e6])]),
        ]
        assert len({run.sha256 for run, _ in runs}) == len({run.run_key for run, _ in runs}) == 2
        longer = "\n".join(["name,t_ms,sha,at,branch", *lines, f"a,9,{3:040x},1780000009,main"])
        (tmp_path / "f").write_text(longer)
        again = list(parse_each(tmp_path / "f", "mine", provenance=FIXED_FOR_HISTORY, declared=declared(self.TEXT)))
        assert [run.run_key for run, _ in again[:2]] == [run.run_key for run, _ in runs]

    def test_facts_of_a_document(self, tmp_path: Path) -> None:
        facts = 'commit = "{$.git.sha}"\ntime = "{$.when}"\nbranch = "main"\ntest_bed = "{$.host}"\nversion = "{$.v}"'
        text = MINIMAL + f'rows = "rows"\n[format.mine.run]\n{facts}\n'
        document = {
            "git": {"sha": "1a2b3c4" + 33 * "0"},
            "when": 1780000000.5,
            "host": "h",
            "v": "1.2",
            "rows": [{"name": "a", "t_ms": 1}],
        }
        (tmp_path / "f").write_text(json.dumps(document))
        [(run, _)] = parse_each(tmp_path / "f", "mine", provenance=FIXED_FOR_HISTORY, declared=declared(text))
        assert (run.commit, run.branch, run.run_time, run.dut.version) == (
            "1a2b3c4" + 33 * "0",
            "main",
            1780000000,
            "1.2",
        )
        assert run.test_bed.name == "h"
        assert run.file_name == "f"

    def test_an_unknown_form_of_time(self, tmp_path: Path) -> None:
        rows = "name,t_ms,sha,at,branch\na,1,1a2b3c4,yesterday,main\nb,1,1a2b3c4,1780000000,main\n"
        run, results = read(tmp_path / "f", self.TEXT, rows)
        assert (shown(results), run.skipped) == ([("b", "t", [1e6])], {"wrong-type": 1})
        assert "line 2: skipped, wrong-type: unknown form of time 'yesterday' at line 2" in run.notes


FIXED_FOR_HISTORY = type(FIXED)(ingested_at=FIXED.ingested_at, dut_name="lib")


class TestRecognition:
    """A declared format is recognised by the fields of its rows, before the formats of bench_db, in files of any size."""

    TEXT = MINIMAL.replace("\nmetrics", '\nhas = ["name", "t_ms"]\nmetrics')

    def test_by_fields(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        for content, is_mine in (
            ([{"name": "a", "t_ms": 1}], True),
            ([{"other": "a"}, {"name": "a", "t_ms": None}], True),
            ([{"name": "a"}], False),
            ({"name": "a", "t_ms": 1}, True),
            ({"list": [{"name": "a", "t_ms": 1}]}, False),
            ([{"name": "a", "t_ms": 1, "pad": "x" * 400_000}], True),
        ):
            path.write_text(json.dumps(content))
            assert [
                a.name
                for a in declared(self.TEXT)
                if a.sniff and a.sniff(Content(path=path, text=path.read_bytes()).edges)
            ] == (["mine"] if is_mine else [])

    @pytest.mark.parametrize("layout", ["csv", "json-lines"])
    def test_by_the_first_line(self, tmp_path: Path, layout: str) -> None:
        text = self.TEXT + f'layout = "{layout}"\n'
        lines = {"csv": "name,t_ms\na,1\n", "json-lines": '{"name": "a", "t_ms": 1}\n{"name": "b", "t_ms": 1}\n'}
        for name, content in lines.items():
            (tmp_path / name).write_text(content)
        found = find(tmp_path, declared=declared(text))
        assert [path.name for path in found.readable] == [layout]

    def test_it_precedes_the_formats_of_bench_db(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text(custom_file())
        mine = '[format.mine]\nhas = ["unit", "value"]\nname = "{name}"\nmetrics = { value = { unit = "{unit}" } }\n'
        assert detect(tmp_path / "f").name == "github-action-benchmark"
        assert open_path(tmp_path / "f", declared=declared(mine))[0].name == "mine"
        assert parse(tmp_path / "f", "github-action-benchmark", provenance=FIXED, declared=declared(mine))[1]

    def test_one_without_fields_needs_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text('[{"name": "a", "t_ms": 1}]')
        with pytest.raises(UnreadableOutputError, match="name it with --format: mine, criterion"):
            parse(tmp_path / "f", provenance=FIXED, declared=declared(MINIMAL))
        with pytest.raises(UserError, match="no format is called 'mien'; known: auto, mine, criterion"):
            parse(tmp_path / "f", "mien", provenance=FIXED, declared=declared(MINIMAL))

    def test_two_that_fit(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text('[{"name": "a", "t_ms": 1}]')
        with pytest.raises(UnreadableOutputError, match="could be mine or other; choose one with --format"):
            parse(tmp_path / "f", provenance=FIXED, declared=declared(self.TEXT + self.TEXT.replace("mine", "other")))

    @pytest.mark.parametrize("name", ["auto", "criterion", "jmh"])
    def test_the_names_of_bench_db_are_taken(self, name: str) -> None:
        with pytest.raises(UserError, match=rf"\[format.{name}\]: bench_db has a format of that name"):
            declared(MINIMAL.replace("mine", name))

    @pytest.mark.parametrize("name", sorted(SAMPLES))
    def test_it_hides_no_other_format(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "f").write_text(SAMPLES[name])
        assert open_path(tmp_path / "f", declared=declared(INFERENCE))[0].name == name

    def test_a_damaged_file_is_not_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text('[{"name": "a", "t_ms": 1}, {"na')
        assert [*find(tmp_path, declared=declared(self.TEXT)).readable] == [tmp_path / "f"]

    def test_the_source_names_the_declaration(self) -> None:
        [mine], [other] = declared(MINIMAL), declared(MINIMAL.replace("*_ms", "*_us"))
        assert mine.source.startswith("mine/")
        assert mine.source != other.source == declared(MINIMAL.replace("*_ms", "*_us"))[0].source


_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
_FIGURES = st.floats(0, 1e12) | st.integers(0, 10**12)
_RANDOM = st.lists(
    st.fixed_dictionaries(
        {"name": _WORDS, "size": st.integers() | _WORDS, "t_ms": _FIGURES, "raw_us": st.lists(_FIGURES, min_size=1)},
        optional={"extra": st.none() | _WORDS | st.booleans()},
    ),
    min_size=1,
)


class TestLaws:
    """A declaration reads random records as code that builds the measurements directly does."""

    @given(rows=_RANDOM)
    @settings(deadline=None)
    def test_the_same_as_a_direct_construction(self, rows: list[dict[str, Any]]) -> None:
        text = '[format.mine]\nname = "{name}/{metric}"\nmetrics = ["*_ms", "*_us"]\ntags = ["size"]\n'
        [mine] = adapters(formats(tomllib.loads(text), "f"))
        readings = mine.read(Content(path=Path("f"), text=json.dumps(rows).encode()))
        assert isinstance(readings, tuple)
        expected = [
            Measurement(
                benchmark_name=f"{row['name']}/{metric}",
                metric=metric,
                units="nanoseconds",
                direction=Direction.LOWER,
                values=Samples(values),
                tags={"size": str(row["size"])},
                metadata=json.dumps(
                    {k: v for k, v in row.items() if k in {"name", "size", "extra"}} if metric == "t" else {}
                ),
            )
            for row in rows
            for metric, values in (("t", [row["t_ms"] * 1e6]), ("raw", [x * 1e3 for x in row["raw_us"]]))
        ]
        assert [_parsed(one) for one in readings[0].measurements] == [_parsed(one) for one in expected]
        assert (readings[0].skips, readings[0].notes) == ((), ())

    @given(
        document=st.recursive(
            st.none() | st.booleans() | st.floats() | _WORDS,
            lambda inner: st.lists(inner) | st.dictionaries(_WORDS, inner),
        )
    )
    @settings(deadline=None)
    def test_any_document_is_read_or_refused(self, document: object) -> None:
        [mine] = adapters(formats(tomllib.loads('[format.mine]\nname = "{$key}"\nmetrics = ["*"]\n'), "f"))
        text = json.dumps(document).encode()
        try:
            readings = mine.read(Content(path=Path("f"), text=text))
        except UnreadableOutputError:
            return
        assert isinstance(readings, tuple)
        assert all(isinstance(reading, Reading) for reading in readings)


def _parsed(one: Measurement) -> tuple[object, ...]:
    names = ("benchmark_name", "suite", "metric", "units", "direction", "values", "tags")
    return (*(getattr(one, name) for name in names), json.loads(one.metadata))


def fenced(kind: str) -> str:
    """Return the block of a kind in the section of docs/formats.md about declarations."""
    section = (
        (REPOSITORY / "docs" / "formats.md")
        .read_text("utf-8")
        .partition("\n## Declare a format\n")[2]
        .partition("\n## ")[0]
    )
    [block] = re.findall(rf"^```{kind}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return str(block)


class TestDocumented:
    """The example of the documentation prints what the page says, and every key is on the page."""

    @pytest.mark.parametrize("option", ["", "--formats"])
    def test_the_example(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
        monkeypatch.chdir(tmp_path)
        Path("serve.json").write_text(fenced("json"))
        project = '[project]\nname = "llm"\n'
        assert fenced("toml").startswith(project)
        Path("formats.toml" if option else "bench-db.toml").write_text(fenced("toml")[len(project) if option else 0 :])
        line, *printed = fenced("console").splitlines()
        more = [option, "formats.toml", "--dut-name", "llm"] if option else []
        done = bench_db(*line.removeprefix("$ bench-db ").split(), *more)
        assert (done.code, done.out.splitlines()) == (0, printed), done.err

    def test_every_key(self) -> None:
        section = (
            (REPOSITORY / "docs" / "formats.md")
            .read_text("utf-8")
            .partition("\n## Declare a format\n")[2]
            .partition("\n## ")[0]
        )
        kinds = (Format, Field, Measure, RunFacts, Version)
        missing = {
            key for kind in kinds for key in kind.__struct_fields__ if not re.search(rf"`{key}`|\b{key} =", section)
        }
        assert missing == set()


class TestCost:
    """A row costs no more than one of github-action-benchmark's list.

    Each is the best of several in alternation, as another process on the machine makes any one of them slower.
    """

    TIMES = 5

    def test_many_rows(self) -> None:
        rows = [{"name": f"n{number}", "unit": "ms", "value": number} for number in range(20_000)]
        content = Content(path=Path("f"), text=json.dumps(rows).encode())
        [mine] = declared('[format.mine]\nname = "{name}"\nmetrics = { value = { unit = "ms" } }\n')
        best: dict[str, float] = {}
        gc.collect()
        gc.freeze()  # the collector passes over what other tests left
        for _ in range(self.TIMES):
            for adapter in (mine, adapter_named("github-action-benchmark")):
                gc.collect()
                began = process_time()
                adapter.read(content)
                best[adapter.name] = min(process_time() - began, best.get(adapter.name, inf))
        assert best["mine"] < best["github-action-benchmark"]
