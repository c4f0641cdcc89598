from __future__ import annotations

import json
from typing import Any

import pytest

from bench_db.runtimes import runtime_of


class TestRuntimeOf:
    """The name and the first two numbers, so that a re-run under a newer patch is by the same runtime."""

    @pytest.mark.parametrize(
        ("context", "runtime", "tag"),
        [
            (
                {"machine_info": {"python_implementation": "CPython", "python_version": "3.13.0rc1"}},
                "CPython 3.13",
                "python=3.13",
            ),
            (
                {"machine_info": {"python_implementation": "PyPy", "python_version": "3.11.9"}},
                "PyPy 3.11",
                "python=pypy3.11",
            ),
            ({"machine_info": {"python_version": "3.9"}}, "Python 3.9", "python=3.9"),
            (
                {"metadata": {"python_implementation": "cpython", "python_version": "3.12.1 (64-bit)"}},
                "cpython 3.12",
                "python=3.12",
            ),
            ({"python": {"sysconfig": {"py_version": "3.12.1"}}}, "Python 3.12", "python=3.12"),
            ({"HostEnvironmentInfo": {"RuntimeVersion": ".NET 10.0.4 (10.0.426)"}}, ".NET 10.0", "runtime=10.0"),
            (
                {"HostEnvironmentInfo": {"RuntimeVersion": ".NET Framework 4.8.1"}},
                ".NET Framework 4.8",
                "runtime=netframework4.8",
            ),
            ({"HostEnvironmentInfo": {"RuntimeVersion": "Mono 6.12.0 (tarball)"}}, "Mono 6.12", "runtime=mono6.12"),
            ({"HostEnvironmentInfo": {"RuntimeVersion": "Mono"}}, "Mono", "runtime=mono"),
        ],
    )
    def test_named(self, context: Any, runtime: str, tag: str) -> None:
        assert runtime_of(json.dumps(context)) == (runtime, tag)

    @pytest.mark.parametrize(
        "context", [{"machine_info": None, "python": "3.12"}, {"metadata": {"python_version": 3}}, {}, []], ids=range(4)
    )
    def test_not_named(self, context: Any) -> None:
        assert runtime_of(json.dumps(context)) is None
