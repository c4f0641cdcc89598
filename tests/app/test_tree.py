from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.tree import Tree, Written
from bench_db.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


def write_tree(root: Path, files: Iterable[tuple[str, bytes | None]]) -> Written:
    return Tree(root).write(files)


class TestWrite:
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


class TestKept:
    """A file is kept only as a finished write left it."""

    def test_kept(self, tmp_path: Path) -> None:
        write_tree(tmp_path, [("data/a.js", b"a"), ("index.html", b"i")])
        tree = Tree(tmp_path)
        assert (tree.kept("data/a.js"), tree.kept("data/b.js")) == (b"a", None)
        before = (tmp_path / "data/a.js").stat().st_mtime_ns
        done = tree.write([("data/a.js", None), ("index.html", b"j")])
        assert (done.files, done.bytes, done.written, done.removed) == (2, 2, 1, 0)
        assert (tmp_path / "data/a.js").stat().st_mtime_ns == before

    def test_named(self, tmp_path: Path) -> None:
        write_tree(tmp_path, [("data/a-b-12.js", b"a"), ("index.html", b"i")])
        tree = Tree(tmp_path)
        assert [tree.named(stem) for stem in ("data/a-b", "data/a", "a-b", "index")] == [b"a", None, None, None]
        (tmp_path / "data/a-b-12.js").write_bytes(b"changed")
        assert tree.named("data/a-b") is None

    @pytest.mark.parametrize("content", [b"broken", None])
    def test_changed_or_gone(self, tmp_path: Path, content: bytes | None) -> None:
        write_tree(tmp_path, [("data/a.js", b"a")])
        (tmp_path / "data/a.js").unlink()
        if content is not None:
            (tmp_path / "data/a.js").write_bytes(content)
        assert Tree(tmp_path).kept("data/a.js") is None


class TestInterrupted:
    """An interrupted write leaves the old pages with their files, and the next one removes what it wrote."""

    OLD = (("data/a.js", b"a"), ("index.html", b"old"))

    @pytest.mark.parametrize("before", [OLD, ()], ids=["over an old site", "into an empty directory"])
    @pytest.mark.parametrize("files", [0, 1, 2])
    def test_next_write(self, tmp_path: Path, files: int, before: tuple[tuple[str, bytes], ...]) -> None:
        if before:
            write_tree(tmp_path, before)

        def interrupted() -> Iterator[tuple[str, bytes]]:
            yield from [("data/b.js", b"b"), ("data/c.js", b"c"), ("index.html", b"new")][:files]
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_tree(tmp_path, interrupted())
        for path, content in before:
            assert (tmp_path / path).read_bytes() == content
            assert Tree(tmp_path).kept(path) == content
        write_tree(tmp_path, [("data/d.js", b"d"), ("index.html", b"newest")])
        left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
        assert left == {"data/d.js", "index.html", "manifest.json"}

    def test_before_files_are_removed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_tree(tmp_path, self.OLD)

        def failing(_path: Path, **_how: bool) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(type(tmp_path), "unlink", failing)
            with pytest.raises(KeyboardInterrupt):
                write_tree(tmp_path, [("index.html", b"new")])
        assert (tmp_path / "index.html").read_bytes() == b"new"
        assert write_tree(tmp_path, [("index.html", b"new")]).removed == 1
        assert not (tmp_path / "data/a.js").exists()
        assert not (tmp_path / "unfinished.txt").exists()


class TestUnchanged:
    """A write leaves a note for the next one, and files that are as it left them need no other write."""

    FILES = (("data/a.js", b"a"), ("index.html", b"i"))

    def test_note(self, tmp_path: Path) -> None:
        done = Tree(tmp_path).write(self.FILES, lambda: "mine")
        tree = Tree(tmp_path)
        assert (tree.note, tree.unchanged()) == ("mine", Written(files=2, bytes=2, written=0, removed=0))
        assert done.written == 2
        assert Tree(tmp_path / "other").unchanged() is None

    @pytest.mark.parametrize(
        "change",
        [
            lambda out: (out / "index.html").write_text("x"),
            lambda out: (out / "data/a.js").unlink(),
            lambda out: (out / "unfinished.txt").write_text("data/b.js\n"),
        ],
        ids=["changed", "removed", "interrupted"],
    )
    def test_of_files_that_have_changed(self, change: Callable[[Path], object], tmp_path: Path) -> None:
        Tree(tmp_path).write(self.FILES, lambda: "mine")
        change(tmp_path)
        assert Tree(tmp_path).unchanged() is None

    def test_of_a_write_without_one(self, tmp_path: Path) -> None:
        Tree(tmp_path).write(self.FILES, lambda: "mine")
        Tree(tmp_path).write(self.FILES)
        assert Tree(tmp_path).note == ""
