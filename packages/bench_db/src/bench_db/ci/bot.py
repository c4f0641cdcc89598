"""What a comment asks the bot for: `@bench-bot benchmark [--rust-only | --python-only | --crate NAME ...]`.

The flags come from `schedule.kinds` of bench-db.toml. A command is a line of its own, or ends a line that does not negate it
("do not ..."); case does not matter, except in names. Quotations, code and HTML comments ask for nothing. A command that
makes no sense is refused, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from bench_db.ci.markdown import spoken_lines
from bench_db.schedule.config import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

_T = TypeVar("_T")
BOT = "@bench-bot"
_MENTION = re.compile(r"(?<![\w@/.`-])@bench-bot(?![\w/-])[:,]?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,63}", re.ASCII)
_NEGATED = re.compile(
    r"\b(not|never|no|without|if|how|what|when|why|write|writing|say|dont)\b|n['\u2019]t\b", re.IGNORECASE
)
_ALMOST = re.compile(r"(bench\w*|help|run|--\S*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to measure of a pull request. No kinds means all; `suites` are of the one kind that is named."""

    kinds: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The reason why a request cannot be carried out, for the user who asked."""

    reason: str
    usage: str

    @property
    def answer(self) -> str:
        """The text of the answer."""
        return f"Nothing was started: {self.reason}. The command is `{self.usage}`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The commands of a project: its kinds of suites, and by kind the names that its flag takes (none known: any)."""

    kinds: Mapping[str, Kind]
    names: Mapping[str, tuple[str, ...]]

    @property
    def usage(self) -> str:
        """The form of a command."""
        named = [f"{kind.suite_flag} NAME ..." for kind in self.kinds.values() if kind.suite_flag]
        flags = [*map(_only, self.kinds), *named]
        return f"{BOT} benchmark" + (f" [{' | '.join(flags)}]" if flags else "")

    def summary(self, request: Request) -> str:
        """Return a request in a few words."""
        chosen = [self.kinds[name] for name in request.kinds] or list(self.kinds.values())
        if request.suites:
            [kind] = chosen
            return f"{kind.label} {kind.suite_flag.removeprefix('--')}s {', '.join(request.suites)}"
        labels = " and ".join(kind.label for kind in chosen) or "all suites"
        return f"{labels} only" if request.kinds else labels

    def refusal(self, reason: str) -> Refusal:
        """Return a refusal that shows the form of a command."""
        return Refusal(reason=reason, usage=self.usage)


LANCE_BENCH = Commands(kinds=KINDS, names={})


def understand(body: str, commands: Commands = LANCE_BENCH) -> Request | Refusal | None:
    """Return what a comment asks for; None when it asks for nothing."""
    asked = [found for line in spoken_lines(body) if (found := _command(line, commands)) is not None]
    distinct = list(dict.fromkeys(asked))
    if len(distinct) > 1:
        return commands.refusal("the comment holds several commands that ask for different things")
    return distinct[0] if distinct else None


def _command(line: str, commands: Commands) -> Request | Refusal | None:
    """Return the command in a line. Within a sentence only a flawless one counts: prose about the bot is no command."""
    mention = _MENTION.search(line)
    if mention is None:
        return None
    words = line[mention.end() :].split()
    before = line[: mention.start()]
    leads = not before.strip()
    if not words or words[0].lower() != "benchmark":
        almost = bool(words) and bool(_ALMOST.match(words[0]))
        return commands.refusal(f"{_shown(words[0])} is not a command") if leads and almost else None
    if _NEGATED.search(before):
        return None
    found = _request(words[1:], commands)
    return found if leads or isinstance(found, Request) else None


def _request(words: list[str], commands: Commands) -> Request | Refusal:
    only = {_only(name): name for name in commands.kinds}
    naming = {kind.suite_flag: name for name, kind in commands.kinds.items() if kind.suite_flag}
    kinds, named, rest = list[str](), list[tuple[str, str]](), list(words)
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        flag = word.lower()
        if flag in only and not equals:
            kinds.append(only[flag])
        elif flag in naming:
            name = value if equals else rest.pop(0) if rest else ""
            if not _NAME.fullmatch(name):
                what = flag.removeprefix("--")
                return commands.refusal(f"`{flag}` needs the name of a {what}, not {_shown(name)}")
            named.append((naming[flag], name))
        else:
            return commands.refusal(f"{_shown(word)} is not understood")
    return _consistent(_distinct(kinds), _distinct(named), commands)


def _consistent(kinds: list[str], named: list[tuple[str, str]], commands: Commands) -> Request | Refusal:
    if len(kinds) > 1:
        flags = " and ".join(f"`{_only(kind)}`" for kind in sorted(kinds, key=list(commands.kinds).index))
        return commands.refusal(f"{flags} contradict each other")
    wanted = _distinct(kind for kind, _ in named)
    if len(wanted) > 1:
        flags = " and ".join(f"`{commands.kinds[kind].suite_flag}`" for kind in wanted)
        return commands.refusal(f"{flags} name suites of different kinds; ask for them in two comments")
    for kind in wanted:
        if kinds and kind not in kinds:
            asked = f"`{commands.kinds[kind].suite_flag}` asks for {commands.kinds[kind].label}"
            return commands.refusal(f"{asked}, and `{_only(kinds[0])}` forbids it")
    for kind, name in named:
        known = commands.names.get(kind, ())
        if known and name not in known:
            what = commands.kinds[kind].suite_flag.removeprefix("--")
            return commands.refusal(f"there is no {what} {_shown(name)} here, there are {', '.join(known)}")
    return Request(kinds=tuple(wanted or kinds), suites=tuple(name for _, name in named))


def _only(kind: str) -> str:
    """Return the flag that asks for one kind alone."""
    return f"--{kind.lower()}-only"


def _distinct(items: Iterable[_T]) -> list[_T]:
    return list(dict.fromkeys(items))


def _shown(word: str) -> str:
    """Return a word that somebody typed as code that cannot mention, link or break out."""
    clean = re.sub(r"[^\w.=-]", "", word, flags=re.ASCII)[:40]
    return f"`{clean}`" if clean else "nothing"


def is_authorised(permission: str, role: str, user: str, author: str | None) -> bool:
    """Return whether a user may start benchmarks: users who may write, and the author of the pull request."""
    may_write = permission in ("admin", "write", "maintain") or role in ("admin", "write", "maintain")
    return may_write or (author is not None and user.lower() == author.lower())
