"""The documentation as a site: built by its generator, without a wrong link and without a file of another host."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.report.browsing import PATIENCE
from tests.repository.tree import ROOT
from tests.support.workers import made_once

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow
SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / ".ci/docs_site.py"))
FOREIGN = "https://fonts.example"


def build(directory: Path, root: Path = ROOT) -> Path:
    """Build the pages of a repository below a directory and return the site."""
    directory.mkdir(exist_ok=True)
    SCRIPT["stage"](root, directory)
    SCRIPT["build"](directory)
    return directory / "site"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "docs_site", lambda directory: [build(directory)]) / "site"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy what the site is built from."""
    for name in ("docs", ".ci"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("node_modules"))
    for name in ("mkdocs.yml", *SCRIPT["ROOT_PAGES"]):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


class TestSite:
    """The built site is complete and needs no other host."""

    def test_it_has_every_page(self, built: Path) -> None:
        wanted = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
        roots = {Path(name).with_suffix(".html") for name in SCRIPT["ROOT_PAGES"].values()}
        made = {path.relative_to(built) for path in built.rglob("*.html")} - {Path("404.html")}
        # a README of a folder is its index
        assert made == {path.with_name("index.html") if path.stem == "README" else path for path in wanted | roots}

    def test_the_navigation_has_every_page(self) -> None:
        listed = re.findall(r"^ +- (?:.+: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
        pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
        assert sorted(listed) == sorted(pages | set(SCRIPT["ROOT_PAGES"].values()))

    def test_nothing_is_wrong(self, built: Path) -> None:
        assert SCRIPT["problems"](built) == []

    def test_a_browser_asks_no_other_host(self, built: Path, browser: Browser) -> None:
        asked, errors = list[str](), list[str]()
        with closing(browser.new_context()) as context:
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: errors.append(str(error)))
            for name in ("index.html", "how-to/gate.html", "statistics.html"):
                page.goto((built / name).as_uri())
                page.wait_for_load_state("networkidle")
        assert len(asked) > 8
        assert [address for address in asked if not address.startswith(built.as_uri())] == []
        assert errors == []


class TestChecks:
    """What must not be in a site is found."""

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            (f'<script src="{FOREIGN}/a.js"></script>', f"loads {FOREIGN}/a.js from another host"),
            ('<link rel="stylesheet" href="//fonts.example/a.css">', "loads //fonts.example/a.css from another host"),
            (f'<link rel="preconnect" href="{FOREIGN}">', f"loads {FOREIGN} from another host"),
            (f'<img src="{FOREIGN}/a.png">', f"loads {FOREIGN}/a.png from another host"),
            (f'<p style="background: url({FOREIGN}/b.png)">', f"loads {FOREIGN}/b.png from another host"),
            ('<img src="no.png">', "no.png: no such file"),
            ('<a href="no.html">', "no.html: no such file"),
            ('<a href="../index.html">', "../index.html: no such file"),
            ('<a href="#no">', "#no: no such section"),
            ('<a href="page.html#no">', "page.html#no: no such section"),
            ("<p>Two <b>of</b> them:\n- one\n- two</p>", "- one: a list needs an empty line before it"),
        ],
    )
    def test_pages(self, tmp_path: Path, text: str, found: str) -> None:
        (tmp_path / "page.html").write_text(text)
        assert SCRIPT["problems"](tmp_path) == [f"page.html: {found}"]

    @pytest.mark.parametrize(
        "text", [f'<a href="{FOREIGN}">', '<a href="mailto:a@b.example">', '<h2 id="a"></h2><a href="page.html#a">']
    )
    def test_links_of_the_text_may_lead_anywhere(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "page.html").write_text(text)
        assert SCRIPT["problems"](tmp_path) == []

    def test_styles(self, tmp_path: Path) -> None:
        (tmp_path / "a.css").write_text(f"@import '{FOREIGN}/a.css'; p {{ src: url(b.png) url({FOREIGN}/c.woff2) }}")
        found = [f"a.css: loads {FOREIGN}/{name} from another host" for name in ("a.css", "c.woff2")]
        assert SCRIPT["problems"](tmp_path) == found

    @pytest.mark.parametrize("link", ["nowhere.md", "sql.md#nowhere", "#nowhere"])
    def test_a_wrong_link_fails_the_build(self, copy: Path, tmp_path: Path, link: str) -> None:
        page = copy / "docs/install.md"
        page.write_text(f"{page.read_text('utf-8')}\n[there]({link})\n", "utf-8")
        with pytest.raises(SystemExit, match=r"(?s)does not exist.*install\.md.*wrong links"):
            build(tmp_path / "out", copy)

    def test_a_link_between_a_page_of_the_root_and_one_of_docs(self, copy: Path, tmp_path: Path) -> None:
        page = copy / "docs/adr/README.md"
        page.write_text(f"{page.read_text('utf-8')}\n[layers](../../ARCHITECTURE.md#layers)\n", "utf-8")
        site = build(tmp_path / "out", copy)
        assert 'href="../architecture.html#layers"' in (site / "adr/index.html").read_text("utf-8")
        assert 'href="adr/0009-use-cases.html"' in (site / "architecture.html").read_text("utf-8")


class TestCommand:
    """`just docs-site --check` keeps nothing."""

    def test_check(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        before = sorted((ROOT / "dist").rglob("*"))
        monkeypatch.setattr(sys, "argv", ["docs_site.py", "--check"])
        SCRIPT["main"]()
        assert "pages, no wrong link, nothing of another host" in capsys.readouterr().out
        assert sorted((ROOT / "dist").rglob("*")) == before
