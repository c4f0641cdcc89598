"""Formulas of derived metrics: names of metrics, numbers, + - * / and parentheses; nothing else is ever evaluated.

formula = sum
sum     = product {("+" | "-") product}
product = factor {("*" | "/") factor}
factor  = ["+" | "-"] factor | number | name | "(" sum ")"
name    = letter or "_", then letters, digits, "_" and "." | any text in double quotes, a quote in it doubled
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from operator import add, mul, sub, truediv
from typing import TYPE_CHECKING, NoReturn

from bench_db.errors import UserError
from bench_db.rules import RULES
from bench_db.units import (
    BYTES,
    BYTES_PER_SECOND,
    NANOSECONDS,
    PER_SECOND,
    RATIO,
    SIZES,
    Direction,
    base_unit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<name>[^\W\d][\w.]*)|"(?P<quoted>(?:[^"]|"")+)"|(?P<sign>[-+*/()]))""",
    re.VERBOSE,
)
_ALLOWED = 'names of metrics, numbers, + - * / and parentheses; other names are in double quotes, such as "p99 latency"'
_OPPOSITE = {Direction.LOWER: Direction.HIGHER, Direction.HIGHER: Direction.LOWER, Direction.INFO: Direction.INFO}
_SECONDS, _BYTES = "s", "bytes"
# A time is in seconds in a formula, and in nanoseconds in a result.
SECOND = 1e9
_VALUE = re.compile(r'(?P<formula>.*?)(?:;\s*unit=(?P<unit>[^;"]+))?(?:;\s*better=(?P<better>[^;"]+))?\s*', re.DOTALL)
_DIMENSIONS: Mapping[str, Mapping[str, int]] = {
    NANOSECONDS.name: {_SECONDS: 1},
    BYTES.name: {_BYTES: 1},
    PER_SECOND.name: {_SECONDS: -1},
    BYTES_PER_SECOND.name: {_BYTES: 1, _SECONDS: -1},
    "count": {},
    "recall": {},
    RATIO.name: {},
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a formula; it has no unit."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """The value of a metric."""

    metric: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One of + - * / with what is on its left and on its right."""

    sign: str
    left: Formula
    right: Formula


Formula = Number | Name | Operation


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a value measures: the powers of its units, and the name of its unit where that is known without them."""

    powers: tuple[tuple[str, int], ...] = ()
    name: str | None = None

    @property
    def units(self) -> str:
        """The name of the unit, as results have it."""
        if self.name is not None:
            return self.name
        powers = dict(self.powers)
        for name, known in _DIMENSIONS.items():
            if powers == known and known:
                return name
        over = [unit for unit, power in self.powers for _ in range(power)]
        under = [unit for unit, power in self.powers for _ in range(-power)]
        return "/".join(("*".join(over) or "1", *under)) if over or under else RATIO.name


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedMetric:
    """A metric that is computed from others: its formula with their names, and its unit and direction where they are stated."""

    name: str
    text: str
    formula: Formula
    metrics: tuple[str, ...]
    unit: str | None = None
    better: Direction | None = None

    @property
    def value(self) -> str:
        """The value of its definition."""
        unit = "" if self.unit is None else f"; unit={self.unit}"
        return f"{self.text}{unit}" + ("" if self.better is None else f"; better={self.better}")

    def measured(self, units: Mapping[str, str]) -> tuple[str, float]:
        """Return the stored unit of its results, and the factor from a value of the formula to it, for stored units of its metrics.

        A stated unit that is of other dimensions than the formula is taken as that of its values. Raises `UserError` for a sum of
        different units, when no unit is stated, and for a stated unit such as ms of a formula that gives seconds already.
        """
        try:
            found = quantity_of(self.formula, units)
        except UserError:
            if self.unit is None:
                raise
            return _spelled(self.unit)
        if self.unit is None:
            return found.units, SECOND if found.units == NANOSECONDS.name else 1.0
        name, factor = _spelled(self.unit)
        own = SECOND if name == NANOSECONDS.name else 1.0
        if _DIMENSIONS.get(name) == dict(found.powers) and factor != own:
            given = "seconds" if name == NANOSECONDS.name else name
            message = (
                f"unit {self.unit!r}: {self.text!r} is in {given} already, and no unit scales it; "
                "leave out the unit, and the numbers that convert to it"
            )
            raise UserError(message)
        return name, factor

    def direction(self, directions: Mapping[str, Direction]) -> Direction:
        """Return the stated direction, else the one that follows from those of its metrics."""
        return self.better or direction_of(self.formula, directions)


def derived_metric(name: str, value: str) -> DerivedMetric:
    """Parse a definition: a formula, and after it `; unit=UNIT` and `; better=DIRECTION` where they are stated.

    Raises `UserError` for what cannot be read, and for a formula that names its own metric.
    """
    found = _VALUE.fullmatch(value)
    text, unit, better = found.group("formula", "unit", "better") if found else (value, None, None)
    if not name.strip():
        message = "a derived metric needs a name"
        raise UserError(message)
    if better is not None and better.strip() not in set(Direction):
        message = f"`value`: {better.strip()!r} is no direction; they are {', '.join(Direction)}"
        raise UserError(message)
    formula = parse(text.strip())
    metrics = metrics_of(formula)
    if name in metrics:
        message = f"`value`: the formula of {name!r} names {name!r} itself"
        raise UserError(message)
    return DerivedMetric(
        name=name,
        text=text.strip(),
        formula=formula,
        metrics=metrics,
        unit=None if unit is None else unit.strip() or None,
        better=None if better is None else Direction(better.strip()),
    )


def value_of(formula: str, unit: str | None = None, better: str | None = None) -> str:
    """Return a formula and what is stated with it as one value of a definition."""
    unit = "" if not unit else f"; unit={unit}"
    return f"{formula}{unit}" + (f"; better={better}" if better else "")


def _spelled(unit: str) -> tuple[str, float]:
    """Return the stored name of a unit and the factor to it; an unknown unit is kept by name."""
    if unit.lower() in SIZES:
        return BYTES.name, SIZES[unit.lower()]
    try:
        base, factor = base_unit(unit)
    except UserError:
        return unit, 1.0
    return base.name, factor


def parse(text: str) -> Formula:
    """Parse a formula. Raise `UserError` with the place of what is none, and for one that names no metric."""
    if len(text) > RULES.formula_length:
        message = f"a formula has at most {RULES.formula_length:,} characters, and this one {len(text):,}"
        raise UserError(message)
    parser = _Parser(text, list(_tokens(text)))
    formula = parser.sum()
    parser.end()
    if not metrics_of(formula):
        message = f"{text!r} names no metric; a formula takes {_ALLOWED}"
        raise UserError(message)
    return formula


def metrics_of(formula: Formula) -> tuple[str, ...]:
    """Return the metrics that a formula names, in their order, each once."""
    match formula:
        case Name(metric):
            return (metric,)
        case Operation(_, left, right):
            return tuple(dict.fromkeys((*metrics_of(left), *metrics_of(right))))
    return ()


def direction_of(formula: Formula, directions: Mapping[str, Direction]) -> Direction:
    """Return the direction in which a formula of values above 0 improves; INFO where its metrics pull in different directions."""
    return _direction(formula, directions) or Direction.INFO


def _direction(formula: Formula, directions: Mapping[str, Direction]) -> Direction | None:
    """Return the direction, None for a part without a metric."""
    match formula:
        case Name(metric):
            return directions[metric]
        case Operation(sign, left, right):
            one, other = _direction(left, directions), _direction(right, directions)
            if other is not None and sign in "-/":
                other = _OPPOSITE[other]
            if sign in "*/" and _is_negative(left) != _is_negative(right):
                one, other = (None if side is None else _OPPOSITE[side] for side in (one, other))
            return other if one is None else one if other in (None, one) else Direction.INFO
    return None


def _is_negative(formula: Formula) -> bool:
    """Return whether a formula without metrics is below 0."""
    return (_number(formula) or 0.0) < 0


def _number(formula: Formula) -> float | None:
    """Return the value of a formula without metrics; None for one with some, and for a division by 0."""
    if isinstance(formula, Number):
        return formula.value
    if isinstance(formula, Name):
        return None
    left, right = _number(formula.left), _number(formula.right)
    if left is None or right is None or (formula.sign == "/" and right == 0):
        return None
    value: float = {"+": add, "-": sub, "*": mul, "/": truediv}[formula.sign](left, right)
    return value


def quantity_of(formula: Formula, units: Mapping[str, str]) -> Quantity:
    """Return what a formula measures, from the stored units of its metrics. Raises `UserError` for a sum of different units."""
    match formula:
        case Name(metric):
            powers = _DIMENSIONS.get(units[metric], {units[metric]: 1})
            return Quantity(tuple(sorted(powers.items())), units[metric])
        case Operation(sign, left, right):
            one, other = quantity_of(left, units), quantity_of(right, units)
            return _sum(sign, left, right, one, other) if sign in "+-" else _product(sign, left, right, one, other)
    return Quantity()


def _sum(sign: str, left: Formula, right: Formula, one: Quantity, other: Quantity) -> Quantity:
    if not metrics_of(left):
        return other
    if not metrics_of(right):
        return one
    if one.powers != other.powers:
        message = f"{one.units} {sign} {other.units} is no quantity; state the unit of the result"
        raise UserError(message)
    return one if one.name == other.name else Quantity(one.powers)


def _product(sign: str, left: Formula, right: Formula, one: Quantity, other: Quantity) -> Quantity:
    if not metrics_of(right):
        return one
    if not metrics_of(left) and sign == "*":
        return other
    powers = dict(one.powers)
    for unit, power in other.powers:
        powers[unit] = powers.get(unit, 0) + (power if sign == "*" else -power)
    return Quantity(tuple(sorted((unit, power) for unit, power in powers.items() if power)))


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield the kind, the text and the place of each token, and at the end one of the kind `end`."""
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            place = at + len(text[at:]) - len(text[at:].lstrip())
            message = f"{text!r}: {text[place : place + 10]!r} at character {place + 1} is no part of a formula; it takes {_ALLOWED}"
            raise UserError(message)
        kind = found.lastgroup or ""
        yield kind, found[kind], found.start(kind)
        at = found.end()
    yield "end", "", end


class _Parser:
    """A reader of tokens, one function a rule of the grammar."""

    def __init__(self, text: str, tokens: Sequence[tuple[str, str, int]]) -> None:
        self._text, self._tokens, self._at = text, tokens, 0

    def sum(self) -> Formula:
        """Read a sum."""
        left = self._product()
        while sign := self._sign("+-"):
            left = Operation(sign, left, self._product())
        return left

    def end(self) -> None:
        """Refuse what follows the formula."""
        if self._tokens[self._at][0] != "end":
            self._refuse("an operator or the end")

    def _product(self) -> Formula:
        left = self._factor()
        while sign := self._sign("*/"):
            left = Operation(sign, left, self._factor())
        return left

    def _factor(self) -> Formula:
        if sign := self._sign("+-"):
            factor = self._factor()
            if isinstance(factor, Number):
                return Number(-factor.value if sign == "-" else factor.value)
            return factor if sign == "+" else Operation("*", Number(-1.0), factor)
        if self._sign("("):
            inner = self.sum()
            if not self._sign(")"):
                self._refuse("a closing parenthesis")
            return inner
        kind, text, _ = self._tokens[self._at]
        if kind not in {"number", "name", "quoted"}:
            self._refuse("a metric, a number or an opening parenthesis")
        if kind == "number" and not math.isfinite(float(text)):
            self._refuse("a finite number")
        self._at += 1
        return Number(float(text)) if kind == "number" else Name(text.replace('""', '"') if kind == "quoted" else text)

    def _sign(self, signs: str) -> str:
        """Return the next token if it is one of some signs, and go on; else an empty text."""
        kind, text, _ = self._tokens[self._at]
        if kind != "sign" or text not in signs:
            return ""
        self._at += 1
        return text

    def _refuse(self, expected: str) -> NoReturn:
        _, text, place = self._tokens[self._at]
        found = f"{text!r} at character {place + 1}" if text else "the end"
        message = f"{self._text!r}: expected {expected}, found {found}; a formula takes {_ALLOWED}"
        raise UserError(message)
