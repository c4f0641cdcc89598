"""`bench-db artifact`: files kept beside the results."""

from __future__ import annotations

import time
from pathlib import Path

import click

from bench_db.cli.options import SINGLE_WRITER, common, emit, emit_found, open_store, screen
from bench_db.cli.progress import progress_bar

_KIND = click.option("--kind", help="Only of this kind, such as log.")


@click.group("artifact")
def command() -> None:
    """Keep files beside the results: logs, profiles, raw output. A file is stored once, under its content.

    Example: bench-db artifact put build.log --kind log --commit 1a2b3c4
    """


@command.command("put")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--kind", default="file", show_default=True, help="What it is: log, profile, raw output, or any word.")
@click.option("--name", help="What it is called. [default: the name of the file]")
@click.option("--run", metavar="RUN", help="The run it belongs to: its run id, or the run key where that is several.")
@click.option("--commit", metavar="SHA", help="The commit it belongs to. [default: that of the run]")
@SINGLE_WRITER
@common
def put(
    paths: tuple[str, ...],
    kind: str,
    name: str | None,
    run: str | None,
    commit: str | None,
    uri: str | None,
    output: str,
    *,
    single_writer: bool,
) -> None:
    """Keep files in the store. Doing it again adds nothing, and mends a file that was damaged there.

    Example: bench-db artifact put .bench-db/logs/1a2b3c4*/*.log --kind log --commit 1a2b3c4
    """
    from bench_db.app.commit_names import sha_of
    from bench_db.model import Put
    from bench_db.report.artifacts import put_json, put_text

    commit = commit and sha_of(commit)
    store, now, done = open_store(uri, single_writer=single_writer), int(time.time()), list[Put]()
    with progress_bar("putting") as progress:
        for path in paths:
            done.append(store.put_artifact(path, kind=kind, name=name or "", run=run, commit=commit, added_at=now))
            progress(len(done), len(paths))
    emit(output, put_json(done), lambda: put_text(done))


@command.command("get")
@click.argument("sha256")
@click.argument("path", type=click.Path(path_type=Path))
@common
def get(sha256: str, path: Path, uri: str | None, output: str) -> None:
    """Write the artifact whose SHA256 begins so to PATH, if its content is still what it was; nothing else is written.

    Example: bench-db artifact get 5891b5b5 build.log
    """
    from bench_db.report.artifacts import as_json

    found = open_store(uri).get_artifact(sha256, path)
    emit(output, {**as_json(found), "path": str(path)}, lambda: f"{path}: {found.size_bytes:,} bytes")


@command.command("list")
@_KIND
@click.option("--run", metavar="RUN", help="Only of this run: its run id or run key.")
@click.option("--commit", metavar="SHA", help="Only of this commit; an abbreviation will do.")
@common
def list_(kind: str | None, run: str | None, commit: str | None, uri: str | None, output: str) -> None:
    """List artifacts in the order they were added.

    Example: bench-db artifact list --kind log --commit 1a2b3c4
    """
    from bench_db.report.artifacts import as_json, as_text

    found = open_store(uri).artifacts(kind=kind, run=run, commit=commit)
    given = [f"{name} {value}" for name, value in (("kind", kind), ("run", run), ("commit", commit)) if value]
    emit_found(
        output,
        {"artifacts": [as_json(artifact) for artifact in found]},
        lambda: as_text(found, screen()),
        found=bool(found),
        why=lambda: f"no artifacts of {', '.join(given)}; 'bench-db artifact list' shows all" if given else None,
    )


@command.command("delete")
@click.argument("sha256", nargs=-1)
@_KIND
@click.option("--run", metavar="RUN", help="Those of this run: its run id or run key.")
@click.option("--commit", metavar="SHA", help="Those of this commit; an abbreviation will do.")
@click.option("--yes", is_flag=True, help="Delete them; without it they are only shown.")
@common
def delete(
    sha256: tuple[str, ...],
    kind: str | None,
    run: str | None,
    commit: str | None,
    uri: str | None,
    output: str,
    *,
    yes: bool,
) -> None:
    """Delete artifacts for good; without --yes only show them. A file that other records name stays.

    Conditions narrow: with SHA256 and --run it is this file of this run.

    Example: bench-db artifact delete --kind log --commit 1a2b3c4 --yes
    """
    from bench_db.app.values import delete_artifacts
    from bench_db.report.artifacts import deleted_json, deleted_text

    done = delete_artifacts(open_store(uri), sha256, kind=kind, run=run, commit=commit, dry_run=not yes)
    emit(output, deleted_json(done), lambda: deleted_text(done, screen()))
