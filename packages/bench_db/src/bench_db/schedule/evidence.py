"""What is known of commits: measured, failed, under way. It comes in as data; nothing here opens a store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from bench_db.model import Target

SHORTEST = 7
_FULL = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the store holds of one commit, suite and test bed; `commit` may be abbreviated, as a tool stored it."""

    commit: str
    suite: str = ""
    test_bed: str = ""
    results: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one commit: targets with results, targets that only failed, and how often each was tried."""

    measured: frozenset[Target] = frozenset()
    failed: frozenset[Target] = frozenset()
    attempts: Mapping[Target, int] = field(default_factory=dict)
    in_flight: bool = False

    @property
    def begun(self) -> bool:
        """Whether anybody ever tried."""
        return bool(self.measured or self.failed or any(self.attempts.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that is known before a plan is made.

    `in_flight` are commits being measured now; `attempts` counts how often a suite of a commit was tried, by who keeps that
    count; an empty suite counts for every one.
    """

    evidence: tuple[Evidence, ...] = ()
    in_flight: frozenset[str] = frozenset()
    attempts: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def standing(self, shas: Iterable[str], targets: Collection[Target]) -> dict[str, Standing]:
        """The standing of each commit with regard to these targets."""
        by_prefix: dict[str, list[Evidence]] = defaultdict(list)
        for item in self.evidence:
            by_prefix[item.commit[:SHORTEST]].append(item)
        return {sha: self._of(sha, targets, by_prefix.get(sha[:SHORTEST], [])) for sha in shas}

    def _of(self, sha: str, targets: Collection[Target], near: list[Evidence]) -> Standing:
        mine = [item for item in near if abbreviates(item.commit, sha)]
        measured = {t for t in targets if any(e.results and t.covers(e.suite, e.test_bed) for e in mine)}
        failed = {t for t in targets if any(e.failures and t.covers(e.suite, e.test_bed) for e in mine)}
        of_all = self.attempts.get((sha, ""), 0)
        tried = {t: of_all + (self.attempts.get((sha, t.suite), 0) if t.suite else 0) for t in targets}
        return Standing(
            measured=frozenset(measured),
            failed=frozenset(failed - measured),
            attempts={t: count or int(t in failed) for t, count in tried.items()},
            in_flight=any(abbreviates(flying, sha) for flying in self.in_flight),
        )


def abbreviates(stored: str, sha: str) -> bool:
    """Whether a stored commit is this one: the same text, or at least seven hexadecimal digits that begin it."""
    return stored == sha or (SHORTEST <= len(stored) < _FULL and sha.startswith(stored))
