# /// script
# requires-python = ">=3.12"
# dependencies = ["pytest==9.2.0", "pytest-benchmark==5.3.1"]
# ///
"""Record the demo history: measure every commit of two small libraries with the real tools.

Each library is a directory of patches beside this file. They are applied one by one to an empty
repository, and the benchmarks run after each, so every published file is what its tool wrote.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
OTHERS_LIMIT_CORES = 0.10
"""A run is repeated when other processes used more of the processors than this, on average."""
ATTEMPTS = 40
PAUSE_SECONDS = 5.0

_GIT_SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_COMMITTER_NAME": "bench_db demo",
    "GIT_COMMITTER_EMAIL": "demo@example.invalid",
}


class RecordingError(Exception):
    """A history that could not be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The commit facts published beside a Criterion directory; `timestamp` is in unix seconds."""

    commit: str
    branch: str
    version: str
    timestamp: int


def main() -> None:
    """Parse the arguments and record one history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", choices=("pytest-benchmark", "criterion"))
    parser.add_argument("output", type=Path, help="directory to write; existing builds are not measured again")
    parser.add_argument("--crates", type=Path, help="directory source of crates, to work offline")
    arguments = parser.parse_args()
    output = arguments.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as workspace:
        if arguments.format == "pytest-benchmark":
            record_wordindex(Path(workspace), output)
        else:
            record_bytescan(Path(workspace), output, arguments.crates)


def record_wordindex(workspace: Path, output: Path) -> None:
    """Write one pytest-benchmark file per commit of `wordindex`."""
    for position, repository in _commits("wordindex", workspace):
        target = output / f"{position:04}_{_git(repository, 'rev-parse', 'HEAD')[:7]}.json"
        if not target.exists():
            _measure(target.name, partial(_run_pytest, repository, target))


def record_bytescan(workspace: Path, output: Path, crates: Path | None) -> None:
    """Write one Criterion directory per commit of `bytescan`."""
    for position, repository in _commits("bytescan", workspace):
        build = _build(repository)
        target = output / f"{position:04}_{build.commit[:7]}"
        if target.exists():
            continue
        criterion = workspace / "criterion"
        bench = partial(_run_cargo_bench, repository, workspace / "target", criterion, crates)
        bench("--no-run")
        _measure(target.name, partial(bench, "--", "--noplot"))
        _copy_new(criterion, target)
        (target / "build.json").write_text(json.dumps(asdict(build), indent=2) + "\n")


def _commits(library: str, workspace: Path) -> Iterator[tuple[int, Path]]:
    """Apply the patches of `library` one by one to `main`; yield the repository after each."""
    repository = workspace / library
    repository.mkdir()
    _git(repository, "init", "--quiet", "--initial-branch=main")
    for position, patch in enumerate(sorted((HERE / library).glob("*.patch")), start=1):
        _git(repository, "am", "--quiet", "--committer-date-is-author-date", str(patch))
        yield position, repository


def _build(repository: Path) -> Build:
    manifest = tomllib.loads((repository / "Cargo.toml").read_text())
    return Build(
        commit=_git(repository, "rev-parse", "HEAD"),
        branch=_git(repository, "branch", "--show-current"),
        version=manifest["package"]["version"],
        timestamp=int(_git(repository, "show", "--no-patch", "--format=%ct")),
    )


def _run_pytest(repository: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    options = ["--benchmark-only", "--benchmark-disable-gc", f"--benchmark-json={target}"]
    command = [sys.executable, "-m", "pytest", "--quiet", "benchmarks", *options]
    # String hashes are seeded at random, which moves dictionary timings from process to process.
    _call(command, repository, {"PYTHONHASHSEED": "0"})


def _run_cargo_bench(repository: Path, target: Path, criterion: Path, crates: Path | None, *options: str) -> None:
    # Criterion compares with the previous measurement it finds; measure every build independently.
    shutil.rmtree(criterion, ignore_errors=True)
    command = ["cargo", *_crate_source(crates), "bench", "--quiet", "--bench=scan", *options]
    environment = {"CARGO_TARGET_DIR": str(target), "CRITERION_HOME": str(criterion)}
    _call(command, repository, environment)


def _crate_source(crates: Path | None) -> list[str]:
    if crates is None:
        return []
    replacement = 'source.crates-io.replace-with="local"'
    source = f"source.local.directory={json.dumps(str(crates.resolve()))}"
    return ["--offline", f"--config={replacement}", f"--config={source}"]


def _copy_new(criterion: Path, target: Path) -> None:
    """Keep the JSON files of the measurement; `base` is a copy of it and `raw.csv` a transcript."""
    for file in sorted(criterion.rglob("new/*.json")):
        destination = target / file.relative_to(criterion)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, destination)


def _measure(name: str, run: Callable[[], None]) -> None:
    """Repeat the run until other processes were idle; the choice does not depend on the measured times."""
    for attempt in range(1, ATTEMPTS + 1):
        before = _others_core_seconds(), time.monotonic()
        run()
        after = _others_core_seconds(), time.monotonic()
        others_cores = (after[0] - before[0]) / (after[1] - before[1])
        accepted = others_cores <= OTHERS_LIMIT_CORES
        verdict = "kept" if accepted else "repeated"
        sys.stdout.write(f"{name} attempt {attempt}: others {others_cores:.2f} cores, {verdict}\n")
        sys.stdout.flush()
        if accepted:
            return
        time.sleep(PAUSE_SECONDS)
    message = f"{name}: other programs used the processors in all {ATTEMPTS} attempts; stop them and start again"
    raise RecordingError(message)


def _others_core_seconds() -> float:
    """Return processor time since boot of all other processes, with stolen time.

    The first eight columns of /proc/stat (proc(5)) are user, nice, system, idle, iowait, irq,
    softirq and steal.
    """
    ticks = [int(field) for field in Path("/proc/stat").read_text().split()[1:9]]
    busy = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return busy - sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _git(repository: Path, *arguments: str) -> str:
    return _call(["git", *arguments], repository, _GIT_SETTINGS)


def _call(command: list[str], directory: Path, environment: Mapping[str, str]) -> str:
    """Return the standard output of `command`, which must succeed."""
    answer = subprocess.run(  # noqa: S603 - every command is spelled in this file
        command,
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        message = f"{' '.join(command)} failed:\n{answer.stdout}{answer.stderr}"
        raise RecordingError(message)
    return answer.stdout.strip()


if __name__ == "__main__":
    main()
