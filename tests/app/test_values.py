from __future__ import annotations

import copy
import io
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench_db
from bench_db.app.values import delete_artifacts
from bench_db.errors import CorruptStoreError, UserError
from tests.store.carriers import publish
from tests.store.conftest import bucket_uri
from tests.strategies import HOSTILE
from tests.support.campaigns import examples

if TYPE_CHECKING:
    from bench_db import Database

pytestmark = pytest.mark.few(2)

__all__ = ["bucket_uri"]  # a fixture

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('ab\u00e9\0"{'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return bench_db.connect(tmp_path / "store", create=True)


def files_of(database: Database) -> list[Path]:
    return [path for path in (Path(database.uri) / "artifacts").rglob("*") if path.is_file()]


class TestPut:
    """A value comes back as it was put, of the same type."""

    @pytest.mark.parametrize(
        "value",
        [b"", b"\x00\xff" * 1000, "", "caf\u00e9\0", None, True, 2**80, 1.5, [], {"a": [1, None, {"b": "c"}]}],
        ids=lambda value: str(value)[:9].encode("ascii", "replace").hex(),
    )
    def test_plain(self, database: Database, value: object) -> None:
        back = database.get(database.put(value))
        assert back == value
        assert type(back) is type(value)

    @given(value=JSON)
    @examples("fuzz", 25, full=500)
    def test_json(self, tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
        opened = bench_db.connect(tmp_path_factory.getbasetemp() / "values-json", create=True)
        assert opened.get(opened.put(value)) == value

    @pytest.mark.parametrize(
        "dtype", ["<f8", ">i4", "?", "c16", "<U3", "S2", "M8[us]", [("a", "<f4"), ("b", "u1")]], ids=str
    )
    @pytest.mark.parametrize("shape", [(), (0,), (2, 3)], ids=str)
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_arrays(self, database: Database, dtype: Any, shape: tuple[int, ...], order: Any) -> None:
        value = np.zeros(shape, dtype, order)
        back = database.get(database.put(value))
        assert (back.dtype, back.shape) == (value.dtype, value.shape)
        assert (back == value).all()

    def test_tables_and_frames(self, database: Database) -> None:
        table = pa.table({"a": [1, None], "b": [["x"], []]}).replace_schema_metadata({"k": "v"})
        back = database.get(database.put(table))
        assert back.equals(table, check_metadata=True)
        frame = pl.DataFrame({"a": [1, None], "t": pl.Series([0, 1]).cast(pl.Datetime("us", "UTC"))})
        assert database.get(database.put(frame)).equals(frame)

    @pytest.mark.parametrize(
        "value",
        [
            object(), (1, 2), {1: "a"}, {"a": (1,)}, float("nan"), [float("inf")], {1, 2}, np.float32(1), "\ud800",
            np.array([object()]), np.ma.masked_array([1], [True]), pl.Series([1]), pl.DataFrame({"a": [object()]}),
        ],
        ids=lambda value: type(value).__name__,
    )  # fmt: skip
    def test_what_would_not_come_back(self, database: Database, value: object) -> None:
        with pytest.raises(UserError):
            database.put(value, name="v")
        assert database.artifacts() == []

    def test_equal_values_are_stored_once(self, database: Database) -> None:
        first, second = database.put([1, 2]), database.put([1, 2])
        assert first == second
        assert len(database.artifacts()) == len(files_of(database)) == 1

    def test_it_belongs_to_a_run(self, database: Database) -> None:
        key = publish(database.store, 2)
        database.put({"a": 1}, name="facts", run=key)
        [kept] = database.artifacts(run=key)
        assert (kept.name, kept.kind) == ("facts", "json.zst")
        assert database.get(bench_db.address_of(kept) or "") == {"a": 1}

    def test_a_value_that_is_too_large(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bench_db.app.values._LARGEST", 10)
        with pytest.raises(UserError, match="put_artifact"):
            database.put(b"12345678901")


class TestMany:
    """Several values of one file."""

    def test_lazy(self, database: Database) -> None:
        address = database.put_values({"../a": [1], "": b"x", "c\0": np.eye(2)}, name="state")
        assert len(files_of(database)) == 1
        stored = database.get(address)
        assert list(stored) == ["../a", "", "c\0"]
        assert (stored["../a"], stored[""], stored["c\0"].trace()) == ([1], b"x", 2)
        assert "missing" not in stored
        with pytest.raises(KeyError):
            stored["missing"]

    def test_each_is_decoded_when_it_is_asked_for(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        stored = database.get(database.put_values({"a": 1, "b": 2}))
        decoded: list[str] = []
        monkeypatch.setattr("bench_db.app.values.decoded", lambda kind, *_: decoded.append(kind))
        assert (len(stored), decoded) == (2, [])
        stored["a"]
        assert decoded == ["json"]

    def test_attributes(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """A value is an attribute, too, unless its name is one of a mapping or begins with an underscore."""
        stored = database.get(database.put_values({"a": np.zeros(10), "c": 123, "keys": 1, "_b": 2}))
        assert (stored.a.sum(), stored.c, list(stored.keys())) == (0, 123, ["a", "c", "keys", "_b"])
        assert (stored["keys"], stored["_b"]) == (1, 2)
        with pytest.raises(AttributeError, match="has no value 'missing'; there are a, c, keys, _b"):
            _ = stored.missing
        unread = database.get(database.put_values({"d": 1}))
        monkeypatch.setattr(unread, "_contents", pytest.fail)
        assert not any(hasattr(unread, name) for name in ("_repr_html_", "_b", "__array__"))

    @pytest.mark.parametrize(
        "copied",
        [copy.copy, copy.deepcopy, lambda stored: pickle.loads(pickle.dumps(stored))],
        ids=["copy", "deepcopy", "pickle"],
    )
    @pytest.mark.parametrize("is_read", [True, False])
    def test_copies(self, database: Database, copied: Any, *, is_read: bool) -> None:
        stored = database.get(database.put_values({"a": 1, "_address": 2}))
        if is_read:
            assert stored.a == 1
        assert dict(copied(stored)) == {"a": 1, "_address": 2}
        assert repr(copied(stored)) == repr(stored)

    def test_a_name_that_a_copy_has_not_yet(self) -> None:
        """Copies are asked for names before they have any, and the error must not ask for another."""
        unmade = bench_db.StoredValues.__new__(bench_db.StoredValues)
        with pytest.raises(AttributeError, match="no attribute '_address'"):
            getattr(unmade, "_address")  # noqa: B009 the name of an attribute that is not public

    def test_none(self, database: Database) -> None:
        with pytest.raises(UserError, match="no values"):
            database.put_values({})

    def test_equal_values_have_one_address(self, database: Database) -> None:
        assert database.put_values({"a": 1}) == database.put_values({"a": 1})


class TestGet:
    """An address leads to its content or to an error, and nowhere else."""

    @pytest.mark.parametrize(
        "address", [HOSTILE, "value:", "value:" + 64 * "0", f"value:{64 * '0'}.pickle", f"value:{64 * '0'}.npy/../x"]
    )
    def test_no_address(self, database: Database, address: str) -> None:
        with pytest.raises(UserError, match="is not the address"):
            database.get(address)

    def test_of_another_store(self, database: Database) -> None:
        with pytest.raises(UserError, match="deleted, or is in another store"):
            database.get(f"value:{64 * '0'}.npy.zst")

    @pytest.mark.parametrize(
        "put", [lambda d: d.put([1] * 99), lambda d: d.put_values({"a": [1] * 99})], ids=["one", "many"]
    )
    def test_every_flipped_byte_is_noticed(self, database: Database, put: Any) -> None:
        address = put(database)
        [path] = files_of(database)
        original = path.read_bytes()
        for at in range(0, len(original), 7):
            path.write_bytes(original[:at] + bytes([original[at] ^ 1]) + original[at + 1 :])
            with pytest.raises(CorruptStoreError):
                list(database.get(address).items()) if "values" in address else database.get(address)

    def test_a_lost_file(self, database: Database) -> None:
        address = database.put("x")
        files_of(database)[0].unlink()
        with pytest.raises(CorruptStoreError, match="is missing"):
            database.get(address)

    @pytest.mark.parametrize("kind", ["npy", "arrow", "frame", "json", "text", "values", "npy.zst", "json.zst"])
    def test_content_of_another_kind(self, database: Database, kind: str) -> None:
        put = database.put_artifact(b"\xff no such value", kind=kind, added_at=0)
        with pytest.raises(CorruptStoreError, match="is no such value"):
            len(database.get(bench_db.address_of(put.artifact) or ""))

    def test_a_bomb(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        address = database.put(b"\0" * 100_000)
        monkeypatch.setattr("bench_db.app.values._LARGEST", 99_999)
        with pytest.raises(CorruptStoreError, match="unpacks to more"):
            database.get(address)

    def test_a_forged_archive(self, database: Database) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("index.json", '[["a", "json"]]')
        put = database.put_artifact(file.getvalue(), kind="values", added_at=0)
        with pytest.raises(CorruptStoreError):
            database.get(bench_db.address_of(put.artifact) or "")["a"]

    def test_a_log_has_no_address(self, database: Database) -> None:
        assert bench_db.address_of(database.put_artifact(b"x", kind="log", added_at=0).artifact) is None


class TestDelete:
    """Only what is named is deleted, and no file that another artifact needs."""

    def test_shared_content(self, database: Database) -> None:
        database.put([1], commit="a" * 40)
        address = database.put([1], commit="b" * 40)
        [first] = database.artifacts(commit="a" * 40)
        would = database.delete_artifacts([first], dry_run=True)
        assert (would.files, would.changed, len(database.artifacts())) == (0, False, 2)
        assert database.delete_artifacts([first]).files == 0
        assert database.get(address) == [1]
        last = database.delete_artifacts(database.artifacts())
        assert (last.files, last.size_bytes > 0, files_of(database)) == (1, True, [])
        assert database.verify().sound

    def test_conditions(self, database: Database) -> None:
        opened, store = database, database.store
        for number in range(3):
            opened.put(number, commit=f"{number}" * 40)
        opened.put_artifact(b"log", kind="log", added_at=0)
        with pytest.raises(UserError, match="name what to delete"):
            delete_artifacts(store, ())
        assert len(delete_artifacts(store, (), kind="log", dry_run=True).artifacts) == 1
        [one] = opened.artifacts(commit="1" * 40)
        for wrong in (("abc",), ("f" * 64,), (one.sha256, "0" * 64)):
            with pytest.raises(UserError, match=r"with a sha256 that begins with|is too short"):
                delete_artifacts(store, wrong)
        assert delete_artifacts(store, (one.sha256[:12],), commit="1" * 40).changed
        assert len(opened.artifacts()) == 3


class TestBucket:
    """Values in a bucket are those of a directory."""

    def test_put_got_and_deleted(self, bucket_uri: str) -> None:
        store = bench_db.connect(bucket_uri, create=True)
        run = publish(store.store, 2)
        array = store.put(np.arange(5.0), name="array", run=run)
        many = store.put_values({"a": np.zeros(10), "c": 123}, name="many", run=run)
        read = bench_db.connect(bucket_uri)
        assert read.get(array).tolist() == [0, 1, 2, 3, 4]
        assert (read.get(many).a.sum(), read.get(many)["c"]) == (0, 123)
        assert sorted(kept.name for kept in read.artifacts(run=run)) == ["array", "many"]
        deleted = read.delete_artifacts(read.artifacts(run=run))
        assert (deleted.files, deleted.changed) == (2, True)
        for address in (array, many):
            with pytest.raises(UserError, match="it was deleted, or is in another store"):
                bench_db.connect(bucket_uri).get(address)
