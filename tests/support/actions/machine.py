"""The machine of one job: workspace, variables, PATH, and the execution of scripts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 300
_SHELLS = {"": ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The result of a script: exit code, printed text, outputs."""

    code: int
    log: str
    outputs: dict[str, str]


@dataclass(kw_only=True)
class Machine:
    """A machine with git and the base of Debian, without Python and uv until a step installs them."""

    directory: Path
    given: Mapping[str, str]
    """Variables that the runner itself sets."""
    path: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    """What steps wrote to GITHUB_ENV."""
    summary: str = ""
    scripts: int = 0

    @property
    def workspace(self) -> Path:
        return self.directory / "workspace"

    @property
    def temporary(self) -> Path:
        return self.directory / "temporary"

    def set_up(self, event: Mapping[str, Any]) -> None:
        """Create the directories and the file of the event."""
        for path in (self.workspace, self.temporary, self.directory / "home"):
            path.mkdir(parents=True)
        (self.directory / "event.json").write_text(json.dumps(event), encoding="utf-8")
        git = Path(shutil.which("git") or "git").parent
        self.path += [str(git), "/usr/bin", "/bin"]

    def run(self, script: str, shell: str, environment: Mapping[str, str]) -> Done:
        """Run a script from a file as GitHub does, and read the files of the step."""
        self.scripts += 1
        step = self.directory / "steps" / str(self.scripts)
        step.mkdir(parents=True)
        (step / "script.sh").write_text(script, encoding="utf-8")
        names = ("output", "env", "path", "state", "step_summary")
        for name in names:
            (step / name).touch()
        answer = subprocess.run(
            [*_SHELLS[shell], str(step / "script.sh")],
            cwd=self.workspace,
            env={
                "LANG": os.environ.get("LANG", "C.UTF-8"),
                "HOME": str(self.directory / "home"),
                "PATH": os.pathsep.join(self.path),
                "GITHUB_WORKSPACE": str(self.workspace),
                "GITHUB_EVENT_PATH": str(self.directory / "event.json"),
                "RUNNER_TEMP": str(self.temporary),
                **{f"GITHUB_{name.upper()}": str(step / name) for name in names},
                **self.given,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        self.variables |= commands((step / "env").read_text("utf-8"))
        self.path[:0] = (step / "path").read_text("utf-8").splitlines()[::-1]
        self.summary += (step / "step_summary").read_text("utf-8")
        outputs = commands((step / "output").read_text("utf-8"))
        return Done(code=answer.returncode, log=f"{answer.stdout}{answer.stderr}", outputs=outputs)


def commands(text: str) -> dict[str, str]:
    """Parse the values for later steps: lines `name=value`, or a value between two delimiter lines."""
    found, lines = dict[str, str](), iter(text.removesuffix("\n").split("\n") if text else [])
    for line in lines:
        name, sign, value = line.partition("<<")
        if sign and "=" not in name:
            held = []
            for part in lines:
                if part == value:
                    break
                held.append(part)
            else:
                message = f"no line {value!r} ends the value of {name}"
                raise ValueError(message)
            found[name] = "\n".join(held)
        elif line:
            name, sign, value = line.partition("=")
            assert sign, f"neither name=value nor name<<delimiter: {line!r}"
            found[name] = value
    return found
