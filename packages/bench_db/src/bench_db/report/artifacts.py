"""Artifacts as JSON documents and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench_db.report.quantity import quantity
from bench_db.report.rows import when
from bench_db.report.text import PLAIN, Fit, Screen, table
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import Artifact, Deleted, Put

_FIT = Fit(names="name", drop=(("added",), ("run",), ("size",), ("commit",)))


def as_json(artifact: Artifact) -> dict[str, Any]:
    """Return a record without its own key; the key of its run is hexadecimal text."""
    document = {name: value for name, value in asdict(artifact).items() if name != "key"}
    return document | {"run_key": _run(artifact)}


def as_text(found: Sequence[Artifact], screen: Screen = PLAIN) -> str:
    """Return a table of artifacts, each with as much of its sha256 as `artifact get` needs."""
    if not found:
        return "no artifacts"
    cells = [
        (
            a.sha256[: RULES.digest_length],
            a.kind,
            a.name,
            quantity(a.size_bytes, "bytes"),
            (a.commit or "-")[: RULES.sha_length],
            _run(a) or "-",
            when(a.added_at),
        )
        for a in found
    ]
    return table(("sha256", "kind", "name", "size", "commit", "run", "added"), cells, ("size",), screen, _FIT)


def put_json(done: Sequence[Put]) -> dict[str, Any]:
    """Return what `store.artifacts.Put` did, file by file and in total."""
    new = sum(one.new for one in done)
    documents = [{**as_json(one.artifact), "new": one.new} for one in done]
    return {"artifacts": documents, "new": new, "unchanged": len(done) - new}


def put_text(done: Sequence[Put]) -> str:
    """Render what `store.artifacts.Put` did as a table below the counts."""
    counts = put_json(done)
    return f"{counts['new']} new, {counts['unchanged']} there already\n{as_text([one.artifact for one in done])}"


def deleted_json(done: Deleted) -> dict[str, Any]:
    """Return what a deletion did, or would do when nothing `changed`."""
    documents = [as_json(artifact) for artifact in done.artifacts]
    return {"artifacts": documents, "files": done.files, "size_bytes": done.size_bytes, "changed": done.changed}


def deleted_text(done: Deleted, screen: Screen = PLAIN) -> str:
    """Render what a deletion did above the table of the artifacts."""
    if not done.artifacts:
        return "no artifacts"
    head = "deleted" if done.changed else "nothing changed; with --yes these would be deleted"
    size = quantity(done.size_bytes, "bytes")
    stay = len({artifact.sha256 for artifact in done.artifacts}) - done.files
    kept = f"; {stay} of their files stay, because other artifacts have the same content" if stay else ""
    return (
        f"{head}: {len(done.artifacts)} artifacts, {done.files} files ({size}){kept}\n{as_text(done.artifacts, screen)}"
    )


def _run(artifact: Artifact) -> str | None:
    return None if artifact.run_key is None else f"{artifact.run_key:016x}"
