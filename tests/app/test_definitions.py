from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import bench_db as api
from bench_db.errors import UserError
from bench_db.model import RecordedCommit
from bench_db.store.database import connect
from tests.cli.kinds import BED, publish, sha

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return connect(tmp_path / "store", create=True)


class TestDefine:
    """A definition is in force until it is ended; the same one again changes nothing."""

    def test_and_end(self, database: Database) -> None:
        publish(database, 1, {"old": 1.0})
        publish(database, 2, {"new": 2.0})
        first = api.define(database, "join", "old", "new", by="me", at=1)
        assert (first.changed, api.define(database, "join", "old", "new").changed) == (1, 0)
        assert database.trend("new")["median"].to_list() == [1.0, 2.0]
        assert api.definitions(database).frame()["value"].to_list() == ["new"]
        assert json.loads(json.dumps(first.document))["definitions"][0]["pattern"] == "old"
        assert api.define(database, "join", "old", lifted=True).changed == 1
        assert database.trend("new")["median"].to_list() == [2.0]

    @pytest.mark.parametrize(
        ("kind", "more", "said"),
        [
            ("rename", {}, "is no kind of definition"),
            ("alias", {"field": "cpu"}, "cannot have an alias"),
            ("alias", {"field": "dut", "value": "*"}, "means any suite, and no dut"),
            ("better", {"value": "more"}, "is no direction"),
            ("join", {"value": "x"}, "is no new name"),
        ],
    )
    def test_refused(self, database: Database, kind: str, more: dict[str, str], said: str) -> None:
        with pytest.raises(UserError, match=said):
            api.define(database, kind, "x", **more)  # type: ignore[arg-type]


class TestAnnotate:
    """A commit has one annotation for each device and one for all; results are not touched, and it can be taken away."""

    def test_and_remove(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        before = database.trend("f")
        assert api.annotate(database, sha(1)[:9], " release 1.2 ", by="me", at=5).changed == 1
        assert api.annotate(database, sha(1), "release 1.2").changed == 0
        assert api.annotate(database, sha(1), "release 1.3", dut_name="d").changed == 1
        (one, other) = api.definitions(database).definitions
        assert (one.kind, one.pattern, one.value, one.dut_name) == ("annotation", sha(1), "release 1.2", None)
        assert (other.value, other.dut_name) == ("release 1.3", "d")
        assert database.trend("f").equals(before)
        assert not api.unmapped(database).frame().height
        assert api.annotate(database, sha(1)[:9], remove=True).changed == 1
        assert [left.value for left in api.definitions(database).definitions] == ["release 1.3"]

    def test_a_commit_that_is_recorded_alone(self, database: Database) -> None:
        other = RecordedCommit(dut_name="d", commit="b" * 40, time=1, source="sync")
        database.record_commits([other])
        assert api.annotate(database, "b" * 8, "new runner").definitions[0].pattern == "b" * 40

    @pytest.mark.parametrize(
        ("commit", "rest", "said"),
        [
            ("f" * 40, {"text": "x"}, "no such commit is measured or recorded; 'bench-db commits sync'"),
            ("no-branch", {"text": "x"}, "no such commit is measured or recorded"),
            ("0abc000", {"text": " "}, "needs a text"),
            ("0abc000", {"remove": True}, "no such commit has an annotation"),
            ("version:1", {"text": "x"}, "no such commit is measured"),
        ],
    )
    def test_refused(self, database: Database, commit: str, rest: dict[str, Any], said: str) -> None:
        publish(database, 0, {"f": 1.0})
        with pytest.raises(UserError, match=said):
            api.annotate(database, sha(0)[:7] if commit == "0abc000" else commit, **rest)

    def test_an_abbreviation_of_two_commits(self, database: Database) -> None:
        for last in "12":
            database.record_commits([RecordedCommit(dut_name="d", commit="c" * 39 + last, time=1, source="sync")])
        with pytest.raises(UserError, match="2 commits begin so; give more digits"):
            api.annotate(database, "c" * 10, "x")

    def test_a_copy_and_an_export_keep_it(self, database: Database, tmp_path: Path) -> None:
        publish(database, 1, {"f": 1.0})
        api.annotate(database, sha(1), "release 1.2")
        database.export_to(tmp_path / "out")
        taken = connect(tmp_path / "taken", create=True)
        taken.import_from(tmp_path / "out")
        assert [one.value for one in taken.definitions()] == ["release 1.2"]


class TestUnmapped:
    """A name is unmapped when no definition of its field matches or gives it; stored names count, of other branches too."""

    def test_names(self, database: Database) -> None:
        publish(database, 1, {"old": 1.0, "f": 1.0}, bed=replace(BED, name="ci-linus"))
        publish(database, 2, {"new": 2.0}, bed=replace(BED, name="ci-linux"))
        publish(database, 3, {"new": 2.5}, bed=replace(BED, name="laptop"), branch="topic")
        assert api.unmapped(database).frame().is_empty()
        api.define(database, "alias", "ci-linus*", "ci-linux", field="test_bed")
        found = api.unmapped(database).frame()
        assert found.select("field", "name", "dut_name", "results").rows() == [("test_bed", "laptop", "d", 1)]
        api.define(database, "join", "old", "new")
        api.define(database, "better", "recall", "higher")
        api.define(database, "alias", "", "*", field="suite")
        assert api.unmapped(database).frame()["field"].to_list() == ["test_bed"]
        assert api.unmapped(database, field="benchmark").frame()["name"].to_list() == ["f"]
        api.define(database, "ignore", "f")
        assert api.unmapped(database, field="benchmark").document == {"unmapped": []}
        api.define(database, "pool", "laptop")
        assert api.unmapped(database).frame().is_empty()

    def test_a_definition_of_another_device(self, database: Database) -> None:
        publish(database, 1, {"f": 1.0})
        api.define(database, "join", "f", "g", dut_name="other")
        assert api.unmapped(database, field="benchmark").frame()["name"].to_list() == ["f"]

    def test_a_field_that_is_none(self, database: Database) -> None:
        with pytest.raises(UserError, match="`field`: 'cpu' has no definitions"):
            api.unmapped(database, field="cpu")


class TestUnmappedOfTables:
    """Names that an alias table of a declared format lacked are listed with their rows, those of all runs together."""

    def test_names(self, database: Database, tmp_path: Path) -> None:
        formats = {
            "format": {
                "mine": {"name": "n", "metrics": ["t_ms"], "tags": ["gpu"], "fields": {"gpu": {"alias": "gpu"}}}
            },
            "alias": {"gpu": {"h100*": "h100"}},
        }
        for number, names in enumerate([("h100-x", "b200", "b200"), ("b200", "mi7")]):
            rows = [{"gpu": name, "t_ms": number + place} for place, name in enumerate(names)]
            (tmp_path / "rows.json").write_text(json.dumps(rows))
            build = api.Provenance(dut_name="d", dut_version=str(number), dut_timestamp=1_780_000_000)
            api.publish(database, tmp_path / "rows.json", format="mine", formats=formats, provenance=build)
        found = api.unmapped(database).frame()
        assert found.select("field", "name", "dut_name", "results").rows() == [
            ("alias.gpu", "b200", "d", 3),
            ("alias.gpu", "mi7", "d", 1),
        ]
        assert found["last_seen"].null_count() == 0
        assert api.unmapped(database, since="2200-01-01").frame().is_empty()
        assert api.unmapped(database, field="metric").frame()["name"].to_list() == ["t"]


class TestSync:
    """The definitions of a file are added and ended with it; others stay."""

    def test_with_the_file(self, database: Database, tmp_path: Path) -> None:
        publish(database, 1, {"old": 1.0, "smoke": 1.0}, bed=replace(BED, name="ci-linus"))
        publish(database, 2, {"new": 2.0}, bed=replace(BED, name="ci-linux"))
        file = tmp_path / "bench-db.toml"
        file.write_text(
            "[project]\nname = 'd'\n[define]\npool = ['ci-linux']\nignore = ['smoke*']\nmain = 'main'\n"
            "[define.join]\nold = 'new'\n[define.alias.test_bed]\n'ci-linus*' = 'ci-linux'\n[define.better]\nrecall = 'higher'\n"
        )
        api.define(database, "ignore", "other")
        done = api.sync_definitions(database, str(file), by="ci")
        assert (done.changed, len(done.definitions)) == (6, 7)
        assert database.trend("*")["median"].to_list() == [1.0, 2.0]
        assert api.sync_definitions(database, str(file)).changed == 0

        file.write_text("[project]\nname = 'd'\n[define.join]\nold = 'newer'\n")
        assert api.sync_definitions(database, str(file)).changed == 6
        assert [(one.kind, one.value) for one in api.definitions(database).definitions] == [
            ("ignore", ""),
            ("join", "newer"),
        ]

    def test_of_another_project(self, database: Database, tmp_path: Path) -> None:
        for name in ("d", "e"):
            (tmp_path / f"{name}.toml").write_text(f"[project]\nname = '{name}'\n[define.join]\na = 'b'\n")
            api.sync_definitions(database, str(tmp_path / f"{name}.toml"))
        (tmp_path / "e.toml").write_text("[project]\nname = 'e'\n")
        api.sync_definitions(database, str(tmp_path / "e.toml"))
        assert [one.dut_name for one in api.definitions(database).definitions] == ["d"]

    def test_one_that_cannot_be_applied(self, database: Database, tmp_path: Path) -> None:
        file = tmp_path / "bench-db.toml"
        file.write_text("[project]\nname = 'd'\n[define]\nignore = ['x']\n[define.better]\nrecall = 'more'\n")
        with pytest.raises(UserError, match="is no direction"):
            api.sync_definitions(database, str(file))
        assert api.definitions(database).definitions == []
