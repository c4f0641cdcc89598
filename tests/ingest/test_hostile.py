"""Any content of a file is parsed, or refused with a reason."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import BenchDbError
from bench_db.ingest import parse
from tests.ingest.samples import LAYOUTS, NAMED, SAMPLES, containers, stated_by
from tests.ingest.support import FIXED, pytest_benchmark, pytest_file, read
from tests.support.campaigns import examples

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)


class TestHostile:
    """Any bytes give a reading or a `BenchDbError`, and no other exception."""

    @staticmethod
    def survives(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        for name in ("auto", *NAMED, *SAMPLES):
            try:
                run, results = parse(path, name, provenance=FIXED)
            except BenchDbError as error:
                refusal = str(error)
                assert refusal.startswith(("--format", str(path)))
                assert "\n" not in refusal
            else:
                assert all(json.loads(result.metadata) is not None for result in results)
                assert run.results == len(results)
                assert all((result.error is None) == (result.summary is not None) for result in results)
                assert all(math.isfinite(number) for result in results for number in stated_by(result))

    @given(st.binary(max_size=200))
    @examples("fuzz", 30, full=2000)
    def test_bytes(self, tmp_path: Path, content: bytes) -> None:
        self.survives(tmp_path / "f", content)

    @given(st.data())
    @examples("fuzz", 40, full=3000)
    def test_good_files_with_a_piece_replaced(self, tmp_path: Path, data: st.DataObject) -> None:
        text = data.draw(st.sampled_from(sorted((*SAMPLES.values(), *LAYOUTS)))).encode()
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        piece = data.draw(
            st.sampled_from(
                [
                    b"",
                    b"NaN",
                    b"-Infinity",
                    b"1e400",
                    b"9" * 5000,
                    b"\0",
                    b"\xff",
                    b'"',
                    b"\\",
                    b"[" * 3000,
                    b"{}",
                    b"null",
                    b"true",
                    b"-1",
                    b"0",
                    b'"\\ud800"',
                    b"\xef\xbb\xbf",
                    b"\n",
                    b'"a":',
                    b",",
                    b"]",
                ]
            )
            | st.binary(max_size=5)
        )
        self.survives(tmp_path / "f", text[:start] + piece + text[end:])

    @given(
        st.sampled_from([text for text in (*SAMPLES.values(), *LAYOUTS) if text.startswith(("{", "["))]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        ),
        st.integers(0),
    )
    @examples("fuzz", 60, full=5000)
    def test_any_value_anywhere(self, tmp_path: Path, text: str, value: object, place: int) -> None:
        document = json.loads(text)
        holders = list(containers(document))
        holder, key = holders[place % len(holders)]
        holder[key] = value
        self.survives(tmp_path / "f", json.dumps(document).encode())

    @pytest.mark.parametrize("name", ['it\'s "x" \\ OR 1=1', "a\x00b", "\N{SNOWMAN}\n", "\ud800", "x" * 100_000])
    def test_names(self, tmp_path: Path, name: str) -> None:
        _, [result] = read(tmp_path / "f", pytest_file(pytest_benchmark(name)))
        assert result.benchmark_name == name.encode("utf-8", "replace").decode()

    def test_nan_beside_text_that_looks_like_it(self, tmp_path: Path) -> None:
        record = pytest_benchmark('NaN "Infinity" \\', data=None, ops=float("nan"))
        _, [result] = read(tmp_path / "f", pytest_file(record))
        assert result.benchmark_name == 'NaN "Infinity" \\'
        assert json.loads(result.metadata)["stats"]["ops"] == "NaN"
