"""The faults of a `FaultProxy`, and the rules that select requests."""

import random
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """A fault that the proxy injects instead of relaying a request."""

    SLOW_DOWN = "answer 503 SlowDown, server not asked"
    RESET = "reset the connection, server not asked"
    LOSE_ANSWER = "let the server act, then reset the connection"
    DELAY = "let the server act, answer late"
    SILENCE = "never answer, server not asked"
    IGNORE_CONDITION = "relay without If-None-Match"
    ANSWER = "answer the status and code of the rule, server not asked"
    CUT_BODY = "send half of the body, then reset the connection"
    SHORT_BODY = "send half of the body as if it were the whole"
    LONG_LENGTH = "promise more bytes than are sent"
    TRICKLE = "send one byte a second"
    STRANGE_BODY = "send a page of HTML as the body"
    EMPTY_BODY = "send an empty body"
    WHOLE_OBJECT = "relay without Range"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """A selection of requests for a fault; without a restriction, all requests."""

    fault: Fault
    times: int | None = None
    """How many requests suffer it before the rule is spent."""
    share: float = 1.0
    """Fraction of the matching requests that suffer it, drawn in order of arrival from `seed`."""
    seed: int = 0
    methods: frozenset[str] = frozenset()
    """Methods concerned; empty means all."""
    path: str = ""
    """Pattern searched in the request target."""
    delay_seconds: float = 0.0
    status: int = 0
    """The status of `ANSWER`."""
    code: str = ""
    """The code in the body of `ANSWER`, as S3 has it."""


@dataclass(slots=True)
class _ActiveRule:
    rule: FaultRule
    draws: random.Random
    suffered: int = 0

    def strikes(self, method: str, target: str) -> bool:
        rule = self.rule
        if rule.times is not None and self.suffered >= rule.times:
            return False
        if rule.methods and method not in rule.methods:
            return False
        if not re.search(rule.path, target) or self.draws.random() >= rule.share:
            return False
        self.suffered += 1
        return True


@dataclass(slots=True)
class FaultProxy:
    """The running proxy: its address, active rules and counts."""

    endpoint: str
    _active: list[_ActiveRule] = field(default_factory=list)
    _requests: Counter[str] = field(default_factory=Counter)
    _injected: Counter[Fault] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _changed: threading.Event = field(default_factory=threading.Event)

    def inject(self, *rules: FaultRule) -> None:
        """Replace the active rules; the first matching rule applies to a request.

        Requests that wait in silence or in a delay are released.
        """
        with self._lock:
            # S311: the sequence must be repeatable.
            draws = [random.Random(rule.seed) for rule in rules]
            self._active = [_ActiveRule(*pair) for pair in zip(rules, draws, strict=True)]
            self._changed.set()
            self._changed = threading.Event()

    def requests(self) -> Counter[str]:
        """Count the requests received, per HTTP method."""
        with self._lock:
            return self._requests.copy()

    def injected(self) -> Counter[Fault]:
        """Count the requests per injected fault."""
        with self._lock:
            return self._injected.copy()

    def judge(self, method: str, target: str) -> tuple[FaultRule | None, threading.Event]:
        """Count a request; return its rule, and the event that ends its wait."""
        with self._lock:
            self._requests[method] += 1
            struck = (active.rule for active in self._active if active.strikes(method, target))
            rule = next(struck, None)
            if rule is not None:
                self._injected[rule.fault] += 1
            return rule, self._changed
