from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.app.recognising import FIXTURE, PYPROJECT, repository
from tests.app.test_init import ACTION, FILES, tree
from tests.app.test_tools import CARGO, REPOSITORIES
from tests.cli.commands import COMMAND, bench_db, document, environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with pytest-benchmark, Go, and a tool that bench_db cannot read."""
    cargo = CARGO.replace("criterion", "divan")
    files = {"pyproject.toml": PYPROJECT, "tests/test_speed.py": FIXTURE, "Cargo.toml": cargo, **REPOSITORIES["go"][0]}
    return repository(tmp_path / "lib", files)


class TestText:
    """The answer says what was found and why, what was not read, what was written and what comes next."""

    def test_lines(self, root: Path) -> None:
        done = bench_db("init", "--action", ACTION, "--suite", "python", "--store", "s3://b/p", cwd=root)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[:3] == [
            "suite python: pytest-benchmark",
            '    pyproject.toml:9: "pytest-benchmark>=4",',
            "    tests/test_speed.py:1: def test_sum(benchmark):",
        ]
        assert "left out go: Go" in lines
        assert any(line.startswith("no suite: divan: ") for line in lines)
        assert f"wrote {' and '.join(FILES)} in {root}" in lines
        assert lines[-3] == "next:"
        assert lines[-2].split()[:2] == ["bench-db", "backfill"]
        assert lines[-1].split()[:2] == ["git", "add"]

    def test_a_dry_run_prints_the_files(self, root: Path) -> None:
        before = tree(root)
        done = bench_db("init", "--dry-run", "--yes", "--action", ACTION, cwd=root)
        assert "\n# bench-db.toml\n" in done.stdout
        assert "\n[suite.go]\n" in done.stdout
        assert f"would write {FILES[0]}" in done.stdout
        assert tree(root) == before

    def test_json(self, root: Path) -> None:
        answer = document(bench_db("init", "--action", ACTION, "--output", "json", cwd=root))
        assert list(answer["files"]) == list(FILES)
        assert answer["suites"][0]["evidence"][0] == {
            "file": "pyproject.toml",
            "line": 9,
            "text": '"pytest-benchmark>=4",',
        }

    @pytest.mark.slow
    def test_a_second_time(self, root: Path) -> None:
        assert bench_db("init", "--action", ACTION, cwd=root).returncode == 0
        again = bench_db("init", "--action", ACTION, cwd=root)
        assert (again.returncode, again.stdout) == (2, "")
        assert "bench-db.toml, .github/workflows/benchmarks.yml exist" in again.stderr
        assert "--force" in again.stderr

    def test_without_an_action(self, root: Path) -> None:
        done = bench_db("init", "--store", "s3://b/p", "--alarm", "slack", cwd=root)
        assert done.returncode == 0, done.stderr
        assert "assumed: CI is GitHub Actions, because the checkout has no remote origin" in done.stdout
        assert "to do: set the secret SLACK_WEBHOOK to the address of the receiver" in done.stdout

    def test_a_wrong_suite(self, root: Path) -> None:
        done = bench_db("init", "--action", ACTION, "--suite", "pyton", cwd=root)
        assert (done.returncode, "--suite: 'pyton'" in done.stderr) == (2, True)


class TestQuestions:
    """On a terminal four questions are asked, except for what a flag gives."""

    def ask(self, root: Path, answers: str, *words: str) -> str:
        main, terminal = pty.openpty()
        with os.fdopen(main, "r+b", buffering=0) as screen:
            process = subprocess.Popen(
                [*COMMAND, "init", "--action", ACTION, *words],
                cwd=root,
                env=environment(),
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
            )
            os.close(terminal)
            screen.write(answers.encode())
            shown = b""
            with suppress(OSError):  # the terminal is gone when the command ends
                while part := screen.read(4096):
                    shown += part
            assert process.wait(60) == 0, shown.decode()
        return shown.decode()

    def test_answers(self, root: Path) -> None:
        shown = self.ask(root, "s3://my/store\ngo\nweekly\nteams\n")
        assert [shown.count(word) for word in ("Store: ", "Suites, ", "Schedule: ", "Who gets ")] == [1, 1, 1, 1]
        assert 'kind = "teams"\n' in (root / FILES[0]).read_text()
        assert 'store: "s3://my/store"' in (root / FILES[1]).read_text()
        assert '- cron: "17 3 * * 1"' in (root / FILES[1]).read_text()
        assert "[suite.python]" not in (root / FILES[0]).read_text()

    @pytest.mark.slow
    def test_flags_leave_out_questions(self, root: Path) -> None:
        shown = self.ask(root, "\n\n", "--store", "s3://b/p", "--suite", "go")
        assert [shown.count(word) for word in ("Store: ", "Suites, ", "Schedule: ")] == [0, 0, 1]

    @pytest.mark.slow
    def test_yes_asks_nothing(self, root: Path) -> None:
        assert "Schedule: " not in self.ask(root, "", "--yes")
