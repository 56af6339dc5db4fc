"""Plans: how many users there should be at a second of the test. Pure; the shapes wrap them.

A plan's `at(seconds)` returns (users, users started or stopped a second), or None when it is over.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from loadgen.scenario.shapes.rates import Rate

Users = tuple[int, float]


class Plan(Protocol):
    """What every plan answers."""

    def at(self, seconds: float) -> Users | None:
        """Return users and spawn rate at a second of the test, None when the plan is over."""
        ...


@dataclass(frozen=True)
class Steps:
    """Each number of users for `step_seconds`, with `rest_seconds` without users between them."""

    users: Sequence[int]
    step_seconds: float
    rest_seconds: float
    spawn_rate: float

    def at(self, seconds: float) -> Users | None:
        """Return users and spawn rate, None after the last step."""
        number, within = divmod(seconds, self.step_seconds + self.rest_seconds)
        last = len(self.users) - 1
        if number > last or (number == last and within >= self.step_seconds):
            return None
        resting = within >= self.step_seconds
        return (0 if resting else self.users[int(number)]), self.spawn_rate


@dataclass(frozen=True)
class Spike:
    """`users`, `spike_users` from second `spike_after` for `spike_seconds`, then as before.

    Over when it has had as long to recover as it ran before the spike.
    """

    users: int
    spike_users: int
    spike_after: float
    spike_seconds: float
    spawn_rate: float

    def at(self, seconds: float) -> Users | None:
        """Return users and spawn rate, None when it is over."""
        if seconds >= 2 * self.spike_after + self.spike_seconds:
            return None
        spiking = self.spike_after <= seconds < self.spike_after + self.spike_seconds
        return (self.spike_users if spiking else self.users), self.spawn_rate


@dataclass(frozen=True)
class Soak:
    """Up to `users` in `ramp_seconds`, held, and down again in the last `ramp_seconds`."""

    users: int
    ramp_seconds: float
    total_seconds: float

    def at(self, seconds: float) -> Users | None:
        """Return users and spawn rate, None after `total_seconds`."""
        if seconds >= self.total_seconds:
            return None
        if not self.ramp_seconds:
            return self.users, float(self.users)
        ramped = min(seconds, self.total_seconds - seconds) / self.ramp_seconds
        rate = max(1.0, self.users / self.ramp_seconds)
        return max(1, math.ceil(self.users * min(1.0, ramped))), rate


@dataclass(frozen=True)
class RateInUsers:
    """As many users as send `rate` requests a second when each sends `per_user` of them.

    A closed model: users that wait for slow answers send less. For a rate that holds whatever the
    target does, use the open model in `arrival`.
    """

    rate: Rate
    per_user: float

    def at(self, seconds: float) -> Users | None:
        """Return users, at least 1, and a spawn rate that follows at once; None at the end."""
        requests_per_second = self.rate.at(seconds)
        if requests_per_second is None:
            return None
        users = max(1, math.ceil(requests_per_second / self.per_user - 1e-9))
        return users, float(users)
