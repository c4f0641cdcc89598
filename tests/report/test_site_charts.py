"""Several series on one chart, and the scaling of a benchmark, in a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import expect

from bench_db.query.series import IDENTITY
from tests.report.browsing import SETTLED, Visit, visiting, written
from tests.report.example_site import content_of, history, site_content
from tests.report.examples import commit_of
from tests.report.family_site import BEDS, SIZES, STEP, family_site
from tests.support.workers import made_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.sample(4)

TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "family_site", lambda directory: written(directory, family_site()))


@pytest.fixture(scope="session")
def key() -> Callable[..., str]:
    """The address of the series of a name, test bed and tags."""
    rows = family_site().series.select(IDENTITY).iter_rows(named=True)
    known = {(row["benchmark_name"], row["test_bed_name"], row["tags_key"]): row["series_key"] for row in rows}

    def key_of(name: str = "scan", bed: str = "arm-linux", tags: str = "format=lance,size=1000") -> str:
        return f"{known[name, bed, tags]:016x}"

    return key_of


@pytest.fixture
def opened(visit: Visit, key: Callable[..., str]) -> Callable[..., Page]:
    """Open the page of a series with choices in its address."""

    def open_(*about: str, **choices: str) -> Page:
        page = visit.open(f"benchmark.html#{urlencode({'s': key(*about), **choices})}")
        page.locator("#plot canvas").wait_for()
        page.evaluate(SETTLED)
        return page

    return open_


def spoken(page: Page) -> str:
    return page.locator("#plot").get_attribute("aria-valuetext") or ""


def speaks(page: Page, text: str) -> None:
    """Wait until the chart says a text: a line that was not drawn reads its history first."""
    expect(page.locator("#plot")).to_have_attribute("aria-valuetext", re.compile(re.escape(text)))


def legend(page: Page) -> list[str]:
    return page.locator("#legend button bdi").all_inner_texts()


def again(page: Page) -> Page:
    page.reload()
    page.locator("#plot canvas").wait_for()
    page.evaluate(SETTLED)
    return page


class TestLines:
    """A reader chooses what differs between the lines, and the address keeps the choice."""

    @pytest.mark.parametrize(
        ("choice", "by", "names"),
        [
            ("3 test beds", "bed", sorted(BEDS)),
            ("5 values of size", "tag%3Asize", [str(size) for size in SIZES]),
            ("2 values of format", "tag%3Aformat", ["lance", "parquet"]),
        ],
    )
    def test_of_a_dimension(self, opened: Callable[..., Page], choice: str, by: str, names: list[str]) -> None:
        page = opened()
        page.get_by_label("Lines").select_option(choice)
        page.locator("#legend button").nth(len(names) - 1).wait_for()
        assert legend(page) == names
        page.wait_for_url(re.compile(f"by={by}"))
        page.get_by_role("slider").focus()
        page.keyboard.press("Home")
        assert spoken(page).startswith("Point 1 of 300")
        assert all(f"{name} " in spoken(page) for name in names)
        assert legend(again(page)) == names

    def test_of_branches(self, opened: Callable[..., Page]) -> None:
        page = opened("branches", "runner-large", "", by="branch")
        page.locator("#plot").focus()
        page.keyboard.press("Home")
        assert spoken(page).endswith("main 100.0 ns, release 110.0 ns")

    def test_a_series_without_relatives_has_no_choice(self, opened: Callable[..., Page]) -> None:
        page = opened("branches", "runner-large", "", by="bed")
        assert page.get_by_label("Lines").locator("option").all_inner_texts() == ["this series", "2 branches"]
        assert page.locator("#legend").is_hidden()

    @pytest.mark.slow
    def test_a_line_is_hidden_and_shown_by_a_key(self, opened: Callable[..., Page], key: Callable[..., str]) -> None:
        page = opened(by="bed")
        page.locator("#legend").get_by_role("button", name="mac-m2").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(f"off={key('scan', 'mac-m2')}"))
        assert "mac-m2" not in spoken(page)
        assert "x86-linux" in spoken(page)
        button = again(page).locator("#legend").get_by_role("button", name="mac-m2")
        assert button.get_attribute("aria-pressed") == "false"
        button.press("Enter")
        speaks(page, "mac-m2 ")

    def test_a_held_commit_is_in_the_address(self, opened: Callable[..., Page]) -> None:
        page = opened(by="bed", c=commit_of(7))
        assert spoken(page).startswith("Point 8 of 300")
        page.get_by_role("slider").press("ArrowRight")
        page.wait_for_url(re.compile(f"c={commit_of(8)}"))
        assert spoken(again(page)).startswith("Point 9 of 300")

    @pytest.mark.slow
    def test_of_many_values(self, opened: Callable[..., Page], key: Callable[..., str]) -> None:
        """Ten lines are drawn at first, others are read when a reader asks, and what is not listed is counted."""
        page = opened("many/70", "runner-large", "", by="tag:parameter 1")
        assert spoken(page).count(" ns") == 11
        assert "10 10.00 ns, 70 70.00 ns" in spoken(page)
        assert page.locator("#legend li").last.inner_text() == "9 more are not listed"
        page.locator("#legend").get_by_role("button", name="30", exact=True).press("Enter")
        page.wait_for_url(re.compile(f"on={key('many/30', 'runner-large', '')}"))
        speaks(page, "30 30.00 ns")
        expect(page.locator("#legend").get_by_role("button", name="30", exact=True)).to_be_focused()
        assert "30 30.00 ns" in spoken(again(page))

    @pytest.mark.slow
    def test_to_the_history_of_another_test_bed(self, opened: Callable[..., Page]) -> None:
        page = opened(by="bed")
        page.get_by_role("link", name="history of mac-m2").press("Enter")
        page.locator("#facts", has_text="mac-m2").wait_for()
        assert page.locator("#legend").is_hidden()


class TestScale:
    """A chart is linear, logarithmic, relative to a commit, or a ratio to another series."""

    def test_relative_to_a_commit(self, opened: Callable[..., Page]) -> None:
        page = opened(by="bed", y="relative", base=commit_of(3), c=commit_of(3))
        assert spoken(page).endswith("arm-linux 0.0 %, mac-m2 0.0 %, x86-linux 0.0 %")
        page.get_by_label("to the commit").select_option(commit_of(5))
        page.wait_for_url(re.compile(f"base={commit_of(5)}"))
        expect(page.locator("#plot")).not_to_have_attribute("aria-valuetext", re.compile("arm-linux 0.0 %"))

    def test_ratio_to_another_series(self, opened: Callable[..., Page], key: Callable[..., str]) -> None:
        """The two test beds that have the change have the same ratio after it as before."""
        page = opened(by="bed", y="ratio", to=key("scan", "x86-linux"), c=commit_of(STEP - 1))
        assert spoken(page).endswith(f"arm-linux 1.4{TIMES}, mac-m2 0.8{TIMES}, x86-linux 1{TIMES}")
        page.get_by_role("slider").press("ArrowRight")
        assert spoken(page).endswith(f"arm-linux 1.4{TIMES}, mac-m2 0.6667{TIMES}, x86-linux 1{TIMES}")

    def test_of_one_series(self, opened: Callable[..., Page], key: Callable[..., str]) -> None:
        page = opened(y="ratio", to=key("scan", "x86-linux"))
        ticks = page.evaluate("bench.plot.format('ratio', 'nanoseconds', false).ticks([1.3, 1.4])")
        assert ticks == [f"1.3{TIMES}", f"1.4{TIMES}"]
        pictures = {y: _picture(opened(y=y)) for y in ("fit", "zero", "log", "relative", "ratio")}
        assert len(set(pictures.values())) == len(pictures)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("low", "high", "places"),
        [
            (1, 1e6, [1, 10, 100, 1e3, 1e4, 1e5, 1e6]),
            (1.5, 150, [2, 5, 10, 20, 50, 100]),
            (100, 118, [100, 105, 110, 115]),
            (0.02, 0.023, [0.02, 0.021, 0.022, 0.023]),
        ],
    )
    def test_places_of_ticks(self, visit: Visit, low: float, high: float, places: list[float]) -> None:
        page = visit.open("benchmark.html")
        assert page.evaluate("([low, high]) => bench.plot.splits(low, high)", [low, high]) == pytest.approx(places)

    @pytest.mark.slow
    def test_values_below_zero_are_left_out_of_a_logarithm(self, visit: Visit) -> None:
        page = visit.open("benchmark.html")
        assert page.evaluate("bench.lines.positive([1, 0, -1, null, 2])") == [1, None, None, None, 2]

    @pytest.mark.slow
    def test_relative_to_nothing(self, visit: Visit) -> None:
        """Nothing is relative to zero; without a value at the commit, the nearest before it is taken, or else after it."""
        page = visit.open("benchmark.html")
        relative = "([values, place]) => bench.lines.relative(values, place)"
        assert page.evaluate(relative, [[0, 1], 0]) == [None, None]
        assert page.evaluate(relative, [[2, None, 3], 1]) == [0, None, 0.5]
        assert page.evaluate(relative, [[None, 2, 3], 0]) == [None, 0, 0.5]


def _picture(page: Page) -> str:
    return str(page.locator("#plot canvas").evaluate("canvas => canvas.toDataURL()"))


RIGHT_EDGE = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(canvas.width - 1, 0, 1, canvas.height);
    return data.every((value, i) => i % 4 < 3 || value === 0);
}"""


@pytest.mark.slow
class TestEdges:
    """Nothing of a chart is cut at its edge: the date of the newest point is whole."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """A series on two test beds whose newest point is at a tick."""
        return written(tmp_path, content_of(pl.concat([history("f", np.ones(41), bed=bed) for bed in ("a", "b")])))

    @pytest.mark.parametrize("width", [390, 1600])
    @pytest.mark.parametrize("choices", ["", "&by=bed"])
    def test_of_a_chart(self, browser: Browser, root: Path, choices: str, width: int) -> None:
        with visiting(browser, root, viewport={"width": width, "height": 844}) as visit:
            page = visit.open("series.html")
            address = page.locator(".row a").first.get_attribute("href")
            page = visit.open(f"{address}{choices}")
            page.locator("#plot canvas").wait_for()
            page.evaluate(SETTLED)
            assert page.locator("#plot canvas").evaluate(RIGHT_EDGE)


class TestZoom:
    """The stretch in sight is in the address, by keys and by dragging, whichever way points are laid out."""

    @pytest.mark.parametrize("choices", [{}, {"by": "bed"}, {"x": "date"}])
    def test_by_keys(self, opened: Callable[..., Page], choices: dict[str, str]) -> None:
        page = opened(**choices)
        whole = _picture(page)
        page.get_by_role("slider").press("Home")
        page.get_by_role("slider").press("+")
        page.get_by_role("slider").press("+")
        page.wait_for_url(re.compile(r"z=\d+-\d+"))
        page.evaluate(SETTLED)
        near = re.search(r"z=(\d+)-(\d+)", page.url)
        assert near is not None
        assert int(near[2]) - int(near[1]) == pytest.approx(299 * 40_000 / 4, rel=0.05)
        assert _picture(page) != whole
        again(page)
        assert near[0] in page.url
        page.get_by_role("slider").press("Escape")
        page.wait_for_url(re.compile(r"^(?!.*z=)"))

    @pytest.mark.slow
    def test_by_dragging(self, opened: Callable[..., Page]) -> None:
        page = opened(by="bed")
        box = page.locator("#plot .u-over").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 3 / 4, box["y"] + 60, steps=4)
        page.mouse.up()
        page.wait_for_url(re.compile(r"z=\d+-\d+"))


class TestAnnotations:
    """A text about a commit is a line on every chart of its device, and readable without the chart."""

    @pytest.mark.parametrize("choices", [{}, {"by": "bed"}, {"x": "date", "y": "log"}])
    def test_on_a_chart(self, opened: Callable[..., Page], choices: dict[str, str]) -> None:
        page = opened(**choices)
        notes = page.locator("#notes li").all_inner_texts()
        assert notes == [
            f"{commit_of(100)[::-1][:9]} new runner",
            f"{commit_of(STEP + 50)[:9]} release 2.0 <b>",
            f"{commit_of(STEP + 60)[:9]} baseline main",
        ]
        drawn = _picture(page)
        page.evaluate("bench.held.get('settings').annotations = []")
        page.locator("#theme").click()
        page.locator("#theme").click()
        page.locator("#notes").wait_for(state="hidden")
        assert _picture(page) != drawn

    def test_in_the_list_of_commits(self, visit: Visit) -> None:
        row = visit.open("commits.html").locator("tr", has_text=commit_of(STEP + 50)[:9])
        assert row.locator(".note").inner_text() == "release 2.0 <b>"


class TestTestBeds:
    """The same benchmark on all test beds is on its page, and one click away from a finding and from a commit."""

    def test_table(self, opened: Callable[..., Page]) -> None:
        page = opened()
        rows = [text.split("\t") for text in page.locator("#beds tr").all_inner_texts()]
        assert [row[0] for row in rows] == sorted(BEDS)
        assert [row[3] for row in rows] == ["", f"0.476{TIMES}", f"0.714{TIMES}"]
        assert [row[5] for row in rows] == ["1 worse", "", "1 worse"]

    def test_side_by_side_shows_the_chart(self, opened: Callable[..., Page]) -> None:
        page = opened()
        page.get_by_role("link", name="Side by side on one chart").click()
        page.locator("#legend button").first.wait_for()
        page.evaluate(SETTLED)
        assert page.locator("#view").evaluate("node => node.getBoundingClientRect().top") >= 0

    @pytest.mark.slow
    def test_from_a_finding(self, visit: Visit) -> None:
        page = visit.open("index.html")
        page.locator(".group summary").press("Enter")
        page.get_by_role("link", name="on all test beds").first.press("Enter")
        page.locator("#legend button").first.wait_for()
        assert legend(page) == sorted(BEDS)
        assert commit_of(STEP)[:9] in page.locator("#values").inner_text()

    @pytest.mark.slow
    def test_from_a_commit(self, visit: Visit) -> None:
        page = visit.open(f"commit-{commit_of(STEP)}.html")
        page.get_by_role("link", name="io: scan {format=lance,size=1000}").press("Enter")
        page.locator("#legend button").first.wait_for()
        assert legend(page) == sorted(BEDS)

    def test_a_commit_names_the_test_beds_that_did_not_move(self, visit: Visit) -> None:
        said = visit.open(f"commit-{commit_of(STEP)}.html").locator("main").inner_text()
        assert "No finding on the other test bed that measured it: mac-m2." in said

    @pytest.mark.slow
    def test_one_test_bed_alone_has_no_such_link(self, browser: Browser, tmp_path: Path) -> None:
        content = site_content()
        alone = content.series.filter(test_bed_name="runner-large")
        with visiting(browser, written(tmp_path, replace(content, series=alone))) as visit:
            page = visit.open("index.html")
            page.locator(".finding").first.wait_for()
            assert page.get_by_text("on all test beds").count() == 0


class TestScaling:
    """Values over the numbers of a parameter, from a tag or from the name of the benchmark."""

    def test_newest_values(self, opened: Callable[..., Page]) -> None:
        page = opened()
        assert page.locator("#over-title").inner_text() == "size"
        assert page.locator("#scale-head").inner_text().split("\t") == [
            "size",
            "1 arm-linux",
            "2 mac-m2",
            "3 x86-linux",
        ]
        shown = [text.split("\t") for text in page.locator("#scale-rows tr").all_inner_texts()]
        assert [row[0] for row in shown] == ["100", "1,000", "10,000", "100,000", "1e6"]
        latest = page.locator("#tiles dd").first.inner_text().split("\n")[0]
        assert shown[1][1] in latest
        growths = page.locator("#scale-legend .num").all_inner_texts()
        wanted = rf"4,\d+{TIMES} from 100 to 1e6, as size to the power 0\.90"
        assert all(re.fullmatch(wanted, text) for text in growths)

    @pytest.mark.slow
    def test_another_commit_and_other_lines(self, opened: Callable[..., Page]) -> None:
        page = opened("scan", "x86-linux")
        newest = page.locator("#scale-rows").inner_text()
        page.locator("#over").get_by_label("from").select_option(commit_of(0))
        page.wait_for_function("before => document.getElementById('scale-rows').innerText !== before", arg=newest)
        page.locator("#over").get_by_label("a line for each").select_option("format (2)")
        page.locator("#scale-head", has_text="parquet").wait_for()
        page.wait_for_url(re.compile(f"per=tag%3Aformat&at={commit_of(0)}"))
        shown = page.locator("#scale-rows").inner_text()
        assert again(page).locator("#scale-rows").inner_text() == shown

    @pytest.mark.slow
    def test_one_line_alone(self, opened: Callable[..., Page]) -> None:
        page = opened(per="none")
        assert page.locator("#scale-head").inner_text().split("\t") == ["size", "1 arm-linux"]

    @pytest.mark.slow
    def test_even_scales(self, opened: Callable[..., Page]) -> None:
        page = opened()
        picture = "canvas => canvas.toDataURL()"
        log = page.locator("#scale-plot canvas").evaluate(picture)
        page.get_by_label("even scales").press(" ")
        page.wait_for_url(re.compile("even=1"))
        page.evaluate(SETTLED)
        assert page.locator("#scale-plot canvas").evaluate(picture) != log

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "title", "numbers"),
        [
            ("BM_sort/8/threads:4", "parameter 1", ["8", "64", "512"]),
            ("test_q.py::test_query[1-x]", "parameter 1", ["1", "2", "3"]),
        ],
    )
    def test_of_numbers_in_names(self, opened: Callable[..., Page], name: str, title: str, numbers: list[str]) -> None:
        page = opened(name, "runner-large", "")
        assert page.locator("#over-title").inner_text() == title
        assert page.locator("#scale-rows th").all_inner_texts() == numbers

    @pytest.mark.slow
    def test_a_benchmark_without_numbers_has_none(self, opened: Callable[..., Page]) -> None:
        assert opened("branches", "runner-large", "").locator("#scaling").is_hidden()

    def test_a_cell_leads_to_its_series(self, opened: Callable[..., Page]) -> None:
        page = opened()
        page.locator("#scale-rows a").first.press("Enter")
        page.get_by_role("heading", name="io: scan {format=lance,size=100}").wait_for()


# the tables that are wider than their frame, but those with a region to scroll: the points, and a column a line
CUT = """[...document.querySelectorAll(".sheet:not([tabindex])")].filter((sheet) => sheet.scrollWidth > sheet.clientWidth)
    .map((sheet) => sheet.innerText)"""


class TestNarrow:
    """Nothing is wider than a telephone."""

    @pytest.mark.slow
    @pytest.mark.parametrize("choices", [{}, {"by": "bed"}, {"by": "tag:size", "y": "log"}, {"y": "relative"}])
    def test_benchmark(self, browser: Browser, root: Path, key: Callable[..., str], choices: dict[str, str]) -> None:
        with visiting(browser, root, viewport={"width": 390, "height": 844}) as visit:
            page = visit.open(f"benchmark.html#{urlencode({'s': key(), **choices})}")
            page.locator("#plot canvas").wait_for()
            page.locator("#scale-rows tr").first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert page.evaluate(CUT) == []

    @pytest.mark.parametrize(
        "where",
        ["index.html", "commits.html", f"commit-{commit_of(STEP)}.html", f"commit.html#commit={commit_of(STEP + 1)}"],
    )
    def test_tables(self, browser: Browser, root: Path, where: str) -> None:
        with visiting(browser, root, viewport={"width": 390, "height": 844}) as visit:
            assert visit.open(where).evaluate(CUT) == []

    @pytest.mark.slow
    def test_a_cell_says_its_column(self, browser: Browser, root: Path) -> None:
        with visiting(browser, root, viewport={"width": 390, "height": 844}) as visit:
            page = visit.open(f"commit-{commit_of(STEP)}.html")
            cell = page.locator("tbody td").first
            assert cell.evaluate("node => getComputedStyle(node, '::before').content") == '"arm-linux"'
