"""Lance filters built from typed values: only this module writes a value into a filter."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bench_db.errors import UserError

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
