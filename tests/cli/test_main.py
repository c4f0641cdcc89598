"""Every error becomes one line and an exit code."""

import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from polars.exceptions import PanicException

from tests.cli.commands import environment
from tests.cli.conftest import bench_db, bench_db_process


class TestFailure:
    """An error never has the exit code of a regression."""

    def test_a_directory_that_cannot_be_made_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        assert bench_db("store", "init", "--store", tmp_path / "store").code == 0
        said = bench_db("site", tmp_path / "file/site", "--store", tmp_path / "store")
        assert (said.code, said.err) == (
            2,
            f"bench-db: cannot make the directory {tmp_path / 'file/site'}: Not a directory; choose another one\n",
        )

    @pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["plain", "debug"])
    def test_debug_shows_more_and_ends_the_same(self, tmp_path: Path, debug: tuple[str, ...]) -> None:
        said = bench_db_process("latest", "--store", tmp_path / "none", *debug)
        assert said.code == 3
        assert ("Traceback" in said.err) == bool(debug)
        assert "no store at" in said.err

    @pytest.mark.slow
    def test_the_doctor_finds_what_others_fall_over(self, tmp_path: Path) -> None:
        said = bench_db("doctor", "--store", tmp_path / ("x" * 300))
        assert said.code == 3
        assert "FAILED  directory: [Errno" in said.out

    @pytest.mark.parametrize("raised", [RuntimeError("boom"), PanicException("boom")])
    def test_a_defect_has_a_code_of_its_own_and_its_traceback(
        self, raised: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bench_db.store.database.connect", mock.Mock(side_effect=raised))
        said = bench_db("latest", "--store", tmp_path)
        assert (said.code, said.out) == (70, "")
        assert said.err.startswith("Traceback")
        assert "boom" in said.err
        assert said.err.endswith("bench-db: this is a defect of bench_db; please report it with the lines above\n")


class TestEnd:
    """The end of a process takes no work that nobody sees."""

    def test_no_search_for_cycles(self) -> None:
        # what is registered before a command is called after what the command registers
        code = "import atexit, gc, sys; atexit.register(lambda: print(gc.get_count()[0], gc.get_freeze_count())); sys.argv[1:] = ['--version']; from bench_db.cli import main; main()"
        said = subprocess.run(
            [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60, check=True
        )
        to_search, left = map(int, said.stdout.split()[-2:])
        assert to_search < left / 100
