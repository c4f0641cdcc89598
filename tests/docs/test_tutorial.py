"""docs/tutorial.md, followed from an empty directory: every command of its bash blocks, in order, in one shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.tree import ROOT
from tests.support.benches import WITHOUT_INDEX, WITHOUT_PLUGINS
from tests.support.workers import made_once

pytestmark = pytest.mark.slow
PAGE = (ROOT / "docs/tutorial.md").read_text("utf-8")
# a block of commands, and the block of their output behind it
BLOCKS = re.findall(r"^```bash\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", PAGE, re.MULTILINE | re.DOTALL)
# A timer instead of a clock: its times depend on the code of the commit, and not on the machine.
TICKS = """\
import os, pathlib, random, sys
slow = "found.count" in pathlib.Path("words.py").read_text()
now = 0.0

def tick():
    global now
    if sys._getframe(1).f_code.co_name == "compute_timer_precision":
        level = 1e-9  # a coarse clock would be read for ever
    else:
        level = 0.3 if slow and "test_count" in os.environ.get("PYTEST_CURRENT_TEST", "") else 0.0004
    now += level * (1 + 0.02 * random.random())
    return now
"""
END = "--- end of block"


def same(text: str) -> str:
    """Return a line without what differs from run to run: figures, units, times and ids."""
    ids = re.sub(r"\+?\b[0-9a-f]{7,}\b", "#", text)
    figures = re.sub(r"[<+-]?\d[\d.,:-]*(?: (?:ns|µs|ms|s)\b)?", "#", ids.replace("< 0", "<0"))
    return " ".join(figures.split())


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Run all blocks and return what each of them printed."""

    def follow(directory: Path) -> None:
        tools, start = directory / "tools", directory / "start"
        tools.mkdir()
        start.mkdir()
        (tools / "ticks.py").write_text(TICKS)
        (tools / "python3").write_text(WITHOUT_INDEX.format(installed=directory / "installed"))
        (tools / "python3").chmod(0o755)
        script = "".join(f"{block}echo '{END}'\n" for block, _ in BLOCKS)
        environment = {
            "PATH": os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(tools),
            "PYTEST_ADDOPTS": f"{WITHOUT_PLUGINS} --benchmark-timer=ticks.tick --benchmark-warmup=off --benchmark-max-time=0.05",
        }
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(
            command, cwd=start, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=300
        )
        (directory / "out").write_text(done.stdout, "utf-8")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    return (made_once(tmp_path_factory, "tutorial", follow) / "out").read_text("utf-8").split(f"{END}\n")


class TestTutorial:
    """Every command works where the page has it, and prints what the page says."""

    def test_every_command_runs(self, printed: list[str]) -> None:
        assert len(BLOCKS) > 10
        assert printed[-1] == ""
        assert len(printed) == len(BLOCKS) + 1

    @pytest.mark.parametrize("number", [n for n, (_, shown) in enumerate(BLOCKS) if shown], ids="block{}".format)
    def test_output(self, printed: list[str], number: int) -> None:
        lines = [same(line) for line in printed[number].splitlines()]
        shown = BLOCKS[number][1].splitlines()
        assert [line for line in shown if not any(same(line) in one for one in lines)] == []

    def test_the_slow_commit_is_the_one_found(self, printed: list[str]) -> None:
        (scan,) = [text for text in printed if "2 series tested" in text]
        (show,) = [text for text in printed if "Count in one line" in text]
        found = re.findall(r"^([0-9a-f]{9})  open  ", scan, re.MULTILINE)
        assert found == [show[:9]]

    def test_blocks_that_are_not_run(self) -> None:
        """Step 2 installs from a package index."""
        (block,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        assert "uv tool install" in block

    def test_it_is_the_step_that_is_told_to_be_left_out(self) -> None:
        step = re.split(r"^## ", PAGE, flags=re.MULTILINE)[2]
        assert step.startswith("2. ")
        assert "```sh\n" in step
