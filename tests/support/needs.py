"""Requirements of a test on the machine: if missing, the test is skipped, but fails in CI."""

import os
from pathlib import Path
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """Skip a test for a missing requirement; fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def needs_file(path: str) -> None:
    """Require a special file of Linux, such as one below /proc."""
    if not Path(path).exists():
        lacking(f"this machine has no {path}")
