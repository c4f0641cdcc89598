from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from tests.repository import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

CLI = Path("packages/bench_db/src/bench_db/cli")
MOST_STATEMENTS = 12
Function = ast.FunctionDef | ast.AsyncFunctionDef


def is_command(function: Function) -> bool:
    """Tell whether click makes a command or a group of a function."""
    calls = [decorator.func for decorator in function.decorator_list if isinstance(decorator, ast.Call)]
    return any(isinstance(call, ast.Attribute) and call.attr in {"command", "group"} for call in calls)


def commands(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every command of a module with the statements of its body, nested ones included.

    Neither its docstring counts nor an import, which is in the body only so that `bench-db --help` imports nothing.
    """
    for function in ast.walk(tree.syntax(path)):
        if isinstance(function, Function) and is_command(function):
            inside = [node for node in ast.walk(function) if isinstance(node, ast.stmt)]
            docstring = ast.get_docstring(function) is not None
            counted = [node for node in inside if not isinstance(node, ast.Import | ast.ImportFrom)]
            yield f"{path.stem}.{function.name}", len(counted) - 1 - docstring


class TestCommands:
    """A command parses, calls a use case and renders its answer: its body has at most 12 statements."""

    def test_bodies_are_short(self) -> None:
        counted = dict(pair for path in tree.modules() if path.parent == CLI for pair in commands(path))
        assert {name: statements for name, statements in counted.items() if statements > MOST_STATEMENTS} == {}

    def test_every_command_is_seen(self) -> None:
        seen = [name for path in tree.modules() if path.parent == CLI for name, _ in commands(path)]
        assert len(seen) > 40
        assert {"compare.command", "baseline.set_", "main.root"} <= set(seen)
