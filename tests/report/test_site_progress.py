"""The charts of CSV files of runs in a real browser."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

import bench_db as api
from tests.report.browsing import SETTLED, Visit, visiting
from tests.report.test_site_accessible import faults
from tests.support.workers import made_once

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.sample(1)

HEAD = "benchmark_name,elapsed_s,rss_mb,cpu_active,progress_value,stage"


def csv(rows: int) -> str:
    lines = (
        f"{name},{at * 0.5},{200 + at * 3},{2 + math.sin(at / 5):.3f},{at / rows:.4f},{'train' if at < rows / 2 else 'write'}"
        for name in ("ivf_pq", "</script><b>")
        for at in range(rows)
    )
    return "\n".join([HEAD, *lines, ""])


def fill(directory: Path) -> None:
    """Write a store with two runs that have CSV files, of which some cannot be drawn, and its site."""
    store = api.connect(directory / "store", create=True)
    for number in range(2):
        stated: dict[str, Any] = {"dut": "lance", "commit": f"{number}" * 40, "test_bed_name": "ci", "suite": "index"}
        with store.record(**stated, dut_timestamp=1_700_000_000 + number * 86_400) as run:
            run.add("build", 5.0 + number, unit="s")
            run.keep("progress.csv", csv(120 + number))
            if number:
                run.keep("nul.csv", b"a\n1\0\n")
                run.keep("other.txt", "a\n1\n")
    store.put_artifact(b"t,a\n1,2\n", kind="file", name="of-a-commit.csv", commit="1" * 40, added_at=1)
    api.site(store, directory / "public")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "progress_site", fill)


@pytest.fixture(scope="session")
def root(home: Path) -> Path:
    return home / "public"


class TestProgress:
    """The newest run is shown first; a chart and a row for each column of numbers."""

    def test_charts_and_ends(self, visit: Visit) -> None:
        page = visit.open("progress.html")
        page.get_by_label("File").select_option("progress.csv")
        expect(page.locator(".chart canvas")).to_have_count(6)
        expect(page.locator("#status")).to_have_text("242 rows. Columns that are not drawn: stage.")
        assert page.locator("h2").all_inner_texts() == ["ivf_pq", "</script><b>"]
        rows = page.locator("table").first.locator("tbody tr")
        assert rows.first.locator("th, td").all_inner_texts() == ["rss_mb", "200", "200", "560", "560"]
        assert page.get_by_label("File").locator("option").all_inner_texts() == ["nul.csv", "progress.csv"]
        assert page.get_by_label("Run").locator("option").count() == 2

    def test_the_address_keeps_the_choice(self, visit: Visit) -> None:
        page = visit.open("progress.html")
        page.get_by_label("Run").select_option(index=1)
        expect(page.locator("#status")).to_contain_text("240 rows.")
        page.reload()
        expect(page.locator("#status")).to_contain_text("240 rows.")
        expect(page.locator("#unknown")).to_be_hidden()

    @pytest.mark.slow
    def test_an_address_of_a_run_that_is_not_there(self, visit: Visit) -> None:
        page = visit.open("progress.html#run=none&file=gone")
        expect(page.locator("#unknown")).to_contain_text('not here: run "none", file "gone".')

    def test_what_cannot_be_drawn_has_a_reason_and_a_command(self, visit: Visit) -> None:
        page = visit.open("progress.html")
        page.get_by_label("File").select_option("nul.csv")
        expect(page.locator("#status")).to_have_text(
            "Not drawn: it has NUL bytes and is no text. The command below gets the file."
        )
        expect(page.locator("#facts")).to_contain_text("bench-db artifact get ")
        expect(page.locator(".chart")).to_have_count(0)

    def test_the_menu_links_to_it(self, visit: Visit) -> None:
        visit.open("index.html").get_by_role("link", name="Progress").click()
        expect(visit.page.locator("h1")).to_have_text("Progress of a run")

    def test_a_rebuild_reads_no_file_again(self, home: Path, tmp_path: Path) -> None:
        store = api.connect(home / "store")
        api.site(store, tmp_path)
        again = api.site(store, tmp_path)
        assert (again.written, again.removed) == (0, 0)

    @pytest.mark.slow
    @pytest.mark.slow
    @pytest.mark.parametrize(("theme", "width"), [("light", 1600), ("dark", 390)])
    def test_axe(self, browser: Browser, root: Path, theme: str, width: int) -> None:
        with visiting(browser, root, color_scheme=theme, viewport={"width": width, "height": 900}) as visit:
            page = visit.open("progress.html")
            page.get_by_label("File").select_option("progress.csv")
            expect(page.locator(".chart canvas")).to_have_count(6)
            address = page.url.rpartition("/")[2]
            page.goto("about:blank")
            assert faults(visit, address) == []
            page.evaluate(SETTLED)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert visit.complaints == []
