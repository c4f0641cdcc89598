"""A real browser, and the observations of a visit to a page."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.report.example_site import site
from tests.support.needs import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Request

    from bench_db.report.site.contract import SiteContent

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# So many milliseconds are enough for a page and what it draws, however busy the machine is.
PATIENCE = 180_000
expect.set_options(timeout=PATIENCE)
# two frames, so that the effect of a resize or a new address is drawn
SETTLED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


def written(directory: Path, content: SiteContent) -> Path:
    """Write the site as files into a directory."""
    for path, body in site(content):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(body)
    return directory


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the chromium of the path with a fresh profile; without one skip the test, but never in CI."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        lacking("no chromium on the path; Debian's package has it, and CI installs it")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page, its requests and its errors."""

    page: Page
    root: Path
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, where: str) -> Page:
        self.page.goto(f"{self.root.as_uri()}/{where}")
        return self.page

    def open_series(self, text: str, bed: str = "runner-large") -> Page:
        self.open(f"series.html#q={text}&bed={bed}")
        self.page.locator(".row a").first.click()
        self.page.locator("#plot canvas").wait_for()
        return self.page


@contextmanager
def visiting(browser: Browser, root: Path, **options: object) -> Iterator[Visit]:
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    visit = Visit(context.new_page(), root)
    visit.page.on("request", lambda request: visit.requests.append(request.url))
    visit.page.on("requestfailed", lambda request: _complain(visit, request))
    visit.page.on("console", lambda message: visit.complaints.append(message.text))
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("dialog", lambda dialog: visit.complaints.append(dialog.message))
    yield visit
    context.close()


def _complain(visit: Visit, request: Request) -> None:
    """Record a failed request, unless the page cancelled it by navigation."""
    if request.failure != "net::ERR_ABORTED":
        visit.complaints.append(f"failed: {request.url}")
