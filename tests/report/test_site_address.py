"""What the address of a page says, in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from bench_db.rules import RULES
from tests.report.browsing import SETTLED
from tests.report.examples import commit_of

if TYPE_CHECKING:
    from tests.report.browsing import Visit

pytestmark = pytest.mark.sample(1)


class TestAddress:
    """An address names what a reader sees: it can be kept, sent, left and come back to."""

    def test_a_finding_leads_to_its_commit(self, visit: Visit) -> None:
        page = visit.open("index.html")
        page.locator(".finding", has_text="encode_batch").locator(".title").click()
        page.locator("#plot canvas").wait_for()
        page.evaluate(SETTLED)
        assert commit_of(200)[: RULES.sha_length] in page.locator("#values").inner_text()

    @pytest.mark.slow
    def test_the_point_stays_when_the_window_changes(self, visit: Visit) -> None:
        page = visit.open_series("encode_batch")
        visit.open(f"{page.url.rpartition('/')[2]}&p=123")
        page.locator("#plot canvas").wait_for()
        for width in (900, 700, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate(SETTLED)
            assert commit_of(123)[: RULES.sha_length] in page.locator("#values").inner_text()

    def test_a_held_point_is_in_the_address(self, visit: Visit) -> None:
        page = visit.open_series("encode_batch")
        page.get_by_role("slider").focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        page.wait_for_url(re.compile("&p=1$"))
        page.reload()
        page.locator("#plot canvas").wait_for()
        page.evaluate(SETTLED)
        assert commit_of(1)[: RULES.sha_length] in page.locator("#values").inner_text()

    @pytest.mark.slow
    def test_back_from_a_series_that_is_gone(self, visit: Visit) -> None:
        page = visit.open_series("encode_batch")
        page.evaluate("location.hash = 's=0000000000000000'")
        page.get_by_role("heading", name="No such series").wait_for()
        page.go_back()
        page.get_by_role("heading", name="io: encode_batch").wait_for()
        assert page.locator("#plot canvas").is_visible()

    @pytest.mark.parametrize(
        "where", ["index.html#way=worse", "series.html#q=suite-wide", "compare.html", "noise.html#q=a"]
    )
    def test_to_the_content(self, visit: Visit, where: str) -> None:
        page = visit.open(where)
        page.locator("#status", has_text=re.compile("series|findings")).wait_for(state="attached")
        before, said = page.url, page.locator("#status").text_content()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.evaluate(SETTLED)
        assert page.evaluate("document.activeElement.id") == "main"
        assert (page.url, page.locator("#status").text_content()) == (before, said)

    @pytest.mark.slow
    def test_to_the_content_of_a_series(self, visit: Visit) -> None:
        page = visit.open_series("encode_batch")
        page.locator(".skip").focus()
        page.keyboard.press("Enter")
        page.evaluate(SETTLED)
        assert page.locator("#title").inner_text() == "io: encode_batch/rows=1000"
        assert page.evaluate("document.activeElement.id") == "main"

    def test_filter_of_a_comparison(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={commit_of(150)}&b={commit_of(250)}&dut=device&bed=runner-large&suite=io")
        page.get_by_text("series: ").wait_for()
        page.get_by_label("Filter by name").fill("encode")
        page.wait_for_url(re.compile("q=encode$"))
        page.reload()
        page.get_by_text("series: ").wait_for()
        assert page.locator(".row a").all_inner_texts() == ["io: encode_batch/rows=1000"]


COMPARED = "dut=device&bed=runner-large&suite=io"


class TestNotHere:
    """What an address names and the site does not have is said; nothing else is shown in its place without a word."""

    @pytest.mark.parametrize(
        ("address", "said"),
        [
            (f"a=deadbee&b={commit_of(250)}&{COMPARED}", "No commit deadbee has results here. Choose a commit before."),
            (f"a={commit_of(150)}&b=main&{COMPARED}", "No commit main has results here. Choose a commit after."),
            ("a=x&b=y", "No commit x has results here. No commit y has results here. Choose a commit before and after."),
            (f"b={commit_of(250)}&dut=device&bed=nowhere&suite=io", 'No results of dut "device", bed "nowhere", suite "io". Choose what is compared.'),
        ],
        ids=["before", "after", "both", "group"],
    )  # fmt: skip
    def test_compare(self, visit: Visit, address: str, said: str) -> None:
        page = visit.open(f"compare.html#{address}")
        expect(page.locator("#status")).to_have_text(said)
        expect(page.locator("#links")).to_have_text("")
        expect(page.locator("#command")).to_have_text("bench-db compare AFTER --baseline BEFORE")
        expect(page.locator(".row")).to_have_count(0)
        assert page.url.endswith(address)

    @pytest.mark.slow
    def test_compare_after_a_choice(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a=deadbee&b={commit_of(250)}&{COMPARED}")
        expect(page.get_by_label("Before")).to_have_value("")
        page.get_by_label("Before").select_option(
            label=page.get_by_label("After").locator("option").nth(5).inner_text()
        )
        page.get_by_text("series: ").wait_for()
        expect(page.locator("#links")).to_contain_text(f"after: {commit_of(250)[: RULES.sha_length]}")

    @pytest.mark.slow
    def test_compare_from_another_address(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={commit_of(150)}&b={commit_of(250)}&{COMPARED}")
        page.get_by_text("series: ").wait_for()
        page.evaluate("location.hash = 'a=deadbee'")
        expect(page.locator("#status")).to_contain_text("No commit deadbee has results here.")

    def test_compare_by_the_beginning_of_a_commit(self, visit: Visit) -> None:
        a, b = (commit_of(number)[: RULES.sha_length] for number in (150, 250))
        page = visit.open(f"compare.html#a={a}&b={b}&{COMPARED}")
        expect(page.locator("#links")).to_contain_text(f"before: {a} · after: {b}")

    @pytest.mark.slow
    def test_compare_by_too_short_a_beginning(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={commit_of(150)[:1]}&b={commit_of(250)}&{COMPARED}")
        expect(page.locator("#status")).to_have_text(
            re.compile(rf"[1-9]\d+ commits begin with {commit_of(150)[:1]}\. Choose a commit before\.")
        )

    @pytest.mark.slow
    def test_compare_of_one_commit_begins_before_it(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#b={commit_of(150)}&{COMPARED}")
        before, after = (commit_of(number)[: RULES.sha_length] for number in (149, 150))
        expect(page.locator("#links")).to_contain_text(f"before: {before} · after: {after}")

    @pytest.mark.parametrize(
        ("where", "asked"),
        [
            ("index.html#way=sideways", 'way "sideways"'),
            ("series.html#bed=nowhere&kind=odd", 'bed "nowhere", kind "odd"'),
            ("noise.html#suite=nowhere&sort=odd", 'suite "nowhere", sort "odd"'),
        ],
    )
    def test_lists(self, visit: Visit, where: str, asked: str) -> None:
        page = visit.open(where)
        said = f"The address asks for what is not here: {asked}. Choose on the page instead."
        expect(page.locator("#unknown")).to_have_text(said)
        visit.open(where.partition("#")[0] + "?")
        expect(page.locator("#unknown")).to_be_hidden()

    def test_series(self, visit: Visit) -> None:
        page = visit.open_series("encode_batch")
        expect(page.locator("#unknown")).to_be_hidden()
        address = page.url.rpartition("/")[2]
        for rest, asked in (
            ("c=deadbee", 'commit "deadbee"'),
            ("p=99999", 'point "99999"'),
            ("y=relative&base=deadbee", 'base "deadbee"'),
            ("to=deadbee", 'to "deadbee"'),
        ):
            visit.open(f"{address}&{rest}")
            expect(page.locator("#unknown")).to_contain_text(f"not here: {asked}. Choose")
        visit.open(f"{address}&c={commit_of(123)}")
        expect(page.locator("#unknown")).to_be_hidden()
