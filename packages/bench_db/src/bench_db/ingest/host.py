"""What surrounds a file: the machine that bench_db runs on as a test bed, and the checkout around the file as a build."""

from __future__ import annotations

import importlib
import os
import platform
import re
import subprocess
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from bench_db.identity import ABBREVIATED_SHA
from bench_db.model import TestBed

_GIB = 1 << 30
_PATIENCE_SECONDS = 5

# Names that containers, hosted CI runners and clouds make for one job.
_THROW_AWAY = re.compile(
    r"""
    [0-9a-f]{12}                     # docker, podman
    | fv-az.* | runnervm.*           # GitHub-hosted Linux and Windows
    | (Mac|mac|sat\w+)-\d{9,}(\.local)?  # GitHub-hosted macOS
    | runner-.* | .*-runner-\w+-\w+  # GitLab, Actions Runner Controller
    | ip-\d+(-\d+){3}(\..*)?         # cloud machines named for their address
    | buildkitsandbox | localhost(\..*)?
    """,
    re.VERBOSE,
)


def stable_name(node: str, system: str, machine: str) -> str:
    """Return the host name, or system and architecture where it is empty or was made for one job."""
    if node and not _THROW_AWAY.fullmatch(node):
        return node
    return "-".join(part for part in (system, machine) if part) or "unknown"


def this_machine(name: str | None = None, now: int = 0) -> TestBed:
    """Describe this machine as a test bed; `now` (unix seconds) is when it is first described, 0 when unknown."""
    system = platform.system()
    return TestBed(
        name=name or stable_name(platform.node(), system, platform.machine()),
        cpu=cpu_model(),
        memory_gb=memory_gb(),
        os=f"{system} {platform.release()}".strip(),
        created_at=now,
    )


def now() -> int:
    """Return unix seconds."""
    return int(time.time())


def cpu_model() -> str:
    """Return the marketing name of the CPU, else what the platform knows of it."""
    if platform.system() == "Darwin":
        model = _sysctl("machdep.cpu.brand_string")
    elif platform.system() == "Windows":
        model = _from_registry()
    else:
        model = cpu_of(_text(Path("/proc/cpuinfo")))
    return model or platform.processor() or platform.machine()


def cpu_of(cpuinfo: str) -> str:
    """Return the model in a Linux cpuinfo: the model name, or on ARM, which has none, implementer and part."""
    fields: dict[str, str] = dict(re.findall(r"^([^\n:]*?)[ \t]*:[ \t]*([^\n]*?)[ \t]*$", cpuinfo, re.MULTILINE))
    for key in ("model name", "Model", "cpu model", "cpu"):  # x86; Raspberry Pi; MIPS; POWER
        if fields.get(key):
            return fields[key]
    known = [f"{word} {fields[key]}" for word, key in _ARM if fields.get(key)]
    return " ".join(("ARM", *known)) if known else ""


_ARM = (("implementer", "CPU implementer"), ("part", "CPU part"), ("variant", "CPU variant"))


def memory_gb() -> int:
    """Return whole GiB of memory, 0 when unknown."""
    if platform.system() == "Darwin":
        return int(_sysctl("hw.memsize") or 0) // _GIB
    if platform.system() == "Windows":
        return 0
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _GIB
    except (OSError, ValueError):
        return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _sysctl(key: str) -> str:
    try:
        command = ["/usr/sbin/sysctl", "-n", key]
        answer = subprocess.run(command, capture_output=True, timeout=_PATIENCE_SECONDS, check=True)  # noqa: S603 no shell
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode("utf-8", "replace").strip()


def _from_registry() -> str:
    winreg = importlib.import_module("winreg")  # by name: it exists on Windows alone
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    except OSError:
        return ""


_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A checkout. A field is null or empty where neither git nor a manifest has it; `timestamp` is the commit's, in unix seconds."""

    name: str | None = None
    version: str | None = None
    commit: str | None = None
    branch: str | None = None
    timestamp: int | None = None


def build_of(checkout: Path) -> Build:
    """Return the build of a checkout. `version` is `{manifest version}+{short commit}`, or the part of it that is known."""
    name, number = _manifest(checkout)
    commit = _git(checkout, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    head = _git(checkout, "symbolic-ref", "--quiet", "HEAD")  # --short adds heads/ where a tag has the same name
    time = _git(checkout, "log", "-1", "--format=%ct", commit, "--") if commit else None
    return Build(
        name=name,
        version="+".join(part for part in (number, commit[:ABBREVIATED_SHA] if commit else None) if part) or None,
        commit=commit,
        branch=head.removeprefix("refs/heads/") if head else None,
        timestamp=int(time) if time and time.isdecimal() else None,
    )


def checkout_around(path: Path) -> Path | None:
    """Return the git checkout that contains a file or directory, None when there is none."""
    place = path.resolve()
    for directory in (place, *place.parents):
        if (directory / ".git").exists():
            return directory
    return None


def _git(checkout: Path, *arguments: str) -> str | None:
    """Return what git prints, None when it fails, prints nothing or is not installed. No shell, hook or pager of the user runs."""
    command = ["git", "-C", str(checkout), "--no-pager", "-c", "core.fsmonitor=false", *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_PATIENCE_SECONDS, check=True)  # noqa: S603 no shell
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode("utf-8", "replace").strip() or None


def _manifest(checkout: Path) -> tuple[str | None, str | None]:
    """Return name and version of Cargo.toml, else of pyproject.toml."""
    for file, tables in _TABLES.items():
        document = _toml(checkout / file)
        found = [_table(document, path) for path in tables]
        name, number = _first(found, "name"), _first(found, "version")
        if name or number:
            return name, number
    return None, None


_TABLES = {
    "Cargo.toml": (("package",), ("workspace", "package")),
    "pyproject.toml": (("project",), ("tool", "poetry")),
}


def _first(tables: list[dict[str, object]], key: str) -> str | None:
    return next((value for table in tables if isinstance(value := table.get(key), str)), None)


def _table(document: dict[str, object], path: tuple[str, ...]) -> dict[str, object]:
    for key in path:
        inner = document.get(key)
        document = inner if isinstance(inner, dict) else {}
    return document


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):  # a checkout may contain anything; the commit is still known
        return {}
