"""A Python project as its own files describe it: the commands that install it for its benchmarks, and what they leave out."""

from __future__ import annotations

import configparser
import posixpath
import re
import shlex
import tomllib
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench_db.app.sources import Sources

_FEW_NAMES = 3
# Words in the name of a file whose requirements no benchmark needs.
_OTHER_PURPOSES = {
    *("doc", "docs", "documentation", "spelling", "changelog", "towncrier", "release"),
    *("lint", "linting", "linter", "format", "formatting", "typing", "mypy", "style"),
}
_MANIFESTS = ("pyproject.toml", "setup.py")
_CONSTRAINED = re.compile(r"^\s*(?:-c|--constraint)(?:\s+|=)?([^\s#]+)", re.MULTILINE)
_INCLUDED = re.compile(r"^\s*(?:-r|--requirement)(?:\s+|=)?([^\s#]+)", re.MULTILINE)
PYTHON = "{tree}/.venv/bin/python"
# What setuptools never takes for a package or a module of a project.
_NO_PACKAGES = {
    *(
        "ci",
        "bin",
        "debian",
        "doc",
        "docs",
        "documentation",
        "manpages",
        "news",
        "newsfragments",
        "changelog",
        "test",
        "tests",
    ),
    *(
        "unit_test",
        "unit_tests",
        "example",
        "examples",
        "scripts",
        "tools",
        "util",
        "utils",
        "python",
        "build",
        "benchmark",
    ),
    *("benchmarks", "exercise", "exercises", "htmlcov"),
}
_NO_MODULES = {
    *(
        "setup",
        "conftest",
        "test",
        "tests",
        "example",
        "examples",
        "build",
        "toxfile",
        "noxfile",
        "pavement",
        "dodo",
        "tasks",
    ),
    *("fabfile", "conanfile", "manage", "benchmark", "benchmarks", "exercise", "exercises"),
}


def within(home: str, name: str) -> str:
    """Return the path of a file of a directory; `.` is the root."""
    return name if home == "." else f"{home}/{name}"


def installation(files: Sources, home: str, *tools: str) -> list[str]:
    """Return the commands that make a virtual environment of the work tree with the project and the tools.

    A project with uv.lock is installed as its lock says, with all extras and groups: no commit lacks one that is named.
    Another is installed with the extra and the group that list a tool.
    """
    made = ["python3 -m venv {tree}/.venv"]
    manifest = within(home, "pyproject.toml")
    is_project = re.search(r"^\[(project|build-system|tool\.poetry)\]", files.text(manifest), re.MULTILINE)
    several = uninstallable(files, home)
    if is_project and any(str(parent / "uv.lock") in files.names for parent in PurePosixPath(manifest).parents):
        without = " --no-install-project" if several else ""
        return [
            *made,
            f"{PYTHON} -m pip install uv",
            f"{PYTHON} -m uv sync --active --python {PYTHON} --inexact --all-extras --all-groups{without}",
            f"{PYTHON} -m pip install {shlex.join(tools)}",
        ]
    extras, groups = _lists_of(files.text(manifest), tools)
    project = f".[{','.join(extras)}]" if extras else "."
    own = ["-e", project] if is_project or within(home, "setup.py") in files.names else []
    if own and several:
        own = _dependencies(files.text(manifest), extras)
    grouped = [word for name in groups for word in ("--group", name)]
    listed = _requirement_files(files, home, tools)
    pinned = [name for name in listed if "--hash=" in files.text(name)]  # pip takes nothing without a hash beside them
    plain = [name for name in listed if name not in pinned]
    if groups:
        made.append(f"{PYTHON} -m pip install 'pip>=25.1'")
    made += [f"{PYTHON} -m pip install {shlex.join(_options(home, pinned))}"] * bool(pinned)
    return [*made, f"{PYTHON} -m pip install {shlex.join([*own, *grouped, *_options(home, plain), *tools])}"]


def _options(home: str, listed: Sequence[str]) -> list[str]:
    """Return the options of pip for files of requirements."""
    return [word for name in listed for word in ("-r", _beside(home, name))]


def _beside(home: str, name: str) -> str:
    """Return the path of a file from a directory at or above it."""
    return name if home == "." else name.removeprefix(f"{home}/")


def _requirement_files(files: Sources, home: str, tools: Sequence[str]) -> list[str]:
    """Return the files of requirements of a project but those for another purpose, and those that include one.

    One that has a tool is taken whatever it includes, where no other has it.
    """
    listed = [
        name for name in files.like("*requirements*.txt", "requirements/*.txt") if files.home(name, *_MANIFESTS) == home
    ]
    constraints = {one for name in listed for one in _named(files, name, _CONSTRAINED)}
    listed = [name for name in listed if name not in constraints and "constraints" not in posixpath.basename(name)]
    plain = [
        name for name in listed if not any(_is_for_other_purpose(_beside(home, one)) for one in _included(files, name))
    ]
    wanted = {*tools} - {"pytest"}
    having = [name for name in listed if any(_distribution(line) in wanted for line in files.text(name).splitlines())]
    return plain if {*plain} & {*having} else sorted({*plain, *having}, key=listed.index)


def _is_for_other_purpose(name: str) -> bool:
    return bool(_OTHER_PURPOSES & {*re.split(r"[^a-z]+", name.lower())})


def _named(files: Sources, name: str, pattern: re.Pattern[str]) -> list[str]:
    """Return the files that the lines of a file of requirements name, from the root."""
    return [
        posixpath.normpath(posixpath.join(posixpath.dirname(name), other))
        for other in pattern.findall(files.text(name))
    ]


def _included(files: Sources, name: str) -> set[str]:
    """Return a file of requirements and all that it includes."""
    found, left = set[str](), [name]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += _named(files, one, _INCLUDED)
    return found


def _lists_of(manifest: str, tools: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the extras and the dependency groups of a pyproject.toml that list a tool; none when it cannot be read."""
    try:
        document = tomllib.loads(manifest)
    except tomllib.TOMLDecodeError:
        return [], []
    project = document.get("project")
    extras = project.get("optional-dependencies") if isinstance(project, dict) else None
    return _listing(extras, tools), _listing(document.get("dependency-groups"), tools)


def _listing(lists: object, tools: Sequence[str]) -> list[str]:
    """Return the names of the lists of requirements that have one of the tools, but pytest, which is in any list of tests."""
    wanted = {tool for tool in tools if tool != "pytest"}
    return [
        name
        for name, requirements in (lists.items() if isinstance(lists, dict) else ())
        if isinstance(requirements, list) and any(_distribution(one) in wanted for one in requirements)
    ]


def not_installed(files: Sources, home: str, *tools: str) -> str:
    """Return what a list of Poetry, PDM, Hatch or tox has beside the last tool, in words; pip reads none of these lists. Empty for nothing."""
    for where, requirements in _lists_of_managers(files, home):
        names = [_distribution(one) for one in requirements] if isinstance(requirements, list) else []
        others = [name for name in dict.fromkeys(names) if name and name not in {*tools, "python"}]
        if tools[-1] in names and others:
            few = f"{', '.join(others[:_FEW_NAMES])}{' and others' if others[_FEW_NAMES:] else ''}"
            return f"pip does not read {where}: add {few} to `setup` where the benchmarks need it"
    return ""


def _lists_of_managers(files: Sources, home: str) -> Iterator[tuple[str, object]]:
    """Yield the lists of requirements that only the manager of a project reads, with where each is."""
    with suppress(tomllib.TOMLDecodeError):
        managers = _table(tomllib.loads(files.text(within(home, "pyproject.toml"))).get("tool"))
        poetry, pdm, hatch = (_table(managers.get(name)) for name in ("poetry", "pdm", "hatch"))
        yield "[tool.poetry.dev-dependencies]", [*_table(poetry.get("dev-dependencies"))]
        for name, group in _table(poetry.get("group")).items():
            yield f"[tool.poetry.group.{name}.dependencies]", [*_table(_table(group).get("dependencies"))]
        for name, listed in _table(pdm.get("dev-dependencies")).items():
            yield f"{name} of [tool.pdm.dev-dependencies]", listed
        for name, environment in _table(hatch.get("envs")).items():
            yield f"[tool.hatch.envs.{name}]", _table(environment).get("dependencies")
    tox = configparser.ConfigParser(interpolation=None, strict=False)
    with suppress(configparser.Error):
        tox.read_string(files.text(within(home, "tox.ini")))
        for name in tox.sections():
            yield f"[{name}] of tox.ini", tox[name].get("deps", "").splitlines()


def _table(document: object) -> dict[str, object]:
    """Return a table of a TOML document; empty for another value."""
    return document if isinstance(document, dict) else {}


def _distribution(requirement: object) -> str:
    """Return the normal form of the name of a requirement; empty for another entry, such as the include of a group."""
    found = re.match(r"\s*([\w.-]+)", requirement) if isinstance(requirement, str) else None
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""


def uninstallable(files: Sources, home: str) -> list[str]:
    """Return the packages or modules at the top of a project among which setuptools refuses to choose; empty when it can be installed."""
    text = files.text(within(home, "pyproject.toml"))
    if any(within(home, name) in files.names for name in ("setup.py", "setup.cfg")) or not text:
        return []
    with suppress(tomllib.TOMLDecodeError):
        document = tomllib.loads(text)
        backend = document.get("build-system", {}).get("build-backend", "setuptools")
        chosen = document.get("tool", {}).get("setuptools", {})
        if not backend.startswith("setuptools") or {"packages", "py-modules"} & {*chosen}:
            return []
        prefix = "" if home == "." else f"{home}/"
        inside = [name.removeprefix(prefix) for name in files.names if name.startswith(prefix)]
        packages = sorted({first for name in inside for first, slash, _ in [name.partition("/")] if slash})
        if "src" in packages:
            return []
        packages = [name for name in packages if name.isidentifier() and name not in _NO_PACKAGES]
        modules = [name[:-3] for name in inside if "/" not in name and name.endswith(".py")]
        modules = [name for name in modules if name.isidentifier() and name not in _NO_MODULES]
        found = packages or modules
        return found if len(found) > 1 else []
    return []


def _dependencies(text: str, extras: Sequence[str]) -> list[str]:
    """Return the dependencies that a pyproject.toml declares, and those of its extras."""
    project = tomllib.loads(text).get("project", {})
    declared = [project.get("dependencies", []), *(project["optional-dependencies"][name] for name in extras)]
    return [one for requirements in declared for one in requirements if isinstance(one, str)]
