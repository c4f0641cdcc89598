"""The machine that bench_db runs on as a test bed, and which host names identify one."""

from __future__ import annotations

import importlib
import os
import platform
import re
import subprocess
import time
from pathlib import Path

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
