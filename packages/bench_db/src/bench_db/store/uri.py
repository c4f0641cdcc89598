"""The address of a store: a local directory or a prefix of an S3 bucket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bench_db.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """The address of a store. `bucket` is empty for a local directory; `path` is the directory, or the prefix in the bucket."""

    path: str
    bucket: str = ""

    @property
    def is_s3(self) -> bool:
        """Whether the store is in a bucket."""
        return bool(self.bucket)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.path}".rstrip("/") if self.bucket else self.path

    def child(self, name: str) -> str:
        """Return the full address of a child of the store."""
        return f"{self}/{name}" if self.bucket else str(Path(self.path) / name)


def locate(uri: str | Path) -> Location:
    """Parse an address: a path (`~` allowed), `file:///path` or `s3://bucket/prefix`; raise `UserError` for anything else."""
    text = str(uri)
    if not text or "\0" in text:
        message = "the store's address is empty: give a directory or s3://bucket/prefix with --store or BENCH_DB_URI"
        raise UserError(message)
    parts = urlsplit(text)
    match parts.scheme:
        case "s3":
            return _bucket(text, parts.netloc, parts.path.strip("/"))
        case "file":
            if parts.netloc not in {"", "localhost"}:
                message = f"{text}: a file address has three slashes, as in file:///data/store"
                raise UserError(message)
            return Location(path=str(Path(unquote(parts.path)).absolute()))
        case scheme if "://" in text:
            message = f"cannot open a store at {scheme}://: use a directory, file:///path or s3://bucket/prefix"
            raise UserError(message)
    return Location(path=str(Path(text).expanduser().absolute()))


def _bucket(text: str, bucket: str, prefix: str) -> Location:
    if not bucket or "@" in bucket:
        message = "an S3 store is s3://bucket/prefix; credentials come from the environment, a profile or a role"
        raise UserError(message)
    if "?" in text or "#" in text:
        message = f"s3://{bucket}: a bucket address takes no query or fragment"
        raise UserError(message)
    return Location(path=prefix, bucket=bucket)
