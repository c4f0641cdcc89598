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
_HARMFUL = {
    *("-n", "--numprocesses", "--maxprocesses", "--dist", "--tx"),
    *("--cov", "--cov-report", "--cov-config", "--cov-context", "--cov-fail-under", "--cov-branch", "--cov-append"),
    *("--no-cov-on-fail", "--benchmark-skip", "--benchmark-disable", "--ignore", "--ignore-glob", "--deselect"),
}
_NEEDED = {"-p", "-W", "--import-mode", "--ds", "--dc", "--confcutdir", "--rootdir", "--pyargs", "--asyncio-mode"}
_WITHOUT_VALUE = {
    "--cov-branch",
    "--cov-append",
    "--no-cov-on-fail",
    "--benchmark-skip",
    "--benchmark-disable",
    "--pyargs",
}
_WITH_VALUE = (_HARMFUL | _NEEDED | {"-m", "-k"}) - _WITHOUT_VALUE
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
    def harmful(self) -> list[str]:
        """Return the words of `addopts` with which pytest measures nothing, or more than the code."""
        return [word for name, words in self._options() if _is_harmful(name, words) for word in words]

    @property
    def needed(self) -> list[str]:
        """Return the words of `addopts` without which pytest may not import the benchmarks. The others may need a conftest.py of the tests."""
        return [
            word
            for name, words in self._options()
            if (name in _NEEDED or name.startswith("--benchmark-")) and not _is_harmful(name, words)
            for word in words
        ]

    def _options(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each option of `addopts`: its name, and its words, the second of which may be a value."""
        words = list(self.addopts)
        while words:
            option = words.pop(0)
            name = option.partition("=")[0] if option.startswith("--") else option[:2]
            takes_value = name in _WITH_VALUE and option == name and words and not words[0].startswith("-")
            yield name, [option, words.pop(0)] if takes_value else [option]


def _is_harmful(name: str, words: Sequence[str]) -> bool:
    value = words[1] if len(words) > 1 else words[0].removeprefix(name).removeprefix("=")
    if name == "-p":
        return _PLUGIN.fullmatch(value) is not None
    return name in _HARMFUL or (name in {"-m", "-k"} and _NO_BENCHMARKS.search(value) is not None)


def joined(words: Sequence[str]) -> str:
    """Return words as pytest reads them from a setting, where only spaces, quotation marks, backslashes and comments need quotes."""
    return " ".join(shlex.quote(word) if re.search(r"[\s'\"\\#]", word) or not word else word for word in words)


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
