"""Commits as users name them: by a sha, or by what a clone knows."""

from __future__ import annotations

from pathlib import Path

from bench_db.errors import UserError
from bench_db.identity import is_commit_id, require_text
from bench_db.measure import git


def sha_of(name: str, clone: Path | None = None) -> str:
    """Return the full sha that `HEAD`, a branch or a tag means in a clone, by default the one around the working directory.

    A sha or an abbreviation is returned as it is, because the store may know it better than the clone does; so is a name that
    the clone does not know.
    """
    require_text("commit", name)
    if is_commit_id(name):
        return name
    try:
        return git.resolve(clone or Path(), name)
    except UserError:
        return name
