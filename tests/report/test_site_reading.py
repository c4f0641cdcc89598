"""Legibility in a real browser: without colours, on a telephone, on paper, and for numbers near zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from tests.report.browsing import SETTLED, Visit, visiting, written
from tests.report.example_site import METADATA, content_of, history
from tests.report.examples import commit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.sample(1)

MINUS, NONE = "\N{MINUS SIGN}", "\N{EN DASH}"
SHADES = {
    "light": "rgb(29, 33, 37)",
    "dark": "rgb(230, 232, 234)",
}
INK = "getComputedStyle(document.body).color"


class TestVerdicts:
    """A verdict is a word; its colour only repeats it."""

    def test_of_a_comparison(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={commit_of(150)}&b={commit_of(250)}&dut=device&bed=runner-large&suite=io")
        page.get_by_text("series: ").wait_for()
        assert "worse +" in page.locator(".row", has_text="encode_batch").inner_text()
        assert f"better {MINUS}" in page.locator(".row", has_text="decode_batch").inner_text()

    def test_of_a_change(self, visit: Visit) -> None:
        page = visit.open_series("recall@10")
        assert f"worse {MINUS}3.0 %" in page.locator("#found").inner_text()

    def test_of_the_newest_point(self, visit: Visit) -> None:
        page = visit.open("series.html")
        verdicts = page.locator(".row .num > .worse, .row .num > .better")
        for verdict in verdicts.all():
            assert verdict.inner_text().split()[0] == verdict.get_attribute("class")


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb, by WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
class TestContrast:
    """WCAG 2.2, level AA: 4.5 for text, 3 for graphics and for the edges of controls."""

    @pytest.fixture
    def colour(self, browser: Browser, root: Path, theme: str) -> Iterator[Callable[[str], str]]:
        with visiting(browser, root, color_scheme=theme) as visit:
            page = visit.open("index.html")
            yield lambda name: str(page.evaluate("name => bench.colour(name)", name))

    @pytest.mark.parametrize("name", ["ink", "muted", "faint", "accent", "worse", "better"])
    def test_text(self, colour: Callable[[str], str], name: str) -> None:
        for behind in ("paper", "surface", "sunken"):
            assert contrast(colour(name), colour(behind)) >= 4.5, behind

    @pytest.mark.parametrize("name", ["worse", "better", "warn"])
    def test_badges(self, colour: Callable[[str], str], name: str) -> None:
        assert contrast(colour(name), colour(f"{name}-soft")) >= 4.5

    @pytest.mark.parametrize("name", ["series", "level", "worse", "better", "blessed", "accent", "focus", "control"])
    def test_drawings_and_edges(self, colour: Callable[[str], str], name: str) -> None:
        assert contrast(colour(name), colour("surface")) >= 3


class TestNarrow:
    """On a telephone, and at twice the size, the rows of a list remain distinguishable."""

    @pytest.mark.parametrize("width", [375, 800, 1130])
    @pytest.mark.parametrize("where", ["index.html", "series.html", "noise.html"])
    def test_a_name_and_its_test_bed_are_whole(self, browser: Browser, root: Path, where: str, width: int) -> None:
        with visiting(browser, root, viewport={"width": width, "height": 740}) as visit:
            page = visit.open(f"{where}#q=decode_batch")
            names = page.locator(".finding .title, .row > :first-child")
            names.first.wait_for()
            for name in names.all():
                assert name.inner_text() == "io: decode_batch/rows=1000"
                assert name.evaluate(
                    "node => node.scrollHeight <= node.clientHeight + 1 && node.scrollWidth <= node.clientWidth"
                )
            assert page.locator(".row, .finding").get_by_text("runner-large", exact=True).is_visible()

    def test_how_sure_a_finding_is(self, browser: Browser, root: Path) -> None:
        with visiting(browser, root, viewport={"width": 375, "height": 740}) as visit:
            page = visit.open("index.html#q=encode_batch")
            assert page.get_by_text("+6.4 to +7.4 %").is_visible()

    @pytest.mark.slow
    def test_rows_follow_the_width(self, visit: Visit) -> None:
        page = visit.open("series.html")
        tall = "document.querySelector('.row').offsetHeight"
        wide = page.evaluate(tall)
        page.set_viewport_size({"width": 375, "height": 740})
        page.evaluate(SETTLED)
        assert page.evaluate(tall) > wide
        tops = page.locator(".row").evaluate_all(
            "rows => rows.map(row => row.getBoundingClientRect().top).sort((a, b) => a - b)"
        )
        assert np.diff(tops) == pytest.approx(page.evaluate(tall))

    @pytest.mark.slow
    def test_the_pages_are_named_in_one_line(self, browser: Browser, root: Path) -> None:
        with visiting(browser, root, viewport={"width": 390, "height": 740}) as visit:
            page = visit.open("noise.html")
            tops = page.locator(".top nav a").evaluate_all(
                "nodes => nodes.map(node => node.getBoundingClientRect().top)"
            )
            assert len(tops) == 5
            assert len(set(tops)) == 1

    @pytest.mark.slow
    def test_a_command_to_copy_is_in_one_piece(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={commit_of(150)}&b={commit_of(250)}&dut=device&bed=runner-large&suite=io")
        page.get_by_text("series: ").wait_for()
        assert page.locator("#command").evaluate("node => node.getClientRects().length") == 1


class TestLongNames:
    """Names that differ only at their end are different as they are shown; the complete name is in the title."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        names = [
            f"pint/testsuite/benchmarks/test_{file}.py::test_{test}_with_dimensionless_quantities_and_units[{n}]"
            for file in ("01_eval", "20_quantity")
            for test in ("addition", "comparison")
            for n in "ab"
        ]
        frames = [history(name, np.array([1.0, 2.0]), suite="python") for name in names]
        return written(tmp_path, content_of(pl.concat(frames), METADATA))

    @pytest.mark.parametrize("width", [390, 1600])
    def test_nothing_is_cut_that_differs(self, browser: Browser, root: Path, width: int) -> None:
        with visiting(browser, root, viewport={"width": width, "height": 844}) as visit:
            page = visit.open("series.html")
            names = page.locator(".row > :first-child")
            names.nth(7).wait_for()
            assert len({name.inner_text() for name in names.all()}) == 8
            for name in names.all():
                assert name.evaluate("node => node.scrollHeight <= node.clientHeight + 1")
            title = str(page.locator(".row a").first.get_attribute("title"))
            assert title.startswith("python: pint/testsuite/benchmarks/test_01_eval.py::test_addition_with_")


class TestPaper:
    """A printed page is black on white and contains what the screen scrolls."""

    @pytest.mark.parametrize("where", ["index.html", "series.html", "benchmark.html"])
    def test_dark_is_left_to_screens(self, browser: Browser, root: Path, where: str) -> None:
        with visiting(browser, root, color_scheme="dark") as visit:
            page = visit.open(where)
            assert page.evaluate(INK) == SHADES["dark"]
            page.emulate_media(media="print")
            assert page.evaluate(INK) == SHADES["light"]

    @pytest.mark.slow
    def test_all_rows(self, visit: Visit) -> None:
        page = visit.open("series.html")
        page.set_viewport_size({"width": 1280, "height": 300})
        page.emulate_media(media="print")
        page.evaluate(SETTLED)
        assert page.locator(".row").count() == 24
        assert page.locator(".grid .body").evaluate("node => node.scrollHeight <= node.clientHeight + 1")

    @pytest.mark.slow
    def test_a_chart_fits(self, visit: Visit) -> None:
        page = visit.open_series("encode_batch")
        page.emulate_media(media="print")
        page.locator("#body").evaluate("node => { node.style.width = '500px'; }")
        box = page.locator("#plot canvas").bounding_box()
        assert box is not None
        assert box["width"] <= 500


class TestNearZero:
    """A change from zero is not shown as relative."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        points = history("errors", np.array([0.0, 0.0, 5.0, 6.0, -3.0]), units="count")
        return written(tmp_path, content_of(points, METADATA))

    def test_since_the_point_before(self, visit: Visit) -> None:
        page = visit.open_series("errors")
        page.get_by_role("slider").focus()
        said = []
        for key in ("Home", *["ArrowRight"] * 4):
            page.keyboard.press(key)
            said.append(page.locator("#values dd").last.inner_text())
        assert said[1:] == [NONE, NONE, "+20.0 %", f"{MINUS}150 %"]


TICKS = "([values, units]) => bench.quantity.ticks(values, units)"


class TestTicks:
    """Neighbouring ticks of an axis differ, however small their distance, in every unit."""

    @pytest.mark.parametrize(
        ("values", "units", "shown"),
        [
            ([5e-5, 6e-5, 7e-5], "loss", ["0.00005 loss", "0.00006 loss", "0.00007 loss"]),
            ([6.0e-5, 6.02e-5], "loss", ["6.00e-5 loss", "6.02e-5 loss"]),
            ([0.0, 2e-12], "loss", ["0 loss", "2e-12 loss"]),
            ([1.0, 1.0000001], "ratio", ["1.0000000", "1.0000001"]),
            ([0.1, 0.2, 0.30000000000000004], "recall", ["0.1", "0.2", "0.3"]),
            ([6e-5, 8e-5], "per_second", ["0.00006 /s", "0.00008 /s"]),
            ([2e-9, 4e-9], "nanoseconds", ["0.002 fs", "0.004 fs"]),
            ([0, 500, 1000], "nanoseconds", ["0.0 µs", "0.5 µs", "1.0 µs"]),
            ([-0.1, -1e-17, 0.1], "recall", ["-0.1", "0.0", "0.1"]),
            ([0, 2e20], "count", ["0", "2e+20"]),
            ([-2e-7, 0.0, 2e-7], "loss", ["-2e-7 loss", "0 loss", "2e-7 loss"]),
        ],
    )
    def test_neighbours_differ(self, visit: Visit, values: list[float], units: str, shown: list[str]) -> None:
        assert visit.open("series.html").evaluate(TICKS, [values, units]) == shown

    def test_small_values(self, visit: Visit) -> None:
        said = visit.open("series.html").evaluate("bench.quantity.text(6.1234e-5, 'per_second')")
        assert said == "0.00006123 /s"


class TestPercent:
    """A large relative change is a factor on pages, too, and a share never is."""

    @pytest.mark.parametrize(
        ("effect", "shown", "share"),
        [
            (0.081, "+8.1 %", "8.1 %"),
            (-0.2, "\N{MINUS SIGN}20.0 %", "20.0 %"),
            (9.99, "+999 %", "999 %"),
            (10.0, "11.0 times", "1000 %"),
            (2529.43, "2,530 times", "252943 %"),
            (1e304, "1.00e+304 times", "1.00e+306 %"),
            (-1e300, "\N{MINUS SIGN}1.00e+302 %", "1.00e+302 %"),
            (None, "\N{EN DASH}", "\N{EN DASH}"),
        ],
    )
    def test_of_a_change(self, visit: Visit, effect: float | None, shown: str, share: str) -> None:
        call = "(effect) => [bench.quantity.percent(effect), bench.quantity.share(effect)]"
        assert visit.open("series.html").evaluate(call, effect) == [shown, share]

    @pytest.mark.parametrize(
        ("ends", "shown"),
        [
            ([0.05, 0.11], "+5.0 to +11.0 %"),
            ([49.0, 199.0], "50.0 to 200 times"),
            ([0.5, 19.0], "+50.0 % to 20.0 times"),
            ([None, 1.0], ""),
        ],
    )
    def test_of_an_interval(self, visit: Visit, ends: list[float | None], shown: str) -> None:
        call = "([low, high]) => bench.quantity.interval(low, high)"
        assert visit.open("series.html").evaluate(call, ends) == shown


class TestKind:
    """A change is called worse or better only beside an estimate of the noise of its series, or a threshold of its own."""

    @pytest.mark.parametrize(
        ("change", "noise", "threshold", "kind"),
        [
            (0.05, None, None, "quiet"),
            (0.05, [None, None, None, None], None, "quiet"),
            (0.05, [0.01, 0.03, False, 3], None, "worse"),
            (0.05, [0.0, 0.0, False, 1], None, "worse"),
            (-0.05, [0.01, 0.03, False, 3], None, "better"),
            (0.05, [0.02, 0.06, False, 3], None, "quiet"),
            (0.05, None, [0.04, None, "4%"], "worse"),
        ],
    )
    def test_of_a_change(
        self, visit: Visit, change: float, noise: list[float] | None, threshold: list[object] | None, kind: str
    ) -> None:
        call = "([change, noise, threshold]) => bench.quantity.kind(change, 'lower', noise, threshold, 100)"
        assert visit.open("series.html").evaluate(call, [change, noise, threshold]) == kind


class TestNothing:
    """A store without results is not reported as good."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        points = history("none", np.array([1.0])).clear()
        return written(tmp_path, content_of(points, METADATA))

    def test_says_so(self, visit: Visit) -> None:
        page = visit.open("index.html")
        assert page.locator("h1").inner_text() == "Nothing has been measured yet"
        assert "bench-db scan looks for them" in page.locator("#findings").inner_text()
