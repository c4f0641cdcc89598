"""What a Python project sets for pytest in its own files, and what of it keeps pytest from measuring."""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bench_db.app.python_project import within

if TYPE_CHECKING:
    from bench_db.app.sources import Sources

# Options with which pytest measures nothing (distribution over processes, benchmarks or their files left out) or measures coverage, too.
_WITH_VALUE = {
    *("-n", "--numprocesses", "--maxprocesses", "--dist", "--tx"),
    *("--cov", "--cov-report", "--cov-config", "--cov-context", "--cov-fail-under"),
    *("--ignore", "--ignore-glob", "--deselect"),
}
_ALONE = {"--cov-branch", "--cov-append", "--no-cov-on-fail", "--benchmark-skip", "--benchmark-disable"}
_PROCESSES = re.compile(r"-n(\d+|auto|logical)")
_PLUGIN = re.compile(r"no:(pytest[-_])?(benchmark|codspeed)")
_NO_BENCHMARKS = re.compile(r"\bnot\b.*(bench|perf)")
# In the order in which pytest looks for its settings: the file, and the table or the section that has them.
_PLACES = (
    ("pytest.toml", "pytest"),
    (".pytest.toml", "pytest"),
    ("pytest.ini", "pytest"),
    (".pytest.ini", "pytest"),
    ("pyproject.toml", "tool.pytest"),
    ("pyproject.toml", "tool.pytest.ini_options"),
    ("tox.ini", "pytest"),
    ("setup.cfg", "tool:pytest"),
)


@dataclass(frozen=True, slots=True)
class PytestSettings:
    """The settings of pytest and the file that has them, empty where none has. `python_files` are the patterns of files of tests."""

    file: str = ""
    addopts: Sequence[str] = ()
    python_files: Sequence[str] = ("test_*.py", "*_test.py")

    @property
    def measuring(self) -> tuple[list[str], list[str]]:
        """Return the words of `addopts` with which pytest can measure, and those that are left out."""
        kept, left = list[str](), list[str]()
        words = list(self.addopts)
        while words:
            option = words.pop(0)
            name, has_value, value = option.partition("=")
            separate = "" if has_value or not words or words[0].startswith("-") else words[0]
            if name in _ALONE or _PROCESSES.fullmatch(option) or _PLUGIN.fullmatch(option.removeprefix("-p")):
                left.append(option)
            elif name in _WITH_VALUE:
                left += [option, words.pop(0)] if separate else [option]
            elif (name == "-p" and _PLUGIN.fullmatch(separate)) or (
                name in {"-m", "-k"} and _NO_BENCHMARKS.search(separate)
            ):
                left += [option, words.pop(0)]
            elif option.startswith(("-m", "-k")) and _NO_BENCHMARKS.search(value or option[2:]):
                left.append(option)
            else:
                kept.append(option)
        return kept, left


def pytest_settings(files: Sources, home: str) -> PytestSettings:
    """Return what pytest reads in a directory: the first file that has settings for it, there or above."""
    for parent in (home, *(str(one) for one in PurePosixPath(home).parents if home != ".")):
        for name, table in _PLACES:
            file = within(parent, name)
            options = next(_tables(files.text(file), name, table), None) if file in files.names else None
            if options is not None:
                patterns = _words(options.get("python_files")) or PytestSettings().python_files
                return PytestSettings(file, _words(options.get("addopts")), patterns)
    return PytestSettings()


def _tables(text: str, name: str, table: str) -> Iterator[dict[str, object]]:
    """Yield the settings of one place, when the file has them and can be read."""
    if name.endswith(".toml"):
        with suppress(tomllib.TOMLDecodeError):
            document: object = tomllib.loads(text)
            for key in table.split("."):
                document = document.get(key) if isinstance(document, dict) else None
            if isinstance(document, dict) and set(document) != {"ini_options"}:
                yield document
        return
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    with suppress(configparser.Error):
        parser.read_string(text)
        if parser.has_section(table):
            yield dict(parser[table])


def _words(setting: object) -> list[str]:
    """Return the words of a setting, which is a list or a text that a shell would split; none for another value."""
    if isinstance(setting, list):
        return [one for one in setting if isinstance(one, str)]
    with suppress(ValueError):
        lines = setting.splitlines() if isinstance(setting, str) else []
        return shlex.split("\n".join(line for line in lines if not line.lstrip().startswith("#")))
    return []
