"""The inputs and the matrix of a workflow, as GitHub checks and completes them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from tests.support.actions.expressions import Context, filled, text_of

Declared = Mapping[str, Mapping[str, Any]]


class WorkflowError(Exception):
    """A workflow that GitHub would not start."""


def completed(declared: Declared, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a workflow by their types; an undeclared or missing required one is an error."""
    unexpected = set(given) - set(declared)
    missing = {name for name, spec in declared.items() if spec.get("required") and not text_of(given.get(name))}
    if unexpected or missing:
        message = f"unexpected inputs {sorted(unexpected)}, missing inputs {sorted(missing)}"
        raise WorkflowError(message)
    return {name: _typed(spec, given.get(name, spec.get("default"))) for name, spec in declared.items()}


def _typed(spec: Mapping[str, Any], value: Any) -> Any:
    text = text_of(value)
    if spec.get("type") == "boolean":
        if text not in ("true", "false", ""):
            message = f"not a boolean: {text!r}"
            raise WorkflowError(message)
        return text == "true"
    if spec.get("type") == "choice" and text not in spec["options"]:
        message = f"{text!r} is none of {spec['options']}"
        raise WorkflowError(message)
    return text


def combinations(job: Mapping[str, Any], context: Context) -> list[dict[str, Any]]:
    """Return the matrix of each copy of a job; a job without a matrix has one copy with an empty one."""
    axes = filled(job.get("strategy", {}).get("matrix", {}), context)
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def label(matrix: Mapping[str, Any]) -> str:
    """Return the label of a copy of a job: the values of its matrix, or their names."""
    values = [value["name"] if isinstance(value, Mapping) else text_of(value) for value in matrix.values()]
    return f"({', '.join(values)})" if values else ""


def within(wanted: Mapping[str, str], allowed: Mapping[str, str]) -> bool:
    """Return whether permissions are within others."""
    levels = ("none", "read", "write")
    return all(levels.index(level) <= levels.index(allowed.get(name, "none")) for name, level in wanted.items())
