"""The bytes of a published file or directory."""

import codecs
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest.content import STDIN, Content, file_name, open_file, position

pytestmark = pytest.mark.few(1)

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
        with pytest.raises(UserError, match=r"gone: no such file; run the benchmarks first"):
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


class TestPipes:
    """A pipe is read to its end as soon as a process has it open for writing, and without one only until the deadline."""

    @pytest.fixture
    def pipe(self, tmp_path: Path) -> Path:
        os.mkfifo(tmp_path / "pipe")
        return tmp_path / "pipe"

    def test_without_a_writer(self, pipe: Path) -> None:
        with pytest.raises(UserError, match=r"pipe: no process opened this pipe for writing within 0\.1 s"):
            open_file(pipe, deadline_seconds=0.1)

    def test_a_late_writer_that_pauses(self, pipe: Path) -> None:
        script = f"sleep 0.2; exec > {pipe}; sleep 0.6; printf a; sleep 0.2; printf b"
        with subprocess.Popen(["/bin/sh", "-c", script]) as writer:
            assert open_file(pipe, deadline_seconds=0.5).text == b"ab"
        assert writer.returncode == 0

    def test_more_than_a_pipe_contains(self, pipe: Path) -> None:
        with subprocess.Popen(["/bin/sh", "-c", f"head -c 300000 /dev/zero | tr '\\0' x > {pipe}"]):
            assert open_file(pipe).text == b"x" * 300_000

    def test_a_writer_that_writes_nothing(self, pipe: Path) -> None:
        with subprocess.Popen(["/bin/sh", "-c", f": > {pipe}"]), pytest.raises(UnreadableOutputError, match="is empty"):
            open_file(pipe)

    def test_a_pipe_without_a_name(self) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"a")
        os.close(writer)
        path = Path(f"/dev/fd/{reader}")
        assert (open_file(path).text, file_name(path)) == (b"a", "pipe")
        os.close(reader)


class TestStandardInput:
    """`-` is standard input, and its content is that of a file named stdin."""

    def test_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(codecs.BOM_UTF16_LE + "a".encode("utf-16-le"))))
        content = open_file(STDIN)
        assert (content.path, content.text, file_name(STDIN)) == (Path("stdin"), b"a", "stdin")

    def test_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", None)
        with pytest.raises(UserError, match="standard input is a terminal or closed"):
            open_file(STDIN)

    def test_empty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO()))
        with pytest.raises(UnreadableOutputError, match="stdin: is empty"):
            open_file(STDIN)


class TestPosition:
    """A line and a column lead back to the offset."""

    @given(st.lists(st.sampled_from([b"\n", b"a", b"\r"]), max_size=20).map(b"".join), st.data())
    def test_leads_back(self, text: bytes, data: st.DataObject) -> None:
        offset = data.draw(st.integers(0, len(text)))
        line, column = position(text, offset)
        assert sum(len(one) + 1 for one in text.split(b"\n")[: line - 1]) + column - 1 == offset
