from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from bench_db import UserError
from bench_db.analysis.histories import histories
from bench_db.compat.regression_report import page, summary, ttests
from bench_db.model import Verdict
from bench_db.store.database import connect
from bench_db.units import Direction
from tests.cli.asking import nine_commits, wobble
from tests.cli.kinds import entry, publish, publish_all
from tests.report.browsing import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from bench_db.analysis.histories import Histories


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Histories:
    """Nine commits of one level and four of a slower one; `same` does not move, `short` has few runs, and one failed."""
    store = nine_commits(tmp_path_factory.mktemp("report") / "store")
    publish_all(
        store, [entry(number, {"f": wobble(number, 150.0), "<same>": 5.0, "short": 1.0}) for number in range(9, 13)]
    )
    publish_all(store, [entry(number, {"<same>": 5.0, "short": "assert 1 == 2"}) for number in range(13, 15)])
    return histories(store.points())


@pytest.fixture(scope="module")
def html(stepped: Histories) -> str:
    return page(stepped, ttests(stepped, recent=4, alpha=0.05), recent=4)


class TestTtests:
    """The newest runs of every series are tested against all older ones, the smallest p-value first."""

    def test_a_series_that_got_slower_is_a_high_concern(self, stepped: Histories) -> None:
        tested = ttests(stepped, recent=4, alpha=0.05)
        assert [(c.series.benchmark_name, c.verdict) for c in tested] == [
            ("f", Verdict.REGRESSED),
            ("<same>", Verdict.UNCHANGED),
        ]
        assert "Potential regressions (p < 0.05): 1\n  HIGH CONCERN f: Change: +" in summary(tested, 0.05)

    def test_a_name_stays_in_its_line(self, stepped: Histories) -> None:
        (worse, *_) = ttests(stepped, recent=4, alpha=0.05)
        named = replace(worse, series=replace(worse.series, benchmark_name="f\n::error::x\x1b[31m"))
        lines = summary([named], 0.05).splitlines()
        assert len(lines) == 3
        assert all(letter.isprintable() for line in lines for letter in line)

    def test_too_few_runs(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        publish(store, 1, {"f": 1.0})
        with pytest.raises(UserError, match="it takes 6"):
            ttests(histories(store.points()), recent=4, alpha=0.05)


class TestPage:
    """The page has the history of every series with its verdict, the tested ones first, and runs nothing."""

    def test_every_series_has_its_verdict_and_its_chart(self, html: str) -> None:
        parts = html.split("<section>")[1:]
        names = [re.findall(r"<h2>(.*) on ci-1</h2>", part)[0] for part in parts]
        verdicts = [re.findall(r"<p>(.*)</p>", part)[0] for part in parts]
        assert names == ["f", "&lt;same&gt;", "short"]
        assert re.fullmatch(r"regressed: \+50\.\d+ %, p = \S+, 4 newest runs against 9", verdicts[0])
        assert re.fullmatch(r"unchanged: .*0 %, p = 1, 4 newest runs against 2", verdicts[1])
        assert verdicts[2] == "too few runs: 4 of 6"
        assert [part.count("<svg ") for part in parts] == [1, 1, 1]
        assert ["short: failed" in part for part in parts] == [False, False, True]

    def test_a_metric_without_direction_is_not_called_unchanged(self, stepped: Histories) -> None:
        tested = ttests(stepped, recent=4, alpha=0.05)
        info = [
            replace(c, verdict=Verdict.UNCHANGED, series=replace(c.series, direction=Direction.INFO)) for c in tested
        ]
        drawn = page(stepped, info, recent=4)
        assert re.search(r"<p>no direction: \+50", drawn)
        assert "unchanged" not in drawn

    def test_a_line_is_before_the_tested_runs(self, html: str) -> None:
        tested, same, short = html.split("<section>")[1:]
        # the tenth of 13 points, in the colour of a change for the worse
        assert 'd="M346.2 30V118" stroke="#b0440a"' in tested
        assert same.count("stroke-dasharray") == 1
        assert "stroke-dasharray" not in short

    def test_a_table_of_the_tested_series(self, html: str) -> None:
        assert html.count("<tr>") == 3

    @pytest.mark.slow
    def test_in_a_browser(self, html: str, browser: Browser, tmp_path: Path) -> None:
        (tmp_path / "report.html").write_text(html, "utf-8")
        shown = browser.new_page()
        shown.set_default_timeout(PATIENCE)
        messages: list[str] = []
        shown.on("console", lambda message: messages.append(message.text))
        shown.goto((tmp_path / "report.html").as_uri())
        expect(shown.get_by_role("img")).to_have_count(3)
        expect(shown.get_by_role("heading", name="<same> on ci-1")).to_be_visible()
        shown.close()
        assert messages == []
