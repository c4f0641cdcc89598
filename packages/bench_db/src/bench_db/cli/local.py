"""Between the local engine and the store: output files become published runs, failures become rows with their error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest
from typing import TYPE_CHECKING

from bench_db.cli.environment import ci_provenance
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import Measurement, Provenance, Reading, build_of, normalise, parse
from bench_db.schedule.config import Config
from bench_db.schedule.runner import Measured
from bench_db.store.database import Database

if TYPE_CHECKING:
    from bench_db.model import Result, Run

_LONGEST_ERROR = 4_000
_SHORT = 7


def in_place(measured: Measured) -> str:
    """Where the log of what was measured is kept: it stays where it was written."""
    return str(measured.log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where measured suites go, and under which names; `keep_log` puts a log where it is to stay and says where that is."""

    store: Database
    config: Config
    test_bed: str
    branch: str | None
    pr_number: int | None = None
    keep_log: Callable[[Measured], str] = in_place

    def publish(self, measured: Measured) -> str | None:
        """The error of what was measured, None when it has results; either is in the store afterwards."""
        error, provenance = measured.error, self._provenance(measured)
        if error is None:
            try:
                for run, results in readings(measured, provenance, self.config.suite[measured.suite].format):
                    self.store.publish(results, run)
            except (UnreadableOutputError, UserError) as refused:
                error = str(refused)
        if error is not None:
            run, results = failure(measured, error, provenance)
            self.store.publish(results, run)
        return error

    def _provenance(self, measured: Measured) -> Provenance:
        stated = {
            "dut_name": self.config.project.name,
            "dut_version": version_of(measured),
            "dut_timestamp": measured.commit.time,
            "testbed_name": self.test_bed,
            "commit": measured.commit.sha,
            "branch": self.branch,
            "suite": measured.suite,
        }
        pull = {} if self.pr_number is None else {"pr_number": self.pr_number}
        return Provenance(**{**ci_provenance(), **stated, **pull})


def version_of(measured: Measured) -> str:
    """The version in the manifest and the commit: not what git says of the tree, which measured code may have changed."""
    build = build_of(measured.checkout)
    number = (build.version or "").removesuffix((build.commit or "")[:_SHORT]).removesuffix("+")
    return "+".join(filter(None, [number, measured.commit.sha[:_SHORT]]))


def readings(measured: Measured, provenance: Provenance, format_name: str) -> list[tuple[Run, list[Result]]]:
    """The output files of a suite, read; those without any result are left out. An error when none has one."""
    read = [parse(path, format_name, provenance=provenance) for path in measured.outputs]
    full = [(run, results) for run, results in read if results]
    if not full:
        names = ", ".join(path.name for path in measured.outputs)
        reason = "no benchmark in it could be read"
        raise UnreadableOutputError(reason, file=names)
    return full


def failure(measured: Measured, error: str, provenance: Provenance) -> tuple[Run, list[Result]]:
    """A run that failed: one row under the suite's name, with the error; the run is identified by its log."""
    reading = Reading(
        source="bench-db-failure/1",
        measurements=(Measurement(benchmark_name=measured.suite, suite=measured.suite, error=error[:_LONGEST_ERROR]),),
        run_time=measured.began,
    )
    with measured.log.open("rb") as file:
        digest = file_digest(file, "sha256")
    digest.update(f"# began {measured.began}\n".encode())
    return normalise(
        reading,
        file_name=measured.log.name,
        sha256=digest.hexdigest(),
        format="bench-db-failure",
        provenance=provenance,
    )
