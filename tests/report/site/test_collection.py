from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from bench_db.report.site.collection import StoreRow, site
from tests.report.browsing import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

ROWS = [
    StoreRow(name="<b>&exp", directory="stores/=3cb", series=1200, newest=1_800_000_000, findings=2),
    StoreRow(name="new", directory="stores/new", series=0, newest=None, findings=0),
]


class TestSite:
    """A page names each store with its numbers and leads to its site."""

    def test_page(self) -> None:
        files = dict(site("My <title>", ROWS))
        html = files["index.html"].decode()
        assert '<a href="stores/%3D3cb/index.html"><bdi>&lt;b&gt;&amp;exp</bdi></a>' in html
        assert "1,200" in html
        assert "2027-01-15 08:00" in html
        assert "My &lt;title&gt;" in html
        assert "feed.xml" not in html  # neither the feed nor the pages of one store
        assert "series.html" not in html
        assert all(path in files for path in files if path in html)

    @pytest.mark.slow
    def test_in_a_browser(self, browser: Browser, tmp_path: Path) -> None:
        for path, content in site("Stores", ROWS):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        target = tmp_path / "stores/=3cb/index.html"
        target.parent.mkdir(parents=True)
        target.write_text("<h1>the site of one store</h1>")
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto((tmp_path / "index.html").as_uri())
        page.get_by_role("link", name="<b>&exp").click()
        expect(page.get_by_role("heading", name="the site of one store")).to_be_visible()
        page.close()
        assert faults == []
