from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import CorruptStoreError
from bench_db.report.site.progress import ProgressFile, progress_document
from bench_db.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

# The columns of lance-bench's index builds; the numbers are invented.
HEAD = "benchmark_name,elapsed_s,rss_mb,cpu_active,progress_value,stage,event"


def document(content: bytes, size: int | None = None) -> dict[str, Any]:
    size = len(content) if size is None else size
    return progress_document(ProgressFile(run={}, name="f.csv", sha256="0", size_bytes=size, read=lambda: content))


def doubles(text: str) -> list[float]:
    found: list[float] = np.frombuffer(b64decode(text), "<f8").tolist()
    return found


class TestDrawn:
    """The columns of numbers over the time, for each benchmark apart."""

    def test_of_lance_bench(self) -> None:
        lines = [HEAD, "ivf,0.5,100,2,,train,start", "ivf,1.5,300,4,0.5,train,", "fts,0,10,1,1,write,complete"]
        found = document("\r\n".join(lines).encode())
        assert [(part["name"], part["time"], part["rows"]) for part in found["parts"]] == [
            ("ivf", "elapsed_s", 2),
            ("fts", "elapsed_s", 1),
        ]
        assert found["left_out"] == ["stage", "event"]
        memory, _, progress = found["parts"][0]["columns"]
        assert doubles(found["parts"][0]["across"]) == [0.5, 1.5]
        assert (memory["name"], memory["ends"], doubles(memory["values"])) == (
            "rss_mb",
            (100, 100, 300, 300),
            [100, 300],
        )
        assert progress["ends"] == (0.5, 0.5, 0.5, 0.5)
        assert np.isnan(doubles(progress["values"])[0])

    def test_without_a_time_the_rows_are_numbered(self) -> None:
        (part,) = document(b"\xef\xbb\xbfa,b\n5,x\n7,y\n")["parts"]
        assert (part["time"], doubles(part["across"]), [one["name"] for one in part["columns"]]) == (
            None,
            [1, 2],
            ["a"],
        )

    def test_times_that_are_not_ascending_are_ordered(self) -> None:
        (part,) = document(b"elapsed_s,a\n3,30\n1,10\n2,20\n")["parts"]
        assert doubles(part["across"]) == [1, 2, 3]
        assert doubles(part["columns"][0]["values"]) == [10, 20, 30]

    def test_of_many_rows_some_are_kept_and_all_are_in_the_ends(self) -> None:
        rows = "\n".join(f"{at},{9999 if at == 4321 else at % 7}" for at in range(10_000))
        (part,) = document(f"t,a\n{rows}\n".encode())["parts"]
        assert (len(doubles(part["across"])), part["rows"], part["columns"][0]["ends"][2]) == (1000, 10_000, 9999)

    def test_hostile_names_are_shown(self) -> None:
        (part,) = document(b"benchmark_name,\x1b[31m\nx\x1b,1\n")["parts"]
        assert (part["name"], part["columns"][0]["name"]) == ("x\\x1b", "\\x1b[31m")


class TestNotDrawn:
    """What is no CSV with numbers has a reason instead of charts."""

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "it has no rows"),
            (b"a,b\n", "it has no rows"),
            (b"1,2\n3,4\n", "its first line has a number and is no header"),
            (b"a,b\nx,y\n", "no column has numbers alone"),
            (b"elapsed_s,b\n1,y\n", "no column has numbers alone, beside elapsed_s"),
            (b"a\n1\nx\n", "no column has numbers alone"),
            (b"a\nnan\n", "no column has numbers alone"),
            (b"a\n1\0\n", "it has NUL bytes and is no text"),
            (b"a\n\xff\n", "it is not UTF-8"),
            (b"a,a\n1,2\n", "it has several columns 'a'"),
            (b"a,b\n1,2\n3\n", "row 3 has 1 cells and the header 2"),
            (b'a\n"' + b"x" * 200_000 + b'"\n', "it is no CSV: field larger than field limit (131072)"),
        ],
        ids=["empty", "head", "no header", "texts", "time", "mixed", "nan", "nul", "bytes", "twice", "uneven", "field"],
    )
    def test_reasons(self, content: bytes, reason: str) -> None:
        assert document(content) == {"reason": reason}

    def test_a_large_file_is_not_read(self) -> None:
        def read() -> bytes:
            raise AssertionError

        file = ProgressFile(run={}, name="f", sha256="0", size_bytes=100 << 20, read=read)
        reason = f"it has 104,857,600 bytes; up to {RULES.progress_mebibytes} MiB are drawn"
        assert progress_document(file) == {"reason": reason}

    def test_a_damaged_file_names_no_directory(self, tmp_path: Path) -> None:
        def read() -> bytes:
            message = f"{tmp_path}: damaged"
            raise CorruptStoreError(message)

        found = progress_document(ProgressFile(run={}, name="f", sha256="0", size_bytes=1, read=read))
        assert str(tmp_path) not in found["reason"]

    @given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
    def test_any_bytes_have_charts_or_a_reason(self, content: bytes) -> None:
        found = document(content)
        assert found.keys() in ({"reason"}, {"parts", "parts_left", "left_out"})
