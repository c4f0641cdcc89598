from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from bench_db import connect
from bench_db.cli.lance_bench import exit_code, publish_script, run_script
from bench_db.errors import StoreUnavailableError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = Path(__file__).parents[1] / "data/pytest-benchmark/5.3.1/with_raw_data.json"


def code(run: Callable[[], object], monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Return the exit code of a script with these arguments."""
    monkeypatch.setattr("sys.argv", ["script.py", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        run()
    return int(stop.value.code or 0)


class TestExitCode:
    """Wrong flags are exit code 2; every other failure is 1, in one line that names flags."""

    @pytest.mark.parametrize(
        ("raised", "expected"),
        [
            (click.exceptions.Exit(3), 3),
            (click.UsageError("no such flag"), 2),
            (click.ClickException("x"), 1),
            (StoreUnavailableError("x"), 1),
            (click.Abort(), 1),
            (KeyboardInterrupt(), 1),
        ],
        ids=repr,
    )
    def test_failures(self, raised: BaseException, expected: int) -> None:
        def run(_: object, **__: object) -> None:
            raise raised

        assert exit_code(["latest"], run) == expected

    @pytest.mark.parametrize(("returned", "expected"), [(None, 0), (0, 0), (1, 1)])
    def test_returned(self, returned: int | None, expected: int) -> None:
        assert exit_code(["latest"], lambda *_, **__: returned) == expected

    def test_message(self, capsys: pytest.CaptureFixture[str]) -> None:
        def run(_: object, **__: object) -> None:
            message = "leave out\n  `min_effect`"
            raise UserError(message)

        exit_code(["compare"], run)
        assert capsys.readouterr() == ("", "Error: leave out --min-effect\n")

    def test_a_defect_is_not_hidden(self) -> None:
        def run(_: object, **__: object) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            exit_code(["latest"], run)


class TestRunScript:
    """A script is its verb; its token reaches the environment and not the arguments."""

    @pytest.mark.parametrize(
        ("script", "words", "expected"),
        [
            ("merge_pr_results", (".", "out"), 0),
            ("merge_pr_results", (".", "out", "--no-such-flag"), 2),
            ("merge_pr_results", ("--help",), 0),
            ("process_pr_comment", ("--payload-json", "{}"), 1),  # as a verb, 2
        ],
    )
    def test_exit_codes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: tuple[str, ...], expected: int
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert code(lambda: run_script(script), monkeypatch, *words) == expected

    def test_token(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setenv("GITHUB_TOKEN", "of the workflow")
        words = ("x", "--body", "b", "--token", "of the flag")
        assert code(lambda: run_script("post_pr_comment"), monkeypatch, *words) == 2
        assert os.environ["GITHUB_TOKEN"] == "of the flag"
        assert "--token" not in capsys.readouterr().err


class TestPublishScript:
    """A script publishes into the store at LANCE_BENCH_URI, or creates none."""

    @pytest.fixture(autouse=True)
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.delenv("BENCH_DB_URI", raising=False)
        monkeypatch.setenv("LANCE_BENCH_URI", str(tmp_path / "store"))
        return tmp_path / "store"

    @pytest.mark.parametrize("flag", ["--test-bed-name", "--testbed-name"])
    def test_published(self, store: Path, monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
        words = (FILE, flag, "ci", "--dut-name", "d", "--dut-version", "1+abc1234", "--dut-timestamp", 7)
        assert code(lambda: publish_script("pytest-benchmark", "pytest"), monkeypatch, *words) == 0
        found = {(r.test_bed.name, r.dut.name, r.dut.version, r.dut.timestamp) for r in connect(store).results()}
        assert found == {("ci", "d", "1+abc1234", 7)}

    @pytest.mark.parametrize(
        ("from_file", "words", "expected"),
        [(False, (FILE,), 2), (True, (FILE,), 0), (True, ("none.json",), 1), (True, (), 2)],
    )
    def test_exit_codes(
        self,
        store: Path,
        monkeypatch: pytest.MonkeyPatch,
        from_file: bool,  # noqa: FBT001 a column
        words: tuple[object, ...],
        expected: int,
    ) -> None:
        def run() -> None:
            publish_script("pytest-benchmark", "pytest", from_file=from_file)

        assert (code(run, monkeypatch, *words), store.exists()) == (expected, expected == 0)

    def test_another_format(self, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        words = (FILE, "--dut-version", "1", "--dut-timestamp", 7)
        assert (code(lambda: publish_script("dbpedia", "x"), monkeypatch, *words), store.exists()) == (1, False)
