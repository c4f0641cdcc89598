"""Tables for publication: the same figures as LaTeX, HTML or CSV, the best of each comparison emphasised."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from bench_db.report.escape import csv_text, html_text, latex_text
from bench_db.report.quantity import is_known, quantity

MISSING = "-"


class TableFormat(StrEnum):
    """What a table can be written as."""

    LATEX = "latex"
    HTML = "html"
    CSV = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of a table; null is missing. `shown` is what people read in its place, or all there is without a number."""

    value: float | None = None
    units: str = ""
    direction: str = "info"
    shown: str = ""

    @property
    def text(self) -> str:
        """The figure as people read it."""
        return self.shown or quantity(self.value, self.units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A table: `corner` heads the labels, each row is a label and a figure a column.

    `best_in` says what is compared: the figures of a row (one benchmark, several builds), of a column (one metric, several
    benchmarks), or none.
    """

    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Figure]]]
    best_in: Literal["row", "column", "none"] = "row"
    caption: str = ""


def rendered(figures: Figures, table_format: TableFormat) -> str:
    """Render a table as text of one format."""
    return {TableFormat.LATEX: latex, TableFormat.HTML: html, TableFormat.CSV: comma_separated}[table_format](figures)


def best(group: Sequence[Figure]) -> set[int]:
    """Return the positions of the best figures of a group, ties included; none when units or directions differ or only one is known.

    Figures for information never count.
    """
    judged = ((position, figure) for position, figure in enumerate(group) if figure.direction in {"lower", "higher"})
    known = [(position, figure) for position, figure in judged if is_known(figure.value)]
    if len(known) < 2 or len({(figure.units, figure.direction) for _, figure in known}) != 1:  # noqa: PLR2004 two to compare
        return set()
    pick = min if known[0][1].direction == "lower" else max
    value = pick(figure.value for _, figure in known if figure.value is not None)
    return {position for position, figure in known if figure.value == value}


def _emphasised(figures: Figures) -> set[tuple[int, int]]:
    rows = [row for _, row in figures.rows]
    if figures.best_in == "none":
        return set()
    if figures.best_in == "row":
        return {(r, c) for r, row in enumerate(rows) for c in best(row)}
    return {(r, c) for c, column in enumerate(zip(*rows, strict=True)) for r in best(column)}


def latex(figures: Figures) -> str:
    """Render a `tabular` of the booktabs package, or a `table` around it when there is a caption."""
    strong = _emphasised(figures)
    lines = [_latex_row([figures.corner, *figures.columns]), r"\midrule"]
    for r, (label, row) in enumerate(figures.rows):
        cells = [latex_text(figure.text) for figure in row]
        bold = [rf"\textbf{{{cell}}}" if (r, c) in strong else cell for c, cell in enumerate(cells)]
        lines.append(" & ".join([latex_text(label), *bold]) + r" \\")
    tabular = [
        rf"\begin{{tabular}}{{l{'r' * len(figures.columns)}}}",
        r"\toprule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if not figures.caption:
        return "\n".join(tabular) + "\n"
    caption = rf"\caption{{{latex_text(figures.caption)}}}"
    return "\n".join([r"\begin{table}", r"\centering", caption, *tabular, r"\end{table}"]) + "\n"


def _latex_row(texts: Sequence[str]) -> str:
    return " & ".join(map(latex_text, texts)) + r" \\"


def html(figures: Figures) -> str:
    """Render a `table` element with headings that a screen reader can follow."""
    strong = _emphasised(figures)
    heads = "".join(f'<th scope="col">{html_text(text)}</th>' for text in (figures.corner, *figures.columns))
    caption = [f"<caption>{html_text(figures.caption)}</caption>"] if figures.caption else []
    body = [_html_row(label, row, {c for at, c in strong if at == r}) for r, (label, row) in enumerate(figures.rows)]
    parts = ["<table>", *caption, f"<thead><tr>{heads}</tr></thead>", "<tbody>", *body, "</tbody>", "</table>"]
    return "\n".join(parts) + "\n"


def _html_row(label: str, row: Sequence[Figure], strong: set[int]) -> str:
    texts = [html_text(figure.text) for figure in row]
    cells = [f"<td><strong>{text}</strong></td>" if c in strong else f"<td>{text}</td>" for c, text in enumerate(texts)]
    return f'<tr><th scope="row">{html_text(label)}</th>{"".join(cells)}</tr>'


def comma_separated(figures: Figures) -> str:
    """Render RFC 4180 with full precision in base units; nothing can act as a formula.

    The heading of a column names its unit; where the rows of one differ in it, a last column says the unit of each row.
    """
    units = [{row[c].units for _, row in figures.rows} - {""} for c in range(len(figures.columns))]
    mixed = any(len(unit) > 1 for unit in units)
    heads = [
        f"{name} [{min(unit)}]" if len(unit) == 1 else name for name, unit in zip(figures.columns, units, strict=True)
    ]
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(map(csv_text, (figures.corner, *heads, *(["unit"] if mixed else []))))
    for label, row in figures.rows:
        own = [csv_text(" ".join(sorted({figure.units for figure in row} - {""})))] if mixed else []
        writer.writerow([csv_text(label), *map(_csv_cell, row), *own])
    return written.getvalue()


def _csv_cell(figure: Figure) -> str:
    if is_known(figure.value):
        return repr(figure.value)
    return csv_text(figure.shown) if figure.shown not in ("", MISSING) else MISSING
