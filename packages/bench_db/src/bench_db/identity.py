"""Keys computed from content alone: equal content has the same key on every machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b, sha1
from typing import TYPE_CHECKING
from uuid import UUID

from bench_db.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMESPACE = UUID("6f1c0f1e-8d0b-5c35-9b0d-2d3c5d3f6a01").bytes
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}  # of a UUID, in its 17th digit
_BUILD_SHA = re.compile(r"\+(?:.*\.)?g?([0-9a-f]{7,40})(?:[.-]dirty)?$", re.IGNORECASE)
_SHA = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
_FULL_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# digits of a commit id in a version, as git abbreviates it; this is stored, unlike `rules.sha_length`, which is only shown
ABBREVIATED_SHA = 7
_POSITIVE = (1 << 63) - 1


def injective(parts: Iterable[str]) -> str:
    """Join texts into one text that no other list of texts gives."""
    return "".join([f"{len(part)}:{part}" for part in parts])


def hash63(parts: Iterable[str]) -> int:
    """Return a non-negative 63-bit hash of a list of texts; stored keys depend on it, so it never changes."""
    return hash63_of(injective(parts))


def hash63_of(joined: str) -> int:
    """Return `hash63` of a list of texts that `injective` has joined; joined lists may be concatenated."""
    digest = blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") & _POSITIVE


def content_id(parts: Iterable[str]) -> str:
    """Return the UUID (version 5) of a list of texts."""
    return content_id_of(injective(parts))


def content_id_of(joined: str) -> str:
    """Return `content_id` of a list of texts that `injective` has joined, as `uuid.uuid5` does in three times the time."""
    text = sha1(_NAMESPACE + joined.encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def tags_key(tags: Mapping[str, str]) -> str:
    """Return the canonical text of tags: `k=v` sorted by name and joined by commas; "" without tags.

    `%`, `=` and `,` in names and values are percent-encoded.
    """
    return ",".join(f"{_escape(name)}={_escape(tags[name])}" for name in sorted(tags))


def require_text(name: str, value: object) -> None:
    """Raise `UserError` with the name of the argument for a value that is no text, before it fails far from its caller."""
    if not isinstance(value, str):
        message = f"`{name}`: a text is expected, not {value!r:.100} ({type(value).__name__})"
        raise UserError(message)


def tag_texts(tags: object) -> dict[str, str]:
    """Return tags with numbers and booleans as texts: 32 is `32`, True is `true`. Raises `UserError` for other values."""
    if not isinstance(tags, Mapping):
        message = f"`tags`: a mapping of names to values is expected, not {tags!r:.100} ({type(tags).__name__})"
        raise UserError(message)
    texts = {}
    for name, value in tags.items():
        if not isinstance(value, str | int | float) or not isinstance(name, str):
            message = f"tag {name!r}: {value!r} cannot be the value of a tag; give a text, a number or a boolean"
            raise UserError(message)
        texts[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return texts


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("=", "%3D").replace(",", "%2C")


def tags_of_key(key: str) -> dict[str, str]:
    """Parse the canonical text of tags, the reverse of `tags_key`."""
    pairs = (part.split("=", 1) for part in key.split(",") if part)
    return {_unescape(name): _unescape(value) for name, value in pairs}


def _unescape(text: str) -> str:
    return text.replace("%2C", ",").replace("%3D", "=").replace("%25", "%")


def commit_of_version(version: str) -> str | None:
    """Return the sha at the end of a version such as `0.15.0+abc1234`; None without a sha."""
    found = _BUILD_SHA.search(version)
    return found[1].lower() if found else None


def is_full_sha(text: str) -> bool:
    """Return whether a text is a full commit id, of SHA-1 or SHA-256."""
    return bool(_FULL_SHA.fullmatch(text))


def is_commit_id(text: str) -> bool:
    """Return whether a text is a commit id, or its first 7 digits or more."""
    return bool(_SHA.fullmatch(text))


def same_commit(one: str | None, other: str | None) -> bool:
    """Return whether two commit ids are equal, or one abbreviates the other; False when one is unknown."""
    if not one or not other:
        return False
    one, other = one.lower(), other.lower()
    return one.startswith(other) or other.startswith(one)
