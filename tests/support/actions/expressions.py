"""GitHub expressions: `${{ inputs.range || 'NEW' }}` and the conditions of `if:`, with the truth rules of GitHub."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Context = Mapping[str, Any]
_EXPRESSION = re.compile(r"\$\{\{((?:(?!\}\}).)*)\}\}", re.DOTALL)
_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?)|([A-Za-z_][\w-]*)|(\|\||&&|==|!=|<=|>=|[<>!()\[\].,]))")
_STATUS = ("success", "failure", "always", "cancelled")


def filled(template: Any, context: Context) -> Any:
    """Evaluate the expressions in a value; a single expression keeps its type, the rest is text."""
    if isinstance(template, Mapping):
        return {key: filled(value, context) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, context) for value in template]
    if not isinstance(template, str):
        return template
    whole = _EXPRESSION.fullmatch(template.strip())
    if whole:
        return value_of(whole[1], context)
    return _EXPRESSION.sub(lambda found: text_of(value_of(found[1], context)), template)


def text_of(value: Any) -> str:
    """Format a value as GitHub writes it into a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | list):
        return "Object" if isinstance(value, Mapping) else "Array"
    return f"{value:g}" if isinstance(value, float) else str(value)


def holds(condition: Any, context: Context) -> bool:
    """Return whether an `if:` is true; without a status function it also requires success."""
    if condition is None:
        return bool(context["status"]["success"])
    text = condition if isinstance(condition, str) else text_of(condition)
    whole = _EXPRESSION.fullmatch(text.strip())
    parser = _Parser(whole[1] if whole else text, context)
    met = is_true(parser.whole())
    return met and (parser.asked_status or bool(context["status"]["success"]))


def value_of(text: str, context: Context) -> Any:
    """Evaluate an expression."""
    return _Parser(text, context).whole()


def is_true(value: Any) -> bool:
    """Return whether a value counts as true: not false, 0, NaN, null or an empty text."""
    return isinstance(value, Mapping | list) or (bool(value) and not (isinstance(value, float) and math.isnan(value)))


class _Parser:
    """One expression, read from left to right."""

    def __init__(self, text: str, context: Context) -> None:
        self.tokens, at = list[tuple[str, str]](), 0
        text = text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            assert found, f"not an expression: {text!r} at {at}"
            kind = ["text", "number", "name", "sign"][(found.lastindex or 0) - 1]
            self.tokens.append((kind, found[found.lastindex or 0]))
            at = found.end()
        self.context, self.asked_status = context, False

    def whole(self) -> Any:
        value = self.either()
        assert not self.tokens, f"left over: {self.tokens}"
        return value

    def sign(self, *wanted: str) -> str:
        """Consume the next sign if it is one of these."""
        if self.tokens and self.tokens[0][0] == "sign" and self.tokens[0][1] in wanted:
            return self.tokens.pop(0)[1]
        return ""

    def either(self) -> Any:
        value = self.both()
        while self.sign("||"):
            other = self.both()
            value = value if is_true(value) else other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.sign("&&"):
            other = self.compared()
            value = other if is_true(value) else value
        return value

    def compared(self) -> Any:
        value = self.negated()
        while operator := self.sign("==", "!=", "<", "<=", ">", ">="):
            value = _compared(operator, value, self.negated())
        return value

    def negated(self) -> Any:
        return not is_true(self.negated()) if self.sign("!") else self.reached()

    def reached(self) -> Any:
        """Parse a value and its members: `.name` or `['name']`."""
        value = self.single()
        while sign := self.sign(".", "["):
            key = self.tokens.pop(0)[1] if sign == "." else self.either()
            assert sign == "." or self.sign("]")
            value = _member(value, key)
        return value

    def single(self) -> Any:
        kind, token = self.tokens.pop(0)
        if kind == "text":
            return token[1:-1].replace("''", "'")
        if kind == "number":
            return float(token) if "." in token else int(token)
        if token == "(":
            value = self.either()
            assert self.sign(")")
            return value
        assert kind == "name", token
        if self.sign("("):
            return self.called(token)
        return {"true": True, "false": False, "null": None}.get(token, _member(self.context, token))

    def called(self, name: str) -> Any:
        arguments = []
        while not self.sign(")"):
            arguments.append(self.either())
            self.sign(",")
        if name in _STATUS:
            self.asked_status = True
            return self.context["status"][name]
        return _FUNCTIONS[name](*arguments)


def _member(value: Any, key: Any) -> Any:
    """Return a member, ignoring the case of its name; null if it is missing."""
    if isinstance(value, list):
        return value[key] if isinstance(key, int) and 0 <= key < len(value) else None
    if not isinstance(value, Mapping):
        return None
    return value.get(key, next((v for k, v in value.items() if str(k).casefold() == str(key).casefold()), None))


def _compared(operator: str, one: Any, other: Any) -> bool:
    """Compare as GitHub does: texts without case, and different types as numbers."""
    if isinstance(one, str) and isinstance(other, str):
        one, other = one.casefold(), other.casefold()
    elif type(one) is not type(other):
        one, other = _number(one), _number(other)
    answers: dict[str, Callable[[], bool]] = {
        "==": lambda: one == other,
        "!=": lambda: one != other,
        "<": lambda: one < other,
        "<=": lambda: one <= other,
        ">": lambda: one > other,
        ">=": lambda: one >= other,
    }
    return answers[operator]()


def _number(value: Any) -> float:
    try:
        return float(value or 0) if not isinstance(value, Mapping | list) else math.nan
    except ValueError:
        return math.nan


def _contains(where: str | Sequence[Any], what: Any) -> bool:
    if isinstance(where, str):
        return text_of(what).casefold() in where.casefold()
    return any(_compared("==", item, what) for item in where)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": _contains,
    "startsWith": lambda text, part: text_of(text).casefold().startswith(text_of(part).casefold()),
    "endsWith": lambda text, part: text_of(text).casefold().endswith(text_of(part).casefold()),
    "format": lambda text, *values: re.sub(r"\{(\d+)\}", lambda found: text_of(values[int(found[1])]), text),
    "join": lambda items, separator=",": separator.join(map(text_of, items)),
    "toJSON": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    "fromJSON": json.loads,
}
