"""Deferral of the import of a library to its first use, for commands that may not use it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class _Deferring(Loader):
    """A loader that leaves the code of a module to its first use."""

    def __init__(self, spec: ModuleSpec) -> None:
        self._spec = spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module without its content."""
        return _Deferred(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing yet."""
        _await(module, self._spec)


@dataclass(frozen=True)
class _Finder(MetaPathFinder):
    """A finder of some packages that defers their code."""

    names: tuple[str, ...]

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 of the protocol
    ) -> ModuleSpec | None:
        """Return the spec of one of the packages; None for any other module."""
        found = PathFinder.find_spec(fullname, path) if fullname in self.names else None
        if found is None or found.submodule_search_locations is None:
            return None
        deferred = ModuleSpec(fullname, _Deferring(found), origin=found.origin, is_package=True)
        deferred.has_location = found.has_location
        deferred.submodule_search_locations = found.submodule_search_locations
        return deferred


def defer(*names: str) -> None:
    """Run the code of libraries that are imported from now on only when they are used; one that is imported already stays as it is."""
    finder = _Finder(names)
    if finder not in sys.meta_path:
        sys.meta_path.insert(0, finder)
