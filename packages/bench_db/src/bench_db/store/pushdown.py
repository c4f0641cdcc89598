"""Polars predicates as Lance filters: translatable parts are pushed down, the rest stays in Polars.

Polars applies the complete predicate to the returned rows, so an omitted part costs reads and never correctness.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench_db.errors import UserError
from bench_db.store.filters import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

_COMPARISONS = {"Eq": "=", "NotEq": "!=", "Lt": "<", "LtEq": "<=", "Gt": ">", "GtEq": ">="}
_RANGE = {"Both": (">=", "<="), "Left": (">=", "<"), "Right": (">", "<="), "None": (">", "<")}


class _NotSayable(Exception):  # noqa: N818 never leaves this module
    """A part of a predicate without an equivalent Lance filter."""


def lance_filter(predicate: pl.Expr, leaves: Mapping[str, str]) -> str | None:
    """Return a Lance filter that selects at least the rows of the predicate; None if nothing can be pushed down."""
    tree = json.loads(predicate.meta.serialize(format="json"))
    return _conjunction(tree, leaves)


def _conjunction(node: Any, leaves: Mapping[str, str]) -> str | None:
    match node:
        case {"BinaryExpr": {"left": left, "op": "And", "right": right}}:
            parts = [_conjunction(left, leaves), _conjunction(right, leaves)]
            return " AND ".join(part for part in parts if part) or None
    try:
        return f"({_boolean(node, leaves)})"
    except (_NotSayable, UserError):  # UserError: a value without a filter literal, such as NaN
        return None


def _boolean(node: Any, leaves: Mapping[str, str]) -> str:  # noqa: PLR0911 one return a form
    match node:
        case {"BinaryExpr": {"left": left, "op": ("And" | "Or") as word, "right": right}}:
            return f"({_boolean(left, leaves)} {word.upper()} {_boolean(right, leaves)})"
        case {"BinaryExpr": {"left": left, "op": sign, "right": right}} if sign in _COMPARISONS:
            return f"{_operand(left, leaves)} {_COMPARISONS[sign]} {_operand(right, leaves)}"
        case {"Function": {"input": [inner], "function": {"Boolean": "Not"}}}:
            return f"NOT ({_boolean(inner, leaves)})"
        case {"Function": {"input": [column], "function": {"Boolean": ("IsNull" | "IsNotNull") as form}}}:
            return f"{_column(column, leaves)} {'IS NULL' if form == 'IsNull' else 'IS NOT NULL'}"
        case {"Function": {"input": [column, *ends], "function": {"Boolean": {"IsBetween": {"closed": closed}}}}}:
            name = _column(column, leaves)
            sides = [f"{name} {sign} {_operand(e, leaves)}" for sign, e in zip(_RANGE[closed], ends, strict=True)]
            return " AND ".join(sides)
        case {"Function": {"input": [column, options], "function": {"Boolean": {"IsIn": {"nulls_equal": False}}}}}:
            values = _members(options)
            return f"{_column(column, leaves)} IN ({', '.join(values)})" if values else "false"
        case {"Function": {"input": [column, prefix], "function": {"StringExpr": "StartsWith"}}}:
            return f"starts_with({_column(column, leaves)}, {_operand(prefix, leaves)})"
    raise _NotSayable


def _operand(node: Any, leaves: Mapping[str, str]) -> str:
    match node:
        case {"Literal": {"Scalar": {"String": str(text)}}}:
            return literal(text)
        case {"Literal": {"Scalar": {"Boolean": bool(value)}}}:
            return literal(value)
        case {"Literal": {"Dyn": {"Int": int(value)} | {"Float": float(value)}}}:
            return literal(value)
        case {"Literal": {"Scalar": {"Int64": int(value)} | {"Int32": int(value)} | {"Float64": float(value)}}}:
            return literal(value)
    return _column(node, leaves)


def _column(node: Any, leaves: Mapping[str, str]) -> str:
    match node:
        case {"Column": str(name)} if name in leaves:
            return identifier(leaves[name])
    raise _NotSayable


def _members(node: Any) -> list[str]:
    match node:
        case {"Literal": {"Scalar": {"List": [*ipc]}}}:
            values = pa.ipc.open_stream(bytes(ipc)).read_all().column(0).to_pylist()
            if all(isinstance(value, str | int | float) for value in values):
                return [literal(value) for value in values]
    raise _NotSayable
