from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import BenchDbError, SchemaMismatchError, UnreadableOutputError, UserError
from bench_db.store.export import MANIFEST
from bench_db.store.formats import FORMATS
from tests.store.carriers import rows_of
from tests.support.campaigns import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DataObject

    from bench_db.store.database import Database


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
