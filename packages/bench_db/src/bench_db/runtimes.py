"""The interpreter or virtual machine that ran the benchmarks of a run, as its tool names it."""

from __future__ import annotations

import json
import re
from functools import reduce
from typing import Any, NamedTuple

_PYTHON = (
    (("machine_info", "python_implementation"), ("machine_info", "python_version")),  # pytest-benchmark
    (("metadata", "python_implementation"), ("metadata", "python_version")),  # pyperf
    ((), ("python", "sysconfig", "py_version")),  # pytest-codspeed
)
_DOTNET = ("HostEnvironmentInfo", "RuntimeVersion")
_RELEASE = re.compile(r"\D*\d+(\.\d+)?")
_NUMBER = re.compile(r"\d+(\.\d+)?$")
_USUAL = {"python": {"cpython", "python"}, "runtime": {"net", "netcore"}}  # a tag of these has the number alone


class Runtime(NamedTuple):
    """What ran the benchmarks: its name with the first two numbers, such as CPython 3.13, and a tag for its series, python=3.13."""

    name: str
    tag: str


def runtime_of(context: str) -> Runtime | None:
    """Return what ran the benchmarks from the context of a run as JSON; None when the tool does not name it."""
    facts = json.loads(context)
    for implementation, version in _PYTHON:
        if isinstance(number := _at(facts, version), str):
            return _named("python", f"{_at(facts, implementation) or 'Python'} {number}")
    return _named("runtime", name) if isinstance(name := _at(facts, _DOTNET), str) else None


def _at(facts: Any, place: tuple[str, ...]) -> Any:
    found = reduce(lambda part, key: part.get(key) if isinstance(part, dict) else None, place, facts)
    return found if place else None


def _named(tag: str, text: str) -> Runtime:
    found = _RELEASE.match(text)
    name = found[0] if found else text
    number = found[0] if (found := _NUMBER.search(name)) else ""
    kind = re.sub(r"[^a-z]", "", name.removesuffix(number).lower())
    return Runtime(name, f"{tag}={number if number and kind in _USUAL[tag] else kind + number}")
