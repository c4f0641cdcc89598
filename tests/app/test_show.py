from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import bench_db as api
from bench_db.errors import UserError
from bench_db.model import ChangeKind, Finding, TestBed
from bench_db.store.database import connect
from tests.cli.asking import AT
from tests.cli.kinds import BED, entry, publish, publish_all, sha
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database

ARM = TestBed(name="arm", cpu="a", memory_gb=4, os="Linux 6")
RUN = "https://forge.example/me/lib/actions/runs/7"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


class TestShow:
    """A commit is compared with the measured commit before it on its branch, on all test beds."""

    def test_verdicts(self, database: Database) -> None:
        levels = [{"f": 100.0 + number / 10, "g": 5.0} for number in range(6)]
        publish_all(database, [entry(n, level, bed=bed) for n, level in enumerate(levels) for bed in (BED, ARM)])
        publish(database, 8, {"f": 150.0, "g": 5.0}, repository="me/lib", run_url=RUN)
        publish(database, 8, {"f": 150.0, "g": "no such file"}, bed=ARM)
        shown = api.show(database, sha(8)[:9])
        verdicts = {
            (c.series.benchmark_name, c.series.test_bed_name): str(c.verdict) for c in shown.compared.comparisons
        }
        assert verdicts == {
            ("f", "ci-1"): "regressed",
            ("f", "arm"): "regressed",
            ("g", "ci-1"): "unchanged",
            ("g", "arm"): "failed",
        }
        assert (shown.before, shown.commits_since, [c.note for c in shown.failed]) == (sha(5), None, ["no such file"])
        assert shown.difference_url == f"https://forge.example/me/lib/compare/{sha(5)}...{sha(8)}"
        assert [s.command for s in shown.suspicions] == [f"bench-db bisect {sha(5)[:9]} {sha(8)[:9]} --benchmark f"]
        assert shown.frame().height == 4

    def test_a_commit_that_only_failed_is_not_the_one_before(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        publish(database, 2, {"f": "broken"})
        publish(database, 3, {"f": 1.0})
        assert api.show(database, sha(3)).before == sha(1)
        first = api.show(database, sha(1))
        assert (first.before, first.difference_url, first.suspicions) == (None, "", [])

    def test_of_its_own_branch(self, database: Database) -> None:
        for number, branch in enumerate(("main", "topic", "main", "topic", "other")):
            publish(database, number, {"f": 1.0}, branch=branch)
        before = {number: api.show(database, sha(number)).before for number in (1, 2, 3, 4)}
        assert before == {1: sha(0), 2: sha(0), 3: sha(1), 4: sha(2)}

    def test_the_commits_of_the_clone(self, database: Database, tmp_path: Path) -> None:
        clone = History(tmp_path / "clone")
        shas = [clone.commit(f"change {number}") for number in range(4)]
        publish(database, 0, {"f": 1.0}, commit=shas[0])
        publish(database, 3, {"f": 1.0}, commit=shas[3])
        shown = api.show(database, "HEAD", clone=clone.path)
        assert [one.subject for one in shown.since] == ["change 1", "change 2", "change 3"]
        document = json.loads(json.dumps(shown.document))
        assert (document["commits_since"], document["since"][-1]["commit"]) == (3, shas[3])

    def test_findings_and_their_command(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0, "g": 1.0}, suite="s")
        publish(database, 3, {"f": 1.01, "g": 1.0}, suite="s")
        key = dict(database.latest().select("benchmark_name", "series_key").iter_rows())["f"]
        numbers = {"effect": 0.01, "low": 0.0, "high": 0.2, "p_value": 0.01, "provisional": False}
        database.record_findings([Finding(id="abc", series_key=key, commit=sha(3), index=1, at=AT, **numbers)])  # type: ignore[arg-type]
        shown = api.show(database, sha(3))
        assert [finding.id for finding in shown.findings] == ["abc"]
        (suspicion,) = shown.suspicions
        assert suspicion.command.endswith("--benchmark f --suite s --least-change 0.005")
        assert api.show(database, sha(1)).findings == []

    @pytest.mark.parametrize("kind", [ChangeKind.SPREAD, ChangeKind.MODES])
    def test_no_command_for_a_finding_of_no_level(self, kind: ChangeKind, database: Database) -> None:
        publish(database, 1, {"f": 1.0}, suite="s")
        publish(database, 3, {"f": 1.01}, suite="s")
        key = dict(database.latest().select("benchmark_name", "series_key").iter_rows())["f"]
        numbers = {"effect": None, "low": None, "high": None, "p_value": 0.01, "provisional": False}
        about: dict[str, Any] = {**numbers, "kind": kind, "before": 0.1, "after": 0.5}
        database.record_findings([Finding(id="abc", series_key=key, commit=sha(3), index=1, at=AT, **about)])
        shown = api.show(database, sha(3))
        assert [finding.id for finding in shown.findings] == ["abc"]
        assert shown.suspicions == []

    def test_unknown_and_ambiguous(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0}, commit="abcdef01" + "0" * 32)
        publish(database, 2, {"f": 1.0}, commit="abcdef02" + "0" * 32)
        with pytest.raises(UserError, match="no results of ffff"):
            api.show(database, "f" * 40)
        with pytest.raises(UserError, match="abcdef0 means 2 commits"):
            api.show(database, "abcdef0")
