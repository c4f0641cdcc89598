"""Write the fixture of release 0.1 into a directory, with the bench_db of the interpreter that runs this file.

Usage: PYTHON-OF-THAT-RELEASE make.py OUT, where OUT does not exist. README.md says what each part is for.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2]
FIRST, DAY, COMMITS, CHANGED_AT = 1_700_000_000, 86_400, 24, 14
SETTING = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "BENCH_DB_USER": "ada", "USER": "ada"}
CODE = "from bench_db.cli import main; main()"
# The third suite that is measured is safe in the outbox, and then the process is killed.
KILLED = """
import os, pathlib
original, done = pathlib.Path.rename, []
def rename(self, target):
    moved = original(self, target)
    if self.name.endswith(".unfinished"):
        done.append(self.name)
        if len(done) == 3:
            os.kill(os.getpid(), 9)
    return moved
pathlib.Path.rename = rename
"""
CONFIG = """[project]
name = "engine"
test_bed = "alpha"

[suite.work]
benchmark = "sh bench.sh"
stdout = "results.json"
format = "values-ns"
"""


def bench_db(*words: object, code: str = CODE, exits: int = 0) -> Any:
    """Run the command line; the JSON it prints."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(Path.cwd()), **SETTING}
    command = [sys.executable, "-c", code, *map(str, words), "--output", "json"]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, check=False)
    if done.returncode != exits:
        message = f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}"
        raise SystemExit(message)
    return json.loads(done.stdout) if done.stdout else None


def sha(number: int) -> str:
    """The commit of a number."""
    return f"{number:02x}" * 20


def values_of(number: int, base: float) -> list[float]:
    """Seven samples; from one commit on they are a tenth larger."""
    level = base * (1.1 if number >= CHANGED_AT else 1.0)
    return [round(level * (1 + ((37 * number + 11 * i) % 17 - 8) / 2000), 3) for i in range(7)]


def publish_history(bed: str) -> None:
    """Publish two benchmarks at each commit of a history."""
    for number in range(COMMITS):
        rows = [{"benchmark_name": n, "values_ns": values_of(number, b)} for n, b in (("sort", 5000.0), ("scan", 90.0))]
        path = Path(f"history-{number}.json")
        path.write_text(json.dumps({"results": rows}))
        provenance = [
            "--commit",
            sha(number),
            "--dut-version",
            f"0.{number}.0",
            "--dut-timestamp",
            FIRST + number * DAY,
        ]
        common = [
            "--store",
            "store",
            "--testbed-name",
            bed,
            "--dut-name",
            "engine",
            "--branch",
            "main",
            "--suite",
            "core",
        ]
        bench_db("publish", path, *common, *provenance)


def publish_tools(bed: str) -> None:
    """Publish output of real tools, some of it with failures."""
    files = (
        "criterion-dir/0.3.6/criterion",
        "go/1.27.3/panic.txt",
        "hyperfine/1.15.0/one_run.json",
        "pyperf/2.10.0/timeit.json",
    )
    for file in files:
        provenance = ["--commit", sha(7), "--dut-version", "0.7.0", "--dut-timestamp", FIRST + 7 * DAY]
        common = ["--store", "store", "--testbed-name", bed, "--dut-name", "engine", "--suite", file.split("/")[0]]
        bench_db("publish", DATA / file, *common, *provenance, "--run-id", "tools", "--tag", "os=linux")


def git(*words: object, when: int = FIRST) -> None:
    """Run git in `clone` as one author at one time."""
    who = {
        f"GIT_{role}_{what}": v
        for role in ("AUTHOR", "COMMITTER")
        for what, v in (("NAME", "a"), ("EMAIL", "a@example.org"))
    }
    dates = {f"GIT_{role}_DATE": f"{when} +0000" for role in ("AUTHOR", "COMMITTER")}
    subprocess.run(["git", "-C", "clone", *map(str, words)], env={**os.environ, **SETTING, **who, **dates}, check=True)


def grow() -> None:
    """Make a repository of four commits; the benchmark of the third fails."""
    Path("clone").mkdir()
    git("init", "--quiet", "--initial-branch=main")
    for number in range(4):
        rows = json.dumps({"results": [{"benchmark_name": "work", "values_ns": values_of(number, 700.0)}]})
        script = "echo no such device >&2; exit 3\n" if number == 2 else f"echo '{rows}'\n"
        Path("clone/bench.sh").write_text(script)
        git("add", "--all")
        git("commit", "--quiet", "-m", f"change {number}", when=FIRST + (COMMITS + number) * DAY)
    git("bundle", "create", "--quiet", "../history.bundle", "main")
    Path("bench-db.toml").write_text(CONFIG)


def neutral(directory: Path, places: dict[str, str]) -> None:
    """Replace the paths of this machine in the text files of a directory."""
    for path in directory.rglob("*"):
        if path.is_file() and path.suffix in {".json", ".jsonl", ".log"}:
            text = path.read_text()
            for place, name in places.items():
                text = text.replace(place, name)
            path.write_text(text)


def expected() -> dict[str, Any]:
    """What this release answers."""
    tables = bench_db("store", "info", "--store", "store")["tables"]
    compared = bench_db(
        "compare", sha(CHANGED_AT), "--baseline", "last:10", "--testbed-name", "alpha", "--store", "store"
    )
    return {
        "rows": {table["name"]: table["rows"] for table in tables},
        "latest": [
            [row["benchmark_name"], row["testbed_name"], row["suite"], row["commit"], row["median"]]
            for row in bench_db("latest", "--store", "store")
        ],
        "trend": [[row["commit"], row["median"]] for row in bench_db("trend", "sort", "--store", "store")],
        "verdicts": [[c["benchmark_name"], c["verdict"]] for c in compared["comparisons"]],
        "baselines": [[b["name"], b["commit"]] for b in bench_db("baseline", "list", "--store", "store")["baselines"]],
        "findings": [
            [f["id"], f["commit"], f["state"]] for f in bench_db("finding", "list", "--store", "store")["findings"]
        ],
        "artifacts": [
            [a["name"], a["kind"], a["sha256"]] for a in bench_db("artifact", "list", "--store", "store")["artifacts"]
        ],
        "ended": json.loads(Path("journal.json").read_text()),
    }


def make(out: Path) -> None:
    """Make every part in the working directory, and copy it to `out`."""
    from bench_db.store import maintain
    from bench_db.store.database import connect

    publish_history("alpha")
    publish_tools("beta")
    bench_db("baseline", "set", "main", sha(3), "--store", "store")
    found = bench_db("scan", "--store", "store")["findings"]
    bench_db("finding", "bless", found[0]["id"], "--note", "larger cache", "--store", "store")
    Path("profile.txt").write_text("60 % sort\n40 % scan\n")
    bench_db("artifact", "put", "profile.txt", "--kind", "profile", "--commit", sha(14), "--store", "store")
    # no command removes versions this young
    maintain.optimize(connect("store")._engine, kept=timedelta(0))
    grow()
    bench_db("backfill", "--clone", "clone", "--store", "store", code=f"{KILLED}\n{CODE}", exits=-9)
    entries = [json.loads(line) for line in Path(".bench-db/local.jsonl").read_text().splitlines()]
    Path("journal.json").write_text(json.dumps([[e["commit"], e["state"]] for e in entries if "state" in e]))
    for name in ("parquet", "jsonl"):
        bench_db("store", "export", f"export-{name}", "--format", name, "--store", "store")
    answers = expected()
    out.mkdir()
    (out / "expected.json").write_text(json.dumps(answers, indent=1) + "\n")
    work = Path(".bench-db")
    (out / "backfill").mkdir()
    for part in (work / "local.jsonl", work / "measured", work / "logs"):
        (shutil.copytree if part.is_dir() else shutil.copyfile)(part, out / "backfill" / part.name)
    neutral(out / "backfill", {str(Path("store").resolve()): "@STORE@", str(work.resolve()): "@WORK@"})
    shutil.make_archive(str(out / "store"), "xztar", base_dir="store")
    for name in ("export-parquet", "export-jsonl"):
        shutil.copytree(name, out / name)
    for name in ("history.bundle", "bench-db.toml"):
        shutil.copyfile(name, out / name)


if __name__ == "__main__":
    target = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        make(target)
