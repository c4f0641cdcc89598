"""The history of an answer: whose results count, and the order of their commits."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from operator import and_, or_
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from bench_db.identity import content_id
from bench_db.model import MAIN_NAMES, completed
from bench_db.query.definitions import Definitions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench_db.model import CommitFacts, Recorded, RecordedCommit
    from bench_db.query.selection import Selection

_NONE: frozenset[str] = frozenset()
# The columns that decide whether a result counts, and the columns that give its order.
SCOPE = ("dut_name", "commit", "branch", "pr_number", "run_key")
ORDER = ("commit", "dut_timestamp", "run_time")
# An order is the time of a commit in unix seconds, times this, plus its rank among the recorded commits of that second.
RANKS = 1 << 20


# The recorded parents of each commit, or its children.
Links = Mapping[str, Sequence[str]]
# Position, number of ancestors, time and sha of a commit.
Place = tuple[int, int, int, str]


class Seen(NamedTuple):
    """Results that a reader has seen: what decided which of the stored ones count, and the signatures of their fragments, in order."""

    scope: str = ""
    fragments: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the ledgers of a store say about its results.

    `orders` has the order of each recorded commit, in the order of recording; `main` has the main branch of each device. `joined` are commits on the line of main
    that were stored with another branch, `beside` those with another branch that a clone shows to be off that line: their results without a
    branch are not main's. `unreachable` are commits that a sync no longer found, `excluded` the keys of excluded runs.
    `definitions` rename series when they are read; None when there are none. `assumed` are the devices of which nothing names the main branch:
    theirs is the branch with most commits, of several.
    """

    orders: Mapping[str, int] = field(default_factory=dict)
    main: Mapping[str, str] = field(default_factory=dict)
    assumed: Collection[str] = _NONE
    joined: Collection[str] = _NONE
    beside: Collection[str] = _NONE
    unreachable: Collection[str] = _NONE
    excluded: Collection[int] = frozenset()
    definitions: Definitions | None = None

    def counts(self, selection: Selection, *, beside: pl.Expr | None = None) -> pl.Expr:
        """Select the rows of the history that a selection asks for: by default results of main without a pull request.

        A selection of a branch, of a pull request or of everything widens it, and so does the condition `beside`. Excluded runs
        are never selected.
        """
        return reduce(and_, self.terms(selection, beside=beside) or [pl.lit(value=True)])

    def terms(self, selection: Selection, *, beside: pl.Expr | None = None) -> list[pl.Expr]:
        """Return the conditions that all rows meet which `counts` selects; each is on few columns."""
        scope = self._in_scope(selection)
        terms = scope if beside is None else [reduce(and_, scope) | beside] if scope else []
        return [*terms, ~pl.col("run_key").is_in(sorted(self.excluded))] if self.excluded else terms

    def _in_scope(self, selection: Selection) -> list[pl.Expr]:
        if selection.everything:
            return []
        if selection.pr_number is not None:
            return [pl.col("pr_number") == selection.pr_number]
        if selection.branch is not None and selection.branch not in set(self.main.values()):
            return [pl.col("branch") == selection.branch]
        terms = [pl.col("pr_number").is_null()]
        if self.unreachable:
            commit = pl.col("commit")
            terms.append(commit.is_null() | ~commit.is_in(sorted(self.unreachable)))
        terms.append(self._on_main() if selection.branch is None else pl.col("branch") == selection.branch)
        return terms

    def _on_main(self) -> pl.Expr:
        """Select results of the main branch of their device, or of an unknown branch that may be main."""
        branch = pl.col("branch")
        devices: defaultdict[str, list[str]] = defaultdict(list)
        for dut, main in self.main.items():
            devices[main].append(dut)
        own = [
            branch == main if len(devices) == 1 else (branch == main) & pl.col("dut_name").is_in(sorted(duts))
            for main, duts in sorted(devices.items())
        ]
        others = [pl.col("commit").is_in(sorted(self.joined))] if self.joined else []
        if not own:
            return pl.lit(value=True)
        unknown = [branch.is_null() & ~self.is_beside()] if self.beside else [branch.is_null()]
        return reduce(or_, [*unknown, *own, *others])

    def is_beside(self) -> pl.Expr:
        """Select results without a branch of commits that are off the line of main."""
        commit = pl.col("commit")
        return pl.col("branch").is_null() & commit.is_not_null() & commit.is_in(sorted(self.beside))

    def ordered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add the column `commit_order` to rows that have the columns `ORDER`."""
        return with_order(rows, self.orders)

    def about(self, selection: Selection) -> str:
        """Describe whose history a selection is of, for reports."""
        if selection.everything:
            return "all results, pull requests and other branches included"
        if selection.pr_number is not None:
            return f"pull request {selection.pr_number}"
        if selection.branch is not None:
            return f"branch {selection.branch}"
        names = sorted(set(self.main.values()))
        how = (
            f"; assumed for {', '.join(sorted(self.assumed))}, as the branch with most commits: bench-db define main states it"
            if self.assumed
            else ""
        )
        return f"the main history (branch {', '.join(names)}{how})" if names else "the main history"

    @property
    def scope(self) -> str:
        """A text that changes when a stored result begins to count, or counts no longer."""
        commits = [sorted(one) for one in (self.joined, self.beside, self.unreachable)]
        return content_id([repr((sorted(self.main.items()), commits, sorted(self.excluded)))])

    def stamp(self, recorded: int) -> str:
        """Return a text that changes when the newest result of a series can change among those of the first `recorded` commits."""
        first = list(self.orders)[:recorded]
        sequence = sorted(first, key=lambda commit: (self.orders[commit], commit))
        return content_id(
            (
                *sorted(self.joined),
                "",
                *sorted(self.unreachable),
                "",
                *map(str, sorted(self.excluded)),
                "",
                *sequence,
                *sorted(self.beside),
            )
        )


def history_of(
    commits: Mapping[tuple[str, str], Recorded],
    *,
    excluded: Collection[int] = frozenset(),
    definitions: Definitions | None = None,
) -> History:
    """Return the history that recorded commits, excluded runs and definitions describe."""
    stated = {} if definitions is None else definitions.main_branches({dut for dut, _ in commits})
    branches = main_branches(commits.values(), stated)
    former = {(dut, name) for dut, name in former_mains(commits.values(), branches) if dut not in stated}
    orders = commit_orders(commits, branches)
    return History(
        orders={commit: orders[commit] for _, commit in commits},
        main=branches,
        assumed=assumed_mains(commits.values(), branches) - stated.keys(),
        joined=frozenset(
            record.commit
            for record in commits.values()
            if record.branch not in (None, branches.get(record.dut_name))
            and (of_line(record, branches) or of_former_main(record, former))
        ),
        beside=frozenset(
            record.commit
            for record in commits.values()
            if record.branch not in (None, branches.get(record.dut_name)) and _is_beside(record, branches)
        ),
        unreachable=frozenset(record.commit for record in commits.values() if record.reachable is False),
        excluded=frozenset(excluded),
        definitions=definitions,
    )


def main_branches(known: Iterable[RecordedCommit | CommitFacts], stated: Mapping[str, str]) -> dict[str, str]:
    """Return the main branch of each device with recorded commits.

    It is the `stated` one, else the default branch that the newest record names, else main or master, whichever has results, else
    the branch with most commits: of several, the one that was recorded first.
    A device whose commits have no branch has none.
    """
    named: dict[str, str] = {}
    devices: defaultdict[str, dict[str, list[RecordedCommit | CommitFacts]]] = defaultdict(dict)
    for record in sorted(known, key=lambda record: record.recorded_at):
        if record.main_branch:
            named[record.dut_name] = record.main_branch
        if record.branch and record.pr_number is None:
            devices[record.dut_name].setdefault(record.branch, []).append(record)
    return {dut: _main_of(branches) for dut, branches in devices.items()} | named | dict(stated)


def assumed_mains(known: Iterable[RecordedCommit | CommitFacts], main: Mapping[str, str]) -> frozenset[str]:
    """Return the devices whose main branch is only the one with most commits: it has another name than main, no record names it, and another branch has results."""
    others, named = set[str](), set[str]()
    for record in known:
        own = main.get(record.dut_name)
        if own in MAIN_NAMES or record.main_branch == own:
            named.add(record.dut_name)
        elif record.pr_number is None and record.branch not in (None, own):
            others.add(record.dut_name)
    return frozenset(others - named)


def _main_of(branches: Mapping[str, Sequence[RecordedCommit | CommitFacts]]) -> str:
    usual = next((name for name in MAIN_NAMES if name in branches), None)
    return usual or max(branches, key=lambda name: len(branches[name]))


def commit_orders(known: Mapping[tuple[str, str], Recorded], main: Mapping[str, str]) -> dict[str, int]:
    """Return the order of each recorded commit.

    The commits of a device are ordered by time. The places of commits with a position, given or counted along recorded parents, are
    then filled in the order of git, so that a missing position moves nothing else. A commit that is dated after its first
    run is ordered as if made at that run. Devices that share a commit have one repository, and so one order.
    """
    orders: dict[str, int] = {}
    for commits in _repositories(known):
        placed: list[tuple[int, int, int, str]] = []
        for number, line in enumerate(_lines(commits, main)):
            times = sorted(map(_made, line))
            placed += [(time, number, i, line[i].commit) for i, time in enumerate(times)]
        placed.sort()
        before, rank = -1, 0
        for time, _, _, commit in placed:
            rank = rank + 1 if time == before else 1
            before = time
            orders[commit] = time * RANKS + rank
    return orders


def _made(record: RecordedCommit | CommitFacts) -> int:
    return record.time if record.measured_at is None else min(record.time, record.measured_at)


def _repositories(known: Mapping[tuple[str, str], Recorded]) -> list[list[Recorded]]:
    """Return the commits of each repository, each commit once; devices with a common commit are of one repository."""
    if len({dut for dut, _ in known}) <= 1:
        return [list(known.values())]
    owner: dict[str, str] = {}
    joined: dict[str, str] = {}

    def root(dut: str) -> str:
        while joined.get(dut, dut) != dut:
            dut = joined[dut]
        return dut

    found: dict[str, Recorded] = {}
    for record in known.values():
        one, other = root(record.dut_name), root(owner.setdefault(record.commit, record.dut_name))
        joined[one] = other
        found[record.commit] = completed(found[record.commit], record) if record.commit in found else record
    groups: defaultdict[str, list[Recorded]] = defaultdict(list)
    for commit, record in found.items():
        groups[root(owner[commit])].append(record)
    return list(groups.values())


def _lines(commits: Sequence[Recorded], main: Mapping[str, str]) -> Iterable[list[Recorded]]:
    """Yield the commits of each line of development that can be counted, in order; a line may have one commit.

    The lines are that of main, then each other branch and pull request; parts that no parents connect are lines of their own.
    """
    lines: defaultdict[tuple[str | None, int | None], list[Recorded]] = defaultdict(list)
    for record in commits:
        of_main = of_line(record, main) or (
            record.pr_number is None and record.branch in (None, main.get(record.dut_name))
        )
        lines[(None, None) if of_main else (record.branch, record.pr_number)].append(record)
    for line in lines.values():
        yield from _counted(line)


def of_line(record: RecordedCommit | CommitFacts, main: Mapping[str, str]) -> bool:
    """Return whether a commit is on the first-parent line of the main branch of its device."""
    return bool(record.on_main) and record.main_branch is not None and record.main_branch == main.get(record.dut_name)


def _is_beside(record: RecordedCommit | CommitFacts, main: Mapping[str, str]) -> bool:
    """Return whether a clone has shown that a commit is not on the first-parent line of the main branch of its device."""
    return record.on_main is False and record.pr_number is None and record.main_branch == main.get(record.dut_name)


def former_mains(known: Iterable[RecordedCommit | CommitFacts], main: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return the former names of main branches, with their device: a branch that was renamed has no commits beside the present one.

    Two branches that live on beside each other are no renaming, although first the one was the default branch and then the other.
    """
    made: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)  # device, branch, main branch at that time
    for record in known:
        if record.pr_number is None and record.branch and record.main_branch:
            made[record.dut_name, record.branch, record.main_branch].append(record.time)
    found = set[tuple[str, str]]()
    for dut, branch, main_then in made:
        now = main.get(dut, "")
        if branch == main_then != now and (dut, now, branch) not in made:
            since = min(made.get((dut, now, now), []), default=0)
            if not any(time > since for time in made.get((dut, branch, now), [])):
                found.add((dut, branch))
    return found


def of_former_main(record: RecordedCommit | CommitFacts, former: Collection[tuple[str, str]]) -> bool:
    """Return whether a commit was made on the main branch when that had one of its former names."""
    own = record.branch == record.main_branch and record.on_main is not False and record.pr_number is None
    return own and (record.dut_name, record.branch) in former


def _counted(line: Sequence[Recorded]) -> Iterable[list[Recorded]]:
    """Yield the parts of a line whose places can be compared, each in order: first what has positions, then each part that parents connect."""
    sequence = _in_sequence(line)
    if sequence is not None:
        yield sequence
        return
    line = sorted(line, key=lambda record: record.commit)
    by_sha = {record.commit: record for record in line}
    parents = {r.commit: tuple(sha for sha in dict.fromkeys(_parents(r)) if sha in by_sha) for r in line}
    position = {record.commit: record.position for record in line if record.position is not None}
    given = {r.commit: r.position if r.ancestors is None else r.ancestors for r in line if r.position is not None}
    children = _children(parents)
    ancestors = _ancestors(given, parents, children)
    connected: list[tuple[Links, Links]] = [(parents, children)]
    first = parents
    if any(len(before) > 1 for before in parents.values()):
        # a merge whose first parent has no results follows the one that has, as after a `git pull` into a local line
        first = {commit: before[:1] for commit, before in parents.items()}
        connected.insert(0, (first, _children(first)))
    own = {record.commit: first[record.commit] for record in line if record.parent in by_sha}
    of_own: list[tuple[Links, Links]] = [] if len(own) == sum(map(bool, parents.values())) else [(own, _children(own))]
    # The children are listed once, because a line without parents has as many parts as commits.
    for links in (*of_own, *connected) if len(position) < len(line) else ():
        _count_along(position, *links)
    yield _by_containment([by_sha[commit] for commit in position], position, ancestors, parents)
    for record in line:
        if record.commit not in position:
            part = {record.commit: 0}
            for links in connected:
                _count_along(part, *links)
            position |= part
            yield _by_containment([by_sha[commit] for commit in part], part, ancestors, parents)


def _in_sequence(line: Sequence[Recorded]) -> list[Recorded] | None:
    """Return a line in the order of its positions if each commit has one that nothing contradicts; else None.

    Nothing contradicts them when they differ, the numbers of ancestors grow with them, and each parent is before its children. Most
    lines are so, and to compare their commits takes five times as long.
    """
    if any(record.position is None for record in line):
        return None
    ordered = sorted(line, key=lambda record: record.position or 0)
    if any(one.position == other.position for one, other in pairwise(ordered)):
        return None
    numbers = [record.position if record.ancestors is None else record.ancestors for record in ordered]
    if any(one >= other for one, other in pairwise(numbers)):  # type: ignore[operator]
        return None
    place = {record.commit: number for number, record in enumerate(ordered)}
    if any(place.get(sha, -1) >= number for number, record in enumerate(ordered) for sha in _parents(record)):
        return None
    return ordered


def _ancestors(given: Mapping[str, int], parents: Links, children: Links) -> dict[str, int]:
    """Return a number for each commit that is larger than those of its recorded parents: the number of ancestors where it is given.

    Another commit has one more than the largest number of its parents, or one less than the smallest of its children where no parent
    has one. Commits that nothing connects with a given number are counted from 0.
    """
    sequence = _parents_first(parents, children)
    number = dict(given)
    before = -1
    while before < len(number) < len(sequence):
        before = len(number)
        _count_up(number, sequence, parents)
        for commit in reversed(sequence):
            behind = [number[sha] for sha in children.get(commit, ()) if sha in number]
            if behind and commit not in number:
                number[commit] = min(behind) - 1
    for commit in sequence:
        if commit not in number and not parents[commit]:
            number[commit] = 0
    _count_up(number, sequence, parents)
    return dict.fromkeys(sequence, 0) | number  # those in a circle have none


def _count_up(number: dict[str, int], sequence: Sequence[str], parents: Links) -> None:
    for commit in sequence:
        least = [number[sha] + 1 for sha in parents[commit] if sha in number]
        if least:
            number[commit] = max(*least, number.get(commit, least[0]))


def _parents_first(parents: Links, children: Links) -> list[str]:
    """Sort commits so that each is behind its parents; those in a circle, as of wrong records, are the last."""
    waits = {commit: len(before) for commit, before in parents.items()}
    sequence = [commit for commit, number in waits.items() if not number]
    for commit in sequence:  # grows
        for sha in children.get(commit, ()):
            waits[sha] -= 1
            if not waits[sha]:
                sequence.append(sha)
    return [*sequence, *(commit for commit, number in waits.items() if number)]


def _parents(record: RecordedCommit | CommitFacts) -> tuple[str, ...]:
    return () if record.parent is None else (record.parent, *record.merged)


def _children(parents: Links) -> Links:
    """Return the children of each commit that has some; thousands of empty lists make Python collect garbage."""
    children: dict[str, list[str]] = {}
    for commit, before in parents.items():
        for sha in before:
            children.setdefault(sha, []).append(commit)
    return children


def _by_containment(
    line: Sequence[Recorded], position: Mapping[str, int], ancestors: Mapping[str, int], parents: Links
) -> list[Recorded]:
    """Sort commits so that none is before one that it can contain.

    A commit has more ancestors than each commit that it contains. Its position, which counts first parents, is larger, too, along one line;
    a `git pull` that merges main into the line of a developer, which is then pushed as main, ends that line and begins another. Where both
    numbers order two commits alike, that is their order. Where they do not, neither contains the other, or the line was changed, and the
    time decides; but a recorded parent is before its children.
    """
    if len(line) == 1:
        return list(line)
    places = [(position[r.commit], ancestors[r.commit], _made(r), r.commit) for r in line]
    numbers = sorted(range(len(places)), key=lambda n: (places[n][0], places[n][2], places[n][3]))
    ordered: list[Recorded] = []
    in_order = [places[n] for n in numbers]
    for block in _disputed(in_order):
        of_block = _by_time([in_order[n] for n in block], parents) if len(block) > 1 else (0,)
        ordered += [line[numbers[block[n]]] for n in of_block]
    return ordered


def _disputed(places: Sequence[Place]) -> Iterable[range]:
    """Cut places that are sorted by position where all before have a smaller position and fewer ancestors than all behind."""
    least = [0] * len(places)
    behind = math.inf
    for n in range(len(places) - 1, -1, -1):
        behind = min(behind, places[n][1])
        least[n] = int(behind)
    start, most = 0, -1
    for n in range(len(places)):
        if n > start and most < least[n] and places[n - 1][0] < places[n][0]:
            yield range(start, n)
            start = n
        most = max(most, places[n][1])
    if places:
        yield range(start, len(places))


def _by_time(places: Sequence[Place], parents: Links) -> Iterator[int]:
    """Yield the indices of places that are sorted by position by their time, each behind its parents and all of smaller position and fewer ancestors.

    An index that is not free yet waits for one of those that must be before it: of its parents, else the last of those before it.
    """
    index = {place[3]: n for n, place in enumerate(places)}
    positions = [place[0] for place in places]
    left = _Left([place[1] for place in places])
    heap = [(time, ancestors, position, n) for n, (position, ancestors, time, _) in enumerate(places)]
    heapq.heapify(heap)
    waiting: defaultdict[int, list[tuple[int, int, int, int]]] = defaultdict(list)

    def parent_of(n: int) -> int | None:
        return next((m for sha in parents[places[n][3]] if (m := index.get(sha)) is not None), None)

    while index:
        if not heap:  # contradicting numbers, as of a record that is wrong: parents alone decide, else nothing
            remaining = [entry for entries in waiting.values() for entry in entries]
            entry = min([e for e in remaining if parent_of(e[-1]) is None] or remaining)
            waiting = defaultdict(list, {m: [e for e in entries if e != entry] for m, entries in waiting.items()})
        else:
            entry = heapq.heappop(heap)
            before = parent_of(entry[-1])
            if before is None:
                before = left.last(bisect_left(positions, entry[2]), entry[1])
            if before is not None:
                waiting[before].append(entry)
                continue
        n = entry[-1]
        del index[places[n][3]]
        left.remove(n)
        yield n
        for free in waiting.pop(n, ()):
            heapq.heappush(heap, free)


class _Left:
    """The numbers of a list that are left, as a tree of the smallest of each half."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._size = 1 << len(numbers).bit_length()
        padding = [math.inf] * (self._size - len(numbers))
        self._least: list[float] = [math.inf] * self._size + [*numbers, *padding]
        for node in range(self._size - 1, 0, -1):
            self._update(node)

    def _update(self, node: int) -> None:
        self._least[node] = min(self._least[2 * node], self._least[2 * node + 1])

    def remove(self, n: int) -> None:
        """Take a number out."""
        node = self._size + n
        self._least[node] = math.inf
        while node := node >> 1:
            self._update(node)

    def last(self, end: int, limit: int) -> int | None:
        """Return the last index before `end` with a number below a limit; None without one."""
        node = self._size + end
        while node > 1:
            if node & 1 and self._least[node - 1] < limit:
                node -= 1
                while node < self._size:
                    node = 2 * node + (self._least[2 * node + 1] < limit)
                return node - self._size
            node >>= 1
        return None


def _count_along(position: dict[str, int], parents: Links, children: Links) -> None:
    """Add the positions of commits that parents connect with those that have one, in either direction."""
    reached = list(position)
    while reached:
        commit = reached.pop()
        for links, step in ((parents, -1), (children, 1)):
            for sha in links.get(commit, ()):
                if sha not in position:
                    position[sha] = position[commit] + step
                    reached.append(sha)


def with_order(rows: pl.DataFrame, orders: Mapping[str, int]) -> pl.DataFrame:
    """Add `commit_order` to rows with commit, commit time and run time; a commit without a record is ordered by its time."""
    made = pl.min_horizontal("dut_timestamp", pl.coalesce("run_time", "dut_timestamp"))
    own = made.fill_null(-1).cast(pl.Int64) * RANKS
    if not orders:
        return rows.with_columns(commit_order=own)
    found = pl.DataFrame({"commit": list(orders), "commit_order": list(orders.values())})
    joined = rows.join(found, on="commit", how="left", maintain_order="left")
    return joined.with_columns(commit_order=pl.coalesce("commit_order", own))
