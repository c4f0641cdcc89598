"""The page of frontiers in a real browser, beside the answer of `frontier` for the same store."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import polars as pl
import pytest
from playwright.sync_api import expect

import bench_db as api
from bench_db import Metric
from bench_db.query.frontier import value_at
from bench_db.report.quantity import quantity
from bench_db.units import Direction
from tests.app.test_frontier import SERVED, serve
from tests.cli.kinds import entry
from tests.report.browsing import Visit, visiting
from tests.report.test_site_accessible import faults
from tests.support.workers import made_once

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.sample(1)

FRAMEWORK = ("framework", "precision")
HOSTILE = {("</script><b>", "fp4", 1): (1, 1), ("\x1b[31m", "fp4", 1): (2, 2), ("\\x1b[31m", "fp4", 1): (3, 1)}
# a tag that is absent is no text, and no text ends another one
ALIKE = {
    ("\N{EN DASH}", None, 1): (5, 5),
    ("\N{EN DASH}", "\N{EN DASH}", 1): (4, 6),
    ("a", "b · c", 1): (5, 5),
    ("a · b", "c", 1): (4, 6),
}
TIES = {("tie", "fp4", 1): (7, 70), ("tie", "fp4", 2): (7, 70), ("tie", "fp4", 4): (7, 69), ("tie", "fp4", 8): (9, 70)}


def fill(directory: Path) -> None:
    """Write a store and its site: groups that look alike, ties, a failure, results of different builds, and a third metric."""
    store = api.connect(directory / "store", create=True)
    day: dict[str, Any] = {"dut_timestamp": 1_700_000_000}
    serve(store, {**SERVED, **HOSTILE, **ALIKE, **TIES, ("old", "fp4", 1): (1, 1)}, **day)
    later: dict[str, Any] = {"dut": "model", "commit": "d" * 40, "test_bed_name": "h100", "suite": "serve"}
    with store.record(**later, dut_timestamp=1_700_100_000) as run:
        new = {"latency": Metric(values=2, unit="ms")}
        run.add("chat", tags={"framework": "old", "concurrency": 1, "precision": "fp4"}, metrics=new)
        power = {
            "power": Metric(values=300, unit="W", better="lower"),
            "throughput": Metric(values=9, unit="tokens/s", better="higher"),
        }
        run.add("chat", tags={"framework": "power"}, metrics=power)
    failed, results, *_ = entry(1, {"chat": "out of memory", "done": (9.0, "tokens/s")}, suite="serve")
    chat: list[dict[str, Any]] = [
        {"metric": "latency"},
        {"benchmark_name": "chat", "metric": "throughput", "direction": Direction.HIGHER},
    ]
    store.publish([replace(one, **stated) for one, stated in zip(results, chat, strict=True)], failed)
    api.site(store, directory / "public")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "frontier_site", fill)


@pytest.fixture(scope="session")
def root(home: Path) -> Path:
    return home / "public"


def opened(visit: Visit, **state: str) -> Page:
    page = visit.open(f"frontier.html#{urlencode(state)}")
    page.locator(".frontier .row").first.wait_for()
    return page


def rows(page: Page) -> list[list[str]]:
    """Return the cells of all rows, the head without."""
    return [row.locator("[role=cell]").all_inner_texts() for row in page.locator(".frontier .row").all()]


def expected(store: Path, by: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the metrics of each point of the command, and whether it is on the front."""
    found = api.frontier(api.connect(store), "latency", "throughput", by=by).frame()
    return [
        (quantity(x, "nanoseconds"), quantity(y, "tokens/s"), "on it" if front else "\N{EN DASH}")
        for x, y, front in found.select("x", "y", "on_front").rows()
    ]


class TestFrontier:
    """The page shows the points and fronts of `bench-db frontier`, by metrics and parts that a reader chooses."""

    @pytest.mark.parametrize("by", [FRAMEWORK, ("framework",), (), ("dut_name", "test_bed_name")])
    def test_points_and_fronts_are_those_of_the_command(self, visit: Visit, home: Path, by: tuple[str, ...]) -> None:
        visit.page.set_viewport_size({"width": 1280, "height": 2400})
        page = opened(visit, by=json.dumps(by))
        shown = [(x, y, front) for _, _, x, y, front, _ in rows(page)]
        assert sorted(shown) == sorted(expected(home / "store", by))

    @pytest.mark.parametrize("is_log", [False, True])
    @pytest.mark.parametrize(
        "knots",
        [
            [(10.0, 100.0), (20.0, 400.0), (80.0, 900.0)],
            [(1.0, 1000.0), (2.0, 400.0), (2.5, 399.0), (9.0, 3.0), (40.0, 2.0)],
            [(1.0, 1.0), (3.0, 2.0), (3.0, 2.0)],
            [(5.0, 5.0)],
        ],
        ids=["rising", "falling", "two, one of them twice", "one"],
    )
    def test_the_curve_is_what_the_command_interpolates(
        self, visit: Visit, knots: list[tuple[float, float]], *, is_log: bool
    ) -> None:
        page = opened(visit)
        found = page.evaluate(
            "([knots, log]) => bench.frontier.curve(knots.map(([x, y]) => ({ x, y })), log)", [knots, is_log]
        )
        distinct = sorted(set(knots))
        assert [(one["x"], one["y"]) for one in found[:: page.evaluate("bench.frontier.steps")]] == distinct
        frame = pl.LazyFrame({"group": 0, "known": [x for x, _ in distinct], "asked": [y for _, y in distinct]})
        for one in found:
            assert one["y"] == pytest.approx(value_at(frame, one["x"]).collect()["value"].item(), rel=1e-9)

    def test_the_curve_is_drawn(self, visit: Visit) -> None:
        """From point to point there are as many lines as the curve has parts."""
        page = opened(visit, by=json.dumps(FRAMEWORK))
        page.evaluate(
            """() => {
                window.longest = 0;
                let length = 0;
                const { moveTo, lineTo } = CanvasRenderingContext2D.prototype;
                CanvasRenderingContext2D.prototype.moveTo = function (...at) { length = 0; return moveTo.apply(this, at); };
                CanvasRenderingContext2D.prototype.lineTo = function (...at) {
                    window.longest = Math.max(window.longest, ++length);
                    return lineTo.apply(this, at);
                };
            }"""
        )
        page.get_by_label("log scales").check()
        page.wait_for_function("window.longest >= 2 * bench.frontier.steps")

    @pytest.mark.slow
    def test_groups_that_look_alike_are_apart(self, visit: Visit) -> None:
        page = opened(visit, by=json.dumps(FRAMEWORK))
        names = page.locator("#legend bdi").all_inner_texts()
        for name, count in {
            "\N{EN DASH} · \N{EN DASH}": 2,
            "a · b · c": 2,
            "\\x1b[31m · fp4": 1,
            "\\x1b[31m\N{PRIME} · fp4": 1,
        }.items():
            assert names.count(name) == count, name
        assert "</script><b> · fp4" in names

    def test_what_is_left_out_is_counted(self, visit: Visit) -> None:
        opened(visit)
        expect(visit.page.locator("#status")).to_contain_text("Left out: 1 failed, 1 of different builds.")
        expect(visit.page.locator("#status")).to_contain_text("latency lower is better, throughput higher is better")

    def test_choices_are_kept_in_the_address(self, visit: Visit) -> None:
        page = opened(visit)
        page.get_by_label("framework").check()
        page.get_by_label("only points on the front").check()
        page.get_by_label("log scales").check()
        page.locator("[name=x]").select_option("throughput")
        page.locator("[name=y]").select_option("power")
        page.wait_for_url(re.compile("x=throughput&y=power&by=.*framework.*&log=1&front=1"))
        expect(page.locator(".frontier .row")).to_have_count(1)
        page.reload()
        page.locator(".frontier .row").first.wait_for()
        assert page.get_by_label("framework").is_checked()
        assert page.get_by_label("log scales").is_checked()
        assert page.locator("[name=y]").evaluate("(node) => node.selectedOptions[0].text") == "power"
        assert rows(page)[0][2:5] == ["9 tokens/s", "300 W", "on it"]

    @pytest.mark.slow
    def test_metrics_that_share_no_point(self, visit: Visit) -> None:
        page = visit.open("frontier.html#x=latency&y=power")
        expect(page.locator("#status")).to_have_text("No configuration has results of both metrics of one build.")
        expect(page.locator("#body")).to_be_hidden()

    @pytest.mark.parametrize("address", ["by=%5B", "by=7", "x=none&y=", "by=%5B%22none%22%5D"])
    def test_an_address_of_nonsense_shows_what_there_is(self, visit: Visit, address: str) -> None:
        page = visit.open(f"frontier.html#{address}")
        page.locator(".frontier .row").first.wait_for()
        expect(page.locator("#unknown")).to_contain_text(f"not here: {address.partition('=')[0]} ")

    def test_keys_move_through_the_table_and_mark_the_point(self, visit: Visit) -> None:
        page = opened(visit, by=json.dumps(FRAMEWORK))
        page.get_by_role("button", name="latency").click()
        page.locator(".frontier .row a[tabindex='0']").focus()
        first = page.locator("#values").inner_text()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#values")).not_to_have_text(first)
        expect(page.locator("#values")).to_contain_text("latency 1.000 ms, throughput")
        page.keyboard.press("Enter")
        page.locator("#plot canvas").wait_for()
        assert "chat" in page.locator("#title").inner_text()

    def test_a_point_under_the_pointer_is_named(self, visit: Visit) -> None:
        page = opened(visit)
        page.locator("#plot .u-over").hover(position={"x": 20, "y": 20})
        expect(page.locator("#values")).to_contain_text(re.compile("latency .* ms, throughput .* tokens/s"))

    @pytest.mark.slow
    def test_a_group_is_hidden(self, visit: Visit) -> None:
        page = opened(visit, by=json.dumps(["framework"]))
        button = page.locator("#legend button").first
        button.click()
        expect(button).to_have_attribute("aria-pressed", "false")


@pytest.mark.slow
class TestAxe:
    """The page has no fault that axe-core calls serious or critical."""

    @pytest.mark.slow
    @pytest.mark.parametrize(("theme", "width"), [("light", 1600), ("dark", 390)])
    def test_pages(self, browser: Browser, root: Path, theme: str, width: int) -> None:
        by = urlencode({"by": json.dumps(FRAMEWORK)})
        with visiting(browser, root, color_scheme=theme, viewport={"width": width, "height": 900}) as visit:
            assert faults(visit, f"frontier.html#{by}") == []
            assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert visit.complaints == []
