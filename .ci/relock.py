"""Update every pin: resolve the workspace, then write versions to pyproject.toml and hashes to requirements.lock.

Neither file contains an address, so both are valid for any index. `--keep` keeps the current pins and only adds or
removes dependencies; without it every package moves to the newest version that fits.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT, LOCK = ROOT / "pyproject.toml", ROOT / "requirements.lock"
BEGIN, END = "# written by `just relock`: begin\n", "# written by `just relock`: end\n"
EXPORT = ("export", "--all-groups", "--no-annotate", "--no-emit-workspace", "--no-header", "--quiet")
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<rest>[^\\]+?)(?: \\)?$", re.MULTILINE)


def uv(*arguments: str, given: str | None = None) -> str:
    """Run uv and return its standard output; its messages go to the terminal."""
    command = ["uv", *arguments]
    return subprocess.run(command, cwd=ROOT, input=given, check=True, stdout=subprocess.PIPE, text=True).stdout


def with_pins(project: str, pins: list[str], build_pins: list[str]) -> str:
    """Return the project file with its block of pins replaced; without pins the block is empty."""
    before, rest = project.split(BEGIN)
    _, after = rest.split(END)
    block = _array("constraint-dependencies", pins) + _array("build-constraint-dependencies", build_pins)
    return before + BEGIN + block + END + after


def _array(key: str, pins: list[str]) -> str:
    return "".join([f"{key} = [\n", *(f'    "{pin}",\n' for pin in pins), "]\n"]) if pins else ""


def pins_of(exported: str) -> list[str]:
    """Return the `name==version ; marker` lines of an export, without hashes."""
    return [f"{match['name']}=={match['rest']}" for match in PIN.finditer(exported)]


def relock(project: str, *, keep: bool) -> str:
    """Write the pins and return the export; exit if the pins do not resolve to the same export."""
    if not keep:
        PROJECT.write_text(with_pins(project, [], []), "utf-8")
    uv("lock", *([] if keep else ["--upgrade"]))
    exported = uv(*EXPORT)
    builder = uv("pip", "compile", "--quiet", "--no-header", "--no-annotate", "-", given="uv_build")
    PROJECT.write_text(with_pins(project, pins_of(exported), pins_of(builder)), "utf-8")
    uv("lock")
    if uv(*EXPORT) != exported:
        sys.exit(
            "pyproject.toml: the new pins do not resolve to the exported versions; the file is restored. Run `just relock` again"
        )
    return exported


def main() -> None:
    """Update both files, or neither."""
    project = PROJECT.read_text("utf-8")
    try:
        exported = relock(project, keep="--keep" in sys.argv[1:])
    except BaseException:
        PROJECT.write_text(project, "utf-8")
        raise
    LOCK.write_text(exported, "utf-8")
    print(f"{len(pins_of(exported))} pins in {PROJECT.name}, their hashes in {LOCK.name}")


if __name__ == "__main__":
    main()
