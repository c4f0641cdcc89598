from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.tree import write_tree
from bench_db.errors import UserError

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
        with pytest.raises(UserError, match="out"):
            write_tree(tmp_path / "out", [("index.html", b"i")])
