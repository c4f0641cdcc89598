"""Long work: progress on stderr, with a bar where that is a terminal, and signals that end it."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from bench_db.report.text import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Task

    from bench_db.app.progress import Progress


# Seconds between two lines of progress where there is no bar.
_LINE_SECONDS = 10.0


class Lines:
    """Progress without a bar: lines that stay, such as in the log of a job; with `phases` also how far long work is."""

    def __init__(self, *, phases: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._phases, self._clock = phases, clock
        self._shown = clock()

    def __call__(self, done: int, total: int, doing: str = "") -> None:
        """Show how far the work is, at most every ten seconds."""
        now = self._clock()
        if self._phases and now - self._shown >= _LINE_SECONDS:
            self._shown = now
            self.say(f"{doing}: {done:,} of {total:,}")

    def say(self, line: str) -> None:
        """Show a line on stderr."""
        click.echo(line, err=True)


@contextmanager
def progress_bar(doing: str, *, phases: bool = False) -> Iterator[Progress]:
    """Yield a bar on stderr when that is a terminal, else lines alone.

    With `phases` the work names what it does, such as reading, and the same for many steps.
    """
    if not sys.stderr.isatty():
        yield Lines(phases=phases)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    estimate = Estimate(time.monotonic)

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:  # noqa: ARG002 rich's signature
            return Text(estimate.text)

    class Bar:
        def __call__(self, done: int, total: int, doing: str = "") -> None:
            estimate.note(done, total)
            bar.update(task, completed=done, total=total, doing=doing, refresh=bool(doing) and not phases)

        def say(self, line: str) -> None:
            bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Left())
    now = TextColumn("{task.fields[doing]}", markup=False)
    # seldom drawn: a benchmark may be running beside it
    with Progress(*columns, now, console=Console(stderr=True), transient=True, refresh_per_second=2) as bar:
        task = bar.add_task(doing, total=None, doing="")
        yield Bar()


class Estimate:
    """The remaining time, estimated from all steps so far: a step may take seconds or hours."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._began = clock, clock()
        self._done, self._total, self._at = 0, 0, self._began

    def note(self, done: int, total: int) -> None:
        """Record that `done` of `total` are done now."""
        if done < self._done:  # the next phase of the work
            self._began = self._clock()
        if done != self._done:
            self._at = self._clock()
        self._done, self._total = done, total

    @property
    def seconds(self) -> float | None:
        """The remaining seconds; None before the first step is done."""
        if not self._done:
            return None
        a_step = (self._at - self._began) / self._done
        return max(0.0, a_step * (self._total - self._done) - (self._clock() - self._at))

    @property
    def text(self) -> str:
        """The remaining time as text; empty while it is not known."""
        return "" if self.seconds is None else f"about {duration(self.seconds)} left"


def leave_when_asked() -> None:
    """Turn SIGTERM and SIGHUP into SystemExit, so that cleanup runs. A SIGHUP that nohup ignores stays ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)


def _leave(number: int, *_: object) -> None:
    raise SystemExit(128 + number)
