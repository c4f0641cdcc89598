"""Reading a large pytest-benchmark file: bench_db's whole way to records, and plain decoders that check nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# A small file of the same kind, beside the large one.
WARM_UP = "pytest-benchmark-warm-up.json"


def bench_db(file: Path) -> Any:
    """Bytes to typed records."""
    from bench_db import parse  # noqa: PLC0415 exists once there is an adapter

    return parse(file)


def json_loads(file: Path) -> Any:
    """The standard library, to dictionaries."""
    return json.loads(file.read_bytes())


def msgspec_untyped(file: Path) -> Any:
    """msgspec, to dictionaries."""
    return msgspec.json.decode(file.read_bytes())


WAYS: dict[str, Callable[[Path], Any]] = {"bench_db": bench_db, "json": json_loads, "msgspec": msgspec_untyped}
