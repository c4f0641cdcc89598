"""Addresses of commits and of their differences, as patterns with `{commit}` and `{before}`."""

from __future__ import annotations

_COMMIT = "/commit/{commit}"
_DIFFERENCE = "/compare/{before}...{commit}"


def commit_pattern(repository: str | None, run_url: str | None) -> str:
    """Return where the forge of a CI run shows a commit; empty where the run does not name it.

    The address of a run begins with that of its repository; GitLab separates its pages from it by `-`.
    """
    name = f"/{repository}/"
    if not repository or not run_url or not run_url.startswith("https://") or name not in run_url:
        return ""
    base, _, page = run_url.partition(name)
    return f"{base}/{repository}{'/-' if page.startswith('-/') else ''}{_COMMIT}"


def difference_pattern(commit: str) -> str:
    """Return where the forge that shows a commit under this pattern shows a difference; empty where the pattern has another form."""
    return f"{commit.removesuffix(_COMMIT)}{_DIFFERENCE}" if commit.endswith(_COMMIT) else ""
