from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.schedule.config import formats, parse
from bench_db.schedule.declaration import FieldPath, Measure, inner_steps, path_of, rows_of, template_of

PROJECT = '[project]\nname = "p"\n'
GOOD = """
[alias.gpu]
"h100*" = "h100"
[format.mine]
rows = "suites[*].cases"
name = "{name}"
metrics = ["*_ms"]
[format.mine.fields]
gpu = { field = "hw", lower = true, alias = "gpu" }
[format.mine.version.two]
has = ["prefill_tp"]
tags = ["prefill_tp"]
[format.mine.version.one]
has = ["tp"]
tags = { prefill_tp = "{tp}" }
metrics = { total_s = { better = "info" } }
"""


class TestPaths:
    """A path leads into the row, or with `$` into the document around it."""

    @pytest.mark.parametrize(
        ("text", "steps", "of_document"),
        [
            ("hw", ("hw",), False),
            ("stats.mean_ms", ("stats", "mean_ms"), False),
            ("runs[0].ms", ("runs", 0, "ms"), False),
            ('$.a["b c"][2]', ("a", "b c", 2), True),
            ("$", (), True),
            ("$key", ("$key",), False),
            ("größe in m", ("größe in m",), False),
        ],
    )
    def test_parsed(self, text: str, steps: tuple[str | int, ...], of_document: bool) -> None:  # noqa: FBT001 a column
        assert path_of(text) == FieldPath(text, steps, of_document)

    @pytest.mark.parametrize("text", ["", "a.", "a..b", "a[", "a[x]", "a[1", "$a", "$.", "a[9999999999]", "]"])
    def test_refused(self, text: str) -> None:
        with pytest.raises(UserError, match=r"is no path of a field; such as hw, stats.mean_ms"):
            path_of(text)

    def test_the_element_around_a_row(self) -> None:
        rows = rows_of("a[*].b[*]")
        assert inner_steps(path_of("$.x"), rows) == (0, ("x",))
        assert inner_steps(path_of("$.a[*].x.y"), rows) == (1, ("x", "y"))
        assert inner_steps(path_of("$.a[*].b[*].x"), rows) == (2, ("x",))
        assert inner_steps(path_of("$.a[0].b"), rows) == (0, ("a", 0, "b"))
        with pytest.raises(UserError, match=r"'\$\.c\[\*\]\.x' is a list of values"):
            inner_steps(path_of("$.c[*].x"), rows)


class TestTemplates:
    """A template is text with fields in braces; doubled braces are braces of the text."""

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("", ()),
            ("all", ("all",)),
            ("{a}/{b.c}", (path_of("a"), "/", path_of("b.c"))),
            ("{{x}} {a}", ("{", "x", "}", " ", path_of("a"))),
        ],
    )
    def test_parsed(self, text: str, parts: tuple[str | FieldPath, ...]) -> None:
        assert template_of(text) == parts

    @pytest.mark.parametrize("text", ["{a", "a}", "{a}}", "{", "{{a}", "{a{b}}"])
    def test_a_brace_without_its_other_one(self, text: str) -> None:
        with pytest.raises(UserError, match=r"has a brace without its other one; write \{\{ or \}\}"):
            template_of(text)

    @given(st.text())
    def test_any_text_can_be_written(self, text: str) -> None:
        parts = template_of(text.replace("{", "{{").replace("}", "}}"))
        assert "".join(part for part in parts if isinstance(part, str)) == text


class TestVersions:
    """A version changes and adds to the tables of its format, and its patterns come first."""

    def test_merged(self) -> None:
        found = formats(tomllib.loads(GOOD), "f").format["mine"].versions()
        assert list(found) == ["two", "one"]
        one = found["one"]
        assert (one.has, one.name, one.rows, list(one.fields)) == (["tp"], "{name}", "suites[*].cases", ["gpu"])
        assert (one.tags, one.metrics) == (
            {"prefill_tp": "{tp}"},
            {"total_s": Measure(better="info"), "*_ms": Measure()},
        )
        assert found["two"].tags == {"prefill_tp": "{prefill_tp}"}

    def test_a_format_without_versions(self) -> None:
        mine = formats(tomllib.loads('[format.mine]\nname = "n"\nmetrics = ["a"]\n'), "f").format["mine"]
        assert mine.versions() == {"": mine}


class TestFaults:
    """A declaration that cannot be used is refused when it is read: what, where, and what to do."""

    @pytest.mark.parametrize(
        ("old", "new", "error"),
        [
            ("metrics = [", "metrix = [", r"unknown key 'metrix'; nearest: metrics; known: .* at format.mine.metrix"),
            ("lower", "lowr", r"unknown key 'lowr'; nearest: lower; known: .* at format.mine.fields.gpu.lowr"),
            ("better", "beter", r"unknown key 'beter'; nearest: better.* at format.mine.version.one.metrics.total_s.beter"),
            ('has = ["tp"]', 'hass = ["tp"]', r"unknown key 'hass'; nearest: has;.* at format.mine.version.one.hass"),
            ('"info"', '"up"', r"'better' takes lower, higher or info at format.mine.version.one.metrics.total_s.better"),
            ('["*_ms"]', "5", r"'metrics' takes a list of fields or tables of them at format.mine.metrics"),
            ("lower = true", "lower = 1", r"'lower' takes true or false at format.mine.fields.gpu.lower"),
            ('"h100"', "100", r"'alias' takes tables \[alias.NAME\] of texts at alias"),
            ('alias = "gpu"', 'alias = "gpo"', r"there is no table \[alias.gpo\]; nearest: gpu at format.mine.fields.gpu.alias"),
            ("{name}", "{name", r"has a brace without its other one.* at format.mine.name"),
            ("{name}", "{a..b}", r"'a..b' is no path of a field.* at format.mine.name"),
            ("{name}", "{$.x[*].y}", r"'\$.x\[\*\].y' is a list of values; a list around the rows is .* at format.mine.name"),
            ("{name}", "{x[*].y}", r"'x\[\*\].y' is a list of values; name one of them.* at format.mine.name"),
            ("{name}", "", r"needs a template of the names of benchmarks.* at format.mine.version.two.name"),
            ('["*_ms"]', "[]", r"needs the fields of numbers, such as \[\"\*_ms\"\] at format.mine.version.two.metrics"),
            ('["*_ms"]', '["$.x"]', r"numbers are in the rows.* at format.mine.metrics.\"\$.x\""),
            ("suites[*]", "suites[*", r"is no path of a field.* at format.mine.rows"),
            ('["tp"]', '["prefill_tp", "tp"]', r"is never chosen: every row .* is of two.* at format.mine.version.one"),
            ('["tp"]', "[]", r"needs the fields by which its rows are known at format.mine.version.one.has"),
            ('["tp"]', '["tp", "tp"]', r"'tp' is there twice at format.mine.version.one.has"),
            ("{tp}", "{tp", r"has a brace without its other one.* at format.mine.version.one.tags.prefill_tp"),
            ("rows =", 'layout = "xml"\nrows =', r"'layout' takes json, json-lines or csv at format.mine.layout"),
            ("rows =", 'layout = "csv"\nrows =', r'a path is for layout = "json"; of csv each line is a row at format.mine.rows'),
            ("rows =", 'delimiter = ";"\nrows =', r'one character, and only with layout = "csv" at format.mine.delimiter'),
            ("rows =", 'has = ["x"]\nrows =', r"each version has its own at format.mine.has"),
            ("rows =", 'repeated = "maybe"\nrows =', r"'repeated' takes apart or samples at format.mine.repeated"),
            ("rows =", 'run = { comit = "x" }\nrows =', r"unknown key 'comit'; nearest: commit.* at format.mine.run.comit"),
            ("rows =", 'run = { commit = "{" }\nrows =', r"has a brace without.* at format.mine.run.commit"),
            ("format.mine", 'format."my format"', r"the name of a format is of letters.* at format.\"my format\""),
        ],
    )  # fmt: skip
    def test_refused(self, old: str, new: str, error: str) -> None:
        assert old in GOOD
        for content in (GOOD, PROJECT + GOOD):
            text = content.replace(old, new)
            with pytest.raises(UnreadableOutputError, match=rf"f: .*{error}"):
                parse(text.encode(), "f") if PROJECT in text else formats(tomllib.loads(text), "f")

    def test_a_file_of_formats_has_nothing_else(self) -> None:
        with pytest.raises(UnreadableOutputError, match=r"unknown key 'project'.* known: format, alias"):
            formats(tomllib.loads(PROJECT + GOOD), "f")

    def test_a_good_one(self) -> None:
        assert list(parse((PROJECT + GOOD).encode(), "f").format) == ["mine"]
        assert parse((PROJECT + GOOD).encode(), "f").alias == {"gpu": {"h100*": "h100"}}
