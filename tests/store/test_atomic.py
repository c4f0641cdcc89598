from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import pytest

from bench_db.store import atomic, engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def interrupted() -> Iterator[bytes]:
    yield b"half"
    message = "the source is gone"
    raise OSError(message)


class TestWrite:
    """A file has all of its old content or all of its new content, and no temporary file stays beside it."""

    @pytest.mark.parametrize("chunks", [[], [b"one"], [b"one", b"", b" two"]])
    def test_the_chunks_replace_the_content(self, chunks: list[bytes], tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"a longer content than the new one")
        atomic.write(path, chunks)
        assert path.read_bytes() == b"".join(chunks)
        assert list(tmp_path.iterdir()) == [path]

    def test_an_error_in_the_chunks_leaves_the_old_content(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")
        with pytest.raises(OSError, match="the source is gone"):
            atomic.write(path, interrupted())
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_an_error_in_the_chunks_creates_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="the source is gone"):
            atomic.write(tmp_path / "file", interrupted())
        assert list(tmp_path.iterdir()) == []


class TestReplacing:
    """The path changes at the end of the block and not before; two blocks do not share a temporary path."""

    def test_the_old_content_is_read_until_the_end(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")
        with atomic.replacing(path) as part:
            part.write_bytes(b"new")
            assert path.read_bytes() == b"old"
            assert part.suffix == atomic.PART_SUFFIX
        assert path.read_bytes() == b"new"

    def test_the_last_of_two_writers_wins(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        with atomic.replacing(path) as last:
            last.write_bytes(b"last")
            with atomic.replacing(path) as first:
                first.write_bytes(b"first")
            assert path.read_bytes() == b"first"
        assert path.read_bytes() == b"last"


class TestSetAside:
    """A file gets the name of an unfinished write in its directory."""

    def test_renamed(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x")
        aside = atomic.set_aside(tmp_path / "file")
        assert list(tmp_path.iterdir()) == [aside]
        assert aside is not None
        assert aside.suffix == atomic.PART_SUFFIX

    def test_missing(self, tmp_path: Path) -> None:
        assert atomic.set_aside(tmp_path / "file") is atomic.set_aside(tmp_path / "no" / "file") is None


class TestFreeZeros:
    """Zeros that fill blocks take no place on the disk, and every byte reads as before."""

    @pytest.mark.parametrize(
        ("content", "least"),
        [
            (b"head" + bytes(32_768) + b"tail", 24_576),
            (bytes(40_000), 32_768),
            (b"x" * 5000 + bytes(9000) + b"y" * 5000 + bytes(9000), 4096),
            (b"x" * 9000 + bytes(4095) + b"y" * 9000, 0),
            (b"", 0),
        ],
    )
    def test_holes(self, content: bytes, least: int, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(content)
        engine.free_zeros(path, content)
        assert path.read_bytes() == content
        assert least <= atomic.holes_in(path.stat()) <= content.count(0)

    def test_where_the_system_cannot(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "file"
        path.write_bytes(bytes(40_000))
        monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
        engine.free_zeros(path, bytes(40_000))
        assert path.read_bytes() == bytes(40_000)
