"""The heat map of the days with results in a real browser, beside the answer of `availability` for the same store."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

import bench_db as api
from bench_db.store.database import connect
from tests.cli.kinds import BED, entry, publish_all
from tests.report.browsing import Visit, visiting
from tests.report.test_site_accessible import faults
from tests.support.workers import made_once

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.sample(1)

HOSTILE = "</script><b>"


def fill(directory: Path) -> None:
    """Write a store with three suites on different days, some of which failed, and sites of a short and of a long stretch of time."""
    store = connect(directory / "store", create=True)
    nights = [entry(n, {"f": 1.0 + n, "g": "boom" if n % 5 == 2 else 2.0}, suite="io") for n in range(40) if n % 7 != 3]
    failing = [entry(n, {"h": "boom"}, suite=HOSTILE) for n in (4, 5, 30)]
    publish_all(store, [*nights, *failing, entry(39, {"f": 1.0}, suite="", bed=BED)])
    api.site(store, directory / "days")
    publish_all(store, [entry(400, {"f": 1.0}, suite="io")])
    api.site(store, directory / "weeks")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "availability_site", fill)


@pytest.fixture(scope="session")
def root(home: Path) -> Path:
    return home / "days"


def answer(home: Path) -> pl.DataFrame:
    """Return the days of the site of days, which the last result of the store is not of."""
    found = api.availability(api.connect(home / "store"))
    return found.frame().filter(found.frame()["day"] < found.last)


def table(page: Page) -> list[list[str]]:
    return [row.locator("th, td").all_inner_texts() for row in page.locator("#days tr").all()]


class TestAvailability:
    """The page has the numbers of `bench-db store availability`."""

    def test_rows_and_days(self, visit: Visit, home: Path) -> None:
        page, days = visit.open("availability.html"), answer(home)
        expect(page.locator("#rows tr")).to_have_count(3)
        for place, ((dut, bed, suite), group) in enumerate(
            days.group_by("dut_name", "test_bed_name", "suite", maintain_order=True)
        ):
            only_failed = group.filter(group["results"] == group["failed"])
            cells = page.locator("#rows tr").nth(place).locator("th, td").all_inner_texts()
            assert cells == [bed, suite, dut, "", *map(str, (len(group), len(only_failed), group["day"].max()))]
            page.get_by_label("Days of").select_option(index=place)
            shown = [
                [day.isoformat(), str(n), str(failed)]
                for day, n, failed in group.select("day", "results", "failed").rows()
            ]
            expect(page.locator("#days tr")).to_have_count(len(shown))
            assert table(page) == shown[::-1]

    @pytest.mark.slow
    def test_weeks(self, visit: Visit, home: Path) -> None:
        page = visit.open("availability.html")
        page.get_by_label("Days of").select_option(label="ci-1 · io · d")
        page.get_by_text("By week").click()
        expect(page.locator("#cell-head")).to_have_text("Week from")
        days, weeks = answer(home), dict[str, list[int]]()
        for day, results, failed in days.filter(days["suite"] == "io").select("day", "results", "failed").rows():
            counts = weeks.setdefault((day - timedelta(days=day.weekday())).isoformat(), [0, 0])
            counts[0] += results
            counts[1] += failed
        assert table(page) == [[week, *map(str, counts)] for week, counts in reversed(weeks.items())]
        page.wait_for_url("**#cell=week&row=*")
        page.reload()
        expect(page.locator("#cell-head")).to_have_text("Week from")
        assert len(table(page)) == len(weeks)

    @pytest.mark.slow
    def test_a_long_stretch_begins_by_week(self, browser: Browser, home: Path) -> None:
        with visiting(browser, home / "weeks") as visit:
            page = visit.open("availability.html")
            expect(page.locator("#cell-head")).to_have_text("Week from")
            page.get_by_text("By day", exact=True).click()
            expect(page.locator("#cell-head")).to_have_text("Day")
            assert visit.complaints == []

    def test_shades(self, visit: Visit) -> None:
        page = visit.open("availability.html")
        io = page.locator("#rows tr", has_text="io").locator("svg")
        assert io.locator("path").evaluate_all("paths => paths.map((one) => one.getAttribute('class')).sort()") == [
            "shade-2",
            "shade-4",
        ]
        failing = page.locator("#rows tr", has_text=HOSTILE).locator("svg path")
        assert failing.get_attribute("class") == "failed"
        assert failing.get_attribute("d") == "M4 0.5h1V1h-1zM5 0.5h1V1h-1zM30 0.5h1V1h-1z"

    def test_a_cell_under_the_pointer_is_named(self, visit: Visit) -> None:
        page = visit.open("availability.html")
        page.locator("#rows tr", has_text="io").locator("svg").hover(position={"x": 1, "y": 5})
        expect(page.locator("#values")).to_contain_text(": 2 results, 0 failed")

    @pytest.mark.parametrize("state", [{"row": "none"}, {"cell": "year"}])
    def test_an_address_of_nonsense_shows_what_there_is(self, visit: Visit, state: dict[str, str]) -> None:
        page = visit.open(f"availability.html#{urlencode(state)}")
        expect(page.locator("#cell-head")).to_have_text("Day")
        [[name, value]] = state.items()
        expect(page.locator("#unknown")).to_contain_text(f'not here: {name} "{value}".')

    @pytest.mark.slow
    @pytest.mark.slow
    @pytest.mark.parametrize(("theme", "width"), [("light", 1600), ("dark", 390)])
    def test_axe(self, browser: Browser, root: Path, theme: str, width: int) -> None:
        with visiting(browser, root, color_scheme=theme, viewport={"width": width, "height": 900}) as visit:
            assert faults(visit, "availability.html") == []
            assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert visit.complaints == []
