"""Laws of the cause of changes: what is evidence for the code, what for the machine, and when there is none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench_db.analysis.blame import Beds, Steps, beds_apart, blame, blame_comparisons, log_ratio
from bench_db.analysis.judge import of_machine
from bench_db.model import Cause, Comparison, Series, Verdict
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench_db.model import Blame

STEP = 0.2


def compared(benchmark: str, effect: float | None, bed: str = "x86", **rest: Any) -> Comparison:
    """Return a comparison with an interval of 6 %; an effect of half an interval or less is unchanged."""
    width = rest.pop("width", 0.03)
    higher = rest.get("direction") is Direction.HIGHER
    worse = effect is not None and (effect < 0) is higher
    verdict = Verdict.REGRESSED if worse else Verdict.IMPROVED
    if effect is None:
        verdict = Verdict.MISSING
    elif abs(effect) <= width:
        verdict = Verdict.UNCHANGED
    return Comparison(
        series=Series(benchmark_name=benchmark, test_bed_name=bed, suite="s", **rest),
        verdict=verdict,
        effect=effect,
        low=None if effect is None else effect - width,
        high=None if effect is None else effect + width,
        n_baseline=20,
        n_candidate=1,
    )


def bed(name: str, *effects: float | None, **rest: Any) -> list[Comparison]:
    """Return a comparison a benchmark on a test bed."""
    return [compared(f"f{i}", effect, name, **rest) for i, effect in enumerate(effects)]


def blamed(*several: list[Comparison], labels: Mapping[int, str] | None = None) -> Blame:
    (found,) = blame_comparisons([c for some in several for c in some], labels or {})[1]
    return found


ALL, NONE = [STEP] * 6, [0.0] * 6
FEW = [STEP, STEP, 0.0, 0.0, 0.0, 0.0]


class TestCause:
    """The code, the machine, or not known; with what was seen or is missing."""

    @pytest.mark.parametrize(
        ("beds", "cause", "evidence"),
        [
            ({"x86": FEW}, Cause.CODE, "4 benchmarks of the same run on x86 did not move"),
            ({"x86": FEW, "arm": NONE}, Cause.CODE, "arm measured the same commit and did not move"),
            ({"x86": ALL, "arm": ALL}, Cause.CODE, "the same benchmarks moved at one commit on arm and x86"),
            ({"x86": ALL, "arm": NONE}, Cause.MACHINE, "arm measured the same commit and did not move"),
            ({"x86": ALL, "arm": NONE, "ppc": NONE}, Cause.MACHINE, "arm and ppc measured"),
            ({"x86": ALL, "arm": NONE, "ppc": ALL}, Cause.CODE, "on ppc and x86"),
            ({"x86": ALL}, Cause.UNKNOWN, "no other test bed measured them at this commit"),
            ({"x86": ALL, "arm": [-STEP] * 6}, Cause.UNKNOWN, "test beds moved in opposite directions"),
            ({"x86": ALL, "arm": [STEP, *NONE[1:]]}, Cause.UNKNOWN, "do not decide it"),
            ({"x86": ALL, "arm": [None] * 6}, Cause.UNKNOWN, "no other test bed measured them"),
            ({"x86": ALL, "arm": [0.0, None, None, None, None, None]}, Cause.UNKNOWN, "do not decide it"),
            ({"x86": [STEP]}, Cause.UNKNOWN, "1 benchmark cannot show whether the whole run moved"),
            ({"x86": [STEP], "arm": [0.0]}, Cause.UNKNOWN, "1 benchmark cannot show"),
            ({"x86": [STEP, 0.0]}, Cause.UNKNOWN, "2 benchmarks cannot show"),
            ({"x86": [STEP] * 4 + [0.0] * 3, "arm": [0.0] * 7}, Cause.UNKNOWN, "do not decide it"),
        ],
    )
    def test_test_beds(self, beds: dict[str, Sequence[float | None]], cause: Cause, evidence: str) -> None:
        found = blamed(*(bed(name, *effects) for name, effects in beds.items()))
        assert found.cause is cause, found
        assert any(evidence in text for text in found.evidence), found.evidence

    def test_machines_of_one_name_may_share_their_tool_chain(self) -> None:
        first, second = bed("ci", *ALL), [compared(f"f{i}", STEP, "ci", series_key=1) for i in range(6)]
        found = blamed(first, second, labels={0: "ci (EPYC)", 1: "ci (Xeon)"})
        assert (found.cause, found.evidence[-1]) == (
            Cause.UNKNOWN,
            "ci (Xeon) moved too, and may have the same tool chain",
        )
        calm = [compared(f"f{i}", 0.0, "ci", series_key=1) for i in range(6)]
        assert blamed(first, calm, labels={0: "ci (EPYC)", 1: "ci (Xeon)"}).cause is Cause.MACHINE

    def test_benchmarks_are_counted(self) -> None:
        metrics = [bed("x86", *FEW, metric=metric) for metric in ("time", "cpu", "wall")]
        (one,) = blamed(*metrics).test_beds
        assert (one.moved, one.measured, one.whole_run) == (2, 6, False)

    def test_tags_name_another_benchmark(self) -> None:
        tagged = [compared("f", STEP if n < 2 else 0.0, tags_key=f"n={n}") for n in range(6)]
        assert (blamed(tagged).cause, blamed(tagged).test_beds[0].measured) == (Cause.CODE, 6)

    def test_metrics_that_did_not_change_are_no_controls(self) -> None:
        size = bed("x86", *NONE, metric="bytes")
        assert blamed(bed("x86", *ALL), size).cause is Cause.UNKNOWN

    def test_rates_fall_where_times_rise(self) -> None:
        rates = bed("arm", *[-1 / 6] * 6, direction=Direction.HIGHER)
        assert blamed(bed("x86", *ALL), rates).cause is Cause.CODE

    def test_what_is_too_noisy_is_no_control(self) -> None:
        assert blamed(bed("x86", *ALL), bed("arm", *NONE, width=0.9)).cause is Cause.UNKNOWN

    def test_each_suite_has_its_own(self) -> None:
        other = [compared(f"f{i}", STEP, dut_name="other") for i in range(6)]
        found = blame_comparisons([*bed("x86", *FEW), *other], {})[1]
        assert [(one.dut_name, one.cause) for one in found] == [("", Cause.CODE), ("other", Cause.UNKNOWN)]


class TestComparisons:
    """What changed gets the cause, the verdicts stay, and what did not change gets none."""

    def test_causes(self) -> None:
        given = [*bed("x86", *ALL), *bed("arm", *NONE), *bed("ppc", None)]
        found, _ = blame_comparisons(given, {})
        assert [c.cause for c in found] == [Cause.MACHINE] * 6 + [None] * 7
        assert [(c.verdict, c.series) for c in found] == [(c.verdict, c.series) for c in given]
        assert of_machine(found) == 6

    def test_an_improvement_is_no_regression_of_the_machine(self) -> None:
        found, _ = blame_comparisons([*bed("x86", *[-STEP] * 6), *bed("arm", *NONE)], {})
        assert (found[0].cause, of_machine(found)) == (Cause.MACHINE, 0)

    def test_nothing_changed(self) -> None:
        assert blame_comparisons(bed("x86", *NONE), {}) == (bed("x86", *NONE), [])
        assert blame_comparisons([], {}) == ([], [])


class TestNone:
    """A movement of a whole run that no series shows beside its noise: all benchmarks are counted, and none is a control."""

    def test_no_series_shows_it(self) -> None:
        steps = Steps(
            beds=np.zeros(6, np.int64),
            benchmarks=np.arange(6),
            metrics=np.zeros(6, np.int64),
            effects=np.array([0.1, 0.2, 0.1, 0.0, 0.1, math.nan]),
            errors=np.full(6, 0.3),
            changed=np.zeros(6, np.bool_),
        )
        cause, evidence, (shown,) = blame(steps, Beds(labels=["x86"], names=["x86"]))
        assert (cause, evidence) == (Cause.UNKNOWN, ("no benchmark shows it by itself",))
        assert (shown.moved, shown.measured, shown.whole_run) == (0, 5, False)

    def test_a_run_with_none_beside_it(self) -> None:
        nowhere = np.full(6, math.nan)
        none = np.zeros(6, np.int64)
        steps = Steps(
            beds=none,
            benchmarks=np.arange(6),
            metrics=none,
            effects=nowhere,
            errors=nowhere,
            changed=np.zeros(6, np.bool_),
        )
        cause, evidence, shown = blame(steps, Beds(labels=["x86"], names=["x86"]))
        assert (cause, evidence, shown) == (
            Cause.UNKNOWN,
            ("too few runs before or after it show which benchmarks moved",),
            [],
        )


class TestNames:
    """Test bed classes are numbered by name, and log ratios are finite."""

    def test_beds(self) -> None:
        series = [Series(series_key=key, test_bed_name=name) for key, name in enumerate("bab")]
        beds, numbers = beds_apart(series, {2: "b (cpu)"})
        assert (beds.labels, beds.names) == (["a", "b", "b (cpu)"], ["a", "b", "b"])
        np.testing.assert_array_equal(numbers, [1, 0, 2])

    def test_log_ratio(self) -> None:
        assert log_ratio(1.0) == pytest.approx(math.log(2))
        assert math.isnan(log_ratio(None))
        assert math.isnan(log_ratio(math.nan))
        assert all(math.isfinite(log_ratio(extreme)) for extreme in (-1.0, -2.0, math.inf))
