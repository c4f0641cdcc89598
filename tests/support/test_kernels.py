from __future__ import annotations

import inspect
import re
import subprocess
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench_db.analysis import jit
from tests.support import kernels

ROOT = Path(__file__).resolve().parents[2]


class TestKernels:
    """The machine code of every kernel is compiled beside the collection of a suite on several workers."""

    def test_every_one(self) -> None:
        modules = [
            import_module(f"bench_db.analysis.{path.stem}") for path in Path(jit.__file__).parent.glob("*_kernel.py")
        ]
        found = {name for module in modules for name, one in vars(module).items() if isinstance(one, jit.Kernel)}
        assert found == set(re.findall(r"(\w+)\.machine\(", inspect.getsource(kernels.main))) != set()

    @pytest.mark.parametrize("workers", [0, 2])
    def test_started(self, workers: int, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
        """What an earlier suite has left in the cache may be of other sources."""
        started: list[list[str]] = []
        monkeypatch.setattr(subprocess, "Popen", lambda command, **_: started.append(command))
        (ours,) = [plugin for plugin in pytestconfig.pluginmanager.get_plugins() if is_root_conftest(plugin)]
        config = SimpleNamespace(getoption=lambda *_: workers, stash=pytest.Stash())
        ours.pytest_sessionstart(SimpleNamespace(config=config))
        assert [command[1:] for command in started] == [["-m", "tests.support.kernels"]] * bool(workers)


def is_root_conftest(plugin: object) -> bool:
    return getattr(plugin, "__file__", None) == str(ROOT / "conftest.py")
