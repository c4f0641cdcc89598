"""Every kind of awkward series on the site: what its data say, and what a reader sees."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import bench_db
from tests.cli.kinds import CANDIDATE, KINDS, LAST, RENAMED, UNIT, of_every_kind, sha
from tests.report.browsing import visiting
from tests.support.workers import made_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.report.browsing import Visit

pytestmark = pytest.mark.few(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "kinds", of_every_kind)


@pytest.fixture(scope="module")
def pages(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    assert bench_db("site", out, "--store", store).code == 0
    return out


def received(pages: Path, stem: str) -> Any:
    text = next(pages.glob(f"data/{stem}-*.js")).read_text("utf-8")
    return json.loads(text[text.index(",") + 1 : text.rindex(");")])


@pytest.fixture(scope="module")
def catalogue(pages: Path) -> Any:
    return received(pages, "catalogue")


class TestSiteData:
    """The catalogue says of every series how it stands, and which may be one."""

    @pytest.mark.parametrize(
        ("series", "units", "flags"),
        [
            ("read_batch", "nanoseconds", {"stale"}),
            ("read_batches", "nanoseconds", {"few"}),
            ("vanished", "nanoseconds", {"stale"}),
            ("failing", "nanoseconds", {"failing"}),
            ("constant", "nanoseconds", set()),
            ("constant, changed", "nanoseconds", set()),
            ("NaN before", "nanoseconds", set()),
            ("NaN now", "nanoseconds", {"failing"}),
            ("two points", "nanoseconds", {"few"}),
            ("unit changed", "nanoseconds", {"stale"}),
            ("unit changed", "bytes", {"few"}),
            ("steady", "nanoseconds", set()),
        ],
    )
    def test_flags(self, catalogue: Any, series: str, units: str, flags: set[str]) -> None:
        named = zip(catalogue["label"], catalogue["units"], strict=True)
        names = [(label, catalogue["facets"]["units"][unit]) for label, unit in named]
        place = names.index((series, units))
        assert {flag for flag in ("stale", "few", "failing") if catalogue[flag][place]} == flags

    def test_heirs(self, catalogue: Any) -> None:
        hints = {(catalogue["label"][old], catalogue["label"][new]): hint for old, new, hint in catalogue["heirs"]}
        assert hints == {("read_batch", "read_batches"): RENAMED, ("unit changed", "unit changed"): UNIT}

    def test_a_point_of_nan_is_a_failure(self, pages: Path) -> None:
        shards = [path for path in pages.glob("data/*.js") if re.match(r"[0-9a-f]{16}-", path.name)]
        text = "".join(path.read_text("utf-8") for path in shards)
        assert text.count('"no finite value"') == 3


@pytest.fixture
def visit(browser: Browser, pages: Path) -> Iterator[Visit]:
    with visiting(browser, pages) as one:
        yield one
        assert one.complaints == []


class TestBrowser:
    """What a reader of the site sees of them."""

    def test_compare_view(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={sha(LAST - 1)}&b={CANDIDATE}&dut=d&bed=ci-1")
        page.get_by_text("series: ").wait_for()
        assert page.locator("#status").inner_text() == (
            "12 series: no finding between them, 2 failed, 3 missing, 1 insufficient, 2 new"
        )
        texts = page.locator(".row").all_inner_texts()
        for kind, rows in KINDS.items():
            for series, units, verdict, note in rows:
                sign = {"nanoseconds": " ns", "bytes": " B"}[units]
                (text,) = [t for t in texts if re.match(rf"{re.escape(series)}\s", t) and sign in t]
                said = {"unchanged": "0.", "regressed": "+20.0 %"}.get(verdict, verdict)
                assert said in text, (kind, text)
                assert verdict not in {"missing", "new"} or note in text, (kind, text)

    def test_the_same_the_other_way_round(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={CANDIDATE}&b={sha(LAST - 1)}&dut=d&bed=ci-1")
        page.get_by_text("series: ").wait_for()
        texts = page.locator(".row").all_inner_texts()
        assert [t for t in texts if t.startswith("failing") and "failed before" in t]
        assert [t for t in texts if t.startswith("vanished") and "new" in t]

    def test_index(self, visit: Visit) -> None:
        page = visit.open("series.html")
        badges = Counter(page.locator(".badge").all_inner_texts())
        assert badges["stale"] == 3
        assert badges["failing"] == 2
        assert badges["renamed?"] == 2
        assert badges["unit changed"] == 2

    @pytest.mark.parametrize(
        ("series", "said"),
        [
            ("read_batch", "May go on as read_batches: renamed from read_batch to read_batches?"),
            ("read_batches", "May be the continuation of read_batch"),
            ("vanished", "Not measured at the newest commits"),
            ("failing", "Its newest result is a failure."),
            ("NaN now", "Its newest result is a failure."),
            ("two points", "Too few runs for a verdict"),
        ],
    )
    def test_page(self, visit: Visit, series: str, said: str) -> None:
        page = visit.open("series.html")
        page.locator(".row a", has_text=re.compile(f"^{series}$")).click()
        page.locator("#plot canvas").wait_for()
        assert said in page.locator("#warnings").inner_text()
