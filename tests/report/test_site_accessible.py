"""What axe-core finds on the pages, in both themes and at two widths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe

from bench_db.query.series import IDENTITY
from tests.report.browsing import SETTLED, Visit, visiting, written
from tests.report.example_site import site_content
from tests.report.examples import commit_of
from tests.report.family_site import STEP, family_site
from tests.support.workers import made_once

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

_IMPACTS = {"serious", "critical"}
pytestmark = pytest.mark.few(1)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "family_site", lambda directory: written(directory, family_site()))


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "example_site", lambda directory: written(directory, site_content()))


def pages() -> list[str]:
    rows = family_site().series.select(IDENTITY).iter_rows(named=True)
    key = next(f"{row['series_key']:016x}" for row in rows if row["tags_key"])
    views: tuple[dict[str, str], ...] = ({}, {"by": "bed"}, {"by": "tag:size", "y": "relative"})
    commits = (
        "commits.html",
        f"commit-{commit_of(STEP)}.html",
        f"commit.html#commit={commit_of(STEP + 1)}",
        "commit.html",
    )
    fixed = ("index.html", "series.html", *commits, "compare.html")
    return [*fixed, *(f"benchmark.html#{urlencode({'s': key, **view})}" for view in views)]


def faults(visit: Visit, where: str) -> list[str]:
    """Return what axe finds serious or worse on a page."""
    page = visit.open(where)
    if where.startswith("benchmark"):
        page.locator("#scale-plot canvas").wait_for()
    page.evaluate(SETTLED)
    found = violations(page)
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in _IMPACTS]


def violations(page: Page) -> list[dict[str, Any]]:
    options = {"resultTypes": ["violations"], "preload": False}  # the policy of the pages allows no request
    found: list[dict[str, Any]] = Axe().run(page, options=options).response["violations"]
    return found


class TestAxe:
    """No page has a fault that axe-core calls serious or critical."""

    @pytest.mark.slow
    @pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
    def test_pages(self, browser: Browser, root: Path, theme: str, width: int) -> None:
        for where in pages():
            with visiting(browser, root, color_scheme=theme, viewport={"width": width, "height": 844}) as visit:
                assert faults(visit, where) == [], where

    @pytest.mark.slow
    def test_failures_machines_and_noise(self, browser: Browser, example: Path) -> None:
        for where in ("index.html", "noise.html", f"commit-{commit_of(260)}.html"):
            with visiting(browser, example) as visit:
                assert faults(visit, where) == [], where

    @pytest.mark.slow
    def test_a_fault_is_found(self, visit: Visit) -> None:
        page = visit.open("commits.html")
        page.evaluate("document.documentElement.removeAttribute('lang')")
        assert "html-has-lang" in {one["id"] for one in violations(page)}


# Everything that Tab should reach: what is seen, not switched off, and of radio buttons the chosen one.
_FOCUSABLE = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex]")].filter((node) =>
    node.tabIndex >= 0 && !node.disabled && node.checkVisibility({ visibilityProperty: true }) && (node.type !== "radio" || node.checked))"""


def by_tab(page: Page) -> tuple[int, int]:
    """Return how many such elements Tab does not reach, and how many of the others get no visible ring."""
    missing = page.evaluate(f"({_FOCUSABLE})().map((node, i) => {{ node.dataset.stop = i; return String(i); }})")
    bare: set[str] = set()
    for _ in range(len(missing) + 5):
        page.keyboard.press("Tab")
        stop, ring = page.evaluate(
            """() => { const node = document.activeElement, ring = node.closest("label") || node;
            return [node.dataset.stop, [node, ring].some((one) => getComputedStyle(one).outlineStyle !== "none")]; }"""
        )
        missing = [one for one in missing if one != stop]
        bare |= {stop} if stop and not ring else set()
    return len(missing), len(bare)


class TestTab:
    """Tab alone reaches everything that a pointer can use, each with a visible ring, and leaves it again."""

    @pytest.mark.parametrize("place", range(len(pages())))
    def test_reaches_everything(self, browser: Browser, root: Path, place: int) -> None:
        with visiting(browser, root) as visit:
            page = visit.open(pages()[place])
            if pages()[place].startswith("benchmark"):
                page.locator("#scale-plot canvas").wait_for()
            page.evaluate(SETTLED)
            assert by_tab(page) == (0, 0)

    @pytest.mark.slow
    def test_a_fault_is_found(self, visit: Visit) -> None:
        page = visit.open("commit.html")
        page.evaluate("document.querySelector('nav a').style.outline = 'none'")
        assert by_tab(page) == (0, 1)
        page = visit.open("commits.html")
        trap = "document.querySelector('nav a').addEventListener('keydown', (event) => event.preventDefault())"
        page.evaluate(trap)
        assert by_tab(page)[0] > 1
