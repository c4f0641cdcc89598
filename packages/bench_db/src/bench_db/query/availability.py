"""Which commits have been measured, and for which suites."""

from __future__ import annotations

import polars as pl

SHORTEST_ABBREVIATION = 7
FULL_SHA = 40


def of_commit(commit: str) -> pl.Expr:
    """Rows of a commit: the sha itself, an abbreviation of it that a tool stored, or any sha it abbreviates itself.

    Only hexadecimal is compared by prefix, in lower case; any other text must be equal.
    """
    column = pl.col("commit")
    if not is_sha(commit):
        return column == commit
    commit = commit.lower()
    stored = [commit[:length] for length in range(SHORTEST_ABBREVIATION, len(commit) + 1)]
    if len(commit) >= FULL_SHA:
        return column.is_in(stored)
    return column.is_in(stored) | ((column >= commit) & (column < commit + "g"))


def is_sha(text: str) -> bool:
    """Whether a text can be a sha or the beginning of one, rather than a branch, a tag or too few digits."""
    return len(text) >= SHORTEST_ABBREVIATION and set(text.lower()) <= set("0123456789abcdef")
