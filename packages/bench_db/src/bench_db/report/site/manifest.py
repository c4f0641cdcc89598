"""What a rebuild changes: decided from two manifests, done by whoever writes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = "manifest.json"
UNFINISHED = "unfinished.txt"
"""Names the files that a build has written and not finished with, a path a line."""
_NOTE = "made from"
_OURS = re.compile(r"(?:(?:assets|data|samples)/)?[a-z0-9][\w.-]*\.(?:html|js|css|svg|txt|xml)", re.ASCII)

Manifest = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Paths to write and paths to remove."""

    write: frozenset[str]
    remove: frozenset[str]


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """Return the changes from the files of one manifest to those of another. A file that no manifest names is never removed."""
    write = frozenset(path for path, digest in after.items() if before.get(path) != digest)
    return Changes(write=write, remove=frozenset(before) - frozenset(after))


def digest(content: bytes) -> str:
    """Return the digest of a file in a manifest."""
    return sha256(content).hexdigest()


def manifest_bytes(manifest: Mapping[str, str], note: str = "") -> bytes:
    """Encode a manifest: JSON, paths in order. A `note` says what its files were made from; it is bound to them by a digest."""
    noted = {_NOTE: f"{_bound(note, manifest)} {note}"} if note else {}
    return (json.dumps({**manifest, **noted}, indent=0, sort_keys=True) + "\n").encode()


def read_note(content: bytes) -> str:
    """Return the note of a manifest; "" without one, and where a path or a digest of the manifest is another one since."""
    try:
        found = json.loads(content)
    except ValueError:
        return ""
    noted = found.pop(_NOTE, None) if isinstance(found, dict) else None
    bound, _, note = noted.partition(" ") if isinstance(noted, str) else ("", "", "")
    return note if bound == _bound(note, found) else ""


def _bound(note: str, manifest: Mapping[str, str]) -> str:
    return digest(json.dumps([note, manifest], sort_keys=True).encode())


def read_manifest(content: bytes) -> Manifest:
    """Read a manifest from bytes. Other content is an empty manifest; a path that no site has is left out."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {path: value for path, value in found.items() if isinstance(value, str) and _OURS.fullmatch(path)}


def read_paths(content: bytes) -> list[str]:
    """Read the paths of `UNFINISHED`; one that no site has is left out."""
    return [path for path in content.decode("utf-8", "replace").split("\n") if _OURS.fullmatch(path)]
