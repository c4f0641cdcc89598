"""What a store remembers of verdicts: baselines and findings, every setting and state they ever had."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from bench_db.errors import UserError
from bench_db.query.baseline import holding
from bench_db.store import ledger
from bench_db.store.presence import measured_commit, presence
from bench_db.store.tables import RESULTS_TABLE
from bench_db.store.versions import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import Baseline, Finding
    from bench_db.store.engine import Engine
    from bench_db.store.versions import AsOf


class Recording:
    """Baselines and findings of a store."""

    _engine: Engine

    def set_baseline(self, baseline: Baseline) -> Baseline:
        """Point a name at a commit, which must have results, or clear it with None; what was written.

        Earlier settings stay in the history.
        """
        commit = baseline.commit and measured_commit(self._engine, self._engine.open(RESULTS_TABLE), baseline.commit)
        if commit and not presence(self._engine, commit, (), None).present:
            message = f"{commit} has failures alone, and no result that anything could be held against"
            raise UserError(message)
        return ledger.set_baseline(self._engine, replace(baseline, commit=commit))

    def baseline(
        self, name: str, *, dut_name: str | None = None, testbed_name: str | None = None, branch: str | None = None
    ) -> Baseline | None:
        """The setting of a name that holds here: of all whose scope is no other than this, the narrowest."""
        named = [pointer for pointer in self.baselines() if pointer.name == name]
        return holding(named, (dut_name, testbed_name), {branch} if branch else ())

    def baselines(self, *, history: bool = False, as_of: AsOf | None = None) -> list[Baseline]:
        """The baselines that hold, by name; with `history` every setting there ever was, oldest first.

        With `as_of` those that held then: on a date, or when the version of the results that it names was last the newest.
        """
        end = self._end(as_of)
        settings = [setting for setting in ledger.baseline_history(self._engine) if setting.set_at <= end]
        return settings if history else ledger.held(settings)

    def record_findings(self, findings: Sequence[Finding]) -> None:
        """Keep findings as they stand now."""
        ledger.record_findings(self._engine, findings)

    def findings(self, as_of: AsOf | None = None) -> list[Finding]:
        """Every finding as it stands, or stood then."""
        end = self._end(as_of)
        return ledger.standing(record for record in ledger.finding_history(self._engine) if record.at <= end)

    def _end(self, as_of: AsOf | None) -> float:
        """Until when, in unix seconds, the store was as it was; infinity for a state that still holds."""
        end = None if as_of is None else until(self._engine, as_of)
        return math.inf if end is None else end.timestamp()
