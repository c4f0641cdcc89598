"""The states of findings from scan to scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from bench_db.analysis.changes import changes_of
from bench_db.analysis.findings import (
    commits_of_runs,
    finding_of,
    finding_of_shape,
    in_order,
    scanned,
    settled,
    updated,
)
from bench_db.analysis.histories import Histories, histories
from bench_db.derive import finding_id
from bench_db.model import ChangeKind, Finding, ShapeChange, State
from bench_db.rules import RULES
from bench_db.units import Direction
from tests.analysis.test_judge import level, points
from tests.analysis.test_shape_kernel import mixed, noise

AT = 1_800_000_000


def stepped(at: int = 40) -> Histories:
    return histories(points([value * (1.0 if i < at else 1.3) for i, value in enumerate(level(80))]))


def after(found: Histories, *known: Finding, at: int = AT + 1) -> list[Finding]:
    return updated(found, scanned(found, rate=0.05), known, at=at)


@pytest.fixture(scope="module")
def opened() -> Finding:
    (finding,) = after(stepped(), at=AT)
    return finding


class TestShapes:
    """A change of spread or of modes is a finding of its own kind: neither worse nor better, and with an id of its own."""

    @staticmethod
    def spread(first: float = 0.01, second: float = 0.04) -> Histories:
        values = 100 * np.exp(np.concatenate([noise(1, 100, first), noise(2, 100, second)]))
        return histories(points(values.tolist()))

    def test_opened_known_and_gone(self) -> None:
        (opened,) = after(self.spread(), at=AT)
        assert (opened.kind, opened.state, opened.effect, opened.low) == (ChangeKind.SPREAD, State.OPEN, None, None)
        assert opened.before == pytest.approx(0.01, rel=0.3)
        assert opened.after == pytest.approx(0.04, rel=0.3)
        assert opened.id == finding_id(7, opened.commit, ChangeKind.SPREAD) != finding_id(7, opened.commit)
        assert after(self.spread(), opened) == []
        (fixed,) = after(histories(points(level(200))), opened)
        assert (fixed.id, fixed.state, fixed.kind) == (opened.id, State.FIXED, ChangeKind.SPREAD)

    def test_another_kind_or_way_is_another_finding(self) -> None:
        (opened,) = after(self.spread(), at=AT)
        for other in (
            replace(opened, id="level", kind=ChangeKind.LEVEL, effect=0.3),
            replace(opened, id="less", before=0.04, after=0.01),
        ):
            found = {one.id: one.state for one in after(self.spread(), other)}
            assert found == {opened.id: State.OPEN, other.id: State.FIXED}

    @pytest.mark.parametrize("state", [State.OPEN, State.REOPENED, State.BLESSED, State.IGNORED])
    def test_modes_keep_a_level_that_is_not_seen(self, state: State) -> None:
        mixes = histories(points(mixed(8, [(100, 0.1), (100, 0.45)]).tolist()))
        (modes,) = after(mixes, at=AT)
        assert modes.kind == ChangeKind.MODES
        level_of = replace(modes, id="level", kind=ChangeKind.LEVEL, effect=0.05, before=None, after=None, state=state)
        assert after(mixes, level_of) == []
        other_way, elsewhere = replace(level_of, effect=-0.05), replace(level_of, commit=None, index=modes.index - 16)
        for one in (other_way, elsewhere, replace(level_of, state=State.FIXED)):
            assert [new.kind for new in after(mixes, one) if new.state == State.OPEN] == [ChangeKind.MODES]

    def test_the_share_is_that_of_the_worse_runs(self) -> None:
        change = ShapeChange(index=3, kind=ChangeKind.MODES, before=0.9, after=0.4, p_value=0.001)
        of = histories(points(level(20)))
        lower = finding_of_shape(of, 0, change, at=AT)
        assert (lower.before, lower.after) == (0.9, 0.4)
        rates = replace(of, names=of.names.with_columns(direction=pl.lit(Direction.HIGHER.value)))
        higher = finding_of_shape(rates, 0, change, at=AT)
        assert higher.before == pytest.approx(0.1)
        assert higher.after == pytest.approx(0.6)
        spread = finding_of_shape(rates, 0, replace(change, kind=ChangeKind.SPREAD), at=AT)
        assert (spread.before, spread.after) == (0.9, 0.4)


class TestUpdated:
    """A change keeps the id and the state of its finding; a scan without news writes nothing."""

    def test_a_new_change_is_opened(self, opened: Finding) -> None:
        assert (opened.state, opened.commit, opened.series_key, opened.at) == (State.OPEN, f"{40:040x}", 7, AT)
        assert opened.effect == pytest.approx(0.3, abs=0.01)

    def test_again_is_no_news(self, opened: Finding) -> None:
        assert after(stepped(), opened) == []

    def test_what_is_gone_is_fixed_and_what_is_back_reopened(self, opened: Finding) -> None:
        (fixed,) = after(histories(points(level(80))), opened)
        assert (fixed.id, fixed.state, fixed.at) == (opened.id, State.FIXED, AT + 1)
        assert after(histories(points(level(80))), fixed) == []
        (reopened,) = after(stepped(), fixed)
        assert (reopened.id, reopened.state) == (opened.id, State.REOPENED)

    def test_a_provisional_one_is_withdrawn_or_confirmed(self, opened: Finding) -> None:
        provisional = replace(opened, provisional=True)
        (withdrawn,) = after(histories(points(level(80))), provisional)
        assert (withdrawn.state, withdrawn.is_withdrawn, withdrawn.note) == (
            State.FIXED,
            True,
            "withdrawn: later runs do not show it",
        )
        (confirmed,) = after(stepped(), provisional)
        assert (confirmed.id, confirmed.state, confirmed.provisional) == (opened.id, State.OPEN, False)
        assert confirmed.note == "confirmed by later runs"
        assert after(stepped(), confirmed) == []
        assert settled([provisional], [withdrawn]) == ([], [opened.id])
        assert settled([provisional], [confirmed]) == ([opened.id], [])
        assert settled([opened, confirmed, withdrawn], [replace(opened, state=State.FIXED)]) == ([], [])

    def test_the_note_of_a_person_stays(self, opened: Finding) -> None:
        reopened = replace(opened, provisional=True, state=State.REOPENED, by="me", note="look again")
        (confirmed,) = after(stepped(), reopened)
        assert (confirmed.by, confirmed.note) == ("me", "look again")

    @pytest.mark.parametrize("state", [State.BLESSED, State.IGNORED])
    def test_a_decision_stays(self, state: State, opened: Finding) -> None:
        decided = replace(opened, state=state, by="me", note="known")
        assert after(stepped(), decided) == []
        assert after(histories(points(level(80))), decided) == []

    @pytest.mark.parametrize("shift", [RULES.same_change_runs, RULES.same_change_runs + 1])
    def test_the_same_change_at_a_neighbouring_commit(self, shift: int, opened: Finding) -> None:
        found = after(stepped(40 + shift), replace(opened, state=State.BLESSED, by="me"))
        (fresh,) = [finding for finding in found if finding.commit == f"{40 + shift:040x}"]
        near = shift <= RULES.same_change_runs
        assert (fresh.id == opened.id, fresh.state) == (near, State.BLESSED if near else State.OPEN)

    def test_the_other_direction_is_another_change(self, opened: Finding) -> None:
        fresh, fixed = after(stepped(), replace(opened, effect=-0.3, id="other"))
        assert (fresh.id, fresh.state) == (opened.id, State.OPEN)
        assert (fixed.id, fixed.state) == ("other", State.FIXED)

    def test_a_series_that_was_not_scanned_stays(self, opened: Finding) -> None:
        assert after(stepped(), opened, replace(opened, id="elsewhere", series_key=99)) == []


class TestRecords:
    """A finding has the numbers of its change, and the commit of a run is that of its points."""

    def test_finding_of(self) -> None:
        (change,), _ = changes_of(stepped())
        finding = finding_of(change, at=AT, common_mode="all")
        assert (finding.id, finding.series_key) == (change.id, 7)
        for name in ("commit", "index", "effect", "low", "high", "p_value", "provisional"):
            assert getattr(finding, name) == getattr(change, name)
        assert (finding.common_mode, finding.state) == ("all", State.OPEN)

    def test_commits_of_runs(self) -> None:
        assert commits_of_runs(histories(points([1.0, 2.0, 3.0], [5, 6, 6]))) == {
            0: f"{5:040x}",
            1: f"{6:040x}",
            2: f"{6:040x}",
        }

    def test_order(self, opened: Finding) -> None:
        small = replace(opened, id="b", effect=0.1)
        large = replace(opened, id="c", effect=-0.5)
        fixed = replace(opened, id="a", effect=0.9, state=State.FIXED)
        twin = replace(small, id="a")
        assert in_order([fixed, small, twin, large]) == [large, twin, small, fixed]
