"""What went wrong in storage, told by its message: Lance and its object store raise one class for everything."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench_db.errors import BenchDbError, ConflictError, CorruptStoreError, StoreNotFoundError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

STORAGE_ERRORS = (OSError, ValueError, RuntimeError)

_NOT_FOUND = re.compile(r"Dataset at path .* was not found|Table '.*' was not found")
_EXISTS = re.compile(r"Dataset already exists", re.IGNORECASE)
_CONFLICT = re.compile(
    r"already exists|Too many concurrent writers|conflict|retry.*transaction|preempted", re.IGNORECASE
)
# Includes a commit whose answer was lost: it may or may not have been applied, and merging again finds out.
_TRANSIENT = re.compile(
    r"Commit result .* unknown|connection (?:reset|closed|refused)|SlowDown|\b50[0-4]\b|timed? ?out|error sending request"
    r"|error decoding response|reset by peer|broken pipe",
    re.IGNORECASE,
)
_CORRUPT = re.compile(
    r"failed to fill whole buffer|file size is too small|Invalid range|corrupt|invalid utf-8|Not found: .*\.lance"
    r"|does not have an identifier|Invalid magic|magic number|Encountered|decode|sufficient data",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|privileges|403|ExpiredToken|credential")
_MISSING_BUCKET = re.compile(r"NoSuchBucket")
_DENIED = re.compile(r"Permission denied|Operation not permitted|Read-only file system")
_NO_DIRECTORY = re.compile(r"Not a directory")
_SECRET = re.compile(r"(?i)((?:secret|token|password|signature|credential|accesskey\w*)[\w-]*\W{1,3})[^\s,&\"'<>]+")
_USER_INFO = re.compile(r"//[^/@\s]+@")


def is_not_found(error: BaseException) -> bool:
    """Whether there is simply nothing at the address."""
    return bool(_NOT_FOUND.search(str(error)))


def already_exists(error: BaseException) -> bool:
    """Whether somebody else made the table first."""
    return bool(_EXISTS.search(str(error)))


def is_conflict(error: BaseException) -> bool:
    """Whether another writer came first, so that doing the same again is right."""
    return bool(_CONFLICT.search(str(error)))


def is_transient(error: BaseException) -> bool:
    """Whether the way to the store failed, rather than what was asked of it."""
    return bool(_TRANSIENT.search(str(error)))


@contextmanager
def told_plainly(doing: str, where: str) -> Iterator[None]:
    """Storage errors as errors of bench_db that say what was being done, where, and what to do next."""
    try:
        yield
    except STORAGE_ERRORS as error:
        raise _plain(error, doing, where) from error


# What a message shows, what it means, and what to do: the first that fits is told.
_MEANINGS: tuple[tuple[re.Pattern[str], type[BenchDbError], str], ...] = (
    (_NOT_FOUND, StoreNotFoundError, "no store at {where}: make one with 'bench-db store init', or check --store"),
    (_MISSING_BUCKET, StoreUnavailableError, "{where}: the bucket does not exist; make it first, or check --store"),
    (_REFUSED, StoreUnavailableError, "{where}: access refused while {doing}; check the AWS credentials ({cause})"),
    (
        _CONFLICT,
        ConflictError,
        "{where}: other writers kept coming first while {doing}; nothing was changed, try again",
    ),
    (_DENIED, StoreUnavailableError, "{where}: permission denied while {doing}; check the owner of the directory"),
    (
        _NO_DIRECTORY,
        StoreUnavailableError,
        "{where}: is a file, or below one, and a store is a directory; check --store",
    ),
    (_CORRUPT, CorruptStoreError, "{where}: damaged, found while {doing}: {cause}; run 'bench-db store verify'"),
    (
        re.compile(""),
        StoreUnavailableError,
        "{where}: storage failed while {doing}: {cause}; try again, or run 'bench-db doctor'",
    ),
)


def _plain(error: Exception, doing: str, where: str) -> BenchDbError:
    text = str(error)
    cause = redacted(re.split(r", /|\n|<\?xml", text, maxsplit=1)[0])[:300]
    kind, told = next((kind, told) for shows, kind, told in _MEANINGS if shows.search(text))
    return kind(told.format(where=where, doing=doing, cause=cause))


def redacted(text: str) -> str:
    """The text without anything that looks like a credential."""
    return _USER_INFO.sub("//***@", _SECRET.sub(r"\1***", text))
