from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import bench_db as api
from bench_db.app.notify import notify
from bench_db.model import ChangeKind, PairRecord, PairVerdict, RecordedCommit, State
from bench_db.report.detected import scan_text
from bench_db.report.terminal import findings_text
from bench_db.store.database import connect
from tests.app.test_pairs import published
from tests.cli.asking import AT, wobble
from tests.cli.kinds import entry, publish, publish_all, sha
from tests.support.histories import History
from tests.support.receivers import receiver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench_db.app.scan import Scanned
    from bench_db.model import Finding
    from bench_db.store.database import Database

pytestmark = pytest.mark.few(1)


class TestScan:
    """A scan counts what it tested, and stores nothing when it is dry."""

    def test_counts(self, stepped: Database) -> None:
        scanned = api.scan(stepped, dry_run=True)
        assert (scanned.changes, scanned.tested, scanned.too_short) == (1, 1, 1)
        assert stepped.findings() == []
        assert [row["series"] for row in scanned.document["findings"]] == ["f"]
        counts = {"tested", "too_short", "expected_false", "of_machine", "confirmed", "withdrawn"}
        stated = {"history", "stored", "findings", "groups", "movements", "thresholds", "threshold_faults"}
        assert stated | counts == scanned.document.keys()

    def test_frame_has_datetimes_and_the_series(self, stepped: Database) -> None:
        frame = api.scan(stepped, dry_run=True, at=AT).frame()
        assert frame["at"].dt.epoch("s").to_list() == [AT]
        assert frame["benchmark_name"].to_list() == ["f"]


def pair(series_key: int, head: int, **stated: Any) -> PairRecord:
    """Return the verdict of pairs of a commit and the one before."""
    numbers: dict[str, Any] = {"verdict": PairVerdict.REGRESSED, "effect": 0.3, "series_key": series_key, "at": AT}
    about = {"pair_id": "p1", "base": sha(head - 1), "head": sha(head), "seed": 1, "benchmark_name": "f"}
    return PairRecord(**{**about, **numbers, **stated})


BEFORE, RUNS = 30, 14
LEVELS: dict[str, Callable[[int], float]] = {
    "step": lambda run: 1.3 if run >= 0 else 1.0,
    "spike of three": lambda run: 1.6 if 0 <= run < 3 else 1.0,
    "spike of four": lambda run: 1.6 if 0 <= run < 4 else 1.0,
    "steady": lambda _: 1.0,
}


@dataclass
class Lives:
    """What each scan of a growing history said: the state of each benchmark's finding after it, and when it was settled."""

    of: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in LEVELS})
    confirmed: dict[str, int] = field(default_factory=dict)
    withdrawn: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    documents: list[Any] = field(default_factory=list)

    def add(self, scanned: Scanned, stored: list[Finding]) -> None:
        names = {key: one.benchmark_name for key, one in scanned.series.items()}
        found = {names[one.series_key]: one for one in stored}
        for name, states in self.of.items():
            one = found.get(name)
            state = "-" if one is None else "withdrawn" if one.is_withdrawn else str(one.state)
            states.append(f"{state}, provisional" if one is not None and one.is_unsettled else state)
        number, by_id = len(self.texts), {one.id: name for name, one in found.items()}
        self.confirmed |= {by_id[one]: number for one in scanned.confirmed}
        self.withdrawn |= {by_id[one]: number for one in scanned.withdrawn}
        self.notes |= {name: one.note for name, one in found.items()}
        self.texts.append(
            scan_text(
                scanned.findings,
                scanned.series,
                movements=scanned.movements,
                changes=scanned.changes,
                tested=scanned.tested,
                too_short=scanned.too_short,
                expected_false=scanned.expected_false,
                confirmed=len(scanned.confirmed),
                withdrawn=len(scanned.withdrawn),
            )
        )


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Lives:
    home = tmp_path_factory.mktemp("lives")
    store = connect(home / "store", create=True)
    (home / "bench-db.toml").write_text(
        '[project]\nname = "engine"\n\n[[notify]]\nkind = "webhook"\naddress_env = "HOOK"\n', "utf-8"
    )
    rng = np.random.default_rng(5)
    noise = 100.0 * np.exp(rng.normal(0.0, 0.01, (BEFORE + RUNS, len(LEVELS))))
    values = [
        {name: float(noise[n, i]) * of(n - BEFORE) for i, (name, of) in enumerate(LEVELS.items())}
        for n in range(BEFORE + RUNS)
    ]
    publish_all(store, [entry(number, values[number]) for number in range(BEFORE)])
    lives = Lives()
    with receiver() as web:
        for number in range(BEFORE, BEFORE + RUNS):
            publish(store, number, values[number])
            scanned = api.scan(store, at=AT + number)
            lives.add(scanned, store.findings())
            told = notify(store, config_file=str(home / "bench-db.toml"), environment={"HOOK": f"{web.url}/hook"})
            assert told.passed
        lives.documents = web.documents
    return lives


@pytest.mark.slow
class TestLives:
    """A change of the newest runs is provisional until later runs confirm or withdraw it, in the store, reports and messages."""

    @pytest.mark.slow
    def test_a_step_is_confirmed(self, lives: Lives) -> None:
        first = lives.of["step"].index("open, provisional")
        last = lives.of["step"].index("open")
        assert lives.of["step"] == ["-"] * first + ["open, provisional"] * (last - first) + ["open"] * (RUNS - last)
        assert (first, last) == (3, 4)
        assert lives.confirmed == {"step": 4}
        assert lives.notes["step"] == "confirmed by later runs"

    @pytest.mark.parametrize("name", ["spike of three", "spike of four"])
    def test_a_spike_is_withdrawn(self, name: str, lives: Lives) -> None:
        states = lives.of[name]
        assert set(states) == {"-", "open, provisional", "withdrawn"}
        first, last = states.index("open, provisional"), states.index("withdrawn")
        assert states == ["-"] * first + ["open, provisional"] * (last - first) + ["withdrawn"] * (RUNS - last)
        assert last <= 8
        assert lives.withdrawn[name] == last
        assert lives.notes[name] == "withdrawn: later runs do not show it"

    @pytest.mark.slow
    def test_nothing_else(self, lives: Lives) -> None:
        assert set(lives.of["steady"]) == {"-"}
        assert set(lives.withdrawn) == {"spike of three", "spike of four"}

    @pytest.mark.slow
    def test_the_text_of_a_scan_says_so(self, lives: Lives) -> None:
        assert "1 provisional change confirmed by later runs" in lives.texts[lives.confirmed["step"]]
        spike = lives.texts[lives.withdrawn["spike of three"]]
        assert "1 provisional change withdrawn, because later runs do not show it" in spike
        assert not any("provisional" in line for line in lives.texts[-1].splitlines())

    @pytest.mark.slow
    def test_each_receiver_gets_the_beginning_and_the_end_once(self, lives: Lives) -> None:
        seen: dict[str, list[tuple[str, bool, bool]]] = {}
        for document in lives.documents:
            for one in document["findings"]:
                seen.setdefault(one["benchmark_name"], []).append((one["state"], one["provisional"], one["withdrawn"]))
        assert seen["step"] == [("open", True, False)]
        for name in ("spike of three", "spike of four"):
            assert seen[name] == [("open", True, False), ("fixed", True, True)]
        assert set(seen) == {"step", "spike of three", "spike of four"}


@pytest.fixture(scope="module")
def shaped(tmp_path_factory: pytest.TempPathFactory) -> Database:
    store = connect(tmp_path_factory.mktemp("shapes") / "store", create=True)
    rng = np.random.default_rng(8)
    noise = 100.0 * np.exp(np.where(np.arange(200) < 100, 0.01, 0.04) * rng.normal(0.0, 1.0, 200))
    slow = rng.random(200) < np.where(np.arange(200) < 100, 0.1, 0.6)
    modes = 100.0 * np.exp(rng.normal(0.0, 0.01, 200)) * np.where(slow, 1.3, 1.0)
    values = [{"noisy": float(noise[n]), "modes": float(modes[n]), "still": 7.0} for n in range(200)]
    publish_all(store, [entry(number, of) for number, of in enumerate(values)])
    return store


class TestShapes:
    """A change of noise or of the share of slow runs is found and called that, everywhere, and never counts as a regression."""

    def test_scan_and_detect(self, shaped: Database) -> None:
        scanned = api.scan(shaped, at=AT)
        assert scanned.changes == 2
        kinds = {scanned.series[f.series_key].benchmark_name: f.kind for f in scanned.findings}
        assert kinds == {"noisy": ChangeKind.SPREAD, "modes": ChangeKind.MODES}
        text = findings_text(scanned.findings, scanned.series)
        assert re.search(r"noise 1\.2 % -> 4\.5 %", text)
        assert re.search(r"slow runs 11 % -> 62 %", text)
        assert [(g.worse, g.better) for g in scanned.groups] == [(0, 0)] * len(scanned.groups)
        detected = api.detect(shaped)
        found = {one["benchmark_name"]: one["kind"] for one in detected.document["findings"]}
        assert found == {"noisy": "spread", "modes": "level"}  # of one series, which needs less evidence
        rows = (
            detected.frame()
            .select("id", "kind", "effect", "low", "high", "before", "after", "benchmark_name")
            .to_dicts()
        )
        keys = rows[0].keys()
        assert rows == [{key: one[key] for key in keys} for one in detected.document["findings"]]
        assert {row["kind"]: row["after"] is None for row in rows} == {"spread": False, "level": True}

    def test_no_alarm_and_no_red_badge(self, shaped: Database, tmp_path: Path) -> None:
        api.scan(shaped, at=AT)
        (tmp_path / "bench-db.toml").write_text(
            '[project]\nname = "engine"\n\n[[notify]]\nkind = "webhook"\naddress_env = "HOOK"\nchanges = "worse"\n',
            "utf-8",
        )
        with receiver() as web:
            notify(shaped, config_file=str(tmp_path / "bench-db.toml"), environment={"HOOK": f"{web.url}/hook"})
            assert web.documents == []
        api.site(shaped, tmp_path / "site")
        badge = (tmp_path / "site" / "badge.svg").read_text("utf-8")
        assert "slower" not in badge
        assert "worse" not in badge
        assert "noise 1.2 % -&gt; 4.5 %" in (tmp_path / "site" / "feed.xml").read_text("utf-8")


@pytest.mark.slow
class TestLevelOfModes:
    """A level that most runs of two modes change stays open while runs arrive, whatever is found of the modes."""

    @pytest.mark.parametrize(("after", "slow"), [(0.8, 200.0), (0.75, 120.0)])
    def test_as_runs_arrive(self, after: float, slow: float, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        rng = np.random.default_rng(2)
        rng.random(120)
        is_slow = (rng.random(120) < after) & (np.arange(120) >= 60)
        values = np.where(is_slow, slow, 100.0) * (1 + 0.01 * rng.standard_normal(120))
        others = 100.0 * (1 + 0.01 * rng.standard_normal((5, 120)))
        rows = [
            {"b": float(value), **{f"s{n}": float(other) for n, other in enumerate(of)}}
            for value, of in zip(values, others.T, strict=True)
        ]
        stored = 0
        for runs in (8, 12, 16, 20, 25, 30, 40, 60):
            publish_all(store, [entry(number, rows[number]) for number in range(stored, 60 + runs)])
            stored = 60 + runs
            scanned = api.scan(store)
            of_b = [f for f in scanned.findings if scanned.series[f.series_key].benchmark_name == "b"]
            assert [(f.kind, f.state) for f in of_b] == [(ChangeKind.LEVEL, State.OPEN)], runs
            assert sum(group.worse for group in scanned.groups) == 1


@pytest.mark.slow
class TestSquashMerge:
    """Pairs of the head of a pull request confirm the finding at its squash merge where both have the same content, and nothing else."""

    @pytest.mark.parametrize(("moved", "confirmed_by"), [(False, "p1"), (True, None)])
    def test_by_pairs_of_the_pull_request(
        self,
        moved: bool,  # noqa: FBT001 a case
        confirmed_by: str | None,
        tmp_path: Path,
    ) -> None:
        history, store = History(tmp_path / "clone"), connect(tmp_path / "store", create=True)
        before = [history.commit(f"c{n}", n=f"{n}") for n in range(10)]
        history.git("checkout", "--quiet", "-b", "topic")
        history.commit("first half", code="s")
        head = history.commit("second half", code="slow")
        history.git("checkout", "--quiet", "main")
        if moved:  # by a commit that nobody measured: the squash merge has other code than what was measured in pairs
            history.commit("other", other="")
        history.git("merge", "--quiet", "--squash", "topic")
        squash = history.commit("a pull request (#7)")
        assert history.git("rev-parse", squash) != head
        after = [squash, *(history.commit(f"d{n}", n=f"d{n}") for n in range(9))]
        for number, commit in enumerate([*before, *after]):
            published(store, commit, number, {"f": wobble(number, 100.0 if number < len(before) else 130.0)})
        [found] = api.scan(store).findings
        assert (found.commit, found.confirmed_by) == (squash, None)
        store.record_commits([RecordedCommit(dut_name="p", commit=head, pr_number=7)])
        store.record_pairs([replace(pair(found.series_key, 1), base=before[-1], head=head)])
        assert [one.confirmed_by for one in api.scan(store).findings] == [None]  # no tree is known: no evidence
        api.sync_commits(store, clone=history.path)
        assert [one.confirmed_by for one in api.scan(store).findings] == [confirmed_by]
        trees = {record.commit: record.tree for record in store.commits()}
        assert trees[head] == history.git("rev-parse", f"{head}^{{tree}}")
        assert (trees[head] == trees[squash]) is not moved


class TestConfirmed:
    """A finding whose change stored pairs found at its commit, too, says so."""

    def test_by_pairs_of_its_commit(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        levels = (wobble(number, 100.0 if number < 10 else 130.0) for number in range(20))
        publish_all(store, (entry(number, {"f": level}) for number, level in enumerate(levels)))
        [found] = api.scan(store).findings
        assert (found.commit, found.confirmed_by) == (sha(10), None)
        key = found.series_key
        others = [pair(key, 11), pair(key, 10, effect=-0.3), pair(7, 10), pair(key, 10, verdict=PairVerdict.SUSPECTED)]
        store.record_pairs(others)
        assert [one.confirmed_by for one in api.scan(store).findings] == [None]
        store.record_pairs([pair(key, 10, pair_id="p2")])
        scanned = api.scan(store)
        assert [one["confirmed_by"] for one in scanned.document["findings"]] == ["p2"]
        assert scanned.frame()["confirmed_by"].to_list() == ["p2"]
        assert "confirmed in pairs" in findings_text(scanned.findings, scanned.series)
        [stored] = store.findings()
        assert (stored.id, stored.state, stored.confirmed_by) == (found.id, State.OPEN, "p2")
        before = store.version
        api.scan(store)
        assert store.version == before  # nothing new to record
