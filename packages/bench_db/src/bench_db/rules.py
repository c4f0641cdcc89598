"""Every threshold and limit that a user can meet. Verdicts, help texts, documentation, pages and comments read them from here."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Thresholds of verdicts and lengths in output. Effects are relative (0.02 is 2 %), runs and points are counts.

    docs/statistics.md gives the source of each statistical value. `bench_db.analysis.constants` has the internal constants of
    the detector.
    """

    minimum_effect: float = 0.02
    """Smallest change that is a regression or an improvement."""

    significance: float = 0.01
    """Largest p-value of a significant comparison."""

    commit_significance: float = 0.005
    """Level of Benjamini-Hochberg over all series of a commit: a significant change that it does not accept is suspected."""

    quiet_effect: float = 0.1
    """A series is quiet when one more run can show a change of this size, which is then a verdict at once."""

    baseline_runs: int = 5
    """Fewest runs of a baseline for a verdict; also the fewest candidate runs whose spread is used."""

    hidden_effect: float = 0.5
    """An unchanged series whose interval reaches a change for the worse of this size is counted as too noisy to judge."""

    one_go_minutes: int = 10
    """Runs of one commit on one test bed that begin within this many minutes of one another are one observation."""

    level_runs: int = 7
    """Fewest runs of a level, unless accepted, for its use as a baseline."""

    level_most_runs: int = 20
    """Most runs of a level in a baseline, the newest first."""

    detection_runs: int = 8
    """Fewest runs of a series for a change point."""

    figure_samples: int = 5
    """Fewest samples of every run of a series for another figure than the median."""

    figure_runs: int = 10
    """Fewest runs of a series for another figure than the median."""

    figure_noise: float = 0.8
    """Another figure is used when its noise is below this share of the noise of the present one."""

    change_effect: float = 0.01
    """Smallest change of level that `scan` reports and that begins a new baseline, alone or together with its neighbours."""

    provisional_runs: int = 5
    """A change with fewer runs than this at its level is provisional; later runs confirm or withdraw it."""

    same_change_runs: int = 5
    """A change detected again within this many runs of its position is the same finding."""

    false_discovery_rate: float = 0.05
    """Share of the findings of a scan that may be false alarms, and of the changes that one run shows in quiet series."""

    recent_commits: int = 5
    """A series without a result in this many newest commits is stale, not missing, and a failed suite ends that has none on its test bed."""

    noise_effect: float = 0.05
    """Change for which `noise` gives the number of needed runs."""

    noise_runs: int = 100
    """Largest number of needed runs that `noise` gives."""

    pair_most_needed: int = 100
    """Largest number of further rounds given for an undecided series measured in pairs."""

    movement_effect: float = 0.02
    """Smallest movement of a run that a scan reports."""

    whole_run_share: float = 0.8
    """Share of the benchmarks of a suite on a test bed from which the whole run moved."""

    control_share: float = 0.5
    """Share of the benchmarks that must not have moved to show that the machine did not."""

    cause_benchmarks: int = 3
    """Fewest benchmarks that did not move, or that were measured, as evidence for a cause."""

    leftover_samples: int = 5
    """Fewest different samples that can be recognised as those of an earlier commit."""

    same_setup_failures: int = 5
    """A backfill stops when this many first commits fail in set-up in the same way."""

    sha_length: int = 9
    """Digits of a commit id in output."""

    factor_effect: float = 10.0
    """A relative change of this size and more is shown as a factor: +1,000 % as 11.0 times."""

    digest_length: int = 12
    """Digits of a sha256 in output."""

    nearest_names: int = 5
    """Suggestions for an unknown name."""

    comment_rows: int = 10
    """Regressions, and improvements, that a comment lists before it folds the rest."""

    message_commits: int = 10
    """Commits that a message about findings lists before it counts the rest, and new issues of one `notify`."""

    message_findings: int = 1_000
    """Findings of one message to a receiver."""

    message_benchmarks: int = 3
    """Benchmarks that a message names of a commit, the largest changes first."""

    message_seconds: int = 120
    """Seconds in which a message is tried again before it counts as failed."""

    claim_minutes: int = 30
    """A message without an outcome after this many minutes is sent again: the process that claimed it has ended."""

    badge_days: int = 14
    """Days after which the badge of the site takes the newest results for stale: of all, or of a device, test bed and suite, which then count as not judged."""

    site_pull_requests: int = 20
    """Pull requests whose points the charts of a site show, those that were measured last."""

    error_length: int = 4_000
    """Stored characters of the error of a failed benchmark."""

    chart_rows: int = 60
    """Series, or findings, that a chart in a notebook shows, the largest changes first."""

    log_lines: int = 8
    """Last lines of the log of a failed command that an error shows."""

    unpacked_mebibytes: int = 1_024
    """Largest text, in MiB, that is read from a gzip file."""

    input_seconds: int = 60
    """Seconds that a named pipe may have no writer."""

    server_seconds: int = 30
    """Seconds that a mirror waits for a server to answer, and for another mirror to end."""

    progress_mebibytes: int = 8
    """Largest CSV file of progress, in MiB, that the site draws."""

    metadata_length: int = 16_000
    """Stored characters of the tool's own record of one result."""

    tag_length: int = 1_000
    """Stored characters of the name and of the value of a tag."""

    formula_length: int = 300
    """Characters of the formula of a derived metric."""

    def texts(self) -> dict[str, str]:
        """Return each value as people read it: a share as `2 %`, a count as `4,000`."""
        return {
            name: f"{100 * value:g} %" if isinstance(value, float) else f"{value:,}"
            for name, value in asdict(self).items()
        }


RULES = Rules()
