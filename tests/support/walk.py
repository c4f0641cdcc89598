"""Run the `bench-db` command and print the package's modules in which a function ran, one a line, on the last lines of stderr.

Module and class bodies do not count, nor what runs while a module is imported: the figure says how many modules a reader visits
who follows one command.
"""

import sys
import threading
from types import FrameType

MARK = "modules walked:"
_OPTIMIZED = 1  # CO_OPTIMIZED: a function, not a module or class body

walked: set[str] = set()


def _note(frame: FrameType, event: str, _argument: object) -> None:
    name = frame.f_globals.get("__name__", "")
    if event != "call" or name in walked or not name.startswith("bench_db"):
        return
    if frame.f_code.co_flags & _OPTIMIZED and not _is_imported(frame):
        walked.add(name)


def _is_imported(frame: FrameType) -> bool:
    caller = frame.f_back
    while caller is not None:
        if not caller.f_code.co_flags & _OPTIMIZED and caller.f_globals.get("__name__", "").startswith("bench_db"):
            return True
        caller = caller.f_back
    return False


def main() -> None:
    from bench_db.cli import main as command

    sys.argv[0] = "bench-db"
    sys.setprofile(_note)
    threading.setprofile(_note)
    try:
        command()
    finally:
        sys.setprofile(None)
        sys.stderr.write("\n".join((MARK, *sorted(walked), "")))


if __name__ == "__main__":
    main()
