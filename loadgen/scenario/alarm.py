"""A client that delivers an alarm: it tries until somebody acknowledges.

A *transaction* is one alarm, from the moment it is triggered to the first 2xx. It takes one
*attempt* or many. Attempts and transactions are recorded separately, because a target's outage
shows as failed attempts and as long transactions, and both have to be seen.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gevent


@dataclass(frozen=True)
class Delivery:
    """One alarm, acknowledged: seconds since it was triggered, attempts, and who answered."""

    seconds: float
    attempts: int
    host: str


class Undelivered(Exception):  # noqa: N818  a state of the alarm, not a fault of the client
    """The device was stopped while an alarm stood unacknowledged after failed attempts."""

    def __init__(self, seconds: float, attempts: int) -> None:
        # Locust keeps one row for each different error text, so the text contains no count.
        super().__init__("not acknowledged, after failed attempts, when the test stopped")
        self.seconds = seconds
        self.attempts = attempts


@dataclass
class AlarmClient:
    """Delivers alarms to the first of several hosts that acknowledges, retrying for ever.

    After a failed attempt the next host is tried at once; when every host has failed,
    `retry_delay_seconds` pass first. The host that acknowledged is tried first next time.
    `attempt` sends one alarm to a host and returns whether it was acknowledged.
    """

    hosts: Sequence[str]
    attempt: Callable[[str], bool]
    retry_delay_seconds: float = 1.0
    clock: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = gevent.sleep
    _current: int = field(default=0, init=False)

    def deliver(self) -> Delivery:
        """Trigger an alarm now and return when it is acknowledged.

        Raises Undelivered when the greenlet is killed after a failed attempt.
        """
        triggered, failed = self.clock(), 0
        try:
            for attempts in itertools.count(1):
                host = self.hosts[self._current]
                if self.attempt(host):
                    return Delivery(self.clock() - triggered, attempts, host)
                failed = attempts
                self._current = (self._current + 1) % len(self.hosts)
                if attempts % len(self.hosts) == 0:
                    self.sleep(self.retry_delay_seconds)
        except gevent.GreenletExit as stop:
            if failed:
                raise Undelivered(self.clock() - triggered, failed) from stop
            raise
        raise AssertionError("this line is never reached, because the attempts have no limit")
