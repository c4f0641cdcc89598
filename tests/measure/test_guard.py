import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench_db.measure import guard
from tests.support.benches import gone, python


class Guarded:
    """A guard that runs a command, its lifeline and its report."""

    def __init__(self, command: Sequence[str]) -> None:
        self._report, reported = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(reported), *command],
            stdin=subprocess.PIPE,
            pass_fds=(reported,),
            start_new_session=True,
        )
        os.close(reported)

    def cut(self) -> None:
        """Close the lifeline."""
        assert self.process.stdin
        self.process.stdin.close()

    def report(self) -> str:
        """Wait for the end of the guard and return its report."""
        with open(self._report, "rb") as answer:  # noqa: PTH123 a file descriptor
            text = answer.read().decode()
        assert self.process.wait(30) == 0
        self.cut()
        return text


def reports(code: str) -> str:
    return Guarded(python(code)).report()


def written(path: Path) -> int:
    """Wait for a process to write its id."""
    for _ in range(500):
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.02)
    message = f"{path} was not written"
    raise TimeoutError(message)


class TestReport:
    """The report is the exit code of the command, negative for a signal, or why it cannot be run."""

    @pytest.mark.parametrize("code", [0, 1, 3, 255])
    def test_an_exit_code(self, code: int) -> None:
        assert reports(f"raise SystemExit({code})") == str(code)

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
    def test_a_signal(self, number: signal.Signals) -> None:
        assert reports(f"import os; os.kill(os.getpid(), {number:d})") == str(-number)

    def test_a_command_that_cannot_be_run(self, tmp_path: Path) -> None:
        assert Guarded([str(tmp_path / "absent")]).report() == "!No such file or directory"
        assert Guarded([str(tmp_path)]).report() == "!Permission denied"

    def test_the_code_is_of_the_command_and_not_of_a_child(self) -> None:
        assert reports("import subprocess, sys; subprocess.run([sys.executable, '-c', 'exit(5)']); exit(3)") == "3"


class TestEnd:
    """When the command ends, the lifeline is cut or the guard is asked to end, no process of the command is left."""

    WRITES_PID = "import os, time; open({path!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(60)"

    def test_a_child_that_outlives_the_command(self, tmp_path: Path) -> None:
        path = tmp_path / "pid"
        child = self.WRITES_PID.format(path=str(path))
        code = (
            "import os, subprocess, time\n"
            f"subprocess.Popen({python(child)!r}, start_new_session=True)\n"
            f"while not os.path.exists({str(path)!r}): time.sleep(0.02)\n"
        )
        assert reports(code) == "0"
        assert gone(written(path))

    @pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_a_running_command(self, number: signal.Signals | None, tmp_path: Path) -> None:
        path = tmp_path / "pid"
        guarded = Guarded(python(self.WRITES_PID.format(path=str(path))))
        pid = written(path)
        if number is None:
            guarded.cut()
        else:
            guarded.process.send_signal(number)
        assert guarded.report() == str(-signal.SIGTERM)
        assert gone(pid)

    @pytest.mark.slow
    def test_one_that_ignores_sigterm_is_killed_after_the_grace(self, tmp_path: Path) -> None:
        path = tmp_path / "pid"
        ignoring = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        guarded = Guarded(python(ignoring + self.WRITES_PID.format(path=str(path))))
        pid = written(path)
        guarded.cut()
        assert guarded.report() == str(-signal.SIGKILL)
        assert gone(pid)
