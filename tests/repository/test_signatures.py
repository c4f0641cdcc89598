"""What signatures may take: Lance objects stay behind one door, and `Any` at the doors for Arrow and JSON."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.repository import tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_FUNCTIONS_WITH_ANY = 15
# what only Lance's dataset and its fragments have
LANCE_NAMES = {
    "all_files",
    "checkout_version",
    "cleanup_old_versions",
    "compact_files",
    "create_scalar_index",
    "deletion_file",
    "describe_indices",
    "file_size_bytes",
    "fragment_id",
    "get_fragments",
    "merge_insert",
    "optimize_indices",
    "scanner",
    "tracked_files",
}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a module."""
    for node in ast.walk(tree.syntax(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    """List the annotated parameters of a function."""
    taken = function.args
    every = [*taken.posonlyargs, *taken.args, *taken.kwonlyargs, taken.vararg, taken.kwarg]
    return [one for one in every if one is not None and one.annotation is not None]


def mentions_any(annotation: ast.AST) -> bool:
    """Tell whether an annotation holds `Any`, alone or inside another type."""
    return any(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(annotation))


class TestSignatures:
    """A signature says what a function takes."""

    def test_few_functions_take_any(self) -> None:
        taking = [
            f"{path}: {function.name}"
            for path in tree.modules("packages")
            for function in functions(path)
            if any(mentions_any(p.annotation) for p in parameters(function) if p.annotation)
        ]
        assert len(taking) <= MOST_FUNCTIONS_WITH_ANY, "\n".join(taking)

    def test_lance_objects_stay_in_the_engine(self) -> None:
        asked = [
            f"{path}:{node.lineno}: {node.attr}"
            for path in tree.modules("packages")
            if path.name != "engine.py"
            for node in ast.walk(tree.syntax(path))
            if isinstance(node, ast.Attribute) and node.attr in LANCE_NAMES
        ]
        assert asked == []
