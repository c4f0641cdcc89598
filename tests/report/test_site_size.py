"""The site at the size of a large project: 10,000 series of 300 points."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import expect

from bench_db.identity import hash63
from bench_db.query.series import COLUMNS
from tests.report.browsing import visiting, written
from tests.report.example_site import METADATA, content_of
from tests.report.examples import commit_of, found

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator

    from bench_db.report.site.contract import SiteContent
    from tests.report.browsing import Visit

SERIES, POINTS, SUITES = 10_000, 300, 50
FIRST_CHART_MS = 1000
TALLY_MB = 0.2
LARGEST_MB = 66  # 64 before pages loaded a part of the list of series instead of all of it, 2 MB
MOST_CLICKS = 2
pytestmark = pytest.mark.slow


def _step(series: int) -> int:
    """Return the commit at which a series moves: that of a series on either test bed."""
    return 200 + series // 50 % 16 * 5


def large(count: int = SERIES) -> SiteContent:
    """Benchmarks of five sizes on two test beds. Every 25th of the series has a step of 12 % and a finding."""
    rng = np.random.default_rng(1)
    names = [f"group_{i // 10 % 97}/case_{i // 10}" for i in range(count)]
    beds = [("x86-linux", "arm-linux")[i % 2] for i in range(count)]
    tags = [f"size={10 ** (1 + i // 2 % 5)}" for i in range(count)]
    suites = [f"crate-{i * SUITES // count:02d}" for i in range(count)]
    keys = [hash63(parts) for parts in zip(beds, suites, names, tags, strict=True)]
    medians = 10 ** rng.uniform(2, 9, (count, 1)) * np.exp(0.02 * rng.standard_normal((count, POINTS)))
    stepped = range(0, count, 25)
    for i in stepped:
        medians[i, _step(i) :] *= 1.12
    point = np.tile(np.arange(POINTS), count)
    whole: dict[str, Any] = {
        "dut_name": "device",
        "metric": "time",
        "units": "nanoseconds",
        "direction": "lower",
    }
    whole |= {"branch": "main", "dut_version": "1.0", "n": 20, "lower": None, "upper": None, "error": None}
    series = np.repeat(np.arange(count), POINTS)
    frame = pl.DataFrame(
        {
            "series_key": np.repeat(np.array(keys), POINTS),
            "suite": pl.Series(suites).gather(series),
            "benchmark_name": pl.Series(names).gather(series),
            "test_bed_name": pl.Series(beds).gather(series),
            "tags_key": pl.Series(tags).gather(series),
            "commit": pl.Series([commit_of(i) for i in range(POINTS)]).gather(point),
            "dut_timestamp": 1_760_000_000 + point * 40_000,
            "median": medians.ravel(),
        }
    )
    derived = {"q1": pl.col("median") * 0.99, "q3": pl.col("median") * 1.02}
    times = dict.fromkeys(("run_time", "timestamp", "run_key", "commit_order"), pl.col("dut_timestamp"))
    unused = dict.fromkeys(("min", "max", "mean", "standard_deviation"), pl.lit(0.0))
    constants = {name: pl.lit(value) for name, value in whole.items()}
    findings = [
        found(finding_id=f"f{i}", series_key=keys[i], index=_step(i), commit=commit_of(_step(i))) for i in stepped
    ]
    return content_of(
        frame.with_columns(**derived, **times, **unused, **constants).select(*COLUMNS, "commit_order"),
        METADATA,
        findings,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("large"), large())


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of twice as many series."""
    return written(tmp_path_factory.mktemp("larger"), large(2 * SERIES))


# The time of the first chart; the page allows no other way to wait for it.
_DRAWN = """async () => {
    while (!performance.getEntriesByName("bench-chart").length) await new Promise((resume) => setTimeout(resume, 5));
    return performance.getEntriesByName("bench-chart")[0].startTime;
}"""


class Clicks:
    """A reader with a pointer at the front page; `page` shows where the clicks led."""

    def __init__(self, visit: Visit) -> None:
        self.page = visit.open("index.html")
        self.count = 0

    def click(self, target: Locator) -> None:
        target.first.click()
        self.count += 1


def first_series(root: Path) -> str:
    text = next(root.glob("data/catalogue-*.js")).read_text("utf-8")
    catalogue: dict[str, Any] = json.loads(text[text.index(",") + 1 : text.rindex(");")])
    return str(catalogue["key"][SERIES // 2])


class TestLarge:
    """Ten thousand series are no slower to look at than ten, and each of the five questions takes two clicks at most."""

    def test_filter_and_sort_of_the_index(self, browser: Browser, root: Path) -> None:
        with visiting(browser, root) as visit:
            page = visit.open("series.html")
            page.get_by_label("Filter by name").fill("case_77")
            assert page.locator("#status").inner_text() == "110 of 10,000 series"
            page.get_by_label("Filter by name").fill("")
            page.get_by_role("button", name="Change").click()
            assert page.locator(".row").count() < 60
            page.locator(".body").press("End")
            page.locator(f"[aria-rowindex='{SERIES + 1}']").wait_for()

    @pytest.fixture
    def clicks(self, browser: Browser, root: Path) -> Iterator[Clicks]:
        with visiting(browser, root) as visit:
            clicks = Clicks(visit)
            yield clicks
            assert clicks.count <= MOST_CLICKS
            assert visit.complaints == []

    def test_is_main_fine(self, clicks: Clicks) -> None:
        assert clicks.page.locator("h1").inner_text() == "400 regressions standing"
        newest = clicks.page.locator(".fresh").inner_text()
        assert newest.startswith(f"Newest commit with results: {commit_of(POINTS - 1)[:9]}")

    def test_what_did_a_commit_do_on_all_test_beds(self, clicks: Clicks) -> None:
        group = clicks.page.locator(".group", has_text=commit_of(275)[:9])
        clicks.click(group.get_by_text("What this commit did"))
        assert commit_of(275)[:9] in clicks.page.locator("h1").inner_text()
        assert clicks.page.locator("thead th").all_inner_texts() == ["Benchmark", "arm-linux", "x86-linux"]
        assert clicks.page.locator("tbody a", has_text="worse +10.0 %").count() == 24

    def test_what_did_a_commit_without_findings_do(self, clicks: Clicks) -> None:
        """Nothing moved on both test beds, and the table of its series is one click further."""
        clicks.click(clicks.page.get_by_role("link", name="Commits"))
        clicks.click(clicks.page.get_by_role("link", name=commit_of(277)[:9]))
        expect(clicks.page.locator("#title")).to_contain_text(commit_of(277)[:9])
        expect(clicks.page.locator("#builds")).to_contain_text("Nothing moved: no finding is at this commit.")
        assert set(clicks.page.locator("#measured th").all_inner_texts()) == {"arm-linux", "x86-linux"}
        difference = clicks.page.get_by_role("link", name="diff").get_attribute("href")
        assert difference == f"https://example.org/project/compare/{commit_of(276)}...{commit_of(277)}"

    def test_which_diff_caused_it(self, clicks: Clicks) -> None:
        group = clicks.page.locator(".group", has_text=commit_of(275)[:9])
        clicks.click(group.get_by_text("What this commit did"))
        difference = clicks.page.get_by_role("link", name="diff")
        address = f"https://example.org/project/compare/{commit_of(274)}...{commit_of(275)}"
        assert difference.get_attribute("href") == address  # the second click leaves the site

    def test_is_arm_hit_as_x86_is(self, clicks: Clicks) -> None:
        clicks.click(clicks.page.locator(".group summary"))
        clicks.click(clicks.page.get_by_role("link", name="on all test beds"))
        clicks.page.locator("#legend button").nth(1).wait_for()
        assert clicks.page.locator("#legend bdi").all_inner_texts() == ["arm-linux", "x86-linux"]
        assert clicks.page.locator("#beds .badge", has_text="1 worse").count() == 1

    def test_how_does_it_scale_with_size(self, clicks: Clicks) -> None:
        clicks.click(clicks.page.get_by_role("link", name="Series"))
        clicks.page.get_by_label("Filter by name").fill("case_77 size=1000 arm")
        clicks.click(clicks.page.locator(".row a"))
        clicks.page.locator("#over-title", has_text="size").wait_for()
        assert clicks.page.locator("#scale-rows th").all_inner_texts() == ["10", "100", "1,000", "10,000", "100,000"]
        assert "as size to the power" in clicks.page.locator("#scale-legend").inner_text()

    def test_size(self, root: Path) -> None:
        sizes = [path.stat().st_size for path in root.rglob("*") if path.is_file()]
        assert sum(sizes) < LARGEST_MB * 1_000_000
        assert max(sizes) < 3_000_000

    def test_size_of_the_tally(self, root: Path) -> None:
        (tally,) = root.glob("data/tally-*.js")
        assert tally.stat().st_size < TALLY_MB * 1_000_000

    # after the others: the pages are made, 8 s, while another worker runs
    @pytest.mark.alone
    @pytest.mark.parametrize("size", ["root", "larger"])
    @pytest.mark.parametrize("where", ["index.html", "benchmark.html#s={key}"])
    def test_first_chart(self, browser: Browser, request: pytest.FixtureRequest, where: str, size: str) -> None:
        root: Path = request.getfixturevalue(size)
        best = []
        for _ in range(3):
            with visiting(browser, root) as visit:
                page = visit.open(where.format(key=first_series(root)))
                if where == "index.html":  # the findings of a commit are folded
                    page.locator(".group summary").first.click()
                best.append(page.evaluate(_DRAWN))
                assert visit.complaints == []
        assert min(best) < FIRST_CHART_MS, best
