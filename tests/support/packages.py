"""Packages of other authors, installed for a process that finds them on PYTHONPATH."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def install(site: Path, pyproject: str, **modules: str) -> None:
    """Install a package as an installer does: its modules, and the metadata that its pyproject.toml declares."""
    project = tomllib.loads(pyproject)["project"]
    name, version = project["name"], project["version"]
    metadata = site / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = project.get("entry-points", {})
    lines = (f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in entries.items()) for group, entries in groups.items())
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    for module, code in modules.items():
        (site / f"{module}.py").write_text(code)


def declaring(group: str, name: str, target: str, package: str = "other-tool") -> str:
    """Return the pyproject.toml of a package that declares one extension."""
    return f"""
[project]
name = "{package}"
version = "1.2"

[project.entry-points."{group}"]
"{name}" = "{target}"
"""
