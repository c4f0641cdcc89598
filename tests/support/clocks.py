"""A clock that a test owns: sleeping only moves it."""

from dataclasses import dataclass, field

from bench_db.clock import Clock

START = 1_800_000_000.0


@dataclass
class Slept:
    """The duration of each sleep, and the current time."""

    seconds: list[float] = field(default_factory=list)
    time: float = START

    def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.time += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self.sleep, chance=lambda: 0.5)
