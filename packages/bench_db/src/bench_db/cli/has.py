"""`bench-db has`: is a commit measured."""

from __future__ import annotations

import click

from bench_db.cli.options import common, emit, open_store, option


@click.command("has")
@click.argument("commit")
@click.option(
    "--suite", "suites", multiple=True, help="Ask for this suite; may be repeated, and then all must be there."
)
@option("--test-bed-name", metavar="NAME", help="Ask for this test bed.")
@common
@click.pass_context
def command(
    ctx: click.Context, commit: str, suites: tuple[str, ...], test_bed_name: str | None, uri: str | None, output: str
) -> None:
    """Print whether COMMIT has been measured, suite by suite: exit code 0 for yes, 1 for no.

    A commit whose benchmarks all failed has not been measured. COMMIT is a sha of 7 digits or more, HEAD, a branch or a tag of
    the checkout, version:V, run:ID or tag:NAME.

    Example: bench-db has 1a2b3c4 --suite lance-io || echo measure it
    """
    from bench_db.identity import is_commit_id
    from bench_db.query.selection import VERSION, is_sha

    store = open_store(uri)
    if not is_commit_id(
        commit
    ):  # CI asks with a sha, and what resolves other names takes as long to import as the look-up
        from bench_db.app.baselines import name_of

        commit = name_of(store, commit)
    found = store.has(commit, suites, test_bed_name)
    document = {"commit": commit, "present": found.present, "suites": found.suites, "failed": found.failed}
    lines = [f"{suite or '(no suite)'}: {count} results" for suite, count in found.suites.items()]
    lines += [f"{suite or '(no suite)'}: {count} failed" for suite, count in found.failed.items()]
    headline = f"{commit}: {'measured' if found.present else 'not measured'}"
    emit(output, document, lambda: "\n".join((headline, *lines)))
    if not (found.present or is_sha(commit) or commit.startswith(VERSION)):
        click.echo(f"{commit}: not a sha of 7 digits or more, and no such name in the checkout", err=True)
    ctx.exit(0 if found.present else 1)
