from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from bench_db.store.database import connect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workflows.world import World

pytestmark = pytest.mark.slow
# what the library of the shipped history did at known commits
STEPS = {"test_query[1]", "test_query[3]", "test_serialise"}


def loaded_by(page: Path) -> str:
    """A page with every script that it loads, all of which are there."""
    text = page.read_text("utf-8")
    return text + "".join((page.parent / name).read_text("utf-8") for name in re.findall(r'src="([^"]+)"', text))


class TestRegressionReport:
    """The report is an artifact with pages and findings, and a summary on the page of the run."""

    def test_findings(self, reported: World) -> None:
        run = reported.runs["report"]
        assert run.results == {"report": "success"}, run.logs
        found = json.loads((run.artifacts / "regression-report/findings.json").read_text())["findings"]
        assert {finding["series"].rpartition("::")[2] for finding in found} == STEPS

    def test_the_pages_show_them(self, reported: World) -> None:
        shown = loaded_by(reported.runs["report"].artifacts / "regression-report/index.html")
        assert [name for name in (*STEPS, "110aa08") if name not in shown] == []

    def test_the_summary_shows_them(self, reported: World) -> None:
        rows = [unescape(line) for line in reported.runs["report"].summary.split("\n") if line.startswith("| <code>")]
        assert sum(name in row for name in STEPS for row in rows) == len(STEPS)


class TestPublishSite:
    """The newest findings are in the store and on the site, and the site is deployed as it was built."""

    def test_it_is_deployed(self, deployed: World) -> None:
        run = deployed.runs["site"]
        assert run.results == {"build": "success", "deploy": "success"}, run.logs
        shown = loaded_by(run.directory / "pages/index.html")
        assert [name for name in STEPS if name not in shown] == []
        built = run.machines["build"].workspace / "_site"
        files = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
        assert {path.relative_to(run.directory / "pages") for path in (run.directory / "pages").rglob("*.*")} == files

    def test_the_store_keeps_the_findings(self, deployed: World) -> None:
        assert len(connect(deployed.store).findings()) == len(STEPS)
