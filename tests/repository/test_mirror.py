from __future__ import annotations

import ast
from pathlib import Path

from tests.repository import tree

PACKAGES = Path("packages/bench_db/src")


def has_code(module: Path) -> bool:
    """Whether a module defines a function; one of constants and records has nothing to test."""
    return any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree.syntax(module)))


def mirror(module: Path) -> Path:
    """Return the test module of a module: `bench_db/x/y.py` has `tests/x/test_y.py`."""
    inside = module.relative_to(PACKAGES)
    parts = inside.parts[1:] if inside.parts[0] == "bench_db" else inside.parts
    return Path("tests", *parts[:-1], f"test_{parts[-1].removeprefix('_')}")


def unmirrored() -> list[str]:
    modules = [path for path in tree.modules("packages") if path.is_relative_to(PACKAGES)]
    code = [path for path in modules if path.name != "__init__.py" and has_code(path)]
    return [str(path.relative_to(PACKAGES)) for path in code if mirror(path) not in tree.paths()]


class TestMirror:
    """Every module that defines a function has a test module of its name."""

    def test_every_module_has_a_test_module(self) -> None:
        assert unmirrored() == []
