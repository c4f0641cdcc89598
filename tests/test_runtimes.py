from __future__ import annotations

import json
from typing import Any

import pytest

from bench_db.runtimes import runtime_of


class TestRuntimeOf:
    """The name and the first two numbers, so that a re-run under a newer patch is by the same runtime."""

    @pytest.mark.parametrize(
        ("context", "runtime"),
        [
            ({"machine_info": {"python_implementation": "CPython", "python_version": "3.13.0rc1"}}, "CPython 3.13"),
            ({"machine_info": {"python_implementation": "PyPy", "python_version": "3.11.9"}}, "PyPy 3.11"),
            ({"machine_info": {"python_version": "3.9"}}, "Python 3.9"),
            ({"metadata": {"python_implementation": "cpython", "python_version": "3.12.1 (64-bit)"}}, "cpython 3.12"),
            ({"python": {"sysconfig": {"py_version": "3.12.1"}}}, "Python 3.12"),
            ({"HostEnvironmentInfo": {"RuntimeVersion": ".NET 10.0.4 (10.0.426)"}}, ".NET 10.0"),
            ({"HostEnvironmentInfo": {"RuntimeVersion": "Mono"}}, "Mono"),
            ({"machine_info": None, "python": "3.12"}, None),
            ({"metadata": {"python_version": 3}}, None),
            ({}, None),
            ([], None),
        ],
    )
    def test_named(self, context: Any, runtime: str | None) -> None:
        assert runtime_of(json.dumps(context)) == runtime
