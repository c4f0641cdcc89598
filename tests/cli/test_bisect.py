"""`bench-db bisect` takes the names that the other commands take, and says what is wrong with one that it does not find."""

from pathlib import Path

import pytest

from tests.cli.commands import bench_db
from tests.cli.measured_histories import config
from tests.support.histories import History

pytestmark = pytest.mark.few(1)

SCRIPT = 'print(\'{"results": [{"benchmark_name": "sum[5]", "values_ns": [%d, %d, %d]}]}\')'


@pytest.fixture
def shas(tmp_path: Path) -> list[str]:
    """Four commits, of which the third makes `sum[5]` slow."""
    history = History(tmp_path / "clone")
    (tmp_path / "bench-db.toml").write_text(config())
    return [history.commit(f"{i}", n=str(i), bench__py=SCRIPT % (t, t + 1, t)) for i, t in enumerate([9, 9, 90, 90])]


class TestName:
    """Brackets stand for themselves, as in every command; only * and ? are wildcards."""

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["sum[5]", "s*[?]"])
    def test_found(self, name: str, shas: list[str], tmp_path: Path) -> None:
        answer = bench_db("bisect", shas[0], shas[-1], "--clone", "clone", "--benchmark", name, cwd=tmp_path)
        assert answer.returncode == 0, answer.stderr
        assert shas[2] in answer.stdout

    def test_not_found_is_told_from_a_commit_that_fails(self, shas: list[str], tmp_path: Path) -> None:
        answer = bench_db("bisect", shas[0], shas[-1], "--clone", "clone", "--benchmark", "sum", cwd=tmp_path)
        assert answer.returncode == 2
        assert "no benchmark 'sum'; the suites have sum[5]" in answer.stderr
        assert "or does not have the benchmark" in answer.stderr
