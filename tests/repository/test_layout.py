from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.repository import tree

LONGEST_SCRIPT = 25
PACKAGE = Path("packages/bench_db/src/bench_db")
# the lowest modules, which import only the standard library
FOUNDATION = [PACKAGE / f"{name}.py" for name in ("errors", "identity", "model", "units")]


def imported(path: Path) -> set[str]:
    """Return the top-level names that a module imports, at any position."""
    nodes = list(ast.walk(tree.syntax(path)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    given = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.split(".")[0] for name in plain | given}


class TestLayout:
    """The folder of a module decides what it may import; a script only calls the package."""

    def test_scripts_only_call_the_package(self) -> None:
        scripts = tree.modules("scripts")
        assert scripts
        assert {str(p): n for p in scripts if (n := len(tree.text(p).splitlines())) > LONGEST_SCRIPT} == {}

    def test_nothing_edits_the_import_path(self) -> None:
        ours = [path for path in tree.modules() if path.parts[0] != "tests"]
        assert [str(path) for path in ours if "sys." + "path" in tree.text(path)] == []

    @pytest.mark.parametrize("path", FOUNDATION, ids=lambda path: path.stem)
    def test_the_foundation_is_the_standard_library(self, path: Path) -> None:
        assert imported(path) - sys.stdlib_module_names - {"bench_db"} == set()

    def test_every_package_says_that_it_is_one(self) -> None:
        folders = {path.parent for path in tree.modules("packages")}
        assert [str(folder) for folder in folders if folder / "__init__.py" not in tree.paths()] == []
