"""The grammar of ranges: the commits that a plan chooses from, as text and as a typed value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bench_db.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.model import Commit

_SECONDS = {"h": 3_600, "d": 86_400, "w": 604_800, "m": 2_592_000, "y": 31_536_000}
_PERIOD = re.compile(r"([1-9]\d{0,4})([hdwmy])")
_UNFIT = re.compile(r"[\x00-\x20\x7f?*\[\\]")
GRAMMAR = "NEW, ALL, EXISTING, TAGS, TAGS:v1.*, A..B, or commits separated by commas"


class Scope(StrEnum):
    """Commits of the branch, by what is measured of them."""

    NEW = "NEW"
    ALL = "ALL"
    EXISTING = "EXISTING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """The commits that tags of a glob pattern name."""

    pattern: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The commits reachable from `end` and not from `start`, as `git log start..end`."""

    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """The commits of these names, each a sha, a tag, a branch, or an expression such as HEAD~3."""

    names: tuple[str, ...]


Range = Scope | Tags | Between | Commits


def parse_range(text: str) -> Range:
    """Parse a range. Raise `UserError` with the grammar when the text is none."""
    text = text.strip()
    if text in Scope.__members__:
        return Scope(text)
    if text == "TAGS" or text.startswith("TAGS:"):
        return Tags(pattern=text.partition(":")[2] or "*")
    if "..." in text:
        message = f"range {text!r}: three dots are not supported; write A..B for the commits of B that A does not have"
        raise UserError(message)
    start, dots, end = text.partition("..")
    if dots:
        return Between(start=_name(start or "HEAD", text), end=_name(end or "HEAD", text))
    return Commits(names=tuple(_name(part.strip(), text) for part in text.split(",")))


def _name(name: str, text: str) -> str:
    if not name or name.startswith("-") or ".." in name or _UNFIT.search(name):
        message = f"range {text!r}: {name!r} cannot name a commit; a range is {GRAMMAR}"
        raise UserError(message)
    if name in {*Scope, "TAGS"}:
        message = f"range {text!r}: {name} takes no other names beside it; a range is {GRAMMAR}"
        raise UserError(message)
    return name


def parse_period(text: str) -> int:
    """Parse a period into seconds: a number and h, d, w, m (30 days) or y (365 days), as in `1w`."""
    found = _PERIOD.fullmatch(text.strip())
    if found is None:
        message = f"`date_period` {text}: a period is a number and h, d, w, m or y, such as 12h, 1w or 1m"
        raise UserError(message)
    return int(found[1]) * _SECONDS[found[2]]


def oldest_first(commits: Iterable[Commit]) -> list[Commit]:
    """Return commits without a common history by time, each once."""
    return sorted({commit.sha: commit for commit in commits}.values(), key=lambda commit: (commit.time, commit.sha))
