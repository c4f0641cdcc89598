"""Every threshold and limit that a user can meet, in one place: verdicts, help texts, documentation, pages and comments read it here."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Thresholds of verdicts and lengths of what is shown. Effects are relative (0.02 is 2 %), runs and points are counts.

    docs/statistics.md gives the source of each statistical value. Constants of the detector that nobody meets by name are in
    `bench_db.analysis.constants`.
    """

    minimum_effect: float = 0.02
    """Smallest change that is called a regression or an improvement."""

    significance: float = 0.01
    """Largest p-value of a significant comparison."""

    baseline_runs: int = 5
    """Fewest runs of a baseline for a verdict; also the fewest candidates whose own spread is used."""

    level_runs: int = 7
    """Fewest runs of a level that nobody has accepted, for it to be a baseline."""

    level_most_runs: int = 20
    """Newest runs of a level that are compared with."""

    detection_runs: int = 20
    """Fewest runs of a series for a change point."""

    provisional_runs: int = 5
    """A change followed by fewer runs than this is provisional."""

    same_change_runs: int = 5
    """A change found again within this many runs of where it was is the same finding."""

    false_discovery_rate: float = 0.05
    """Share of the findings of a scan that may be false alarms."""

    recent_commits: int = 5
    """A series that none of this many newest commits measured is stale, not missing."""

    noise_effect: float = 0.05
    """Change for which `noise` counts the runs that would show it."""

    noise_runs: int = 100
    """Most runs that `noise` counts."""

    movement_effect: float = 0.02
    """Smallest movement of whole runs that a scan names."""

    same_setup_failures: int = 5
    """A backfill stops when this many first commits fail in set-up in the same way."""

    sha_length: int = 9
    """Digits of a commit id that are shown."""

    digest_length: int = 12
    """Digits of a sha256 that are shown."""

    nearest_names: int = 5
    """Names suggested for one that does not exist."""

    comment_rows: int = 10
    """Regressions, and improvements, that a comment shows before it folds the rest."""

    error_length: int = 4_000
    """Characters of the error of a failed benchmark that are stored."""

    def texts(self) -> dict[str, str]:
        """Return each value as people read it: a share as `2 %`, a count as `4,000`."""
        return {
            name: f"{100 * value:g} %" if isinstance(value, float) else f"{value:,}"
            for name, value in asdict(self).items()
        }


RULES = Rules()
