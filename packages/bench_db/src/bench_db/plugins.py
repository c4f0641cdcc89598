"""Extensions that other installed packages declare as entry points.

A package declares an extension in its pyproject.toml, under the group of its kind:

    [project.entry-points."bench_db.formats"]
    stopwatch = "bench_db_stopwatch:adapter"

`load` reads the metadata of every installed package (about 20 ms for 100 packages) and imports what the group declares.
Call it only when no built-in extension fits, and cache its answer. Renderers, exporters and forges are callables, so their
callers write `load(RENDERERS, callable_of)`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bench_db.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

FORMATS = "bench_db.formats"  # objects like `bench_db.ingest.Adapter`
RENDERERS = (
    "bench_db.renderers"  # callables that turn the JSON document of an answer into text, chosen by `--output NAME`
)
EXPORTERS = "bench_db.exporters"  # callables like `bench_db.app.exporters.Exporter`
FORGES = "bench_db.forges"  # callables that connect to a forge, as `bench_db.ci.forge.Connect`
PLACES = "bench_db.places"  # subclasses of `bench_db.Place`, by their scheme

_ADVICE = "Upgrade or uninstall the package, or report this to its authors"
Accepted = TypeVar("Accepted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """An object that an installed package declares; `package` is its distribution and version, such as `stopwatch 1.2`."""

    group: str
    name: str
    package: str
    value: object = None

    def fault(self, reason: str, advice: str = _ADVICE) -> PluginError:
        """Return the error that says why this extension cannot be used, and what to do."""
        kind = self.group.rpartition(".")[2].removesuffix("s")
        return PluginError(reason, kind=kind, name=self.name, package=self.package, advice=advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(Generic[Accepted]):
    """The extensions of one group by name, and for each broken one the reason."""

    usable: Mapping[str, Accepted] = field(default_factory=dict)
    faults: Mapping[str, PluginError] = field(default_factory=dict)

    def get(self, name: str) -> Accepted | None:
        """Return the extension of a name, None when no package declares it. Raises the `PluginError` of a broken one."""
        if name in self.faults:
            raise self.faults[name]
        return self.usable.get(name)


def load(
    group: str, accept: Callable[[Plugin], Accepted], *, reserved: Collection[str] = (), only: str | None = None
) -> Loaded[Accepted]:
    """Import all extensions of a group, sorted by name; with `only`, the one of this name.

    `accept` turns a plug-in into what the caller uses, or raises `plugin.fault(...)`. A broken plug-in never hides a sound
    one. Names in `reserved` belong to bench_db. A name that two packages declare is broken for both.
    """
    usable: dict[str, Accepted] = {}
    faults: dict[str, PluginError] = {}
    declared: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        if only in (None, entry.name):
            declared.setdefault(entry.name, []).append(entry)
    if declared:
        _finish_imports()
    for name, entries in sorted(declared.items()):
        plugin = Plugin(group=group, name=name, package=" and ".join(sorted(map(_package, entries))))
        try:
            usable[name] = accept(_imported(entries, plugin, reserved))
        except PluginError as fault:
            faults[name] = fault
    return Loaded(usable=usable, faults=faults)


def _finish_imports() -> None:
    """End the deferring of imports by the command line.

    Foreign code may import modules of one package in several threads: where the package is deferred, these wait for each other.
    """
    for finder in list(sys.meta_path):
        finish: Callable[[], None] | None = getattr(finder, "finish_deferred", None)
        if finish is not None:
            finish()


def names(group: str) -> list[str]:
    """Return the names that a group declares, without importing anything."""
    return sorted({entry.name for entry in entry_points(group=group)})


def callable_of(plugin: Plugin) -> Callable[..., Any]:
    """Return the object of a plug-in that must be a callable."""
    if not callable(plugin.value):
        reason = f"it is declared as a callable and is of type {type(plugin.value).__name__}"
        raise plugin.fault(reason)
    return plugin.value


def _imported(entries: Sequence[EntryPoint], plugin: Plugin, reserved: Collection[str]) -> Plugin:
    if plugin.name in reserved:
        reason = "bench_db has its own of that name, and uses that"
        raise plugin.fault(reason, "Ask the authors of the package for another name")
    if len(entries) > 1:
        reason = "each of these packages declares the name"
        raise plugin.fault(reason, "Uninstall all but one of them")
    try:
        value: object = entries[0].load()
    except (Exception, SystemExit) as error:  # foreign code raises anything when it is imported
        reason = f"loading {entries[0].value} failed: {type(error).__name__}: {error}"
        raise plugin.fault(reason) from error
    return replace(plugin, value=value)


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
