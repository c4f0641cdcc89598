from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db import connect
from tests.app.test_ci_job import CONFIG, bench, continued, grown
from tests.cli.commands import bench_db, document
from tests.cli.test_output_file import outputs
from tests.support.github_server import REPOSITORY, FakeGitHub, github_server
from tests.support.histories import History

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sample(3)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grown(tmp_path_factory.mktemp("origin") / "clone")


@pytest.fixture
def history(origin: Path, tmp_path: Path) -> History:
    """Return a history of seven measured commits, level but for some noise."""
    return continued(origin, tmp_path / "clone")


def ci(history: History, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return bench_db("ci", "--store", "store", *words, cwd=history.path, **environment)


class TestMeasuring:
    """Without files the suites are measured at the commit of the checkout, which is then judged."""

    def test_a_commit_without_change(self, history: History) -> None:
        history.commit("fine", bench__py=bench(101.5))
        done = ci(history, "--report", "report.md", GITHUB_OUTPUT="out", GITHUB_STEP_SUMMARY="page")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("PASSED: ")
        written = outputs((history.path / "out").read_text())
        assert (written["verdict"], written["passed"], written["unchanged"]) == ("success", "true", "1")
        assert json.loads(written["counts"]) == {"unchanged": 1}
        report = (history.path / "report.md").read_text()
        assert written["report"] == str(history.path / "report.md")
        assert (history.path / "page").read_text() == report
        assert "No change in 1 benchmark" in report

    def test_a_slow_commit(self, history: History) -> None:
        history.commit("slow", bench__py=bench(200))
        answer = document(ci(history, "--output", "json"), code=1)
        assert (answer["verdict"], answer["passed"], answer["counts"]) == ("failure", False, {"regressed": 1})
        allowed = document(ci(history, "--fail-on", "nothing", "--output", "json"))
        assert (allowed["verdict"], allowed["passed"], allowed["failing"]) == ("neutral", True, [])
        assert allowed["new"] == 0  # measured once

    @pytest.mark.parametrize("code", ["raise SystemExit(3)", "print('no results')"])
    def test_a_benchmark_that_fails(self, code: str, history: History) -> None:
        history.commit("broken", bench__py=code)
        answer = document(ci(history, "--output", "json"), code=1)
        assert answer["verdict"] == "failure"
        assert any(note.startswith("sums: ") for note in answer["notes"])

    def test_the_first_commit_of_all(self, tmp_path: Path) -> None:
        made = History(tmp_path / "clone")
        made.commit("first", bench__py=bench(1), **{"bench-db__toml": CONFIG})
        done = ci(made)
        assert (done.returncode, "No verdict" in done.stdout) == (0, True), done.stderr

    def test_no_address(self, history: History) -> None:
        done = bench_db("ci", cwd=history.path)
        assert (done.returncode, "address of the store is empty" in done.stderr) == (2, True)

    def test_outside_of_git(self, tmp_path: Path) -> None:
        done = bench_db("ci", "--store", "store", cwd=tmp_path)
        assert (done.returncode, "not a git checkout" in done.stderr) == (2, True)


@pytest.fixture
def forge() -> Iterator[FakeGitHub]:
    with github_server() as fake:
        yield fake


class TestPullRequests:
    """A pull request is judged at its head against its merge base, and told so in one comment."""

    def pull(self, history: History, forge: FakeGitHub, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        head = {"sha": history.git("rev-parse", "HEAD"), "ref": "topic"}
        event: dict[str, Any] = {"pull_request": {"number": 12, "head": head, "base": {"ref": "main"}}}
        (history.path / ".git/event.json").write_text(json.dumps(event))
        given = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_EVENT_PATH": str(history.path / ".git/event.json"),
            "GITHUB_REF": "refs/pull/12/merge",
            "GITHUB_API_URL": forge.url,
            "GITHUB_TOKEN": "token",
        }
        return ci(history, *words, **{**given, **more})

    def test_a_comment(self, history: History, forge: FakeGitHub) -> None:
        history.git("checkout", "--quiet", "-b", "topic")
        history.commit("slow", bench__py=bench(200))
        done = self.pull(history, forge)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "the merge base with main" in done.stdout
        history.commit("mended", bench__py=bench(101))
        assert self.pull(history, forge).returncode == 0
        [comment] = forge.comments
        assert "No change in 1 benchmark" in comment["body"]
        assert set(connect(history.path / "store").latest()["median"]) <= {100.0, 101.0, 102.0}  # main stays as it was

    def test_a_refused_comment_is_a_note(self, history: History, forge: FakeGitHub) -> None:
        forge.grants = {"token": (REPOSITORY, {"contents": "read"})}
        history.commit("slow", bench__py=bench(200))
        done = self.pull(history, forge)
        assert (done.returncode, "no comment was written" in done.stdout) == (1, True), done.stderr
        assert forge.comments == []

    def test_without_comment(self, history: History, forge: FakeGitHub) -> None:
        assert self.pull(history, forge, "--no-comment").returncode == 0
        assert self.pull(history, forge, GITHUB_TOKEN="").returncode == 0
        assert forge.requests == []

    def test_a_base_that_was_never_measured(self, tmp_path: Path, forge: FakeGitHub) -> None:
        made = History(tmp_path / "clone")
        made.commit("first", bench__py=bench(1), **{"bench-db__toml": CONFIG})
        made.git("checkout", "--quiet", "-b", "topic")
        made.commit("second", bench__py=bench(1.5))
        done = self.pull(made, forge)
        assert (done.returncode, "instead of the merge base" in done.stdout) == (0, True), done.stdout + done.stderr

    @pytest.mark.parametrize(
        ("later", "code", "row"),
        [
            ("200", 1, ("confirmed", "+98.0 %", "+100 % (+100 to +100)")),
            ("100", 0, ("not confirmed", "+98.0 %", "0.0 % (0.0 to 0.0)")),
            ("exit('no clock')", 1, ("undecided", "+98.0 %", "-")),
        ],
        ids=["slow", "spike", "fails"],
    )
    def test_measured_again(  # noqa: PLR0917 three of them are the case
        self, later: str, code: int, row: tuple[str, str, str], history: History, forge: FakeGitHub, tmp_path: Path
    ) -> None:
        """The first process of a commit takes twice the time. The comment has that change and the one in pairs."""
        count = tmp_path / "count"
        program = (
            f"import pathlib\nc = pathlib.Path({str(count)!r})\nlevel = 200 if not c.exists() else {later}\nc.touch()\n"
        )
        row_text = "[{'benchmark_name': 'sum', 'values_ns': [level] * 3}]"
        program += f"import json\nprint(json.dumps({{'results': {row_text}}}))"
        history.git("checkout", "--quiet", "-b", "topic")
        history.commit("change", bench__py=program)
        done = self.pull(history, forge, "--confirm", "same")
        assert done.returncode == code, done.stdout + done.stderr
        [comment] = forge.comments
        assert "### Measured again in pairs" in comment["body"], comment["body"]
        cells = [line.split(" | ") for line in comment["body"].splitlines() if line.startswith(f"| {row[0]} |")]
        assert [(one[0].removeprefix("| "), one[2], one[3]) for one in cells] == [row], comment["body"]
        assert "measured again in pairs" in done.stdout
        assert ("head: python: exit code 1" in comment["body"]) is (row[0] == "undecided")

    def test_this_machine_is_no_fresh_one(self, history: History, forge: FakeGitHub) -> None:
        history.git("checkout", "--quiet", "-b", "topic")
        history.commit("slow", bench__py=bench(200))
        done = self.pull(history, forge, "--confirm", "fresh")
        assert (done.returncode, "nothing was measured again: this machine" in done.stdout) == (1, True), done.stdout

    def test_pairs_need_the_merge_base_and_no_files(self, history: History, forge: FakeGitHub) -> None:
        files = self.pull(history, forge, "--mode", "pairs", "bench.py")
        assert (files.returncode, "leave out the files" in files.stderr) == (2, True), files.stderr
        event_less = ci(history, "--mode", "pairs")
        assert event_less.returncode == 0, event_less.stderr  # no pull request is compared with the history
        history.git("branch", "--quiet", "--move", "main", "trunk")
        done = self.pull(history, forge, "--mode", "pairs")
        assert (done.returncode, "pairs need the merge base" in done.stderr) == (2, True), done.stderr
