from __future__ import annotations

from dataclasses import replace

import pytest

from bench_db.app.gate import Confirmed
from bench_db.model import (
    Confirmation,
    Figure,
    Outcome,
    PairComparison,
    PairRun,
    PairSide,
    PairVerdict,
    Series,
    Verdict,
)
from bench_db.report.markdown import LIMIT
from bench_db.report.pairs import (
    PairsContext,
    confirmed_markdown,
    confirmed_text,
    note_of,
    pairs_markdown,
    pairs_text,
)

CONTEXT = PairsContext(base="a" * 40, head="b" * 40, seed=7, rounds=8, seconds=125.0, ended="budget")
ONE = PairComparison(
    series=Series(suite="s", benchmark_name="sum"),
    verdict=PairVerdict.UNDECIDED,
    effect=0.01,
    low=-0.031,
    high=0.052,
    p_value=0.2,
    figure=Figure.MINIMUM,
    base_value=100.0,
    head_value=101.0,
    median_effect=0.02,
    rounds=8,
    needed=7,
)


class TestNote:
    """A note says what an undecided series excludes and needs."""

    @pytest.mark.parametrize(
        ("record", "note"),
        [
            (ONE, "less than -3.1 % and more than +5.2 % are excluded; 7 more rounds would tell; median +2.0 %"),
            (
                replace(ONE, needed=None, median_effect=None, dropped=1),
                "less than -3.1 % and more than +5.2 % are excluded; more than 100 rounds would be needed; 1 round without a side",
            ),
            (replace(ONE, low=None, needed=None, median_effect=None), "too few rounds with both sides"),
            (replace(ONE, verdict=PairVerdict.UNCHANGED, median_effect=None), ""),
            (
                replace(ONE, verdict=PairVerdict.FAILED, median_effect=None, note="head: x", rounds=0, dropped=5),
                "head: x",
            ),
        ],
    )
    def test_of(self, record: PairComparison, note: str) -> None:
        assert note_of(record) == note

    def test_of_a_threshold(self) -> None:
        note = note_of(replace(ONE, verdict=PairVerdict.SUSPECTED, threshold="5%", median_effect=None))
        assert note.endswith("measure again; counts from 5%")

    def test_of_a_suspected_series(self) -> None:
        assert note_of(replace(ONE, verdict=PairVerdict.SUSPECTED)).endswith("measure again; median +2.0 %")


class TestText:
    """The counts, how it was measured, the control, and what is not unchanged."""

    def test_a_report(self) -> None:
        calm = replace(ONE, verdict=PairVerdict.UNCHANGED, series=Series(benchmark_name="calm"))
        moved = replace(calm, verdict=PairVerdict.REGRESSED, effect=0.08)
        lines = pairs_text([ONE, calm], [moved, calm], CONTEXT).splitlines()
        assert lines[:4] == [
            "bbbbbbbbb against aaaaaaaaa: 1 undecided, 1 unchanged",
            "8 rounds in 2 min 5 s, another round did not fit the budget, seed 7",
            "control: 1 regressed, 1 unchanged",
            "control: calm moved by +8.0 % without a change",
        ]
        assert lines[-1].split()[:2] == ["undecided", "s:"]
        assert "calm" in pairs_text([ONE, calm], [], CONTEXT, everything=True)
        assert len(pairs_text([calm], [], CONTEXT).splitlines()) == 2


class TestMarkdown:
    """Names cannot break the table, and the comment never gets too long for GitHub."""

    def test_unchanged_are_folded(self) -> None:
        calm = replace(ONE, verdict=PairVerdict.UNCHANGED, series=Series(benchmark_name="a|`b`@c"))
        text = pairs_markdown([ONE, calm], [calm], CONTEXT)
        head, folded = text.split("<details>")
        assert "| undecided | <code>s: sum</code> |" in head
        assert "(min)" in head
        assert "control: 1 unchanged" in head
        assert "<code>a&#124;&#96;b&#96;&#64;c</code>" in folded

    def test_the_limit(self) -> None:
        many = [replace(ONE, series=Series(benchmark_name=f"{i}" + "é" * 150)) for i in range(400)]
        text = pairs_markdown(many, [], CONTEXT)
        assert LIMIT - 3_000 < len(text.encode()) <= LIMIT
        assert "more left out" in text


class TestPublished:
    """A line says what was stored of each side."""

    def test_line(self) -> None:
        head = PairRun(side=PairSide.HEAD, suite="s", commit="b" * 40, new=3)
        base = PairRun(side=PairSide.BASE, suite="s", commit="a" * 40, unchanged=1, left_out=2)
        text = pairs_text([ONE], [], replace(CONTEXT, published=[head, replace(head, suite="t"), base]))
        assert text.splitlines()[2] == "published: head 6 new; base 1 unchanged, 2 measured before"
        assert "published" not in pairs_text([ONE], [], CONTEXT)


SLOWER = Confirmation(
    series=Series(suite="s", benchmark_name="a|b"),
    outcome=Outcome.CONFIRMED,
    flagged=Verdict.REGRESSED,
    flagged_effect=0.3,
    effect=0.25,
    low=0.24,
    high=0.26,
    rounds=5,
)
OPEN = replace(SLOWER, outcome=Outcome.UNDECIDED, effect=None, low=None, high=None, rounds=0, reason="`x` failed")
AGAIN = Confirmed(mode="same", base="a" * 40, head="b" * 40, rounds=5, seconds=60.0, confirmations=[SLOWER, OPEN])


class TestConfirmed:
    """Both figures stand beside each other, with the outcome and its reason."""

    def test_text(self) -> None:
        first, _, heading, _, *rows = confirmed_text(AGAIN).splitlines()
        assert first == (
            "measured again in pairs, bbbbbbbbb against aaaaaaaaa: 1 confirmed, 1 undecided; 5 rounds in 1 min 0 s "
            "on the machine of the candidate, whose own bias is not excluded"
        )
        assert heading.split() == ["outcome", "benchmark", "check", "pairs", "rounds", "reason"]
        assert "+30.0 %" in rows[0]
        assert "+25.0 % (+24.0 to +26.0)" in rows[0]
        assert rows[1].endswith("`x` failed")
        assert "on another machine" in confirmed_text(replace(AGAIN, mode="fresh", base=""))

    def test_markdown(self) -> None:
        text = confirmed_markdown(AGAIN)
        assert text.startswith("### Measured again in pairs\n")
        assert "| confirmed | <code>s: a&#124;b</code> | +30.0 % | +25.0 % (+24.0 to +26.0) | 5 |  |" in text
        many = confirmed_markdown(replace(AGAIN, confirmations=[SLOWER] * 25))
        assert "15 more left out." in many
        assert many.count("| confirmed |") == 10
