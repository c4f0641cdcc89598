"""Outputs of a workflow step: the file that GITHUB_OUTPUT names, in a form that values cannot break out of."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def write(values: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Append values to the file that GITHUB_OUTPUT names; without one, write nothing."""
    if path := environment.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8", newline="\n") as file:
            file.write("".join(entry(name, value) for name, value in values.items()))


def entry(name: str, value: str) -> str:
    """Return one value of any number of lines. Its delimiter is a hash of the value, so no value holds its own."""
    delimiter = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
