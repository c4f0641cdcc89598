"""How an error becomes one line and an exit code, whatever raised it."""

from pathlib import Path

import pytest

from tests.cli.conftest import bench_db, bench_db_process


class TestFailure:
    """A failure is never taken for a regression: exit code 1 has one meaning."""

    def test_a_directory_that_cannot_be_made_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        assert bench_db("store", "init", "--store", tmp_path / "store").code == 0
        said = bench_db("site", tmp_path / "file/site", "--store", tmp_path / "store")
        assert (said.code, said.err) == (2, f"bench-db: {tmp_path / 'file/site/assets'}: Not a directory\n")

    @pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["plain", "debug"])
    def test_debug_shows_more_and_ends_the_same(self, tmp_path: Path, debug: tuple[str, ...]) -> None:
        said = bench_db_process("latest", "--store", tmp_path / "none", *debug)
        assert said.code == 3
        assert ("Traceback" in said.err) == bool(debug)
        assert "no store at" in said.err

    def test_the_doctor_finds_what_others_fall_over(self, tmp_path: Path) -> None:
        said = bench_db("doctor", "--store", tmp_path / ("x" * 300))
        assert said.code == 3
        assert "FAILED  directory: [Errno" in said.out
