# /// script
# requires-python = ">=3.11"
# dependencies = ["asv==0.6.6"]
# ///
"""Run commands of asv in a work tree, in an environment of its own, and print how each ended and what asv wrote, as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def run(tree: str, commands: list[list[str]]) -> dict[str, object]:
    """Return the exit codes, the output and the names of the files of results; `{tree}/.venv/bin/python` becomes this Python."""
    environment = {**os.environ, "HOME": tree, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    given = [[part.replace("{tree}/.venv/bin/python", sys.executable) for part in command] for command in commands]
    done = [
        subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
        for command in given
    ]
    return {
        "codes": [one.returncode for one in done],
        "output": [one.stdout + one.stderr for one in done],
        "results": sorted(str(path.relative_to(tree)) for path in Path(tree).glob("results/*/*-*.json")),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))))
