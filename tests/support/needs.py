"""What a test needs of the machine: elsewhere it is passed over, in CI it is a failure, or a promise would go unchecked."""

import os
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """End a test for lack of something."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
