from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.docs.commands import Command, shown
from tests.repository import tree

README = Path("README.md")
FIRST = ("pip install uv && uv run bench-db demo", "pip install uv && uv run pytest")


def options(context: click.Context) -> dict[str, click.Option]:
    """Return the options of a command by each of their spellings."""
    found = [p for p in context.command.get_params(context) if isinstance(p, click.Option)]
    return {name: option for option in found for name in [*option.opts, *option.secondary_opts]}


def unknown(words: tuple[str, ...], command: click.Command, parent: click.Context | None = None) -> list[str]:
    """Return the words that are unknown flags or verbs."""
    context = click.Context(command, parent, **command.context_settings)
    accepted, rest, wrong = options(context), list(words), []
    while rest:
        name, _, value = (word := rest.pop(0)).partition("=")
        if name.startswith("-"):
            option = accepted.get(name)
            if option is None:
                wrong.append(name)
            elif not (option.is_flag or option.count or value) and rest:
                rest.pop(0)
        elif isinstance(command, click.Group):
            inner = command.get_command(context, word)
            return [*wrong, word] if inner is None else [*wrong, *unknown(tuple(rest), inner, context)]
    return wrong


def of_program(name: str) -> list[Command]:
    return [command for command in shown() if command.words[0] == name]


class TestCommandsShown:
    """Every command on a page exists, with its flags."""

    def test_the_readme_opens_with_the_two_commands(self) -> None:
        text = tree.text(README)
        assert [command for command in FIRST if command not in text] == []

    def test_bench_db(self) -> None:
        from bench_db.cli.main import root

        commands = of_program("bench-db")
        assert commands
        assert {str(c): wrong for c in commands if (wrong := unknown(c.words[1:], root))} == {}

    def test_just(self) -> None:
        just = str(Path(sys.executable).with_name("just"))
        dump = subprocess.run([just, "--dump", "--dump-format", "json"], cwd=tree.ROOT, capture_output=True, check=True)
        recipes = json.loads(dump.stdout)["recipes"]
        commands = of_program("just")
        assert commands
        assert [str(c) for c in commands if len(c.words) > 1 and c.words[1] not in recipes] == []

    def test_scripts(self) -> None:
        called = {word for c in shown() for word in c.words if word.startswith("scripts/")}
        assert [name for name in called if Path(name) not in tree.paths()] == []

    @pytest.mark.parametrize("words", [("nonsense",), ("demo", "--nonsense"), ("--nonsense",)])
    def test_a_command_that_does_not_exist_is_found_out(self, words: tuple[str, ...]) -> None:
        from bench_db.cli.main import root

        assert unknown(words, root) != []

    @pytest.mark.parametrize(
        "words", [("--help",), ("demo", "--help"), ("publish", "a.json", "--test-bed-name=x", "b.json")]
    )
    def test_a_command_that_exists_is_let_pass(self, words: tuple[str, ...]) -> None:
        from bench_db.cli.main import root

        assert unknown(words, root) == []
