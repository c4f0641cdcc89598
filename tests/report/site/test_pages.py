"""The HTML pages and what they load."""

import re

import pytest
from jinja2 import UndefinedError

from bench_db.report.site.contract import SiteMetadata
from bench_db.report.site.pages import PAGES, assets, menu, named, page

METADATA = SiteMetadata(store="/data", version="7", generated_at=0, title="<b>&'\"")
FACTS = {"points": 1234, "total": 2, "menu": [("compare.html", "Compare")], "newest": 0, "store": "/data"}


def compare_page(**scripts: str) -> str:
    return page("compare.html", METADATA, scripts, **FACTS).decode()


class TestNamed:
    """A path changes with its content and with nothing else, and keeps folder, name and suffix."""

    def test_content(self) -> None:
        assert named("data", "a.js", b"1") == named("data", "a.js", b"1") != named("data", "a.js", b"2")
        assert re.fullmatch(r"data/a\.min-[0-9a-f]+\.js", named("data", "a.min.js", b"1"))


class TestAssets:
    """Every script that a page loads is an asset, and each path has the digest of its bytes."""

    def test_scripts(self) -> None:
        assert {script for scripts in PAGES.values() for script in scripts} <= set(assets())

    def test_paths(self) -> None:
        licence = "uplot.LICENSE.txt"
        assert assets()[licence][0] == f"assets/{licence}"
        others = {name: pair for name, pair in assets().items() if name != licence}
        assert {name: path for name, (path, _) in others.items()} == {
            name: named("assets", name, body) for name, (_, body) in others.items()
        }


class TestMenu:
    """It links to the pages that a site has."""

    def test_absent(self) -> None:
        paths = [
            path
            for path, _ in menu(with_frontier=False, with_availability=False, with_progress=False, with_noise=False)
        ]
        assert paths == ["index.html", "series.html", "commits.html", "compare.html"]
        others = {
            path for path, _ in menu(with_frontier=True, with_availability=True, with_progress=True, with_noise=True)
        }.difference(paths)
        assert others == {"frontier.html", "availability.html", "progress.html", "noise.html"}


class TestPage:
    """A page loads the data before its own script, escapes every text, and is refused where a fact is missing."""

    def test_order_of_scripts(self) -> None:
        loaded = re.findall(r'<script src="([^"]+)"', compare_page(one="data/one.js", two="data/two.js"))
        first, data, own = loaded[:4], loaded[4:6], loaded[6:]
        assert data == ["data/one.js", "data/two.js"]
        assert own == [assets()[name][0] for name in PAGES["compare.html"]]
        assert first[0] == assets()["bench.js"][0]

    def test_texts(self) -> None:
        text = compare_page()
        assert METADATA.title not in text
        assert "&lt;b&gt;&amp;&#39;&#34;" in text
        assert "1,234 points" in text

    @pytest.mark.parametrize("missing", ["store", "menu"])
    def test_a_missing_fact(self, missing: str) -> None:
        facts = {name: fact for name, fact in FACTS.items() if name != missing}
        with pytest.raises(UndefinedError, match=missing):
            page("compare.html", METADATA, {}, **facts)
