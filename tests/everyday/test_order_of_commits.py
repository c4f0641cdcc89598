"""Points are in the order of git, whatever clocks, rebases and the order of measuring say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import bench_db
from tests.everyday.asking import asked, order, publish, store_of
from tests.support.everyday import BEGIN, HOUR, Repository

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)

# the order in which a bisecting backfill measures twelve commits
MEASURED = (12, 1, 6, 9, 3, 11, 2, 7, 5, 10, 4, 8)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def stepping(repository: Repository, shas: list[str], numbers: tuple[int, ...], *, step: int = 7) -> None:
    """Measure commits, by number from 1, in some order; from one on they are half as fast again."""
    for turn, number in enumerate(numbers):
        repository.git("checkout", "--quiet", shas[number - 1])
        mean = 0.001 if number < step else 0.0015
        publish(repository, repository.measured(mean, at=BEGIN + 100 * HOUR + 60 * turn))
    repository.git("checkout", "--quiet", "main")


class TestOneSecond:
    """After a rebase all commits have one committer time."""

    def test_order_change_and_candidate(self, repository: Repository) -> None:
        shas = [repository.commit_at(BEGIN, f"commit {number}") for number in range(1, 13)]
        stepping(repository, shas, MEASURED)
        assert order(repository) == shas
        assert asked(repository, "latest")[0]["commit"] == shas[-1]
        assert asked(repository, "compare", "latest")["candidate"] == shas[-1]
        assert asked(repository, "trend", "*", "--last", "5")[0]["commit"] == shas[7]

    @pytest.mark.slow
    def test_the_step_is_found_at_its_commit(self, repository: Repository) -> None:
        shas = [repository.commit_at(BEGIN, f"commit {number}") for number in range(1, 25)]
        stepping(repository, shas, tuple(reversed(range(1, 25))), step=13)
        found = asked(repository, "detect", "*test_q")["findings"]
        assert [finding["commit"] for finding in found] == [shas[12]]
        assert [f["commit"] for f in asked(repository, "scan")["findings"]] == [shas[12]]

    @pytest.mark.slow
    def test_from_checkouts_of_depth_one(self, repository: Repository) -> None:
        """The parents in the commit itself give the order, though no checkout has them."""
        shas = [repository.commit_at(BEGIN, f"commit {number}") for number in range(1, 13)]
        repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
        for turn, number in enumerate(MEASURED):
            clone = repository.path.parent / f"shallow{turn}"
            shallow = Repository(clone)
            shallow.git("fetch", "--quiet", "--depth", "1", f"file://{repository.path}", shas[number - 1])
            shallow.git("checkout", "--quiet", "--force", "FETCH_HEAD")
            publish(shallow, shallow.measured(0.001 * (1 + turn / 1e6), at=BEGIN + 100 * HOUR + turn))
        assert order(repository) == shas

    def test_a_later_job_with_a_complete_clone(self, repository: Repository) -> None:
        """Every second commit is measured, so parents give no order; the first job of each has depth one, the second all commits."""
        shas = [repository.commit_at(BEGIN, f"commit {number}") for number in range(1, 9)]
        repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
        for turn, number in enumerate([6, 0, 4, 2]):
            shallow = Repository(repository.path.parent / f"shallow{turn}")
            shallow.git("fetch", "--quiet", "--depth", "1", f"file://{repository.path}", shas[number])
            shallow.git("checkout", "--quiet", "--force", "FETCH_HEAD")
            at = BEGIN + 100 * HOUR + turn
            publish(shallow, shallow.measured(0.001 * (1 + turn / 1e6), at=at))
            repository.git("checkout", "--quiet", shas[number])
            publish(repository, repository.measured(0.002 * (1 + turn / 1e6), at=at), "--suite", "other")
        assert order(repository, "--suite", "other") == shas[::2]
        positions = {record["commit"]: record["position"] for record in asked(repository, "commits", "list")["commits"]}
        assert positions == {sha: number for number, sha in enumerate(shas, 1) if number % 2}


class TestClocks:
    """A commit with a wrong date stays where git has it."""

    @pytest.mark.parametrize("off", [7 * 24 * HOUR, -7 * 24 * HOUR])
    def test_a_commit_with_a_wrong_date(self, repository: Repository, off: int) -> None:
        times = [BEGIN + number * HOUR for number in range(8)]
        times[4] += off
        shas = [repository.commit_at(time) for time in times]
        for number, sha in enumerate(shas):
            repository.git("checkout", "--quiet", sha)
            publish(repository, repository.measured(0.001, at=BEGIN + 60 * 24 * HOUR + number))
        assert order(repository) == shas

    def test_dated_in_the_future_of_its_run(self, repository: Repository) -> None:
        """Without any position it is ordered as if it was made at its run, so that it does not stay the newest."""
        for number, ahead in enumerate([0, 7 * 24 * HOUR, 0, 0]):
            at = BEGIN + number * HOUR
            file = repository.measured(0.001, at=at)
            commit = f"{number + 1:040x}"
            publish(repository, file, "--dut-version", "1", "--commit", commit, "--dut-timestamp", at + ahead)
        assert order(repository) == [f"{number:040x}" for number in (1, 2, 3, 4)]
        assert asked(repository, "compare", "latest")["candidate"] == f"{4:040x}"


class TestMerges:
    """A merged branch counts as its merge commit."""

    def test_main_in_order_of_first_parents(self, repository: Repository) -> None:
        shas = [repository.commit_at(BEGIN + number * HOUR) for number in range(3)]
        repository.git("checkout", "--quiet", "-b", "topic", shas[0])
        topic = repository.commit_at(BEGIN + 5 * HOUR, "topic")
        repository.git("checkout", "--quiet", "main")
        date = f"{BEGIN + 4 * HOUR} +0000"
        repository.git("merge", "--quiet", "--no-ff", "-X", "ours", "-m", "merge", "topic", GIT_COMMITTER_DATE=date)
        shas.append(repository.git("rev-parse", "HEAD"))
        shas.append(repository.commit_at(BEGIN + 4 * HOUR))
        for turn, sha in enumerate([shas[4], shas[3], topic, *shas[:3]]):
            repository.git("checkout", "--quiet", "topic" if sha == topic else sha)
            publish(repository, repository.measured(0.001, at=BEGIN + 100 * HOUR + turn))
        assert order(repository) == shas
        assert [row["commit"] for row in asked(repository, "trend", "*", "--branch", "topic")] == [topic]


@pytest.mark.slow
class TestPullWithMerge:
    """`git pull` of a developer merges main into the local line: what main was is then no longer on its line of first parents."""

    @pytest.mark.parametrize("synced", [False, True])
    def test_main_before_and_after(self, repository: Repository, *, synced: bool) -> None:
        shas = [repository.commit_at(BEGIN + number * HOUR) for number in range(8)]
        for turn, sha in enumerate(shas):
            repository.git("reset", "--quiet", "--hard", sha)
            publish(repository, repository.measured(0.001, at=BEGIN + 100 * HOUR + turn))
        repository.git("checkout", "--quiet", "-b", "local", shas[1])
        repository.commit_at(BEGIN + 4 * HOUR, "local work")
        date = f"{BEGIN + 9 * HOUR} +0000"
        repository.git("merge", "--quiet", "-X", "ours", "-m", "pull", "main", GIT_COMMITTER_DATE=date)
        repository.git("checkout", "--quiet", "-B", "main", "local")
        repository.git("branch", "--quiet", "-D", "local")
        shas.append(repository.git("rev-parse", "HEAD"))
        shas.append(repository.commit_at(BEGIN + 10 * HOUR))
        for turn, sha in enumerate(shas[8:]):
            repository.git("reset", "--quiet", "--hard", sha)
            publish(repository, repository.measured(0.0015, at=BEGIN + 120 * HOUR + turn))
        if synced:
            asked(repository, "commits", "sync", "--clone", repository.path)
        assert order(repository) == shas
        assert asked(repository, "latest")[0]["commit"] == shas[-1]

    def test_from_checkouts_of_depth_one(self, repository: Repository) -> None:
        """The merge has both parents in it. Its clock is behind that of the commit of main that it contains."""
        shas = [repository.commit_at(BEGIN + number * HOUR) for number in range(4)]
        repository.git("checkout", "--quiet", "-b", "local", shas[1])
        repository.commit_at(BEGIN + HOUR, "local work")
        date = f"{BEGIN + 2 * HOUR} +0000"
        repository.git("merge", "--quiet", "-X", "ours", "-m", "pull", "main", GIT_COMMITTER_DATE=date)
        repository.git("checkout", "--quiet", "-B", "main", "local")
        shas += [repository.git("rev-parse", "HEAD"), repository.commit_at(BEGIN + 2 * HOUR)]
        repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
        for turn, number in enumerate([5, 1, 4, 0, 3, 2]):
            shallow = Repository(repository.path.parent / f"shallow{turn}")
            shallow.git("fetch", "--quiet", "--depth", "1", f"file://{repository.path}", shas[number])
            shallow.git("checkout", "--quiet", "--force", "FETCH_HEAD")
            publish(shallow, shallow.measured(0.001 * (1 + turn / 1e6), at=BEGIN + 100 * HOUR + turn))
        assert order(repository) == shas


class TestTwoRepositories:
    """Devices of different repositories in one store do not mix their orders."""

    @pytest.mark.slow
    def test_each_in_its_own(self, tmp_path: Path) -> None:
        one, other = Repository(tmp_path / "one"), Repository(tmp_path / "other")
        (other.path / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "1.0"\n')
        ones = [one.commit_at(BEGIN) for _ in range(4)]
        others = [other.commit_at(BEGIN + number) for number in range(4)]
        for repository, shas in ((one, ones), (other, others)):
            stepping(repository, list(reversed(shas)), (1, 2, 3, 4))
        rows = asked(one, "trend", "*")
        assert [row["commit"] for row in rows if row["dut_name"] == "proj"] == ones
        assert [row["commit"] for row in rows if row["dut_name"] == "other"] == others

    def test_the_newest_commit_is_that_of_the_checkout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A gate in one repository does not judge the newest commit of another, which others publish into the same bucket."""
        one, other = Repository(tmp_path / "one"), Repository(tmp_path / "other")
        (other.path / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "1.0"\n')
        shas = []
        for repository, start, last in ((one, BEGIN, 0.002), (other, BEGIN + 30 * HOUR, 0.001)):
            for number in range(10):
                repository.commit_at(start + number * HOUR)
                mean = last if number == 9 else 0.001 * (1 + number % 3 / 1000)
                publish(repository, repository.measured(mean, at=start + number * HOUR + 60))
            shas.append(repository.git("rev-parse", "HEAD"))
        for repository, code, sha in ((one, 1, shas[0]), (other, 0, shas[1])):
            monkeypatch.chdir(repository.path)
            answer = bench_db("check", "--store", store_of(one), "--output", "json")
            assert answer.code == code, (answer.err, answer.out)
            assert answer.document["candidate"] == sha
        # a clone of depth one of something newer has none of the commits, and its project has the name of the device
        shallow = Repository(tmp_path / "shallow")
        (shallow.path / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "1.0"\n')
        shallow.commit_at(BEGIN + 90 * HOUR)
        words = ("compare", "latest", "--store", store_of(one), "--output", "json")
        monkeypatch.chdir(shallow.path)
        assert bench_db(*words).document["candidate"] == shas[1]
        monkeypatch.chdir(tmp_path)
        assert bench_db(*words).document["candidate"] == shas[1]
        assert bench_db(*words).document["history"].endswith(f"not of others: the newest of proj is {shas[0][:9]}")
        assert f"the newest of proj is {shas[0][:9]}" in bench_db("show", "--store", store_of(one)).err
        answer = bench_db("check", "--store", store_of(one))
        assert (answer.code, answer.out) == (2, "")
        assert f"the newest of proj is {shas[0][:9]}; choose a device with --dut-name, or name a commit" in answer.err
        assert bench_db(*words, "--dut-name", "proj").document["candidate"] == shas[0]

    def test_devices_of_one_repository(self, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where each commit measures what it changed, the newest commit is that of any device, with and without a clone."""
        shas = []
        for number, devices in enumerate(["ab", "a", "b", "a"]):
            shas.append(repository.commit_at(BEGIN + number * HOUR))
            for device in devices:
                file = repository.measured(0.001 * (1 + number / 1000), at=BEGIN + number * HOUR + 60)
                publish(repository, file, "--dut-name", device, "--checkout", repository.path)
        for place in (repository.path, repository.path.parent):
            monkeypatch.chdir(place)
            assert asked(repository, "compare", "latest")["candidate"] == shas[-1]
