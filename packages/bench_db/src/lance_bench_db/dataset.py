"""The address of the database, and a LanceDB connection to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lancedb import DBConnection


def get_database_uri() -> str:
    """Return LANCE_BENCH_URI, or else `~/.lance-bench`."""
    return os.environ.get("LANCE_BENCH_URI") or str(Path.home() / ".lance-bench")


def connect() -> DBConnection:
    """Open a LanceDB connection to the database."""
    from bench_db.store.database import lancedb_connection

    return lancedb_connection(get_database_uri())
