"""Verdicts on real measurements with known steps, and on generated awkward series."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from bench_db import DutBuild, Result, Run, TestBed, connect
from bench_db.model import Samples
from bench_db.units import Direction
from tests.cli.conftest import bench_db
from tests.cli.demo_names import SLOW_COMMIT

if TYPE_CHECKING:
    from pathlib import Path

FASTER, NEWEST = "f1cb113", "eccc0fe"
HOSTILE = "it's \"x\" \\ ; DROP -- ' OR '1'='1 ünïcode"


def by_series(document: dict[str, Any]) -> dict[str, str]:
    """Return the verdict of each series by its name."""
    return {row["series"]: row["verdict"] for row in document["comparisons"]}


class TestRealHistory:
    """The known steps of the measured history are found, and no others."""

    def test_compare(self, demo_store: Path) -> None:
        answer = bench_db("compare", SLOW_COMMIT, "--store", demo_store, "--fail-on", "regression", "--output", "json")
        assert answer.code == 1
        regressed = [name for name, verdict in by_series(answer.document).items() if verdict == "regressed"]
        assert [name[-8:] for name in regressed] == ["query[1]", "query[3]"]
        row = next(row for row in answer.document["comparisons"] if row["series"] == regressed[0])
        assert row["low"] < row["effect"] < row["high"]
        assert {"p_value", "n_baseline", "n_candidate"} <= row.keys()

    def test_an_improvement_is_no_failure(self, demo_store: Path) -> None:
        answer = bench_db("compare", FASTER, "--store", demo_store, "--fail-on", "regression", "--output", "json")
        assert answer.code == 0
        assert by_series(answer.document)["benchmarks/test_speed.py::test_serialise"] == "improved"

    def test_unknown_candidate_and_baseline(self, demo_store: Path) -> None:
        assert bench_db("compare", "0" * 40, "--store", demo_store).code == 2
        answer = bench_db("compare", NEWEST, "--baseline", "nothing", "--store", demo_store)
        assert (answer.code, "no such baseline" in answer.err) == (2, True)

    @pytest.mark.parametrize("method", ["runs", "lance-bench-t", "lance-bench-z"])
    def test_every_method_by_name(self, demo_store: Path, method: str) -> None:
        answer = bench_db("compare", SLOW_COMMIT, "--method", method, "--store", demo_store, "--output", "json")
        assert by_series(answer.document)["benchmarks/test_speed.py::test_tokenise"] in {"unchanged", "improved"}

    def test_markdown(self, demo_store: Path) -> None:
        body = bench_db("compare", SLOW_COMMIT, "--markdown", "--store", demo_store).out
        assert body.startswith("<!-- bench-db: comparison -->")
        assert "Regressed" in body


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a store of 12 commits with a series of every kind; the last commit is the candidate."""
    path = tmp_path_factory.mktemp("awkward")
    store = connect(path, create=True)
    bed = TestBed(name="ci", cpu="x", memory_gb=4, os="Linux 6")
    for number in range(12):
        commit, last = f"{number:040x}", number == 11
        dut = DutBuild(name="d", version=f"1+{number:07x}", timestamp=1_700_000_000 + 86_400 * number)
        wobble = 1 + 0.001 * (number % 3)
        base = Result(dut=dut, test_bed=bed, benchmark_name="", commit=commit)
        rows = [
            replace(base, benchmark_name="quiet", values=Samples([100 * wobble])),
            replace(base, benchmark_name="constant", values=Samples([5.0])),
            replace(base, benchmark_name="constant, then changed", values=Samples([6.0 if last else 5.0])),
            replace(base, benchmark_name=HOSTILE, values=Samples([(200 if last else 100) * wobble])),
            replace(
                base,
                benchmark_name="recall",
                metric="recall",
                units="recall",
                direction=Direction.HIGHER,
                values=Samples([0.99 if last else 0.90 + 0.001 * (number % 2)]),
            ),
            replace(
                base, benchmark_name="unit changed", units="bytes" if last else "nanoseconds", values=Samples([100.0])
            ),
        ]
        if last:
            rows += [
                replace(base, benchmark_name="failing", error="boom"),
                replace(base, benchmark_name="new", values=Samples([1.0])),
            ]
        else:
            rows += [
                replace(base, benchmark_name="failing", values=Samples([7.0])),
                replace(base, benchmark_name="vanished", values=Samples([7.0])),
                # for instance a suite whose set-up failed at earlier commits: the candidate lacks no measured series
                replace(base, benchmark_name="only ever failed", error="boom"),
            ]
        if number >= 9:
            rows.append(replace(base, benchmark_name="two points", values=Samples([3.0])))
        store.publish(rows, Run(file_name="f", sha256=str(number), format="x", dut=dut, test_bed=bed, commit=commit))
    return path


class TestAwkwardSeries:
    """Every kind of series has the verdict of the documentation, in every output."""

    VERDICTS: ClassVar = {
        "quiet": "unchanged",
        "constant": "unchanged",
        "constant, then changed": "regressed",
        HOSTILE: "regressed",
        "recall recall": "improved",
        "failing": "failed",
        "vanished": "missing",
        "new": "new",
        "two points": "insufficient",
    }

    def test_json(self, awkward: Path) -> None:
        document = bench_db("compare", f"{11:040x}", "--store", awkward, "--output", "json").document
        verdicts = [(row["series"], row["verdict"]) for row in document["comparisons"]]
        assert dict(v for v in verdicts if v[0] != "unit changed") == self.VERDICTS
        assert sorted(v for n, v in verdicts if n == "unit changed") == ["missing", "new"]

    @pytest.mark.parametrize("flags", [("--all",), ("--markdown",)])
    def test_text_and_markdown_name_them_all(self, awkward: Path, flags: tuple[str, ...]) -> None:
        out = bench_db("compare", f"{11:040x}", "--store", awkward, *flags).out
        assert all(name.partition(" recall")[0][:12] in out for name in self.VERDICTS if name != HOSTILE)
        assert "ünïcode" in out

    def test_site(self, awkward: Path, tmp_path: Path) -> None:
        answer = bench_db("site", tmp_path / "site", "--store", awkward, "--output", "json")
        assert answer.code == 0
        assert (tmp_path / "site" / "index.html").is_file()
