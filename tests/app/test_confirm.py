"""A check whose flagged series are measured again, by a benchmark that reads its figures from tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench_db import Baseline, Definition
from bench_db.app.confirm import HandedOver, arrived, confirm_handed_over, flagged_of, hand_over
from bench_db.app.gate import Confirmed, Confirming, check
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.model import Comparison, Confirmation, Outcome, PairSide, Verdict
from bench_db.query.thresholds import Thresholds
from bench_db.rules import RULES
from bench_db.store.database import connect
from tests.app.test_pairs import CONFIG, SCRIPT, published, tables
from tests.cli.commands import environment
from tests.support.histories import FIRST, History

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.app.gate import Gate

pytestmark = pytest.mark.sample(1)

BASE, HEAD, _ = PairSide
COMMITS = 12
# How much slower the candidate is in the store, and how much in pairs.
PLANTED = {"quarter": (1.25, 1.25), "little": (1.03, 1.03), "spike": (1.6, 1.0), "calm": (1.0, 1.0)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store and a clone of twelve commits, of which the last one is slower; the baseline main is the one before."""
    directory = tmp_path_factory.mktemp("project")
    history, store = History(directory / "clone"), connect(directory / "store", create=True)
    rng = np.random.default_rng(4)
    for number in range(COMMITS):
        commit, last = history.commit(bench__sh=SCRIPT, n=str(number)), number == COMMITS - 1
        factors = {name: of[0] if last else 1.0 for name, of in PLANTED.items()}
        published(store, commit, number, {n: 100.0 * f * np.exp(rng.normal(0.0, 0.003)) for n, f in factors.items()})
        if number == COMMITS - 2:
            store.set_baseline(Baseline(name="main", commit=commit, set_at=FIRST))
    (directory / "bench-db.toml").write_text(CONFIG)
    noise = rng.normal(0.0, 0.01, (2, 13, len(PLANTED)))

    def figures(side: PairSide, number: int) -> dict[str, Any]:
        slower = [of[1] if side is HEAD else 1.0 for of in PLANTED.values()]
        shifts = noise[int(side is HEAD), number]
        return {n: 100.0 * s * np.exp(x) for n, s, x in zip(PLANTED, slower, shifts, strict=True)}

    tables(directory, figures, (BASE, HEAD))
    return directory


def checked(project: Path, config: str = "bench-db.toml", **options: Any) -> Gate:
    how = {"mode": "same", "config_file": str(project / config), "clone": project / "clone", "seed": 11}
    told = {"work_dir": project / "work", "environment": environment(), **how}
    given = {name: value for name, value in options.items() if name not in Confirming.__slots__}
    own = {name: value for name, value in options.items() if name in Confirming.__slots__}
    return check(connect(project / "store"), confirming=Confirming(**{**told, **own}), clone=project / "clone", **given)


def outcomes(gate: Gate) -> dict[str, Outcome]:
    assert gate.confirmed is not None
    return {c.series.benchmark_name: c.outcome for c in gate.confirmed.confirmations}


@pytest.fixture(scope="module")
def gate(project: Path) -> Gate:
    return checked(project)


class TestConfirm:
    """What is slower in pairs, too, fails the check; a spike does not."""

    def test_outcomes(self, gate: Gate) -> None:
        expected = {"quarter": Outcome.CONFIRMED, "little": Outcome.CONFIRMED, "spike": Outcome.NOT_CONFIRMED}
        assert outcomes(gate) == expected
        assert not gate.passed
        assert {c.series.benchmark_name for c in gate.failing} == {"quarter", "little"}
        assert {c.series.benchmark_name: c.verdict for c in gate.comparisons}["spike"] is Verdict.UNCHANGED

    def test_both_figures(self, gate: Gate) -> None:
        assert gate.confirmed is not None
        of = {c.series.benchmark_name: c for c in gate.confirmed.confirmations}
        assert of["spike"].flagged_effect == pytest.approx(0.6, abs=0.02)
        assert of["spike"].effect == pytest.approx(0.0, abs=0.02)
        assert of["quarter"].effect == pytest.approx(0.25, abs=0.03)
        notes = {c.series.benchmark_name: c.note for c in gate.comparisons}
        assert notes["spike"].startswith("not confirmed: ")
        assert notes["spike"].endswith(" in pairs")

    def test_document(self, gate: Gate) -> None:
        assert gate.confirmed is not None
        found = gate.document["confirmed"]
        assert (found["mode"], found["base"], found["head"]) == ("same", gate.confirmed.base, gate.candidate)
        assert found["counts"] == {"confirmed": 2, "not confirmed": 1}
        assert [c["outcome"] for c in found["confirmations"]] == ["confirmed", "confirmed", "not confirmed"]

    def test_a_spike_alone_passes(self, project: Path) -> None:
        passed = checked(project, benchmark="spike")
        assert passed.passed
        assert outcomes(passed) == {"spike": Outcome.NOT_CONFIRMED}

    def test_nothing_flagged_measures_nothing(self, project: Path) -> None:
        assert checked(project, benchmark="calm", work_dir=project / "unused").confirmed is None
        assert not (project / "unused").exists()

    def test_a_threshold_of_the_series(self, project: Path) -> None:
        """Of a series that counts from 20 % on, 10 % in pairs is no confirmation."""
        store = connect(project / "store")
        defined = Definition(kind="threshold", pattern="benchmark=spike", value="20%", at=FIRST)
        store.define([defined])
        rng = np.random.default_rng(3)
        less = project / "less"
        less.mkdir()
        tables(less, lambda side, _: {"spike": (110.0 if side is HEAD else 100.0) + rng.normal()}, (BASE, HEAD))
        (less / "bench-db.toml").write_text(CONFIG)
        assert outcomes(checked(project, "less/bench-db.toml", benchmark="spike")) == {"spike": Outcome.NOT_CONFIRMED}


class TestUndecided:
    """A regression that cannot be measured again fails the check as before, with the reason."""

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (("sh bench.sh", "false"), "nothing could be measured; tables, "),
            (('test_bed = "here"', 'test_bed = "there"'), "it is of the test bed here, and this is there"),
            (('name = "p"', 'name = "q"'), "it is of the device p, and bench-db.toml is of q"),
            (("[pairs]", "[pears]"), "unknown key 'pears'"),
            (("[suite.tables]", "[suite.other]"), ""),
        ],
    )
    def test_reasons(self, project: Path, change: tuple[str, str], reason: str) -> None:
        (project / "other.toml").write_text(CONFIG.replace(*change))
        gate = checked(project, "other.toml", benchmark="quarter")
        if not reason:  # the suite has another name in the store
            assert outcomes(gate) == {"quarter": Outcome.CONFIRMED}
            return
        assert outcomes(gate) == {"quarter": Outcome.UNDECIDED}
        assert gate.confirmed is not None
        assert reason in gate.confirmed.confirmations[0].reason
        assert [c.verdict for c in gate.failing] == [Verdict.REGRESSED]
        assert reason in gate.failing[0].note

    def test_no_commit_of_the_clone(self, project: Path, tmp_path: Path) -> None:
        other = History(tmp_path / "other")
        other.commit(bench__sh=SCRIPT)
        gate = checked(project, clone=other.path, benchmark="quarter", baseline="last:5")
        assert outcomes(gate) == {"quarter": Outcome.UNDECIDED}
        assert not gate.passed

    def test_the_budget(self, project: Path) -> None:
        """A benchmark that hangs is stopped at the end of the budget."""
        hangs = CONFIG.replace("sh bench.sh {root}", "sleep 600")
        (project / "hangs.toml").write_text(hangs)
        gate = checked(project, "hangs.toml", benchmark="quarter", budget_minutes=0.01)
        assert outcomes(gate) == {"quarter": Outcome.UNDECIDED}
        assert not gate.passed

    def test_noise(self, project: Path) -> None:
        rng = np.random.default_rng(2)
        noisy = project / "noisy"
        noisy.mkdir()
        tables(noisy, lambda *_: {"quarter": 100.0 * np.exp(rng.normal(0.0, 0.5))}, (BASE, HEAD))
        (noisy / "bench-db.toml").write_text(CONFIG)
        gate = checked(project, "noisy/bench-db.toml", benchmark="quarter")
        assert outcomes(gate) == {"quarter": Outcome.UNDECIDED}
        assert gate.confirmed is not None
        assert gate.confirmed.rounds == 12
        assert "are excluded" in gate.confirmed.confirmations[0].reason
        assert not gate.passed


class TestConfigured:
    """Without an option bench-db.toml decides; without that, nothing is measured again."""

    def test_off(self, project: Path) -> None:
        for file in ("bench-db.toml", "none.toml"):
            gate = checked(project, file, mode="configured", benchmark="spike", work_dir=project / "unused")
            assert gate.confirmed is None
        assert not (project / "unused").exists()

    def test_a_job_with_secrets_runs_nothing_that_a_file_alone_asks_for(self, project: Path) -> None:
        (project / "asks.toml").write_text(CONFIG.replace("[pairs]", '[pairs]\nconfirm = "same"'))
        job = environment(GITHUB_EVENT_NAME="pull_request_target")
        unused = project / "unused"
        gate = checked(project, "asks.toml", mode="configured", benchmark="quarter", environment=job, work_dir=unused)
        assert outcomes(gate) == {"quarter": Outcome.UNDECIDED}
        assert "is not used in a job of pull_request_target" in gate.failing[0].note
        assert not unused.exists()

    def test_fresh(self, project: Path) -> None:
        (project / "fresh.toml").write_text(CONFIG.replace("[pairs]", '[pairs]\nconfirm = "fresh"\nrounds = 5'))
        gate = checked(project, "fresh.toml", mode="configured", benchmark="spike", baseline="level")
        assert gate.confirmed is not None
        assert (gate.confirmed.mode, gate.confirmed.rounds) == ("fresh", 5)
        assert gate.confirmed.base == connect(project / "store").baselines()[0].commit
        assert outcomes(gate) == {"spike": Outcome.NOT_CONFIRMED}


class TestHandedOver:
    """One job flags, and another one without a store measures; the first one trusts nothing that it already knows better."""

    @pytest.fixture
    def asked(self, project: Path) -> HandedOver:
        gate = check(connect(project / "store"), clone=project / "clone")
        thresholds = Thresholds([Definition(kind="threshold", pattern="benchmark=quarter", value="20%", at=FIRST)])
        flagged = flagged_of(gate.failing, minimum_effect=None, thresholds=thresholds)
        base = connect(project / "store").baselines()[0].commit or ""
        return HandedOver(mode="fresh", base=base, head=gate.candidate, flagged=flagged)

    def test_the_outcomes_are_those_of_a_check(self, project: Path, asked: HandedOver, tmp_path: Path) -> None:
        hand_over(asked, tmp_path / "new" / "flagged.json")
        config = str(project / "bench-db.toml")
        how = Confirming(
            mode="off",
            config_file=config,
            clone=project / "clone",
            work_dir=tmp_path,
            environment=environment(),
            seed=11,
        )
        found = confirm_handed_over(tmp_path / "new" / "flagged.json", how)
        assert (found.mode, found.base, found.head) == ("fresh", asked.base, asked.head)
        of = {c.series.benchmark_name: c.outcome for c in found.confirmations}
        expected = {"quarter": Outcome.CONFIRMED, "little": Outcome.CONFIRMED, "spike": Outcome.NOT_CONFIRMED}
        assert of == {name: expected[name] for name in of}
        assert "quarter" in of
        # a threshold of the store reaches a job that has none
        assert {one.series.benchmark_name: one.least for one in asked.flagged}["quarter"] == 0.2
        hand_over(found, tmp_path / "outcomes.json")
        assert arrived(tmp_path / "outcomes.json", asked.flagged, asked.base, asked.head, "fresh") == found

    @pytest.mark.parametrize("text", [None, b"", b"{}", b"\xff", b'{"mode": "fresh"}', b"[" * 99_999])
    def test_without_a_readable_outcome_all_are_undecided(
        self, text: bytes | None, asked: HandedOver, tmp_path: Path
    ) -> None:
        if text is not None:
            (tmp_path / "outcomes.json").write_bytes(text)
            with pytest.raises(UnreadableOutputError, match=r"outcomes\.json: cannot be read"):
                confirm_handed_over(tmp_path / "outcomes.json", Confirming(mode="same", environment={}))
        found = arrived(tmp_path / "outcomes.json", asked.flagged, asked.base, asked.head, "fresh")
        assert {c.outcome for c in found.confirmations} == {Outcome.UNDECIDED}
        assert len(found.confirmations) == len(asked.flagged)
        assert all("see its log (outcomes.json: cannot be read" in c.reason for c in found.confirmations)
        assert str(tmp_path) not in str(found)

    def test_what_the_job_claims_beside_the_outcomes_is_not_used(self, asked: HandedOver, tmp_path: Path) -> None:
        first = asked.flagged[0]
        forged = Confirmation(
            series=first.series,
            outcome=Outcome.NOT_CONFIRMED,
            flagged=Verdict.IMPROVED,
            flagged_effect=-0.9,
            effect=0.0,
            low=-0.01,
            high=0.01,
            rounds=4,
            reason="x" * 99_999,
        )
        stranger = Comparison(verdict=Verdict.REGRESSED, n_baseline=9, n_candidate=1)
        other = Confirmation(series=stranger.series, outcome=Outcome.CONFIRMED, flagged=Verdict.REGRESSED)
        claimed = Confirmed(mode="same", base=asked.base, head=asked.head, confirmations=[forged, other])
        hand_over(claimed, tmp_path / "o.json")
        found = arrived(tmp_path / "o.json", asked.flagged, asked.base, asked.head, "fresh")
        assert found.mode == "fresh"
        assert {c.series for c in found.confirmations} == {c.series for c in asked.flagged}
        (own,) = [c for c in found.confirmations if c.series == first.series]
        assert (own.flagged, own.flagged_effect) == (first.verdict, first.effect)
        assert len(own.reason) == RULES.error_length
        rest = [c for c in found.confirmations if c is not own]
        assert {c.outcome for c in rest} <= {Outcome.UNDECIDED}
        assert all(c.reason == "the job that measures again left no outcome; see its log" for c in rest)

    @pytest.mark.parametrize(
        "lacks", [{"effect": None}, {"low": None}, {"high": None}, {"rounds": 1}, {"rounds": 10**18}], ids=str
    )
    def test_an_outcome_without_pairs(self, lacks: dict[str, Any], asked: HandedOver, tmp_path: Path) -> None:
        """The job ran code of the pull request, which may have written only that nothing is confirmed."""
        first = asked.flagged[0]
        bare = Confirmation(
            series=first.series,
            outcome=Outcome.NOT_CONFIRMED,
            flagged=first.verdict,
            **{"effect": 0.0, "low": -0.01, "high": 0.01, "rounds": 4, **lacks},
        )
        hand_over(Confirmed(mode="same", base=asked.base, head=asked.head, confirmations=[bare]), tmp_path / "o.json")
        found = arrived(tmp_path / "o.json", asked.flagged, asked.base, asked.head, "fresh")
        (own,) = [c for c in found.confirmations if c.series == first.series]
        assert (own.outcome, own.rounds) == (Outcome.UNDECIDED, 0)
        assert own.reason == "the job that measures again gives no pairs for its outcome"

    def test_outcomes_of_other_commits(self, asked: HandedOver, tmp_path: Path) -> None:
        hand_over(Confirmed(mode="fresh", base=asked.base, head="0" * 40, confirmations=()), tmp_path / "o.json")
        found = arrived(tmp_path / "o.json", asked.flagged, asked.base, asked.head, "fresh")
        assert {c.outcome for c in found.confirmations} == {Outcome.UNDECIDED}
        assert "o.json has the outcomes of other commits" in found.confirmations[0].reason

    def test_off(self, asked: HandedOver, tmp_path: Path) -> None:
        off = HandedOver(mode="off", base=asked.base, head=asked.head, flagged=asked.flagged)
        hand_over(off, tmp_path / "f.json")
        (tmp_path / "bench-db.toml").write_text(CONFIG)
        how = Confirming(mode="same", config_file=str(tmp_path / "bench-db.toml"), environment={})
        with pytest.raises(UserError, match="its mode is off"):
            confirm_handed_over(tmp_path / "f.json", how)
