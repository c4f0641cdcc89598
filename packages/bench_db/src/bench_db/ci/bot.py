"""What a comment asks the bot for: `@bench-bot benchmark [--rust-only | --python-only | --crate NAME ...]`.

A command stands on a line of its own, or ends a line that does not take it back ("do not ..."); upper and lower case do not
matter, except in names of crates. What is quoted, written as code or hidden in an HTML comment asks for nothing. What cannot be
meant is refused, with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench_db.ci.markdown import spoken_lines

BOT = "@bench-bot"
USAGE = f"`{BOT} benchmark [--rust-only | --python-only | --crate NAME ...]`"
_MENTION = re.compile(r"(?<![\w@/.`-])@bench-bot(?![\w/-])[:,]?", re.IGNORECASE)
_CRATE = re.compile(r"[A-Za-z0-9][\w-]{0,63}", re.ASCII)
_TAKEN_BACK = re.compile(
    r"\b(not|never|no|without|if|how|what|when|why|write|writing|say|dont)\b|n['\u2019]t\b", re.IGNORECASE
)
_ALMOST = re.compile(r"(bench\w*|help|run|--\S*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to measure of a pull request; no crates means all of them."""

    rust: bool = True
    python: bool = True
    crates: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The request in a few words."""
        if self.crates:
            return f"Rust crates {', '.join(self.crates)}"
        return "Rust and Python" if self.rust and self.python else "Rust only" if self.rust else "Python only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request cannot be carried out; the text is for the one who asked."""

    reason: str

    @property
    def answer(self) -> str:
        """What to answer."""
        return f"Nothing was started: {self.reason}. The command is {USAGE}."


def understand(body: str, crates: tuple[str, ...] = ()) -> Request | Refusal | None:
    """What a comment asks for; None when it asks for nothing. With `crates`, only these may be named."""
    asked = [found for line in spoken_lines(body) if (found := _command(line, crates)) is not None]
    distinct = list(dict.fromkeys(asked))
    if len(distinct) > 1:
        return Refusal(reason="the comment holds several commands that ask for different things")
    return distinct[0] if distinct else None


def _command(line: str, crates: tuple[str, ...]) -> Request | Refusal | None:
    """The command in a line. Within a sentence only a flawless one counts: prose about the bot is no command."""
    mention = _MENTION.search(line)
    if mention is None:
        return None
    words = line[mention.end() :].split()
    before = line[: mention.start()]
    leads = not before.strip()
    if not words or words[0].lower() != "benchmark":
        almost = bool(words) and bool(_ALMOST.match(words[0]))
        return Refusal(reason=f"{_shown(words[0])} is not a command") if leads and almost else None
    if _TAKEN_BACK.search(before):
        return None
    found = _request(words[1:], crates)
    return found if leads or isinstance(found, Request) else None


def _request(words: list[str], crates: tuple[str, ...]) -> Request | Refusal:
    flags, named, rest = set[str](), list[str](), list(words)
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        flag = word.lower()
        if flag in ("--rust-only", "--python-only") and not equals:
            flags.add(flag)
        elif flag == "--crate":
            name = value if equals else rest.pop(0) if rest else ""
            if not _CRATE.fullmatch(name):
                return Refusal(reason=f"`--crate` needs the name of a crate, not {_shown(name)}")
            named.append(name)
        else:
            return Refusal(reason=f"{_shown(word)} is not understood")
    return _consistent(flags, tuple(dict.fromkeys(named)), crates)


def _consistent(flags: set[str], named: tuple[str, ...], crates: tuple[str, ...]) -> Request | Refusal:
    if len(flags) > 1:
        return Refusal(reason="`--rust-only` and `--python-only` contradict each other")
    if named and "--python-only" in flags:
        return Refusal(reason="`--crate` asks for Rust, and `--python-only` forbids it")
    unknown = [name for name in named if crates and name not in crates]
    if unknown:
        return Refusal(reason=f"there is no crate {_shown(unknown[0])} here, there are {', '.join(crates)}")
    return Request(rust="--python-only" not in flags, python=not named and "--rust-only" not in flags, crates=named)


def _shown(word: str) -> str:
    """A word somebody typed, as code that cannot mention, link or break out."""
    clean = re.sub(r"[^\w.=-]", "", word, flags=re.ASCII)[:40]
    return f"`{clean}`" if clean else "nothing"


def is_authorised(permission: str, role: str, user: str, author: str | None) -> bool:
    """Whether a user may start benchmarks: who may write here, and the author of the pull request."""
    may_write = permission in ("admin", "write", "maintain") or role in ("admin", "write", "maintain")
    return may_write or (author is not None and user.lower() == author.lower())
