"""A commit that halves the speed of a function in a real history, found by scan and by bisect."""

from pathlib import Path

import pytest

from bench_db import connect
from tests.cli.commands import bench_db, document
from tests.cli.measured_histories import backfill, config
from tests.support.histories import History

COMMITS, PLANTED = 28, 17
# Nanoseconds of the processor for the same loop at a fixed size, interleaved: other work on the machine affects both alike.
SCRIPT = """
import json, sys, timeit
from time import process_time
from work import work

def fixed():
    total = 0
    for i in range(20_000):
        total += i * i
    return total

def best(function):
    return min(timeit.repeat(function, timer=process_time, number=1, repeat=3))

def ratio():
    turns = [(best(work), best(fixed)) for _ in range(3)]
    return sorted(mine / other for mine, other in turns)[1]

ratio()
json.dump({"results": [{"benchmark_name": "sum", "values_ns": [1e6 * ratio() for _ in range(5)]}]}, sys.stdout)
"""


def work(size: int) -> str:
    return f"def work():\n    total = 0\n    for i in range({size}):\n        total += i * i\n    return total\n"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Create a directory with the history in `clone`; return the shas, oldest first."""
    directory = tmp_path_factory.mktemp("planted")
    history = History(directory / "clone")
    shas = [
        history.commit(f"change {i}", n=str(i), work__py=work(20_000 if i < PLANTED else 40_000), bench__py=SCRIPT)
        for i in range(COMMITS)
    ]
    (directory / "bench-db.toml").write_text(config())
    return directory, shas


@pytest.mark.slow
class TestPlanted:
    """Scan and bisect name the commit that doubles the time."""

    def test_published_and_scanned_for(self, planted: tuple[Path, list[str]]) -> None:
        directory, shas = planted
        done = backfill(directory, "--engine", "local")
        assert [entry["state"] for entry in done["ended"]] == ["succeeded"] * COMMITS
        assert sorted(connect(directory / "store").runs().collect()["commit"]) == sorted(shas)
        found = document(bench_db("scan", "--store", "store", "--output", "json", cwd=directory))["findings"]
        medians = connect(directory / "store").trend("sum")["median"].to_list()
        largest = max(found, key=lambda finding: abs(finding["effect"]))
        assert (largest["commit"], 0.9 < largest["effect"] < 1.1) == (shas[PLANTED], True), medians

    def test_bisected_to(self, planted: tuple[Path, list[str]]) -> None:
        directory, shas = planted
        arguments = ["bisect", shas[0], shas[-1], "--clone", "clone", "--benchmark", "sum", "--output", "json"]
        found = document(bench_db(*arguments, cwd=directory))
        assert found["commit"] == shas[PLANTED], found
        assert len(found["looks"]) <= 7  # both ends, and five bisections of 26 commits
        assert sum(look["rounds"] for look in found["looks"]) <= 50  # 5 rounds of pairs decide a step of this size
