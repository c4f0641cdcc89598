from __future__ import annotations

from bench_db.model import DutBuild, Result, SummaryValues, TestBed
from bench_db.report.formats import formats_text, tried_text


def result(number: int, **fields: object) -> Result:
    usual = {
        "dut": DutBuild(name="d", version="1", timestamp=1),
        "test_bed": TestBed(name="b"),
        "benchmark_name": f"n{number}",
        "summary": SummaryValues(median=1.5e6, mean=1.5e6),
        "n": 3,
        "tags": {"size": "5"},
    }
    return Result(**{**usual, **fields})  # type: ignore[arg-type]


class TestText:
    """A list names each format; a trial shows the first results, what is skipped, and the notes."""

    def test_list(self) -> None:
        text = formats_text([("mine", "declared", False, "my own"), ("jmh", "bench_db", True, "JMH")])
        assert text.splitlines()[2:] == [
            "mine    declared  --format       my own",
            "jmh     bench_db  content        JMH",
        ]

    def test_trial(self) -> None:
        results = [result(0, commit="1a2b3c4d5e6f70"), result(1, error="failed\x1b[2J", summary=None, n=0)]
        text = tried_text("mine", results, {"not-a-number": 2}, ["a note"])
        head, _, _, first, second, note = text.splitlines()
        assert (head, note) == ("mine: 2 results, 2 skipped", "a note")
        assert first.split() == ["n0", "{size=5}", "nanoseconds", "lower", "3", "1.500", "ms", "1a2b3c4d5"]
        assert "failed" in second
        assert "\x1b" not in second

    def test_many_and_none(self) -> None:
        assert tried_text("mine", [result(number) for number in range(53)], {}, []).endswith(
            "... and 3 more, which --output json lists"
        )
        assert tried_text("mine", [], {"no-name": 1}, []) == "mine: 0 results, 1 skipped"
