"""How the suite runs: bytecode and kernels are compiled once, and a whole suite is spread over one worker a core.

pytest imports this file before every other conftest, so what it sets holds for them and for every process they start.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
pytest_plugins = ["tests.support.tiers"]
_COMPILING: pytest.StashKey[subprocess.Popen[bytes]] = pytest.StashKey()


def cache_bytecode() -> None:
    """Write bytecode below .pytest_cache where the environment forbids it beside the sources.

    Compiling the libraries again in each of the processes that the suite starts (1,000 at the least) costs 3 s each
    (7.8 s of CPU for `import lancedb, polars, numba`, 4.2 s with bytecode), and collecting the tests 24 s for 9 s.
    """
    if sys.dont_write_bytecode and "PYTHONDONTWRITEBYTECODE" in os.environ:
        del os.environ["PYTHONDONTWRITEBYTECODE"]
        sys.dont_write_bytecode = False
        sys.pycache_prefix = os.environ.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / ".pytest_cache" / "bytecode"))


cache_bytecode()
gc.disable()  # until the tests are collected: of 8 s of CPU to import and collect them, 1.3 s was the search for garbage


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Search for garbage again, but never among the 580,000 objects of modules and tests: that was 3 % of the time of quick tests."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run named files and tests in this process: starting workers takes longer than most of them."""
    named = [config.invocation_params.dir / argument.split("::")[0] for argument in config.args]
    return 0 if all(path.is_file() for path in named) else None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the kernels while the workers collect: 32 s of CPU for each process that finds none compiled.

    Files of the cache do not say that they are of these sources: where only older ones are, or a few, each worker runs in plain
    Python or compiles again. To load what is compiled takes 1.1 s of CPU.
    """
    if not hasattr(session.config, "workerinput") and session.config.getoption("numprocesses", 0):
        session.config.stash[_COMPILING] = subprocess.Popen([sys.executable, "-m", "tests.support.kernels"], cwd=ROOT)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Wait for the kernels."""
    if compiling := session.config.stash.get(_COMPILING, None):
        compiling.wait()
