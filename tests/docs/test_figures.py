"""The figures of pages for users are those of docs/statistics.md, in the section that the page names beside them."""

from __future__ import annotations

import ast
import re
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.repository import tree

STATISTICS = tree.text(Path("docs/statistics.md"))
FIGURE = re.compile(r"(?<![\w.#-])(\d*\.?\d+)(?![\w-])( ?%)?")


def section(anchor: str) -> str:
    """Return a section of the page of statistics with its subsections' texts."""
    titles = re.findall(r"^(#+ .+)$", STATISTICS, re.MULTILINE)
    (title,) = [t for t in titles if re.sub(r"[^\w\- ]", "", t.lstrip("# ").lower()).replace(" ", "-") == anchor]
    level = len(title) - len(title.lstrip("#"))
    return re.split(rf"^#{{1,{level}}} ", STATISTICS.split(f"{title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def figures(text: str) -> set[Decimal]:
    """Return the numbers of a text; those with a percent sign as shares, too."""
    found = set()
    for number, _ in FIGURE.findall(text):
        found |= {Decimal(number), Decimal(number) / 100}
    return found


def tables(page: str) -> list[tuple[str, str]]:
    """Return each table of figures with the anchor that the text before it names."""
    return re.findall(r"\(statistics\.md#([\w-]+)\)[^|#]*?\n\n((?:\|.*\n)+)", page)


PAGES = {name: tables(tree.text(Path("docs", name))) for name in ("how-sure.md", "comparison.md")}


class TestFigures:
    """No figure is invented."""

    def test_there_are_tables(self) -> None:
        assert {name: len(found) for name, found in PAGES.items()} == {"how-sure.md": 4, "comparison.md": 1}

    @pytest.mark.parametrize(
        ("anchor", "table"),
        [pair for found in PAGES.values() for pair in found],
        ids=lambda text: text.split("\n")[0][:30],
    )
    def test_each_is_in_the_named_section(self, anchor: str, table: str) -> None:
        known = figures(section(anchor))
        cells = [cell for row in table.splitlines()[2:] for cell in row.split("|")[2:]]
        wrong = [
            (cell, number)
            for cell in cells
            for number, percent in FIGURE.findall(cell)
            if (Decimal(number) / 100 if percent else Decimal(number)) not in known
        ]
        assert wrong == []

    def test_an_invented_one_is_found(self) -> None:
        assert Decimal("0.123") not in figures(section("series-measured-in-pairs"))
        assert Decimal(".88") in figures(section("series-measured-in-pairs"))


class TestCampaigns:
    """The numbers of cases in docs/promises.md are those of the tests that it names."""

    ROWS = re.findall(
        r"^\| .* \| (?:6 x )?(\d+) \| (?:6 x )?(\d+) \| `([\w/.]+)` \|$",
        tree.text(Path("docs/promises.md")),
        re.MULTILINE,
    )

    def test_there_are_rows(self) -> None:
        assert len(self.ROWS) > 10

    @pytest.mark.parametrize(("few", "full", "path"), ROWS)
    def test_cases(self, few: str, full: str, path: str) -> None:
        known = vars(import_module(path.removesuffix(".py").replace("/", ".")))
        calls = [node for node in ast.walk(ast.parse(tree.text(Path(path)))) if isinstance(node, ast.Call)]
        stated = [  # those in a comprehension are of no row
            (_number(call.args[1], known), _number(call.keywords[0].value, known))
            for call in calls
            if isinstance(call.func, ast.Name) and call.func.id in {"rounds", "sized", "examples"}
            if not any(isinstance(name, ast.Name) and name.id == "few" for name in ast.walk(call))
        ]
        assert (int(few), int(full)) in stated


def _number(expression: ast.expr, known: dict[str, Any]) -> int:
    """Return how many cases an expression of a module of tests means: a number, or a list of them."""
    found = eval(ast.unparse(expression), known)
    return found if isinstance(found, int) else len(found)
