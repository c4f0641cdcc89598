"""Any frame as JSON documents and as text, whatever its columns."""

from __future__ import annotations

import json
import math
from io import BytesIO
from typing import Any

import polars as pl

from bench_db.report.text import PLAIN, Fit, Screen, table

_FEW = 4


def as_json(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Return a dictionary a row. A number that JSON cannot hold becomes null; a value without a JSON form becomes its text."""
    return [{name: _plain(value) for name, value in row.items()} for row in rows.iter_rows(named=True)]


def csv(rows: pl.DataFrame) -> str:
    """Return CSV with a line of names; lists, maps and structs are JSON texts, times ISO 8601, and null is empty."""
    nested = [name for name, dtype in rows.schema.items() if dtype.is_nested()]
    return rows.with_columns(_as_texts(rows[name]) for name in nested).write_csv()


def _as_texts(column: pl.Series) -> pl.Series:
    texts = [None if value is None else json.dumps(_plain(value), ensure_ascii=False) for value in column.to_list()]
    return pl.Series(column.name, texts, pl.String)


def parquet(rows: pl.DataFrame) -> bytes:
    """Return the content of a Parquet file."""
    file = BytesIO()
    rows.write_parquet(file)
    return file.getvalue()


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int) else str(value)


def text(rows: pl.DataFrame, screen: Screen = PLAIN) -> str:
    """Return all rows, long lists shortened; on a screen as many columns, from the left, as it has room for."""
    numbers = [name for name, dtype in rows.schema.items() if dtype.is_numeric()]
    cells = [[_cell(value) for value in row] for row in rows.iter_rows()]
    fit = Fit(names=rows.columns[0] if rows.columns else "", drop=[(name,) for name in reversed(rows.columns[1:])])
    return table(rows.columns, cells, numbers, screen, fit)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and len(value) > _FEW:
        return f"[{', '.join(map(_cell, value[:_FEW]))}, ... {len(value)}]"
    return str(value)
