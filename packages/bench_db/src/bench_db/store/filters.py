"""Lance filters, from typed values and from Polars predicates: only this module writes a value into a filter.

Of a predicate, the part that Lance can express is pushed down. Polars applies the whole predicate again to the rows that come
back, so a part that is left out costs reading, never correctness.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from bench_db.errors import UserError

if TYPE_CHECKING:
    import polars as pl


Scalar = str | int | float | bool
_BEYOND = 1 << 63  # Lance reads the smallest int64 as a float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """A range from `low` to `high`, both included; None leaves a side open."""

    low: str | float | None = None
    high: str | float | None = None


Condition = Scalar | None | Collection[Scalar] | Between
Where = Mapping[str, Condition]


def literal(value: Scalar) -> str:
    """Return a value as a filter literal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if "\0" in value:
            message = f"a filter cannot hold a NUL character: {value!r}"
            raise UserError(message)
        return "'" + value.replace("'", "''") + "'"
    if not math.isfinite(value) or (isinstance(value, int) and abs(value) >= _BEYOND):
        message = f"a filter cannot compare with {value}"
        raise UserError(message)
    return repr(value)


def identifier(leaf: str) -> str:
    """Quote each part of a column path."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in leaf.split("."))


def condition(leaf: str, value: Condition) -> str:
    """Return one condition on one leaf; None matches null, and an empty collection matches nothing."""
    column = identifier(leaf)
    if value is None:
        return f"{column} IS NULL"
    if isinstance(value, Between):
        sides = [(">=", value.low), ("<=", value.high)]
        return " AND ".join(f"{column} {sign} {literal(side)}" for sign, side in sides if side is not None) or "true"
    if isinstance(value, Scalar):
        return f"{column} = {literal(value)}"
    return f"{column} IN ({', '.join(map(literal, value))})" if value else "false"


def or_null(where: str, leaves: Iterable[str]) -> str:
    """Return a filter that also selects rows without a value in some leaves, which no condition on these finds."""
    return " OR ".join([f"({where})", *(condition(leaf, None) for leaf in leaves)])


def filter_text(where: Where | None, leaves: Mapping[str, str], absent: Collection[str] = ()) -> str | None:
    """Return all conditions joined by AND, for columns by their flat names; None when there are none.

    The columns `absent` are null in every row.
    """
    refuse_unknown(where or (), leaves)
    texts = (
        _condition_on_null(value) if name in absent else condition(leaves[name], value)
        for name, value in (where or {}).items()
    )
    return " AND ".join(texts) or None


def _condition_on_null(value: Condition) -> str:
    return "true" if value is None or value == Between() else "false"


def refuse_unknown(columns: Iterable[str], leaves: Mapping[str, str]) -> None:
    """Raise `UserError` with the name of the first unknown column."""
    unknown = [name for name in columns if name not in leaves]
    if unknown:
        message = f"no column {unknown[0]!r}; columns are: {', '.join(leaves)}"
        raise UserError(message)


_COMPARISONS = {"Eq": "=", "NotEq": "!=", "Lt": "<", "LtEq": "<=", "Gt": ">", "GtEq": ">="}
_RANGE = {"Both": (">=", "<="), "Left": (">=", "<"), "Right": (">", "<="), "None": (">", "<")}


class _NotSayable(Exception):  # noqa: N818 never leaves this module
    """A part of a predicate without an equivalent Lance filter."""


def lance_filter(predicate: pl.Expr, leaves: Mapping[str, str]) -> str | None:
    """Return a Lance filter that selects at least the rows of the predicate; None if nothing can be pushed down."""
    tree = json.loads(predicate.meta.serialize(format="json"))
    return _conjunction(tree, leaves)


def _conjunction(node: object, leaves: Mapping[str, str]) -> str | None:
    match node:
        case {"BinaryExpr": {"left": left, "op": "And", "right": right}}:
            parts = [_conjunction(left, leaves), _conjunction(right, leaves)]
            return " AND ".join(part for part in parts if part) or None
    try:
        return f"({_boolean(node, leaves)})"
    except (_NotSayable, UserError):  # UserError: a value without a filter literal, such as NaN
        return None


def _boolean(node: object, leaves: Mapping[str, str]) -> str:  # noqa: PLR0911 one return a form
    match node:
        case {"BinaryExpr": {"left": left, "op": ("And" | "Or") as word, "right": right}}:
            return f"({_boolean(left, leaves)} {word.upper()} {_boolean(right, leaves)})"
        case {"BinaryExpr": {"left": left, "op": str(sign), "right": right}} if sign in _COMPARISONS:
            return f"{_operand(left, leaves)} {_COMPARISONS[sign]} {_operand(right, leaves)}"
        case {"Function": {"input": [inner], "function": {"Boolean": "Not"}}}:
            return f"NOT ({_boolean(inner, leaves)})"
        case {"Function": {"input": [column], "function": {"Boolean": ("IsNull" | "IsNotNull") as form}}}:
            return f"{_column(column, leaves)} {'IS NULL' if form == 'IsNull' else 'IS NOT NULL'}"
        case {"Function": {"input": [column, *ends], "function": {"Boolean": {"IsBetween": {"closed": str(closed)}}}}}:
            name = _column(column, leaves)
            sides = [f"{name} {sign} {_operand(e, leaves)}" for sign, e in zip(_RANGE[closed], ends, strict=True)]
            return " AND ".join(sides)
        case {"Function": {"input": [column, options], "function": {"Boolean": {"IsIn": {"nulls_equal": False}}}}}:
            values = _members(options)
            return f"{_column(column, leaves)} IN ({', '.join(values)})" if values else "false"
        case {"Function": {"input": [column, prefix], "function": {"StringExpr": "StartsWith"}}}:
            return f"starts_with({_column(column, leaves)}, {_operand(prefix, leaves)})"
    raise _NotSayable


def _operand(node: object, leaves: Mapping[str, str]) -> str:
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


def _column(node: object, leaves: Mapping[str, str]) -> str:
    match node:
        case {"Column": str(name)} if name in leaves:
            return identifier(leaves[name])
    raise _NotSayable


def _members(node: object) -> list[str]:
    match node:
        case {"Literal": {"Scalar": {"List": [*ipc]}}}:
            values = pa.ipc.open_stream(bytes(ipc)).read_all().column(0).to_pylist()
            if all(isinstance(value, str | int | float) for value in values):
                return [literal(value) for value in values]
    raise _NotSayable
