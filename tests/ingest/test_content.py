"""The bytes of a published file or directory."""

import codecs
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest.content import Content, open_file, position

NAMES = st.text(min_size=1, max_size=4)


class TestDigest:
    """Two contents have one digest exactly when their bytes, and the paths in a directory, are equal."""

    def test_a_file_has_the_digest_of_its_bytes(self) -> None:
        # the SHA-256 of "abc" in FIPS 180-2
        assert Content(path=Path("x"), text=b"abc").digest() == (
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )

    def test_the_path_of_the_file_does_not_count(self) -> None:
        assert Content(path=Path("x"), text=b"a").digest() == Content(path=Path("y"), text=b"a").digest()

    def test_a_byte_order_mark_counts(self) -> None:
        marked = Content(path=Path("x"), text=codecs.BOM_UTF8 + b"a")
        assert marked.digest() != Content(path=Path("x"), text=b"a").digest()

    @given(st.dictionaries(NAMES, st.binary(max_size=4), min_size=1, max_size=4))
    def test_the_order_of_files_does_not_count(self, files: dict[str, bytes]) -> None:
        backwards = dict(reversed(files.items()))
        assert Content(path=Path("d"), files=files).digest() == Content(path=Path("d"), files=backwards).digest()

    @pytest.mark.parametrize("other", [{"a": b"bc"}, {"abc": b""}, {"a": b"b", "c": b""}, {"a": b"", "b": b"c"}])
    def test_where_a_path_ends_counts(self, other: dict[str, bytes]) -> None:
        assert Content(path=Path("d"), files=other).digest() != Content(path=Path("d"), files={"ab": b"c"}).digest()


class TestEdges:
    """The edges have the begin and the end of a file, whatever its size, without the byte order mark."""

    @pytest.mark.parametrize("size", [0, 1, 1 << 16, 1 << 17, (1 << 17) + 1, 1 << 18])
    def test_begin_and_end(self, size: int) -> None:
        content = Content(path=Path("x"), text=codecs.BOM_UTF8 + b"<" + b"." * size + b">")
        assert content.edges.startswith(b"<."[: size + 1])
        assert content.edges.endswith(b">")
        assert len(content.edges) <= (1 << 17) + 1

    def test_a_small_file_is_its_edges(self) -> None:
        content = Content(path=Path("x"), text=codecs.BOM_UTF8 + b"all")
        assert (content.edges, bytes(content.body)) == (b"all", b"all")


class TestOpenFile:
    """A file of UTF-8 text comes back byte for byte; anything else is refused with its path and the position of the fault."""

    @pytest.mark.parametrize("text", [b"a\n", "ä€😀\n".encode(), codecs.BOM_UTF8 + b"a"])
    def test_text(self, tmp_path: Path, text: bytes) -> None:
        path = tmp_path / "out"
        path.write_bytes(text)
        assert open_file(path) == Content(path=path, text=text)

    @pytest.mark.parametrize("text", [b"", b" \n\t", codecs.BOM_UTF8])
    def test_empty(self, tmp_path: Path, text: bytes) -> None:
        path = tmp_path / "out"
        path.write_bytes(text)
        with pytest.raises(UnreadableOutputError, match="is empty"):
            open_file(path)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"gone: cannot be read: No such file"):
            open_file(tmp_path / "gone")

    def test_a_path_with_a_nul(self) -> None:
        with pytest.raises(UserError, match="cannot be read"):
            open_file(Path("a\0b"))

    def test_a_device(self) -> None:
        with pytest.raises(UserError, match="neither a file nor a directory"):
            open_file(Path(os.devnull))

    # the second starts a letter at the end of a block of 1 MiB, which the decoder receives in two parts
    @pytest.mark.parametrize("before", ["ä\nab".encode(), b"\n" + b"x" * ((1 << 20) - 3)])
    def test_the_position_of_what_is_no_text(self, tmp_path: Path, before: bytes) -> None:
        path = tmp_path / "out"
        path.write_bytes(before + b"\xe2\x82|")
        with pytest.raises(UnreadableOutputError) as raised:
            open_file(path)
        assert (raised.value.line, raised.value.column) == (2, len(before.rpartition(b"\n")[2]) + 1)

    def test_a_letter_across_two_blocks(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        path.write_bytes(b"x" * ((1 << 20) - 1) + "€".encode())
        assert open_file(path).text.endswith("€".encode())


class TestPosition:
    """A line and a column lead back to the offset."""

    @given(st.lists(st.sampled_from([b"\n", b"a", b"\r"]), max_size=20).map(b"".join), st.data())
    def test_leads_back(self, text: bytes, data: st.DataObject) -> None:
        offset = data.draw(st.integers(0, len(text)))
        line, column = position(text, offset)
        assert sum(len(one) + 1 for one in text.split(b"\n")[: line - 1]) + column - 1 == offset
