"""Count the modules of bench_db in which a function ran during a command: `python -m tests.support.walks VERB ARGUMENT...`.

The bodies of modules, and what they call while they are imported, do not count; neither does generated code. The names are
written to stderr, one a line.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bench_db.cli import main

if TYPE_CHECKING:
    from types import FrameType

_IMPORT = "<module>"


def walked() -> set[str]:
    """Run the command of `sys.argv` and return the names of the modules."""
    found: set[str] = set()
    importing = 0

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal importing
        code = frame.f_code
        if code.co_name == _IMPORT:
            importing += {"call": 1, "return": -1}.get(event, 0)
        elif (
            event == "call" and not importing and code.co_filename.startswith("/") and not code.co_name.startswith("<")
        ):
            found.add(frame.f_globals.get("__name__", ""))

    sys.setprofile(note)
    try:
        main()
    except SystemExit as stop:
        if stop.code:
            raise
    finally:
        sys.setprofile(None)
    return {name for name in found if name.startswith("bench_db")}


if __name__ == "__main__":
    sys.stderr.write("\n".join(sorted(walked())))
