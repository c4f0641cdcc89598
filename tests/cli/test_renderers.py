"""Forms of output that installed packages add."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench_db import plugins
from bench_db.store.database import connect
from tests.cli import commands
from tests.cli.kinds import publish
from tests.support.packages import declaring, install

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

NAMES = "def names(document):\n    return ' '.join(row['benchmark_name'] for row in document)\n"


def run(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.bench_db_process(*words, "--store", "store", cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Make a store of two benchmarks, and the directory of a package."""
    store = connect(tmp_path / "store", create=True)
    publish(store, 1, {"f": 1.0, "g": 2.0})
    return tmp_path / "site"


class TestRenderers:
    """Every verb takes a form that a package adds, before and after the verb; a broken one is named."""

    def test_a_package(self, tmp_path: Path, site: Path) -> None:
        install(site, declaring(plugins.RENDERERS, "names", "other:names"), other=NAMES)
        assert run(tmp_path, "latest", "--output", "names").stdout == "f g\n"
        assert run(tmp_path, "--output", "names", "latest").stdout == "f g\n"
        answer = run(tmp_path, "latest", "--output", "table")
        assert (answer.returncode, answer.stdout) == (2, "")
        assert "'table' is not one of 'text', 'json', 'names'" in answer.stderr

    @pytest.mark.slow
    def test_the_whole_document(self, tmp_path: Path, site: Path) -> None:
        install(site, declaring(plugins.RENDERERS, "plain", "other:plain"), other="import json\nplain = json.dumps\n")
        for words in (("check",), ("latest", "--benchmark", "g"), ("store", "info")):
            plain = json.loads(run(tmp_path, *words, "--output", "plain").stdout)
            assert plain == json.loads(run(tmp_path, *words, "--output", "json").stdout)

    def test_nothing_is_installed(self, tmp_path: Path, site: Path) -> None:
        assert not site.exists()
        assert "'names' is not one of 'text', 'json'" in run(tmp_path, "latest", "--output", "names").stderr

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("def names(document):\n    return document[9]\n", "it failed: IndexError"),
            ("def names(document):\n    raise SystemExit(0)\n", "it failed: SystemExit: 0"),
            ("def names(document):\n    return 5\n", "it returned int, not text"),
            ("names = 5\n", "it is declared as a callable"),
        ],
    )
    def test_broken(self, tmp_path: Path, site: Path, code: str, reason: str) -> None:
        install(site, declaring(plugins.RENDERERS, "names", "other:names"), other=code)
        answer = run(tmp_path, "latest", "--output", "names")
        assert (answer.returncode, answer.stdout) == (2, "")
        assert f"renderer 'names' of the installed package other-tool 1.2: {reason}" in answer.stderr
