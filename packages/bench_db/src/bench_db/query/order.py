"""The order of commits: one integer for each commit of a device, computed from recorded positions, parents and times."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench_db.model import RecordedCommit

# An order is the time of a commit in unix seconds, times this, plus its rank among the recorded commits of that second.
RANKS = 1 << 20

MAIN_NAMES = ("main", "master")


def known_commits(records: Iterable[RecordedCommit]) -> dict[tuple[str, str], RecordedCommit]:
    """Return what is known of each commit of a device, from records in the order in which they were written.

    A later record replaces the facts it has. A commit that main has had stays one of main, whatever pull request measured it too.
    """
    known: dict[tuple[str, str], RecordedCommit] = {}
    for record in records:
        key = (record.dut_name, record.commit)
        known[key] = _completed(known[key], record) if key in known else record
    return known


def _completed(earlier: RecordedCommit, later: RecordedCommit) -> RecordedCommit:
    of_main = earlier if earlier.pr_number is None and later.pr_number is not None else later
    measured = [time for time in (earlier.measured_at, later.measured_at) if time is not None]
    return replace(
        later,
        time=later.time or earlier.time,
        position=earlier.position if later.position is None else later.position,
        parents=later.parents or earlier.parents,
        author_time=later.author_time or earlier.author_time,
        subject=later.subject or earlier.subject,
        branch=of_main.branch if of_main.branch is not None else earlier.branch,
        pr_number=of_main.pr_number,
        main_branch=later.main_branch or earlier.main_branch,
        on_main=earlier.on_main if later.on_main is None else later.on_main,
        reachable=earlier.reachable if later.reachable is None else later.reachable,
        measured_at=min(measured, default=None),
    )


def main_branches(known: Iterable[RecordedCommit], stated: Mapping[str, str]) -> dict[str, str]:
    """Return the main branch of each device with recorded commits.

    It is the `stated` one, else the default branch that the newest record names, else main or master, whichever has results, else
    the branch with most commits. A device whose commits have no branch has none.
    """
    named: dict[str, str] = {}
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in sorted(known, key=lambda record: record.recorded_at):
        if record.main_branch:
            named[record.dut_name] = record.main_branch
        if record.branch and record.pr_number is None:
            counts[record.dut_name][record.branch] += 1
    return {dut: _main_of(branches) for dut, branches in counts.items()} | named | dict(stated)


def _main_of(branches: Counter[str]) -> str:
    usual = next((name for name in MAIN_NAMES if name in branches), None)
    return usual or max(branches, key=lambda name: (branches[name], name))


def commit_orders(known: Mapping[tuple[str, str], RecordedCommit], main: Mapping[str, str]) -> dict[str, int]:
    """Return the order of each recorded commit.

    The commits of a device are ordered by time. The places of commits with a position, given or counted along recorded parents, are
    then filled in the order of the positions, so that a missing position moves nothing else. A commit that is dated after its first
    run is ordered as if made at that run. Devices that share a commit have one repository, and so one order.
    """
    orders: dict[str, int] = {}
    for commits in _repositories(known.values()):
        placed: list[tuple[int, int, int, str]] = []
        for number, line in enumerate(_lines(commits, main)):
            times = sorted(_made(record) for record, _ in line)
            ordered = sorted(line, key=lambda item: (item[1], _made(item[0]), item[0].commit))
            placed += [(time, number, i, ordered[i][0].commit) for i, time in enumerate(times)]
        ranks: Counter[int] = Counter()
        for time, _, _, commit in sorted(placed):
            ranks[time] += 1
            orders[commit] = time * RANKS + ranks[time]
    return orders


def _made(record: RecordedCommit) -> int:
    return record.time if record.measured_at is None else min(record.time, record.measured_at)


def _repositories(known: Iterable[RecordedCommit]) -> list[list[RecordedCommit]]:
    """Return the commits of each repository, each commit once; devices with a common commit are of one repository."""
    owner: dict[str, str] = {}
    joined: dict[str, str] = {}

    def root(dut: str) -> str:
        while joined.get(dut, dut) != dut:
            dut = joined[dut]
        return dut

    found: dict[str, RecordedCommit] = {}
    for record in known:
        one, other = root(record.dut_name), root(owner.setdefault(record.commit, record.dut_name))
        joined[one] = other
        found[record.commit] = _completed(found[record.commit], record) if record.commit in found else record
    groups: defaultdict[str, list[RecordedCommit]] = defaultdict(list)
    for commit, record in found.items():
        groups[root(owner[commit])].append(record)
    return list(groups.values())


def _lines(commits: Sequence[RecordedCommit], main: Mapping[str, str]) -> Iterable[list[tuple[RecordedCommit, int]]]:
    """Yield the commits of each line of development that can be counted, each with its position; a line may have one commit.

    The lines are that of main, then each other branch and pull request; parts that no parents connect are lines of their own.
    """
    lines: defaultdict[tuple[str | None, int | None], list[RecordedCommit]] = defaultdict(list)
    for record in commits:
        branch = main.get(record.dut_name)
        of_main = of_line(record, main) or (record.pr_number is None and record.branch in (None, branch))
        lines[(None, None) if of_main else (record.branch, record.pr_number)].append(record)
    for line in lines.values():
        yield from _counted(line)


def of_line(record: RecordedCommit, main: Mapping[str, str]) -> bool:
    """Return whether a commit is on the first-parent line of the main branch of its device."""
    return bool(record.on_main) and record.main_branch is not None and record.main_branch == main.get(record.dut_name)


def _counted(line: Sequence[RecordedCommit]) -> Iterable[list[tuple[RecordedCommit, int]]]:
    """Yield the parts of a line whose positions can be compared: first what has positions, then each unbroken chain of parents."""
    by_sha = {record.commit: record for record in line}
    children: defaultdict[str, list[str]] = defaultdict(list)
    for record in line:
        if record.parents and record.parents[0] in by_sha:
            children[record.parents[0]].append(record.commit)
    position = {record.commit: record.position for record in line if record.position is not None}
    _count_along(list(position), position, by_sha, children)
    yield [(by_sha[commit], place) for commit, place in position.items()]
    for record in line:
        if record.commit not in position:
            chain = {record.commit: 0}
            _count_along([record.commit], chain, by_sha, children)
            position |= chain
            yield [(by_sha[commit], place) for commit, place in chain.items()]


def _count_along(
    reached: list[str],
    position: dict[str, int],
    by_sha: Mapping[str, RecordedCommit],
    children: Mapping[str, Sequence[str]],
) -> None:
    """Add the positions of commits that first parents connect with those reached, in either direction."""
    while reached:
        commit = reached.pop()
        parent = by_sha[commit].parents[:1]
        near = [(sha, position[commit] - 1) for sha in parent if sha in by_sha]
        near += [(sha, position[commit] + 1) for sha in children.get(commit, ())]
        for sha, place in near:
            if sha not in position:
                position[sha] = place
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
