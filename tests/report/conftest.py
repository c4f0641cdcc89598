"""What tests of pages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.report.browsing import Visit, visiting, written
from tests.report.example_site import site_content
from tests.support.workers import made_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "example_site", lambda directory: written(directory, site_content()))


@pytest.fixture
def visit(browser: Browser, root: Path) -> Iterator[Visit]:
    """A visit that must end without a complaint, and without a request to anything but the site's own files."""
    with visiting(browser, root) as one:
        yield one
        assert one.complaints == []
        assert [url for url in one.requests if not url.startswith(root.as_uri())] == []
