from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import CorruptStoreError, UserError
from bench_db.store import atomic, content
from tests.support.vanishing import Vanishing

if TYPE_CHECKING:
    from bench_db.store.database import Database

DATA = b"measured\n" * 100
SHA = sha256(DATA).hexdigest()


def path_of(database: Database, sha: str = SHA) -> Path:
    return Path(database.uri) / content.place(sha)


class TestPlace:
    """The path of a content follows from its checksum; any other text is refused, so no path leaves the store."""

    def test_the_first_two_digits_name_the_directory(self) -> None:
        assert content.place(SHA) == f"artifacts/{SHA[:2]}/{SHA}"

    @pytest.mark.parametrize("text", ["", "../../etc/passwd", SHA[:-1], SHA + "0", SHA.upper(), SHA + "\n", "g" * 64])
    def test_a_text_that_is_no_checksum(self, text: str) -> None:
        assert not content.is_sha256(text)
        with pytest.raises(CorruptStoreError, match="store verify"):
            content.place(text)


class TestChecked:
    """Checked chunks are the chunks; a wrong checksum is an error after the last one."""

    @pytest.mark.parametrize("chunks", [[DATA], [DATA[:7], b"", DATA[7:]]])
    def test_a_split_does_not_matter(self, chunks: list[bytes]) -> None:
        assert list(content.checked(chunks, SHA, UserError("never"))) == chunks

    def test_a_wrong_checksum(self) -> None:
        chunks = content.checked([DATA, b"more"], SHA, UserError("changed"))
        assert [next(chunks), next(chunks)] == [DATA, b"more"]
        with pytest.raises(UserError, match="changed"):
            next(chunks)


class TestChunks:
    """The chunks of a file are its bytes in order, none longer than the limit of a part."""

    def test_more_than_one(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"a" * content.CHUNK_BYTES + b"b")
        assert [(len(chunk), chunk[-1:]) for chunk in content.chunks_of(path)] == [
            (content.CHUNK_BYTES, b"a"),
            (1, b"b"),
        ]


class TestKeep:
    """A kept content is read back byte for byte, and `sizes` lists its file and its size."""

    @pytest.mark.parametrize("data", [b"", b"x", DATA])
    def test_round_trip(self, data: bytes, database: Database) -> None:
        sha = sha256(data).hexdigest()
        content.keep(database._engine, sha, [data])
        assert b"".join(content.read(database._engine, sha)) == data
        assert b"".join(content.read_below(Path(database.uri), sha)) == data
        assert content.sizes(database._engine) == {content.place(sha): len(data)}

    def test_keeping_again_mends_a_damaged_file(self, database: Database) -> None:
        for _ in range(2):
            content.keep(database._engine, SHA, [DATA])
            assert b"".join(content.read(database._engine, SHA)) == DATA
            path_of(database).write_bytes(b"damaged")

    def test_an_error_in_the_chunks_leaves_no_file(self, database: Database) -> None:
        with pytest.raises(UserError, match="changed"):
            content.keep(database._engine, SHA, content.checked([b"other"], SHA, UserError("changed")))
        assert content.sizes(database._engine) == {}

    def test_an_unfinished_write_is_listed(self, database: Database) -> None:
        path = path_of(database).with_name(f".x{atomic.PART_SUFFIX}")
        path.parent.mkdir(parents=True)
        path.write_bytes(b"12345")
        assert content.sizes(database._engine) == {f"artifacts/{SHA[:2]}/{path.name}": 5}


class TestRead:
    """A file that is missing or that differs from its name is a corrupt store, never other bytes."""

    def test_missing(self, database: Database) -> None:
        with pytest.raises(CorruptStoreError, match="is missing"):
            list(content.read(database._engine, SHA))
        with pytest.raises(CorruptStoreError, match="is missing"):
            list(content.read_below(Path(database.uri), SHA))

    def test_a_directory_is_no_file(self, database: Database) -> None:
        path_of(database).mkdir(parents=True)
        with pytest.raises(CorruptStoreError, match="is missing"):
            list(content.read(database._engine, SHA))

    @pytest.mark.parametrize("damaged", [b"", DATA[:-1], DATA + b"x", b"M" + DATA[1:]])
    def test_damaged(self, damaged: bytes, database: Database) -> None:
        content.keep(database._engine, SHA, [damaged])
        with pytest.raises(CorruptStoreError, match="is not the content it is named after"):
            list(content.read(database._engine, SHA))
        with pytest.raises(CorruptStoreError, match="is not the content it is named after"):
            list(content.read_below(Path(database.uri), SHA))


class TestFiles:
    """A file beside the tables is written atomically, read as a whole or in ranges, and removed."""

    NAME = "projection/some"

    def test_round_trip(self, database: Database) -> None:
        engine = database._engine
        assert content.read_small(engine, self.NAME) is None
        content.write(engine, self.NAME, iter([b"abc", b"defg"]))
        assert content.read_small(engine, self.NAME) == b"abcdefg"
        ranges = content.Ranges(engine, self.NAME, 7)
        assert [ranges.read(0, 7).to_pybytes(), ranges.read(2, 5).to_pybytes()] == [b"abcdefg", b"cde"]
        content.remove(engine, self.NAME)
        content.remove(engine, self.NAME)
        assert content.read_small(engine, self.NAME) is None
        assert ranges.read(2, 5).to_pybytes() == b"cde"

    @pytest.mark.parametrize("size", [6, 8])
    def test_of_another_size(self, database: Database, size: int) -> None:
        content.write(database._engine, self.NAME, iter([b"abcdefg"]))
        with pytest.raises(CorruptStoreError, match=f"7 bytes, and {size} bytes were written"):
            content.Ranges(database._engine, self.NAME, size)

    def test_old_files_are_removed_by_the_clock_of_the_storage(self, database: Database) -> None:
        engine = database._engine
        for name in ("old", "kept", "young", "newest"):
            content.write(engine, f"projection/{name}", iter([b""]))
        root = Path(database.uri) / "projection"
        for name, age in {"old": 601, "kept": 601, "young": 599, "newest": 0}.items():
            os.utime(root / name, (1e9 - age, 1e9 - age))
        content.remove_old(engine, "projection", {"projection/kept"}, 600)
        assert sorted(path.name for path in root.iterdir()) == ["kept", "newest", "young"]

    def test_a_directory_that_is_removed_while_sizes_are_read(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content.keep(database._engine, SHA, [DATA])
        monkeypatch.setattr(os, "scandir", vanishing := Vanishing(Path(database.uri, content.DIRECTORY)))
        assert content.sizes(database._engine) == {content.place(SHA): len(DATA)}
        assert vanishing.removed == 1
