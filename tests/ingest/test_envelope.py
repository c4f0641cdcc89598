"""Envelopes that are removed, and envelopes that an error names."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import envelope, parse
from bench_db.rules import RULES
from tests.ingest.samples import SAMPLES
from tests.ingest.support import FIXED, pytest_benchmark, pytest_file, read

if TYPE_CHECKING:
    from pathlib import Path

UTF16 = [
    pytest.param(codecs.BOM_UTF16_LE, "utf-16-le", id="LE with mark"),
    pytest.param(codecs.BOM_UTF16_BE, "utf-16-be", id="BE with mark"),
    pytest.param(b"", "utf-16-le", id="LE without mark"),
    pytest.param(b"", "utf-16-be", id="BE without mark"),
    pytest.param(codecs.BOM_UTF32_LE, "utf-32-le", id="UTF-32 LE"),
    pytest.param(codecs.BOM_UTF32_BE, "utf-32-be", id="UTF-32 BE"),
]
GITHUB = "2026-03-04T10:21:07.1234567Z "
PREFIXES = [
    GITHUB,
    f"Bench\tRun go test\t{GITHUB}",
    f"\ufeff{GITHUB}",
    "2026-03-04T10:21:07.123456Z 01O ",
    "[2026-03-04T10:21:07.123Z] ",
    "2026-03-04 10:21:07,123 ",
    "Mar  4 10:21:07 ",
    "[10:21:07] ",
    "10:21:07 ",
    "[CI/bench]   | ",
    "bench-1  | ",
    "\x1b_bk;t=1712345678901\x07",
    "2026-03-04T10:21:07.123456Z 01O+",
    "2026-03-04T10:21:07.123456789Z stdout F ",
    "1772619667.123 ",
    "[   12.345678] ",
    "12:",
    "     1\t",
    "> ",
]
JSON = ["bmf", "github-action-benchmark", "pytest-benchmark", "vitest"]
TEXTS = ["cargo-bench", "catch2", "dbpedia", "go"]
CRITERION = "io/read                 time:   [1.0 us 1.1 us 1.2 us]\na/long/name/of/a/benchmark\n                        time:   [2.0 us 2.1 us 2.2 us]\n"


def fault(path: Path, content: bytes, format_name: str = "auto") -> str:
    path.write_bytes(content)
    with pytest.raises(UnreadableOutputError) as caught:
        parse(path, format_name, provenance=FIXED)
    return str(caught.value)


class TestRemoved:
    """Compressed and UTF-16 text gives the results of the same text as UTF-8, in every format."""

    @pytest.mark.parametrize("name", SAMPLES)
    def test_colours(self, tmp_path: Path, name: str) -> None:
        _, plain = read(tmp_path / "f", SAMPLES[name])
        text = "".join(f"\x1b[1;32m{line}\x1b[0m\x1b[K\n" for line in SAMPLES[name].splitlines())
        _, coloured = read(tmp_path / "f", text)
        assert [(r.benchmark_name, r.values, r.summary) for r in coloured] == [
            (r.benchmark_name, r.values, r.summary) for r in plain
        ]

    @pytest.mark.parametrize(("mark", "codec"), UTF16)
    @pytest.mark.parametrize("name", SAMPLES)
    def test_utf16(self, tmp_path: Path, name: str, mark: bytes, codec: str) -> None:
        _, plain = read(tmp_path / "f", SAMPLES[name])
        _, wrapped = read(tmp_path / "f", mark + SAMPLES[name].replace("\n", "\r\n").encode(codec))
        assert [(r.benchmark_name, r.values, r.summary) for r in wrapped] == [
            (r.benchmark_name, r.values, r.summary) for r in plain
        ]

    @pytest.mark.parametrize("name", SAMPLES)
    def test_gzip(self, tmp_path: Path, name: str) -> None:
        _, plain = read(tmp_path / "f.csv", SAMPLES[name])
        _, wrapped = read(tmp_path / "f.csv.gz", gzip.compress(SAMPLES[name].encode()))
        assert [(r.benchmark_name, r.values, r.summary) for r in wrapped] == [
            (r.benchmark_name, r.values, r.summary) for r in plain
        ]

    def test_gzip_of_several_members_and_of_utf16(self, tmp_path: Path) -> None:
        text = (codecs.BOM_UTF16_LE + SAMPLES["go"].encode("utf-16-le")) + SAMPLES["go"].encode("utf-16-le")
        _, results = read(tmp_path / "f", gzip.compress(text[:50]) + gzip.compress(text[50:]))
        assert [list(result.values) for result in results] == [[12.5, 12.5]]

    def test_the_digest_is_that_of_the_file(self, tmp_path: Path) -> None:
        first, _ = read(tmp_path / "f", gzip.compress(SAMPLES["go"].encode(), mtime=1))
        second, _ = read(tmp_path / "f", gzip.compress(SAMPLES["go"].encode(), mtime=2))
        assert first.sha256 != second.sha256

    def test_a_mark_of_a_file_that_was_appended(self, tmp_path: Path) -> None:
        other = SAMPLES["go"].replace("BenchmarkA", "BenchmarkB")
        _, results = read(tmp_path / "f", f"\ufeff{SAMPLES['go']}\ufeff{other}")
        assert {result.benchmark_name for result in results} == {"BenchmarkA", "BenchmarkB"}

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff")))
    def test_plain_text_is_not_changed(self, text: str) -> None:
        raw = f"a{text}".encode()
        assert envelope.unwrapped(raw, "f") is raw


class TestDamaged:
    """Damage of an envelope is named, with the file."""

    def test_gzip_that_ends_too_early(self, tmp_path: Path) -> None:
        whole = gzip.compress(SAMPLES["go"].encode())
        assert "f: is gzip data that ends too early" in fault(tmp_path / "f", whole[:-12])

    def test_gzip_with_a_wrong_checksum(self, tmp_path: Path) -> None:
        whole = gzip.compress(SAMPLES["go"].encode())
        assert "is damaged gzip data" in fault(tmp_path / "f", whole[:-8] + b"\0" * 8)

    def test_gzip_with_other_bytes_behind(self, tmp_path: Path) -> None:
        assert "is damaged gzip data" in fault(tmp_path / "f", gzip.compress(SAMPLES["go"].encode()) + b"rest")

    def test_gzip_larger_than_the_bound(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(envelope, "RULES", replace(RULES, unpacked_mebibytes=1))
        fits, larger = (SAMPLES["go"].encode().ljust(1 << 20 | more, b"\n") for more in (0, 1))
        read(tmp_path / "f", gzip.compress(fits))
        assert "unpacks to more than 1 MiB" in fault(tmp_path / "f", gzip.compress(larger))

    def test_utf16_that_ends_in_a_character(self, tmp_path: Path) -> None:
        text = codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le") + b"x"
        assert "f:3: is damaged UTF-16-LE text" in fault(tmp_path / "f", text)

    def test_utf16_behind_utf8(self, tmp_path: Path) -> None:
        text = SAMPLES["go"].encode() + SAMPLES["go"].encode("utf-16-le")
        assert "f:2: contains a NUL byte" in fault(tmp_path / "f", text)


class TestArchives:
    """An archive is named as what it is, whatever it contains."""

    def test_zip(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "f", "w") as archive:
            archive.writestr("out.txt", SAMPLES["go"])
        assert "is a zip archive" in fault(tmp_path / "f", (tmp_path / "f").read_bytes())

    def test_tar_in_gzip(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "f", "w:gz") as archive:
            entry = tarfile.TarInfo("out.txt")
            entry.size = len(SAMPLES["go"])
            archive.addfile(entry, io.BytesIO(SAMPLES["go"].encode()))
        assert "is a tar archive" in fault(tmp_path / "f", (tmp_path / "f").read_bytes())

    @pytest.mark.parametrize(
        ("pack", "what"),
        [(bz2.compress, "bzip2 data"), (lzma.compress, "xz data"), (gzip.compress, "gzip data inside")],
    )
    def test_compressed(self, tmp_path: Path, pack: object, what: str) -> None:
        assert callable(pack)
        packed = pack(SAMPLES["go"].encode())
        assert f"is {what}" in fault(tmp_path / "f", gzip.compress(packed))


class TestPrefix:
    """Prefixes of a log are named as the cause; a text with such words in it is read."""

    @pytest.mark.parametrize("prefix", PREFIXES)
    @pytest.mark.parametrize("name", TEXTS)
    @pytest.mark.parametrize("by_name", [False, True])
    def test_log(self, tmp_path: Path, prefix: str, name: str, *, by_name: bool) -> None:
        text = "".join(f"{prefix}{line}\n" for line in SAMPLES[name].splitlines())
        message = fault(tmp_path / "f", text.encode(), name if by_name else "auto")
        assert "each line has a prefix" in message
        assert prefix.strip("\ufeff ").split("\x1b")[0][:60].strip()[:10].encode("unicode_escape").decode() in message

    @pytest.mark.parametrize("prefix", PREFIXES)
    def test_no_prefix_becomes_a_part_of_a_name(self, tmp_path: Path, prefix: str) -> None:
        text = "".join(f"{prefix}{line}\n" for line in CRITERION.splitlines())
        assert "each line has a prefix" in fault(tmp_path / "f", text.encode())

    def test_names_that_begin_with_numbers(self, tmp_path: Path) -> None:
        text = CRITERION.replace("io/read  ", "64 bytes").replace("a/long", "1024")
        _, results = read(tmp_path / "f", text)
        assert [result.benchmark_name for result in results] == ["64 bytes", "1024/name/of/a/benchmark"]

    def test_interleaved_lines_with_a_time_are_noise(self, tmp_path: Path) -> None:
        noise = f"{GITHUB}INFO cache cold\n" * 20
        _, results = read(tmp_path / "f", f"{noise}{SAMPLES['go']}{noise}")
        assert [result.benchmark_name for result in results] == ["BenchmarkA"]

    def test_a_history_with_times(self, tmp_path: Path) -> None:
        text = "time\tcommit\tp99\n2026-03-04 10:21:07 +0000\ta1\t5\n"
        _, results = read(tmp_path / "f", text)
        assert [list(result.values) for result in results] == [[5]]


class TestJsonCause:
    """Text around a JSON document, and a second document behind it, are named with their line."""

    @pytest.mark.parametrize("between", ["", "\n", "\r\n\r\n", "\ufeff"])
    @pytest.mark.parametrize("name", JSON)
    def test_a_second_document(self, tmp_path: Path, name: str, between: str) -> None:
        text = json.dumps(json.loads(SAMPLES[name]), indent=1)
        message = fault(tmp_path / "f", f"{text}{between}{text}".encode())
        line = f"{text}{between}".count("\n") + 1
        assert f"f:{line}: a second JSON document begins here" in message

    @pytest.mark.parametrize(
        "header",
        ["\n> proj@1.0.0 bench\n> vitest bench\n\n", "[1/2] resolving\n[1] ok\n", "{not json\n", "WARN {x}\n"],
    )
    @pytest.mark.parametrize("name", JSON)
    def test_text_in_front(self, tmp_path: Path, name: str, header: str) -> None:
        message = fault(tmp_path / "f", f"{header}{SAMPLES[name]}".encode())
        assert f"the JSON document begins only in line {header.count(chr(10)) + 1}" in message

    @pytest.mark.parametrize("header", ["results: ", "\ufeffbench> ", "ready\nresults="])
    @pytest.mark.parametrize("indent", [None, 1])
    @pytest.mark.parametrize("name", JSON)
    def test_text_in_the_same_line(self, tmp_path: Path, name: str, header: str, indent: int | None) -> None:
        text = json.dumps(json.loads(SAMPLES[name]), indent=indent)
        message = fault(tmp_path / "f", f"{header}{text}\n".encode())
        line = header.count("\n") + 1
        assert f"f:{line}: other text is in front of the JSON document, in the same line" in message

    @pytest.mark.parametrize("name", JSON)
    def test_text_behind(self, tmp_path: Path, name: str) -> None:
        message = fault(tmp_path / "f", f"{SAMPLES[name].rstrip()}\nnpm notice\n".encode())
        assert "text follows the JSON document" in message

    def test_numbers_that_are_not_json_in_front_of_a_second_document(self, tmp_path: Path) -> None:
        text = pytest_file(pytest_benchmark(x=float("nan")))
        assert "f:2: a second JSON document" in fault(tmp_path / "f", f"{text}\n{text}".encode())

    def test_a_broken_document_is_not_text_in_front_of_an_inner_one(self) -> None:
        text = json.dumps(json.loads(SAMPLES["pytest-benchmark"]), indent=1).replace(": ", "; ", 1)
        assert envelope.json_cause(text.encode()) is None
        assert envelope.json_cause(text.replace("; ", ": ")[:-5].encode()) is None

    @pytest.mark.parametrize("text", ["", "a", "{", "{} ", "[]", "[1]\n[2]", '{"a": 1'])
    def test_nothing_to_name(self, text: str) -> None:
        assert envelope.json_cause(text.encode()) is None
