"""Help texts that name thresholds: the values come from `bench_db.rules`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., Any]")


def ruled(function: Function) -> Function:
    """Fill in the rules that a docstring names in braces, as in `{minimum_effect}`, before click makes help of it."""
    function.__doc__ = (function.__doc__ or "").format_map(RULES.texts())
    return function
