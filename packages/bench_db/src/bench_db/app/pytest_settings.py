"""What a Python project sets for pytest in its own files, and what of it keeps pytest from measuring."""

from __future__ import annotations

import configparser
import posixpath
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

# Options with which pytest measures nothing: distribution over processes, benchmarks or their files left out.
_HARMFUL = {
    *("-n", "-d", "--numprocesses", "--maxprocesses", "--dist", "--tx", "--benchmark-skip", "--benchmark-disable"),
    *("--ignore", "--ignore-glob", "--deselect", "--collect-only", "--co", "--setup-only", "--setup-plan"),
}
# Options without which the benchmarks may not be imported, or are measured in another way.
_NEEDED = {
    *(
        "-p",
        "-W",
        "--pythonwarnings",
        "--import-mode",
        "--ds",
        "--dc",
        "--confcutdir",
        "--rootdir",
        "--pyargs",
        "--asyncio-mode",
    ),
    *(
        f"--benchmark-{name}"
        for name in ("min-time", "max-time", "min-rounds", "timer", "calibration-precision", "disable-gc")
    ),
    *("--benchmark-warmup", "--benchmark-warmup-iterations"),
}
# Further long options of pytest itself. Any other is one of a plug-in, which measures more than the code, as that of coverage does, or may
# not be installed where only benchmarks run.
_OWN = {
    *(
        "--assert",
        "--basetemp",
        "--cache-clear",
        "--capture",
        "--code-highlight",
        "--color",
        "--continue-on-collection-errors",
    ),
    *(
        "--debug",
        "--disable-plugin-autoload",
        "--disable-pytest-warnings",
        "--disable-warnings",
        "--doctest-continue-on-failure",
    ),
    *(
        "--doctest-glob",
        "--doctest-ignore-import-errors",
        "--doctest-modules",
        "--doctest-report",
        "--durations",
        "--durations-min",
    ),
    *(
        "--exitfirst",
        "--failed-first",
        "--ff",
        "--force-short-summary",
        "--full-trace",
        "--fulltrace",
        "--junit-prefix",
        "--junit-xml",
    ),
    *(
        "--junitxml",
        "--keep-duplicates",
        "--last-failed",
        "--lf",
        "--log-auto-indent",
        "--log-cli-date-format",
        "--log-cli-format",
    ),
    *(
        "--log-cli-level",
        "--log-date-format",
        "--log-disable",
        "--log-file",
        "--log-file-level",
        "--log-format",
        "--log-level",
    ),
    *(
        "--max-warnings",
        "--maxfail",
        "--new-first",
        "--nf",
        "--no-fold-skipped",
        "--no-header",
        "--no-showlocals",
        "--no-summary",
    ),
    *(
        "--override-ini",
        "--quiet",
        "--report-chars",
        "--runxfail",
        "--show-capture",
        "--showlocals",
        "--stepwise",
        "--strict",
    ),
    *(
        "--strict-config",
        "--strict-markers",
        "--sw",
        "--tb",
        "--verbose",
        "--verbosity",
        "--xfail-tb",
        "--benchmark-only",
    ),
}
_WITHOUT_VALUE = {
    "-d",
    "--benchmark-skip",
    "--benchmark-disable",
    "--benchmark-disable-gc",
    "--pyargs",
    "--collect-only",
    "--co",
}
_PLUGIN = re.compile(r"no:(pytest[-_])?(benchmark|codspeed)|pytest_cov|xdist")
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
        """Return the words of `addopts` with which pytest measures nothing, or which are of a plug-in that benchmarks do not need."""
        return [word for name, words in self._options() if _is_harmful(name, words) for word in words]

    @property
    def needed(self) -> list[str]:
        """Return the words of `addopts` without which pytest may not import the benchmarks. The others may need a conftest.py of the tests."""
        return [
            word
            for name, words in self._options()
            if name in _NEEDED and not _is_harmful(name, words)
            for word in (
                [f"{name}=on"] if words == ["--benchmark-warmup"] else words
            )  # else it takes the path that follows
        ]

    def _options(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each option of `addopts`: its name, and its words, the second of which may be a value."""
        words = list(self.addopts)
        while words:
            option = words.pop(0)
            name = option.partition("=")[0] if option.startswith("--") else option[:2]
            takes_value = option == name and name not in _WITHOUT_VALUE and not _is_own_flag(name)
            takes_value = takes_value and bool(words) and not words[0].startswith("-")
            yield name, [option, words.pop(0)] if takes_value else [option]


def _is_own_flag(name: str) -> bool:
    """Return whether an option is of pytest itself and not looked at: whether its value is a word of its own does not matter."""
    return name in _OWN or (not name.startswith("--") and name not in {"-n", "-p", "-m", "-k", "-W"})


def _is_harmful(name: str, words: Sequence[str]) -> bool:
    value = words[1] if len(words) > 1 else words[0].removeprefix(name).removeprefix("=")
    if name == "-p":
        return _PLUGIN.fullmatch(value) is not None
    if name in {"-m", "-k"}:
        return _NO_BENCHMARKS.search(value) is not None
    return name in _HARMFUL or (name.startswith("--") and name not in _NEEDED | _OWN)


def joined(words: Sequence[str]) -> str:
    """Return words as pytest reads them from a setting, where only spaces, quotation marks, backslashes and comments need quotes."""
    return " ".join(shlex.quote(word) if re.search(r"[\s'\"\\#]", word) or not word else word for word in words)


def pytest_settings(files: Sources, tests: Sequence[str]) -> PytestSettings:
    """Return what pytest reads for files of tests: the first file that has settings for it, in their common directory or above."""
    start = PurePosixPath(posixpath.commonpath([posixpath.dirname(name) or "." for name in tests]) or ".")
    for parent in (str(one) for one in (start, *start.parents)):
        for name, table in _PLACES:
            file = within(parent, name)
            options = next(_tables(files.text(file), name, table), None) if file in files.names else None
            if options is not None:
                patterns = _words(options.get("python_files")) or PytestSettings().python_files
                return PytestSettings(file, _words(options.get("addopts")), patterns)
            if file in files.names and name.endswith(
                ("pytest.ini", "pytest.toml")
            ):  # pytest looks no further, even if it is empty
                return PytestSettings(file)
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
