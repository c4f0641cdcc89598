"""Causes in words."""

from dataclasses import replace

from bench_db.model import Blame, Cause
from bench_db.report.cause import blame_lines, cause_text, finding_text, with_machine
from tests.report.examples import found

ONE = Blame(dut_name="core", suite="cpp", cause=Cause.MACHINE, evidence=("a", "b\x1b"), test_beds=())


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
