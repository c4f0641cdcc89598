"""The interpreter or virtual machine that ran the benchmarks of a run, as its tool names it."""

from __future__ import annotations

import json
import re
from functools import reduce
from typing import Any

_PYTHON = (
    (("machine_info", "python_implementation"), ("machine_info", "python_version")),  # pytest-benchmark
    (("metadata", "python_implementation"), ("metadata", "python_version")),  # pyperf
    ((), ("python", "sysconfig", "py_version")),  # pytest-codspeed
)
_DOTNET = ("HostEnvironmentInfo", "RuntimeVersion")
_RELEASE = re.compile(r"\D*\d+(\.\d+)?")


def runtime_of(context: str) -> str | None:
    """Return the name and the first two numbers of what ran the benchmarks, such as CPython 3.13, from the context of a run as JSON.

    None when the tool does not name it.
    """
    facts = json.loads(context)
    for implementation, version in _PYTHON:
        if isinstance(number := _at(facts, version), str):
            return _release(f"{_at(facts, implementation) or 'Python'} {number}")
    return _release(name) if isinstance(name := _at(facts, _DOTNET), str) else None


def _at(facts: Any, place: tuple[str, ...]) -> Any:
    found = reduce(lambda part, key: part.get(key) if isinstance(part, dict) else None, place, facts)
    return found if place else None


def _release(name: str) -> str:
    found = _RELEASE.match(name)
    return found[0] if found else name
