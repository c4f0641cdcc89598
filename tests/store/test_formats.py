from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import BenchDbError, CorruptStoreError, SchemaMismatchError, UnreadableOutputError, UserError
from bench_db.store import formats
from bench_db.store.export import MANIFEST
from bench_db.store.formats import FORMATS
from tests.store.carriers import everything, rows_of
from tests.support.campaigns import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DataObject

    from bench_db.store.database import Database

pytestmark = pytest.mark.sample(6)


each_format = pytest.mark.parametrize("name", FORMATS)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def _rewrite(out: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file, and the manifest so that it does not show."""
    (out / name).write_bytes(change((out / name).read_bytes()))
    content = (out / name).read_bytes()
    manifest = json.loads((out / MANIFEST).read_text())
    manifest["files"][name] |= {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    (out / MANIFEST).write_text(json.dumps(manifest))


class TestRefused:
    """What is not what was exported is refused before anything is written, and the error names the file."""

    @pytest.fixture(autouse=True)
    def nothing_was_written(self, target: Database) -> Any:
        yield
        assert rows_of(target) == {"runs": 0, "results": 0}
        assert not (Path(target.uri) / "artifacts").exists()

    @each_format
    @pytest.mark.parametrize("table", ["runs", "results", "baselines", "findings", "artifacts"])
    def test_a_changed_file(self, filled: Database, out: Path, target: Database, table: str, name: str) -> None:
        filled.export_to(out, format_name=name)
        file = out / f"{table}.{name}"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        for damaged in (bytes(content), bytes(content[:-1]), b""):
            file.write_bytes(damaged)
            with pytest.raises(UnreadableOutputError, match=rf"{table}\.{name}.*sha256"):
                target.import_from(out)
        file.unlink()
        with pytest.raises(UnreadableOutputError, match=rf"{table}\.{name}"):
            target.import_from(out)

    @each_format
    @examples("flips", 20, full=2000)
    @given(data=st.data())
    def test_any_flipped_bit(
        self, filled: Database, tmp_path: Path, target: Database, name: str, data: DataObject
    ) -> None:
        out = tmp_path / "out"
        if not out.exists():
            filled.export_to(out, format_name=name)
        file = out / data.draw(st.sampled_from(sorted(path.name for path in out.glob(f"*.{name}"))))
        whole = file.read_bytes()
        bit = data.draw(st.integers(0, 8 * len(whole) - 1))
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        with pytest.raises(UnreadableOutputError, match=rf"{file.name}.*sha256"):
            target.import_from(out)
        file.write_bytes(whole)

    def test_other_columns(self, filled: Database, out: Path, target: Database) -> None:
        filled.export_to(out)
        rows = pq.read_table(out / "results.parquet")
        others = {
            "'suite' is missing": rows.drop_columns("suite"),
            "'more' is unknown": rows.append_column("more", rows["suite"]),
            "'n' is string": rows.set_column(rows.schema.get_field_index("n"), "n", rows["n"].cast("string")),
        }
        for told, other in others.items():

            def change(_: bytes, other: Any = other) -> bytes:
                pq.write_table(other, out / "x")
                return (out / "x").read_bytes()

            _rewrite(out, "results.parquet", change)
            with pytest.raises(SchemaMismatchError, match=told):
                target.import_from(out)

    @pytest.mark.parametrize(
        "line", [b"{}", b"[]", b"5", b"{", b"\xff", b'{"run_key": 1}', b"null", b'{"key":1,"name":[],"commit":null}']
    )
    def test_other_lines(self, filled: Database, out: Path, target: Database, line: bytes) -> None:
        filled.export_to(out, format_name="jsonl")
        _rewrite(out, "baselines.jsonl", lambda content: content + line + b"\n")
        with pytest.raises(SchemaMismatchError, match=r"baselines\.jsonl"):
            target.import_from(out)

    def test_values_of_another_type(self, filled: Database, out: Path, target: Database) -> None:
        filled.export_to(out, format_name="jsonl")
        _rewrite(out, "baselines.jsonl", lambda content: content.replace(b'"set_at":3', b'"set_at":"x"'))
        with pytest.raises(SchemaMismatchError, match=r"baselines\.jsonl"):
            target.import_from(out)

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"kind": "bench-db export 9"}, SchemaMismatchError),
            ({"kind": "x"}, SchemaMismatchError),
            ({"schema_version": 99}, SchemaMismatchError),
            ({"format": "../../x"}, SchemaMismatchError),
            ({"files": {}}, UnreadableOutputError),
            ({"files": {"../../etc/passwd": {"rows": 0, "bytes": 0, "sha256": ""}}}, UnreadableOutputError),
            ({"files": None}, UnreadableOutputError),
        ],
    )
    def test_another_manifest(
        self, filled: Database, out: Path, target: Database, change: dict[str, object], error: type[BenchDbError]
    ) -> None:
        filled.export_to(out)
        manifest = json.loads((out / MANIFEST).read_text()) | change
        (out / MANIFEST).write_text(json.dumps(manifest))
        with pytest.raises(error, match=r"manifest\.json"):
            target.import_from(out)

    @pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[]"])
    def test_no_manifest(self, filled: Database, out: Path, target: Database, text: bytes) -> None:
        filled.export_to(out)
        (out / MANIFEST).write_bytes(text)
        with pytest.raises(UnreadableOutputError, match=r"manifest\.json"):
            target.import_from(out)
        (out / MANIFEST).unlink()
        with pytest.raises(UserError, match="no finished export"):
            target.import_from(out)


class TestLongTexts:
    """An import refuses a text that publish would have cut, by row and column, before it is in memory."""

    @pytest.fixture
    def exported(self, filled: Database, out: Path) -> Path:
        filled.export_to(out)
        return out

    @staticmethod
    def _with(out: Path, table: str, column: str, change: Callable[[list[Any]], list[Any]]) -> None:
        """Change a column of an exported table, and the manifest so that it does not show."""
        rows = pq.read_table(out / f"{table}.parquet")
        at = rows.schema.get_field_index(column)
        changed = pa.array(change(rows[column].to_pylist()), rows.schema.field(at).type)
        pq.write_table(
            rows.set_column(at, rows.schema.field(at), changed), out / f"{table}.parquet", compression="zstd"
        )
        _rewrite(out, f"{table}.parquet", lambda content: content)

    @pytest.mark.parametrize(
        ("table", "column", "change"),
        [
            ("results", "metadata", lambda values: [*values[:7], "x" * 64_001, *values[8:]]),
            ("results", "tags", lambda values: [*values[:7], [("a", "x" * 64_001)], *values[8:]]),
            ("results", "tags", lambda values: [*values[:7], [("a", "b"), ("x" * 64_001, "c")], *values[8:]]),
            ("results", "dut", lambda values: [*values[:7], {**values[7], "name": "x" * 64_001}, *values[8:]]),
        ],
    )
    def test_row_and_column_are_named(
        self, exported: Path, target: Database, table: str, column: str, change: Callable[[list[Any]], list[Any]]
    ) -> None:
        self._with(exported, table, column, change)
        with pytest.raises(UserError, match=rf"row 8 of {table} has a text of 64,001 bytes in '{column}'"):
            target.import_from(exported)
        assert rows_of(target) == {"runs": 0, "results": 0}

    def test_lines(self, filled: Database, out: Path, target: Database) -> None:
        filled.export_to(out, format_name="jsonl")
        long = b'"metadata":"' + b"x" * 64_001 + b'"'
        _rewrite(out, "results.jsonl", lambda content: long.join(content.split(b'"metadata":"{}"', 1)))
        with pytest.raises(UserError, match=r"row \d+ of results has a text of 64,001 bytes in 'metadata'"):
            target.import_from(out)

    @pytest.mark.parametrize("rows", [1, 7])
    def test_in_small_batches(
        self, filled: Database, out: Path, target: Database, monkeypatch: pytest.MonkeyPatch, rows: int
    ) -> None:
        filled.export_to(out)
        monkeypatch.setattr(formats, "_BATCH_ROWS", rows)
        target.import_from(out)
        assert everything(target.uri) == everything(filled.uri)

    def test_in_parts_of_few_bytes(
        self, filled: Database, out: Path, target: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        filled.export_to(out)
        monkeypatch.setattr(formats, "_BATCH_BYTES", 100)
        target.import_from(out)
        assert everything(target.uri) == everything(filled.uri)

    def test_as_long_as_allowed(self, exported: Path, target: Database) -> None:
        self._with(exported, "results", "metadata", lambda values: [*values[:7], "x" * 64_000, *values[8:]])
        with pytest.raises(CorruptStoreError, match="checksum"):  # it is read, and is not the text that was exported
            target.import_from(exported)

    def test_a_small_file_of_much_text_takes_little_memory(self, exported: Path, tmp_path: Path) -> None:
        rows = pq.read_table(exported / "results.parquet").slice(0, 1)
        rows = rows.set_column(
            rows.schema.get_field_index("metadata"), rows.schema.field("metadata"), pa.array(["x" * 100_000])
        )
        pq.write_table(pa.concat_tables([rows] * 4000), exported / "results.parquet", compression="zstd")
        _rewrite(exported, "results.parquet", lambda content: content)
        assert (exported / "results.parquet").stat().st_size < 100_000  # of 400 MB of text
        code = (
            "import resource, sys\n"
            "from bench_db.errors import UserError\n"
            "from bench_db.store.database import connect\n"
            "store = connect(sys.argv[2], create=True)\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "try:\n    store.import_from(sys.argv[1])\n"
            "except UserError as error:\n    print(error, file=sys.stderr)\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, exported, tmp_path / "new"], capture_output=True, text=True, check=True
        )
        assert int(done.stdout) < 200_000  # KiB
        assert "row 1 of results has a text of 100,000 bytes in 'metadata'" in done.stderr
