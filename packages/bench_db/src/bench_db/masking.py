"""Texts without credentials and without places of this machine, for what others read: issues, comments, sites, logs."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_HIDDEN = "***"
_SHORTEST_SECRET = 6
_NAMES = (
    *("SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL"),
    *("ACCESS_KEY", "API_KEY", "APIKEY", "PRIVATE", "WEBHOOK"),
)
_STATED = re.compile(
    r"(?i)((?:secret|token|password|passwd|signature|credential|api[_-]?key|accesskey\w*)[\w-]*[\"']?\s?[=:>]\s?[\"']?)[^\s,&\"'<>]+"
)
_USER_INFO = re.compile(r"//[^/@\s]+@")
_HEADER = re.compile(r"(?i)\b(bearer\s+|authorization[\"']?\s?[:=]\s?[\"']?(?:[a-z]+\s+)?)[\w.~+/=-]{8,}")
_BEGIN_OF_KEY = "-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
_END_OF_KEY = "-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
# The group is empty at an end.
_MARK_OF_KEY = re.compile(f"({_BEGIN_OF_KEY})|{_END_OF_KEY}")
_PRIVATE_KEY = re.compile(rf"{_BEGIN_OF_KEY}.*?(?:{_END_OF_KEY}|(?=[\r\n]*\Z))", re.DOTALL)
# The body of a key has lines of 64 to 76 characters, maybe after a time or a name; a short line is the last of one.
_BODY_OF_KEY = re.compile(rf"[A-Za-z0-9+/=]{{48,}}|\A\s*[A-Za-z0-9+/=]+\s*\Z|{_BEGIN_OF_KEY}")
# An RSA key of 16,384 bits has 199 lines; before its body are up to two headers and an empty line.
_LINES_OF_KEY = 200
_HEADERS_OF_KEY = 3
# As GitHub, GitLab, AWS, Slack, npm, PyPI, Google, Hugging Face, OpenAI and Anthropic write theirs, and a signed JSON Web Token.
_TOKEN = re.compile(
    r"\b(?:gh[oprsu]_\w{16,}|github_pat_\w{16,}|gl[a-z]{2,5}-[\w.-]{16,}|A[KS]IA[A-Z0-9]{16}|xox[a-z]-[\w-]{10,}"
    r"|npm_\w{30,}|pypi-[\w-]{16,}|AIza[\w-]{30,}|hf_\w{20,}|sk-[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|hooks\.slack\.com/[\w/-]+)"
)
_PATH = re.compile(
    r"(?:(?<=file://)|(?<![\w./~@-]))/(?:[\w.@+~%=-]+/)+[\w.@+~%=-]*"
    r"|(?<!\w)[A-Za-z]:[\\/](?:[\w.@+~%= -]+[\\/])+[\w.@+~%=-]*"
)


def redacted(text: str) -> str:
    """Remove everything from a text that looks like a credential."""
    text = "".join(_PRIVATE_KEY.sub(_HIDDEN, piece) for piece in _pieces(text.splitlines(keepends=True)))
    text = _TOKEN.sub(_HIDDEN, text)
    for shows in (_STATED, _HEADER):
        text = shows.sub(rf"\1{_HIDDEN}", text)
    return _USER_INFO.sub(f"//{_HIDDEN}@", text)


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, and without the parts of the path and query of a secret address."""
    return _without(text, _ordered(secrets))


def cleaned(lines: Iterable[str], secrets: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a log without secrets and without what looks like a credential; those of a private key as one."""
    spelled = (part for secret in secrets for part in (secret, *secret.splitlines()))
    parts = _ordered(part for part in spelled if len(part) >= _SHORTEST_SECRET)
    for piece in _pieces(lines):
        yield redacted(_without(piece, parts))


def _ordered(secrets: Iterable[str]) -> list[str]:
    """Return the parts of secrets, longest first: a shorter one may be in a longer one."""
    return sorted({part for secret in secrets for part in _parts(secret)}, key=len, reverse=True)


def _without(text: str, parts: Iterable[str]) -> str:
    for part in parts:
        text = text.replace(part, _HIDDEN)
    return text


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines, and those of a private key as one.

    A key goes to the line where it ends. Where so many lines that are not like those of a body follow and no end, it was cut or is
    only named: it goes as far as lines are like those of a body.
    """
    following, again = iter(lines), deque[str]()

    def taken() -> str | None:
        return again.popleft() if again else next(following, None)

    while (line := taken()) is not None:
        key, certain, others = [line], 1, 0
        marks = _MARK_OF_KEY.findall(line)
        while marks and marks[-1] and others < _LINES_OF_KEY and (line := taken()) is not None:
            key.append(line)
            others += not _BODY_OF_KEY.search(line)
            if "" in (found := _MARK_OF_KEY.findall(line)):
                certain, others, marks = len(key), 0, found
        if marks and marks[-1]:
            length = _length_of_key(key, certain)
            again.extendleft(reversed(key[length:]))
            del key[length:]
        yield "".join(key)


def _length_of_key(lines: Sequence[str], certain: int) -> int:
    """Return how many lines a key without an end has, of which so many are certain."""
    length = certain
    for number, line in enumerate(lines[certain:], start=certain + 1):
        if number - length > _HEADERS_OF_KEY + 1:
            break
        if _BODY_OF_KEY.search(line):
            length = number
    return length


def without_places(text: str) -> str:
    """Return a text with the names of files and directories in place of their absolute paths."""
    return _PATH.sub(lambda found: re.split(r"[\\/]", found[0].rstrip("\\/"))[-1], text)


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of variables whose names say that they are secret, longest first."""
    found = {
        value
        for name, value in environment.items()
        if any(word in name.upper() for word in _NAMES) and len(value) >= _SHORTEST_SECRET
    }
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def _parts(secret: str) -> Iterator[str]:
    """Yield a secret; of an address also the segments of its path, its query and the values there, encoded and decoded."""
    if secret:
        yield secret
    try:
        address = urlsplit(secret)
    except ValueError:
        return
    if address.scheme and address.netloc:
        values = (field.partition("=")[2] or field for field in address.query.split("&"))
        stated = [*address.path.split("/"), address.query, *values]
        spelled = (each for part in stated for each in (part, unquote(part), quote(unquote(part), safe="")))
        yield from (each for each in spelled if len(each) >= _SHORTEST_SECRET)
