"""Every report of the same two runs as golden files; `RENEW_GOLDEN=1` writes them."""

from __future__ import annotations

import os
from pathlib import Path


def golden(name: str, text: str) -> str:
    """Return the expected text of a report."""
    path = Path(__file__).parent / name
    if os.environ.get("RENEW_GOLDEN"):
        path.write_text(text, "utf-8", newline="")
    return path.read_bytes().decode()
