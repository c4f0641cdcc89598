from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench_db.query.selection import Selection
from tests.store.carriers import publish
from tests.store.test_migrations import OLD_PUBLISH, WHEEL, ran

if TYPE_CHECKING:
    from bench_db.store.database import Database


class TestOldPublish:
    """Release 0.1.0 publishes what this release has stored: while both are in use, or at the same moment."""

    def test_a_run_that_both_publish(self, database: Database) -> None:
        """It does not look for the measurements, so it stores the run a second time; that is named, and excluded by the migration."""
        publish(database, 2)
        publish(database, 3)
        first = database.runs().filter(dut_version="1.0.2").collect()["run_key"].item()
        assert ran(WHEEL, OLD_PUBLISH, Path(database.uri), WHEEL, "2").split()[0] == "3"
        assert database.scan(selection=Selection()).filter(dut_version="1.0.2").collect().height == 6
        (problem,) = database.verify().problems
        assert (problem.table, problem.count, problem.harmless) == ("runs", 1, True)
        (key,) = problem.runs
        assert problem.example == f"{key} has the measurements of {first:016x}"
        assert "store migrate" in problem.kind
        assert [(step.name, step.rows) for step in database.migrate(dry_run=True)] == [
            ("exclusions", 1),
            ("0001-content-keys", 1),
        ]
        assert "exclusions" in database.info().pending
        database.migrate()
        assert database.exclusion_reasons() == {
            int(key, 16): f"has the measurements of run {first:016x}, which an older release did not recognise"
        }
        assert database.scan(selection=Selection()).filter(dut_version="1.0.2").collect()[
            "run_key"
        ].unique().to_list() == [first]
        assert (database.verify().problems, database.migrate()) == ((), [])
