"""The use cases of the results of a pull request: merge what its jobs left, and compare it with the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.analysis.judge import counted, of_machine, plan
from bench_db.app.answers import Answer, frame_of
from bench_db.app.compare import comparisons_json, failing, local_verdicts, threshold_faults, with_causes
from bench_db.app.confirm import HandedOver, applied, arrived, flagged_of, hand_over
from bench_db.app.expected import suites_in, with_absent
from bench_db.app.gate import FLAGGED, Confirmed
from bench_db.app.pull_requests import configuration_in_ci
from bench_db.ci import forge as forges
from bench_db.clock import Clock
from bench_db.errors import CorruptStoreError, UserError
from bench_db.model import Blame, Commit, Comparison
from bench_db.query.thresholds import Thresholds
from bench_db.report.markdown import CommentContext, comment, conclusion, headline
from bench_db.report.pairs import confirmed_markdown, outcomes_text
from bench_db.rules import RULES
from bench_db.store.database import connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from bench_db.app.gate import Mode
    from bench_db.ci.forge import Forge
    from bench_db.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The number of stores that were merged, of their results, and of the results that were new."""

    stores: int
    rows: int = 0
    new: int = 0


def merge(results_dir: str | Path, target: str) -> Merged:
    """Merge the stores in the sub-directories of a directory into the store `target`. Doing it again adds nothing.

    Without a store to merge, none is created.
    """
    if not target:
        message = (
            "`target` is empty: where do the results go? In a workflow, is the secret with the store's address set?"
        )
        raise UserError(message)
    sources, rows, new = stores_in(Path(results_dir)), 0, 0
    for source in sources:
        done = connect(source).copy_to(connect(target, create=True))
        if done.missing:
            message = (
                f"{source}: the content of {len(done.missing)} artifacts is missing, such as {done.missing[0]}; the rest is "
                "merged. Restore the original files; 'bench-db store verify' lists them"
            )
            raise CorruptStoreError(message)
        rows += done.tables["results"].rows
        new += done.tables["results"].new
    return Merged(stores=len(sources), rows=rows, new=new)


def stores_in(directory: Path) -> list[Path]:
    """Return the stores in a directory: itself, or its sub-directories in the order of their names."""
    found = sorted(path.parent for path in directory.glob("*/results.lance"))
    return ([directory] if (directory / "results.lance").is_dir() else []) + found


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(Answer):
    """The comparison of a pull request with the history up to its merge base, when that is known.

    `blame` has the cause of the changes of each device and suite. `threshold_faults` are those of the store. `comment` is the report in Markdown, `conclusion` and `title` are those of the check.
    `flagged` is what another job is to measure again, None when nothing is flagged or bench-db.toml does not ask for it. `confirmed` has the
    outcomes of that job, None where they were not given or nothing is flagged.
    """

    comparisons: Sequence[Comparison]
    blame: Sequence[Blame]
    merge_base: Commit | None
    threshold_faults: Sequence[str]
    comment: str
    conclusion: str
    title: str
    flagged: HandedOver | None
    confirmed: Confirmed | None

    def frame(self) -> pl.DataFrame:
        """Return the comparisons as a frame, a row a series."""
        return frame_of(self.comparisons, Comparison)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {
            **comparisons_json(self.comparisons, self.blame, self.threshold_faults),
            "confirmed": self.confirmed.document if self.confirmed else None,
            "merge_base": self.merge_base.sha if self.merge_base else None,
        }

    def flagged_to(self, file: Path) -> bool:
        """Write what another job is to measure again to a file, and return whether there is any."""
        if self.flagged is None:
            return False
        hand_over(self.flagged, file)
        return True


def compare(
    pr_sha: str,
    *,
    uri: str,
    pr_number: int,
    local_results: str,
    repository: str | None = None,
    expect: Iterable[str] = (),
    outcomes: Path | None = None,
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    forge: Forge | None = None,
) -> Compared:
    """Compare the results of a pull request, in the store `local_results`, with the history in the store `uri`.

    With `repository` the forge says where the pull request leaves its base branch, and later commits are no part of the
    baseline. `expect` holds suites in JSON as `bench-db suites` writes them; a suite without results failed. `outcomes` is the file in
    which another job left what measuring `flagged` again gave: confirmed series regressed, those not confirmed are unchanged, and an
    undecided one stays what it is.
    """
    suites, config, base = suites_in(expect), configuration_in_ci(None, environment), None
    if repository:
        with forge or forges.connect(config.project.forge, environment, clock) as there:
            base = there.merge_base(repository, pr_number, pr_sha)
    store, local = connect(uri), connect(local_results)
    version = str(store.version)
    judged = local_verdicts(store, local, pr_sha, until=base.time if base else None)
    asked = _flagged(store, judged, config.pairs.confirm, base.sha if base else "", pr_sha)
    confirmed = None if asked is None or outcomes is None else _arrived(outcomes, asked)
    judged = applied(judged, confirmed) if confirmed else judged
    judged, blame = with_causes(store, with_absent(local, judged, pr_sha, suites))
    level = "the level since the last change"
    about = CommentContext(
        candidate=pr_sha,
        pull_request=pr_number,
        baseline=f"{level}, up to the merge base {base.sha[: RULES.sha_length]}" if base else level,
        plan=plan("runs"),
        store_version=version,
        notes=(faults := threshold_faults(store)),
        outcomes=outcomes_text(confirmed),
    )
    counts = counted(judged)
    body = comment(judged, counts, about, blame, confirmed_markdown(confirmed) if confirmed else "")
    return Compared(
        comparisons=judged,
        blame=blame,
        merge_base=base,
        threshold_faults=faults,
        comment=body,
        conclusion=conclusion(counts),
        title=headline(counts, of_machine(judged)) + about.outcomes,
        flagged=asked,
        confirmed=confirmed,
    )


def _flagged(store: Database, judged: Sequence[Comparison], mode: Mode, base: str, head: str) -> HandedOver | None:
    """Return what another job is to measure again; None when nothing is flagged, or confirmation is off."""
    flagged = failing(judged, FLAGGED)
    if mode == "off" or not flagged:
        return None
    thresholds = Thresholds(store.definitions())
    asked = flagged_of(flagged, minimum_effect=None, thresholds=thresholds)
    return HandedOver(mode=mode, base=base, head=head, flagged=asked)


def _arrived(outcomes: Path, asked: HandedOver) -> Confirmed:
    return arrived(outcomes, asked.flagged, asked.base, asked.head, asked.mode)
