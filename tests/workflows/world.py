"""A measured project, a repository with the workflows, a store, and a GitHub between them."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cli.commands import bench_db
from tests.support.actions.definitions import ROOT, StepId, definition
from tests.support.actions.runner import Platform, Run
from tests.support.benches import PYTEST
from tests.support.github_server import REPOSITORY, FakeGitHub, github_server
from tests.support.histories import History

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OURS = "owner/benchmarks"
HOSTILE_BRANCH = "a\"b'c;$(touch${IFS}pwned)`touch${IFS}pwned`"
CRITERION = ROOT / "tests/data/criterion-dir/0.3.6/criterion"
SECRETS = {
    "BENCH_S3_USER_ACCESS_KEY": "AKIA-the-access-key",
    "BENCH_S3_USER_SECRET_KEY": "the-secret-key",
    "BENCH_S3_REGION": "us-east-1",
    "SCHEDULER_GITHUB_TOKEN": "the-scheduler-token",
    "PR_COMMENT_TOKEN": "the-comment-token",
}
# The permissions of these tokens in docs/how-to/ci.md.
GRANTS: dict[str, tuple[str, dict[str, str]]] = {
    "the-scheduler-token": (OURS, {"actions": "write", "contents": "read"}),
    "the-comment-token": (REPOSITORY, {"pull-requests": "write", "contents": "read", "statuses": "write"}),
}
LEFT_OUT = {
    StepId(file=".github/workflows/check.yml", job="check", number=3, name="Check"): "runs the tests themselves"
}
# The executed scripts of all worlds, for the test that none is missing.
EXECUTED: set[StepId] = set()

CONFIG = f"""
[project]
name = "measured"
repository = "{{repository}}"
test_bed = "here"
[suite.python]
kind = "python"
benchmark = "{PYTEST} bench_work.py --benchmark-json=results.json"
outputs = ["results.json"]
[suite."rust/io"]
kind = "rust"
benchmark = "cargo bench --bench scan -- --noplot"
outputs = ["target/criterion"]
"""
# Both benchmarks print everything they can read.
SPY = """import os, pathlib
def tell():
    seen = dict(os.environ)
    for folder in pathlib.Path.cwd().parents:
        for config in folder.glob("**/.git/config") if (folder / ".git").exists() else ():
            seen[str(config)] = config.read_text()
    print(seen)
"""
BENCH = """import sys
sys.path.insert(0, ".")
import spy
spy.tell()
def test_work(benchmark):
    benchmark.pedantic(sum, args=(range(9999),), rounds=5, warmup_rounds=1)
"""
CARGO = f"""#!{sys.executable}
# cargo with what Criterion once left; a commit with a file `slow` takes twice the time, one with `broken` does not build.
import json, pathlib, random, shutil, sys
sys.path.insert(0, ".")
import spy
spy.tell()
assert sys.argv[1:] == ["bench", "--bench", "scan", "--", "--noplot"], sys.argv
if pathlib.Path("broken").exists():
    sys.exit("error: could not compile `measured`")
target = pathlib.Path("target/criterion")
shutil.copytree({str(CRITERION)!r}, target)
factor = 2 if pathlib.Path("slow").exists() else 1
for path in target.rglob("sample.json"):
    sample = json.loads(path.read_text())
    # the same samples at two commits would be a leftover of the first
    times = [factor * time * (1 + 1e-6 * random.random()) for time in sample["times"]]
    path.write_text(json.dumps({{**sample, "times": times}}))
"""
# A clock that is a seeded table: 100 ns and 1 % of noise. Files of a commit make it slower; `spike` and `wild` act outside of pairs and
# only in pairs, whose work trees are named after their side. What a job sees is printed as above.
CLOCK = """import contextlib, json, math, pathlib, random, sys
sys.path.insert(0, ".")
import spy
with contextlib.redirect_stdout(sys.stderr):
    spy.tell()
here = pathlib.Path.cwd()
count = pathlib.Path("count")
number = int(count.read_text()) if count.exists() else 0
count.write_text(str(number + 1))
in_pairs = here.name.rpartition("-")[2] in {"base", "head"}
table = random.Random(f"{here.name if in_pairs else pathlib.Path('seed').read_text()} {number}")
slow = {name: 1.0 + float(share) for name, share in json.loads(pathlib.Path("slower").read_text()).items()}
times = {}
for name in ("steady", "real", "little", "spike", "wild"):
    factor = slow.get(name, 1.0) if name in {"real", "little"} or not in_pairs else 1.0
    noise = 0.7 if name == "wild" and in_pairs else 0.01
    times[name] = 100.0 * factor * math.exp(table.gauss(0.0, noise))
if in_pairs and pathlib.Path("stuck").exists():
    sys.exit("error: no such device")
print(json.dumps({"results": [{"benchmark_name": name, "values_ns": [time]} for name, time in times.items()]}))
"""
CLOCK_CONFIG = f"""
[project]
name = "measured"
repository = "{REPOSITORY}"
test_bed = "here"
[pairs]
confirm = "fresh"
[suite.python]
kind = "python"
benchmark = "{{python}} clock.py"
stdout = "results.json"
format = "values-ns"
"""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The common parts of all worlds: the measured history, a store with its first five commits, and a cargo."""

    history: History
    commits: list[str]
    """Of the main branch, oldest first; all but the last have results of rust/io."""
    slow: str
    """The newest commit of a pull request that leaves the main branch before its last commit."""
    broken: str
    store: Path
    tools: Path
    workflows: Path


@dataclass(kw_only=True)
class World:
    """One scenario: running workflows, a stateful GitHub and a store."""

    ground: Ground
    platform: Platform
    fake: FakeGitHub
    store: Path
    runs: dict[str, Run] = field(default_factory=dict)

    def run(self, name: str, workflow: str, *given: Any, **more: Any) -> Run:
        """Run a workflow and store the run under a name."""
        self.runs[name] = self.platform.run(workflow, *given, **more)
        return self.runs[name]

    def carry_out(self, name: str) -> None:
        """Run every dispatched workflow that has not run yet."""
        for dispatched in [run for run in self.fake.runs.values() if run["status"] == "queued"]:
            workflow = dispatched["workflow"].removesuffix(".yml")
            done = self.run(name, workflow, dispatched["inputs"])
            dispatched |= {"status": "completed", "conclusion": done.conclusion}


def lay_ground(directory: Path) -> Ground:
    """Create the history on the main branch and two others."""
    history = History(directory / "measured")
    copy_workflows(history.path, "")
    history.git("config", "uploadpack.allowAnySHA1InWant", "true")
    (history.path / "pytest.ini").write_text("[pytest]\n")
    commits = [history.commit("first", bench_work__py=BENCH, spy__py=SPY)]
    commits += [history.commit(f"change {i}; `touch pwned` $(touch pwned)", notes__txt=f"{i}") for i in range(4)]
    history.git("checkout", "--quiet", "-b", HOSTILE_BRANCH)
    slow = history.commit("slow", slow="")
    history.git("checkout", "--quiet", "-b", "broken", commits[-1])
    broken = history.commit("broken", broken="")
    history.git("checkout", "--quiet", "main")
    commits.append(history.commit("newest", notes__txt="newest"))
    tools = directory / "tools"
    tools.mkdir()
    (tools / "cargo").write_text(CARGO)
    (tools / "cargo").chmod(0o755)
    workflows = History(directory / "benchmarks")
    copy_workflows(workflows.path, REPOSITORY)
    workflows.git("config", "uploadpack.allowAnySHA1InWant", "true")
    workflows.commit("workflows")
    store = directory / "store"
    ground = Ground(
        history=history, commits=commits, slow=slow, broken=broken, store=store, tools=tools, workflows=workflows.path
    )
    return _measured(ground, "--suite", "rust/io")


def lay_clock_ground(directory: Path) -> Ground:
    """Create a history of a seeded clock with twelve measured commits, a slower pull request, and one that fails in pairs."""
    history = History(directory / "measured")
    copy_workflows(history.path, REPOSITORY)
    (history.path / "bench-db.toml").write_text(CLOCK_CONFIG)
    history.git("config", "uploadpack.allowAnySHA1InWant", "true")
    commits = [history.commit("first", clock__py=CLOCK, spy__py=SPY, slower="{}", seed="0")]
    commits += [history.commit(f"change {i}", seed=f"{i}") for i in range(1, 12)]
    history.git("checkout", "--quiet", "-b", "topic")
    shares = '{"real": 0.25, "little": 0.08, "spike": 0.6, "wild": 0.5}'
    slow = history.commit("slow", slower=shares, seed="12")
    broken = history.commit("stuck", stuck="")
    history.git("checkout", "--quiet", "main")
    commits.append(history.commit("newest", seed="13"))
    store = directory / "store"
    tools = directory / "tools"
    tools.mkdir()
    ground = Ground(
        history=history, commits=commits, slow=slow, broken=broken, store=store, tools=tools, workflows=history.path
    )
    return _measured(ground, "--max-commits", "99")


def _measured(ground: Ground, *more: str) -> Ground:
    """Measure the commits of the main branch but for the newest into the store of a ground, with its tools."""
    first, *others = ground.commits[:-1]
    commits = f"{first},{','.join(others)}"
    options: list[str | Path] = ["--range", commits, "--clone", ground.history.path, "--store", ground.store, *more]
    path = os.pathsep.join([str(ground.tools), os.environ["PATH"]])
    done = bench_db("backfill", *options, "--fail-on-error", cwd=ground.workflows, PATH=path)
    assert done.returncode == 0, done.stderr
    return ground


def copy_workflows(target: Path, repository: str) -> None:
    """Copy the workflows, the project they run and its bench-db.toml into a repository."""
    for file in ("pyproject.toml", "requirements.lock", "packages/bench_db/pyproject.toml"):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, target / file)
    shutil.copytree(ROOT / ".github", target / ".github")
    (target / "bench-db.toml").write_text(CONFIG.format(repository=repository))


@contextmanager
def world(ground: Ground, directory: Path, *, apart: bool, store: Path | None = None) -> Iterator[World]:
    """Create a world whose workflows are in the measured repository or in another one."""
    with github_server() as fake:
        ours = OURS if apart else REPOSITORY
        uri = directory / "store"
        shutil.copytree(store or ground.store, uri)
        # in a separate repository the scheduler has a token, here it uses that of the workflow
        secrets = {name: value for name, value in SECRETS.items() if apart or name != "SCHEDULER_GITHUB_TOKEN"}
        fake.repositories, fake.grants = (OURS, REPOSITORY), dict(GRANTS)
        fake.inputs = frozenset(declared_inputs(ground.workflows))
        fake.commits = [record(ground.history, sha) for sha in reversed(ground.commits)]
        fake.merge_base = record(ground.history, ground.commits[-2])
        fake.permissions, fake.base, fake.head = {"writer": "write", "reader": "read"}, "main", HOSTILE_BRANCH

        def token(permissions: Mapping[str, str]) -> str:
            name = f"workflow-token-{len(fake.grants)}"
            fake.grants[name] = (ours, permissions)
            return name

        platform = Platform(
            directory=directory / "runs",
            repository=ours,
            repositories={REPOSITORY: ground.history.path, OURS: ground.workflows},
            environments={"benchmarks": {**secrets, "LANCE_BENCH_DB_URI": str(uri)}, "github-pages": {}},
            variables={
                "GITHUB_API_URL": fake.url,
                # `uv run` uses the environment of the tests unchanged
                "UV_NO_SYNC": "1",
                "UV_PROJECT_ENVIRONMENT": sys.prefix,
                **({"PYTHONPYCACHEPREFIX": sys.pycache_prefix} if sys.pycache_prefix else {}),
            },
            path=[ground.tools],
            token=token,
            left_out=frozenset(LEFT_OUT),
            executed=EXECUTED,
        )
        yield World(ground=ground, platform=platform, fake=fake, store=uri)


def declared_inputs(root: Path) -> list[str]:
    """Return the inputs of run-benchmarks."""
    return list(definition(root, ".github/workflows/run-benchmarks.yml")["on"]["workflow_dispatch"]["inputs"])


def record(history: History, sha: str) -> dict[str, Any]:
    """Return a commit in the form of the GitHub API."""
    date, parents, subject = history.git("show", "-s", "--format=%cI%x1f%P%x1f%s", sha).split("\x1f")
    commit = {"message": subject, "committer": {"date": date}}
    return {"sha": sha, "commit": commit, "parents": [{"sha": parent} for parent in parents.split()]}
