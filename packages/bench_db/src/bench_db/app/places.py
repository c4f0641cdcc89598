"""Places: where stores are, as values that can be compared, written down, pickled, and opened."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from hashlib import sha256
from inspect import get_annotations
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from bench_db.errors import UserError
from bench_db.masking import redacted
from bench_db.store import schemes
from bench_db.store.database import engine_at
from bench_db.store.engine import Location, locate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Unpack

    import polars as pl

    from bench_db.app.collection import Asked, AskedInSql, AskedOfSite, Copying, Newest
    from bench_db.app.database import Database
    from bench_db.app.tree import Written
    from bench_db.model import Transfer

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_SECRET = re.compile(r"password|passwd|secret|token|credential|access_?key|private_?key|signature", re.IGNORECASE)
_CLASSES: dict[str, type[Place]] = {}

# Part of the names of directories, so another value would lose stores. File systems allow 255 bytes.
_LONGEST = 200
_CHECKSUM = 32
# Names that Windows gives to devices, with or without an ending, and the directories of tables in a store.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.*\.lance|artifacts")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-.")
_ESCAPED = re.compile(r"(?:[a-z0-9_.-]|=[0-9a-f]{2})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The parts of `scheme://host:port/path?name=value`; `path` begins with a slash or is empty, and has no escapes."""

    scheme: str
    host: str = ""
    port: int | None = None
    path: str = ""
    parameters: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Place(ABC):
    """The address of one store, or of a collection: a directory or prefix with stores below it.

    A subclass with a `scheme` is found by addresses of that scheme. Its fields are texts and numbers that say where the stores are;
    a secret is not one of them. `store_name` is the store in the collection, None for the directory itself.
    """

    scheme: ClassVar[str]
    store_name: str | None = None

    def __init_subclass__(cls, **arguments: object) -> None:
        super().__init_subclass__(**arguments)
        if "scheme" in cls.__dict__:
            _register(cls)

    def __post_init__(self) -> None:
        if self.store_name is not None:
            directory_of(self.store_name)

    def __str__(self) -> str:
        return self.address

    @classmethod
    @abstractmethod
    def from_address(cls, address: Address) -> Self:
        """Return the place of an address of this scheme."""

    @abstractmethod
    def collection_address(self) -> str:
        """Return the directory, or the address in S3, of the collection."""

    @property
    def address(self) -> str:
        """The directory, or the address in S3, that is opened."""
        return str(self._location)

    @property
    def _location(self) -> Location:
        root = locate(self.collection_address())
        return root if self.store_name is None else root.below(directory_of(self.store_name))

    @property
    def is_scoped(self) -> bool:
        """Whether this is one store of a collection."""
        return self.store_name is not None

    def scoped(self, name: str) -> Self:
        """Return the place of a store in this collection, whether or not it exists; raise `UserError` for a store's place."""
        if self.store_name not in (None, name):
            message = f"this is the place of the store {self.store_name!r} already; take the one of its collection for {name!r}"
            raise UserError(message)
        return replace(self, store_name=name)

    def list_stores(self) -> list[str]:
        """Return the names of the stores directly below, sorted; a directory with a name of its own is named by that.

        Raises `UserError` for the place of one store, and `StoreNotFoundError` without the directory.
        """
        return list(self.places())

    def places(self) -> dict[str, Place]:
        """Return the place of each store directly below by its name, sorted. Raises what `list_stores` raises."""
        return {name: self._below(name, directory) for name, directory in sorted(self._directories().items())}

    def for_store(self, name: str) -> Place:
        """Return the place of an existing store of this collection, by its name or its directory. Raises `UserError` for another."""
        named = self._directories()
        if directory_of(name) in named.values():
            return self.scoped(name)
        if name in named.values():
            return self._below(name_of(name), name)
        known = ", ".join(map(repr, sorted(named))) or "none"
        message = f"{self.address}: no store {name!r} in this collection; there are {known}"
        raise UserError(message)

    def _below(self, name: str, directory: str) -> Place:
        return self.scoped(name) if directory_of(name) == directory else place(str(self._location.below(directory)))

    def _directories(self) -> dict[str, str]:
        """Return the directory of each store below by its name."""
        if self.store_name is not None:
            message = f"{self.address} is the place of one store; ask the one of its collection for the stores"
            raise UserError(message)
        found: dict[str, str] = {}
        for directory in engine_at(self.address).stores_below():
            other = found.setdefault(name_of(directory), directory)
            if other != directory:
                message = f"{self.address}: the directories {other} and {directory} are both named {name_of(directory)!r}; rename one of them"
                raise UserError(message)
        return found

    def connect(self, create: bool = False, *, single_writer: bool = False) -> Database:  # noqa: FBT001, FBT002 as `connect`
        """Open the store, as `bench_db.connect` does."""
        from bench_db.app.database import connect  # noqa: PLC0415 it takes places

        return connect(self.address, create, single_writer=single_writer)

    def describe_stores(self) -> pl.DataFrame:
        """Return a row for each store of this collection: `store`, `address`, `runs`, `results`, `published_at` of the newest run, `error`.

        `error` says why a store cannot be read; its numbers are null.
        """
        from bench_db.app import collection  # noqa: PLC0415 it imports this module

        return collection.described(self)

    def latest(self, **asked: Unpack[Newest]) -> pl.DataFrame:
        """Return the newest result of each series of every store of this collection, as `Database.latest` does, with the column `store`.

        `last` counts in each store. Raises `UserError` when there is no store, as the following do.
        """
        return self._together(lambda store: store.latest(**asked))

    def to_dataframe(self, **asked: Unpack[Asked]) -> pl.DataFrame:
        """Return the results of every store of this collection, as `Database.to_dataframe` does, with the column `store`."""
        return self._together(lambda store: store.to_dataframe(**asked))

    def _together(self, ask: Callable[[Database], pl.DataFrame]) -> pl.DataFrame:
        from bench_db.app import collection  # noqa: PLC0415 it imports this module

        return collection.together({name: ask(store) for name, store in collection.stores(self).items()})

    def query(self, sql: str, **asked: Unpack[AskedInSql]) -> pl.DataFrame:
        """Return the answer to one SELECT, as `Database.query` does; each table has the rows of every store, and the column `store`."""
        from bench_db.app import collection  # noqa: PLC0415 it imports this module

        return collection.query(self, sql, **asked)

    def site(self, out: str | Path, **asked: Unpack[AskedOfSite]) -> Written:
        """Write a page that lists the stores, and the site of each, with the arguments of `bench_db.site`."""
        from bench_db.app import collection  # noqa: PLC0415 it imports this module

        return collection.write_site(self, out, **asked)

    def copy_to(self, target: Place, **options: Unpack[Copying]) -> dict[str, Transfer]:
        """Merge stores into those of the same names in another collection, as `Database.copy_to` does, and return what was copied by name.

        The place of a collection copies every store, that of a store the one.
        """
        from bench_db.app import collection  # noqa: PLC0415 it imports this module

        return collection.copy(self, target, **options)

    def to_dict(self) -> dict[str, Any]:
        """Return the place as a document of JSON: its scheme and its fields. Raises `UserError` for a field with a credential."""
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in document.items():
            if not isinstance(value, str | int | float | None):
                message = (
                    f"{type(self).__name__}.{name} is a {type(value).__name__}; a place has texts and numbers alone"
                )
                raise UserError(message)
            if isinstance(value, str) and redacted(value) != value:
                message = f"{type(self).__name__}.{name} contains a credential; give it in the environment instead"
                raise UserError(message)
        return {"scheme": self.scheme, **document}

    @staticmethod
    def from_dict(document: Mapping[str, object]) -> Place:
        """Return the place that `to_dict` has written; raise `UserError` for another document."""
        scheme = document.get("scheme")
        stated: dict[str, Any] = {name: value for name, value in document.items() if name != "scheme"}
        if not isinstance(scheme, str):
            message = f"a place has a 'scheme', such as 'file' or 's3'; this document has {', '.join(map(repr, document)) or 'nothing'}"
            raise UserError(message)
        kind = _class_of(scheme)
        known = {field.name for field in fields(kind)}
        if unknown := sorted(stated.keys() - known):
            message = f"{unknown[0]!r} is not a field of a place of {scheme}://; it has {', '.join(sorted(known))}"
            raise UserError(message)
        try:
            return kind(**stated)
        except TypeError as error:
            message = f"this document is not a place of {scheme}://: {error}"
            raise UserError(message) from error


def _register(kind: type[Place]) -> None:
    """Register a subclass by its scheme; a class that is defined again, as in a notebook, replaces itself."""
    scheme, known = kind.scheme, _CLASSES.get(kind.scheme)
    if not _SCHEME.fullmatch(scheme):
        message = f"{kind.__name__}.scheme is {scheme!r}; a scheme begins with a letter and has a-z, 0-9, +, . and -"
        raise UserError(message)
    if known is not None and (known.__module__, known.__name__) != (kind.__module__, kind.__name__):
        message = f"{kind.__name__}.scheme is {scheme!r}, which {known.__module__}.{known.__name__} has; choose another"
        raise UserError(message)
    for name in get_annotations(kind):
        if _SECRET.search(name):
            message = f"{kind.__name__}.{name}: a place is written down and sent to other processes, so it has no secret; read it in collection_address"
            raise UserError(message)
    _CLASSES[scheme] = kind
    schemes.register(scheme, partial(_resolve, scheme))


def _resolve(scheme: str, address: str) -> str:
    return _CLASSES[scheme].from_address(_parsed(scheme, address)).address


@dataclass(frozen=True, kw_only=True)
class FilePlace(Place):
    """A directory; `root` becomes absolute."""

    scheme: ClassVar[str] = "file"
    root: str

    def __post_init__(self) -> None:
        super().__post_init__()
        location = locate(self.root)
        if location.is_s3:
            message = "the root of a FilePlace is a directory; bench_db.place gives the place of an address in S3"
            raise UserError(message)
        object.__setattr__(self, "root", location.path)

    @classmethod
    def from_address(cls, address: Address) -> Self:
        """Return the place of a directory."""
        return cls(root=address.path)

    def collection_address(self) -> str:
        """Return the directory."""
        return self.root


@dataclass(frozen=True, kw_only=True)
class S3Place(Place):
    """A prefix in a bucket. Credentials and the endpoint come from the environment, a profile or a role."""

    scheme: ClassVar[str] = "s3"
    bucket: str
    prefix: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "prefix", self.prefix.strip("/"))
        if not self.bucket or set(self.bucket) & set("/@?#%:"):
            message = "the bucket of an S3Place is a name, without a scheme, a path or credentials"
            raise UserError(message)

    @classmethod
    def from_address(cls, address: Address) -> Self:
        """Return the place of a prefix."""
        return cls(bucket=address.host, prefix=address.path)

    def collection_address(self) -> str:
        """Return the address in S3."""
        return str(Location(path=self.prefix, bucket=self.bucket))


def place(address: str | Path) -> Place:
    """Return the place of a directory, `file:///path`, `s3://bucket/prefix` or an address of a registered scheme.

    Raises `UserError` for an unknown scheme, and for an address with a password or another secret in it.
    """
    text = str(address)
    scheme = schemes.scheme_of(text)
    if scheme is None or scheme in schemes.BUILT_IN:
        location = locate(text)
        return (
            S3Place(bucket=location.bucket, prefix=location.path) if location.is_s3 else FilePlace(root=location.path)
        )
    return _class_of(scheme).from_address(_parsed(scheme, text))


def _parsed(scheme: str, text: str) -> Address:
    try:
        parts = urlsplit(text)
        host, port, parameters = parts.hostname or "", parts.port, dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError as error:
        message = f"the address of {scheme}:// cannot be split into its parts: {scheme}://host:port/path?name=value"
        raise UserError(message) from error
    if _has_secret(parts, parameters):
        message = f"the address of {scheme}:// has a credential in it; a place takes them from the environment"
        raise UserError(message)
    return Address(scheme=scheme, host=host, port=port, path=unquote(parts.path), parameters=parameters)


def _has_secret(parts: SplitResult, parameters: Mapping[str, str]) -> bool:
    return "@" in parts.netloc or any(_SECRET.search(name) for name in parameters)


def _class_of(scheme: str) -> type[Place]:
    if scheme not in _CLASSES:
        schemes.load(scheme)
    return _CLASSES[scheme]


def directory_of(name: str) -> str:
    """Return the name of the directory of a store: different for every name, on every file system and in S3.

    Lower-case letters, digits, `_`, `-` and `.` stay, and every other byte of UTF-8 becomes `=` and two hexadecimal digits: `My exp:1`
    is `=4dy=20exp=3a1`. A name that is too long keeps its beginning and ends with `==` and a checksum. Raises `UserError` for an
    empty name and for one that is not Unicode.
    """
    try:
        content = name.encode()
    except UnicodeEncodeError as error:
        message = f"the name of a store {name!r} is not valid Unicode; choose another"
        raise UserError(message) from error
    if not content:
        message = "the name of a store is empty; choose another"
        raise UserError(message)
    special = _RESERVED.fullmatch(name) is not None
    last = len(content) - 1
    # not at an end, where . and .. are directories, where Windows drops dots, and where a shell takes a dash for an option
    kept = [
        byte in _PLAIN
        and not (byte in b".-" and at == 0)
        and not (byte in b"." and at == last)
        and not (special and at == 0)
        for at, byte in enumerate(content)
    ]
    parts = [chr(byte) if keep else f"={byte:02x}" for byte, keep in zip(content, kept, strict=True)]
    ends = list(accumulate(map(len, parts)))
    if ends[-1] <= _LONGEST:
        return "".join(parts)
    ending = f"=={sha256(content).hexdigest()[:_CHECKSUM]}"
    return "".join(part for part, end in zip(parts, ends, strict=True) if end <= _LONGEST - len(ending)) + ending


def name_of(directory: str) -> str:
    """Return the name of the store in a directory: that of `directory_of`, or for any other directory its own name."""
    if not _ESCAPED.fullmatch(directory):
        return directory
    content = re.sub(rb"=(..)", lambda found: bytes.fromhex(found[1].decode()), directory.encode())
    try:
        name = content.decode()
    except UnicodeDecodeError:
        return directory
    return name if directory_of(name) == directory else directory
