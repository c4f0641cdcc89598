"""Facts of a file that no adapter reads: the commit, its time and its branch, by a JSON path or a pattern of the file name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from bench_db.errors import UserError
from bench_db.ingest import foreign

if TYPE_CHECKING:
    from bench_db.ingest.content import Content

_STEP = re.compile(r"""\.([A-Za-z_][\w-]*) | \[(\d+)\] | \["([^"]+)"\]""", re.VERBOSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsFrom:
    """Where each file says its commit, branch and commit time; None where it does not.

    A text that begins with `$` is a JSON path, such as `$.context.sha`. Any other is a regular expression with one group, which
    is searched in the name of the file.
    """

    commit: str | None = None
    branch: str | None = None
    dut_timestamp: str | None = None


def found(source: str, parameter: str, content: Content) -> str:
    """Return the fact that a JSON path or a pattern finds in a file. Raise `UserError` when it finds none."""
    name = content.path.name
    value = _in_json(source, bytes(content.body)) if source.startswith("$") else _in_name(source, parameter, name)
    if value is None:
        where = "the JSON" if source.startswith("$") else "the name"
        message = f"{name}: `{parameter}` {source} finds nothing in {where} of this file; correct it, or publish the file alone"
        raise UserError(message)
    return value


def moment_found(source: str, parameter: str, content: Content) -> int:
    """Return the time that a JSON path or a pattern finds in a file, in unix seconds. Raise `UserError` for text of no known form."""
    text = found(source, parameter, content)
    seconds = foreign.moment(text)
    if seconds is None:
        message = f"{content.path.name}: `{parameter}` {source} finds {text[:40]!r}, which is not a time; such as 2026-01-31T12:00:00Z or unix seconds"
        raise UserError(message)
    return seconds


def _in_name(source: str, parameter: str, name: str) -> str | None:
    try:
        pattern = re.compile(source)
    except re.error as error:
        message = f"`{parameter}` {source}: not a regular expression: {error}; a JSON path begins with $"
        raise UserError(message) from error
    if pattern.groups != 1:
        message = f"`{parameter}` {source}: has {pattern.groups} groups; put one pair of parentheses around the fact"
        raise UserError(message)
    matched = pattern.search(name)
    return matched[1] if matched else None


def _in_json(path: str, content: bytes) -> str | None:
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    end = 1
    while end < len(path):
        step = _STEP.match(path, end)
        if step is None:
            return None
        key = step[1] or step[3]
        if key is not None:
            value = value.get(key) if isinstance(value, dict) else None
        else:
            value = value[int(step[2])] if isinstance(value, list) and int(step[2]) < len(value) else None
        end = step.end()
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
