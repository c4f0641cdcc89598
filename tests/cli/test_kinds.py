"""Every kind of awkward series has the verdict that docs/statistics.md gives it, wherever a reader looks."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from bench_db import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import CANDIDATE, KINDS, LAST, of_every_kind, sha
from tests.support.workers import made_once

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
    return made_once(tmp_path_factory, "kinds", of_every_kind)


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
        assert "plan <code>runs/6: p &#60; 0.01, from 2 %</code>" in head[5]
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
        is_object = output == "json" and words[0] in {"scan", "detect", "noise"}  # which says it itself
        said = "" if is_object else "of the main history (branch main)\n"
        assert (answer.code, answer.err) == (0, said)
        if output == "json" and words[0] in {"scan", "detect"}:
            assert answer.document["findings"] == []

    def test_standing(self, store: Path) -> None:
        rows = bench_db("latest", "--store", store, "--output", "json").document
        stale = {(row["benchmark_name"], row["units"]) for row in rows if row["stale"]}
        assert stale == {("read_batch", "nanoseconds"), ("vanished", "nanoseconds"), ("unit changed", "nanoseconds")}
        assert bench_db("latest", "--benchmark", "vanished", "--store", store).out.rstrip().endswith("stale")
