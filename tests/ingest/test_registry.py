from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import pytest

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import ADAPTERS, Adapter, detect, find, parse
from tests.ingest.formats.test_criterion_dir import measure
from tests.ingest.samples import NAMED, RECALL, SAMPLES
from tests.ingest.support import DATA, FIXED, REPOSITORY, criterion_line, read
from tests.support.needs import needs_file
from tests.support.rights import as_nobody


class TestDetect:
    """A format is recognised by content, with any file name."""

    @pytest.mark.parametrize(("name", "text"), SAMPLES.items())
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_each_format(self, tmp_path: Path, name: str, text: str, mark: str, newline: str) -> None:
        (tmp_path / "x.bin").write_bytes((mark + text.replace("\n", newline)).encode())
        assert detect(tmp_path / "x.bin").name == name
        run, results = parse(tmp_path / "x.bin", provenance=FIXED)
        assert (run.format, len({result.benchmark_name for result in results})) == (name, 1)

    @pytest.mark.parametrize("name", sorted(SAMPLES))
    def test_naming_the_format_reads_the_same(self, tmp_path: Path, name: str) -> None:
        by_content = read(tmp_path / "f", SAMPLES[name])
        assert parse(tmp_path / "f", name, provenance=FIXED) == by_content

    @pytest.mark.parametrize("indent", [None, 1, 4])
    def test_indentation_does_not_matter(self, tmp_path: Path, indent: int | None) -> None:
        (tmp_path / "f").write_text(json.dumps(json.loads(SAMPLES["pytest-benchmark"]), indent=indent))
        assert detect(tmp_path / "f").name == "pytest-benchmark"

    def test_by_the_end_of_a_long_file(self, tmp_path: Path) -> None:
        record = {"stats": {"data": [1.0] * 30_000}, "fullname": "late"}
        text = json.dumps({"benchmarks": [record], "x": "y" * 100_000, "machine_info": {}})
        (tmp_path / "f").write_text(text)
        assert detect(tmp_path / "f").name == "pytest-benchmark"

    @pytest.mark.parametrize("text", ['{"context": {}, "benchmarks": []}', '{\n  "results": [ ]\n}\n', " [\n]\n"])
    def test_a_run_that_selected_no_benchmark(self, tmp_path: Path, text: str) -> None:
        """Without a result the format does not show; that is not an unknown format, and the mistake is in the command of the tool."""
        (tmp_path / "f").write_text(text)
        with pytest.raises(
            UnreadableOutputError, match=r"has an empty list of results: did the run select any benchmark\?"
        ):
            detect(tmp_path / "f")

    def test_unknown_lists_the_formats(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError) as caught:
            read(tmp_path / "f", "hello")
        assert all(adapter.name in str(caught.value) for adapter in ADAPTERS)
        assert "--format" in str(caught.value)

    def test_ambiguous_names_the_candidates(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="could be criterion or dbpedia; choose one with --format"):
            read(tmp_path / "f", criterion_line() + RECALL)

    def test_no_such_format(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="--format: no format is called 'xml'; known: auto, criterion, "):
            parse(tmp_path / "f", "xml")

    def test_directory_format_on_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text(RECALL)
        with pytest.raises(UserError, match="--format criterion-dir: reads a directory"):
            parse(tmp_path / "f", "criterion-dir")


class TestRegistry:
    """A format has a name, a versioned source, a sentence, and a section in the documentation."""

    def test_names_are_unique(self) -> None:
        assert len({a.name for a in ADAPTERS}) == len({a.source for a in ADAPTERS}) == len(ADAPTERS)

    @pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda a: a.name)
    def test_is_documented(self, adapter: object) -> None:
        name = getattr(adapter, "name", "")
        assert f"\n## {name}\n" in (REPOSITORY / "docs" / "formats.md").read_text()

    @pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda a: a.name)
    def test_has_real_or_hand_made_files(self, adapter: object) -> None:
        """The tests of some write the documents: the package indexes of Python and Node.js have neither the tool nor what builds it."""
        name = getattr(adapter, "name", "")
        by_hand = {"criterion", "dart", "divan", "gungraun", "julia", "metalab", *NAMED}
        assert name in by_hand or any((DATA / name).rglob("*golden.json"))


class TestFind:
    """Each file of a directory is a run, unreadable, or passed over with its name; no run at all is an error."""

    def test_files_below(self, tmp_path: Path) -> None:
        (tmp_path / "deep").mkdir()
        wanted = [tmp_path / "a.json", tmp_path / "deep" / "b"]
        for file in wanted:
            file.write_text(SAMPLES["pytest-benchmark"])
        (tmp_path / "README").write_text("hello")
        (tmp_path / "empty").touch()
        (tmp_path / "binary").write_bytes(b"\xff\x00")
        (tmp_path / ".hidden").write_text(SAMPLES["pytest-benchmark"])
        assert [*find(tmp_path).readable] == wanted
        assert [*find(tmp_path, "pytest-benchmark").readable] == wanted
        found = find(tmp_path, "dbpedia")
        assert ([*found.readable], [file.path for file in found.unreadable]) == ([], [str(tmp_path / "empty")])
        assert found.passed_over == [tmp_path / name for name in ("README", "a.json", "binary", "deep/b")]
        (tmp_path / "empty").unlink()
        with pytest.raises(UserError, match="no file below it"):
            find(tmp_path, "dbpedia")

    def test_broken_file_of_a_known_format_is_not_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "cut.json").write_text(SAMPLES["pytest-benchmark"][:-30])
        assert [*find(tmp_path).readable] == [tmp_path / "cut.json"]

    @pytest.mark.parametrize("adapter", [a for a in ADAPTERS if a.sniff], ids=lambda adapter: adapter.name)
    def test_every_format_by_name(self, tmp_path: Path, adapter: Adapter) -> None:
        for name, text in SAMPLES.items():
            (tmp_path / name).write_text(text)
        shown = "github-action-benchmark" if adapter.name in NAMED else adapter.name
        found = find(tmp_path, adapter.name)
        assert ([*found.readable], len(found.passed_over)) == ([tmp_path / shown], len(SAMPLES) - 1)
        run, _ = parse(tmp_path / shown, adapter.name, provenance=FIXED)
        assert run.format == adapter.name

    def test_criterion_directory_by_name(self, tmp_path: Path) -> None:
        measure(tmp_path)
        (tmp_path / "go.txt").write_text(SAMPLES["go"])
        assert [*find(tmp_path, "criterion-dir").readable] == [tmp_path]
        assert [*find(tmp_path, "go").readable] == [tmp_path / "go.txt"]

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"", "is empty"),
            (b'{"results": [{"na', "is JSON that ends too early"),
            (b"\xff\xfex", "is damaged UTF-16-LE text"),
            (gzip.compress(SAMPLES["go"].encode(), mtime=0)[:-3], "ends too early"),
            (SAMPLES["go"].encode() + b"a\0b\0", "contains a NUL byte"),
            (b"2026-03-04T10:21:07Z " + SAMPLES["go"].encode(), "each line has a prefix"),
            (f"> npm\n{SAMPLES['bmf']}".encode(), "begins only in line 2"),
            (f"{SAMPLES['bmf']}\n{SAMPLES['values-ns']}".encode(), "a second JSON document"),
            ((criterion_line() + RECALL).encode(), "could be criterion or dbpedia"),
        ],
    )
    def test_a_file_whose_output_would_be_lost(self, tmp_path: Path, content: bytes, error: str) -> None:
        (tmp_path / "bad").write_bytes(content)
        [bad] = find(tmp_path).unreadable
        assert bad.path == str(tmp_path / "bad")
        assert error in bad.error

    @pytest.mark.parametrize("content", [b"hello", b'{"a": 1}', b"[1]\n[2]", b"\x89PNG\r\n\x1a\n\0\0", b"caf\xe9"])
    def test_a_file_without_output_is_passed_over(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "good").write_text(RECALL)
        (tmp_path / "other").write_bytes(content)
        found = find(tmp_path)
        assert ([*found.readable], found.passed_over) == ([tmp_path / "good"], [tmp_path / "other"])

    def test_a_file_is_itself(self, tmp_path: Path) -> None:
        assert [*find(tmp_path / "not there").readable] == [tmp_path / "not there"]

    def test_criterion_directory_is_itself(self, tmp_path: Path) -> None:
        measure(tmp_path)
        assert [*find(tmp_path).readable] == [tmp_path]


class TestUnreadablePaths:
    """An unreadable path gives one line with the path and the reason."""

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no: no such file; run the benchmarks first"):
            parse(tmp_path / "no")

    @pytest.mark.parametrize("content", ["", " \n\t\n", "\ufeff"])
    def test_empty(self, tmp_path: Path, content: str) -> None:
        with pytest.raises(UnreadableOutputError, match="is empty; expected the output of a benchmark tool"):
            read(tmp_path / "f", content)

    def test_nul_in_the_path(self) -> None:
        with pytest.raises(UserError, match="cannot be read"):
            parse("a\0b")

    def test_device(self) -> None:
        needs_file("/dev/zero")
        with pytest.raises(UserError, match="neither a file nor a directory"):
            parse("/dev/zero")

    def test_read_fails(self) -> None:
        needs_file("/proc/self/mem")
        with pytest.raises(UserError, match="cannot be read"):
            parse("/proc/self/mem")

    def test_no_permission(self) -> None:
        with tempfile.TemporaryDirectory() as made:  # other users cannot read the directories of pytest
            Path(made).chmod(0o755)
            file = Path(made) / "f"
            file.write_text(RECALL)
            file.chmod(0)
            with as_nobody(), pytest.raises(UserError, match="Permission denied"):
                parse(file)

    @pytest.mark.parametrize(
        ("text", "line", "column"), [(b'{"a":\n "\xff"}', 2, 3), (b"x" * 2_000_000 + b"\n\xe9", 2, 1)]
    )
    def test_not_utf8(self, tmp_path: Path, text: bytes, line: int, column: int) -> None:
        with pytest.raises(UnreadableOutputError, match="not UTF-8") as caught:
            read(tmp_path / "f", text)
        assert (caught.value.line, caught.value.column) == (line, column)

    def test_letter_across_two_blocks_is_text(self, tmp_path: Path) -> None:
        text = " " * ((1 << 20) - 1) + "é\n" + RECALL
        assert len(read(tmp_path / "f", text)[1]) == 1
