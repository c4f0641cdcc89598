from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.tree import write_tree
from bench_db.errors import UserError
from tests.cli.conftest import bench_db

if TYPE_CHECKING:
    from pathlib import Path


class TestWriteTree:
    """A directory gets the given files; unchanged and foreign files are not touched."""

    def test_first(self, tmp_path: Path) -> None:
        done = write_tree(tmp_path / "out", [("data/a.js", b"a"), ("index.html", b"i")])
        assert (done.files, done.bytes, done.written, done.removed) == (2, 2, 2, 0)
        assert (tmp_path / "out/data/a.js").read_bytes() == b"a"

    def test_again(self, tmp_path: Path) -> None:
        files = [("data/a.js", b"a"), ("index.html", b"i")]
        write_tree(tmp_path, files)
        before = (tmp_path / "index.html").stat().st_mtime_ns
        done = write_tree(tmp_path, files)
        assert (done.written, done.removed) == (0, 0)
        assert (tmp_path / "index.html").stat().st_mtime_ns == before

    def test_what_is_named_no_longer_goes_and_the_rest_stays(self, tmp_path: Path) -> None:
        write_tree(tmp_path, [("data/a.js", b"a"), ("index.html", b"i")])
        (tmp_path / "CNAME").write_text("example.org")
        done = write_tree(tmp_path, [("data/b.js", b"b"), ("index.html", b"i")])
        assert (done.written, done.removed) == (1, 1)
        assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
            "CNAME",
            "b.js",
            "index.html",
            "manifest.json",
        ]

    def test_a_damaged_file_is_mended(self, tmp_path: Path) -> None:
        write_tree(tmp_path, [("index.html", b"i")])
        (tmp_path / "index.html").write_bytes(b"broken")
        assert write_tree(tmp_path, [("index.html", b"i")]).written == 1

    def test_somebody_else_s_page_is_not_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "index.html").write_text("mine")
        with pytest.raises(UserError, match="something else"):
            write_tree(tmp_path, [("index.html", b"i")])
        assert (tmp_path / "index.html").read_text() == "mine"

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("a file")
        with pytest.raises((UserError, FileExistsError, NotADirectoryError)):
            write_tree(tmp_path / "out", [("index.html", b"i")])


class TestSite:
    """A site is written once and not touched until the store changes."""

    def test_first_and_again(self, demo_store: Path, tmp_path: Path) -> None:
        first = bench_db("site", tmp_path / "out", "--store", demo_store, "--output", "json").document
        again = bench_db("site", tmp_path / "out", "--store", demo_store, "--output", "json").document
        assert first["written"] == first["files"] > 20
        assert (again["written"], again["removed"], again["files"]) == (0, 0, first["files"])

    def test_raw_samples_of_the_newest_points_alone(self, demo_store: Path, tmp_path: Path) -> None:
        sizes = {}
        for samples in (0, 1, 60):
            bench_db("site", tmp_path / str(samples), "--store", demo_store, "--samples", samples)
            sizes[samples] = sum(path.stat().st_size for path in (tmp_path / str(samples)).glob("samples/*.js"))
        assert sizes[0] == 0 < sizes[1] < sizes[60]

    def test_selection(self, demo_store: Path, tmp_path: Path) -> None:
        done = bench_db(
            "site", tmp_path, "--store", demo_store, "--benchmark", "*query*", "--title", "Queries & <more>"
        )
        assert done.code == 0
        page = (tmp_path / "series.html").read_text()
        assert "<h1>2 series</h1>" in page
        assert "Queries &amp; &lt;more&gt;" in page

    def test_says_nothing_of_where_the_store_is(self, demo_store: Path, tmp_path: Path) -> None:
        bench_db("site", tmp_path, "--store", demo_store)
        assert not [
            path for path in tmp_path.rglob("*") if path.is_file() and str(demo_store).encode() in path.read_bytes()
        ]

    def test_text(self, demo_store: Path, tmp_path: Path) -> None:
        answer = bench_db("site", tmp_path, "--store", demo_store)
        assert answer.out.startswith(str(tmp_path / "index.html"))

    def test_a_directory_of_something_else(self, demo_store: Path, tmp_path: Path) -> None:
        (tmp_path / "index.html").write_text("mine")
        answer = bench_db("site", tmp_path, "--store", demo_store)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
