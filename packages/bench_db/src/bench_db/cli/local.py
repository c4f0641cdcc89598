"""Between the local engine and the store: output files become published runs, failures become rows with their error."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from bench_db.cli.environment import ci_provenance
from bench_db.errors import UnreadableOutputError

if TYPE_CHECKING:
    from bench_db.ingest import Provenance
    from bench_db.model import Result, Run
    from bench_db.schedule.runner import Measured

_LONGEST_ERROR = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where measured suites go, and under which names."""

    store: Any
    config: Any
    test_bed: str
    branch: str | None
    pr_number: int | None = None

    def publish(self, measured: Measured) -> str | None:
        """The error of what was measured, None when it has results; either is in the store afterwards."""
        error = measured.error
        if error is None:
            try:
                read = readings(measured, self._provenance(measured), self.config.suite[measured.suite].format)
            except UnreadableOutputError as unreadable:
                error = str(unreadable)
            else:
                for run, results in read:
                    self.store.publish(results, run)
                return None
        run, results = failure(measured, error, self._provenance(measured))
        self.store.publish(results, run)
        return error

    def _provenance(self, measured: Measured) -> Provenance:
        from bench_db.ingest import Provenance, build_of

        stated = {
            "dut_name": self.config.project.name,
            "dut_version": build_of(measured.checkout).version,
            "dut_timestamp": measured.commit.time,
            "testbed_name": self.test_bed,
            "commit": measured.commit.sha,
            "branch": self.branch,
            "suite": measured.suite,
        }
        pull = {} if self.pr_number is None else {"pr_number": self.pr_number}
        return Provenance(**{**ci_provenance(), **stated, **pull})


def readings(measured: Measured, provenance: Provenance, format_name: str) -> list[tuple[Run, list[Result]]]:
    """The output files of a suite, read; those without any result are left out. An error when none has one."""
    from bench_db.ingest import parse

    read = [parse(path, format_name, provenance=provenance) for path in measured.outputs]
    full = [(run, results) for run, results in read if results]
    if not full:
        names = ", ".join(path.name for path in measured.outputs)
        reason = "no benchmark in it could be read"
        raise UnreadableOutputError(reason, file=names)
    return full


def failure(measured: Measured, error: str, provenance: Provenance) -> tuple[Run, list[Result]]:
    """A run that failed: one row under the suite's name, with the error; the run is identified by its log."""
    from bench_db.ingest import Measurement, Reading, normalise

    reading = Reading(
        source="bench-db-failure/1",
        measurements=(Measurement(benchmark_name=measured.suite, suite=measured.suite, error=error[:_LONGEST_ERROR]),),
        run_time=measured.began,
    )
    content = measured.log.read_bytes() + f"# began {measured.began}\n".encode()
    return normalise(
        reading,
        file_name=measured.log.name,
        sha256=sha256(content).hexdigest(),
        format="bench-db-failure",
        provenance=provenance,
    )
