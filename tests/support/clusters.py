"""Clusters of two workers, where the packages of their engines are installed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def needs_engine(extra: str, package: str) -> pytest.MarkDecorator:
    """Skip tests where an engine is not installed: it has an environment of its own, also in CI."""
    reason = (
        f"{package} of the extra {extra} is not installed; to test it:"
        " UV_PROJECT_ENVIRONMENT=.venv-engines uv run --group engines pytest tests/distributed"
    )
    return pytest.mark.skipif(find_spec(package) is None, reason=reason)
