"""A database of lance-bench's own publishers, upgraded and then published to by bench-db: the history goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import bench_db
from tests.cli.conftest import bench_db as command
from tests.compat import nights, upstream

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)

OLD = 12


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upgraded database, with the output of one more night by bench-db."""
    directory = tmp_path_factory.mktemp("continuation")
    nights.measure_with_lance_bench(directory / "db", OLD)
    assert command("store", "upgrade", "--store", directory / "db").code == 0
    publish(directory, OLD, slower=nights.RUST[0])
    return directory / "db"


def publish(directory: Path, night: int, *, slower: str = "") -> None:
    for name, text in nights.output(night, slower=slower).items():
        (directory / name).write_text(text)
        done = command("publish", directory / name, *nights.flags(name, night), "--store", directory / "db")
        assert done.code == 0, done.err
        assert "new series begin here" not in done.out + done.err, name


class TestContinuation:
    """Each series has its points from before the upgrade and from after it."""

    def test_latest(self, store: Path) -> None:
        latest = bench_db.connect(store).latest()
        old = latest.filter(latest["metric"].is_in(["time", "recall"]))
        assert sorted(old["benchmark_name"]) == sorted(nights.NAMES)
        assert not latest["stale"].any()
        assert set(latest["suite"]) == {*nights.SUITES.values(), "train_fts_index"}

    @pytest.mark.parametrize("name", sorted(nights.NAMES))
    def test_trend(self, store: Path, name: str) -> None:
        trend = bench_db.connect(store).trend(name, metric="recall" if name == nights.RECALL else "time")
        assert trend["commit"].str.head(7).to_list() == [nights.sha(night)[:7] for night in range(OLD + 1)]
        assert trend["series_key"].n_unique() == 1
        assert trend["median"][:OLD].is_between(0.9 * trend["median"][0], 1.1 * trend["median"][0]).all()

    def test_check(self, store: Path) -> None:
        gate = bench_db.check(store, baseline=f"last:{OLD}")
        judged = {c.series.benchmark_name: c for c in gate.comparisons if c.n_baseline}
        assert set(judged) == nights.NAMES
        assert {name: c.verdict for name, c in judged.items()} == {
            **dict.fromkeys(nights.NAMES, "unchanged"),
            nights.RUST[0]: "regressed",
        }


class TestPullRequest:
    """The suite under which a pull request publishes changes no series of the main history."""

    def test_latest(self, tmp_path: Path) -> None:
        nights.measure_with_lance_bench(tmp_path / "db", 2)
        assert command("store", "upgrade", "--store", tmp_path / "db").code == 0
        publish(tmp_path, 2)
        before = bench_db.connect(tmp_path / "db").latest().drop("published_at")
        (tmp_path / "raw").write_text(nights.output(3)["criterion"])
        flags = [flag.replace(nights.SUITES["criterion"], "typo") for flag in nights.flags("criterion", 3)]
        done = command("publish", tmp_path / "raw", *flags, "--pr", 7, "--store", tmp_path / "db")
        assert done.code == 0, done.err
        assert bench_db.connect(tmp_path / "db").latest().drop("published_at").equals(before)

    def test_it_is_compared_with_the_history_before_the_upgrade(self, tmp_path: Path) -> None:
        """Its own store has no definitions, and the machine of the old rows is not known: those of the history apply."""
        nights.measure_with_lance_bench(tmp_path / "db", OLD)
        assert command("store", "upgrade", "--store", tmp_path / "db").code == 0
        (tmp_path / "raw").write_text(nights.output(OLD, slower=nights.RUST[0])["criterion"])
        flags = nights.flags("criterion", OLD)
        suite = flags.index("--suite")
        words = ("publish", tmp_path / "raw", *flags[:suite], *flags[suite + 2 :], "--pr", 7)
        assert command(*words, "--store", tmp_path / "jobs/rust").code == 0
        assert command("pr", "merge", tmp_path / "jobs", tmp_path / "merged").code == 0
        asked = (
            "pr",
            "compare",
            nights.sha(OLD),
            "--pr",
            7,
            "--local-results",
            tmp_path / "merged",
            "--output",
            "json",
        )
        rows = command(*asked, "--store", tmp_path / "db").document["comparisons"]
        found = {row["benchmark_name"]: row["verdict"] for row in rows if row["verdict"] != "missing"}
        assert found == {nights.RUST[0]: "regressed", nights.RUST[1]: "unchanged", nights.RUST[2]: "unchanged"}


class TestRenamedBed:
    """A test bed with another name continues the series after two definitions."""

    def test_trend(self, tmp_path: Path) -> None:
        nights.measure_with_lance_bench(tmp_path / "db", 2)
        assert command("store", "upgrade", "--store", tmp_path / "db").code == 0
        (tmp_path / "raw").write_text(nights.output(2)["criterion"])
        flags = [flag.replace(nights.BED, "new") for flag in nights.flags("criterion", 2)]
        done = command("publish", tmp_path / "raw", *flags, "--store", tmp_path / "db")
        assert "new series begin here" in done.out
        for words in (("pool", "new"), ("alias", "test_bed", nights.BED, "new")):
            assert command("define", *words, "--store", tmp_path / "db").code == 0
        trend = bench_db.connect(tmp_path / "db").trend(nights.RUST[0])
        assert trend["test_bed_name"].to_list() == ["new"] * 3
        assert trend["series_key"].n_unique() == 1


class TestShim:
    """A publisher that goes on through `lance_bench_db` continues the series too, before and beside `bench-db publish`."""

    def test_trend(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        nights.measure_with_lance_bench(tmp_path / "db", 2)
        assert command("store", "upgrade", "--store", tmp_path / "db").code == 0
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LANCE_BENCH_URI", str(tmp_path / "db"))
        for name, text in nights.output(2).items():
            facts = {"version": nights.version(2), "commit_time": nights.commit_time(2), "bed": nights.BED}
            upstream.upload(upstream.rows(name, text, now=nights.commit_time(2) + 900, **facts))  # type: ignore[arg-type]
        publish(tmp_path, 3)
        store = bench_db.connect(tmp_path / "db")
        for name in nights.NAMES:
            trend = store.trend(name, metric="recall" if name == nights.RECALL else "time")
            assert trend["commit"].str.head(7).to_list() == [nights.sha(night)[:7] for night in range(4)]
            assert trend["series_key"].n_unique() == 1
