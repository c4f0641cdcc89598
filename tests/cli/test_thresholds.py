"""Thresholds of benchmarks, metrics and tags: compare, check, the comment, scan and the site answer by the same ones."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from bench_db.model import Verdict
from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import entry, publish_all

if TYPE_CHECKING:
    from pathlib import Path

COMMITS = 30
STEP = 15


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store whose newest commit is 3 % slower in `fast` and `slow`, and that stepped by 4 % in the middle in `stepped`."""
    path = tmp_path_factory.mktemp("thresholds") / "store"
    store = connect(path, create=True)
    entries = []
    for number in range(COMMITS):
        wobble, last = 1 + 0.001 * (number % 3), 1.03 if number == COMMITS - 1 else 1.0
        values = {"fast": 1e6 * wobble * last, "slow": 1e9 * wobble * last}
        entries.append(entry(number, {**values, "stepped": 1e6 * wobble * (1.04 if number >= STEP else 1.0)}))
    publish_all(store, entries)
    return path


@pytest.fixture
def store(measured: Path, tmp_path: Path) -> Path:
    return shutil.copytree(measured, tmp_path / "store")


def verdicts(*words: object, code: int = 0) -> dict[str, tuple[str, str]]:
    answer = bench_db(*words, "--output", "json")
    assert answer.code == code, answer.err
    return {row["benchmark_name"]: (row["verdict"], row["threshold"]) for row in answer.document["comparisons"]}


class TestThresholds:
    """The same threshold decides in every answer, and each answer names it."""

    def test_compare_and_check(self, store: Path) -> None:
        assert verdicts("check", "latest", "--baseline", "level", "--store", store, code=1) == {
            "fast": (Verdict.REGRESSED, ""),
            "slow": (Verdict.REGRESSED, ""),
            "stepped": (Verdict.UNCHANGED, ""),
        }
        config = store.parent / "bench-db.toml"
        config.write_text(
            "[project]\nname = 'd'\n[[define.threshold]]\nrelative = '2.5%'\nabsolute = '2ms'\n"
            "[[define.threshold]]\nbenchmark = 'sl*w'\nmetric = 'time'\nrelative = '5%'\n"
        )
        done = bench_db("define", "sync", "--config", config, "--store", store)
        assert done.code == 0, done.err
        expected = {
            "fast": (Verdict.UNCHANGED, "2.5% and 2ms"),
            "slow": (Verdict.UNCHANGED, "5% (benchmark=sl*w metric=time)"),
            "stepped": (Verdict.UNCHANGED, "2.5% and 2ms"),
        }
        assert verdicts("check", "latest", "--baseline", "level", "--store", store) == expected
        assert verdicts("compare", "latest", "--store", store) == expected
        explicit = verdicts("compare", "latest", "--store", store, "--min-effect", "3")
        assert set(explicit.values()) == {(Verdict.REGRESSED, "3%"), (Verdict.UNCHANGED, "3%")}

    def test_what_people_read(self, store: Path) -> None:
        assert bench_db("define", "threshold", "--benchmark", "fast", "--relative", "1%", "--store", store).code == 0
        text = bench_db("compare", "latest", "--store", store).out
        assert "1% (benchmark=fast)" in text
        assert "from 1% (benchmark=fast)" in bench_db("compare", "latest", "--store", store, "--markdown").out
        assert "threshold" in bench_db("compare", "latest", "--store", store, "--table", "csv").out.splitlines()[0]

    def test_one_that_matches_nothing_is_reported(self, store: Path) -> None:
        words = ("define", "threshold", "--benchmark", "fsat", "--relative", "5%", "--store", store)
        missed = "threshold 5% of benchmark=fsat: matches no series"
        assert missed in bench_db(*words).out
        for verb in (("compare", "latest"), ("check", "--baseline", "level"), ("scan", "--dry-run")):
            assert missed in bench_db(*verb, "--store", store).out
            assert bench_db(*verb, "--store", store, "--output", "json").document["threshold_faults"] == [missed]
        assert missed in bench_db("compare", "latest", "--store", store, "--markdown").out
        ended = bench_db("define", "end", "threshold", "benchmark=fsat", "--store", store).out
        assert "fsat" not in ended

    def test_scan_and_site(self, store: Path) -> None:
        found = bench_db("scan", "--store", store, "--output", "json").document
        assert [(row["benchmark_name"], row["state"]) for row in found["findings"]] == [("stepped", "open")]
        assert found["thresholds"] == {}
        bench_db("define", "threshold", "--benchmark", "stepped", "--absolute", "0.05ms", "--store", store)
        again = bench_db("scan", "--store", store, "--output", "json").document
        assert [(row["state"], row["note"]) for row in again["findings"]] == [
            ("fixed", "not seen any more from 0.05ms (benchmark=stepped)")
        ]
        assert list(again["thresholds"].values()) == ["0.05ms (benchmark=stepped)"]
        assert "from 0.05ms (benchmark=stepped): 1 series" in bench_db("scan", "--store", store).out
        assert bench_db("site", store.parent / "site", "--store", store).code == 0
        catalogue = next((store.parent / "site" / "data").glob("catalogue*")).read_text()
        assert '"threshold":[null,null,[null,50000.0,"0.05ms (benchmark=stepped)"]]' in catalogue
        bench_db("define", "threshold", "--benchmark", "stepped", "--absolute", "0.03ms", "--store", store)
        states = [row["state"] for row in bench_db("scan", "--store", store, "--output", "json").document["findings"]]
        assert states == ["reopened"]

    @pytest.mark.parametrize(
        ("table", "reason"),
        [
            ("relative = 5", "'relative' takes a text"),
            ("relative = '5'", "'5' is no share; write it with a percent sign"),
            ("absolute = '2mz'", "unknown unit 'mz'; known: "),
            ("benchmark = 'x'", "a threshold needs a share such as 5%, a difference such as 2ms"),
            (
                "relative = '1%'\n[[define.threshold]]\nabsolute = '2ms'",
                "a second threshold of all series: state both amounts",
            ),
            (
                "bench = 'x'",
                "unknown key 'bench'; nearest: benchmark; known: benchmark, metric, suite, tags, relative, absolute",
            ),
        ],
    )
    def test_a_configuration_that_cannot_be_read(self, tmp_path: Path, table: str, reason: str) -> None:
        file = tmp_path / "bench-db.toml"
        file.write_text(f"[project]\nname = 'd'\n[[define.threshold]]\n{table}\n")
        connect(tmp_path / "store", create=True)
        done = bench_db("define", "sync", "--config", file, "--store", tmp_path / "store")
        assert done.code == 2
        assert reason in done.err
        assert "at define.threshold" in done.err
