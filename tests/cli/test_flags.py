from __future__ import annotations

import click
import pytest

from bench_db.cli.flags import as_flags
from bench_db.cli.main import VERBS, root
from tests.cli.conftest import bench_db


class TestFlags:
    """A message of a use case names parameters; the command line names flags."""

    @pytest.mark.parametrize(
        ("message", "shown"),
        [
            (
                "`threshold` is a method of its own: leave out `min_effect`",
                "--threshold is a method of its own: leave out --min-effect",
            ),
            ("`set_baseline`: x", "--set-baseline: x"),
            ("`format_name`: 'asv' is no format of exports", "--format: 'asv' is no format of exports"),
            ("`states`: 'y' is no state", "--state: 'y' is no state"),
            ("the output of `bench-db suites`", "the output of `bench-db suites`"),
            ("a name `Fib[5]` stays", "a name `Fib[5]` stays"),
            ("f:2: Expected `object`, got `array` at $", "f:2: Expected `object`, got `array` at $"),
            ("`payload_json`: missing required field `user`", "--payload-json: missing required field `user`"),
        ],
    )
    def test_parameters_become_flags(self, message: str, shown: str) -> None:
        assert as_flags(message) == shown


def _options(command: click.Command) -> list[list[str]]:
    """Return the names of each option of a command and of its sub-commands."""
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    own = [list(option.opts) for option in command.params if isinstance(option, click.Option)]
    return own + [names for each in inner for names in _options(each)]


class TestNames:
    """A flag has the name that JSON, SQL and frames use; the name of earlier releases is an alias in every verb."""

    @pytest.mark.parametrize("what", ["name", "class"])
    def test_of_test_beds(self, what: str) -> None:
        commands = [root.get_command(click.Context(root), verb) for verb in VERBS]
        every = [names for command in commands if command is not None for names in _options(command)]
        shown = [names for names in every if any("bed" in name for name in names) and f"-{what}" in names[0]]
        assert len(shown) >= (10 if what == "name" else 1)
        assert {tuple(names) for names in shown} == {(f"--test-bed-{what}", f"--testbed-{what}")}

    @pytest.mark.parametrize("flag", ["--test-bed-name", "--testbed-name"])
    def test_both_names_select(self, flag: str, demo_store: str) -> None:
        asked = ("latest", "--output", "json", "--store", demo_store, flag)
        assert bench_db(*asked, "demo").document
        assert bench_db(*asked, "another").code == 2

    def test_help_shows_the_new_name_first(self) -> None:
        assert "--test-bed-name, --testbed-name NAME" in bench_db("latest", "--help").out
