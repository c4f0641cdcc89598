"""The reading verbs on a store of real measurements."""

from pathlib import Path

import pytest

from tests.cli.conftest import bench_db


class TestNames:
    """The error for a branch name differs from that for a commit without results."""

    @pytest.mark.parametrize(
        ("name", "told"), [("no-such-branch", True), ("1a2b3c", True), ("1a2b3c4", False), ("A" * 40, False)]
    )
    def test_what_is_no_sha(self, demo_store: Path, name: str, told: bool) -> None:  # noqa: FBT001 a column
        answers = [bench_db(verb, name, "--store", demo_store) for verb in ("has", "compare")]
        assert [answer.code for answer in answers] == [1, 2]
        has, compare = answers
        assert ("no such name in the checkout" in has.err, "named by its sha" in compare.err) == (told, told)


class TestNoStore:
    """Reading a missing store creates none, and the error says how to."""

    @pytest.mark.parametrize(
        "verb", [["latest"], ["summary"], ["trend", "x"], ["has", "abc1234"], ["query", "SELECT 1"], ["store", "info"]]
    )
    def test_exit_code_3(self, tmp_path: Path, verb: list[str]) -> None:
        answer = bench_db(*verb, "--store", tmp_path / "nowhere")
        assert answer.code == 3
        assert "bench-db store init" in answer.err
        assert not (tmp_path / "nowhere").exists()

    @pytest.mark.parametrize("name", ["file", "file/below"])
    def test_a_file_is_no_store(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").write_text("")
        for verb in (["latest"], ["baseline", "list"]):
            answer = bench_db(*verb, "--store", tmp_path / name)
            assert (answer.code, answer.out) == (3, "")
            assert "is a file, or below one, and a store is a directory" in answer.err

    @pytest.mark.parametrize("name", ["link", "link/below"])
    def test_a_link_to_nothing_is_no_store(self, tmp_path: Path, name: str) -> None:
        """Neither opening nor making a store can be the next step, so the error says what is."""
        (tmp_path / "link").symlink_to("volume/stores")
        for verb in (["latest"], ["store", "init"], ["store", "verify"]):
            answer = bench_db(*verb, "--store", tmp_path / name)
            assert (answer.code, answer.out) == (3, "")
            assert f"{tmp_path / 'link'} is a symbolic link to volume/stores, which does not exist" in answer.err
            assert "init" not in answer.err
        assert not (tmp_path / "volume").exists()

    def test_the_environment_names_the_store(self, tmp_path: Path, demo_store: Path) -> None:
        assert bench_db("latest", BENCH_DB_URI=str(demo_store), LANCE_BENCH_URI=str(tmp_path)).code == 0
        assert bench_db("latest", LANCE_BENCH_URI=str(demo_store)).code == 0
        assert str(tmp_path) in bench_db("latest", HOME=str(tmp_path)).err
