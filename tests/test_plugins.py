from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.packages import declaring, install

if TYPE_CHECKING:
    from pathlib import Path

RENDERERS = "bench_db.renderers"
ASK = """
import json
from bench_db import plugins
loaded = plugins.load(plugins.RENDERERS, plugins.callable_of, reserved={"json"})
print(json.dumps([{n: p("x") for n, p in loaded.usable.items()}, {n: str(f) for n, f in loaded.faults.items()}]))
"""
SOUND = "def shout(answer):\n    return answer.upper()\n"


def ask(site: Path, code: str = ASK) -> str:
    """Run code in a process that has the packages of a directory installed."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


def loaded(site: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the output of each renderer for "x", and the reason for each broken one."""
    usable, faults = json.loads(ask(site))
    return usable, faults


class TestLoad:
    """Every valid extension is usable, and every broken one has one error that names its package."""

    def test_nothing_is_declared(self, tmp_path: Path) -> None:
        assert loaded(tmp_path) == ({}, {})

    def test_another_package(self, tmp_path: Path) -> None:
        install(tmp_path, declaring(RENDERERS, "loud", "loud:shout"), loud=SOUND)
        assert loaded(tmp_path) == ({"loud": "X"}, {})

    def test_another_group_is_not_looked_at(self, tmp_path: Path) -> None:
        install(tmp_path, declaring("bench_db.forges", "loud", "no_such_module"))
        assert loaded(tmp_path) == ({}, {})

    @pytest.mark.parametrize(
        ("name", "target", "code", "reason"),
        [
            ("bad", "absent:x", "", "loading absent:x failed: ModuleNotFoundError: No module named 'absent'"),
            ("bad", "module:missing", "", "loading module:missing failed: AttributeError: "),
            ("bad", "module", "1 / 0", "loading module failed: ZeroDivisionError: division by zero"),
            ("bad", "module", "raise SystemExit(3)", "loading module failed: SystemExit: 3"),
            ("bad", "module", "import", "loading module failed: SyntaxError: "),
            ("bad", "module:x", "x = 5", "it is declared as a callable and is of type int"),
            ("json", "module:x", "x = print", "bench_db has its own of that name, and uses that"),
        ],
    )
    def test_a_broken_one_leaves_the_others(
        self, tmp_path: Path, name: str, target: str, code: str, reason: str
    ) -> None:
        install(tmp_path, declaring(RENDERERS, name, target), module=code)
        install(tmp_path, declaring(RENDERERS, "loud", "loud:shout", "sound-tool"), loud=SOUND)
        usable, faults = loaded(tmp_path)
        assert (usable, list(faults)) == ({"loud": "X"}, [name])
        assert faults[name].startswith(f"renderer {name!r} of the installed package other-tool 1.2: {reason}")
        assert ("Ask the authors" if name == "json" else "Upgrade or uninstall the package") in faults[name]

    def test_two_packages_with_one_name(self, tmp_path: Path) -> None:
        for package in ("b-tool", "a-tool"):
            install(tmp_path, declaring(RENDERERS, "loud", "loud:shout", package), loud=SOUND)
        assert loaded(tmp_path) == (
            {},
            {
                "loud": "renderer 'loud' of the installed package a-tool 1.2 and b-tool 1.2: each of these packages"
                " declares the name. Uninstall all but one of them"
            },
        )

    def test_get(self, tmp_path: Path) -> None:
        install(tmp_path, declaring(RENDERERS, "loud", "loud:shout"), loud=SOUND)
        install(tmp_path, declaring(RENDERERS, "bad", "absent", "bad-tool"))
        code = ASK + (
            "print(loaded.get('none'), loaded.get('loud')('y'))\n"
            "try:\n    loaded.get('bad')\nexcept plugins.PluginError as error:\n    print(error.kind, error.name, error.package)\n"
        )
        assert ask(tmp_path, code).splitlines()[1:] == ["None Y", "renderer bad bad-tool 1.2"]

    def test_loads_nothing_but_the_standard_library(self, tmp_path: Path) -> None:
        code = "import sys, bench_db.plugins; print([m for m in ('click', 'msgspec', 'numpy', 'polars') if m in sys.modules])"
        assert ask(tmp_path, code).strip() == "[]"


class TestCost:
    """Entry points are read only when no built-in extension fits."""

    def test_help_and_ingest_do_not_load_plugins(self, tmp_path: Path) -> None:
        install(tmp_path, declaring("bench_db.formats", "loud", "loud"), loud="raise SystemExit(9)")
        (tmp_path / "f").write_text("IVF1,PQ2: refine=3, recall@4=0.5\n")
        code = f"""
import sys
from bench_db.ingest import detect
from pathlib import Path
print(detect(Path({str(tmp_path / "f")!r})).name, "loud" in sys.modules)
import bench_db.ingest.registry as registry
print(registry._of_others.cache_info().currsize)
"""
        assert ask(tmp_path, code).split() == ["dbpedia", "False", "0"]


def test_every_group_has_a_kind() -> None:
    from bench_db import plugins

    groups = (plugins.FORMATS, plugins.RENDERERS, plugins.FORGES)
    kinds: list[Any] = [plugins.Plugin(group=g, name="n", package="p 1").fault("r").kind for g in groups]
    assert kinds == ["format", "renderer", "forge"]
