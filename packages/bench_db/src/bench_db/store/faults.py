"""Classification of storage errors by message, because Lance and its object store raise one class for all errors."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl
from pyarrow.lib import ArrowException

from bench_db.errors import (
    BenchDbError,
    ConflictError,
    CorruptStoreError,
    MissingExtraError,
    SchemaMismatchError,
    StoreNotFoundError,
    StoreUnavailableError,
    UserError,
)
from bench_db.masking import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

STORAGE_ERRORS = (OSError, ValueError, RuntimeError)
_NOT_FOUND = re.compile(r"Dataset at path .* was not found|Table '.*' was not found")
_EXISTS = re.compile(r"Dataset already exists", re.IGNORECASE)
_CONFLICT = re.compile(
    r"already exists|Too many concurrent writers|conflict|retry.*transaction|preempted", re.IGNORECASE
)
# Includes a commit with a lost answer: it may have been applied, and a repeated merge is safe.
_TRANSIENT = re.compile(
    r"Commit result .* unknown|connection (?:reset|closed|refused)|SlowDown|(?<!retry_)timed? ?out|error sending request"
    r"|error decoding response|request or response body error|reset by peer|broken pipe|TooManyRequests"
    r"|\b(?:429|50[0234]) (?:Too|Internal|Bad|Service|Gateway)",
    re.IGNORECASE,
)
_CORRUPT = re.compile(
    r"failed to fill whole buffer|file size is too small|Invalid range|corrupt|invalid utf-8|Not found: .*\.lance"
    r"|does not have an identifier|Invalid magic|magic number|Encountered|decode|sufficient data|references parent id"
    r"|outside metadata region|Tail read position|producer terminated|differing lengths|correct footer|invalid seek"
    r"|Unsupported logical type",
    re.IGNORECASE,
)
_EXPIRED = re.compile(r"ExpiredToken|TokenRefreshRequired")
_SKEWED = re.compile(r"RequestTimeTooSkewed")
_REFUSED = re.compile(
    r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|privileges|\b403 Forbidden|ExpiredToken|RequestTimeTooSkewed|credential"
)
_MISSING_BUCKET = re.compile(r"NoSuchBucket")
_DENIED = re.compile(r"Permission denied|Operation not permitted|Read-only file system")
# Lance commits to a directory with a hard link, so that of two writers one fails.
_NO_LINK = re.compile(r"Unable to rename file: (?:Operation not (?:permitted|supported)|Function not implemented)")
# Error 27 is the largest size of a file, which a process may have, too.
_FULL = re.compile(
    r"No space left on device|no space is left|[Qq]uota exceeded|File too large|not enough space on the disk|os error (?:27|28|122)\b"
)
_NOT_IMPLEMENTED = re.compile(r"NotImplemented|\b501 Not")
_NO_VERSION = re.compile(r"Version not found")
_NO_DIRECTORY = re.compile(r"Not a directory")
# How the message of an error begins that none of the patterns is of; damage has many messages.
_UNKNOWN = "storage failed while"


def damage_errors() -> tuple[type[BaseException], ...]:
    """Return what reading damaged bytes can raise, and working with what was read of them; Polars is loaded where something is raised."""
    own = (BenchDbError, *STORAGE_ERRORS, ArithmeticError, LookupError, MemoryError, TypeError)
    return (*own, ArrowException, pl.exceptions.PolarsError)


def already_exists(error: BaseException) -> bool:
    """Return whether the error means that another process created the table first."""
    return bool(_EXISTS.search(str(error)))


def is_conflict(error: BaseException) -> bool:
    """Return whether the error is a conflict with another writer, so that a retry is right."""
    return bool(_CONFLICT.search(str(error)))


def is_refusal(error: BaseException) -> bool:
    """Return whether the error means that a right is missing."""
    return any(shows.search(str(error.__cause__ or error)) for shows in (_REFUSED, _DENIED))


def is_full(error: BaseException) -> bool:
    """Return whether the error means that no space is left."""
    return bool(_FULL.search(str(error.__cause__ or error)))


def is_transient(error: BaseException) -> bool:
    """Return whether the connection to the store failed and not the request."""
    return bool(_TRANSIENT.search(str(error)))


def is_damage(error: BaseException) -> bool:
    """Return whether an error can come from damaged files. A failed connection, a refusal or another writer cannot."""
    if isinstance(error, ConflictError | StoreNotFoundError | SchemaMismatchError | UserError):
        return False
    if isinstance(error, StoreUnavailableError):
        return _UNKNOWN in str(error) and not is_transient(error.__cause__ or error)
    return isinstance(error, damage_errors())


def require_damage(error: BaseException) -> None:
    """Raise an error again that cannot come from damaged files: it says nothing of them."""
    if not is_damage(error):
        raise error


def explained(error: BaseException, doing: str, where: str) -> BaseException:
    """Return the error of bench_db for a storage error, with the action, the address and the next step; any other error as it is."""
    if isinstance(error, STORAGE_ERRORS):
        return _plain(error, doing, where)
    # Lance meets some damage with a panic of Rust, which is no `Exception`.
    if type(error).__name__ == "PanicException":
        return CorruptStoreError(f"{where}: damaged, found while {doing}: {error}; run 'bench-db store verify'")
    return error


# Pattern of a message, its meaning, and what to do: the first match is reported.
_MEANINGS: tuple[tuple[re.Pattern[str], type[BenchDbError], str], ...] = (
    (_NOT_FOUND, StoreNotFoundError, "no store at {where}: make one with 'bench-db store init', or check --store"),
    (_MISSING_BUCKET, StoreUnavailableError, "{where}: the bucket does not exist; make it first, or check --store"),
    (
        _NO_LINK,
        StoreUnavailableError,
        "{where}: the file system cannot make hard links, which a commit needs ({cause}); put the store on another file system",
    ),
    (
        _FULL,
        StoreUnavailableError,
        "{where}: no space is left while {doing} ({cause}); make some, such as with 'bench-db store optimize --older-than 10m', and try again",
    ),
    (
        _NO_VERSION,
        UserError,
        "{where}: the version was cleaned away while {doing}; name a newer one: 'bench-db store info' shows the newest",
    ),
    (
        _NOT_IMPLEMENTED,
        StoreUnavailableError,
        "{where}: the server does not implement what {doing} needs ({cause}); a store needs conditional writes (If-None-Match)",
    ),
    (
        _EXPIRED,
        StoreUnavailableError,
        "{where}: the AWS credentials have expired while {doing}; renew them, then try again",
    ),
    (
        _SKEWED,
        StoreUnavailableError,
        "{where}: refused while {doing}, for the clocks of this machine and of the server differ too much; set the clock",
    ),
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
    (
        _TRANSIENT,
        StoreUnavailableError,
        "{where}: the connection to the storage failed while {doing} ({cause}); nothing is half-written, try again",
    ),
    (_CORRUPT, CorruptStoreError, "{where}: damaged, found while {doing}: {cause}; run 'bench-db store verify'"),
    (
        re.compile(""),
        StoreUnavailableError,
        f"{{where}}: {_UNKNOWN} {{doing}}, with an error that bench_db does not know: {{cause}}; run 'bench-db doctor', then 'bench-db store verify'",
    ),
)


def known(error: Exception, doing: str, where: str) -> BenchDbError | None:
    """Return the error of bench_db for a refusal, a missing bucket or a failed connection; None for any other error."""
    found = _plain(error, doing, where)
    return found if isinstance(found, StoreUnavailableError) and _UNKNOWN not in str(found) else None


def _plain(error: Exception, doing: str, where: str) -> BenchDbError:
    text = str(error)
    cause = redacted(re.split(r", /|\n|<\?xml", text, maxsplit=1)[0])[:300]
    kind, told = next((kind, told) for shows, kind, told in _MEANINGS if shows.search(text))
    return kind(told.format(where=where, doing=doing, cause=cause))


# The extra of bench-db that installs a package.
_EXTRAS = {"altair": "plot", "boto3": "s3", "botocore": "s3", "duckdb": "sql", "lancedb": "lancedb"}


@contextmanager
def needed_for(what: str) -> Iterator[None]:
    """Raise `MissingExtraError` where the body imports the package of an extra that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        raise MissingExtraError.of(what=what, package=package, extra=_EXTRAS[package]) from error
