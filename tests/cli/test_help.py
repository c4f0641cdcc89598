"""Help: fast, complete, with an example for every verb."""

import subprocess
import sys

import click
import pytest

from bench_db.cli.main import VERBS, root
from tests.cli.conftest import bench_db, bench_db_process


def commands() -> list[list[str]]:
    """Yield every verb and sub-verb."""
    context = click.Context(root)
    found = []
    for verb in VERBS:
        command = root.get_command(context, verb)
        assert command is not None
        found.append([verb])
        if isinstance(command, click.Group):
            found += [[verb, name] for name in command.list_commands(context)]
    return found


class TestHelp:
    """The help of every command has an example."""

    @pytest.mark.parametrize("words", commands(), ids=" ".join)
    def test_example(self, words: list[str]) -> None:
        command: click.Command = root
        for word in words:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), word)
            assert found is not None
            command = found
        assert "Example: bench-db" in (command.help or "")

    def test_the_list_names_every_verb(self) -> None:
        out = bench_db("--help").out
        assert all(f"  {verb}  " in out for verb in VERBS)

    def test_help_imports_nothing_heavy(self) -> None:
        code = (
            "import sys; sys.argv = ['bench-db', '--help']\n"
            "from bench_db.cli import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "heavy = {'polars', 'lance', 'lancedb', 'pyarrow', 'numpy', 'scipy', 'boto3', 'rich', 'json', 'logging', 'random'} & set(sys.modules)\n"
            "assert not heavy, heavy"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def test_version(self) -> None:
        assert bench_db_process("--version").out.strip().count(".") == 2

    @pytest.mark.parametrize(
        "words", [["nonsense"], ["latest", "--nonsense"], ["trend"], ["latest", "--last", "0"]], ids=" ".join
    )
    def test_wrong_usage_is_exit_code_2(self, words: list[str]) -> None:
        assert bench_db(*words).code == 2
