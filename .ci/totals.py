"""Print one closing line with the sums of several runs of pytest: python .ci/totals.py LOG..."""

from __future__ import annotations

import re
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

CLOSING = re.compile(r"^=+ (?P<counts>.*) in (?P<seconds>[0-9.]+)s( \([0-9:]+\))? =+$", re.MULTILINE)
COUNT = re.compile(r"(\d+) (\w+)")
# as pytest orders and names them; `deselected` is left out: the other run has those tests
NAMES = ("failed", "passed", "skipped", "xfailed", "xpassed", "warning", "error")
SINGULAR = {"warnings": "warning", "errors": "error"}


def totals(logs: list[str]) -> str:
    """Return the sums of the closing lines as one such line. A run without one, which was killed, is an error."""
    counts: Counter[str] = Counter()
    seconds = 0.0
    for log in logs:
        closing = list(CLOSING.finditer(log))
        if not closing:
            counts["error"] += 1
            continue
        seconds += float(closing[-1]["seconds"])
        counts.update({SINGULAR.get(name, name): int(n) for n, name in COUNT.findall(closing[-1]["counts"])})
    stated = [f"{counts[name]} {_plural(name, counts[name])}" for name in NAMES if counts[name]]
    return f"= {', '.join(stated)} in {seconds:.2f}s ({timedelta(seconds=int(seconds))}) =".center(80, "=")


def _plural(name: str, count: int) -> str:
    return f"{name}s" if name in SINGULAR.values() and count > 1 else name


if __name__ == "__main__":
    print(totals([Path(name).read_text("utf-8", "replace") for name in sys.argv[1:]]))
