from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.conftest import bench_db

if TYPE_CHECKING:
    from pathlib import Path


class TestSite:
    """A site is written once and not touched until the store changes."""

    def test_first_and_again(self, demo_store: Path, tmp_path: Path) -> None:
        first = bench_db("site", tmp_path / "out", "--store", demo_store, "--output", "json").document
        again = bench_db("site", tmp_path / "out", "--store", demo_store, "--output", "json").document
        assert first["written"] == first["files"] > 20
        assert (again["written"], again["removed"], again["files"]) == (0, 0, first["files"])

    def test_raw_samples_of_the_newest_points_alone(self, demo_store: Path, tmp_path: Path) -> None:
        sizes = {}
        for samples in (0, 1, 60):
            bench_db("site", tmp_path / str(samples), "--store", demo_store, "--samples", samples)
            sizes[samples] = sum(path.stat().st_size for path in (tmp_path / str(samples)).glob("samples/*.js"))
        assert sizes[0] == 0 < sizes[1] < sizes[60]

    def test_selection(self, demo_store: Path, tmp_path: Path) -> None:
        done = bench_db(
            "site", tmp_path, "--store", demo_store, "--benchmark", "*query*", "--title", "Queries & <more>"
        )
        assert done.code == 0
        page = (tmp_path / "series.html").read_text()
        assert "<h1>2 series</h1>" in page
        assert "Queries &amp; &lt;more&gt;" in page

    def test_says_nothing_of_where_the_store_is(self, demo_store: Path, tmp_path: Path) -> None:
        bench_db("site", tmp_path, "--store", demo_store)
        assert not [
            path for path in tmp_path.rglob("*") if path.is_file() and str(demo_store).encode() in path.read_bytes()
        ]

    def test_text(self, demo_store: Path, tmp_path: Path) -> None:
        answer = bench_db("site", tmp_path, "--store", demo_store)
        assert answer.out.startswith(str(tmp_path / "index.html"))

    def test_a_directory_of_something_else(self, demo_store: Path, tmp_path: Path) -> None:
        (tmp_path / "index.html").write_text("mine")
        answer = bench_db("site", tmp_path, "--store", demo_store)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
