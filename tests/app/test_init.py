from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.app.init import Initialised, init, proposal
from bench_db.errors import UserError
from tests.app.recognising import FIXTURE, PYPROJECT, repository
from tests.app.test_tools import REPOSITORIES
from tests.cli.commands import bench_db, document
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("bench-db.toml", ".github/workflows/benchmarks.yml")
ACTION = "o/bench_db@abc123"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with pytest-benchmark and Go, without a remote."""
    files = {"pyproject.toml": PYPROJECT, "tests/test_speed.py": FIXTURE, **REPOSITORIES["go"][0]}
    return repository(tmp_path / "lib", files)


def initialised(root: Path, **stated: Any) -> Initialised:
    return init(root, **{"action": ACTION, "store": "s3://b/p", **stated})


def tree(root: Path) -> dict[str, str]:
    """Return the files of a repository without those of git."""
    files = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts)
    return {str(path.relative_to(root)): path.read_text() for path in files}


class TestFiles:
    """All files are written or none, and an existing one is replaced only on request."""

    def test_written(self, root: Path) -> None:
        done = initialised(root)
        assert tuple(done.files) == FILES
        assert {name: (root / name).read_text("utf-8") for name in FILES} == done.files
        assert [one.name for one in done.suites] == ["python", "go"]

    def test_a_dry_run_writes_nothing(self, root: Path) -> None:
        before = tree(root)
        done = initialised(root, dry_run=True)
        assert tree(root) == before
        assert tuple(done.files) == FILES

    @pytest.mark.parametrize("name", FILES)
    @pytest.mark.parametrize("link", [False, True])
    def test_an_existing_file(self, name: str, link: bool, root: Path) -> None:  # noqa: FBT001 a parameter
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if link:
            (root / name).symlink_to("nothing")
        else:
            (root / name).write_text("mine")
        before = tree(root)
        with pytest.raises(UserError, match="exists already; nothing was written") as error:
            initialised(root)
        assert f": {name} exists" in str(error.value)
        assert tree(root) == before
        done = initialised(root, force=True)
        assert {other: (root / other).read_text("utf-8") for other in FILES} == done.files
        assert not (root / "nothing").exists()  # the link is replaced, not followed

    def test_a_failure_leaves_everything_as_it_was(self, root: Path) -> None:
        (root / "bench-db.toml").write_text("mine")
        (root / ".github").write_text("a file where a directory belongs")
        before = tree(root)
        with pytest.raises(UserError, match="nothing was written"):
            initialised(root, force=True)
        assert tree(root) == before
        assert {path.name for path in root.iterdir()} == {*(name.partition("/")[0] for name in before), ".git"}

    def test_a_link_out_of_the_repository(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (root / ".github").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(UserError, match="leads out of the repository"):
            initialised(root, force=True)
        assert list((tmp_path / "elsewhere").iterdir()) == []
        assert not (root / "bench-db.toml").exists()

    def test_from_a_directory_below(self, root: Path) -> None:
        initialised(root / "tests")
        assert (root / "bench-db.toml").exists()


class TestAnswers:
    """The three questions have flags, and a wrong answer is an error before anything is written."""

    def test_chosen_suites(self, root: Path) -> None:
        done = initialised(root, suites=["go"])
        assert ([one.name for one in done.suites], [one.name for one in done.left_out]) == (["go"], ["python"])
        assert "[suite.python]" not in done.files["bench-db.toml"]

    @pytest.mark.parametrize(
        ("stated", "message"),
        [
            ({"suites": ["goo"]}, "there are: python, go"),
            ({"schedule": "hourly"}, "nightly, weekly, never or a cron"),
            ({"schedule": "* * * *\n"}, "five fields"),
            ({"action": "o/bench_db"}, "not OWNER/NAME@REF"),
            ({"action": "o/n@x # y"}, "not OWNER/NAME@REF"),
        ],
    )
    def test_wrong(self, stated: dict[str, Any], message: str, root: Path) -> None:
        with pytest.raises(UserError, match=message):
            initialised(root, **stated)
        assert not (root / "bench-db.toml").exists()

    def test_a_cron_expression(self, root: Path) -> None:
        assert '- cron: "5 4 * * 1-5"' in initialised(root, schedule="5 4 * * 1-5").files[FILES[1]]

    def test_nothing_recognised(self, tmp_path: Path) -> None:
        cargo = '[package]\nname = "x"\n[dev-dependencies]\ndivan = "0.1"\n'
        with pytest.raises(UserError, match=r"no benchmark tool .*divan at Cargo.toml:4.*\[suite.NAME\]"):
            initialised(repository(tmp_path, {"Cargo.toml": cargo}))


class TestAction:
    """The action is that of the repository that bench_db was installed from, at its commit."""

    @pytest.fixture(autouse=True)
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return the metadata of an installed bench-db, which precedes the one of the tests."""
        installed = tmp_path / "site/bench_db-9.9.dist-info"
        installed.mkdir(parents=True)
        (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-db\nVersion: 9.9\n")
        monkeypatch.syspath_prepend(installed.parent)
        return installed

    def tell(self, site: Path, **told: Any) -> None:
        (site / "direct_url.json").write_text(json.dumps(told))

    def test_from_git(self, root: Path, site: Path) -> None:
        self.tell(site, url="https://github.com/me/bench_db.git", vcs_info={"vcs": "git", "commit_id": "b" * 40})
        assert f"uses: me/bench_db/.github/actions/publish@{'b' * 40}" in initialised(root, action=None).files[FILES[1]]

    def test_from_a_checkout(self, root: Path, tmp_path: Path, site: Path) -> None:
        checkout = History(tmp_path / "a checkout")
        sha = checkout.commit("x")
        self.tell(site, url=(checkout.path / "packages").as_uri(), dir_info={"editable": True})
        (checkout.path / "packages").mkdir()
        assert "uses: OWNER/bench_db/.github" in initialised(root, action=None, dry_run=True).files[FILES[1]]
        checkout.git("remote", "add", "origin", "git@github.com:me/bench_db.git")
        assert f"uses: me/bench_db/.github/actions/publish@{sha}" in initialised(root, action=None).files[FILES[1]]

    def test_from_an_index(self, root: Path) -> None:
        """What is assumed is said, and what must be replaced is to do."""
        done = initialised(root, action=None, dry_run=True)
        assert any("OWNER/bench_db@main" in guess for guess in done.assumed)
        assert any("replace OWNER" in note for note in done.notes)
        History(root).git("remote", "add", "origin", "git@github.com:me/lib.git")
        done = initialised(root, action=None)
        assert "uses: me/bench_db/.github/actions/publish@main" in done.files[FILES[1]]
        assert any("me/bench_db@main" in guess for guess in done.assumed)
        assert not any("OWNER" in note for note in done.notes)


class TestProject:
    """Name, repository, branch and service come from the checkout."""

    @pytest.mark.parametrize(
        ("url", "repository", "file"),
        [
            ("git@github.com:me/lib.git", "me/lib", FILES[1]),
            ("https://github.com/me/my.lib", "me/my.lib", FILES[1]),
            ("ssh://git@gitlab.example.org:2222/group/sub/lib.git", "group/sub/lib", ".gitlab-ci.yml"),
            ("https://user:secret@gitlab.com/me/lib.git/", "me/lib", ".gitlab-ci.yml"),
            ("../git/lib.git", "", FILES[1]),
        ],
    )
    def test_of_the_remote(self, url: str, repository: str, file: str, root: Path) -> None:
        History(root).git("remote", "add", "origin", url)
        done = initialised(root)
        assert tuple(done.files) == ("bench-db.toml", file)
        assert (f'repository = "{repository}"\n' if repository else 'name = "lib"\nbranch') in done.files[
            "bench-db.toml"
        ]
        assert "secret@" not in "".join(done.files.values())

    def test_the_branch_of_the_checkout(self, root: Path) -> None:
        History(root).git("checkout", "--quiet", "-b", "trunk")
        assert 'branch = "trunk"' in initialised(root).files["bench-db.toml"]

    def test_assumed(self, root: Path) -> None:
        assert initialised(root, dry_run=True).assumed == (
            "CI is GitHub Actions, because the checkout has no remote origin",
        )
        assert initialised(root, ci="gitlab", dry_run=True).assumed == ()

    def test_alarms(self, root: Path) -> None:
        done = initialised(root, alarm="slack", schedule="never")
        assert 'address_env = "SLACK_WEBHOOK"' in done.files[FILES[0]]
        assert any("set the secret SLACK_WEBHOOK" in note for note in done.notes)
        assert any("without a schedule nothing scans" in note for note in done.notes)
        with pytest.raises(UserError, match="`alarm`: gitlab writes issues of the repository, and the checkout has no"):
            initialised(root, ci="gitlab", alarm="gitlab")
        History(root).git("remote", "add", "origin", "git@gitlab.com:me/lib.git")
        gitlab = initialised(root, alarm="gitlab", dry_run=True)
        assert any("masked, BENCH_DB_GITLAB_TOKEN to the token" in note for note in gitlab.notes)

    def test_notes(self, root: Path) -> None:
        assert any("BENCH_DB_URI" in note for note in initialised(root, store="", dry_run=True).notes)
        assert any("runner of your own" in note for note in initialised(root, store="../x", dry_run=True).notes)
        assert any("Pipeline schedules" in note for note in initialised(root, ci="gitlab", dry_run=True).notes)


@pytest.mark.parametrize("format_", REPOSITORIES)
def test_every_repository_is_planned(format_: str, tmp_path: Path) -> None:
    """What init wrote, `suites` lists and `backfill` plans."""
    root = repository(tmp_path / "lib", REPOSITORIES[format_][0])
    History(root).commit("all")
    done = initialised(root)
    [suite] = document(bench_db("suites", "--output", "json", cwd=root))
    assert suite["name"] == done.suites[0].name
    plan = document(
        bench_db("backfill", "--range", "HEAD", "--dry-run", "--store", ".bench-db/try", "--output", "json", cwd=root)
    )
    assert [step["suites"] for step in plan["steps"]] in ([[suite["name"]]], [[]])
    assert done.steps[0] == "bench-db backfill --range HEAD --store .bench-db/try"


def test_a_proposal_writes_nothing(root: Path) -> None:
    before = tree(root)
    assert [one.tool for one in proposal(root).found] == ["pytest-benchmark", "Go"]
    assert tree(root) == before
