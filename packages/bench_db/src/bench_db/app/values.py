"""Values by address: bytes, texts, JSON, arrays and tables are kept as artifacts, and read back as they were put."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import ipc

from bench_db.app.commit_names import sha_of
from bench_db.errors import CorruptStoreError, UserError
from bench_db.identity import require_text
from bench_db.rules import RULES
from bench_db.store import artifacts
from bench_db.store.database import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench_db.model import Artifact, Deleted
    from bench_db.store.database import Database

_MANY = "values"
_PACKED = ".zst"
_ADDRESS = re.compile(r"value:([0-9a-f]{64})\.(bytes|text|json|npy|arrow|frame|values)(\.zst)?")
_INDEX = "index.json"
_LARGEST = RULES.unpacked_mebibytes << 20
# What the decoders raise for content that is no value of its kind.
_FAULTS = (
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    OverflowError,
    MemoryError,
    BadZipFile,
    pa.ArrowException,
    pl.exceptions.PolarsError,
)


def put(
    store: Database, value: object, *, name: str = "", run: int | str | None = None, commit: str | None = None
) -> str:
    """Keep a value, compressed, and return its address. Equal values have one address, and are stored once.

    The value is bytes, a text, a NumPy array, an Arrow table, a Polars frame, or what JSON can say; it belongs to a run, to a
    commit or to nobody. Raises `UserError` for any other value, and for one of more than `RULES.unpacked_mebibytes` MiB.
    """
    kind, content = encoded(name or "the value", value)
    return _keep(store, kind + _PACKED, _compressed(content), name=name or kind, run=run, commit=commit)


def put_values(
    store: Database,
    values: Mapping[str, object],
    *,
    name: str = "",
    run: int | str | None = None,
    commit: str | None = None,
) -> str:
    """Keep several named values in one file, and return its address. Raises as `put` does."""
    if not values:
        message = "there are no values to keep; give a mapping with at least one"
        raise UserError(message)
    content = _archive({key: encoded(key, value) for key, value in values.items()})
    return _keep(store, _MANY, content, name=name or _MANY, run=run, commit=commit)


def get(store: Database, address: str) -> Any:
    """Return the value at an address; for an address of several values, a mapping that decodes each when it is asked for.

    Raises `UserError` for a text that is no address and for an address that the store does not have, and `CorruptStoreError`
    for content that is damaged.
    """
    require_text("address", address)
    found = _ADDRESS.fullmatch(address)
    if found is None:
        message = f"{address!r:.100} is not the address of a value; `put` and `address_of` return one, such as value:5891...be03.npy.zst"
        raise UserError(message)
    digest, kind, packed = found.groups()
    store.require_artifact(digest)
    if kind == _MANY:
        return StoredValues(store, address, digest)
    content = store.read_artifact(digest)
    return decoded(kind, _decompressed(address, content) if packed else content, address)


def delete_artifacts(
    store: Database,
    digests: Sequence[str],
    *,
    kind: str | None = None,
    run: str | None = None,
    commit: str | None = None,
    dry_run: bool = False,
) -> Deleted:
    """Delete the artifacts with one of these checksums, or beginnings of them, and of a kind, a run and a commit.

    Raises `UserError` without any condition, and for a checksum that no such artifact has.
    """
    if not digests and kind is None and run is None and commit is None:
        message = "name what to delete: SHA256, --kind, --run or --commit; 'bench-db artifact list' shows all"
        raise UserError(message)
    found = store.artifacts(kind=kind, run=run, commit=commit and sha_of(commit))
    named = {artifacts.meant(found, digest.lower()).sha256 for digest in digests}
    chosen = [artifact for artifact in found if not digests or artifact.sha256 in named]
    return store.delete_artifacts(chosen, dry_run=dry_run)


def content_of(store: Database, artifact: Artifact) -> bytes:
    """Return the content of an artifact, decompressed if it is a compressed value. Raises `CorruptStoreError` for a damaged one."""
    content = store.read_artifact(artifact.sha256)
    address = address_of(artifact)
    return _decompressed(address, content) if address and artifact.kind.endswith(_PACKED) else content


def address_of(artifact: Artifact) -> str | None:
    """Return the address of the value that an artifact is; None for an artifact of another kind, such as a log."""
    address = f"value:{artifact.sha256}.{artifact.kind}"
    return address if _ADDRESS.fullmatch(address) else None


class StoredValues(Mapping[str, Any]):
    """The values of one file by name, as items and as attributes: `stored["a"]` and `stored.a`.

    The file is read when the first is asked for, and each value is decoded when it is. Names of a mapping, such as `keys`, and those that
    begin with an underscore are items only. It is copied and pickled by its address.
    """

    def __init__(self, store: Database, address: str, digest: str) -> None:
        self._store, self._address, self._digest = store, address, digest
        self._opened: tuple[ZipFile, dict[str, tuple[str, str]]] | None = None

    def __getitem__(self, name: str) -> Any:
        """Decode one value."""
        archive, kinds = self._contents()
        kind, member = kinds[name]
        try:
            content = archive.read(member)
        except _FAULTS as error:
            raise _damaged(self._address, error) from error
        return decoded(kind, _decompressed(self._address, content), self._address)

    def __getattr__(self, name: str) -> Any:
        """Decode one value; notebooks, `copy` and `pickle` ask for names with an underscore, which read nothing."""
        if name.startswith("_"):
            message = f"StoredValues has no attribute {name!r}"
            raise AttributeError(message)
        if name not in self._contents()[1]:
            message = f"{self!r} has no value {name!r}; there are {', '.join(self)}"
            raise AttributeError(message)
        return self[name]

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, bool, str]]:
        """Copy and pickle the addresses of the store and of the file, not what is read."""
        return _again, (self._store.uri, self._store.single_writer, self._address)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the order in which the values were put."""
        return iter(self._contents()[1])

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self._contents()[1])

    def __repr__(self) -> str:
        return f"StoredValues({self._address!r})"

    def _contents(self) -> tuple[ZipFile, dict[str, tuple[str, str]]]:
        if self._opened is None:
            try:
                archive = ZipFile(io.BytesIO(self._store.read_artifact(self._digest)))
                index = json.loads(archive.read(_INDEX))
                self._opened = archive, {name: (kind, str(number)) for number, (name, kind) in enumerate(index)}
            except _FAULTS as error:
                raise _damaged(self._address, error) from error
        return self._opened


def _again(uri: str, single_writer: bool, address: str) -> Any:  # noqa: FBT001 pickle passes arguments by position
    return get(connect(uri, single_writer=single_writer), address)


def encoded(name: str, value: object) -> tuple[str, bytes]:
    """Return the kind and the bytes of a value. Raises `UserError` for a value that would not come back as it is."""
    if isinstance(value, bytes | bytearray | memoryview):
        kind, content = "bytes", bytes(value)
    elif isinstance(value, np.ndarray):
        kind, content = "npy", _npy(name, value)
    elif isinstance(value, str):
        kind, content = "text", _utf8(name, value)
    elif isinstance(value, pa.Table):
        kind, content = "arrow", _arrow(value)
    elif isinstance(value, pl.DataFrame):
        kind, content = "frame", _frame(name, value)
    else:
        kind, content = "json", _json(name, value)
    if len(content) > _LARGEST:
        message = (
            f"{name!r}: {len(content):,} bytes are too many for a value, which has at most {_LARGEST:,}; "
            "write it to a file, and keep that with `put_artifact`"
        )
        raise UserError(message)
    return kind, content


def decoded(kind: str, content: bytes, address: str) -> Any:
    """Return the value of bytes of a kind. Raises `CorruptStoreError` for bytes that are none."""
    try:
        return _DECODERS[kind](content)
    except _FAULTS as error:
        raise _damaged(address, error) from error


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "text": bytes.decode,
    "json": json.loads,
    "npy": lambda content: np.load(io.BytesIO(content), allow_pickle=False),
    "arrow": lambda content: ipc.open_file(pa.BufferReader(content)).read_all(),
    "frame": lambda content: pl.read_ipc(io.BytesIO(content)),
}


def _damaged(address: str, error: Exception) -> CorruptStoreError:
    return CorruptStoreError(f"{address}: its content is no such value: {error}; put the value again")


def _keep(store: Database, kind: str, content: bytes, *, name: str, run: int | str | None, commit: str | None) -> str:
    done = store.put_artifact(content, kind=kind, added_at=int(time.time()), name=name, run=run, commit=commit)
    return f"value:{done.artifact.sha256}.{kind}"


def _archive(values: Mapping[str, tuple[str, bytes]]) -> bytes:
    """Return the bytes of a file with values, equal for equal values: a zip archive without times."""
    file = io.BytesIO()
    with ZipFile(file, "w") as archive:
        archive.writestr(ZipInfo(_INDEX), _json("the names", [[name, kind] for name, (kind, _) in values.items()]))
        for number, (_, content) in enumerate(values.values()):
            archive.writestr(ZipInfo(str(number)), _compressed(content))
    return file.getvalue()


def _compressed(content: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(content, asbytes=True)
    return packed


def _decompressed(address: str, content: bytes) -> bytes:
    """Return what zstd data unpacks to; refuse what unpacks to more than a value can have, before it is in memory."""
    try:
        with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
            unpacked: bytes = stream.read(_LARGEST + 1)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(address, error) from error
    if len(unpacked) > _LARGEST:
        message = f"{address}: unpacks to more than {RULES.unpacked_mebibytes} MiB, which no value has"
        raise CorruptStoreError(message)
    return unpacked


def _npy(name: str, array: object) -> bytes:
    if type(array) is not np.ndarray:
        message = f"{name!r}: {type(array).__name__} would lose what it adds to an array; keep its parts, such as numpy.asarray(...)"
        raise UserError(message)
    file = io.BytesIO()
    try:
        np.save(file, array, allow_pickle=False)
    except ValueError as error:
        message = f"{name!r}: an array of Python objects cannot be kept; keep an array of numbers or texts"
        raise UserError(message) from error
    return file.getvalue()


def _utf8(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        message = f"{name!r}: the text has a character that UTF-8 cannot say: {error.reason}; keep its bytes"
        raise UserError(message) from error


def _arrow(table: pa.Table) -> bytes:
    file = io.BytesIO()
    with ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def _frame(name: str, frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    try:
        frame.write_ipc(file, compression="uncompressed")
    except pl.exceptions.PolarsError as error:
        message = f"{name!r}: the frame cannot be kept: {error}; keep columns of numbers, texts, times or lists"
        raise UserError(message) from error
    return file.getvalue()


def _json(name: str, value: object) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        content = text.encode()
        is_kept = json.loads(text) == value
    except (TypeError, ValueError, RecursionError) as error:
        message = (
            f"{name!r}: cannot be kept ({error}); "
            "give bytes, a text, a NumPy array, an Arrow table, a Polars frame, or what JSON can say"
        )
        raise UserError(message) from error
    if not is_kept:
        message = f"{name!r}: JSON would change it; give lists in place of tuples, and texts as keys"
        raise UserError(message)
    return content
