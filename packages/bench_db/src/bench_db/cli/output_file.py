"""Outputs of a workflow step: GITHUB_OUTPUT, in the form whose values cannot break out of their place."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def write(values: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Values added to the file GITHUB_OUTPUT names; nothing when it names none."""
    if path := environment.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8", newline="\n") as file:
            file.write("".join(entry(name, value) for name, value in values.items()))


def entry(name: str, value: str) -> str:
    """One value, of any number of lines. The delimiter is a hash of the value: no value holds its own."""
    delimiter = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
