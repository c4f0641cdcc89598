from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from bench_db.errors import UserError
from bench_db.ingest import Build, Provenance, build_of
from bench_db.ingest.host import checkout_around
from bench_db.model import CiChange, Run
from tests.ingest.formats.test_criterion_dir import measure
from tests.ingest.support import pytest_benchmark, pytest_file, read

WHO = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
WHEN = {
    "GIT_AUTHOR_DATE": "1600000000 +0000",
    "GIT_COMMITTER_DATE": "1600000001 +0000",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    answer = subprocess.run(command, env={**os.environ, **WHO, **WHEN}, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    path = tmp_path / "checkout"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "Cargo.toml").write_text('[package]\nname = "lib"\nversion = "0.15.0"\n')
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "one")
    return path


class TestBuildOf:
    """Name and version come from the manifest of a checkout, the rest from its history; missing values are no error."""

    def test_all_of_it(self, checkout: Path) -> None:
        sha = git(checkout, "rev-parse", "HEAD")
        expected = Build(name="lib", version=f"0.15.0+{sha[:7]}", commit=sha, branch="main", timestamp=1600000001)
        assert build_of(checkout) == expected

    def test_detached_head_has_no_branch(self, checkout: Path) -> None:
        git(checkout, "checkout", "-q", "--detach")
        assert build_of(checkout).branch is None

    def test_no_commit_yet(self, tmp_path: Path) -> None:
        git(tmp_path, "init", "-q", "-b", "main")
        assert build_of(tmp_path) == Build(branch="main")

    def test_parents(self, checkout: Path) -> None:
        """A message that looks like a header is none."""
        one = git(checkout, "rev-parse", "HEAD")
        git(checkout, "commit", "-q", "--allow-empty", "-m", f"two\n\nparent {'0' * 40}\ncommitter x <x> 7 +0000")
        build = build_of(checkout)
        assert (build.commit, build.parents) == (git(checkout, "rev-parse", "HEAD"), (one,))
        assert build.timestamp == 1600000001

    def test_no_git(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "2"\n')
        assert build_of(tmp_path) == Build(name="p", version="2")

    def test_nothing(self, tmp_path: Path) -> None:
        assert build_of(tmp_path) == build_of(tmp_path / "not there") == Build()

    def test_unborn_branch(self, tmp_path: Path) -> None:
        git(tmp_path, "init", "-q", "-b", "start")
        assert build_of(tmp_path) == Build(branch="start")

    @pytest.mark.parametrize("branch", ["--upload-pack=touch", "x;id", "$(id)", "`id`", "HEAD", "a/b"])
    def test_hostile_branch_is_a_name(self, checkout: Path, branch: str) -> None:
        git(checkout, "update-ref", f"refs/heads/{branch}", "HEAD")
        git(checkout, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
        build = build_of(checkout)
        assert build.branch == branch
        assert (build.commit, build.timestamp) == (git(checkout, "rev-parse", "main"), 1600000001)

    def test_tag_called_head_is_not_the_head(self, checkout: Path) -> None:
        git(checkout, "commit", "-q", "--allow-empty", "-m", "two")
        git(checkout, "update-ref", "refs/tags/HEAD", "HEAD~1")
        assert build_of(checkout).commit == git(checkout, "rev-parse", "main")


class TestManifest:
    """Cargo.toml before pyproject.toml; a version defined elsewhere is unknown; an invalid manifest is ignored."""

    @pytest.mark.parametrize(
        ("file", "text", "name", "version"),
        [
            ("Cargo.toml", '[workspace.package]\nversion = "1.2"\n', None, "1.2"),
            (
                "Cargo.toml",
                '[package]\nname = "m"\nversion.workspace = true\n[workspace.package]\nversion = "3"\n',
                "m",
                "3",
            ),
            ("Cargo.toml", '[package]\nname = "m"\nversion = { workspace = true }\n', "m", None),
            ("pyproject.toml", '[tool.poetry]\nname = "q"\nversion = "4"\n', "q", "4"),
            ("pyproject.toml", '[project]\nname = "q"\ndynamic = ["version"]\n', "q", None),
            ("pyproject.toml", "[project\n", None, None),
            ("pyproject.toml", "project = 5\n", None, None),
            ("Cargo.toml", "\xff", None, None),
        ],
    )
    def test_forms(self, tmp_path: Path, file: str, text: str, name: str | None, version: str | None) -> None:
        (tmp_path / file).write_bytes(text.encode("latin-1"))
        assert build_of(tmp_path) == Build(name=name, version=version)

    def test_cargo_first(self, checkout: Path) -> None:
        (checkout / "pyproject.toml").write_text('[project]\nname = "other"\n')
        assert build_of(checkout).name == "lib"


class TestMeasuredSource:
    """A file in a checkout was measured from it, unless it names another commit or device."""

    def test_around_the_file(self, checkout: Path) -> None:
        measure(checkout / "target" / "criterion")
        run, _ = read(checkout / "target" / "criterion", provenance=Provenance(ingested_at=1))
        sha = git(checkout, "rev-parse", "HEAD")
        assert (run.dut.name, run.dut.version, run.dut.timestamp) == ("lib", f"0.15.0+{sha[:7]}", 1600000001)
        assert (run.commit, run.branch) == (sha, "main")

    @pytest.mark.parametrize("said", [{"commit": "f" * 40}, {"dut_version": "1+fffffff"}, {"dut_name": "postgres"}])
    def test_of_another_commit_or_device(self, checkout: Path, said: dict[str, str]) -> None:
        measure(checkout)
        run, _ = read(checkout, provenance=Provenance(ingested_at=1, **said))  # type: ignore[arg-type]
        assert (run.branch, run.dut.timestamp, run.dut.name) == (None, 0, said.get("dut_name", "unknown"))

    def test_file_that_names_its_own_commit(self, checkout: Path) -> None:
        commit = {"id": "e" * 40}
        run, _ = read(checkout / "f", pytest_file(pytest_benchmark(), commit_info=commit), Provenance(ingested_at=1))
        assert (run.dut.name, run.dut.version, run.branch) == ("unknown", "eeeeeee", None)

    def test_declared_checkout(self, checkout: Path, tmp_path: Path) -> None:
        said = Provenance(ingested_at=1, checkout=checkout, dut_name="renamed")
        run, _ = read(tmp_path / "f", pytest_file(pytest_benchmark()), said)
        assert (run.dut.name, run.dut.timestamp, run.branch) == ("renamed", 1600000001, "main")

    def test_checkout_around(self, checkout: Path, tmp_path: Path) -> None:
        assert checkout_around(checkout / "a" / "b") == checkout
        assert checkout_around(tmp_path / "elsewhere") is None

    def test_checkout_around_a_relative_path(
        self, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inside = checkout / "a"
        inside.mkdir()
        monkeypatch.chdir(inside)
        outside = Path(os.path.relpath(tmp_path, inside)) / "elsewhere" / "x.json"
        assert checkout_around(outside) is None
        assert checkout_around(Path("x.json")) == checkout


def publish(checkout: Path, provenance: Provenance = Provenance(), **commit_info: str) -> Run:  # noqa: B008 frozen
    """Return the run of a file in a checkout; `commit_info` is what the file says of its commit."""
    content = pytest_file(pytest_benchmark(), commit_info=commit_info)
    return read(checkout / "f", content, replace(provenance, ingested_at=1))[0]


class TestCommitName:
    """A stated commit is stored as a full sha; a name is resolved in the checkout, or refused."""

    @pytest.mark.parametrize("name", ["HEAD", "main", "v1", "refs/heads/main", "HEAD~0"])
    def test_name_in_the_checkout(self, checkout: Path, name: str) -> None:
        git(checkout, "tag", "-a", "v1", "-m", "annotated")
        sha = git(checkout, "rev-parse", "HEAD")
        run = publish(checkout, Provenance(commit=name))
        assert (run.commit, run.dut.version, run.branch) == (sha, f"0.15.0+{sha[:7]}", "main")

    def test_abbreviation(self, checkout: Path) -> None:
        sha = git(checkout, "rev-parse", "HEAD")
        for stated in (sha[:9], sha[:9].upper()):
            assert publish(checkout, Provenance(commit=stated)).commit == sha
        assert publish(checkout, Provenance(dut_version=f"1+{sha[:7]}")).commit == sha
        assert publish(checkout, id=sha[:8]).commit == sha

    def test_name_in_the_working_directory(
        self, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(checkout)
        assert publish(elsewhere, Provenance(commit="HEAD")).commit == git(checkout, "rev-parse", "HEAD")

    def test_older_commit_has_its_own_time_and_no_branch(self, checkout: Path) -> None:
        first = git(checkout, "rev-parse", "HEAD")
        when = "1600000500 +0000"
        command = ["git", "-C", str(checkout), "commit", "-q", "--allow-empty", "-m", "two"]
        subprocess.run(
            command, env={**os.environ, **WHO, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}, check=True
        )
        run = publish(checkout, Provenance(commit="HEAD~1"))
        assert (run.commit, run.dut.name, run.dut.timestamp, run.branch) == (first, "lib", 1600000001, None)

    def test_full_sha_needs_no_checkout(self, tmp_path: Path) -> None:
        assert publish(tmp_path, Provenance(commit="AB" * 20)).commit == "ab" * 20

    @pytest.mark.parametrize("name", ["nowhere", "abcdef1", "", "--help", "HEAD^{tree}", "a" * 41])
    def test_unknown_name_is_refused(self, checkout: Path, name: str) -> None:
        with pytest.raises(UserError, match=r"^`commit` .*: not a full sha, and .* has no such commit"):
            publish(checkout, Provenance(commit=name))

    def test_no_checkout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UserError, match="no checkout here"):
            publish(tmp_path, Provenance(commit="HEAD"))

    def test_a_version_of_another_commit(self, tmp_path: Path) -> None:
        run = publish(tmp_path, Provenance(commit="a" * 40, dut_version="1.0+bbbbbbb", dut_timestamp=5))
        assert (run.commit, run.dut.version) == ("a" * 40, "1.0+bbbbbbb")
        assert "the version 1.0+bbbbbbb names another commit than aaaaaaaaa, which is stored" in run.notes


class TestStatedOverFile:
    """What a flag says replaces what the file says, with a note; facts of the other commit go with it."""

    FILE: ClassVar = {"id": "5de6afa" + "0" * 33, "time": "2020-01-01T00:00:00", "branch": "dev"}

    def test_version(self, tmp_path: Path) -> None:
        run = publish(tmp_path, Provenance(dut_version="0.15.0+feedbee", dut_timestamp=5), **self.FILE)
        assert (run.dut.version, run.commit, run.dut.timestamp, run.branch) == ("0.15.0+feedbee", "feedbee", 5, None)
        assert "the commit in the file, 5de6afa00, is replaced by feedbee, as stated" in run.notes

    def test_commit(self, tmp_path: Path) -> None:
        run = publish(tmp_path, Provenance(commit="f" * 40), **self.FILE)
        assert (run.commit, run.dut.version, run.branch, run.dut.timestamp) == ("f" * 40, "f" * 7, None, 0)

    def test_version_of_the_same_commit(self, tmp_path: Path) -> None:
        run = publish(tmp_path, Provenance(dut_version="1+5de6afa"), **self.FILE)
        assert (run.commit, run.branch, run.dut.timestamp) == (self.FILE["id"], "dev", 1577836800)
        assert run.notes == ()

    def test_branch_and_time(self, tmp_path: Path) -> None:
        run = publish(tmp_path, Provenance(branch="main", dut_timestamp=7), **self.FILE)
        assert (run.commit, run.branch, run.dut.timestamp) == (self.FILE["id"], "main", 7)
        assert run.notes == (
            "the branch in the file, dev, is replaced by main, as stated",
            "the time of the commit in the file, 1577836800, is replaced by 7, as stated",
        )


class TestTimes:
    """Times are between 1970 and a year from now; a stated time is refused, one of a file or checkout is ignored with a note."""

    @pytest.mark.parametrize(
        ("stated", "reason"),
        [
            (1_700_000_000_000, "these are milliseconds; in unix seconds it is 1700000000"),
            (1_700_000_000_000_000, "these are microseconds; in unix seconds it is 1700000000"),
            (1_700_000_000_000_000_000, "these are nanoseconds; in unix seconds it is 1700000000"),
            (-1, "it is before 1970"),
            (7_000_000_000, "is more than a year from now"),
        ],
    )
    def test_stated(self, tmp_path: Path, stated: int, reason: str) -> None:
        with pytest.raises(UserError, match=rf"^`dut_timestamp` {stated}: .*{reason}"):
            publish(tmp_path, Provenance(dut_timestamp=stated))

    def test_bounds_are_valid(self, tmp_path: Path) -> None:
        for stated in (0, int(time.time()) + 364 * 86_400):
            assert publish(tmp_path, Provenance(dut_timestamp=stated)).dut.timestamp == stated

    @pytest.mark.parametrize("written", ["1950-01-01T00:00:00", "2099-01-01T00:00:00"])
    def test_of_a_file(self, tmp_path: Path, written: str) -> None:
        content = pytest_file(pytest_benchmark(), commit_info={"id": "a" * 40, "time": written}, datetime=written)
        run, _ = read(tmp_path / "f", content, Provenance(ingested_at=1))
        assert (run.run_time, run.dut.timestamp) == (None, 0)
        assert sum("is not used: " in note for note in run.notes) == 2

    def test_of_a_checkout(self, checkout: Path) -> None:
        when = "4070908800 +0000"
        command = ["git", "-C", str(checkout), "commit", "-q", "--allow-empty", "-m", "later"]
        subprocess.run(command, env={**os.environ, **WHO, "GIT_COMMITTER_DATE": when}, check=True)
        run = publish(checkout)
        assert run.dut.timestamp == 0
        assert any("time of the commit in the checkout, 4070908800, is not used" in note for note in run.notes)


class TestCommitOfAFile:
    """A word in place of a sha is not stored as a commit."""

    def test_word(self, tmp_path: Path) -> None:
        (tmp_path / "f.csv").write_text("time,commit,p99\n1700000000,r1234,5\n")
        run, _ = read(tmp_path / "f.csv", None, Provenance(ingested_at=1))
        assert (run.commit, run.dut.version) == (None, "r1234")
        assert "the commit in the file, r1234, is not used: it is not a sha of 7 digits or more" in run.notes


@pytest.fixture
def unwalked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a git on the path that fails where it has to walk the history."""
    found = shutil.which("git")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text(f'#!/bin/sh\ncase "$*" in *--contains*) exit 1;; esac\nexec {found} "$@"\n')
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def merged(checkout: Path) -> Path:
    """Return a checkout as CI makes one of a pull request: detached at its merge into main."""
    git(checkout, "checkout", "-q", "-b", "idea")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "pull request")
    git(checkout, "checkout", "-q", "main")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "main goes on")
    git(checkout, "checkout", "-q", "--detach")
    git(checkout, "merge", "-q", "--no-ff", "idea", "-m", "merge")
    return checkout


class TestPullRequest:
    """The merge that CI checks out is stored under the head of its pull request, never as a commit of the main branch."""

    def change(self, checkout: Path, **more: str | bool | None) -> CiChange:
        return replace(
            CiChange(commit=git(checkout, "rev-parse", "HEAD"), branch="idea", default_branch="main", pr_number=12),
            **more,  # type: ignore[arg-type]
        )

    def test_merge(self, merged: Path) -> None:
        merge, head = git(merged, "rev-parse", "HEAD"), git(merged, "rev-parse", "idea")
        run = publish(merged, Provenance(change=self.change(merged)))
        assert (run.commit, run.merge_commit, run.branch, run.pr_number) == (head, merge, "idea", 12)
        assert (run.default_branch, run.dut.version) == ("main", f"0.15.0+{head[:7]}")
        assert any(note.startswith(f"commit {merge[:9]} is a merge that CI made") for note in run.notes)
        assert not any("detached" in note for note in run.notes)

    def test_file_or_flag_that_names_the_merge(self, merged: Path) -> None:
        merge, head = git(merged, "rev-parse", "HEAD"), git(merged, "rev-parse", "idea")
        change = self.change(merged)
        for run in (
            publish(merged, Provenance(change=change), id=merge, time="2020-01-01T00:00:00"),
            publish(merged, Provenance(change=change, commit=merge)),
            publish(merged, Provenance(change=change, commit="HEAD")),
        ):
            assert (run.commit, run.merge_commit, run.dut.timestamp) == (head, merge, 1600000001)

    def test_clone_of_one_commit(self, merged: Path, tmp_path: Path) -> None:
        git(merged, "update-ref", "refs/pull/12/merge", "HEAD")
        head = git(merged, "rev-parse", "idea")
        shallow = tmp_path / "shallow"
        shallow.mkdir()
        git(shallow, "init", "-q")
        git(shallow, "fetch", "-q", "--depth=1", merged.as_uri(), "refs/pull/12/merge:refs/remotes/pull/12/merge")
        git(shallow, "checkout", "-q", "--detach", "refs/remotes/pull/12/merge")
        run = publish(shallow, Provenance(change=self.change(shallow)))
        assert (run.commit, run.pr_number, run.dut.timestamp) == (head, 12, 1600000001)

    def test_reference_of_the_forge_without_ci(self, merged: Path) -> None:
        git(merged, "update-ref", "refs/remotes/pull/12/merge", "HEAD")
        run = publish(merged)
        assert (run.commit, run.pr_number) == (git(merged, "rev-parse", "idea"), 12)

    def test_no_checkout(self, merged: Path, tmp_path: Path) -> None:
        change = self.change(merged, head_commit="b" * 40)
        assert change.commit is not None
        run = publish(tmp_path, Provenance(change=change), id=change.commit)
        assert (run.commit, run.merge_commit, run.pr_number) == ("b" * 40, change.commit, 12)

    def test_head_checked_out(self, merged: Path) -> None:
        change = self.change(merged, head_commit=git(merged, "rev-parse", "idea"))
        git(merged, "checkout", "-q", "--detach", "idea")
        run = publish(merged, Provenance(change=change))
        assert (run.commit, run.merge_commit, run.branch, run.pr_number) == (change.head_commit, None, "idea", 12)

    def test_base_checked_out_is_of_the_main_branch(self, merged: Path) -> None:
        change = self.change(merged, base_commit=git(merged, "rev-parse", "main"), base_branch="main")
        git(merged, "checkout", "-q", "--detach", "main")
        run = publish(merged, Provenance(change=change))
        assert (run.commit, run.branch, run.pr_number) == (change.base_commit, "main", None)

    def test_another_repository_than_that_of_the_job(self, merged: Path) -> None:
        """It is at another commit; a repository with another name at the commit of the job is the same one, renamed or a fork."""
        git(merged, "remote", "add", "origin", "https://github.example/o/other.git")
        elsewhere = self.change(merged, commit="c" * 40, repository="o/benchmarks")
        run = publish(merged, Provenance(change=elsewhere))
        assert (run.commit, run.pr_number, run.branch) == (git(merged, "rev-parse", "HEAD"), None, None)
        for same in ("me/Other", "o/other", "o/before-it-was-renamed"):
            assert publish(merged, Provenance(change=self.change(merged, repository=same))).pr_number == 12

    def test_job_of_a_merged_pull_request(self, merged: Path) -> None:
        """It is at the commit that main has, and may check out the head."""
        main, head = git(merged, "rev-parse", "main"), git(merged, "rev-parse", "idea")
        change = self.change(merged, commit=None, head_commit=head, base_commit=main, base_branch="main")
        for commit, branch, number in ((main, "main", None), (head, "idea", 12)):
            git(merged, "checkout", "-q", "--detach", commit)
            run = publish(merged, Provenance(change=change))
            assert (run.commit, run.branch, run.pr_number) == (commit, branch, number)

    @pytest.mark.parametrize("kind", ["head", "merge"])
    def test_job_that_a_person_starts_on_main(self, merged: Path, kind: str) -> None:
        """The pull request that it checks out is not of the branch of the job."""
        git(merged, "checkout", "-q", "--detach", "HEAD" if kind == "merge" else "idea")
        git(merged, "update-ref", f"refs/remotes/pull/12/{kind}", "HEAD")
        change = CiChange(commit=git(merged, "rev-parse", "main"), branch="main", default_branch="main")
        run = publish(merged, Provenance(change=change))
        assert (run.commit, run.branch, run.pr_number) == (git(merged, "rev-parse", "idea"), None, 12)

    def comment(self, checkout: Path) -> CiChange:
        """Return the change of a job that a comment starts on main: the event names no head."""
        tip = git(checkout, "rev-parse", "main")
        return self.change(
            checkout, commit=None, base_commit=tip, branch=None, base_branch="main", repository="owner/name"
        )

    @pytest.mark.parametrize("url", ["", "https://git.example/owner/name.git", "git@git.example:Owner/Name"])
    def test_job_of_a_comment(self, merged: Path, url: str) -> None:
        """Another commit of main is of main, and one that main does not have is of the pull request."""
        if url:
            git(merged, "remote", "add", "origin", url)
        change = self.comment(merged)
        for name, branch, number in (("main^", "main", None), ("idea", None, 12)):
            git(merged, "checkout", "-q", "--detach", name)
            run = publish(merged, Provenance(change=change))
            assert (run.commit, run.branch, run.pr_number) == (git(merged, "rev-parse", "HEAD"), branch, number)
            assert not any("branch" in note or "pull request" in note for note in run.notes)

    def test_job_of_a_comment_in_a_fork(self, merged: Path) -> None:
        """The branch of a fork that is called main is not main."""
        change = self.comment(merged)
        git(merged, "remote", "add", "origin", "https://git.example/stranger/name.git")
        git(merged, "checkout", "-q", "--detach", "main^")
        run = publish(merged, Provenance(change=change))
        assert (run.branch, run.pr_number) == (None, 12)
        assert any("pull request 12" in note for note in run.notes)

    def test_job_of_a_comment_in_a_shallow_clone(self, merged: Path, tmp_path: Path) -> None:
        change = self.comment(merged)
        git(tmp_path, "clone", "-q", "--depth=1", "--branch=main", merged.as_uri(), "clone")
        clone = tmp_path / "clone"
        git(clone, "remote", "set-url", "origin", "https://git.example/owner/name.git")
        other = git(merged, "rev-parse", "main^")
        git(clone, "fetch", "-q", "--depth=1", merged.as_uri(), other)
        git(clone, "checkout", "-q", "--detach", other)
        run = publish(clone, Provenance(change=change))
        assert (run.commit, run.branch, run.pr_number) == (other, None, 12)
        assert any(f"whether main has {other[:9]} is unknown" in note for note in run.notes)
        git(clone, "checkout", "-q", "main")
        moved = replace(change, base_commit=other)
        assert publish(clone, Provenance(change=moved)).pr_number is None

    @pytest.mark.usefixtures("unwalked")
    def test_job_of_a_comment_where_git_does_not_answer(self, merged: Path) -> None:
        change = self.comment(merged)
        git(merged, "checkout", "-q", "--detach", "main^")
        run = publish(merged, Provenance(change=change))
        assert (run.branch, run.pr_number) == (None, 12)
        assert any("is unknown here" in note for note in run.notes)

    @pytest.mark.parametrize("named", ["main", None])
    def test_open_pull_request_of_the_default_branch(self, merged: Path, tmp_path: Path, named: str | None) -> None:
        """A job of `develop` goes on to be one of `develop` while a pull request into another branch is open."""
        git(merged, "checkout", "-q", "main")
        git(tmp_path, "clone", "-q", str(merged), "clone")
        clone = tmp_path / "clone"
        change = self.change(clone, branch="main", default_branch=named, of_branch=True)
        for branch in ("main", "idea"):
            run = publish(clone, Provenance(change=replace(change, branch=branch)))
            assert (run.branch, run.pr_number) == ("main", 12 if branch == "idea" else None)
        fork = publish(clone, Provenance(change=replace(change, of_branch=False)))
        assert fork.pr_number == 12

    def test_flags_precede(self, merged: Path) -> None:
        run = publish(merged, Provenance(change=self.change(merged), pr_number=3, branch="mine"))
        assert (run.pr_number, run.branch) == (3, "mine")


class TestBranch:
    """The branch is that of the checkout, or of CI at a detached HEAD; otherwise it is unknown, with a note."""

    def test_push_in_ci(self, checkout: Path) -> None:
        git(checkout, "checkout", "-q", "--detach")
        change = CiChange(commit=git(checkout, "rev-parse", "HEAD"), branch="main", default_branch="main")
        run = publish(checkout, Provenance(change=change))
        assert (run.branch, run.default_branch, run.pr_number, run.merge_commit) == ("main", "main", None, None)

    @pytest.mark.parametrize(
        ("named", "branch"),
        [("upstream/my/idea", "my/idea"), ("my/idea", "my/idea"), ("origin/my/idea", "origin/my/idea")],
    )
    def test_remote_before_the_branch(self, checkout: Path, tmp_path: Path, named: str, branch: str) -> None:
        """Jenkins names the branch after its remote, which may have any name."""
        git(checkout, "checkout", "-q", "-b", "my/idea")
        git(tmp_path, "clone", "-q", "--origin=upstream", str(checkout), "clone")
        clone = tmp_path / "clone"
        git(clone, "checkout", "-q", "--detach")
        run = publish(clone, Provenance(change=CiChange(commit=git(clone, "rev-parse", "HEAD"), branch=named)))
        assert run.branch == branch

    def test_ci_of_another_commit_says_nothing(self, checkout: Path) -> None:
        git(checkout, "checkout", "-q", "--detach")
        assert publish(checkout, Provenance(change=CiChange(commit="e" * 40, branch="main"))).branch is None

    def test_detached(self, checkout: Path) -> None:
        git(checkout, "checkout", "-q", "--detach")
        run = publish(checkout)
        assert run.branch is None
        assert any("detached HEAD" in note for note in run.notes)
        assert not any("detached" in note for note in publish(checkout, Provenance(branch="x")).notes)

    @pytest.mark.usefixtures("unwalked")
    def test_git_does_not_answer(self, checkout: Path, tmp_path: Path) -> None:
        """That a history is too long to walk does not say that no branch has a commit."""
        git(tmp_path, "clone", "-q", str(checkout), "clone")
        git(tmp_path / "clone", "checkout", "-q", "--detach")
        run = publish(tmp_path / "clone", Provenance())
        assert run.branch is None
        assert any("detached HEAD" in note for note in run.notes)

    def test_default_branch_of_a_clone(self, checkout: Path, tmp_path: Path) -> None:
        git(tmp_path, "clone", "-q", str(checkout), "clone")
        git(tmp_path / "clone", "checkout", "-q", "-b", "idea")
        run = publish(tmp_path / "clone")
        assert (run.branch, run.default_branch) == ("idea", "main")
