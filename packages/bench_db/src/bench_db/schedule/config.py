"""`bench-db.toml`: what a project measures and how, typed and checked."""

from __future__ import annotations

import re
import shlex
import tomllib
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
from msgspec import Struct, field, structs

from bench_db.errors import UnreadableOutputError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FILE = "bench-db.toml"
Command = str | list[str]
_T = TypeVar("_T", bound=Struct)
PLACES = ("root", "tree", "cache", "python", "commit")
# `${root}` belongs to a shell, and any other word in braces to whoever reads the command
_PLACE = re.compile(rf"(?<!\$)\{{({'|'.join(PLACES)})\}}")


class Project(Struct, frozen=True, forbid_unknown_fields=True):
    """What is measured: the name results carry, its repository on GitHub, its branch, and the name of the test bed."""

    name: str
    repository: str = ""
    branch: str = "main"
    test_bed: str = ""


class Schedule(Struct, frozen=True, forbid_unknown_fields=True):
    """The defaults of `bench-db schedule` and `bench-db backfill`."""

    workflow: str = "run-benchmarks.yml"
    workflow_repository: str = ""
    ref: str = "main"
    correlation_input: str = "correlation_id"
    range: str = "NEW"
    every: int = 1
    max_commits: int = 10
    max_attempts: int = 3
    parallel: int = 1
    timeout_minutes: float = 360.0


class Suite(Struct, frozen=True, forbid_unknown_fields=True):
    """One suite: its directory in the repository, the commands that set it up, the one that measures, and its output files.

    A command is a list of words, or one text that is split into words as a shell would, without a shell; in its words, and in
    the values of `env`, the `PLACES` stand in braces. `stdout` names the file that the benchmark's standard output becomes;
    `outputs` are files, directories or glob patterns in `directory`.
    """

    benchmark: Command
    kind: Literal["rust", "python", "other"] = "other"
    directory: str = "."
    setup: list[Command] = []
    stdout: str = ""
    outputs: list[str] = []
    format: str = "auto"
    setup_timeout_seconds: float = 3600.0
    timeout_seconds: float = 3600.0
    env: dict[str, str] = {}

    def at(self, places: Mapping[str, str]) -> Suite:
        """The suite with its commands as words, and what stands in braces replaced by its place."""

        def placed(text: str) -> str:
            return _PLACE.sub(lambda found: places[found[1]], text)

        return structs.replace(
            self,
            setup=[[placed(word) for word in words(command)] for command in self.setup],
            benchmark=[placed(word) for word in words(self.benchmark)],
            env={name: placed(value) for name, value in self.env.items()},
        )


_SECTIONS: dict[str, type[Struct]] = {"project": Project, "schedule": Schedule}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    project: Project
    schedule: Schedule = Schedule()
    suite: dict[str, Suite] = field(default_factory=dict)

    def suites(self, names: tuple[str, ...]) -> dict[str, Suite]:
        """The suites of these names, or all. `UserError` with the known names when one is not there."""
        unknown = [name for name in names if name not in self.suite]
        if unknown:
            message = f"no suite {unknown[0]!r} in {FILE}; it has: {', '.join(self.suite) or 'none'}"
            raise UserError(message)
        return {name: self.suite[name] for name in names or self.suite}


def words(command: Command) -> list[str]:
    """A command as a list of words."""
    return shlex.split(command) if isinstance(command, str) else command


def load(path: Path) -> Config:
    """The configuration in a file. `UnreadableOutputError` names the key that is wrong, `UserError` says there is no file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        message = (
            f"{path}: no such file; describe what to measure there (docs/how-to.md shows one), or name it with --config"
        )
        raise UserError(message) from error
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise UnreadableOutputError(reason, file=str(path)) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        reason = "not UTF-8, as TOML has to be"
        raise UnreadableOutputError(reason, file=str(path), line=line) from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = f"not TOML: {error}"
        raise UnreadableOutputError(reason, file=str(path)) from error
    for key, section, kind in _sections(document):
        _typed(section, kind, str(path), key)
    config = _typed(document, Config, str(path))
    for name, suite in config.suite.items():
        _check(name, suite, str(path))
    return config


def _sections(document: dict[str, Any]) -> Iterator[tuple[str, Any, type[Struct]]]:
    """The parts of the file with their keys, each checked by itself: of the whole msgspec would not say which suite is wrong."""
    yield from ((f".{key}", document[key], kind) for key, kind in _SECTIONS.items() if key in document)
    suites = document.get("suite")
    if isinstance(suites, dict):
        yield from ((f".suite.{name}", suite, Suite) for name, suite in suites.items())


def _typed(value: object, kind: type[_T], file: str, key: str = "") -> _T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at ")
        at = f"${key}{where.strip('`').removeprefix('$')}"
        if "unknown field" in reason:
            reason += f"; known: {', '.join(kind.__struct_fields__)}"
        raise UnreadableOutputError(reason, file=file, json_path=at if at != "$" else "") from error


def _check(name: str, suite: Suite, file: str) -> None:
    for key, reason in _faults(suite):
        raise UnreadableOutputError(reason, file=file, json_path=f"$.suite.{name}{key}")


def _faults(suite: Suite) -> Iterator[tuple[str, str]]:
    """What is wrong with a suite: a key and the reason."""
    if not (suite.outputs or suite.stdout):
        yield "", "a suite needs `outputs`, or `stdout`, or both"
    for key, texts in (("directory", [suite.directory]), ("outputs", suite.outputs), ("stdout", [suite.stdout])):
        if any(text.startswith(("/", "~")) or ".." in text.split("/") for text in texts):
            yield f".{key}", "paths stay within the repository"
    for key, commands in (("setup", suite.setup), ("benchmark", [suite.benchmark])):
        for command in commands:
            try:
                if not words(command):
                    yield f".{key}", "a command needs words"
            except ValueError as error:
                yield f".{key}", f"not a command: {error}"
    for key in ("setup_timeout_seconds", "timeout_seconds"):
        if not getattr(suite, key) > 0:
            yield f".{key}", "a time-out is more than 0 seconds"
