"""Every kind of awkward series has the verdict that docs/statistics.md gives it, wherever a reader looks."""

from __future__ import annotations

import json
import re
from collections import Counter
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench_db import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import CANDIDATE, LAST, of_every_kind, sha
from tests.report.browsing import chromium, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.report.browsing import Visit

RENAMED = "renamed from read_batch to read_batches?"
UNIT = "unit changed from nanoseconds to bytes"
SHORT = "a verdict needs 5 runs of the baseline"
# kind, as the table in docs/statistics.md calls it -> (series, its unit, verdict, note)
KINDS = {
    "renamed": [
        ("read_batch", "nanoseconds", "missing", RENAMED),
        ("read_batches", "nanoseconds", "new", RENAMED),
    ],
    "vanished": [("vanished", "nanoseconds", "missing", "")],
    "failing": [("failing", "nanoseconds", "failed", "assert 1 == 2")],
    "constant": [
        ("constant", "nanoseconds", "unchanged", ""),
        ("constant, changed", "nanoseconds", "regressed", ""),
    ],
    "with NaN": [
        ("NaN before", "nanoseconds", "unchanged", ""),
        ("NaN now", "nanoseconds", "failed", "no finite value"),
    ],
    "of two points": [("two points", "nanoseconds", "insufficient", SHORT)],
    "whose unit changed": [
        ("unit changed", "nanoseconds", "missing", UNIT),
        ("unit changed", "bytes", "new", UNIT),
    ],
    "steady": [("steady", "nanoseconds", "unchanged", "")],
}
ROWS = [pytest.param(*row, id=f"{kind}: {row[0]} {row[1]}") for kind, rows in KINDS.items() for row in rows]
every_row = pytest.mark.parametrize(("series", "units", "verdict", "note"), ROWS)
SECTIONS = {
    "regressed": "### Regressed",
    "failed": "### Failed",
    "missing": "### Missing",
    "insufficient": "<summary>Insufficient",
    "new": "<summary>New",
    "unchanged": "<summary>Unchanged",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kinds")
    of_every_kind(path)
    return path


def test_the_documentation_has_these_kinds() -> None:
    page = Path("docs/statistics.md").read_text("utf-8")
    table = page.partition("## Awkward series")[2].partition("\n## ")[0]
    shown = {cell.strip() for cell in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)}
    assert set(KINDS) - {"steady"} <= shown


@pytest.fixture(scope="module")
def found(store: Path) -> dict[tuple[str, str], Any]:
    document = bench_db("compare", CANDIDATE, "--store", store, "--output", "json").document
    assert document["counts"] == {
        "regressed": 1,
        "failed": 2,
        "missing": 3,
        "insufficient": 1,
        "new": 2,
        "unchanged": 3,
    }
    return {(row["series"], row["units"]): row for row in document["comparisons"]}


class TestJson:
    """One comparison a series, with its verdict and its note."""

    @every_row
    def test_row(self, found: dict[tuple[str, str], Any], series: str, units: str, verdict: str, note: str) -> None:
        row = found.pop((series, units))
        assert (row["verdict"], row["note"]) == (verdict, note)
        tested = verdict in {"regressed", "improved", "unchanged"}
        assert all((row[name] is not None) is tested for name in ("effect", "low", "high", "p_value"))

    def test_a_run_of_nan_is_no_run_of_the_baseline(self, store: Path) -> None:
        document = bench_db("compare", "latest", "--baseline", "last:20", "--store", store, "--output", "json").document
        counts = {row["series"]: row["n_baseline"] for row in document["comparisons"]}
        assert counts["NaN before"] == counts["steady"] == 20


@pytest.fixture(scope="module")
def lines(store: Path) -> list[str]:
    return bench_db("compare", CANDIDATE, "--all", "--store", store).out.splitlines()


class TestText:
    """A line a series that is not unchanged; with --all, a line each."""

    @every_row
    def test_row(self, lines: list[str], series: str, units: str, verdict: str, note: str) -> None:
        sign = {"nanoseconds": " ns", "bytes": " B"}[units]
        (line,) = [line for line in lines if re.match(rf"\w+ +{re.escape(series)}  ", line) and sign in line]
        assert line.startswith(f"{verdict} ")
        assert line.endswith(note)


@pytest.fixture(scope="module")
def sections(store: Path) -> dict[str, list[str]]:
    body = bench_db("compare", CANDIDATE, "--markdown", "--store", store).out
    parts = re.split(r"(### \w+|<summary>\w+)", body)
    return {head: rest.splitlines() for head, rest in zip(parts[1::2], parts[2::2], strict=True)}


class TestMarkdown:
    """A row a series, in the section of its verdict."""

    @every_row
    def test_row(self, sections: dict[str, list[str]], series: str, units: str, verdict: str, note: str) -> None:
        sign = {"nanoseconds": " ns", "bytes": " B"}[units]
        rows = [
            line
            for line in sections[SECTIONS[verdict]]
            if line.startswith(f"| <code>{series}</code> ") and sign in line
        ]
        assert len(rows) == 1
        assert note in unescape(rows[0])

    def test_head(self, store: Path) -> None:
        head = bench_db("compare", CANDIDATE, "--markdown", "--store", store).out.splitlines()[:6]
        assert head[0] == "<!-- bench-db: comparison -->"
        assert head[1].endswith("1 benchmark regressed, 2 failed, 3 missing")
        assert "plan <code>runs/1: p &#60; 0.01, from 2 %</code>" in head[5]
        assert f"store version <code>{connect(store).version}</code>" in head[5]


class TestCheck:
    """The gate fails on what got worse and on what gave no number, and names what vanished."""

    def test_failing(self, store: Path) -> None:
        answer = bench_db("check", "--baseline", "level", "--store", store)
        assert answer.code == 1
        assert answer.out.startswith("FAILED: 1 regressed, 2 failed\n")
        assert answer.out.count("missing") == 1 + 3

    @pytest.mark.parametrize(
        ("name", "more", "code"),
        [
            ("NaN now", (), 1),
            ("NaN now", ("--threshold", "1000"), 1),
            ("failing", (), 1),
            ("vanished", (), 0),
            ("vanished", ("--fail-on", "missing"), 1),
            ("two points", (), 0),
            ("two points", ("--fail-on", "insufficient"), 1),
            ("NaN before", (), 0),
            ("constant", (), 0),
        ],
    )
    def test_one(self, store: Path, name: str, more: tuple[str, ...], code: int) -> None:
        answer = bench_db("check", CANDIDATE, "--baseline", sha(LAST - 1), *more, "--store", store, "--output", "json")
        (row,) = [row for row in answer.document["comparisons"] if row["series"] == name]
        assert (row["series_key"] in answer.document["failing"]) is bool(code)


class TestDetection:
    """No kind of series stops a detection, and none but a step is a change."""

    @pytest.mark.parametrize(
        "words", [("scan", "--dry-run"), ("detect", "*"), ("noise",), ("summary",), ("trend", "*")]
    )
    @pytest.mark.parametrize("output", ["json", "text"])
    def test_goes_through(self, store: Path, words: tuple[str, ...], output: str) -> None:
        answer = bench_db(*words, "--store", store, "--output", output)
        assert (answer.code, answer.err) == (0, "")
        if output == "json" and words[0] in {"scan", "detect"}:
            assert answer.document["findings"] == []

    def test_standing(self, store: Path) -> None:
        rows = bench_db("latest", "--store", store, "--output", "json").document
        stale = {(row["benchmark_name"], row["units"]) for row in rows if row["stale"]}
        assert stale == {("read_batch", "nanoseconds"), ("vanished", "nanoseconds"), ("unit changed", "nanoseconds")}
        assert bench_db("latest", "--benchmark", "vanished", "--store", store).out.rstrip().endswith("stale")


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser, pages: Path) -> Iterator[Visit]:
    with visiting(browser, pages) as one:
        yield one
        assert one.complaints == []


def rows_of(page: Page) -> dict[str, str]:
    return {row.partition("\n")[0]: row for row in page.locator(".row").all_inner_texts()}


class TestBrowser:
    """What a reader of the site sees of them."""

    def test_compare_view(self, visit: Visit) -> None:
        page = visit.open(f"compare.html#a={sha(LAST - 1)}&b={CANDIDATE}&dut=d&bed=ci-1")
        page.get_by_text("series: ").wait_for()
        assert page.locator("#status").inner_text() == (
            "12 series: 1 worse, 0 better, 2 failed, 3 missing, 1 insufficient, 2 new"
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
