from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.tables import Figure, Figures, TableFormat, best, rendered
from tests.report.examples import HOSTILE
from tests.report.golden import golden


def times(*values: float | None, direction: str = "lower") -> list[Figure]:
    return [Figure(value=value, units="nanoseconds", direction=direction) for value in values]


BY_BUILD = Figures(
    corner="benchmark",
    columns=["1.0", "1.1", "2.0_rc"],
    rows=[
        ("decode", times(1432.5, 1380.25, None)),
        ("recall@10", [Figure(value=v, units="recall", direction="higher") for v in (0.95, 0.97, 0.97)]),
        ("size & shape", [Figure(value=v, units="bytes", direction="info") for v in (1024.0, 2048.0, 4096.0)]),
    ],
    caption="100 % of it",
)


def with_label(label: str) -> Figures:
    return Figures(corner=label, columns=[label], rows=[(label, times(1.0))], caption=label)


class TestTable:
    """One table in HTML, LaTeX and CSV."""

    @pytest.mark.parametrize(
        ("table_format", "name"), [("latex", "table.tex"), ("html", "table.html"), ("csv", "table.csv")]
    )
    def test_golden(self, table_format: str, name: str) -> None:
        text = rendered(BY_BUILD, TableFormat(table_format))
        assert text == golden(name, text)

    def test_missing_is_a_dash(self) -> None:
        assert [row[3] for row in csv.reader(io.StringIO(rendered(BY_BUILD, TableFormat.CSV)))][1] == "-"

    def test_precision_is_kept_for_machines(self) -> None:
        assert "1380.25" in rendered(BY_BUILD, TableFormat.CSV)


class TestBest:
    """The best is the lowest or highest by direction; ties share it, and a single value is not marked."""

    @pytest.mark.parametrize(
        ("group", "positions"),
        [
            (times(3.0, 1.0, 2.0), {1}),
            (times(3.0, 1.0, 2.0, direction="higher"), {0}),
            (times(1.0, None, 1.0), {0, 2}),
            (times(1.0, None), set()),
            (times(1.0, 2.0, direction="info"), set()),
            ([*times(1.0), Figure(value=2.0, units="bytes", direction="lower")], set()),
            ([], set()),
        ],
    )
    def test_positions(self, group: list[Figure], positions: set[int]) -> None:
        assert best(group) == positions

    def test_down_a_column(self) -> None:
        figures = Figures(corner="", columns=["time"], rows=[("a", times(2.0)), ("b", times(1.0))], best_in="column")
        assert r"b & \textbf{1.000 ns}" in rendered(figures, TableFormat.LATEX)


class Cells(HTMLParser):
    """The texts of the cells of a table, and all its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


class TestEscaping:
    """A name is text in every output language."""

    @given(st.text(max_size=60))
    def test_html_has_only_its_own_tags(self, label: str) -> None:
        cells = Cells()
        cells.feed(rendered(with_label(label), TableFormat.HTML))
        assert cells.tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "strong"}

    @given(st.text(max_size=60))
    def test_latex_has_one_row_a_label_and_no_command_of_the_names(self, label: str) -> None:
        text = rendered(Figures(corner="", columns=["c"], rows=[(label, times(1.0))]), TableFormat.LATEX)
        row = text.splitlines()[4]
        assert row.endswith(r" & 1.000 ns \\")
        commands = (
            r"\\(?:text(?:backslash|asciitilde|asciicircum|less|greater|bar|quotesingle|asciigrave|mu)\{\}|[&%$#_{}])"
        )
        ours = rf"{commands}|\\symbol\{{34\}}|\{{[\[*]\}}|(?<=-)\{{\}}(?=-)"
        assert not set("\\&%$#_{}~^") & set(re.sub(ours, "", row.removesuffix(r" & 1.000 ns \\")))

    @given(st.text(max_size=60))
    def test_csv_reads_back_and_is_no_formula(self, label: str) -> None:
        text = rendered(with_label(label), TableFormat.CSV)
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        assert len(cells) == 4
        assert cells[2].removeprefix("'") == label.removeprefix("'") or cells[2] == label
        assert not cells[2].lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))

    @pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
    def test_hostile(self, name: str) -> None:
        assert "<img" not in rendered(with_label(name), TableFormat.HTML)
