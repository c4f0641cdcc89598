"""Between the local engine and the store: output files become published runs, failures become rows with their error."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.ci.environment import ci_provenance
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.identity import ABBREVIATED_SHA
from bench_db.ingest import Measurement, Provenance, Reading, build_of, normalise, parse
from bench_db.measure.outbox import Outbox, Pending
from bench_db.rules import RULES
from bench_db.schedule.config import Config
from bench_db.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.measure.runner import Measured
    from bench_db.model import Result, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where measured suites go, and under which names."""

    store: Database
    outbox: Outbox
    config: Config
    test_bed: str
    branch: str | None
    pr_number: int | None = None

    def accept(self, measured: Measured, attempt: int) -> Pending:
        """What was measured, safe from now on: whatever happens before it is published, it need not be measured again."""
        pending = Pending(
            key=f"{measured.began}-{measured.commit.sha}-{sha256(measured.suite.encode()).hexdigest()[:16]}",
            store=self.store.uri,
            commit=measured.commit.sha,
            suite=measured.suite,
            format=self.config.suite[measured.suite].format,
            attempt=attempt,
            began=measured.began,
            seconds=measured.seconds,
            log=str(measured.log),
            error=measured.error,
            provenance=self._stated(measured),
        )
        return self.outbox.put(pending, measured.outputs)

    def keep_log(self, pending: Pending) -> None:
        """Keep the log as an artifact of its commit, once however often; one that was cleared away is no reason to stop."""
        if Path(pending.log).is_file():
            name = f"{pending.suite}.log"
            self.store.put_artifact(pending.log, kind="log", commit=pending.commit, added_at=pending.began, name=name)

    def publish(self, pending: Pending) -> str | None:
        """The error of what was measured, if any. It and the results, whatever there is, are in the store afterwards, once."""
        error, provenance = pending.error, Provenance(**pending.provenance)
        outputs, kept = [self.outbox.directory / path for path in pending.outputs], 0
        # of a benchmark that failed, whatever can be read; of one that succeeded, all or nothing
        for together in [outputs] if error is None else [[path] for path in outputs]:
            try:
                for run, results in readings(together, provenance, pending.format):
                    self.store.publish(results, run)
                    kept += len(results)
            except (UnreadableOutputError, UserError) as refused:
                error = error or str(refused)
        if error is not None:
            if kept:
                what, *tail = error.splitlines()
                error = "\n".join((f"{what}; results it wrote before are kept: {kept}", *tail))
            run, results = failure(pending, error, provenance)
            self.store.publish(results, run)
        return error

    def _stated(self, measured: Measured) -> dict[str, Any]:
        """The fields of the provenance that are known."""
        stated = {
            "dut_name": self.config.project.name,
            "dut_version": version_of(measured),
            "dut_timestamp": measured.commit.time,
            "testbed_name": self.test_bed,
            "commit": measured.commit.sha,
            "branch": self.branch,
            "suite": measured.suite,
            "pr_number": self.pr_number,
        }
        return {**ci_provenance(), **{name: value for name, value in stated.items() if value is not None}}


def version_of(measured: Measured) -> str:
    """The version in the manifest and the commit: not what git says of the tree, which measured code may have changed."""
    build = build_of(measured.checkout)
    number = (build.version or "").removesuffix((build.commit or "")[:ABBREVIATED_SHA]).removesuffix("+")
    return "+".join(filter(None, [number, measured.commit.sha[:ABBREVIATED_SHA]]))


def readings(outputs: Iterable[Path], provenance: Provenance, format_name: str) -> list[tuple[Run, list[Result]]]:
    """The output files of a suite, read; those without any result are left out. An error when none has one."""
    read = [(path, *parse(path, format_name, provenance=provenance)) for path in outputs]
    full = [(run, results) for _, run, results in read if results]
    if not full:
        reason = "no benchmark in it could be read"
        raise UnreadableOutputError(reason, file=", ".join(path.name for path, _, _ in read))
    return full


def failure(pending: Pending, error: str, provenance: Provenance) -> tuple[Run, list[Result]]:
    """A run that failed: one row under the suite's name, with the error; the run is identified by its log."""
    reading = Reading(
        source="bench-db-failure/1",
        measurements=(
            Measurement(benchmark_name=pending.suite, suite=pending.suite, error=error[: RULES.error_length]),
        ),
        run_time=pending.began,
    )
    log = Path(pending.log)
    with log.open("rb") as file:
        digest = file_digest(file, "sha256")
    digest.update(f"# began {pending.began}\n".encode())
    return normalise(
        reading,
        file_name=log.name,
        sha256=digest.hexdigest(),
        format="bench-db-failure",
        provenance=provenance,
    )
