from __future__ import annotations

import io
import json
import pickle
import zlib
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather

import bench_db as api
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import mltraq
from bench_db.ingest.mltraq import read_mltraq
from tests.ingest.support import DATA

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.few(2)

STORE = DATA / "mltraq" / "0.1.165" / "mltraq.datastore"
URLS: dict[str, str] = json.loads((STORE.parent / "urls.json").read_text())


def written(directory: Path, content: bytes, name: str = "self/1") -> str:
    """Write a file of a data store and return its address."""
    (directory / name).parent.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content)
    return f"file:///{name}"


class TestRecorded:
    """Each kind of value that mltraq wrote is read."""

    def test_every_kind(self) -> None:
        found = read_mltraq(URLS["all"], STORE)
        array, table, frame = (found.pop(name) for name in ("array", "table", "frame"))
        assert np.array_equal(array, np.arange(3.0))
        assert table.equals(pa.table({"x": [1, 2]}))
        assert frame.equals(pl.DataFrame({"q": [1, 2]}))
        assert found == {
            "nested": {"k": [1, 2.5, None, True, False, "é", b"b", [1, 2], [1, 2, 3, 4], [3]]},
            "big": 10**12,
            "negative": -5,
            "text": 300 * "x",
            "id": "00000000000000000000000000000005",
            "time": "2026-05-28T12:00:00.500000",
            "empty": [[], {}, [], ""],
        }

    def test_stores_and_bytes(self) -> None:
        assert read_mltraq(URLS["bytes"], STORE) == b"11111"
        assert np.array_equal(read_mltraq(URLS["array"], STORE), np.eye(2))
        assert read_mltraq(URLS["zlib"], STORE) == {"a": 100 * [1]}
        store, outer = (read_mltraq(URLS[name], STORE) for name in ("store", "outer"))
        assert (store["c"], store["a"].tolist()) == (123, 10 * [0.0])
        assert outer["ds"]["c"] == 123
        assert outer["s"].to_series().to_list() == [1, 2, 3]

    def test_kept_in_a_store(self, tmp_path: Path) -> None:
        database = api.connect(tmp_path / "store", create=True)
        address = database.put_values(api.read_mltraq(URLS["store"], STORE))
        assert database.get(address)["a"].tolist() == 10 * [0.0]


class TestLaws:
    """What mltraq can nest is read as it was written; sets and tuples become lists."""

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**200), 2**200)
            | st.floats(allow_nan=False)
            | st.text()
            | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        )
    )
    def test_plain_values(self, value: object) -> None:
        from tempfile import TemporaryDirectory  # a fixture would be shared by all examples

        with TemporaryDirectory() as directory:
            url = written(Path(directory), pickle.dumps(value, 5))
            assert read_mltraq(url, directory) == value


def _refers(name: str) -> dict[str, str]:
    return {"DATAPAK-0": "mltraq.DataStore-0", "value": f"file:///{name}"}


def _saved(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _table(table: pa.Table, compression: str, rows: int = 1 << 16) -> dict[str, Any]:
    """Return a table as mltraq writes one, in batches of so many rows."""
    buffer = io.BytesIO()
    feather.write_feather(table, buffer, compression=compression, chunksize=rows)
    return {"DATAPAK-0": "pyarrow.Table-0", "value": buffer.getvalue()}


class Harmful:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return print, ("harm",)


def compressed_zeros(megabytes: int) -> bytes:
    """Return what zlib makes of zeros, from one compressed megabyte: to compress a gigabyte takes 3 s."""
    packed = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    one = packed.compress(bytes(1 << 20)) + packed.flush(zlib.Z_FULL_FLUSH)
    checksum = (megabytes << 20) % 65521 << 16 | 1  # Adler-32 of zeros
    return zlib.compress(b"")[:2] + one * megabytes + b"\x03\x00" + checksum.to_bytes(4, "big")


class TestRefused:
    """No file runs code, leads out of the directory, or fills the memory; the error names the file."""

    @pytest.mark.parametrize(
        "url",
        ["", "file://x", "file:///", "file:///../x", "file:///a/../../x", "file:////etc/passwd", "s3:///a", "file:///a/%2e%2e/x", "file:///a//b"],
    )  # fmt: skip
    def test_an_address(self, tmp_path: Path, url: str) -> None:
        (tmp_path / "x").write_bytes(b"secret")
        (tmp_path / "store").mkdir()
        with pytest.raises(UserError, match="is no address in a data store of mltraq"):
            read_mltraq(url, tmp_path / "store")

    def test_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"secret")
        (tmp_path / "store").mkdir()
        (tmp_path / "store" / "link").symlink_to(tmp_path / "x")
        with pytest.raises(UserError, match="leads out of the data store by a link"):
            read_mltraq("file:///link", tmp_path / "store")

    def test_code(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        url = written(tmp_path, pickle.dumps({"a": Harmful()}, 5))
        with pytest.raises(
            UnreadableOutputError, match=r"self/1: is no file .*: ValueError: the step \w+ may run code"
        ):
            read_mltraq(url, tmp_path)
        assert capsys.readouterr().out == ""

    def test_an_array_of_objects(self, tmp_path: Path) -> None:
        array = _saved(np.array([Harmful()], dtype=object))
        url = written(tmp_path, pickle.dumps({"DATAPAK-0": "numpy.ndarray-0", "value": array}, 5))
        with pytest.raises(UnreadableOutputError, match="allow_pickle=False"):
            read_mltraq(url, tmp_path)

    def test_an_archive_of_arrays(self, tmp_path: Path) -> None:
        """NumPy opens it as an archive that is unpacked later, without a limit."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, np.zeros(3))
        url = written(tmp_path, pickle.dumps({"DATAPAK-0": "numpy.ndarray-0", "value": buffer.getvalue()}, 5))
        with pytest.raises(UnreadableOutputError, match="it has an array that is no NPY file"):
            read_mltraq(url, tmp_path)

    def test_compressed_zeros(self) -> None:
        assert zlib.decompress(compressed_zeros(3)) == bytes(3 << 20)

    @pytest.mark.slow
    def test_bombs(self, tmp_path: Path) -> None:
        value: list[Any] = ["lol"]
        for _ in range(40):
            value = [value, value]
        with pytest.raises(UnreadableOutputError, match="it repeats its own parts"):
            read_mltraq(written(tmp_path, pickle.dumps(value, 5)), tmp_path)
        value.append(value)
        with pytest.raises(UnreadableOutputError, match=r"it repeats its own parts|RecursionError"):
            read_mltraq(written(tmp_path, pickle.dumps(value, 5)), tmp_path)
        with pytest.raises(UnreadableOutputError, match="ends too early, or is larger than"):
            read_mltraq(written(tmp_path, b"C01" + compressed_zeros(1025)), tmp_path)

    @pytest.mark.parametrize(
        ("start", "end"),
        [(b"\x8f(", b"\x90"), (b"}", b"Ns"), (b"\x8fN", b"s"), (b"}\x8c\x09DATAPAK-0", b"s\x8c\x05valueNs")],
        ids=["in a set", "a key", "a pair in a set", "a kind"],
    )
    def test_tuples_that_repeat_themselves(self, tmp_path: Path, start: bytes, end: bytes) -> None:
        """Neither the hash nor the text of such a tuple is taken: 30 pairs in 130 bytes are 2**30 parts."""
        pairs = b")\x94" + b"".join(b"h" + bytes([n]) + b"\x86\x94" for n in range(30))
        content = b"\x80\x05" + pairs + start + b"h" + bytes([30]) + end + b"."
        before = process_time()
        with pytest.raises(
            UnreadableOutputError, match=r"ValueError: (a set or a key has a tuple|unknown kind|it sets)"
        ):
            read_mltraq(written(tmp_path, content), tmp_path)
        assert process_time() - before < 5

    def test_an_address_is_read_once(self, tmp_path: Path) -> None:
        """A value that two others refer to is the same value; files that refer to each other 10**9 times are refused."""
        written(tmp_path, pickle.dumps({"DATAPAK-0": "numpy.ndarray-0", "value": _saved(np.zeros(3))}, 5), "leaf")
        first, second, third = read_mltraq(
            written(tmp_path, pickle.dumps([_refers("leaf"), _refers("./leaf"), _refers("leaf")], 5)), tmp_path
        )
        assert first is second is third
        for level in range(6):
            written(tmp_path, pickle.dumps(30 * [_refers(f"f{level + 1}")], 5), f"f{level}")
        written(tmp_path, pickle.dumps([1], 5), "f6")
        before = process_time()
        with pytest.raises(UnreadableOutputError, match="it repeats its own parts"):
            read_mltraq("file:///f0", tmp_path)
        assert process_time() - before < 20

    @pytest.mark.parametrize("compression", ["zstd", "lz4", "uncompressed"])
    def test_a_table_that_is_larger_than_the_limit(
        self, tmp_path: Path, compression: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The size is known before anything is unpacked, in one batch, in many, of dictionaries and of many tables."""
        monkeypatch.setattr(mltraq, "_LARGEST", 3 << 20)
        zeros = np.zeros(1 << 17)
        table = pa.table({"x": zeros, "d": pa.array(["e"] * len(zeros)).dictionary_encode()})
        url = written(tmp_path, pickle.dumps(_table(table, compression), 5))
        assert read_mltraq(url, tmp_path).equals(table)
        large = pa.table({"x": np.zeros(1 << 20)})
        unpacked = pa.table({"d": pa.array(["e" * (4 << 20)]).dictionary_encode()})
        parts = [_table(table, compression, n) for n in (1 << 17, 1 << 16, 1 << 10)]
        for value in (
            _table(large, compression, 1 << 21),
            _table(large, compression),
            _table(unpacked, compression),
            parts,
        ):
            before = pa.total_allocated_bytes()
            with pytest.raises(UnreadableOutputError, match="larger than 1,024 MiB"):
                read_mltraq(written(tmp_path, b"C01" + zlib.compress(pickle.dumps(value, 5))), tmp_path)
            assert pa.total_allocated_bytes() - before < 4 << 20

    def test_compressed_files_that_are_larger_than_the_limit_together(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mltraq, "_LARGEST", 3 << 20)
        names = [f"f{n}" for n in range(4)]
        for name in names:
            written(tmp_path, b"C01" + zlib.compress(pickle.dumps(bytes(1 << 20), 5)), name)
        assert len(read_mltraq(written(tmp_path, pickle.dumps([_refers(n) for n in names[:2]], 5)), tmp_path)) == 2
        with pytest.raises(UnreadableOutputError, match="larger than 1,024 MiB"):
            read_mltraq(written(tmp_path, pickle.dumps([_refers(n) for n in names], 5)), tmp_path)

    def test_an_address_in_itself(self, tmp_path: Path) -> None:
        inner = {"a": {"DATAPAK-0": "mltraq.DataStore-0", "value": "file:///self/1"}}
        with pytest.raises(UnreadableOutputError, match="self/1: contains its own address"):
            read_mltraq(written(tmp_path, pickle.dumps(inner, 5)), tmp_path)

    @pytest.mark.parametrize("name", ["all", "array", "zlib", "outer"])
    def test_flipped_and_cut_bytes(self, tmp_path: Path, name: str) -> None:
        """A changed byte or a cut end gives a value or one kind of error."""
        whole = (STORE / URLS[name].removeprefix("file:///")).read_bytes()
        for place in range(0, len(whole), 1 + len(whole) // 80):
            for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]):
                try:
                    read_mltraq(written(tmp_path, damaged), tmp_path)
                except (UnreadableOutputError, UserError):
                    continue

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(
            UnreadableOutputError, match=r"self/9: cannot be read: .*; name the directory of the data store"
        ):
            read_mltraq("file:///self/9", tmp_path)
