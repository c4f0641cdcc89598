"""The page of any measured commit, by its address."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import expect

from bench_db.model import RecordedCommit
from tests.report.browsing import Visit, visiting, written
from tests.report.example_site import METADATA, content_of, history
from tests.report.examples import HOSTILE, commit_of, found, last_scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from bench_db.report.site.contract import SiteContent

RUNS = 30
MOVED = 20


def content() -> SiteContent:
    """Two series of 30 commits on two test beds; one of them has a finding at the commit `MOVED`, and the scan is two commits behind."""
    steady = np.full(RUNS, 5.0)
    points = pl.concat([history("a", steady), history("b", steady, bed="arm")])
    findings = [found("f", int(points["series_key"][0]), MOVED, commit=commit_of(MOVED))]
    return replace(content_of(points, METADATA, findings), scans=(last_scan(judged=2, commits_since=2),))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[SiteContent], Path]:
    return lambda some: written(tmp_path_factory.mktemp("commit"), some)


@pytest.fixture(scope="module")
def directory(made: Callable[[SiteContent], Path]) -> Path:
    return made(content())


class TestCommit:
    """Each measured commit has a page: what was measured, its range, and whether a finding is at it."""

    def shown(self, visit: Visit, commit: str) -> Page:
        page = visit.open(f"commit.html#commit={commit}")
        expect(page.locator("#title")).not_to_have_text("A measured commit")
        return page

    @pytest.mark.slow
    def test_nothing_moved(self, browser: Browser, directory: Path) -> None:
        with visiting(browser, directory) as visit:
            page = self.shown(visit, commit_of(5))
            expect(page.locator("#builds strong")).to_have_text("Nothing moved:")
            expect(page.locator("#builds")).to_contain_text(f"Against {commit_of(4)[:9]}, the measured commit before")
            assert page.locator("#measured th").all_inner_texts() == ["arm", "runner-large"]
            page.get_by_role("link", name="on arm beside the commit before").press("Enter")
            expect(page.locator("#status")).to_have_text("1 series: no finding between them")
            chosen = page.locator("#pick select").evaluate_all("all => all.map((one) => one.selectedOptions[0].text)")
            assert [commit_of(n)[:9] in text for n, text in zip((4, 5), chosen[1:], strict=True)] == [True, True]
            assert visit.complaints == []

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("number", "verdict"), [(RUNS - 2, "Not scanned yet:"), (RUNS - 3, "Nothing moved:"), (0, "Nothing moved:")]
    )
    def test_the_scan_did_not_see_the_newest(
        self, browser: Browser, directory: Path, number: int, verdict: str
    ) -> None:
        with visiting(browser, directory) as visit:
            expect(self.shown(visit, commit_of(number)).locator("#builds strong")).to_have_text(verdict)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("number", "verdict"),
        [
            (RUNS - 1, "Not scanned yet: no finding is at this commit. Last scan"),
            (
                RUNS - 2,
                "Perhaps not all of it was scanned: no finding is at this commit. 2 runs of this or other commits up to the newest scanned one",
            ),
        ],
    )
    def test_runs_that_the_scan_did_not_see(
        self, browser: Browser, made: Callable[[SiteContent], Path], number: int, verdict: str
    ) -> None:
        """A commit that is measured late is before the newest scanned one; each commit here has two builds."""
        python = history("a", np.full(RUNS, 5.0))
        rust = history("b", np.full(RUNS, 5.0)).with_columns(
            dut_version=pl.lit("2+") + pl.col("dut_version"), run_key=pl.col("run_key") + 100
        )
        scan = last_scan(judged=2, commits_since=1, runs_since=4, late_runs=2)
        one = replace(content_of(pl.concat([python, rust])), scans=(scan,))
        with visiting(browser, made(one)) as visit:
            shown = self.shown(visit, commit_of(number)).locator("#builds")
            for place in (1, 3):
                expect(shown.locator("p").nth(place)).to_contain_text(verdict)
            expect(shown.locator("p").first).to_contain_text(f"Against {commit_of(number - 1)[:9]}")

    @pytest.mark.slow
    def test_no_scan_judged_nothing(self, browser: Browser, made: Callable[[SiteContent], Path]) -> None:
        with visiting(browser, made(replace(content(), findings=(), scans=()))) as visit:
            shown = self.shown(visit, commit_of(3)).locator("#builds")
            expect(shown).to_contain_text("Not judged: no finding is at this commit. No scan is recorded")

    @pytest.mark.slow
    def test_the_newest_has_its_verdicts(self, browser: Browser, made: Callable[[SiteContent], Path]) -> None:
        verdicts = {"device": {"regressed": 1, "unchanged": 1}}
        with visiting(browser, made(replace(content(), verdicts=lambda: verdicts))) as visit:
            said = "Against the level before it: 1 regressed, 1 unchanged."
            expect(self.shown(visit, commit_of(RUNS - 1)).locator("#builds")).to_contain_text(said)
            expect(self.shown(visit, commit_of(RUNS - 2)).locator("#builds")).not_to_contain_text(said)

    def test_one_with_findings_has_its_own_page(self, browser: Browser, directory: Path) -> None:
        with visiting(browser, directory) as visit:
            page = visit.open(f"commit.html#commit={commit_of(MOVED)[:8]}")
            page.wait_for_url(f"**/commit-{commit_of(MOVED)}.html")
            page.get_by_role("link", name="measured before").press("Enter")
            expect(page.locator("#title")).to_contain_text(commit_of(MOVED - 1)[:9])

    @pytest.mark.slow
    def test_keys_walk_the_history(self, browser: Browser, directory: Path) -> None:
        with visiting(browser, directory) as visit:
            page = self.shown(visit, commit_of(5))
            page.get_by_role("link", name="measured next").press("Enter")
            expect(page.locator("#title")).to_contain_text(commit_of(6)[:9])
            expect(page.locator("#title")).to_be_focused()
            page.get_by_role("link", name="measured before").press("Enter")
            expect(page.locator("#title")).to_contain_text(commit_of(5)[:9])
            assert self.shown(visit, commit_of(RUNS - 1)).get_by_text("measured next").count() == 0

    def test_from_the_list_and_the_front_page_and_a_point(self, browser: Browser, directory: Path) -> None:
        with visiting(browser, directory) as visit:
            for where, name in (("commits.html", commit_of(7)[:9]), ("index.html", commit_of(RUNS - 1)[:9])):
                page = visit.open(where)
                page.get_by_role("link", name=name).first.press("Enter")
                expect(page.locator("#title")).to_contain_text(name)
            page = visit.open_series("b", "arm")
            page.get_by_role("link", name="What this commit did").press("Enter")
            expect(page.locator("#title")).to_contain_text(commit_of(RUNS - 1)[:9])

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("address", "title"),
        [
            ("#commit=nothing", "This commit has no results here"),
            ("", "No commit chosen"),
            ("#commit=abc", "2 commits begin like this"),
        ],
        ids=["unknown", "none", "ambiguous"],
    )
    def test_no_single_commit(
        self, browser: Browser, made: Callable[[SiteContent], Path], address: str, title: str
    ) -> None:
        names = {commit_of(0): "abc0" * 10, commit_of(1): "abc1" * 10}
        frame = history("a", np.full(3, 5.0)).with_columns(pl.col("commit").replace(names))
        with visiting(browser, made(content_of(frame))) as visit:
            page = visit.open(f"commit.html{address}")
            expect(page.locator("#title")).to_have_text(title)
            expect(page.locator("#body")).to_be_hidden()
            page.locator("#status a").first.press("Enter")
            landed = "2 commits begin" in title
            expect(page.locator("h1")).to_contain_text("abc" if landed else "3 measured commits")

    @pytest.mark.slow
    def test_hostile_names(self, browser: Browser, made: Callable[[SiteContent], Path]) -> None:
        frame = history("a", np.full(3, 5.0)).with_columns(commit=pl.lit(HOSTILE["script"]))
        with visiting(browser, made(content_of(frame))) as visit:
            page = visit.open("commits.html")
            page.locator("tbody th a").first.press("Enter")
            expect(page.locator("#builds")).to_contain_text("No commit before it has results.")
            assert page.locator("main img, main script").count() == 0
            assert visit.complaints == []


class TestElsewhere:
    """Other pages name a commit by its subject and lead to its page."""

    @pytest.mark.slow
    def test_the_subject_is_beside_a_finding(self, browser: Browser, made: Callable[[SiteContent], Path]) -> None:
        subject = "Read <b>less</b>"
        recorded = {commit_of(MOVED): RecordedCommit(dut_name="device", commit=commit_of(MOVED), subject=subject)}
        one = replace(content(), recorded=recorded)
        several = [replace(one.findings[0], id=f"g{key}", series_key=key) for key in one.series["series_key"]]
        for findings, place in ((one.findings, ".finding .about"), (several, ".group > p")):
            with visiting(browser, made(replace(one, findings=findings))) as visit:
                page = visit.open("index.html")
                expect(page.locator(place)).to_contain_text(subject)
                page.get_by_label("Filter by name").fill("read <B>")
                expect(page.locator(place)).to_contain_text(subject)
                page.get_by_label("Filter by name").fill("read nothing")
                expect(page.locator("#findings")).to_have_text("No finding matches.")

    def test_the_two_commits_of_a_comparison(self, browser: Browser, directory: Path) -> None:
        with visiting(browser, directory) as visit:
            page = visit.open(f"compare.html#a={commit_of(4)}&b={commit_of(9)}")
            links = page.locator("#links")
            expect(links).to_have_text(f"before: {commit_of(4)[:9]} · after: {commit_of(9)[:9]} · diff")
            difference = f"https://example.org/project/compare/{commit_of(4)}...{commit_of(9)}"
            assert links.get_by_role("link", name="diff").get_attribute("href") == difference
            page.locator("[name=swap]").press("Enter")
            expect(links).to_contain_text(f"before: {commit_of(9)[:9]}")
            links.get_by_role("link", name="after").press("Enter")
            expect(page.locator("#title")).to_contain_text(commit_of(4)[:9])

    @pytest.mark.slow
    def test_all_series_of_a_commit_with_findings(self, browser: Browser, directory: Path) -> None:
        with visiting(browser, directory) as visit:
            page = visit.open(f"commit-{commit_of(MOVED)}.html")
            page.get_by_role("link", name="side by side").press("Enter")
            before, after = (commit_of(number)[:9] for number in (MOVED - 1, MOVED))
            expect(page.locator("#links")).to_contain_text(f"before: {before} · after: {after}")

    @pytest.mark.slow
    def test_the_same_commit_twice_has_no_diff(self, browser: Browser, directory: Path) -> None:
        with visiting(browser, directory) as visit:
            page = visit.open(f"compare.html#a={commit_of(4)}&b={commit_of(4)}")
            expect(page.locator("#links")).to_have_text(f"before: {commit_of(4)[:9]} · after: {commit_of(4)[:9]}")
