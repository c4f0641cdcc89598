"""Artifacts: files kept beside the results. The file is written first and its record second, both once however often."""

from __future__ import annotations

from dataclasses import replace
from functools import partial, reduce
from hashlib import sha256 as new_digest
from operator import and_
from typing import TYPE_CHECKING

import polars as pl

from bench_db.arrow import from_table, to_table, valued
from bench_db.derive import artifact_key
from bench_db.errors import CorruptStoreError, StoreNotFoundError, UserError
from bench_db.model import Artifact, Deleted, Put
from bench_db.query.selection import of_commit
from bench_db.rules import RULES
from bench_db.store import atomic, content, named
from bench_db.store.filters import condition, lance_filter, or_null
from bench_db.store.tables import ARTIFACTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from bench_db.store.engine import Engine

_SHORTEST_ABBREVIATION = 4


def put(engine: Engine, source: Path | bytes, artifact: Artifact, run: int | str | None) -> Put:
    """Store a file or bytes and its record, which belongs to a run when one is given; checksum, size and address are set here.

    The table must exist. What belongs to a run belongs to its commit too, when none is given.
    """
    engine.require_writable(ARTIFACTS_TABLE)
    digest, size = _digest(source)
    key, commit = (None, artifact.commit) if run is None else _run(engine, run)
    artifact = replace(
        artifact,
        sha256=digest,
        uri=content.place(digest),
        size_bytes=size,
        run_key=key,
        commit=artifact.commit or commit or None,
    )
    rows = _row(replace(artifact, key=artifact_key(artifact)))
    changed = UserError(f"{artifact.name!r} changed while it was read; put it again when nobody writes to it any more")
    content.keep(engine, digest, content.checked(_chunks(source), digest, changed))
    new = bool(engine.merge(ARTIFACTS_TABLE, rows))
    if content.size_of(engine, artifact.uri) is None:  # a deletion took the file before it could see the record
        content.keep(engine, digest, content.checked(_chunks(source), digest, changed))
    stored = from_table(rows, Artifact) if new else _where(engine, pl.col("key") == rows["key"][0].as_py())
    return Put(artifact=stored[0], new=new)


def _digest(source: Path | bytes) -> tuple[str, int]:
    digest, size = new_digest(), 0
    for chunk in _chunks(source):
        digest.update(chunk)
        size += len(chunk)
    if size > content.LARGEST_BYTES:
        message = f"{size:,} bytes are too many for an artifact, which has at most {content.LARGEST_BYTES:,}"
        raise UserError(message)
    return digest.hexdigest(), size


def _chunks(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield from (source[at : at + content.CHUNK_BYTES] for at in range(0, len(source), content.CHUNK_BYTES))
        return
    try:
        if source.exists() and not source.is_file():
            message = f"{source} is no file; pack a directory first, as in: tar -czf {source.name}.tar.gz {source}"
            raise UserError(message)
        yield from content.chunks_of(source)
    except OSError as error:
        message = f"{source}: cannot be read: {error.strerror}"
        raise UserError(message) from error


def _row(artifact: Artifact) -> pa.Table:
    try:
        return to_table([artifact], ARTIFACTS_TABLE.schema)
    except (UnicodeEncodeError, OverflowError) as error:
        message = f"{artifact.name!r}: its kind, name or commit cannot be stored: {error}"
        raise UserError(message) from error


def _run(engine: Engine, run: int | str) -> tuple[int, str | None]:
    """Key and commit of the one run that is meant."""
    found = named.runs(engine, run)
    if len(found) != 1:
        many = "no run is" if not found else f"{len(found)} runs are"
        shown = ", ".join(f"{key:016x}" for key in list(found)[:5])
        message = f"{many} called {run!r} in {engine.location}; give one run key{f': {shown}' if shown else ''}"
        raise UserError(message)
    return next(iter(found.items()))


def find(
    engine: Engine, *, kind: str | None = None, commit: str | None = None, run: int | str | None = None
) -> list[Artifact]:
    """Return the records of a kind, a commit (or an abbreviation of it) and a run, or of any, in the order they were added."""
    asked = [pl.lit(value=True)]
    asked += [] if kind is None else [pl.col("kind") == kind]
    asked += [] if commit is None else [of_commit(commit)]
    asked += [] if run is None else [pl.col("run_key").is_in(_keys(engine, run))]
    found = _where(engine, reduce(and_, asked[1:] or asked))
    return sorted(found, key=lambda a: (a.added_at, a.name, a.key))


def _keys(engine: Engine, run: int | str) -> list[int]:
    """Keys a run may have; one that is given finds what belongs to a run that is gone, too."""
    given = run if isinstance(run, int) else named.key_of(run)
    return [*named.runs(engine, run), *([] if given is None else [given])]


def _where(engine: Engine, predicate: pl.Expr) -> list[Artifact]:
    """Return the records that match a predicate; none when the table does not exist yet."""
    try:
        records = engine.open(ARTIFACTS_TABLE)
    except StoreNotFoundError:
        return []
    where = lance_filter(predicate, records.leaves)
    if where is not None:  # what lacks a value that each record has is refused, and not passed over
        needed = valued(Artifact, ARTIFACTS_TABLE.required)
        where = or_null(where, [name for name in predicate.meta.root_names() if name in needed])
    rows = records.whole(records.read(ARTIFACTS_TABLE.leaves, where), Artifact)
    return from_table(pl.DataFrame(rows).filter(predicate).to_arrow(), Artifact)


def get(engine: Engine, sha256: str, path: Path) -> Artifact:
    """Write the file with a sha256, or with a sha256 that starts so, to a path, completely or not at all.

    `CorruptStoreError` when the store does not have the content any more.
    """
    artifact = _one(engine, sha256.lower())
    if path.is_dir():
        message = (
            f"{path} is a directory; name the file to write, as in {path / artifact.sha256[: RULES.digest_length]}"
        )
        raise UserError(message)
    try:
        atomic.write(path, content.read(engine, artifact.sha256))
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror}"
        raise UserError(message) from error
    return artifact


def _one(engine: Engine, sha256: str) -> Artifact:
    return meant(_where(engine, pl.col("sha256").str.starts_with(sha256)), sha256)


def meant(found: Iterable[Artifact], sha256: str) -> Artifact:
    """Return an artifact of the one content among some whose sha256 begins with a text; raise `UserError` for none or several."""
    if len(sha256) < _SHORTEST_ABBREVIATION:
        message = f"{sha256!r} is too short for an artifact; give {_SHORTEST_ABBREVIATION} digits of its sha256 or more"
        raise UserError(message)
    contents = {artifact.sha256: artifact for artifact in found if artifact.sha256.startswith(sha256)}
    if len(contents) != 1:
        many = "no artifact" if not contents else f"{len(contents)} artifacts"
        message = f"{many} with a sha256 that begins with {sha256!r}; 'bench-db artifact list' shows them"
        raise UserError(message)
    return contents.popitem()[1]


def delete(engine: Engine, records: Sequence[Artifact], *, dry_run: bool) -> Deleted:
    """Delete records, and the files that no other record names; with `dry_run` only say which.

    The records go first. A file goes only while no record names it: one that is put meanwhile stays, or is written again.
    """
    gone = {record.key for record in records}
    sizes = {record.sha256: record.size_bytes for record in records}
    free = sizes.keys() - {record.sha256 for record in find(engine) if record.key not in gone}
    if gone and not dry_run:
        engine.require_writable(ARTIFACTS_TABLE)
        engine.delete(ARTIFACTS_TABLE, condition("key", sorted(gone)))
        free = {digest for digest in free if content.discard(engine, digest, partial(_is_named, engine, digest))}
    return Deleted(
        artifacts=tuple(records),
        files=len(free),
        size_bytes=sum(sizes[digest] for digest in free),
        changed=bool(gone) and not dry_run,
    )


def _is_named(engine: Engine, sha256: str) -> bool:
    engine.look_again()
    return bool(_where(engine, pl.col("sha256") == sha256))


def require(engine: Engine, sha256: str) -> None:
    """Raise `UserError` when neither a file nor a record has a checksum, and `CorruptStoreError` when only the file is missing."""
    if content.size_of(engine, content.place(sha256)) is not None:
        return
    if _where(engine, pl.col("sha256") == sha256):
        raise content.lost(engine.location, content.place(sha256), "is missing")
    message = f"{engine.location}: has no value with the checksum {sha256}; it was deleted, or is in another store"
    raise UserError(message)


def faults_of(engine: Engine, *, contents: bool = True) -> Iterator[tuple[str, list[str], bool]]:
    """Yield each kind of fault of the artifacts, the places where it was found, and whether it is harmless.

    Without `contents`, a file is compared with its recorded size alone.
    """
    # Files are listed last: a file is there before its record.
    known = find(engine)
    present = content.sizes(engine)
    altered = [a.sha256 for a in known if a.key != artifact_key(a) or not _is_in_place(a)]
    kept = sorted({a.uri for a in known if _is_in_place(a)})
    yield "artifacts whose record is not as it was written", altered, False
    yield "artifacts whose file is missing; put the original again", [uri for uri in kept if uri not in present], False
    sizes = {a.uri: a.size_bytes for a in known}
    damaged = [
        uri
        for uri in kept
        if uri in present and (present[uri] != sizes[uri] or (contents and not _is_sound(engine, uri)))
    ]
    yield "artifacts whose file differs from its checksum; put the original again", damaged, False
    strays = sorted(present.keys() - set(kept))
    unfinished = [uri for uri in strays if uri.endswith(atomic.PART_SUFFIX)]
    yield "files of unfinished writes", unfinished, True
    yield "files without a record; put the original again", [uri for uri in strays if uri not in unfinished], True


def _is_in_place(artifact: Artifact) -> bool:
    return content.is_sha256(artifact.sha256) and artifact.uri == content.place(artifact.sha256)


def _is_sound(engine: Engine, uri: str) -> bool:
    try:
        for _ in content.read(engine, uri.rpartition("/")[2]):
            """Reading to the end is the check."""
    except CorruptStoreError:
        return False
    return True
