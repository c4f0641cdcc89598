"""The cause of changes: the same in scan, compare, check, comment, site and feed, and never a reason to report fewer regressions."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench_db import DutBuild, Result, Run, TestBed, connect
from bench_db.model import Samples
from bench_db.units import direction_of
from tests.cli.conftest import bench_db
from tests.cli.kinds import sha
from tests.support.histories import DAY, FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sample(1)

COMMITS, CHANGED = 40, 25
MACHINES = {bed: TestBed(name=bed, cpu=f"cpu of {bed}", memory_gb=4, os="Linux 6") for bed in ("arm", "x86", "riscv")}


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A history of benchmarks of which some get slower by a quarter on some test beds."""

    benchmarks: int
    moved: int
    on: tuple[str, ...]
    beds: tuple[str, ...] = ("x86",)
    metrics: int = 1
    cause: str
    evidence: str = ""

    @property
    def regressed(self) -> int:
        return self.moved * self.metrics * len(self.on)

    def entries(self) -> Iterator[tuple[Run, list[Result]]]:
        rng = np.random.default_rng(1)
        for commit in range(COMMITS):
            dut = DutBuild(name="core", version=f"1+{sha(commit)[:7]}", timestamp=FIRST + DAY * commit)
            for bed in self.beds:
                run = Run(
                    file_name="f",
                    sha256=f"{commit}/{bed}",
                    format="x",
                    dut=dut,
                    test_bed=MACHINES[bed],
                    commit=sha(commit),
                    branch="main",
                )
                times = 1e3 * np.exp(rng.normal(0, 0.015, self.benchmarks))
                if commit >= CHANGED and bed in self.on:
                    times[: self.moved] *= 1.25
                base = Result(
                    dut=dut, test_bed=MACHINES[bed], benchmark_name="", commit=sha(commit), branch="main", suite="cpp"
                )
                yield run, [r for i, time in enumerate(times) for r in self._results(base, f"f{i:02}", float(time))]

    def _results(self, base: Result, name: str, time: float) -> list[Result]:
        metrics = (
            ("time", time, "nanoseconds"),
            ("cpu-time", time, "nanoseconds"),
            ("throughput", 1e6 / time, "per_second"),
        )
        return [
            replace(
                base,
                benchmark_name=name,
                metric=metric,
                values=Samples([value]),
                units=units,
                direction=direction_of(units),
            )
            for metric, value, units in metrics[: self.metrics]
        ]


BOTH = ("x86", "arm")
# the first three have one cause each
SITUATIONS = {
    "2 of 8, three metrics, two beds": Situation(
        benchmarks=8, moved=2, metrics=3, beds=BOTH, on=BOTH, cause="code", evidence="arm and x86"
    ),
    "20 of 20, one bed of two": Situation(
        benchmarks=20, moved=20, beds=BOTH, on=("x86",), cause="machine", evidence="arm measured the same commit"
    ),
    "the only benchmark": Situation(
        benchmarks=1, moved=1, metrics=3, beds=BOTH, on=("x86",), cause="unknown", evidence="1 benchmark cannot show"
    ),
    "2 of 8, three metrics, one bed": Situation(
        benchmarks=8, moved=2, metrics=3, on=("x86",), cause="code", evidence="6 benchmarks of the same run"
    ),
    "2 of 8, three metrics, one bed of two": Situation(
        benchmarks=8, moved=2, metrics=3, beds=BOTH, on=("x86",), cause="code", evidence="6 benchmarks of the same run"
    ),
    "4 of 20": Situation(benchmarks=20, moved=4, on=("x86",), cause="code", evidence="16 benchmarks of the same run"),
    "6 of 20": Situation(benchmarks=20, moved=6, on=("x86",), cause="code", evidence="14 benchmarks of the same run"),
    "3 of 12, two beds": Situation(
        benchmarks=12, moved=3, beds=BOTH, on=BOTH, cause="code", evidence="at one commit on arm and x86"
    ),
    "8 of 40, two beds": Situation(
        benchmarks=40, moved=8, beds=BOTH, on=BOTH, cause="code", evidence="at one commit on arm and x86"
    ),
    "20 of 20, one bed of three": Situation(
        benchmarks=20, moved=20, beds=(*BOTH, "riscv"), on=("x86",), cause="machine", evidence="arm and riscv measured"
    ),
    "20 of 20, two beds": Situation(
        benchmarks=20, moved=20, beds=BOTH, on=BOTH, cause="code", evidence="at one commit on arm and x86"
    ),
    "20 of 20, the only bed": Situation(
        benchmarks=20, moved=20, on=("x86",), cause="unknown", evidence="no other test bed measured them"
    ),
}
WORDS = {"code": "the code", "machine": "the machine or the tool chain", "unknown": "not known"}


@dataclass(frozen=True)
class Reports:
    """What each report of a situation says: JSON of `scan` and `compare`, and texts of all."""

    of: Situation
    scan: Any
    compare: Any
    texts: dict[str, str]
    checked: int


@pytest.fixture(scope="module", params=SITUATIONS)
def reports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Publish a situation into a real store, and ask every report about it."""
    of = SITUATIONS[request.param]
    path = tmp_path_factory.mktemp("blame")
    store, out = path / "store", path / "site"
    connect(store, create=True).publish_many(of.entries())
    at = ("--store", store)
    compare = ("compare", sha(CHANGED), *at)
    check = bench_db("check", sha(CHANGED), "--baseline", "level", *at)
    texts = {
        "scan": bench_db("scan", *at).out,
        "compare": bench_db(*compare).out,
        "check": check.out,
        "comment": bench_db(*compare, "--markdown").out,
    }
    assert bench_db("site", out, *at).code == 0
    texts["site"] = "".join(file.read_text() for file in out.glob("data/findings-*.js"))
    texts["headline"] = " ".join(re.findall(r"<h1>(.*?)</h1>", (out / "index.html").read_text(), re.DOTALL)[0].split())
    texts["feed"] = (out / "feed.xml").read_text()
    return Reports(
        of=of,
        scan=bench_db("scan", "--dry-run", *at, "--output", "json").document,
        compare=bench_db(*compare, "--output", "json").document,
        texts=texts,
        checked=check.code,
    )


class TestBlame:
    """Every report names the same cause with its evidence, and counts every regression."""

    def test_scan(self, reports: Reports) -> None:
        found = [f for f in reports.scan["findings"] if f["state"] == "open" and f["kind"] == "level"]
        assert len(found) == reports.of.regressed
        assert {f["cause"] for f in found} == {reports.of.cause}
        assert all(any(reports.of.evidence in text for text in f["evidence"]) for f in found), found[0]["evidence"]
        assert {m["cause"] for m in reports.scan["movements"]} <= {reports.of.cause}

    def test_compare(self, reports: Reports) -> None:
        changed = [c for c in reports.compare["comparisons"] if c["verdict"] == "regressed"]
        assert len(changed) == reports.of.regressed
        assert {c["cause"] for c in changed} == {reports.of.cause}
        (blame,) = reports.compare["blame"]
        assert (blame["cause"], blame["suite"]) == (reports.of.cause, "cpp")
        assert any(reports.of.evidence in text for text in blame["evidence"]), blame["evidence"]

    @pytest.mark.few(18)  # the same three situations, six reports each
    @pytest.mark.parametrize("report", ["scan", "compare", "check", "comment", "site", "feed"])
    def test_every_report_says_it(self, reports: Reports, report: str) -> None:
        text = reports.texts[report]
        stated = set(re.findall(rf"[Cc]ause: ({'|'.join(WORDS.values())})", text))
        assert stated == {WORDS[reports.of.cause]}
        assert report == "scan" or reports.of.evidence in text

    def test_nothing_turns_good(self, reports: Reports) -> None:
        of, texts = reports.of, reports.texts
        moved = f", of which {of.regressed} moved with the machine" if of.cause == "machine" else ""
        assert reports.checked == 1
        assert texts["check"].startswith(f"FAILED: {of.regressed} regressed")
        assert f"{of.regressed} regressed{moved}" in texts["compare"]
        noun = "benchmark" if of.regressed == 1 else "benchmarks"
        assert f"{of.regressed} {noun} regressed{moved}" in texts["comment"]
        worse = of.moved * len(of.on) * of.metrics
        assert texts["headline"] == f"{worse} regressions{moved} standing"

    def test_benchmarks_are_counted_and_not_metrics(self, reports: Reports) -> None:
        of = reports.of
        (blame,) = reports.compare["blame"]
        beds = {bed["test_bed_name"]: (bed["moved"], bed["measured"]) for bed in blame["test_beds"]}
        assert beds == {bed: (of.moved if bed in of.on else 0, of.benchmarks) for bed in of.beds}
        for movement in reports.scan["movements"]:
            assert (movement["benchmarks"], movement["measured"]) == beds[movement["test_bed_name"]]


def test_a_scan_of_one_test_bed_keeps_the_causes(tmp_path: Path) -> None:
    connect(tmp_path, create=True).publish_many(SITUATIONS["20 of 20, one bed of two"].entries())
    every = bench_db("scan", "--store", tmp_path, "--output", "json").document["findings"]
    some = bench_db("scan", "--store", tmp_path, "--test-bed-name", "x86", "--output", "json").document["findings"]
    assert {f["cause"] for f in every} == {"machine"}
    assert some == every
