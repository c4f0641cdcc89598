"""The import of a package when it is first used."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module, reload
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pytest

from bench_db.cli.main import defer
from tests.cli.commands import environment

ROOT = Path(__file__).parents[2]
OUTPUT = min(path for path in (ROOT / "tests/data/pytest-benchmark").rglob("*.json") if ".golden" not in path.name)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A deferred package of a new name, whose code takes a while and writes a file for each run."""
    name = f"deferred_{uuid4().hex}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(
        "import time, pathlib\n"
        f"from {name} import below\n"
        "time.sleep(0.05)\n"
        "(pathlib.Path(__file__).parent / f'run-{time.monotonic_ns()}').touch()\n"
        "if (pathlib.Path(__file__).parent / 'broken').exists(): raise ImportError('broken')\n"
        "VALUE = 1\n"
    )
    (tmp_path / name / "below.py").write_text("NUMBER, KIND = 2, object()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", sys.meta_path.copy())
    defer(name)
    return name


def runs(directory: Path) -> int:
    return len(list(directory.rglob("run-*")))


class TestDefer:
    """The code of a package runs once, when something of it is used."""

    def test_an_import_runs_nothing(self, package: str, tmp_path: Path) -> None:
        one, other = import_module(package), import_module(package)
        assert one is other
        assert one.__spec__ is not None
        assert runs(tmp_path) == 0
        assert one.VALUE == 1
        assert other.below.NUMBER == 2
        assert runs(tmp_path) == 1

    def test_a_module_below_is_a_use(self, package: str, tmp_path: Path) -> None:
        import_module(package)
        assert import_module(f"{package}.below").NUMBER == 2
        assert runs(tmp_path) == 1
        assert import_module(package).VALUE == 1

    def test_the_code_of_a_module_below_runs_once(self, package: str, tmp_path: Path) -> None:
        """Whoever imports it has the module that the package uses, and its types."""
        init = tmp_path / package / "__init__.py"
        init.write_text(f"from {package}.below import KIND\n{init.read_text('utf-8')}")
        import_module(package)
        below = import_module(f"{package}.below")
        assert below.KIND is import_module(package).KIND
        assert sys.modules[f"{package}.below"] is below is import_module(package).below
        assert below.__spec__ is not None
        assert below.__spec__.origin == below.__file__
        assert reload(below).NUMBER == 2

    def test_what_it_has_not(self, package: str) -> None:
        with pytest.raises(AttributeError, match="nothing"):
            _ = import_module(package).nothing

    def test_threads_see_all_of_it(self, package: str, tmp_path: Path) -> None:
        module, barrier = import_module(package), Barrier(8)

        def use(_: int) -> int:
            barrier.wait()
            return int(module.VALUE)

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(use, range(8))) == [1] * 8
        assert runs(tmp_path) == 1

    def test_a_plugin_may_import_it_in_several_threads(self, tmp_path: Path) -> None:
        """One runs the code of the package, which imports a module that another one has begun to import, and that uses the package."""
        package = tmp_path / "slow"
        package.mkdir()
        (package / "__init__.py").write_text("import time\ntime.sleep(0.3)\nfrom slow import below\nVALUE = 1\n")
        (package / "below.py").write_text("import slow\nKNOWN = hasattr(slow, 'VALUE')\n")
        (tmp_path / "plugin.py").write_text(
            "import threading, time, slow\n"
            "def below(): import slow.below\n"
            "threads = [threading.Thread(target=each, daemon=True) for each in (lambda: slow.VALUE, below)]\n"
            "for thread in threads: thread.start(); time.sleep(0.1)\n"
            "for thread in threads: thread.join(5)\n"
            "ended = [not thread.is_alive() for thread in threads]\n"
        )
        about = tmp_path / "plugin-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
        (about / "entry_points.txt").write_text("[bench_db.formats]\nplugin = plugin:ended\n")
        for before in ("import slow", "pass"):
            code = (
                "import os\nfrom bench_db import plugins\nfrom bench_db.cli.main import defer\n"
                f"defer('slow')\n{before}\n"
                "print(plugins.load('bench_db.formats', lambda one: one.value).usable['plugin'], flush=True)\nos._exit(0)"
            )
            done = subprocess.run(
                [sys.executable, "-c", code],
                env={**environment(), "PYTHONPATH": str(tmp_path)},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.stdout, done.stderr) == ("[True, True]\n", "")

    def test_one_that_fails_fails_again(self, package: str, tmp_path: Path) -> None:
        broken = tmp_path / package / "broken"
        broken.touch()
        module = import_module(package)
        for _ in range(2):
            with pytest.raises(ImportError, match="broken"):
                _ = module.VALUE
        broken.unlink()
        assert module.VALUE == 1


@pytest.mark.parametrize(
    "words",
    [["has", "1234567"], ["publish", str(OUTPUT), "--dut-name", "d", "--dut-version", "1"]],
    ids=lambda words: words[0],
)
def test_what_uses_no_frames_loads_no_polars(demo_copy: Path, tmp_path: Path, words: list[str]) -> None:
    """It takes a quarter of their CPU time."""
    code = (
        f"import sys; sys.argv = ['bench-db', *{words!r}, '--store', {str(demo_copy)!r}]\n"
        "from bench_db.cli import main\n"
        "try: main()\n"
        "finally: print('lance' in sys.modules, 'polars.dataframe' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    *answer, loaded = done.stdout.splitlines()
    assert loaded == "True False", done.stderr
    assert "not measured" in answer[0] if words[0] == "has" else " new, " in answer[0]
