"""The use case `init`: bench-db.toml and a workflow from the benchmark tools that a repository uses."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

import polars as pl

from bench_db.app.answers import Answer
from bench_db.app.ci_files import (
    CRONS,
    GITHUB_FILE,
    GITLAB_FILE,
    SECRET_OF_ALARM,
    VARIABLE,
    Alarm,
    Judging,
    Plan,
    configuration_text,
    github_text,
    gitlab_text,
)
from bench_db.app.sources import sources
from bench_db.app.tools import FoundSuite, Unread, find
from bench_db.errors import UserError
from bench_db.ingest import adapter_named
from bench_db.ingest.host import build_of
from bench_db.measure import git
from bench_db.schedule.config import FILE, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

Ci = Literal["github", "gitlab"]
_CRON = re.compile(r"[\d*/,A-Za-z-]+( [\d*/,A-Za-z-]+){4}")
_SOURCE = re.compile(r"[\w.-]+(/[\w.-]+)+@[\w./-]+")
_REMOTE = re.compile(r"(?:^|[/@])(?P<host>[\w.-]+)(?::\d+)?[:/](?P<path>[\w.-]+(?:/[\w.-]+)+)/?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a repository at `root` uses: a suite for each tool that is recognised, and the traces that none was made of."""

    root: Path
    found: Sequence[FoundSuite]
    unread: Sequence[Unread]


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised(Answer):
    """The files for a repository, by their paths in it; with `dry_run` they were not written.

    `suites` are in bench-db.toml, `left_out` were recognised and not chosen. `steps` are the next two commands, `notes` say what else is to do, and
    `assumed` what neither an argument nor the repository states.
    """

    root: Path
    files: Mapping[str, str]
    suites: Sequence[FoundSuite]
    left_out: Sequence[FoundSuite]
    unread: Sequence[Unread]
    steps: tuple[str, str]
    notes: tuple[str, ...]
    assumed: tuple[str, ...]
    dry_run: bool

    def frame(self) -> pl.DataFrame:
        """Return a row a suite."""
        rows = [(one.name, one.tool, one.suite.directory, one.suite.format) for one in self.suites]
        return pl.DataFrame(rows, dict.fromkeys(("name", "tool", "directory", "format"), pl.String()), orient="row")

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {
            "root": str(self.root),
            "files": dict(self.files),
            "suites": [_suite_json(one) for one in self.suites],
            "left_out": [_suite_json(one) for one in self.left_out],
            "unread": [asdict(one) for one in self.unread],
            "steps": list(self.steps),
            "notes": list(self.notes),
            "assumed": list(self.assumed),
            "dry_run": self.dry_run,
        }


def _suite_json(found: FoundSuite) -> dict[str, Any]:
    names = [field.name for field in fields(FoundSuite) if field.name not in {"suite", "evidence"}]
    about = {name: getattr(found, name) for name in names}
    return {**about, "format": found.suite.format, "evidence": [asdict(one) for one in found.evidence]}


def proposal(directory: str | Path = ".") -> Proposal:
    """Return the benchmark tools that the repository around a directory uses. Raises `UserError` outside of a git repository."""
    root = Path(git.git(Path(directory), "rev-parse", "--show-toplevel").removesuffix("\n"))
    found, unread = find(sources(root))
    return Proposal(root=root, found=found, unread=unread)


def init(
    directory: str | Path = ".",
    *,
    store: str = "",
    suites: Sequence[str] = (),
    schedule: str = "nightly",
    ci: Ci | None = None,
    mode: Judging = "pairs",
    action: str | None = None,
    alarm: Alarm = "none",
    force: bool = False,
    dry_run: bool = False,
    proposed: Proposal | None = None,
) -> Initialised:
    """Write bench-db.toml, and a workflow that measures, compares and gates, for the benchmark tools of a repository.

    `store` is an address or a directory, empty for the variable BENCH_DB_URI of the repository. `suites` chooses some of those that are recognised.
    `schedule` is nightly, weekly, never or a cron expression. `ci` is that of the remote by default. `mode` is how
    pull requests are judged: measured in `pairs` with their merge base, or compared with the `history`. `action` is the repository
    with bench_db's action, OWNER/NAME@REF; by default the one that bench_db runs from, else a
    copy of bench_db that belongs to the owner of the repository. `alarm` is who gets messages about findings, by secrets in variables that the files
    name. All files are written or none; an existing file is
    replaced with `force` only. Raises `UserError` when no tool is recognised, and for a file that exists.
    """
    there = proposed or proposal(directory)
    chosen = _chosen(there, suites)
    host, repository = _remote(there.root)
    assumed = [] if ci or host else ["CI is GitHub Actions, because the checkout has no remote origin"]
    ci = ci or ("gitlab" if "gitlab" in host else "github")
    source, guess = _source(action, repository)
    assumed += guess
    if alarm in {"github", "gitlab"} and not repository:
        message = (
            f"`alarm`: {alarm} writes issues of the repository, and the checkout has no remote origin that names it"
        )
        raise UserError(message)
    plan = Plan(
        name=build_of(there.root).name or repository.rpartition("/")[2] or there.root.name,
        repository=repository,
        branch=_main_branch(there.root),
        suites=chosen,
        store=store.strip(),
        cron=_cron(schedule),
        source=source,
        mode=mode,
        alarm=alarm,
    )
    made = _files(plan, ci)
    if not dry_run:
        _write(there.root, made, force=force)
    return Initialised(
        root=there.root,
        files=made,
        suites=chosen,
        left_out=[one for one in there.found if one not in chosen],
        unread=there.unread,
        steps=_steps(made),
        notes=tuple(_notes(plan, ci)),
        assumed=(*assumed, *(f"{one.name}: {one.assumed}" for one in plan.suites if one.assumed)),
        dry_run=dry_run,
    )


def _chosen(there: Proposal, names: Sequence[str]) -> list[FoundSuite]:
    if not there.found:
        traces = "".join(
            f"; {one.tool} at {one.evidence.file}:{one.evidence.line}: {one.reason}" for one in there.unread
        )
        message = (
            f"{there.root}: no benchmark tool whose output bench_db reads was recognised{traces}. Write a table [suite.NAME] in {FILE} "
            "by hand: docs/how-to/start.md shows one, docs/formats.md lists the formats"
        )
        raise UserError(message)
    known = {one.name: one for one in there.found}
    if unknown := [name for name in names if name not in known]:
        message = f"`suites`: {unknown[0]!r} was not recognised here; there are: {', '.join(known)}"
        raise UserError(message)
    return [known[name] for name in dict.fromkeys(names)] or list(there.found)


def _remote(root: Path) -> tuple[str, str]:
    """Return the host and the path, such as OWNER/NAME, of the remote origin; empty without one."""
    with suppress(UserError):
        url = git.git(root, "config", "--get", "remote.origin.url").strip()
        if (found := _REMOTE.search(url)) and ("://" in url or "@" in url):
            return found["host"], found["path"].removesuffix(".git")
    return "", ""


def _main_branch(root: Path) -> str:
    build = build_of(root)
    return build.default_branch or build.branch or "main"


def _cron(schedule: str) -> str:
    cron = CRONS.get(schedule, " ".join(schedule.split()))
    if cron and not _CRON.fullmatch(cron):
        message = f"`schedule`: {schedule!r} is not {', '.join(CRONS)} or a cron expression of five fields, such as '17 3 * * *'"
        raise UserError(message)
    return cron


def _source(action: str | None, repository: str) -> tuple[str, list[str]]:
    """Return the repository with the action, and what was assumed for it.

    It is the stated one, else that of the checkout that bench_db runs from, else a copy of the owner of `repository`.
    """
    found = action or next(_own_sources(), "")
    if _SOURCE.fullmatch(found):
        return found, []
    if action:
        message = f"`action`: {action!r} is not OWNER/NAME@REF. Name the repository with bench_db's action and a commit of it, such as OWNER/bench_db@SHA"
        raise UserError(message)
    found = f"{repository.rpartition('/')[0] or 'OWNER'}/bench_db@main"
    reason = "where bench_db was installed from names no repository"
    return found, [
        f"bench_db's action is at {found}, because {reason}; `action` states another, such as OWNER/NAME@SHA"
    ]


def _own_sources() -> Iterator[str]:
    """Yield the repository and commit that bench_db was installed from: by pip or uv from git, or from a checkout."""
    with suppress(importlib.metadata.PackageNotFoundError, json.JSONDecodeError, KeyError, UserError):
        told = json.loads(importlib.metadata.distribution("bench-db").read_text("direct_url.json") or "{}")
        address = urlsplit(told["url"])
        if address.scheme == "file":
            checkout = Path(unquote(address.path))
            yield f"{_remote(checkout)[1]}@{git.resolve(checkout, 'HEAD')}"
        elif found := _REMOTE.search(told["url"]):
            yield f"{found['path'].removesuffix('.git')}@{told['vcs_info']['commit_id']}"


def _files(plan: Plan, ci: Ci) -> dict[str, str]:
    """Return the files by path, after reading the configuration as every verb does."""
    test_bed = "self-hosted" if plan.is_directory else "ubuntu-latest" if ci == "github" else "gitlab"
    text = configuration_text(plan, test_bed)
    for suite in parse(text.encode(), FILE).suite.values():
        adapter_named(suite.format)
    return {FILE: text, **({GITHUB_FILE: github_text(plan)} if ci == "github" else {GITLAB_FILE: gitlab_text(plan)})}


def _steps(made: Mapping[str, str]) -> tuple[str, str]:
    names = " ".join(made)
    return (
        "bench-db backfill --range HEAD --store .bench-db/try",
        f"git add {names} && git commit -m 'Measure benchmarks' && git push",
    )


def _notes(plan: Plan, ci: Ci) -> Iterator[str]:
    yield from (f"{one.name}: {one.note}" for one in plan.suites if one.note)
    where = "Settings > Secrets and variables > Actions" if ci == "github" else "Settings > CI/CD > Variables"
    if plan.source.startswith("OWNER/"):
        yield f"replace OWNER in the workflow by the owner of a copy of bench_db ({plan.source})"
    if secret := SECRET_OF_ALARM.get(plan.alarm):
        kind = "token with the scope api" if plan.alarm == "gitlab" else "address of the receiver"
        yield f"set the {'secret' if ci == 'github' else 'variable, masked,'} {secret} to the {kind}: {where}"
    if plan.alarm != "none" and not plan.cron:
        yield "without a schedule nothing scans: run bench-db scan and bench-db notify"
    if not plan.store:
        yield f"set the variable {VARIABLE} to the address of the store, such as s3://bucket/prefix: {where}"
    if plan.is_directory:
        yield f"the store {plan.store} is a directory: the jobs need a runner of your own, which keeps it"
    elif ci == "github":
        yield f"set the secrets BENCH_S3_USER_ACCESS_KEY, BENCH_S3_USER_SECRET_KEY and BENCH_S3_REGION: {where}"
    else:
        yield f"set the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_DEFAULT_REGION, masked: {where}"
    if ci == "gitlab" and plan.cron:
        yield f"GitLab keeps schedules outside of the file: add {plan.cron!r} at Build > Pipeline schedules"


# -- files: all or none ------------------------------------------------------------------------------------------------


def _write(root: Path, made: Mapping[str, str], *, force: bool) -> None:
    """Write files below a directory, all or none. Raises `UserError` for existing ones unless `force`."""
    targets = {root / name: text for name, text in made.items()}
    outside = [path for path in targets if not path.parent.resolve().is_relative_to(root.resolve()) or path.is_dir()]
    if outside:
        message = f"{outside[0]} is a directory, or leads out of the repository by a link; nothing was written"
        raise UserError(message)
    existing = [path for path in targets if os.path.lexists(path)]
    if existing and not force:
        names = ", ".join(str(path.relative_to(root)) for path in existing)
        message = f"{root}: {names} exist{'s' if len(existing) == 1 else ''} already; nothing was written. `force` replaces {'it' if len(existing) == 1 else 'them'}, `dry_run` shows what would be written"
        raise UserError(message)
    with TemporaryDirectory(dir=root, prefix=".bench-db-init-") as kept:
        written, created = list[Path](), list[Path]()
        try:
            for number, (path, text) in enumerate(targets.items()):
                created += _new_directories(path.parent)
                if path in existing:
                    path.rename(Path(kept, str(number)))
                with path.open(
                    "x", encoding="utf-8", newline="\n"
                ) as file:  # fails when another process made the file meanwhile
                    written.append(path)
                    file.write(text)
        except OSError as error:
            _undo(written, created, {Path(kept, str(number)): path for number, path in enumerate(targets)})
            message = f"{error.filename}: {error.strerror}; nothing was written"
            raise UserError(message) from error


def _new_directories(directory: Path) -> list[Path]:
    """Create a directory and return the new ones, outer ones first."""
    missing = sorted(parent for parent in (directory, *directory.parents) if not parent.exists())
    for parent in missing:
        parent.mkdir()
    return missing


def _undo(written: Sequence[Path], created: Sequence[Path], kept: Mapping[Path, Path]) -> None:
    """Remove new files and directories, and put the replaced files back."""
    for path in written:
        path.unlink()
    for old, path in kept.items():
        if os.path.lexists(old):
            old.rename(path)
    for directory in reversed(created):
        directory.rmdir()
