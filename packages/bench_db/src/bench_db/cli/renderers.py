"""`--output NAME`: forms of output that installed packages add.

`bench-db --help` imports this module, so the import of plug-ins is inside functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench_db.plugins import Plugin

BUILT_IN = ("text", "json", "csv", "parquet")


class Outputs(click.Choice[str]):
    """The forms that a verb has, and those of installed packages."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of a form. Raises `click.BadParameter` for one that neither the verb nor a package has."""
        if value in self.choices:
            return super().convert(value, param, ctx)
        from bench_db import plugins

        others = plugins.names(plugins.RENDERERS)
        if value in others:
            return str(value)
        if not others:
            return super().convert(value, param, ctx)
        known = ", ".join(map(repr, (*self.choices, *others)))
        return self.fail(f"{value!r} is not one of {known}.", param, ctx)


def rendered(name: str, document: Mapping[str, Any] | list[Any]) -> str:
    """Return the JSON document of an answer as the renderer of a package writes it. Raises `PluginError` for a broken one."""
    from bench_db import plugins

    render = plugins.load(plugins.RENDERERS, _renderer, reserved=BUILT_IN, only=name).get(name)
    if render is None:
        message = f"no installed package has the output {name!r}"
        raise click.UsageError(message)
    return render(document)


def _renderer(plugin: Plugin) -> Callable[[Mapping[str, Any] | list[Any]], str]:
    from bench_db.plugins import callable_of

    write = callable_of(plugin)

    def render(document: Mapping[str, Any] | list[Any]) -> str:
        try:
            text: object = write(document)
        except Exception as error:  # code of other authors raises anything
            reason = f"it failed: {type(error).__name__}: {error}"
            raise plugin.fault(reason) from error
        if not isinstance(text, str):
            reason = f"it returned {type(text).__name__}, not text"
            raise plugin.fault(reason)
        return text

    return render
