"""Stand-ins for foreign actions: checkouts are real clones, artifacts are copies, Python and uv are those of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.actions.machine import Machine

_PIP = """#!/bin/sh
# What `pip install uv` does, with the uv of this machine.
target='{bin}'
while [ $# -gt 0 ]; do
    case "$1" in
    install | --quiet | uv) ;;
    --target) shift; target="$1/bin" ;;
    *) echo "not expected: $1" >&2; exit 64 ;;
    esac
    shift
done
mkdir -p "$target" && ln -sf '{uv}' "$target/uv"
"""
_PYTHON = """#!/bin/sh
if [ "$1 $2" = '-m pip' ]; then shift 2; exec '{bin}/pip' "$@"; fi
exec '{python}' "$@"
"""


class ActionError(Exception):
    """A failed step of an action."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """The data of a job for an action."""

    machine: Machine
    artifacts: Path
    repositories: Mapping[str, Path]
    repository: str
    token: str
    permissions: Mapping[str, str]
    caches: Path
    """Of all runs, by key."""
    at_end: list[Callable[[], None]] = field(default_factory=list)
    """What actions do after the last step of a successful job."""


def checkout(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """Check out one commit, with the history and branches on request, on its branch unless a ref is given, with the token unless disabled."""
    place = job.machine.workspace / given.get("path", ".")
    source = job.repositories.get(given.get("repository") or job.repository)
    if source is None:
        message = f"repository {given['repository']!r} not found"
        raise ActionError(message)
    ref = given.get("ref") or "HEAD"
    place.mkdir(parents=True, exist_ok=True)
    _git(place, "init", "--quiet")
    depth = given.get("fetch-depth", "1")
    shallow = [] if depth == "0" else [f"--depth={depth}", "--no-tags"]
    if depth == "0":
        _git(place, "fetch", "--quiet", source.as_uri(), "+refs/heads/*:refs/remotes/origin/*")
    _git(place, "fetch", "--quiet", *shallow, source.as_uri(), "--", ref)
    _git(place, "checkout", "--quiet", "--force", *(["--detach"] if "ref" in given else ["-B", "main"]), "FETCH_HEAD")
    if given.get("persist-credentials") != "false":
        _git(place, "config", "http.extraheader", f"AUTHORIZATION: basic {job.token}")
    return {"commit": _git(place, "rev-parse", "HEAD"), "ref": ref}


def setup_python(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """Provide the Python of the tests, with a pip that can only install uv."""
    home = job.machine.directory / "python" / "bin"
    home.mkdir(parents=True, exist_ok=True)
    uv = os.environ.get("UV") or shutil.which("uv")  # `uv run` sets this variable
    words = {"bin": str(home), "python": sys.executable, "uv": uv}
    for name, script in {"python": _PYTHON, "python3": _PYTHON, "pip": _PIP}.items():
        (home / name).write_text(script.format_map(words), encoding="utf-8")
        (home / name).chmod(0o755)
    if given.get("update-environment") != "false":
        job.machine.path.insert(0, str(home))
    return {"python-path": str(home / "python"), "python-version": given.get("python-version", "")}


def upload_artifact(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """Store the files of a directory under a name, hidden ones only on request."""
    source, target = job.machine.workspace / given["path"], job.artifacts / given["name"]
    if target.exists() or not given["name"] or "/" in given["name"]:
        message = f"the artifact name {given['name']!r} is taken, or is no name"
        raise ActionError(message)
    hidden = given.get("include-hidden-files") == "true"
    found = [path for path in sorted(source.rglob("*")) if path.is_file() and (hidden or not _is_hidden(path, source))]
    if not found and given.get("if-no-files-found") == "error":
        message = f"no files were found at {given['path']}"
        raise ActionError(message)
    for path in found:
        kept = target / path.relative_to(source)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)
    return {}


def download_artifact(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """Copy one artifact by name, or each that matches a pattern into a directory of its name."""
    place = job.machine.workspace / given.get("path", ".")
    if "name" in given:
        if not given["name"] or not (job.artifacts / given["name"]).is_dir():
            message = f"artifact {given['name']!r} not found"
            raise ActionError(message)
        shutil.copytree(job.artifacts / given["name"], place, dirs_exist_ok=True)
    else:
        for path in sorted(job.artifacts.glob(given["pattern"])):
            shutil.copytree(path, place / path.name)
    return {}


def cache(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """Restore a directory by its key; without a hit, store it after the job. A key is never written twice."""
    kept, place = job.caches / given["key"].replace("/", "-"), Path(given["path"])
    if kept.exists():
        shutil.copytree(kept, place, symlinks=True, dirs_exist_ok=True)
        return {"cache-hit": "true"}

    def store() -> None:
        if place.exists() and not kept.exists():
            shutil.copytree(place, kept, symlinks=True)

    job.at_end.append(store)
    return {"cache-hit": "false"}


def upload_pages(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """Store the site as the artifact that `deploy-pages` reads."""
    return upload_artifact(job, {"name": "github-pages", "if-no-files-found": "error", **given})


def deploy_pages(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """Deploy the artifact as the site of the repository."""
    missing = [name for name in ("pages", "id-token") if job.permissions.get(name) != "write"]
    if missing or given:
        message = f"deploy-pages needs write permission: {missing}, {given}"
        raise ActionError(message)
    shutil.copytree(job.artifacts / "github-pages", job.artifacts.parent / "pages")
    return {"page_url": "https://owner.github.test/"}


def attest(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """Store the names of what is attested, and of the list of packages beside it."""
    missing = [name for name in ("attestations", "id-token") if job.permissions.get(name) != "write"]
    subjects = sorted(path.name for path in job.machine.workspace.glob(given["subject-path"]))
    sbom = given.get("sbom-path", "")
    if missing or not subjects or (sbom and not (job.machine.workspace / sbom).is_file()):
        message = f"nothing can be attested: write permission {missing}, {subjects}, {sbom}"
        raise ActionError(message)
    with (job.artifacts / "attested.txt").open("a", encoding="utf-8") as file:
        file.write(f"{' '.join(subjects)} {Path(sbom).name}".strip() + "\n")
    return {}


STAND_INS: dict[str, Callable[[Job, Mapping[str, str]], dict[str, str]]] = {
    "actions/checkout": checkout,
    "actions/setup-python": setup_python,
    "actions/cache": cache,
    "actions/upload-artifact": upload_artifact,
    "actions/download-artifact": download_artifact,
    "actions/upload-pages-artifact": upload_pages,
    "actions/deploy-pages": deploy_pages,
    "actions/attest-build-provenance": attest,
    "actions/attest-sbom": attest,
}


def _is_hidden(path: Path, root: Path) -> bool:
    """Return whether a file or one of its directories below the root is hidden."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _git(place: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    answer = subprocess.run(
        ["git", "-c", "advice.detachedHead=false", "-C", str(place), *arguments],
        env=environment | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        message = f"git {arguments[0]}: {answer.stderr}"
        raise ActionError(message)
    return answer.stdout.strip()
