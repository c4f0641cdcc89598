"""The history that an answer speaks of: whose results count, and the order of their commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING

import polars as pl

from bench_db.identity import content_id
from bench_db.query.definitions import Definitions
from bench_db.query.order import commit_orders, former_mains, main_branches, of_former_main, of_line, with_order

if TYPE_CHECKING:
    from bench_db.model import Recorded
    from bench_db.query.selection import Selection

_NONE: frozenset[str] = frozenset()
# The columns that decide whether a result counts, and the columns that give its order.
SCOPE = ("dut_name", "commit", "branch", "pr_number", "run_key")
ORDER = ("commit", "dut_timestamp", "run_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the ledgers of a store say about its results.

    `orders` has the order of each recorded commit, in the order of recording; `main` has the main branch of each device. `joined` are commits on the line of main
    that were stored with another branch, `unreachable` those that a sync no longer found, `excluded` the keys of excluded runs.
    `definitions` rename series when they are read; None when there are none.
    """

    orders: Mapping[str, int] = field(default_factory=dict)
    main: Mapping[str, str] = field(default_factory=dict)
    joined: Collection[str] = _NONE
    unreachable: Collection[str] = _NONE
    excluded: Collection[int] = frozenset()
    definitions: Definitions | None = None

    def counts(self, selection: Selection, *, beside: pl.Expr | None = None) -> pl.Expr:
        """Select the rows of the history that a selection asks for: by default results of main without a pull request.

        A selection of a branch, of a pull request or of everything widens it, and so does the condition `beside`. Excluded runs
        are never selected.
        """
        scope = self._in_scope(selection)
        terms = [scope if beside is None else scope | beside]
        if self.excluded:
            terms.append(~pl.col("run_key").is_in(sorted(self.excluded)))
        return reduce(and_, terms)

    def _in_scope(self, selection: Selection) -> pl.Expr:
        if selection.everything:
            return pl.lit(value=True)
        if selection.pr_number is not None:
            return pl.col("pr_number") == selection.pr_number
        if selection.branch is not None and selection.branch not in set(self.main.values()):
            return pl.col("branch") == selection.branch
        terms = [pl.col("pr_number").is_null()]
        if self.unreachable:
            commit = pl.col("commit")
            terms.append(commit.is_null() | ~commit.is_in(sorted(self.unreachable)))
        terms.append(self._on_main() if selection.branch is None else pl.col("branch") == selection.branch)
        return reduce(and_, terms)

    def _on_main(self) -> pl.Expr:
        """Select results of the main branch of their device, or of an unknown branch."""
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
        return reduce(or_, [branch.is_null(), *own, *others])

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
        return f"the main history (branch {', '.join(names)})" if names else "the main history"

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
        joined=frozenset(
            record.commit
            for record in commits.values()
            if record.branch not in (None, branches.get(record.dut_name))
            and (of_line(record, branches) or of_former_main(record, former))
        ),
        unreachable=frozenset(record.commit for record in commits.values() if record.reachable is False),
        excluded=frozenset(excluded),
        definitions=definitions,
    )
