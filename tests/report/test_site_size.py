"""The site at the size of a large project: 10,000 series of 300 points."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from bench_db.identity import hash63
from bench_db.query.series import COLUMNS
from bench_db.report.site.build import site
from tests.report.browsing import visiting
from tests.report.example_site import METADATA, content_of
from tests.report.examples import commit_of, found

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from bench_db.report.site.contract import SiteContent

SERIES, POINTS, SUITES = 10_000, 300, 50
FIRST_CHART_MS = 1000
LARGEST_MB = 64
pytestmark = pytest.mark.slow


def large() -> SiteContent:
    """Every 25th series has a step of 12 % and a finding."""
    rng = np.random.default_rng(1)
    names = [f"group_{i % 97}/case_{i}/rows={10 ** (i % 6)}" for i in range(SERIES)]
    suites = [f"crate-{i * SUITES // SERIES:02d}" for i in range(SERIES)]
    keys = [hash63(pair) for pair in zip(suites, names, strict=True)]
    medians = 10 ** rng.uniform(2, 9, (SERIES, 1)) * np.exp(0.02 * rng.standard_normal((SERIES, POINTS)))
    stepped = range(0, SERIES, 25)
    for i in stepped:
        medians[i, 200 + i % 80 :] *= 1.12
    point = np.tile(np.arange(POINTS), SERIES)
    whole: dict[str, Any] = {
        "dut_name": "device",
        "test_bed_name": "runner",
        "metric": "time",
        "tags_key": "",
        "units": "nanoseconds",
        "direction": "lower",
    }
    whole |= {"branch": "main", "dut_version": "1.0", "n": 20, "lower": None, "upper": None, "error": None}
    series = np.repeat(np.arange(SERIES), POINTS)
    frame = pl.DataFrame(
        {
            "series_key": np.repeat(np.array(keys), POINTS),
            "suite": pl.Series(suites).gather(series),
            "benchmark_name": pl.Series(names).gather(series),
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
        found(finding_id=f"f{i}", series_key=keys[i], index=200 + i % 80, commit=commit_of(200 + i % 80))
        for i in stepped
    ]
    return content_of(
        frame.with_columns(**derived, **times, **unused, **constants).select(*COLUMNS, "commit_order"),
        METADATA,
        findings,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("large")
    for path, content in site(large()):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)
    return directory


# The time of the first chart; the page allows no other way to wait for it.
_DRAWN = """async () => {
    while (!performance.getEntriesByName("bench-chart").length) await new Promise((resume) => setTimeout(resume, 5));
    return performance.getEntriesByName("bench-chart")[0].startTime;
}"""


def first_series(root: Path) -> str:
    text = next(root.glob("data/catalogue-*.js")).read_text("utf-8")
    catalogue: dict[str, Any] = json.loads(text[text.index(",") + 1 : text.rindex(");")])
    return str(catalogue["key"][SERIES // 2])


class TestLarge:
    """Ten thousand series are no slower to look at than ten."""

    @pytest.mark.alone
    @pytest.mark.parametrize("where", ["index.html", "benchmark.html#s={key}"])
    def test_first_chart(self, browser: Browser, root: Path, where: str) -> None:
        best = []
        for _ in range(3):
            with visiting(browser, root) as visit:
                page = visit.open(where.format(key=first_series(root)))
                if where == "index.html":  # the findings of a commit are folded
                    page.locator(".group summary").first.click()
                best.append(page.evaluate(_DRAWN))
                assert visit.complaints == []
        assert min(best) < FIRST_CHART_MS, best

    def test_filter_and_sort_of_the_index(self, browser: Browser, root: Path) -> None:
        with visiting(browser, root) as visit:
            page = visit.open("series.html")
            page.get_by_label("Filter by name").fill("case_77")
            assert page.locator("#status").inner_text() == "111 of 10,000 series"
            page.get_by_label("Filter by name").fill("")
            page.get_by_role("button", name="Change").click()
            assert page.locator(".row").count() < 60
            page.locator(".body").press("End")
            page.locator(f"[aria-rowindex='{SERIES + 1}']").wait_for()

    def test_size(self, root: Path) -> None:
        sizes = [path.stat().st_size for path in root.rglob("*") if path.is_file()]
        assert sum(sizes) < LARGEST_MB * 1_000_000
        assert max(sizes) < 3_000_000
