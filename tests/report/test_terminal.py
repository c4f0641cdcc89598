from __future__ import annotations

from bench_db.analysis import findings
from bench_db.model import Series
from bench_db.report.terminal import comparisons_text, findings_text
from tests.report.examples import COUNTS, GOLDEN, HOSTILE, commit_of, compared, found
from tests.report.golden import golden

FINDINGS = findings.in_order(
    [
        found(finding_id="f-1", series_key=1, index=4, commit=commit_of(4)),
        found(finding_id="f-2", series_key=2, index=9, effect=-0.3, state="blessed", p_value=None),
        found(finding_id="f-3", series_key=3, index=9, effect=0.2, provisional=True, common_mode="bed from May"),
    ]
)


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
