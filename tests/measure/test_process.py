import signal
import subprocess
import time
from pathlib import Path

import pytest

from bench_db.schedule.config import Suite
from tests.support.benches import bench, gone, measured, python
from tests.support.histories import History


class TestHostileCommits:
    """Whatever a commit holds or does, it fails alone, and leaves nothing behind."""

    WRITES_OUT = Suite(benchmark=python("open('out', 'w').write('1')"), outputs=["out"])

    def test_one_that_cannot_be_checked_out(self, history: History) -> None:
        broken, good = history.commit(n="broken"), history.commit(n="good")
        blob = history.git("rev-parse", f"{broken}:n")
        (history.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
        found = measured(history, bench(history, one=self.WRITES_OUT, two=self.WRITES_OUT), broken, good)
        assert [blob in str(m.error) for m, _ in found] == [True, True, False, False]
        assert blob in found[0][0].log.read_text()
        assert [content for _, content in found[2:]] == [["1"]] * 2
        assert history.git("worktree", "list").count("\n") == 0

    def test_submodules_are_there(self, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        allow_local_submodules(monkeypatch)
        inner = History(tmp_path / "inner")
        inner.commit(data="of the submodule")
        history.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(inner.path), "sub")
        with_it = history.commit()
        inner.path.rename(tmp_path / "gone")
        history.git("config", "--unset", "submodule.sub.url")
        suite = Suite(benchmark=python("print(open('sub/data').read(), end='')"), stdout="o")
        where = bench(history, one=suite)
        assert "submodule" in str(measured(history, where, with_it)[0][0].error)
        (tmp_path / "gone").rename(inner.path)
        assert measured(history, where, with_it)[0][1] == ["of the submodule"]
        assert history.git("worktree", "list").count("\n") == 0
        assert history.git("status", "--porcelain") == ""

    def test_results_that_are_part_of_the_commit_are_not_taken(self, history: History) -> None:
        (history.path / "raw").mkdir()
        (history.path / "raw" / "a.json").write_text("stale")
        sha = history.commit(out="stale")
        suites = {
            "idle": Suite(benchmark=python("pass"), outputs=["out", "raw"]),
            "busy": Suite(benchmark=python("open('out', 'w').write('fresh')"), outputs=["out", "raw"]),
        }
        found = measured(history, bench(history, None, **suites), sha)
        assert "left none of: out, raw; the files in the commit were not written" in str(found[0][0].error)
        assert found[1][1] == ["fresh"]

    def test_standard_output_is_not_written_through_a_link(self, history: History, tmp_path: Path) -> None:
        (tmp_path / "precious").write_text("precious")
        (history.path / "o").symlink_to(tmp_path / "precious")
        (history.path / "d").mkdir()
        (history.path / "d" / "x").touch()
        sha = history.commit()
        suites = {name: Suite(benchmark=python("print(1)"), stdout=name) for name in ("o", "d")}
        found = measured(history, bench(history, None, **suites), sha)
        assert (tmp_path / "precious").read_text() == "precious"
        assert found[0][1] == ["1\n"]
        assert "cannot be run" in str(found[1][0].error)

    def test_a_very_long_log_is_shortened(self, history: History) -> None:
        code = "import sys; print('first'); sys.stdout.write('x' * 100_000_000); print('\\nlast'); sys.exit(1)"
        suite = Suite(setup=[python("print('set up')")], benchmark=python(code), outputs=["o"])
        found = measured(history, bench(history, one=suite), history.commit())[0][0]
        log = found.log.read_text()
        assert len(log) < 3_000_000
        assert len(str(found.error)) < 3_000
        assert [word in log for word in ("set up", "first", "bytes left out", "last\n# ")] == [True] * 4

    def test_a_process_in_a_session_of_its_own_is_ended(self, history: History, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        code = (
            "import subprocess; child = subprocess.Popen(['sleep', '60'], start_new_session=True);"
            f"open({str(pid_file)!r}, 'w').write(str(child.pid)); open('o', 'w')"
        )
        found = measured(history, bench(history, one=Suite(benchmark=python(code), outputs=["o"])), history.commit())
        assert found[0][0].error is None
        assert gone(int(pid_file.read_text()))


class TestKilled:
    """No measurement goes on when the one who waits for it is gone, however it went."""

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_the_command_ends(self, number: signal.Signals, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        child = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
        script = (
            "from pathlib import Path\nfrom bench_db.measure.process import Job, run\n"
            f"job = Job(command={python(child)!r}, directory=Path('.'), environment={{}}, timeout_seconds=60)\n"
            f"run(job, Path({str(tmp_path / 'log')!r}))"
        )
        with subprocess.Popen(python(script), stderr=subprocess.DEVNULL) as waiting:
            while not (pid_file.exists() and pid_file.read_text()):
                time.sleep(0.02)
            waiting.send_signal(number)
        assert gone(int(pid_file.read_text()))


def allow_local_submodules(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COUNT": "1", "KEY_0": "protocol.file.allow", "VALUE_0": "always"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
