from __future__ import annotations

from dataclasses import replace

from bench_db.analysis import findings
from bench_db.model import Blame, Cause, Series
from bench_db.report.terminal import (
    blame_lines,
    cause_text,
    commit_findings_text,
    comparisons_text,
    finding_text,
    findings_text,
    with_machine,
)
from tests.report.examples import COUNTS, GOLDEN, HOSTILE, commit_of, compared, found
from tests.report.golden import golden

FINDINGS = findings.in_order(
    [
        found(finding_id="f-1", series_key=1, index=4, commit=commit_of(4)),
        found(finding_id="f-2", series_key=2, index=9, effect=-0.3, state="blessed", p_value=None),
        found(finding_id="f-3", series_key=3, index=9, effect=0.2, provisional=True, common_mode="bed from May"),
    ]
)
ONE = Blame(dut_name="core", suite="cpp", cause=Cause.MACHINE, evidence=("a", "b\x1b"), test_beds=())


def named(**beds: str) -> dict[int, Series]:
    return {key: Series(benchmark_name=name, test_bed_name=bed) for key, (name, bed) in enumerate(beds.items(), 1)}


class TestComparisons:
    """Counts first, then all changes, the worst first."""

    def test_golden(self) -> None:
        text = comparisons_text(GOLDEN, COUNTS) + "\n"
        assert text == golden("comparisons.txt", text)

    def test_everything(self) -> None:
        assert "encode" not in comparisons_text(GOLDEN, COUNTS)
        assert "encode" in comparisons_text(GOLDEN, COUNTS, everything=True)

    def test_nothing(self) -> None:
        assert comparisons_text([], {}) == "nothing to compare"

    def test_few_of_many_renamed_series_are_listed(self) -> None:
        """A file whose every benchmark got another size would hide the answer behind its hints."""
        renamed = [replace(compared("encode", "new"), renamed_from=f"old {n}") for n in range(8)]
        lines = comparisons_text(renamed, {}).splitlines()
        assert sum(line.startswith("to continue its history") for line in lines) == 5
        assert lines[-1] == "and 3 more that may be renamed: renamed_from of --output json"
        assert comparisons_text(renamed[:5], {}).splitlines()[-1].startswith("to continue its history")

    def test_a_name_moves_no_cursor(self) -> None:
        assert "\x1b" not in comparisons_text([compared(HOSTILE["newlines"], "new")], {"new": 1})


class TestFindings:
    """Open findings first, sorted by size."""

    def test_golden(self) -> None:
        text = findings_text(FINDINGS, named(decode="ci", encode="ci", scan="ci")) + "\n"
        assert text == golden("findings.txt", text)

    def test_none(self) -> None:
        assert findings_text([], {}) == "no findings"

    def test_one_benchmark_on_two_test_beds(self) -> None:
        text = findings_text(FINDINGS, named(decode="laptop", encode="runner", scan="runner"))
        assert [line.split()[3] for line in text.splitlines()[2:]] == ["runner", "laptop", "runner"]


class TestCommitFindings:
    """A commit is one row, however many findings it has; a finding that is alone has its id and its benchmark."""

    def test_many(self) -> None:
        at_one = [
            found(f"f{n}", n, 4, commit=commit_of(4), effect=0.2 + n / 1e4, common_mode="x", provisional=n < 3)
            for n in range(1, 126)
        ]
        series = {n: Series(benchmark_name=f"b{n % 25}", test_bed_name=f"bed{n // 25 % 5}") for n in range(1, 126)}
        lines = commit_findings_text(at_one, series).splitlines()
        assert lines[2].split("  ")[0] == commit_of(4)[:9]
        words = " ".join(lines[2].split())
        assert "open 125 slower, median +20.6 % 5 test beds 25 benchmarks 125 findings 2 provisional, with x" in words
        assert lines[3].startswith(f"bench-db show {commit_of(4)[:9]} lists")

    def test_one(self) -> None:
        text = commit_findings_text(FINDINGS[:1], named(decode="ci", encode="ci", scan="ci"))
        assert (
            " ".join(text.splitlines()[2].split())
            == "- open 1 slower, +20.0 % ci scan f-3 provisional, with bed from May"
        )
        assert len(text.splitlines()) == 3

    def test_words(self) -> None:
        series = {1: Series(benchmark_name="m", test_bed_name="ci", units="bytes")}
        text = commit_findings_text([found("a", 1, 4, commit="c"), found("b", 7, 4, commit="c")], series)
        assert "1 worse, +10.0 %, 1 moved" in text

    def test_none(self) -> None:
        assert commit_findings_text([], {}) == "no findings"


class TestCause:
    """A sentence each; a suite is named when there are several."""

    def test_text(self) -> None:
        assert cause_text(Cause.CODE, ()) == "Cause: the code."
        assert cause_text(Cause.UNKNOWN, ("a", "b")) == "Cause: not known (a; b)."

    def test_lines(self) -> None:
        text = "Cause: the machine or the tool chain (a; b\\x1b)."
        assert blame_lines([ONE]) == [text]
        assert blame_lines([ONE, ONE]) == [f"core cpp: {text}"] * 2
        assert blame_lines([]) == []

    def test_of_a_finding(self) -> None:
        finding = found("f", 1, 3, cause=Cause.CODE)
        assert finding_text(finding) == "Cause: the code."
        assert finding_text(replace(finding, confirmed_by="p1")) == "Cause: the code. Confirmed in pairs (p1)."
        assert finding_text(replace(finding, confirmed_by="p1", cause=None)) == "Confirmed in pairs (p1)."
        assert finding_text(replace(finding, cause=None)) == ""

    def test_counts(self) -> None:
        assert with_machine(0) == ""
        assert with_machine(1200) == ", of which 1,200 moved with the machine"
