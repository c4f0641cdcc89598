"""The README is short, and shows what the demo finds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bench_db
from tests.repository import tree
from tests.support.workers import made_once

TEXT = tree.text(Path("README.md"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def publish(directory: Path) -> None:
        bench_db.demo(directory)

    return made_once(tmp_path_factory, "demo_of_sql", publish) / "store"


class TestReadme:
    """What it shows of the demo is what the demo makes."""

    def test_length(self) -> None:
        assert len(TEXT.splitlines()) < 100

    def test_the_changes_found(self, store: Path) -> None:
        shown = re.findall(r"^\| `(.+)` \| ([0-9a-f]{7}) \| ([+-]\d+\.\d) % \|$", TEXT, re.MULTILINE)
        scanned = bench_db.scan(bench_db.connect(store), dry_run=True)
        found = [
            (scanned.series[one.series_key].benchmark_name, str(one.commit)[:7], f"{100 * (one.effect or 0):+.1f}")
            for one in scanned.findings
        ]
        assert len(shown) == len(found) == 4
        for name, commit, change in shown:
            assert [f for f in found if f[0].endswith(name) and f[1:] == (commit, change)], (name, found)

    def test_the_picture(self, store: Path, tmp_path: Path) -> None:
        bench_db.site(bench_db.connect(store), tmp_path, charts=["*test_query[[]1[]]"])
        (chart,) = tmp_path.glob("chart-*.svg")
        assert chart.read_text("utf-8") == tree.text(Path("docs/pictures/demo.svg"))

    def test_pictures_are_small(self) -> None:
        pictures = [path for path in tree.paths() if path.parts[:2] == ("docs", "pictures")]
        assert pictures
        assert [path for path in pictures if (tree.ROOT / path).stat().st_size > 10_000] == []
