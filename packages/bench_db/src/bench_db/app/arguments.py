"""The arguments of the public functions, checked by their annotations before a wrong one fails far from its caller."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache, wraps
from importlib import import_module
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, Union, Unpack, get_args, get_origin, get_type_hints

from bench_db.errors import UserError

if TYPE_CHECKING:
    from inspect import Signature

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
Class = TypeVar("Class", bound=type)
Hint = Any
"""A type, an alias of several, or the text of one that exists for type checkers alone."""

# A store can be named by its address wherever it is expected.
_STORES = {"Database", "stores.Database", "Source"}
_SIGNED = {"seed", "quick_seed"}
_PLAIN = (NoneType, bool, int, float, complex, str, bytes, date, list, tuple, set, dict, Path)
_LISTS = (list, tuple, set, frozenset, Collection, Sequence, Iterable, Iterator)
# Names that modules import for type checkers alone.
_NAMES: dict[str, Hint] = {
    "Callable": Callable,
    "Collection": Collection,
    "Iterable": Iterable,
    "Iterator": Iterator,
    "Mapping": Mapping,
    "Path": Path,
    "Sequence": Sequence,
    "Unpack": Unpack,
}
# Where names are that no module may have imported yet.
_HOMES = {
    "Stated": "bench_db.app.recording",
    "RunConditions": "bench_db.app.runs",
    "Judging": "bench_db.app.ci_files",
    "Mode": "bench_db.app.gate",
    "Declaration": "bench_db.app.configuration",
}
_WORDS = {
    str: "a text",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    date: "a date",
}


@cache
def guarded(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Let a function raise `UserError` for an argument of another type than its annotation has, for NaN and for a negative number.

    Numbers and truth values of numpy are passed on as those of Python, and paths as `Path`, where the annotation names them.
    """
    accepted: dict[str, tuple[Hint, ...]] = {}
    signature = inspect.signature(function)

    @wraps(function)
    def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
        if not accepted:
            accepted.update(_accepted(function, signature))
        try:
            bound = signature.bind(*arguments, **named)
        except TypeError as error:
            message = f"{function.__name__}(): {error}"
            raise TypeError(message) from None
        _check(function.__name__, signature, accepted, bound.arguments)
        return function(*bound.args, **bound.kwargs)

    return call


def with_guarded_methods(public: Class) -> Class:
    """Guard the public methods of a class."""
    for name, method in list(vars(public).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(public, name, guarded(method))
    return public


def _check(
    name: str, signature: Signature, accepted: Mapping[str, tuple[Hint, ...]], arguments: dict[str, object]
) -> None:
    """Raise for what does not fit, and put numbers and paths of Python in the place of others."""
    for parameter, value in arguments.items():
        kind = signature.parameters[parameter].kind
        if kind is inspect.Parameter.VAR_KEYWORD and isinstance(value, dict):
            for key, each in value.items():
                if key not in accepted:
                    message = f"{name}() got an unexpected keyword argument {key!r}"
                    raise TypeError(message)
                value[key] = _fitting(name, key, each, accepted[key])
        elif kind is inspect.Parameter.VAR_POSITIONAL and isinstance(value, tuple):
            arguments[parameter] = tuple(_fitting(name, parameter, each, accepted[parameter]) for each in value)
        else:
            arguments[parameter] = _fitting(name, parameter, value, accepted[parameter])


def _fitting(function: str, name: str, value: object, hints: tuple[Hint, ...]) -> object:
    if not hints:
        return value
    if not isinstance(value, _PLAIN):
        value = _of_python(value, hints)
    value = _as_path(value, hints)
    if any(_fits(name, value, hint) for hint in hints):
        return value
    words = list(dict.fromkeys(_word(hint) for hint in hints if hint is not NoneType))
    expected = f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
    message = f"`{name}`: {expected} is expected, not {value!r:.100} ({_kind(value)}), in bench_db.{function}"
    raise UserError(message)


def _of_python(value: object, hints: tuple[Hint, ...]) -> object:
    """Return a number or truth value of numpy as one of Python: libraries refuse theirs, as `timedelta` does."""
    if isinstance(value, Integral) and not {int, float}.isdisjoint(hints):
        return int(value)
    if isinstance(value, Real) and float in hints:
        return float(value)
    numpy = sys.modules.get("numpy")
    return bool(value) if numpy is not None and bool in hints and isinstance(value, numpy.bool_) else value


def _as_path(value: object, hints: tuple[Hint, ...]) -> object:
    """Return a path of any kind as a `Path`; a text only where the annotation has no text, and a path in bytes as it is."""
    is_path = Path in hints or not _STORES.isdisjoint(hint for hint in hints if isinstance(hint, str))
    if isinstance(value, str):
        return Path(value) if Path in hints and str not in hints else value
    if is_path and isinstance(value, PathLike) and isinstance(value.__fspath__(), str):
        return Path(value)
    return value


def _kind(value: object) -> str:
    if not isinstance(value, bool) and isinstance(value, Real):
        if math.isnan(value):
            return "not a number"
        if value < 0:
            return "negative"
    return type(value).__name__


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real)


def _fits(name: str, value: object, hint: Hint) -> bool:  # noqa: PLR0911 one answer a kind
    origin: Any = get_origin(hint)
    kind = origin or hint
    if isinstance(hint, str):
        return (hint in _STORES and isinstance(value, str | Path)) or not isinstance(value, (*_PLAIN, PathLike))
    if kind is Literal:
        return value in get_args(hint)
    if kind is bool:
        return isinstance(value, bool)
    if kind in {int, float}:
        whole = kind is int
        is_one = _is_number(value) and (not whole or isinstance(value, Integral))
        return is_one and not math.isnan(value) and (value >= 0 or name in _SIGNED)  # type: ignore[arg-type, operator]
    if kind is Path:
        return isinstance(value, Path)
    if kind is Mapping or kind is dict:
        return isinstance(value, Mapping)
    if kind in _LISTS:
        texts = get_args(hint)[:1] == (str,)
        return (
            isinstance(value, Iterable)
            and not isinstance(value, str | bytes | Mapping)
            and not (texts and isinstance(value, Collection) and not all(isinstance(one, str) for one in value))
        )
    if kind is Callable:
        return callable(value)
    if getattr(kind, "_is_protocol", False):
        return not isinstance(value, _PLAIN)
    return not isinstance(kind, type) or isinstance(value, kind)


def _word(hint: Hint) -> str:
    origin: Any = get_origin(hint)
    kind = origin or hint
    if isinstance(hint, str):
        return "a store or its address" if hint in _STORES else f"a {hint}"
    if kind is Literal:
        return f"one of {', '.join(map(repr, get_args(hint)))}"
    if kind in _LISTS:
        return "a list of texts" if get_args(hint)[:1] == (str,) else "a list"
    if kind is Mapping or kind is dict:
        return "a mapping of names to values"
    return "a function" if kind is Callable else _WORDS.get(kind, f"a {getattr(kind, '__name__', kind)}")


def _accepted(function: Callable[..., object], signature: Signature) -> dict[str, tuple[Hint, ...]]:
    """Return the types that each argument may have, of keyword arguments of a `TypedDict` by their own names; none for any."""
    scope = inspect.unwrap(function).__globals__
    accepted: dict[str, tuple[Hint, ...]] = {}
    for parameter in signature.parameters.values():
        hints = () if parameter.annotation is parameter.empty else _hints(parameter.annotation, scope)
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            accepted[parameter.name] = hints
        for hint in hints:
            origin: Any = get_origin(hint)
            if origin is Unpack:
                accepted |= _of_typed_dict(get_args(hint)[0])
    return accepted


def _of_typed_dict(record: type) -> dict[str, tuple[Hint, ...]]:
    found = {}
    for name, one in record.__annotations__.items():
        scope = vars(sys.modules[one.__forward_module__ or record.__module__])
        found[name] = _hints(one.__forward_arg__, scope)
    return found


def _hints(annotation: str, scope: dict[str, object]) -> tuple[Hint, ...]:
    """Return the types of an annotation; of one that exists for type checkers alone its text."""
    return tuple(hint for part in _parts(annotation) for hint in _hint(part, scope))


def _hint(text: str, scope: dict[str, object]) -> tuple[Hint, ...]:
    if text in _STORES:
        return (text,)
    holder, names = SimpleNamespace(__annotations__={"it": text}), dict(_NAMES)
    while True:
        try:
            return _flat(get_type_hints(holder, scope, names)["it"])
        except NameError as error:
            name = error.name or ""
            found = _loaded(name)
            if found is None:
                return _hint(text.partition("[")[0], scope) if "[" in text else (text,)
            names[name] = found


def _loaded(name: str) -> Hint | None:
    """Return what modules of bench_db call by a name that another imports for type checkers alone; None where they do not agree."""
    if name in _HOMES:
        return vars(import_module(_HOMES[name]))[name]
    modules = [module for key, module in list(sys.modules.items()) if key.startswith("bench_db.")]
    found = {id(vars(module)[name]): vars(module)[name] for module in modules if name in vars(module)}
    return next(iter(found.values())) if len(found) == 1 else None


def _parts(annotation: str) -> list[str]:
    """Split an annotation at each `|` that is not within brackets."""
    parts, depth = [""], 0
    for letter in annotation:
        depth += (letter == "[") - (letter == "]")
        if letter == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _flat(hint: Hint) -> tuple[Hint, ...]:
    if get_origin(hint) in {Union, UnionType}:
        return tuple(one for part in get_args(hint) for one in _flat(part))
    return () if hint in {Any, object} else (hint,)
