"""The local clone: questions to it, and work trees of its commits, which one process at a time may use.

Git runs without a shell, and no name that a user gives can become an option.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import subprocess
from collections import defaultdict
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bench_db.errors import UserError
from bench_db.identity import is_full_sha
from bench_db.model import MAIN_NAMES, Commit, PairSide, RecordedCommit
from bench_db.schedule.plan import Between, Commits, Tags, oldest_first

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from bench_db.clock import Clock
    from bench_db.schedule.plan import Range

_LOOK_EVERY_SECONDS = 0.5
_LOG = logging.getLogger(__name__)
_CHECKOUT_SECONDS = 3600
_LOCK = "bench-db.lock"
_PATIENCE_SECONDS = 120
# A hook, a pager, a prompt or a file system monitor of a configuration must not run, nor change the log.
_SETTINGS = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "advice.detachedHead=false", "log.showSignature=false")
_QUIET = tuple(word for setting in _SETTINGS for word in ("-c", setting))
# set while a hook runs; they take precedence over -C and over the directory
HOOK_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
_FORMAT = "--format=%H%x1f%ct%x1f%P%x1f%s"


def git(repository: Path, *arguments: str, text: str | None = None, patience_seconds: float = _PATIENCE_SECONDS) -> str:
    """Run git, with a text as its input, and return its output. Raise `UserError` with the words of git when it fails."""
    command = ["git", "-C", str(repository), "--no-pager", *_QUIET, *arguments]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    for name in HOOK_VARIABLES:
        environment.pop(name, None)
    try:
        answer = subprocess.run(  # noqa: S603 a list of arguments, no shell
            command,
            input=None if text is None else text.encode(),
            capture_output=True,
            timeout=patience_seconds,
            check=True,
            env=environment,
        )
    except FileNotFoundError as error:
        message = "git is not installed, or not on the PATH"
        raise UserError(message) from error
    except subprocess.TimeoutExpired as error:
        message = f"{repository}: git {arguments[0]} did not end within {patience_seconds:g} s"
        raise UserError(message) from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        if said.startswith("not a git repository"):
            message = f"{repository}: not a git repository; run this in a clone, or name one as `clone`"
            raise UserError(message) from error
        message = f"{repository}: git {arguments[0]}: {said or f'exit code {error.returncode}'}"
        raise UserError(message) from error
    return answer.stdout.decode("utf-8", "replace")


def resolve(repository: Path, name: str) -> str:
    """Return the full sha of the commit that a name means."""
    try:
        found = git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
    except UserError as error:
        git(repository, "rev-parse", "--git-dir")  # raises another error for a directory that is no clone
        if name == "HEAD" and not git(repository, "for-each-ref", "--count=1"):
            message = f"{repository}: has no commits yet; make one with git commit"
            raise UserError(message) from error
        cut = is_shallow(repository)
        # all branches by name: a clone of one branch fetches no other one
        fetch = f"git fetch {'--unshallow ' if cut else ''}--tags origin '+refs/heads/*:refs/remotes/origin/*'"
        message = (
            f"{repository}: there is no commit {name!r} here{', and the clone is shallow' if cut else ''}; fetch it first"
            f" ({fetch}{', actions/checkout: fetch-depth: 0' if cut else ''}), or correct the name"
        )
        raise UserError(message) from error
    return found


def history(repository: Path, end: str, start: str | None = None) -> list[Commit]:
    """Return the commits reachable from `end` and not from `start`, oldest first, parents before children.

    A merged branch counts as its merge commit, so that each commit follows from the one before it.
    """
    excluded = [] if start is None else [f"^{resolve(repository, start)}"]
    tips = [resolve(repository, end), *excluded]
    text = git(
        repository, "log", "-z", "--reverse", "--topo-order", "--first-parent", _FORMAT, "--end-of-options", *tips, "--"
    )
    return [_commit(record) for record in text.split("\0") if record]


def of_range(repository: Path, chosen: Range, branch: str = "HEAD") -> list[Commit]:
    """Return the commits of a range, oldest first; for NEW, ALL and EXISTING the whole branch, from which a plan chooses."""
    match chosen:
        case Tags(pattern=pattern):
            return oldest_first(commit_of(repository, sha) for _, sha in tags(repository, pattern))
        case Between(start=start, end=end):
            return history(repository, end, start)
        case Commits(names=names):
            return oldest_first(commit_of(repository, name) for name in names)
        case _:
            return history(repository, branch)


def commit_of(repository: Path, name: str) -> Commit:
    """Return the commit that a name means."""
    sha = resolve(repository, name)
    return _commit(git(repository, "log", "-1", "-z", _FORMAT, "--end-of-options", sha, "--").rstrip("\0"))


def tags(repository: Path, pattern: str = "*") -> list[tuple[str, str]]:
    """Return names and commits of the tags that match a glob pattern, by name; a tag of anything but a commit is left out."""
    form = "--format=%(refname:strip=2)%09%(objecttype)%09%(*objecttype)%09%(objectname)%09%(*objectname)"
    lines = git(repository, "for-each-ref", form, f"refs/tags/{pattern}").splitlines()
    found = []
    for name, kind, target_kind, sha, target in (line.split("\t") for line in lines):
        if "commit" in (kind, target_kind):
            found.append((name, target or sha))
    return found


def merge_base(repository: Path, one: str, other: str) -> str:
    """Return the best common ancestor of two commits. Raise `UserError` when the clone has none."""
    ends = resolve(repository, one), resolve(repository, other)
    try:
        return git(repository, "merge-base", *ends).strip()
    except UserError as error:
        shallow = is_shallow(repository)
        why = (
            "the clone is shallow: git fetch --unshallow (actions/checkout: fetch-depth: 0)" if shallow else "unrelated"
        )
        message = f"{repository}: {one} and {other} have no common ancestor here; {why}"
        raise UserError(message) from error


def ancestors(repository: Path, end: str) -> list[str]:
    """Return the full shas of a commit and its ancestors along first parents, newest first."""
    return _line(repository, resolve(repository, end))


def _line(repository: Path, sha: str) -> list[str]:
    return git(repository, "rev-list", "--first-parent", "--end-of-options", sha, "--").split()


def is_shallow(repository: Path) -> bool:
    """Return whether the clone lacks the older part of its history."""
    return git(repository, "rev-parse", "--is-shallow-repository").strip() == "true"


def knows(repository: Path, name: str) -> bool:
    """Return whether a name means a commit here."""
    try:
        resolve(repository, name)
    except UserError:
        return False
    return True


def main_branch(repository: Path) -> str | None:
    """Return the default branch of the remote `origin`, without a remote that of the local ones; None when it is not known.

    A clone whose remote has no HEAD here, as after `git remote add`, says it while its own main branch is checked out.
    """
    if "origin" not in git(repository, "remote").split():
        return _local_main_branch(repository)
    try:
        head = git(repository, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD").strip()
    except UserError:
        own = _local_main_branch(repository)
        return own if own is not None and own == _checked_out(repository) else None
    return head.removeprefix("refs/remotes/origin/")


def _checked_out(repository: Path) -> str | None:
    with suppress(UserError):
        return git(repository, "symbolic-ref", "--quiet", "HEAD").strip().removeprefix("refs/heads/")
    return None


def _local_main_branch(repository: Path) -> str | None:
    """Return main or master, else the branch that had this name, that `init.defaultBranch` names, or that the first commit was made on."""
    branches = git(repository, "for-each-ref", "--format=%(refname:strip=2)", "refs/heads").splitlines()
    usual = next((name for name in MAIN_NAMES if name in branches), None)
    if usual or not branches:
        return usual
    former, begun = _logs_of_branches(repository)
    configured = ""
    with suppress(UserError):
        configured = git(repository, "config", "--get", "init.defaultBranch").strip()
    renamed = next((name for name in branches if former[name] & set(MAIN_NAMES)), None)
    return (
        renamed or (configured if configured in branches else None) or min(begun, key=begun.__getitem__, default=None)
    )


def _logs_of_branches(repository: Path) -> tuple[defaultdict[str, set[str]], dict[str, int]]:
    """Return from the logs of branches the former names of each, and when the first commit was made on a branch, where it was.

    A copy of another branch has its log, and neither was renamed nor began anything. Old entries of a log expire.
    """
    former, begun, copied = defaultdict[str, set[str]](set), dict[str, int](), set[str]()
    lines = git(repository, "log", "--walk-reflogs", "--branches", "--date=unix", "--format=%gD%x09%gs").splitlines()
    for entry, _, step in (line.partition("\t") for line in lines):  # the newest entry of a branch comes first
        branch, _, time = entry.removeprefix("refs/heads/").rpartition("@")
        match step.split():
            case ["Branch:", "copied", *_] if branch not in former:
                copied.add(branch)
            case ["Branch:", "renamed", name, *_]:
                former[branch].add(name.removeprefix("refs/heads/"))
            case ["commit", "(initial):", *_]:
                begun[branch] = int(time.strip("{}"))
    for branch in copied:
        former.pop(branch, None)
        begun.pop(branch, None)
    return former, begun


def tip_of(repository: Path, branch: str) -> str | None:
    """Return the newest commit of a branch: that of the remote, else the local one; None without either."""
    references = f"refs/remotes/origin/{branch}", f"refs/heads/{branch}"
    found = _tips(repository, references)
    return next((found[reference] for reference in references if reference in found), None)


def _tips(repository: Path, references: Collection[str]) -> dict[str, str]:
    """Return the commits of those references that the clone has, by full name. One process takes 2 ms, for one or for all."""
    lines = git(repository, "for-each-ref", "--format=%(refname) %(objecttype) %(objectname)", *references).splitlines()
    named = (line.split(" ") for line in lines)
    return {name: sha for name, kind, sha in named if name in references and kind == "commit"}


def branch_of(repository: Path, sha: str, main: str) -> str | None:
    """Return the branch of a commit: the main one where it is on its first-parent line, else the first that contains it; None without one."""
    tip = tip_of(repository, main)
    if tip is not None and sha in _line(repository, tip):
        return main
    form = "--format=%(refname)"
    names = git(repository, "for-each-ref", form, "--contains", sha, "refs/heads", "refs/remotes/origin").splitlines()
    branches = (name.removeprefix("refs/heads/").removeprefix("refs/remotes/origin/") for name in names)
    return next((branch for branch in branches if branch not in {"HEAD", main}), None)


def record_of(repository: Path, name: str, dut_name: str) -> RecordedCommit:
    """Return what a clone knows of a commit. The parents come from the commit itself: a shallow clone does not show them.

    Position and line are null in a shallow clone, unless the part that it has decides them. Raises `UserError` for an unknown commit.
    """
    sha = resolve(repository, name)
    head, _, message = git(repository, "cat-file", "commit", sha).partition("\n\n")
    lines = [line.split(" ") for line in head.splitlines()]
    main = main_branch(repository)
    tip = tip_of(repository, main) if main else None
    shallow = is_shallow(repository)
    line = [] if tip is None else _line(repository, tip)
    on_line = sha in line
    return RecordedCommit(
        dut_name=dut_name,
        commit=sha,
        time=next(int(words[-2]) for words in lines if words[0] == "committer"),
        position=None if shallow else len(line[line.index(sha) :] if on_line else _line(repository, sha)),
        ancestors=None if shallow else int(git(repository, "rev-list", "--count", "--end-of-options", sha, "--")),
        parents=tuple(words[1] for words in lines if words[0] == "parent"),
        author_time=next(int(words[-2]) for words in lines if words[0] == "author"),
        subject=message.partition("\n")[0],
        tree=next(words[1] for words in lines if words[0] == "tree"),
        main_branch=main,
        on_main=on_line if on_line or not (shallow or tip is None) else None,
    )


def line_of(repository: Path, tip: str, dut_name: str) -> Iterator[RecordedCommit]:
    """Yield the commits of the first-parent line of a complete clone, oldest first, with their positions from 1."""
    form = "--format=%H%x1f%T%x1f%ct%x1f%at%x1f%P%x1f%s"
    text = git(repository, "log", "-z", "--reverse", "--first-parent", form, "--end-of-options", tip, "--")
    every = git(repository, "rev-list", "--parents", "--end-of-options", tip, "--").splitlines()
    parents_of = {sha: parents for sha, *parents in map(str.split, every)}
    contained = set[str]()
    for position, record in enumerate(filter(None, text.split("\0")), 1):
        sha, tree, time, author_time, parents, subject = record.strip("\n").split("\x1f", 5)
        _add_ancestors(contained, sha, parents_of)
        yield RecordedCommit(
            dut_name=dut_name,
            commit=sha,
            time=int(time),
            position=position,
            parents=tuple(parents.split()),
            author_time=int(author_time),
            subject=subject,
            on_main=True,
            ancestors=len(contained),
            tree=tree,
        )


def _add_ancestors(contained: set[str], sha: str, parents_of: Mapping[str, Sequence[str]]) -> None:
    """Add a commit and all its ancestors to a set that has all ancestors of each of its commits."""
    reached = [sha]
    while reached:
        commit = reached.pop()
        if commit not in contained:
            contained.add(commit)
            reached += parents_of[commit]


def present(repository: Path, shas: Collection[str]) -> set[str]:
    """Return which full shas of commits the clone has."""
    wanted = sorted(sha for sha in shas if is_full_sha(sha))
    if not wanted:
        return set()
    found = git(
        repository, "cat-file", "--batch-check=%(objectname) %(objecttype)", text="\n".join(wanted)
    ).splitlines()
    return {line.split()[0] for line in found if line.endswith(" commit")}


def reachable(repository: Path, *tips: str) -> set[str]:
    """Return the full shas of all commits that some tips reach, along every parent; without tips of all references."""
    return set(git(repository, "rev-list", *(("--end-of-options", *tips, "--") if tips else ("--all",))).split())


def is_current(repository: Path, branch: str, tip: str) -> bool:
    """Return whether a clone has the newest commit that its remote has of a branch; true without a remote."""
    if not git(repository, "remote").split():
        return True
    try:
        found = git(repository, "ls-remote", "origin", f"refs/heads/{branch}").split()
    except UserError:
        return False
    return bool(found) and found[0] == tip


def _commit(record: str) -> Commit:
    sha, time, parents, subject = record.strip("\n").split("\x1f", 3)
    return Commit(sha=sha, time=int(time), parents=tuple(parents.split()), subject=subject)


# -- the working directory and its work trees ------------------------------------------------------------------------


def furnish(home: Path) -> None:
    """Create the directory if it does not exist, with a .gitignore so that a checkout around it stays clean."""
    if not home.exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / ".gitignore").write_text("*\n", encoding="utf-8")


@contextmanager
def alone(repository: Path, home: Path, clock: Clock, patience_seconds: float = 20.0) -> Iterator[tuple[int, ...]]:
    """Lock a clone and a working directory, and yield the locks as file descriptors that commands inherit.

    So a benchmark that outlives a killed backfill keeps the locks, and the next backfill waits. Orphaned trees are removed.
    """
    shared = repository / git(repository, "rev-parse", "--git-common-dir").rstrip("\n")
    give_up = clock.now() + patience_seconds
    with ExitStack() as locks:
        try:
            furnish(home)
            files = [locks.enter_context(_locked(path, clock, give_up)) for path in (home / "lock", shared / _LOCK)]
        except OSError as error:
            message = f"{error.filename}: cannot be written: {error.strerror}; measuring needs a lock there"
            raise UserError(message) from error
        for left in _left_trees(repository, home / "trees"):
            _remove(repository, left)
        yield tuple(file.fileno() for file in files)


def _left_trees(repository: Path, trees: Path) -> set[Path]:
    """Return the work trees of a killed process: on the disk, or only in the list of the clone, as a kill during removal leaves one."""
    listed = git(repository, "worktree", "list", "--porcelain").splitlines()
    known = (Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree "))
    ours = {trees / path.name for path in known if path.parent == trees.resolve()}
    return {path for path in {*trees.glob("*"), *ours} if _is_tree(path.name)}


def _is_tree(name: str) -> bool:
    """Return whether a directory has the name of a work tree: a commit, or a commit and the side of a pair."""
    sha, dash, side = name.partition("-")
    return is_full_sha(sha) and (not dash or side in set(PairSide))


@contextmanager
def _locked(path: Path, clock: Clock, give_up: float) -> Iterator[IO[bytes]]:
    with path.open("a+b") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if clock.now() >= give_up:
                    file.seek(0)
                    owner = file.read(20).decode("ascii", "replace").strip()
                    message = (
                        f"{path}: another backfill, bisect or pairs (process {owner}), or a benchmark it left behind, "
                        "still runs here; wait for it, or end it"
                    )
                    raise UserError(message) from error
                _LOG.info("%s: locked by another process; trying again in %.1f s", path, _LOOK_EVERY_SECONDS)
                clock.sleep(_LOOK_EVERY_SECONDS)
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        yield file


@contextmanager
def checked_out(repository: Path, sha: str, home: Path, side: PairSide | None = None) -> Iterator[Path]:
    """Check out a commit with its submodules into a new work tree, which is removed afterwards. Raise `UserError` when git fails.

    With a `side` the tree has a name of its own, so that one commit can have several trees.
    """
    tree = home / "trees" / (sha if side is None else f"{sha}-{side}")
    _remove(repository, tree)
    tree.parent.mkdir(parents=True, exist_ok=True)
    try:
        add = ("worktree", "add", "--force", "--detach", "--quiet", "--end-of-options", str(tree), sha)
        git(repository, *add, patience_seconds=_CHECKOUT_SECONDS)
        if (tree / ".gitmodules").is_file():
            git(tree, "submodule", "--quiet", "update", "--init", "--recursive", patience_seconds=_CHECKOUT_SECONDS)
        yield tree
    finally:
        _remove(repository, tree)


def _remove(repository: Path, tree: Path) -> None:
    """Remove a tree from the disk and from the list of the clone. Other trees stay listed, even missing ones."""
    if tree.is_symlink():
        tree.unlink()
    shutil.rmtree(tree, ignore_errors=True)
    if tree.is_dir():  # measured code can leave read-only directories, such as the module cache of Go
        for directory, _, _ in os.walk(tree):
            Path(directory).chmod(0o700)
        shutil.rmtree(tree, ignore_errors=True)
    with suppress(UserError):  # not one of its trees
        git(repository, "worktree", "remove", "--force", "--force", "--end-of-options", str(tree))
