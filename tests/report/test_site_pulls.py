"""The points of a pull request on the chart of a series, in a real browser, and nowhere else on the site."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import expect

from bench_db.report.site.pulls import PULLS
from tests.report.browsing import SETTLED, visiting, written
from tests.report.example_site import content_of, history
from tests.report.examples import commit_of, found
from tests.report.test_site_accessible import violations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from bench_db.report.site.contract import SiteContent
    from tests.report.browsing import Visit

pytestmark = pytest.mark.sample(1)

MAIN, STEP, AT = 30, 20, 24
HEAD = "d" * 40
WRITTEN = """
    window.written = [];
    const {fillText} = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
        window.written.push([text, this.textAlign]);
        return fillText.call(this, text, ...at);
    };
"""


def _pull(name: str, number: int, at: int, medians: list[float], run: int) -> pl.DataFrame:
    """Runs of a pull request, the first between the points `at` and `at` + 1 of the main history."""
    rows = history(name, np.array(medians), first_commit=at)
    moved = rows.with_columns(pl.col("dut_timestamp", "run_time", "commit_order") + 100, pr_number=pl.lit(number))
    heads = [f"{HEAD[: -len(str(run + i))]}{run + i}" for i in range(len(medians))]
    return moved.with_columns(commit=pl.Series(heads), run_key=pl.lit(run) + pl.int_range(pl.len())).select(PULLS)


def pulled_site() -> SiteContent:
    """A step at 20 of 30 points; pull request 7 measured `scan` after point 24 and at the end, and 8 `other` alone, which failed."""
    scan = history("scan", np.array([1000.0] * STEP + [1200.0] * (MAIN - STEP)), samples=5)
    other = history("other", np.array([5.0] * MAIN))
    pulls = [
        _pull("scan", 7, AT, [2400.0], 1000),
        _pull("scan", 7, MAIN, [1500.0], 2000),
        _pull("other", 8, MAIN, [float("nan")], 3000),
    ]
    step = found(finding_id="f", series_key=scan["series_key"][0], index=STEP, commit=commit_of(STEP), effect=0.2)
    return replace(content_of(pl.concat([scan, other]), findings=[step]), pulls=pl.concat(pulls))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pulled"), pulled_site())


def key_of(name: str) -> str:
    rows = pulled_site().series.filter(benchmark_name=name)
    return f"{rows['series_key'][0]:016x}"


@pytest.fixture
def opened(visit: Visit) -> Callable[..., Page]:
    def open_(name: str = "scan", choices: str = "") -> Page:
        page = visit.open(f"benchmark.html#s={key_of(name)}{choices}")
        page.locator("#plot canvas").wait_for()
        page.evaluate(SETTLED)
        return page

    return open_


def says(page: Page, text: str) -> None:
    expect(page.locator("#plot")).to_have_attribute("aria-valuetext", re.compile(re.escape(text)))


class TestChart:
    """The history of main with the points of one pull request at their time, marked and named; without asking it has none."""

    def test_nobody_asked(self, opened: Callable[..., Page]) -> None:
        page = opened()
        says(page, "Point 30 of 30, ")
        expect(page.locator("#pull-name")).to_be_hidden()

    def test_chosen(self, opened: Callable[..., Page]) -> None:
        page = opened()
        page.get_by_label("Pull request").select_option("#7")
        says(page, "Point 32 of 32, pull request 7, ")
        page.wait_for_url(re.compile("pr=7"))
        expect(page.locator("#values")).to_contain_text("pull request 7")
        expect(page.locator("#values")).to_contain_text("Against the level\n+25.0 %", use_inner_text=True)
        expect(page.locator("#pull-name")).to_have_text("pull request 7")
        page.get_by_label("Pull request").select_option("none")
        says(page, "Point 30 of 30, ")

    def test_from_an_address(self, opened: Callable[..., Page]) -> None:
        page = opened(choices="&pr=7")
        says(page, "Point 32 of 32, pull request 7, ")
        page.locator("#plot").press("ArrowLeft")
        says(page, "Point 31 of 32, ")
        page.wait_for_url(re.compile(f"p={MAIN - 1}"))

    def test_each_point_is_at_its_time(self, opened: Callable[..., Page]) -> None:
        page = opened(choices=f"&pr=7&p={AT}")
        says(page, f"Point {AT + 1} of 32, ")
        page.locator("#plot").press("ArrowRight")
        says(page, f"Point {AT + 2} of 32, pull request 7, ")
        page.wait_for_url(re.compile(f"c={HEAD[:30]}"))
        page.reload()
        says(page, f"Point {AT + 2} of 32, pull request 7, ")
        page.get_by_text("By date").click()
        says(page, f"Point {AT + 2} of 32, pull request 7, ")

    @pytest.mark.slow
    def test_a_point_of_main_keeps_its_place(self, opened: Callable[..., Page]) -> None:
        """A link to a point names its place in the main history, with the points of a pull request as without."""
        page = opened(choices="&pr=7&p=29")
        says(page, "Point 31 of 32, ")
        expect(page.locator("#values")).to_contain_text(commit_of(29)[:9])
        expect(page.locator("#about-strip")).to_have_text("5 samples, in order of measuring")

    @pytest.mark.slow
    def test_levels_leave_it_out(self, opened: Callable[..., Page]) -> None:
        page = opened(choices="&pr=7")
        levels = page.evaluate("bench.chart.levels({length: 3, main: [0, -1, 1], median: [1, 9, 2], findings: []})")
        assert [level["at"] for level in levels] == [1.5]

    def test_it_is_drawn(self, opened: Callable[..., Page]) -> None:
        picture = "canvas => canvas.toDataURL()"
        with_it, without = (opened(choices=c).locator("#plot canvas").evaluate(picture) for c in ("&pr=7", ""))
        assert with_it != without

    @pytest.mark.slow
    def test_its_name_is_beside_it(self, visit: Visit) -> None:
        """The name is written from where its place begins, whatever alignment the axes left."""
        visit.page.add_init_script(WRITTEN)
        page = visit.open(f"benchmark.html#s={key_of('scan')}&pr=7")
        says(page, "pull request 7")
        page.evaluate(SETTLED)
        assert set(page.evaluate("written.filter(([text]) => text === '#7').map(([, align]) => align)")) == {"left"}

    @pytest.mark.slow
    @pytest.mark.parametrize("way", ["zero", "log", "relative"])
    def test_on_every_scale(self, opened: Callable[..., Page], way: str) -> None:
        says(opened(choices=f"&pr=7&y={way}"), "Point 32 of 32, pull request 7, ")


class TestElsewhere:
    """What the site has not of a pull request is said."""

    def test_another_series(self, opened: Callable[..., Page]) -> None:
        said = opened("other", "&pr=7").locator("#pull-said")
        expect(said).to_have_text("Pull request 7 has no result of this series.")

    def test_unknown(self, opened: Callable[..., Page]) -> None:
        said = opened(choices="&pr=99").locator("#pull-said")
        expect(said).to_contain_text("Pull request 99 is not on this site. It shows the 20 that were measured last")

    def test_a_failure(self, opened: Callable[..., Page]) -> None:
        page = opened("other", "&pr=8")
        says(page, "pull request 8, ")
        expect(page.locator("#values .worse")).to_have_text("This run of the pull request has no value.")

    def test_a_site_without_any(self, browser: Browser, tmp_path: Path) -> None:
        alone = written(tmp_path, replace(content_of(history("scan", np.array([1.0, 2.0])))))
        with visiting(browser, alone) as visit:
            page = visit.open(f"benchmark.html#s={key_of('scan')}")
            page.locator("#plot canvas").wait_for()
            expect(page.get_by_label("Pull request")).to_be_hidden()
            assert visit.complaints == []

    def test_no_other_file_has_it(self, root: Path, tmp_path: Path) -> None:
        """The files with the name of a head are those of the pull request; all others are those of a site without it."""
        ours = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        holding = {name for name in ours if HEAD[:30] in (root / name).read_text("utf-8", "ignore")}
        assert {re.sub("-[0-9a-f]{12}", "", name) for name in holding} == {"data/pull-7.js", "data/pull-8.js"}
        bare = written(tmp_path, replace(pulled_site(), pulls=pulled_site().pulls.clear()))
        others = {str(path.relative_to(bare)) for path in bare.rglob("*") if path.is_file()}
        changed = {
            name
            for name in ours
            if not (bare / name).exists() or (bare / name).read_bytes() != (root / name).read_bytes()
        }
        assert {re.sub("-[0-9a-f]{12}", "", name) for name in changed} == {
            "data/pull-7.js",
            "data/pull-8.js",
            "data/pulls.js",
            "benchmark.html",
        }
        assert others - ours == {name for name in others if name.startswith("data/pulls-")}


@pytest.mark.slow
class TestAccessible:
    """The choice has a name and the mark enough contrast."""

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_axe(self, browser: Browser, root: Path, theme: str) -> None:
        with visiting(browser, root, color_scheme=theme, viewport={"width": 390, "height": 844}) as visit:
            page = visit.open(f"benchmark.html#s={key_of('scan')}&pr=7")
            says(page, "pull request 7")
            assert [one["id"] for one in violations(page) if one["impact"] in {"serious", "critical"}] == []
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
