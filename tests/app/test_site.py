from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.baselines import set_baseline
from bench_db.app.definitions import annotate
from bench_db.app.site import TITLE, site, site_content, title_of
from bench_db.errors import UserError
from bench_db.query.selection import Selection
from bench_db.store.database import Database, connect
from tests.cli.kinds import publish, sha

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Six commits of f and g."""
    made = connect(tmp_path_factory.mktemp("site") / "store", create=True)
    for number in range(6):
        publish(made, number, {"f": 100.0 + number, "g": 5.0})
    return made


class TestSite:
    """Writing a site twice leaves the files of writing it once."""

    def test_twice(self, store: Database, tmp_path: Path) -> None:
        first = site(store, tmp_path / "out")
        again = site(store.uri, tmp_path / "out")
        assert first.written == first.files > 0
        assert (again.written, again.removed, again.files, again.bytes) == (0, 0, first.files, first.bytes)

    def test_title_and_link(self, store: Database, tmp_path: Path) -> None:
        site(store, tmp_path, title="A & b", commit_url="https://example.org/c/{commit}")
        assert "A &amp; b" in (tmp_path / "index.html").read_text()
        assert any("https://example.org/c/" in path.read_text() for path in tmp_path.rglob("*.*"))

    def test_the_name_of_the_project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is that of bench-db.toml where the store has its results, of the repository of CI, or of the only device."""
        monkeypatch.chdir(tmp_path)
        made = connect(tmp_path / "store", create=True)
        assert title_of(made, []) == TITLE
        publish(made, 1, {"f": 1.0}, dut_name="engine")
        (tmp_path / "bench-db.toml").write_text('[project]\nname = "other"\n')
        assert site_content(made, Selection()).metadata.title == "engine benchmarks"
        assert title_of(made, ["engine", "codec"]) == TITLE
        publish(made, 2, {"f": 1.0}, dut_name="codec", repository="me/toolbox", run_url="https://forge.test/1")
        assert site_content(made, Selection()).metadata.title == "toolbox benchmarks"
        (tmp_path / "bench-db.toml").write_text('[project]\nname = "codec"\n')
        assert site_content(made, Selection()).metadata.title == "codec benchmarks"
        site(made, tmp_path / "out")
        assert "<title>codec benchmarks" in (tmp_path / "out/index.html").read_text()
        assert site_content(made, Selection(), title="Mine").metadata.title == "Mine"

    def test_charts(self, store: Database, tmp_path: Path) -> None:
        site(store, tmp_path, charts=["f"])
        key = store.latest(Selection(benchmark="f"))["series_key"][0]
        assert {path.name for path in tmp_path.glob("*.svg")} == {"badge.svg", f"chart-{key:016x}.svg"}
        with pytest.raises(UserError, match="`charts`: 'x\\*' matches no benchmark"):
            site(store, tmp_path / "other", charts=["x*"])
        assert not (tmp_path / "other").exists()

    def test_the_badge_knows_the_time(self, store: Database, tmp_path: Path) -> None:
        site(store, tmp_path, at=4_000_000_000)
        assert "stale since" in (tmp_path / "badge.svg").read_text()

    def test_a_page_of_something_else(self, store: Database, tmp_path: Path) -> None:
        (tmp_path / "index.html").write_text("mine")
        with pytest.raises(UserError, match="something else"):
            site(store, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


class TestMarks:
    """Annotations and baselines of the store are on the charts."""

    def test_of_the_store(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        publish(made, 0, {"f": 1.0})
        annotate(made, sha(0), "release")
        set_baseline(made, "main", sha(0))
        site(made, tmp_path / "site")
        settings = next((tmp_path / "site" / "data").glob("settings-*.js")).read_text("utf-8")
        assert [text for text in ("release", "baseline main") if f'"text":"{text}"' in settings] == [
            "release",
            "baseline main",
        ]


class TestContent:
    """The content is that of the selected series, with raw samples of the newest points alone."""

    def test_selection(self, store: Database) -> None:
        content = site_content(store, Selection(benchmark="f"))
        assert content.series["benchmark_name"].to_list() == ["f"]
        rows = content.points_of(content.series["series_key"].to_list())
        assert sorted(rows["median"]) == [100.0 + number for number in range(6)]

    @pytest.mark.parametrize("samples", [0, 2, 60])
    def test_samples(self, samples: int, store: Database) -> None:
        content = site_content(store, Selection(benchmark="f"), samples=samples)
        rows = content.points_of(content.series["series_key"].to_list()).sort("dut_timestamp")
        sampled = rows["values"].is_not_null().to_list() if "values" in rows.columns else [False] * 6
        newest = min(samples, 6)
        assert sampled == [False] * (6 - newest) + [True] * newest

    def test_links_of_the_repository_that_published(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        publish(made, 1, {"f": 1.0})
        assert site_content(made, Selection()).metadata.commit_url == ""
        publish(made, 2, {"f": 1.0}, repository="me/lib", run_url="https://forge.example/me/lib/actions/runs/7")
        assert site_content(made, Selection()).metadata.commit_url == "https://forge.example/me/lib/commit/{commit}"
        assert (
            site_content(made, Selection(), commit_url="https://x/{commit}").metadata.commit_url == "https://x/{commit}"
        )

    def test_the_directory_of_the_store_is_private(self, store: Database) -> None:
        metadata = site_content(store, Selection()).metadata
        assert metadata.store == "store"
        assert metadata.generated_at == store.runs().collect()["ingested_at"].max()
