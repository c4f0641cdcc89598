"""Help: fast, complete, with an example for every verb."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from bench_db.cli.main import VERBS, root
from tests.cli.conftest import bench_db, bench_db_process

_PAYLOAD = json.dumps({"comment_body": "@bench-bot help", "comment_user": "u", "pr_number": 1, "pr_head_sha": "a" * 40})


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

    @pytest.mark.parametrize("words", [words for words in commands() if len(words) == 2], ids=" ".join)
    def test_a_list_has_whole_sentences(self, words: list[str]) -> None:
        shown = " ".join(bench_db(words[0], "--help").out.split())
        group = root.get_command(click.Context(root), words[0])
        assert isinstance(group, click.Group)
        sentences = " ".join((group.commands[words[1]].help or "").split())
        assert f"{words[1]} {sentences.partition('. ')[0].rstrip('.')}." in shown.partition(" Commands: ")[2]

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

    @pytest.mark.parametrize(
        "words",
        [["suites"], ["pr", "process-comment", "--payload-json", _PAYLOAD], ["pr", "comment", "1"]],
        ids=" ".join,
    )
    def test_what_reads_no_results_imports_no_polars(self, tmp_path: Path, words: list[str]) -> None:
        """A workflow starts these several times for each measurement, and polars takes 0.5 s of CPU to import."""
        (tmp_path / "bench-db.toml").write_text(
            '[project]\nname = "p"\nrepository = "o/p"\n[[define.threshold]]\nmetric = "m"\nrelative = "5%"\n'
        )
        code = (
            f"import sys; sys.argv = ['bench-db', *{words!r}]\n"
            "from bench_db.cli import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "print({'polars', 'lance', 'pyarrow', 'numpy'} & set(sys.modules), 'bench_db.schedule.config' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stdout.splitlines()[-1] == "set() True", done.stderr

    def test_version(self) -> None:
        assert bench_db_process("--version").out.strip().count(".") == 2

    @pytest.mark.parametrize(
        "words", [["nonsense"], ["latest", "--nonsense"], ["trend"], ["latest", "--last", "0"]], ids=" ".join
    )
    def test_wrong_usage_is_exit_code_2(self, words: list[str]) -> None:
        assert bench_db(*words).code == 2
