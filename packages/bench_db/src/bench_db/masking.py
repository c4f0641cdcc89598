"""Texts without credentials and without places of this machine, for what others read: issues, comments, sites, logs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
_BEGIN_OF_KEY = re.compile("-----BEGIN [A-Z ]*PRIVATE KEY-----")
_END_OF_KEY = re.compile("-----END [A-Z ]*PRIVATE KEY-----")
_PRIVATE_KEY = re.compile(rf"{_BEGIN_OF_KEY.pattern}.*?(?:{_END_OF_KEY.pattern}|\Z)", re.DOTALL)
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
    for shows in (_PRIVATE_KEY, _TOKEN):
        text = shows.sub(_HIDDEN, text)
    for shows in (_STATED, _HEADER):
        text = shows.sub(rf"\1{_HIDDEN}", text)
    return _USER_INFO.sub(f"//{_HIDDEN}@", text)


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, and without the parts of the path and query of a secret address."""
    for part in sorted({part for secret in secrets for part in _parts(secret)}, key=len, reverse=True):
        text = text.replace(part, _HIDDEN)
    return text


def cleaned(lines: Iterable[str], secrets: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a log without secrets and without what looks like a credential; those of a private key as one."""
    parts = [part for secret in secrets for part in (secret, *secret.splitlines()) if len(part) >= _SHORTEST_SECRET]
    key: list[str] = []
    for line in lines:
        key.append(line)
        if _BEGIN_OF_KEY.search(key[0]) and not _END_OF_KEY.search(line):
            continue
        yield redacted(masked("".join(key), parts))
        key.clear()
    if key:
        yield redacted(masked("".join(key), parts))


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
