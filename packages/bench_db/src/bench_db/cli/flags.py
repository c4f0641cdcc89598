"""Messages of use cases, with their parameters written as flags."""

from __future__ import annotations

import re

# Parameters whose flag is not the parameter's own name.
_FLAGS = {
    "charts": "--chart",
    "address": "ADDRESS",
    "config_file": "--config",
    "format_name": "--format",
    "expect": "--expect",
    "pr_number": "--pr",
    "states": "--state",
    "suites": "--suite",
    "tag": "--rank",
    "target": "OUTPUT",
}
# msgspec writes the types and fields of a document in backquotes, too.
_PARAMETER = re.compile(r"(?<!Expected )(?<!got )(?<!field )`([a-z][a-z_]*)`")


def as_flags(message: str) -> str:
    """Write each parameter in a message, a name in backquotes, as the flag of the command line."""
    return _PARAMETER.sub(lambda found: _FLAGS.get(found[1], f"--{found[1].replace('_', '-')}"), message)
