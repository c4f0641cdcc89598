"""The command tree, and the exit codes and messages of errors."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import warnings
from _thread import RLock
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from traceback import format_exception
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bench_db.cli.flags import as_flags
from bench_db.cli.options import equip
from bench_db.errors import BenchDbError, DamagedStoreWarning, NewerStoreWarning, SlowWarning, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping, Sequence

    from click.shell_completion import CompletionItem

# One module a verb, imported when its verb runs. The help texts are here, so that --help imports none.
SECTIONS = {
    "Publish and read": {
        "publish": "Publish the output of benchmark tools; publishing it again adds nothing.",
        "formats": "List the formats, and show what one of them makes of a file.",
        "has": "Check whether a commit has been measured.",
        "latest": "Show the newest result of every series.",
        "trend": "Show the history of a benchmark, oldest commit first.",
        "summary": "Show statistics of every series over its history.",
        "frontier": "Show the configurations that no other is better than in two metrics.",
        "query": "Run SQL over the results.",
        "site": "Write a static site of findings, series and histories.",
    },
    "Verdicts": {
        "show": "Show what a commit did: verdicts, findings, failures, and the range to search.",
        "compare": "Compare a candidate with a baseline, series by series.",
        "check": "Compare with the named baseline, fail on a regression, and move the baseline.",
        "baseline": "Set, show, list and clear baselines.",
        "detect": "Find the change points of a benchmark.",
        "scan": "Find the change points of all series and record them as findings.",
        "finding": "List findings, bless, ignore or reopen them.",
        "notify": "Tell Slack, a webhook, mail or an issue tracker what a scan found.",
        "noise": "Show how noisy each series is, and the smallest change it can show.",
    },
    "Measure": {
        "ci": "Measure or publish in a CI job, compare, comment and fail on a regression.",
        "init": "Write bench-db.toml and a workflow for the benchmark tools of a repository.",
        "suites": "Show the suites of bench-db.toml.",
        "backfill": "Measure the commits of a range, here or on GitHub.",
        "schedule": "Start the measurement of every commit since the last measured one.",
        "pairs": "Measure two commits in alternation on this machine, and compare them.",
        "bisect": "Find the commit that changed a benchmark, by measuring.",
        "pr": "Benchmark pull requests: read comments, merge and compare results, answer.",
    },
    "Store": {
        "store": "Create, inspect and maintain the store; copy, export and import it.",
        "run": "List runs, exclude one from every answer, include or remove it.",
        "define": "Name what is read: joins, aliases, pools of machines, main branches.",
        "annotate": "Show a text at a commit on charts: a release, a new runner.",
        "commits": "List the recorded commits, and sync them with a clone.",
        "mirror": "Copy the store into a PostgreSQL database for Grafana, Metabase and other tools.",
        "artifact": "Store files beside the results: logs, profiles, raw output.",
    },
    "Help": {
        "demo": "Publish shipped real measurements and show what bench_db makes of them.",
        "doctor": "Check the installation, the store and the connection to it.",
    },
}
VERBS = {verb: text for section in SECTIONS.values() for verb, text in section.items()}

EPILOG = """Exit codes: 0 done, 1 a regression was found (or a commit has no results), 2 wrong usage or unreadable input,
3 store or network unavailable, 4 store corrupt, 70 a defect of bench_db.

Shell completion: docs/how-to/terminal.md."""
_DEFECT = 70
_OBJECTS_A_COLLECTION = 50_000
_VERB_COLUMN = 10


_LOADING = RLock()


class _Deferred(ModuleType):
    """A module whose code runs when an attribute of it is first used."""

    def __getattr__(self, name: str) -> object:
        # `importlib.util.LazyLoader` runs the code as soon as a second module imports the first, which asks for its spec.
        with _LOADING:
            spec = self.__dict__.pop("__deferred__", None)
            if spec is not None:
                self.__path__ = spec.submodule_search_locations
                try:
                    spec.loader.exec_module(self)
                except BaseException:
                    _await(self, spec)
                    raise
                self.__class__ = ModuleType  # type: ignore[assignment]
        return ModuleType.__getattribute__(self, name)


def _await(module: ModuleType, spec: ModuleSpec) -> None:
    """Keep how to run the code of a module. The path goes, because an import of a module below it is a use that asks for it."""
    module.__dict__["__deferred__"] = spec
    module.__dict__.pop("__path__", None)


class _Deferring:
    """A loader that leaves the code of a module to its first use; --help need not import the base class of `importlib.abc`."""

    def __init__(self, spec: ModuleSpec) -> None:
        self._spec = spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module without its content."""
        return _Deferred(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing yet."""
        _await(module, self._spec)


class _Imported:
    """A loader of a module that the code of its package has imported meanwhile, so that the code of the module runs once."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave the module to the import; `exec_module` replaces it."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module in place of the new one."""
        sys.modules[module.__name__] = self._module


class _Finder(NamedTuple):
    """A finder of some packages that defers their code."""

    names: tuple[str, ...]

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the spec of one of the packages, or of a module of one that is imported already; None for any other module."""
        # The import of a module has asked for the path of its package, which runs the code of the package, and that imports modules.
        if target is None and fullname.rpartition(".")[0] in self.names and fullname in sys.modules:
            return ModuleSpec(fullname, _Imported(sys.modules[fullname]))  # type: ignore[arg-type]
        found = PathFinder.find_spec(fullname, path) if fullname in self.names else None
        if found is None or found.submodule_search_locations is None:
            return None
        deferred = ModuleSpec(fullname, _Deferring(found), origin=found.origin, is_package=True)  # type: ignore[arg-type]
        deferred.has_location = found.has_location
        deferred.submodule_search_locations = found.submodule_search_locations
        return deferred

    def finish_deferred(self) -> None:
        """Run the code of the packages that are imported, and defer none from now on."""
        sys.meta_path.remove(self)
        for name in self.names:
            if isinstance(module := sys.modules.get(name), _Deferred):
                _ = module.__path__


def defer(*names: str) -> None:
    """Run the code of libraries that are imported from now on only when they are used; one that is imported already stays as it is."""
    finder = _Finder(names)
    if finder not in sys.meta_path:
        sys.meta_path.insert(0, finder)


class Verbs(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        """Return the verbs, section by section."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 click's signature
        """Import the command of a verb; None for any other word."""
        if cmd_name not in VERBS:
            return None
        # Its import takes a quarter of the process of a publish or a look-up, which do not use it.
        defer("polars")
        command: click.Command = import_module(f"bench_db.cli.{cmd_name}").command
        equip(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the first argument; an unknown verb is an error that suggests near ones."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=VERBS, ctx=ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the global options, then the sections of verbs, without importing one."""
        records = [record for parameter in self.get_params(ctx) if (record := parameter.get_help_record(ctx))]
        with formatter.section("Global options, before or after the verb"):
            formatter.write_dl(records)
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(verbs.items()), col_max=_VERB_COLUMN)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs that begin with a text, without importing one, and the options of the group."""
        from click.shell_completion import CompletionItem

        verbs = [CompletionItem(verb, help=text) for verb, text in VERBS.items() if verb.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(
    cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
@click.version_option(package_name="bench-db", message="%(version)s")
def root() -> None:
    """Find out whether software got faster or slower: a warehouse for benchmark results, in a directory or a bucket.

    Example: bench-db publish results.json && bench-db latest
    """


equip(root)


def _end_without_search() -> None:
    """Spare the search for cycles that ends a process: it would take a seventh of a comparison, for memory that goes with the process.

    DuckDB would describe on stderr, as a leak, what is not freed at the end.
    """
    if "duckdb" not in sys.modules:
        gc.freeze()


def main() -> None:
    """Run the command line; each expected failure writes one line to stderr and has an exit code of its own."""
    # Records have no cycles, and to search imports and read files for them after every 700 objects takes a sixth of a large publish.
    gc.set_threshold(_OBJECTS_A_COLLECTION)
    atexit.register(_end_without_search)
    given: dict[str, Any] = {}  # the global options of the arguments, by name
    with warnings.catch_warnings(), _lance_at_its_level(os.environ, sys.argv):
        warnings.simplefilter("always", NewerStoreWarning)
        warnings.simplefilter("always", DamagedStoreWarning)
        warnings.simplefilter("always", SlowWarning)
        shown = warnings.showwarning
        warnings.showwarning = partial(_warn, shown)
        try:
            code = _exit_code(given)
        finally:
            if logs := sys.modules.get("bench_db.cli.logs"):
                logs.stop()
    sys.exit(code)


@contextmanager
def _lance_at_its_level(environment: MutableMapping[str, str], arguments: Sequence[str]) -> Iterator[None]:
    """Leave Lance's own warnings to who asks for logs: bench_db says in its own words what matters. Lance looks when it is imported."""
    asked = "--verbose" in arguments or environment.get("BENCH_DB_LOG") or "LANCE_LOG" in environment
    if asked:
        yield
        return
    environment["LANCE_LOG"] = "error"
    try:
        yield
    finally:
        environment.pop("LANCE_LOG", None)


def _warn(otherwise: Callable[..., None], message: Warning | str, category: type[Warning], *where: object) -> None:
    """Print a warning of ours as one line on stderr, and any other as Python does."""
    if issubclass(category, NewerStoreWarning | DamagedStoreWarning | SlowWarning):
        click.echo(f"bench-db: {message}", err=True)
    else:
        otherwise(message, category, *where)


def _exit_code(given: dict[str, object]) -> int:  # noqa: PLR0911 one return an error
    try:
        if level := os.environ.get("BENCH_DB_LOG"):
            import_module("bench_db.cli.logs").start(level, os.environ)
        return root.main(prog_name="bench-db", standalone_mode=False, obj=given) or 0
    except click.Abort:
        return 130
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BenchDbError as error:
        _report(error, str(error), traceback=bool(given.get("debug")))
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _report(error, f"{place}{error.strerror or error}", traceback=bool(given.get("debug")))
        return UserError.exit_code
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 a defect, or a panic in a library: Python would end with 1, which says regression
        click.echo("".join(format_exception(error)), err=True, nl=False)
        click.echo("bench-db: this is a defect of bench_db; please report it with the lines above", err=True)
        return _DEFECT


def _report(error: Exception, text: str, *, traceback: bool) -> None:
    """Write an error as one line to stderr, after its traceback when asked for."""
    if traceback:
        click.echo("".join(format_exception(error)), err=True, nl=False)
    click.echo(f"bench-db: {as_flags(' '.join(text.split()))}", err=True)


if __name__ == "__main__":
    main()
