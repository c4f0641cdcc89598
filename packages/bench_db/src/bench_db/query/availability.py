"""Conditions that select the rows of a commit."""

from __future__ import annotations

import polars as pl

SHORTEST_ABBREVIATION = 7
FULL_SHA = 40


def of_commit(commit: str) -> pl.Expr:
    """Select the rows of a commit: the same sha, a stored abbreviation of it, or a longer sha that starts with it.

    Hexadecimal text is compared by prefix, in lower case; any other text must be equal.
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
    """Return whether a text can be a sha or an abbreviation of at least 7 digits, not a branch or a tag."""
    return len(text) >= SHORTEST_ABBREVIATION and set(text.lower()) <= set("0123456789abcdef")
