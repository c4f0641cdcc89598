"""`--output NAME`: forms of output that installed packages add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bench_db.plugins import RENDERERS, callable_of, load, names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench_db.plugins import Plugin

BUILT_IN = ("text", "json", "csv", "parquet")


def installed() -> list[str]:
    """Return the names of the forms that packages add."""
    return names(RENDERERS)


def rendered(name: str, document: Mapping[str, Any] | list[Any]) -> str:
    """Return the JSON document of an answer as the renderer of a package writes it. Raises `PluginError` for a broken one."""
    render = load(RENDERERS, _renderer, reserved=BUILT_IN, only=name).get(name)
    if render is None:
        message = f"no installed package has the output {name!r}"
        raise click.UsageError(message)
    return render(document)


def _renderer(plugin: Plugin) -> Callable[[Mapping[str, Any] | list[Any]], str]:
    write = callable_of(plugin)

    def render(document: Mapping[str, Any] | list[Any]) -> str:
        try:
            text: object = write(document)
        except (Exception, SystemExit) as error:  # code of other authors raises anything
            reason = f"it failed: {type(error).__name__}: {error}"
            raise plugin.fault(reason) from error
        if not isinstance(text, str):
            reason = f"it returned {type(text).__name__}, not text"
            raise plugin.fault(reason)
        return text

    return render
