from __future__ import annotations

from bench_db.report.terminal import comparisons_text, findings_text, in_order
from tests.report.examples import GOLDEN, HOSTILE, Found, commit_of
from tests.report.golden import golden

FINDINGS = [
    Found(id="f-1", series_key=1, index=4, commit=commit_of(4)),
    Found(id="f-2", series_key=2, index=9, effect=-0.3, state="blessed", p_value=None),
    Found(id="f-3", series_key=3, index=9, effect=0.2, provisional=True, common_mode="bed from May"),
]


class TestComparisons:
    """Counts first, then what is not unchanged, the worst of it first."""

    def test_golden(self) -> None:
        text = comparisons_text(GOLDEN) + "\n"
        assert text == golden("comparisons.txt", text)

    def test_everything(self) -> None:
        assert "encode" not in comparisons_text(GOLDEN)
        assert "encode" in comparisons_text(GOLDEN, everything=True)

    def test_nothing(self) -> None:
        assert comparisons_text([]) == "nothing to compare"

    def test_largest_first_within_a_verdict(self) -> None:
        effects = [abs(c.effect or 0.0) for c in in_order(GOLDEN) if c.verdict == "regressed"]
        assert effects == sorted(effects, reverse=True)

    def test_a_name_moves_no_cursor(self) -> None:
        assert "\x1b" not in comparisons_text([type(GOLDEN[0])(label=HOSTILE["newlines"], verdict="new")])


class TestFindings:
    """Open findings first, the largest first among them."""

    def test_golden(self) -> None:
        text = findings_text(FINDINGS, {1: "decode", 2: "encode", 3: "scan"}, {1: "ci", 2: "ci", 3: "ci"}) + "\n"
        assert text == golden("findings.txt", text)

    def test_none(self) -> None:
        assert findings_text([], {}, {}) == "no findings"

    def test_one_benchmark_on_two_test_beds(self) -> None:
        text = findings_text(FINDINGS[:2], {1: "decode", 2: "decode"}, {1: "laptop", 2: "runner"})
        assert [line.split()[3] for line in text.splitlines()[2:]] == ["laptop", "runner"]
