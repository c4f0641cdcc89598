"""Parsers of a large pytest-benchmark file: bench_db from bytes to records, and plain decoders without checks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# A small file of the same format in the same directory.
WARM_UP = "pytest-benchmark-warm-up.json"


def bench_db(file: Path) -> Any:
    """Parse bytes to typed records."""
    from bench_db import parse  # noqa: PLC0415 keeps bench_db out of the memory of the plain decoders

    return parse(file)


def json_loads(file: Path) -> Any:
    """Decode to dictionaries with the standard library."""
    return json.loads(file.read_bytes())


def msgspec_untyped(file: Path) -> Any:
    """Decode to dictionaries with msgspec."""
    return msgspec.json.decode(file.read_bytes())


WAYS: dict[str, Callable[[Path], Any]] = {"bench_db": bench_db, "json": json_loads, "msgspec": msgspec_untyped}
