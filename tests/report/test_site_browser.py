"""The site in a real browser, opened from files as a reader without a server opens it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import expect

from bench_db.rules import RULES
from tests.report.browsing import SETTLED, Visit, visiting, written
from tests.report.example_site import METADATA, content_of, history
from tests.report.examples import HOSTILE, commit_of

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.sample(12)


COLOURS = """(canvas) => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
}"""


def colours(page: Page, selector: str) -> int:
    """How many colours a canvas shows; 1 is blank."""
    count: int = page.locator(selector).first.evaluate(COLOURS)
    return count


class TestWithoutFindings:
    """Where nothing was found, the list says whether a scan looked."""

    @pytest.mark.parametrize(
        ("scanned", "said"),
        [(True, "The scan found no change point."), (False, "No change point has been found; bench-db scan looks")],
    )
    def test_said(self, browser: Browser, tmp_path: Path, *, scanned: bool, said: str) -> None:
        content = content_of(history("steady", np.full(9, 5.0)))
        with visiting(browser, written(tmp_path, content if scanned else replace(content, scans=()))) as visit:
            expect(visit.open("index.html").locator("#findings")).to_contain_text(said)
            assert visit.complaints == []


class TestDevices:
    """Series of two devices that have all names in common show their devices, and are chosen by device."""

    def test_list(self, browser: Browser, tmp_path: Path) -> None:
        one = history("steady", np.full(9, 5.0))
        other = one.with_columns(
            series_key=pl.col("series_key") + 1, dut_name=pl.lit("other"), run_key=-pl.col("run_key")
        )
        keys = {int(frame["series_key"][0]): f"runner-large ({frame['dut_name'][0]})" for frame in (one, other)}
        content = replace(content_of(pl.concat([one, other])), beds=keys)
        with visiting(browser, written(tmp_path, content)) as visit:
            page = visit.open("series.html")
            expect(page.locator(".row [role=cell]:nth-child(2)")).to_have_text(list(keys.values()))
            page.locator("select[name=dut]").select_option(label="other")
            expect(page.locator(".row [role=cell]:nth-child(2)")).to_have_text(["runner-large (other)"])
            expect(visit.open("series.html#dut=device").locator(".row [role=cell]:nth-child(2)")).to_have_text(
                ["runner-large (device)"]
            )
            assert visit.complaints == []


class TestCharts:
    """Charts are drawn, and say in words what they show."""

    def test_findings(self, visit: Visit) -> None:
        page = visit.open("index.html")
        assert colours(page, ".finding canvas") > 2
        assert (
            page.locator("h1").inner_text()
            == "16 regressions, of which 6 moved with the machine, and 2 improvements standing"
        )

    def test_history(self, visit: Visit) -> None:
        page = visit.open_series("decode_batch")
        assert colours(page, "#plot canvas") > 5
        assert page.locator("#title").inner_text() == "io: decode_batch/rows=1000"

    def test_rows_of_the_index(self, visit: Visit) -> None:
        assert colours(visit.open("series.html"), ".row canvas") > 1

    @pytest.mark.slow
    def test_raw_samples(self, visit: Visit) -> None:
        page = visit.open_series("decode_batch")
        page.get_by_text("48 of 56 samples").wait_for()
        assert colours(page, "#samples") > 2

    def test_hover_names_the_commit(self, visit: Visit) -> None:
        page = visit.open_series("encode_batch")
        page.locator("#plot .u-over").hover(position={"x": 2, "y": 50})
        assert commit_of(0)[: RULES.sha_length] in page.locator("#values").inner_text()
        link = page.locator("#values a.sha").get_attribute("href")
        assert link == METADATA.commit_url.replace("{commit}", commit_of(0))

    @pytest.mark.slow
    def test_by_date_and_from_zero(self, visit: Visit) -> None:
        page = visit.open_series("decode_batch")
        page.get_by_text("By date").click()
        page.get_by_text("From zero").click()
        assert colours(page, "#plot canvas") > 5

    @pytest.mark.parametrize("name", ["flaky", "stale", "constant", "single", "recall", "peak_memory"])
    def test_every_kind_of_series(self, visit: Visit, name: str) -> None:
        assert colours(visit.open_series(name), "#plot canvas") > 1

    def test_failing_and_stale_are_said(self, visit: Visit) -> None:
        assert "Its newest result is a failure." in visit.open_series("flaky").locator("#warnings").inner_text()
        assert "Not measured at the newest commits" in visit.open_series("stale").locator("#warnings").inner_text()

    @pytest.mark.slow
    def test_an_error_is_shown_with_its_lines_from_its_beginning_to_its_end(self, visit: Visit) -> None:
        said = visit.open_series("flaky").locator("#values .worse").inner_text().splitlines()
        assert (said[0], said[-1]) == ("exit code 1 in flaky", "NameError: x")

    def test_a_series_that_is_gone(self, visit: Visit) -> None:
        assert (
            "no longer in the store" in visit.open("benchmark.html#s=0000000000000000").locator("#facts").inner_text()
        )


class TestFilter:
    """The lists show what is asked for, and the address keeps the question."""

    def test_index(self, visit: Visit) -> None:
        page = visit.open("series.html")
        page.get_by_label("Filter by name").fill("suite WIDE/3")
        assert page.locator("#status").inner_text() == "1 of 24 series"
        assert page.locator(".row").all_inner_texts()[0].startswith("io: suite-wide/3")
        page.reload()
        assert page.locator("#status").inner_text() == "1 of 24 series"

    @pytest.mark.slow
    def test_nothing_is_cut_on_a_phone(self, browser: Browser, tmp_path: Path) -> None:
        points = history("slow", np.array([*[1.0] * 29, 1.299]))
        known = {"spread": 0.01, "smallest_effect": 0.02, "autocorrelated": False, "runs_needed": 5}
        noise = points.select("series_key").unique().with_columns(**{name: pl.lit(of) for name, of in known.items()})
        content = content_of(points, noise=noise)
        with visiting(browser, written(tmp_path, content)) as visit:
            page = visit.open("series.html")
            page.set_viewport_size({"width": 390, "height": 800})
            cell = page.locator(".row > .num", has_text="worse")
            expect(cell).to_contain_text("29.9 %")
            widths = cell.evaluate("(cell) => [cell.scrollWidth, cell.clientWidth]")
            assert widths[0] <= widths[1]

    @pytest.mark.slow
    def test_choices(self, visit: Visit) -> None:
        page = visit.open("series.html")
        page.get_by_label("Test bed").select_option("laptop")
        assert page.locator("#status").inner_text() == "1 of 24 series"

    def test_sorting(self, visit: Visit) -> None:
        page = visit.open("series.html")
        page.get_by_role("button", name="Latest").click()
        assert page.locator(".row a").first.inner_text() == "io: peak_memory memory"
        assert page.locator("[aria-sort=descending]").count() == 1

    def test_noise(self, visit: Visit) -> None:
        page = visit.open("noise.html")
        spreads = page.locator(".row > :nth-child(3)").all_inner_texts()
        known = [float(text.rstrip(" %")) for text in spreads if text[0].isdigit()]
        assert known
        assert known == sorted(known, reverse=True)
        page.get_by_label("Which series").select_option("Runs alike")
        assert set(page.locator(".row > :last-child").all_inner_texts()) == {"runs alike"}
        page.get_by_role("link", name="laptop").click()
        page.locator("#status", has_text="1 of 24 series").wait_for()

    @pytest.mark.slow
    def test_states_of_findings(self, visit: Visit) -> None:
        page = visit.open("index.html")
        page.get_by_text("Blessed").click()
        assert page.locator(".finding").count() == 1
        assert page.locator(".finding .badge").inner_text() == "blessed"

    @pytest.mark.slow
    def test_the_findings_of_a_commit_are_one_line(self, visit: Visit) -> None:
        page = visit.open("index.html")
        group = page.locator(".group", has_text="6 slower")
        assert f"{commit_of(260)[:9]} 6 slower, median +12.3 % runner-large, 6 Feb 2026" in group.inner_text()
        assert "moved together: runner-large from 3 September. Cause: the machine or the tool chain (6 of 6" in (
            group.inner_text()
        )
        assert group.locator(".finding").count() == 0
        group.locator("summary").focus()
        page.keyboard.press("Enter")
        group.locator(".finding").nth(5).wait_for()
        assert colours(page, ".group .finding canvas") > 2
        page.get_by_text("Worse", exact=True).click()
        assert page.locator(".group", has_text="6 slower").count() == 1

    def test_to_the_page_of_a_commit_and_to_its_series(self, visit: Visit) -> None:
        page = visit.open("index.html")
        page.locator(".group", has_text="6 slower").get_by_text("What this commit did").click()
        assert commit_of(260)[:9] in page.locator("h1").inner_text()
        page.get_by_role("link", name="worse +12.5 %").click()
        page.locator("#plot canvas").wait_for()
        assert page.locator("#title").inner_text() == "io: suite-wide/5"
        page.get_by_role("link", name="Commits").click()
        page.locator("tbody tr").nth(299).wait_for()
        assert page.locator("tbody tr").count() == 300


class TestCompare:
    """Two commits of a suite, every series at both."""

    def test_a_step_lies_between(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={commit_of(150)}&b={commit_of(250)}&dut=device&bed=runner-large&suite=io")
        page.get_by_text("series: ").wait_for()
        row = page.locator(".row", has_text="encode_batch")
        assert row.locator(".num span").first.get_attribute("class") == "worse"
        assert (
            "11 series: 1 worse (+8.3 %) and 1 better (\N{MINUS SIGN}8.6 %) by a finding"
            in page.locator("#status").inner_text()
        )

    def test_the_extent_of_what_moved(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={commit_of(255)}&b={commit_of(265)}&dut=device&bed=runner-large&suite=io")
        expect(page.locator("#status")).to_have_text(
            re.compile(r" [2-9] worse \(\+[\d.]+ to \+[\d.]+ %\) and 0 better by")
        )

    def test_swapping_turns_worse_into_better(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={commit_of(150)}&b={commit_of(250)}&dut=device&bed=runner-large&suite=io")
        page.get_by_role("button", name="Swap").click()
        page.locator(".row .better", has_text="\N{MINUS SIGN}").first.wait_for()
        assert (
            page.locator(".row", has_text="encode_batch").locator(".num span").first.get_attribute("class") == "better"
        )

    @pytest.mark.parametrize(("a", "b"), [(10, 20), (20, 40), (62, 99)])
    def test_nothing_is_called_worse_or_better_without_a_test(self, visit: Visit, a: int, b: int) -> None:
        """No finding lies between, and a difference of medians of noise is no verdict."""
        page = visit.open(f"compare.html#a={commit_of(a)}&b={commit_of(b)}&dut=device&bed=runner-large&suite=io")
        page.get_by_text("series: ").wait_for()
        assert page.locator(".row .worse, .row .better").count() == 0
        said = page.locator("#status").inner_text()
        assert "no finding between them" in said
        command = f"bench-db compare {commit_of(b)[:9]} --baseline {commit_of(a)[:9]}"
        assert command in page.locator("#command").inner_text()

    def test_from_a_point(self, visit: Visit) -> None:
        page = visit.open_series("decode_batch")
        page.get_by_text("Compare all series with the commit before").click()
        page.get_by_text("series: ").wait_for()
        assert page.locator(".row").count() > 5


class TestKeyboard:
    """Everything can be reached and done without a pointer."""

    def test_index(self, visit: Visit) -> None:
        page = visit.open("series.html")
        page.keyboard.press("/")
        page.keyboard.type("suite-wide")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.textContent") == "io: suite-wide/1"
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        page.locator("#plot canvas").wait_for()
        assert page.locator("#title").inner_text() == "io: suite-wide/5"

    @pytest.mark.slow
    def test_points_of_a_chart(self, visit: Visit) -> None:
        page = visit.open_series("encode_batch")
        plot = page.get_by_role("slider")
        plot.focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        assert (plot.get_attribute("aria-valuetext") or "").startswith("Point 2 of 300")
        assert commit_of(1)[: RULES.sha_length] in page.locator("#values").inner_text()

    def test_table_instead_of_the_chart(self, visit: Visit) -> None:
        page = visit.open_series("single")
        page.locator("summary").focus()
        page.keyboard.press("Enter")
        assert "42" in page.locator("#table tr").inner_text()

    @pytest.mark.slow
    def test_next_series(self, visit: Visit) -> None:
        page = visit.open_series("suite-wide/1")
        page.keyboard.press("]")
        page.get_by_role("heading", name="io: suite-wide/2").wait_for()

    @pytest.mark.slow
    def test_next_series_again_and_again(self, visit: Visit) -> None:
        page = visit.open_series("suite-wide/1")
        page.locator("#next a").focus()
        for number in (2, 3, 4):
            page.keyboard.press("Enter")
            page.get_by_role("heading", name=f"io: suite-wide/{number}").wait_for()

    @pytest.mark.slow
    def test_another_series_begins_at_its_title(self, visit: Visit) -> None:
        page = visit.open_series("decode_batch")
        page.locator("#beds a", has_text="laptop").focus()
        page.keyboard.press("Enter")
        page.locator("#facts", has_text="laptop").wait_for()
        page.evaluate(SETTLED)
        assert page.evaluate("[document.activeElement.id, scrollY]") == ["title", 0]

    def test_everything_has_a_name(self, visit: Visit) -> None:
        for where in ("index.html", "series.html", "commits.html", "compare.html", "noise.html"):
            page = visit.open(where)
            unnamed = page.evaluate(
                """[...document.querySelectorAll("button, input, select, a[href], [role=slider]")].filter((node) =>
                    !(node.textContent.trim() || node.getAttribute("aria-label") || node.labels?.length)).map((node) => node.outerHTML)"""
            )
            assert unnamed == []


class TestHostileNames:
    """A name is text wherever it is shown, and nothing else."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "where",
        [
            "index.html#q=script",
            "series.html",
            "noise.html",
            f"commit-{commit_of(270)}.html",
            "compare.html#dut=device&bed=runner-large&suite=hostile",
        ],
    )
    def test_lists(self, visit: Visit, where: str) -> None:
        page = visit.open(where)
        page.locator("bdi", has_text="</script><img").first.wait_for()
        assert page.locator("main img, main script").count() == 0
        assert "owned" not in page.title()

    def test_pages(self, visit: Visit) -> None:
        page = visit.open("series.html#suite=hostile")
        keys = page.locator(".row a").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
        assert len(keys) == len(HOSTILE)
        for key in keys:
            visit.open(key)
            page.locator("#plot canvas").wait_for()
            assert page.locator("main img, main script").count() == 0
            assert not {"\u202e", "\n", "\x1b"} & set(page.locator("#title").text_content() or "")

    @pytest.mark.slow
    def test_markup_is_refused_even_if_asked_for(self, browser: Browser, root: Path) -> None:
        with visiting(browser, root) as visit:
            page = visit.open("series.html")
            refused = page.evaluate("""() => {
                try { document.body.innerHTML = "<img src=x onerror=alert(1)>"; return "taken"; } catch (error) { return error.name; }
            }""")
            assert refused == "TypeError"


class TestAppearance:
    """Light and dark, wide and narrow."""

    def test_follows_the_system_and_the_switch(self, browser: Browser, root: Path) -> None:
        with visiting(browser, root, color_scheme="dark") as visit:
            page = visit.open("index.html")
            dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
            page.get_by_role("button", name="Switch between light and dark").click()
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
            page.reload()
            assert page.evaluate("document.documentElement.dataset.theme") == "light"

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "where",
        [
            *("index.html", "series.html", "compare.html", "noise.html", "commits.html"),
            *(f"commit-{commit_of(270)}.html", f"commit.html#commit={commit_of(271)}"),
        ],
    )
    def test_narrow(self, browser: Browser, root: Path, where: str) -> None:
        with visiting(browser, root, viewport={"width": 360, "height": 740}) as visit:
            page = visit.open(where)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
