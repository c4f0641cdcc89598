"""What surrounds a file: the machine that bench_db runs on as a test bed, and the checkout around the file as a build."""

from __future__ import annotations

import importlib
import os
import platform
import re
import subprocess
import time
import tomllib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench_db.errors import UserError
from bench_db.identity import ABBREVIATED_SHA, is_full_sha, same_commit
from bench_db.model import CiChange, TestBed
from bench_db.rules import RULES

_GIB = 1 << 30
_PATIENCE_SECONDS = 5

# Names that containers, hosted CI runners and clouds make for one job.
_THROW_AWAY = re.compile(
    r"""
    [0-9a-f]{12}                     # docker, podman
    | fv-az.* | runnervm.*           # GitHub-hosted Linux and Windows
    | (Mac|mac|sat\w+)-\d{9,}(\.local)?  # GitHub-hosted macOS
    | runner-.* | .*-runner-\w+-\w+  # GitLab, Actions Runner Controller
    | ip-\d+(-\d+){3}(\..*)?         # cloud machines named for their address
    | buildkitsandbox | localhost(\..*)?
    """,
    re.VERBOSE,
)

_CONTAINER = re.compile(r"[0-9a-f]{12}|buildkitsandbox|localhost(\..*)?")


def stable_name(node: str, system: str, machine: str) -> str:
    """Return the host name, or system and architecture where it is empty or was made for one job."""
    if node and not _THROW_AWAY.fullmatch(node):
        return node
    return "-".join(part for part in (system, machine) if part) or "unknown"


def this_machine(name: str | None = None, now: int = 0) -> TestBed:
    """Describe this machine as a test bed; `now` (unix seconds) is when it is first described, 0 when unknown."""
    system = platform.system()
    return TestBed(
        name=name or stable_name(platform.node(), system, platform.machine()),
        cpu=cpu_model(),
        memory_gb=memory_gb(),
        os=f"{system} {platform.release()}".strip(),
        created_at=now,
    )


def is_elsewhere(node: str | None) -> bool:
    """Return whether the host name in a file is that of another machine; a container on this one has a name of its own."""
    return bool(node) and node != platform.node() and not _CONTAINER.fullmatch(str(node))


def now() -> int:
    """Return unix seconds."""
    return int(time.time())


def cpu_model() -> str:
    """Return the marketing name of the CPU, else what the platform knows of it."""
    if platform.system() == "Darwin":
        model = _sysctl("machdep.cpu.brand_string")
    elif platform.system() == "Windows":
        model = _from_registry()
    else:
        model = cpu_of(_text(Path("/proc/cpuinfo")))
    return model or platform.processor() or platform.machine()


def cpu_of(cpuinfo: str) -> str:
    """Return the model in a Linux cpuinfo: the model name, or on ARM, which has none, implementer and part."""
    fields: dict[str, str] = dict(re.findall(r"^([^\n:]*?)[ \t]*:[ \t]*([^\n]*?)[ \t]*$", cpuinfo, re.MULTILINE))
    for key in ("model name", "Model", "cpu model", "cpu"):  # x86; Raspberry Pi; MIPS; POWER
        if fields.get(key):
            return fields[key]
    known = [f"{word} {fields[key]}" for word, key in _ARM if fields.get(key)]
    return " ".join(("ARM", *known)) if known else ""


_ARM = (("implementer", "CPU implementer"), ("part", "CPU part"), ("variant", "CPU variant"))


def memory_gb() -> int:
    """Return whole GiB of memory, 0 when unknown."""
    if platform.system() == "Darwin":
        return int(_sysctl("hw.memsize") or 0) // _GIB
    if platform.system() == "Windows":
        return 0
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _GIB
    except (OSError, ValueError):
        return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _sysctl(key: str) -> str:
    try:
        command = ["/usr/sbin/sysctl", "-n", key]
        answer = subprocess.run(command, capture_output=True, timeout=_PATIENCE_SECONDS, check=True)  # noqa: S603 no shell
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode("utf-8", "replace").strip()


def _from_registry() -> str:
    winreg = importlib.import_module("winreg")  # by name: it exists on Windows alone
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    except OSError:
        return ""


_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A checkout. A field is null or empty where neither git nor a manifest has it; `timestamp` is the commit's, in unix seconds.

    When the checkout is at the merge of a pull request, `commit` is the head of that pull request and `merge_commit` the merge.
    `parents` are those of the commit at HEAD, and `notes` say what could not be determined. `refusal` is why git does not read the
    checkout of another user; "" when it does.
    """

    name: str | None = None
    version: str | None = None
    commit: str | None = None
    branch: str | None = None
    timestamp: int | None = None
    default_branch: str | None = None
    pr_number: int | None = None
    merge_commit: str | None = None
    parents: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refusal: str = ""


def build_of(checkout: Path) -> Build:
    """Return the build of a checkout. `version` is `{manifest version}+{short commit}`, or the part of it that is known."""
    name, number = manifest_of(checkout)
    commit, header = _commit_at_head(checkout)
    head = _git(checkout, "symbolic-ref", "--quiet", "HEAD")  # --short adds heads/ where a tag has the same name
    time, parents = _facts(header)
    default = _git(checkout, "symbolic-ref", "--quiet", _ORIGIN_HEAD) if commit else None
    return Build(
        name=name,
        version=_version(number, commit),
        commit=commit,
        branch=head.removeprefix("refs/heads/") if head else None,
        timestamp=time,
        default_branch=default.removeprefix("refs/remotes/origin/") if default else None,
        parents=parents,
        notes=() if head or not commit else (_DETACHED,),
        refusal="" if commit else refusal_of(checkout),
    )


_HEADS = "refs/heads", "refs/remotes/origin"
_ORIGIN_HEAD = "refs/remotes/origin/HEAD"
NO_BRANCH = "detached"
"""The branch of a commit that no branch of a complete clone has."""
_DETACHED = "the checkout is at no branch (a detached HEAD), so the branch is unknown and its results count as the main branch's; state it if it is another"
_UNKNOWN = "whether {main} has {} is unknown here, so its results count as those of {}; fetch the whole history (actions/checkout: fetch-depth: 0), or check out the head of the pull request by its reference"
_AFTER_ANOTHER = "the job follows a workflow run of commit {followed}, so the results count as those of that commit, and not of {here}, which is checked out; state `commit` if they were measured here"
_AFTER_MAIN = "the job follows a workflow run of commit {followed}, and the results count as those of {here}, which is checked out; state `commit` if that run measured them"
_COMMITTER = re.compile(r"^committer .* (\d+) [-+]\d{4}$", re.MULTILINE)
_PARENT = re.compile(r"^parent ([0-9a-f]+)$", re.MULTILINE)
_PULL_REF = re.compile(r"refs/(?:remotes/)?pull/(\d+)/(merge|head)")


def _version(number: str | None, commit: str | None) -> str | None:
    return "+".join(part for part in (number, commit[:ABBREVIATED_SHA] if commit else None) if part) or None


def _version_at(build: Build, commit: str) -> str | None:
    """Return the version of a build, with another commit in place of its own."""
    return _version(
        (build.version or "").removesuffix((build.commit or "")[:ABBREVIATED_SHA]).removesuffix("+"), commit
    )


def _recorded(checkout: Path, commit: str) -> tuple[int | None, tuple[str, ...]]:
    """Return the committer time and the parents in a commit object, which has parents that a shallow clone hides from `git log`."""
    return _facts(_git(checkout, "cat-file", "commit", commit) or "")


def _commit_at_head(checkout: Path) -> tuple[str | None, str]:
    """Return the commit at HEAD and its commit object, from one process; None without one."""
    line, _, content = (_git(checkout, "cat-file", "--batch", text="HEAD^{commit}\n") or "").partition("\n")
    sha, kind, *_ = *line.split(" "), ""
    return (sha, content) if kind == "commit" else (None, "")


def _facts(commit_object: str) -> tuple[int | None, tuple[str, ...]]:
    header = commit_object.partition("\n\n")[0]
    time = _COMMITTER.search(header)
    return int(time[1]) if time else None, tuple(_PARENT.findall(header))


def build_of_commit(checkout: Path, build: Build, commit: str) -> Build:
    """Return the build of another commit than that of the checkout: its name and commit time, if the checkout has the commit."""
    full = _resolved(checkout, commit)
    if full is None:
        return Build()
    return Build(
        name=build.name, commit=full, timestamp=_recorded(checkout, full)[0], default_branch=build.default_branch
    )


def of_followed(build: Build, checkout: Path | None, change: CiChange | None) -> Build:
    """Return the build of what a job publishes without having measured it, for a file without a commit; with a note.

    A job that follows another one of a pull request or of another branch publishes files of that one, but begins with a checkout of
    the default branch: they count as of the commit of the other job. After a job of the default branch, either commit may be meant.
    """
    followed = None if change is None or not change.follows else change.head_commit
    if change is None or followed is None or not same_commit(build.commit, change.base_commit):
        return with_change(build, checkout, change)
    if same_commit(build.commit, followed):
        return with_change(build, checkout, change)
    if _is_of_main(change):
        found, note = with_change(build, checkout, change), _AFTER_MAIN
    else:
        at = Build(name=build.name, version=_version_at(build, followed), commit=followed)
        found, note = with_change(replace(at, default_branch=build.default_branch), checkout, change), _AFTER_ANOTHER
    names = {"followed": followed[: RULES.sha_length], "here": (build.commit or "")[: RULES.sha_length]}
    return replace(found, notes=(*found.notes, note.format(**names)))


def _is_of_main(change: CiChange) -> bool:
    """Return whether the job that a job follows was one of the default branch itself."""
    return change.of_branch and change.branch in {change.default_branch, change.base_branch}


def with_change(build: Build, checkout: Path | None, change: CiChange | None) -> Build:
    """Return a build with the branch, pull request and head of the change that CI builds.

    A checkout of another repository than that of the job is not its change, unless it is at the commit of the job: a repository may be renamed. Without CI, the references of the checkout that
    point at its commit can name a pull request. A pull request that is open from the default branch does not take that branch's commits. A commit that the default branch does not have is of the branch that has it.
    """
    found = _with_change(build, checkout, change)
    if checkout is None or found.commit is None or found.branch or found.pr_number is not None:
        return found
    branch = _branch_beside_main(checkout, found)
    if branch != NO_BRANCH:
        return replace(found, branch=branch, notes=()) if branch else found
    note = f"the checkout is at no branch, and {found.default_branch} does not have its commit: the branch is {NO_BRANCH!r}, and so no main history; state it"
    return replace(found, branch=branch, notes=(note,))


def _branch_beside_main(checkout: Path, build: Build) -> str | None:
    """Return the branch of a commit at no branch, if the default branch of the clone does not have it; None where that is unknown."""
    if build.default_branch is None:
        return None
    mains = {f"{directory}/{build.default_branch}" for directory in _HEADS}
    having = _references(checkout, f"--contains={build.commit}", *_HEADS)
    if having is None or mains & {*having} or not _references(checkout, *mains) or not _is_complete(checkout):
        return None
    branches = (name.removeprefix("refs/heads/").removeprefix("refs/remotes/origin/") for name in having)
    return next((name for name in branches if name != "HEAD"), NO_BRANCH)


def _with_change(build: Build, checkout: Path | None, change: CiChange | None) -> Build:
    if change and change.of_branch and change.branch == (change.default_branch or build.default_branch):
        change = replace(change, pr_number=None, base_branch=change.branch)
    if build.commit is None:
        return replace(build, pr_number=change.pr_number) if change else build
    if change is None or (checkout and not _is_of(build, change) and not _is_repository(checkout, change.repository)):
        change = None if checkout is None or build.branch else _pulled(checkout, build)
    if change is None:
        return build
    build = replace(build, default_branch=change.default_branch or build.default_branch)
    if same_commit(build.commit, change.base_commit):
        return replace(build, branch=build.branch or change.base_branch, notes=())
    ours = _is_of(build, change)
    ours |= not (change.commit or change.head_commit or change.base_commit)  # a service that names no commit
    pulled = _pulled(checkout, build) if checkout and not (ours or build.branch) else None
    if pulled:  # a job of another event has checked out a pull request
        change = replace(change, commit=pulled.commit, branch=None, pr_number=pulled.pr_number)
    elif not ours and (change.pr_number is None or change.head_commit not in build.parents):
        return _beside(build, checkout, change)
    branch = build.branch or _without_remote(checkout, change.branch)
    notes = () if branch or change.pr_number is not None else build.notes  # as of the job of a tag
    build = replace(build, branch=branch, pr_number=change.pr_number, notes=notes)
    head = change.head_commit or (build.parents[1] if len(build.parents) == _TWO else None)
    is_merge = change.pr_number is not None and (
        same_commit(build.commit, change.commit) or change.head_commit in build.parents
    )
    return _of_head(build, checkout, head) if is_merge and head and head != build.commit else build


def _without_remote(checkout: Path | None, branch: str | None) -> str | None:
    """Return the name of a branch without that of a remote before it, as of `upstream/main`, where the checkout has a remote with that branch."""
    rest = (branch or "").partition("/")[2]
    remote = f"refs/remotes/{branch}"
    return rest if rest and checkout and _references(checkout, remote) == [remote] else branch


def _is_of(build: Build, change: CiChange) -> bool:
    return same_commit(build.commit, change.commit) or same_commit(build.commit, change.head_commit)


_TWO = 2


def _beside(build: Build, checkout: Path | None, change: CiChange) -> Build:
    """Return the build of a commit that the job of CI does not name: of the pull request, where the clone does not show that main has it."""
    if change.pr_number is None and (not change.follows or _is_of_main(change)):
        return build
    main = _main_with(checkout, build, change)
    if main:
        return replace(build, branch=build.branch or main, notes=())
    commit = (build.commit or "")[: RULES.sha_length]
    whose = f"branch {change.branch}" if change.pr_number is None else f"pull request {change.pr_number}"
    note = _UNKNOWN.format(commit, whose, main=change.base_branch or build.default_branch or "main")
    notes = (note,) if main is None and build.branch is None else ()
    return replace(build, branch=build.branch or change.branch, pr_number=change.pr_number, notes=notes)


def _main_with(checkout: Path | None, build: Build, change: CiChange) -> str | None:
    """Return the default or base branch of the clone that has the commit of a build; "" if none has it, None where that is unknown.

    A branch of a fork may have the same name: the branches of its clone, and the name of the change's own branch, say nothing.
    """
    names = [name for name in (build.default_branch, change.base_branch) if name and name != change.branch]
    if checkout is None or not names or _is_fork(checkout, change.repository):
        return None
    mains = {f"{directory}/{name}": name for name in names for directory in _HEADS}
    having = _references(checkout, f"--contains={build.commit}", *mains)
    if having:
        return mains[having[0]]
    return "" if having is not None and _references(checkout, *mains) and _is_complete(checkout) else None


def _is_fork(checkout: Path, repository: str | None) -> bool:
    """Return whether a checkout was cloned from another owner than that of a repository; False for a local clone."""
    address = _git(checkout, "config", "--get", "remote.origin.url") if repository else None
    if not repository or not address or address.startswith(("file:", "/", ".")):
        return False
    path = re.sub(r"[\\:]", "/", address.rstrip("/").removesuffix(".git"))
    return not path.casefold().endswith(f"/{repository.casefold()}")


def _of_head(build: Build, checkout: Path | None, head: str) -> Build:
    """Return the build of the merge of a pull request under the commit of its head; the merge's time where the head's is unknown."""
    time = _recorded(checkout, head)[0] if checkout else None
    return replace(
        build,
        commit=head,
        version=_version_at(build, head),
        timestamp=build.timestamp if time is None else time,
        merge_commit=build.commit,
    )


def _pulled(checkout: Path, build: Build) -> CiChange | None:
    """Return the pull request whose merge or head, as a forge names it, is the commit of a checkout; None without one."""
    refs = _references(checkout, "--points-at=HEAD", "refs/pull", "refs/remotes/pull")
    found = _PULL_REF.search("\n".join(refs or []))
    if found is None:
        return None
    return CiChange(commit=build.commit if found[2] == "merge" else None, pr_number=int(found[1]))


def default_branch_of_ci(checkout: Path, change: CiChange | None) -> str | None:
    """Return the default branch that CI names of the repository of a checkout; None outside of CI and for another repository."""
    return change.default_branch if change and _is_repository(checkout, change.repository) else None


def _is_repository(checkout: Path, repository: str | None) -> bool:
    """Return whether a checkout may be of a repository; a fork has another owner, and a local clone no address."""
    address = _git(checkout, "config", "--get", "remote.origin.url") if repository else None
    if repository is None or address is None:
        return True
    return _last_part(address) == _last_part(repository)


def _last_part(address: str) -> str:
    return re.split(r"[/\\:]", address.rstrip("/"))[-1].removesuffix(".git").casefold()


def resolve(name: str, checkout: Path | None) -> str:
    """Return the full sha of a commit: the name itself if it is one, else what it means in a checkout.

    A name is `HEAD`, a branch, a tag or an abbreviated sha. Raises `UserError` when the checkout has no such commit.
    """
    if is_full_sha(name.lower()):
        return name.lower()
    found = _resolved(checkout, name) if checkout else None
    if found is None:
        if checkout and (refusal := refusal_of(checkout)):
            message = f"`commit` {name}: {checkout}: {refusal}"
            raise UserError(message)
        where = f"{checkout} has no such commit" if checkout else "there is no checkout here to look it up in"
        message = f"`commit` {name}: not a full sha, and {where}; write all 40 digits, or name the clone as `checkout`"
        raise UserError(message)
    return found


def _resolved(checkout: Path, name: str) -> str | None:
    return _git(checkout, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def checkout_around(path: Path) -> Path | None:
    """Return the git checkout that contains a file or directory, None when there is none."""
    # A publish asks of each of thousands of files, and a `Path` of each directory takes three times as long.
    directory, below = os.path.realpath(path), ""
    while directory != below:
        if os.path.exists(os.path.join(directory, ".git")):  # noqa: PTH110, PTH118 see above
            return Path(directory)
        directory, below = os.path.dirname(directory), directory  # noqa: PTH120 see above
    return None


def _references(checkout: Path, *arguments: str) -> list[str] | None:
    """Return the references that `git for-each-ref` lists; None when it fails, as for a history that it does not walk in time."""
    listed = _answer(checkout, "for-each-ref", "--format=%(refname)", *arguments)
    return None if listed is None else listed.split()


def _is_complete(checkout: Path) -> bool:
    return _git(checkout, "rev-parse", "--is-shallow-repository") == "false"


def refusal_of(checkout: Path) -> str:
    """Return why git refuses to read a checkout, as one of another user in a container; "" when it does not, or is not installed."""
    command = ["git", "-C", str(checkout), "rev-parse", "--git-dir"]
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(  # noqa: S603 no shell
            command, capture_output=True, timeout=_PATIENCE_SECONDS, check=False, env={**os.environ, "LC_ALL": "C"}
        )
        if b"dubious ownership" in answer.stderr:
            return f"git refuses to read it, because another user owns it; allow it: git config --global --add safe.directory {checkout}"
    return ""


def _git(checkout: Path, *arguments: str, text: str = "") -> str | None:
    """Return what git prints as `_answer` does, None when that is nothing, too."""
    return _answer(checkout, *arguments, text=text) or None


def _answer(checkout: Path, *arguments: str, text: str = "") -> str | None:
    """Return what git prints for a text as its input, None when it fails or is not installed. No shell, hook or pager of the user runs."""
    command = ["git", "-C", str(checkout), "--no-pager", "-c", "core.fsmonitor=false", *arguments]
    try:
        answer = subprocess.run(  # noqa: S603 no shell
            command, input=text.encode(), capture_output=True, timeout=_PATIENCE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode("utf-8", "replace").strip()


def manifest_of(checkout: Path) -> tuple[str | None, str | None]:
    """Return name and version in the manifest of a checkout: Cargo.toml, else pyproject.toml."""
    for file, tables in _TABLES.items():
        document = _toml(checkout / file)
        found = [_table(document, path) for path in tables]
        name, number = _first(found, "name"), _first(found, "version")
        if name or number:
            return name, number
    return None, None


_TABLES = {
    "Cargo.toml": (("package",), ("workspace", "package")),
    "pyproject.toml": (("project",), ("tool", "poetry")),
}


def _first(tables: list[dict[str, object]], key: str) -> str | None:
    return next((value for table in tables if isinstance(value := table.get(key), str)), None)


def _table(document: dict[str, object], path: tuple[str, ...]) -> dict[str, object]:
    for key in path:
        inner = document.get(key)
        document = inner if isinstance(inner, dict) else {}
    return document


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):  # a checkout may contain anything; the commit is still known
        return {}
