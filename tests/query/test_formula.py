from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UserError
from bench_db.query.formula import (
    Formula,
    Name,
    Number,
    Operation,
    derived_metric,
    metrics_of,
    parse,
    quantity_of,
    value_of,
)
from bench_db.rules import RULES
from bench_db.units import Direction

_NUMBERS = st.floats(min_value=0, max_value=1e9).map(lambda value: Number(float(f"{value:g}")))
_NAMES = st.text(min_size=1, max_size=12).filter(str.strip).map(Name)
_FORMULAS = st.recursive(
    _NUMBERS | _NAMES,
    lambda inner: st.builds(Operation, st.sampled_from("+-*/"), inner, inner),
    max_leaves=8,
)


def _written(formula: Formula) -> str:
    if isinstance(formula, Number):
        return f"{formula.value:g}"
    if isinstance(formula, Name):
        return '"' + formula.metric.replace('"', '""') + '"'
    return f"({_written(formula.left)} {formula.sign} {_written(formula.right)})"


def _value(formula: Formula, values: dict[str, float]) -> float:
    if isinstance(formula, Number):
        return formula.value
    if isinstance(formula, Name):
        return values[formula.metric]
    left, right = _value(formula.left, values), _value(formula.right, values)
    return {"+": left + right, "-": left - right, "*": left * right, "/": left / right}[formula.sign]


class TestParse:
    """A formula is read with the precedence of arithmetic, and whatever is no formula is refused with its place."""

    @given(_FORMULAS.filter(metrics_of).filter(lambda one: len(_written(one)) <= RULES.formula_length))
    def test_a_written_formula_is_read_as_it_was(self, formula: Formula) -> None:
        assert parse(_written(formula)) == formula

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("a + b * c", 14.0),
            ("(a + b) * c", 20.0),
            ("a - b - c", -5.0),
            ("b / c / a", 0.375),
            ("a / (b / c)", 8 / 3),
            ("-a + 3", 1.0),
            ("--a", 2.0),
            ("+a * -b", -6.0),
            ('1.5e1*"a"', 30.0),
            (".5*a+2.", 3.0),
        ],
    )
    def test_precedence(self, text: str, value: float) -> None:
        assert _value(parse(text), {"a": 2.0, "b": 3.0, "c": 4.0}) == pytest.approx(value)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "expected a metric, a number or an opening parenthesis, found the end"),
            ("a +", "found the end"),
            ("a b", "expected an operator or the end, found 'b' at character 3"),
            ("(a", "expected a closing parenthesis, found the end"),
            ("a)", r"found '\)' at character 2"),
            ("a ** b", r"found '\*' at character 4"),
            ("a % b", "'% b' at character 3 is no part of a formula"),
            ("__import__('os')", r"at character 12 is no part of a formula"),
            ("max(a, b)", "', b\\)' at character 6 is no part of a formula"),
            ("max(a)", r"expected an operator or the end, found '\('"),
            ('"a', "is no part of a formula"),
            ("2a", "is no part of a formula"),
            ("1e999 * a", "expected a finite number"),
            ("1 + 2", "names no metric"),
            ("a" * 301, "a formula has at most 300 characters, and this one 301"),
        ],
    )
    def test_refused(self, text: str, said: str) -> None:
        with pytest.raises(UserError, match=said):
            parse(text)

    def test_the_deepest_formula_is_read(self) -> None:
        assert metrics_of(parse("(" * 149 + "ab" + ")" * 149)) == ("ab",)
        assert metrics_of(parse("-" * 299 + "a")) == ("a",)
        assert metrics_of(parse("a" + "+a" * 149)) == ("a",)


class TestMeasured:
    """The unit of a result follows from the units of its metrics, in which a time is in seconds and a rate per second."""

    @pytest.mark.parametrize(
        ("text", "unit", "factor"),
        [
            ("time + wait", "nanoseconds", 1e9),
            ("time * 2 - 1", "nanoseconds", 1e9),
            ("size / time", "bytes_per_second", 1.0),
            ("ops / time", "per_second", 1.0),
            ("1 / rate", "nanoseconds", 1e9),
            ("size / speed", "nanoseconds", 1e9),
            ("time / wait", "ratio", 1.0),
            ("ops + ops", "count", 1.0),
            ("ops / hits", "ratio", 1.0),
            ("power * time", "W*s", 1.0),
            ("tok_s / power", "tokens/s/W", 1.0),
            ("price / 3600 / tok_s", "$/tokens/s", 1.0),
            ("2 / power", "1/W", 1.0),
            ("time * time", "s*s", 1.0),
        ],
    )
    def test_derived(self, text: str, unit: str, factor: float) -> None:
        assert derived_metric("x", text).measured(UNITS) == (unit, factor)

    @pytest.mark.parametrize(
        ("text", "unit", "stored", "factor"),
        [
            ("time + wait", "s", "nanoseconds", 1e9),
            ("price * 2", "ms", "nanoseconds", 1e6),  # a number of milliseconds
            ("size * 2", "bytes", "bytes", 1.0),
            ("price * 2", "MiB", "bytes", 2.0**20),
            ("tok_s / power", "tokens/J", "tokens/J", 1.0),
            ("time + size", "score", "score", 1.0),
        ],
    )
    def test_stated(self, text: str, unit: str, stored: str, factor: float) -> None:
        assert derived_metric("x", value_of(text, unit)).measured(UNITS) == (stored, factor)

    @pytest.mark.parametrize(
        ("text", "unit", "given"),
        [("time * 1000", "ms", "seconds"), ("time * 1e9", "ns", "seconds"), ("size / 1048576", "MiB", "bytes")],
    )
    def test_a_unit_does_not_scale_what_has_it_already(self, text: str, unit: str, given: str) -> None:
        with pytest.raises(UserError, match=f"unit '{unit}': '.*' is in {given} already, .*leave out the unit"):
            derived_metric("x", value_of(text, unit)).measured(UNITS)

    def test_a_sum_of_different_units_needs_one(self) -> None:
        with pytest.raises(UserError, match="nanoseconds - bytes is no quantity; state the unit of the result"):
            quantity_of(parse("time - size"), UNITS)


UNITS = {
    "time": "nanoseconds",
    "wait": "nanoseconds",
    "size": "bytes",
    "ops": "count",
    "hits": "recall",
    "rate": "per_second",
    "speed": "bytes_per_second",
    "power": "W",
    "tok_s": "tokens/s",
    "price": "$",
}
BETTER = {"up": Direction.HIGHER, "up2": Direction.HIGHER, "down": Direction.LOWER, "any": Direction.INFO}


class TestDirection:
    """A direction follows where all metrics of a formula pull the same way, and is none otherwise; a stated one applies."""

    @pytest.mark.parametrize(
        ("text", "direction"),
        [
            ("up / down", "higher"),
            ("down / up", "lower"),
            ("100 / up", "lower"),
            ("up + up2", "higher"),
            ("up - down", "higher"),
            ("up * down", "info"),
            ("up - up2", "info"),
            ("any / down", "info"),
            ("-up", "lower"),
            ("up * -2", "lower"),
            ("-2 / down", "lower"),
            ("3 * up + 1", "higher"),
            ("(0 - 1) * up", "lower"),
            ("up / (1 / -2 * 4)", "lower"),
            ("(1 - 3) * -1 * up", "higher"),
            ("(1 / 0) * up", "higher"),
        ],
    )
    def test_derived(self, text: str, direction: str) -> None:
        assert derived_metric("x", text).direction(BETTER) == direction

    def test_stated(self) -> None:
        assert derived_metric("x", value_of("up * down", better="lower")).direction(BETTER) is Direction.LOWER


class TestDerivedMetric:
    """A definition is one text, which is read as it was written."""

    @pytest.mark.parametrize("unit", [None, "tokens/J"])
    @pytest.mark.parametrize("better", [None, "higher"])
    def test_value(self, unit: str | None, better: str | None) -> None:
        value = value_of(' "a; unit=x" / b ', unit, better)
        read = derived_metric("x", value)
        assert (read.text, read.unit, read.better) == ('"a; unit=x" / b', unit, better)
        assert metrics_of(read.formula) == ("a; unit=x", "b")
        assert derived_metric("x", read.value) == read

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            (" ", "a", "a derived metric needs a name"),
            ("x", "a; better=more", "'more' is no direction"),
            ("x", "a / x", "the formula of 'x' names 'x' itself"),
            ("x", "a; by=b", "is no part of a formula"),
        ],
    )
    def test_refused(self, name: str, value: str, said: str) -> None:
        with pytest.raises(UserError, match=said):
            derived_metric(name, value)

    def test_numbers_are_finite(self) -> None:
        assert math.isfinite(derived_metric("x", "1e308 * a").formula.left.value)  # type: ignore[union-attr]
