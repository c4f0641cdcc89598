"""Being asked to stop: by SIGTERM, and by SIGHUP unless nohup says otherwise, as by Ctrl-C."""

from __future__ import annotations

import signal


def leave_when_asked() -> None:
    """From now on these signals leave by an exception: on the way out benchmarks are ended and work trees taken away."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)


def _leave(number: int, *_: object) -> None:
    raise SystemExit(128 + number)
